/* From rules to tasks and published events. Owns what is in flight of them: payloads until the
 * commit. Entered from receive.c. */
#include "inbound/effects.h"

#include <stdlib.h>

#include "base/mem.h"
#include "index/catalog.h"

struct effect {
    const struct rule *rule;
    struct str index; /* of documents */
    struct rule_effect made;
    bool has_key;   /* the index has a primary key */
    struct str key; /* name of the field that holds the id */
    char *primary_key;
    struct payload_writer *writer;
    bool is_task; /* task_uid, else event_id */
    uint32_t task_uid;
    struct uuid event_id;
};

void
effects_init(struct effects *e, struct inbound *in)
{
    *e = (struct effects){.inbound = in};
}

void
effects_done(struct effects *e, bool is_committed)
{
    for (size_t i = 0; i < e->n; i++) {
        rule_effect_done(&e->list[i].made);
        payload_writer_free(e->list[i].writer, is_committed);
        free(e->list[i].primary_key);
    }
    free(e->list);
    e->list = NULL;
    e->n = 0;
}

/* --- the plan */

enum {
    SHOWN_ID_MAX_BYTES = 512,
    PLAN_MAX_BYTES = 4 * 1024 * 1024, /* of all documents and metadata of one event */
};

/* The provider's id of the event as it may be repeated; data NULL: not at all. */
static struct str
shown_id(const struct provider_event *event)
{
    bool is_fine = event->id.len > 0 && event->id.len <= SHOWN_ID_MAX_BYTES &&
                   str_find(event->id, '\0', 0) == event->id.len && str_is_utf8(event->id);
    return is_fine ? event->id : STR_NULL;
}

/* NULL when it has none; the caller frees. What cannot be read now fails the task later. */
static char *
primary_key_of(struct inbound *in, struct str index_uid)
{
    struct index_info info;
    struct store_txn *txn = turn_read(in->conf.turn);
    char *key = NULL;
    index_info_init(&info);
    if (txn != NULL && catalog_get(txn, index_uid, &info) == 1) {
        key = info.primary_key;
        info.primary_key = NULL;
    }
    index_info_done(&info);
    store_abort(txn);
    return key;
}

static const char *
plan_one(struct effects *e, const struct rule *r, const struct json *body, struct buf *message)
{
    e->list = mem_grow(e->list, e->n + 1, sizeof(*e->list));
    struct effect *one = &e->list[e->n++];
    *one = (struct effect){.rule = r};
    if (r->action != RULE_PUBLISH) {
        const char *reason = rule_find_index(r, body, &one->index, message);
        if (reason != NULL)
            return reason;
        one->primary_key = primary_key_of(e->inbound, one->index);
    }
    one->has_key = one->primary_key != NULL;
    one->key = rule_id_field(r, str_from(one->primary_key));
    const char *reason = rule_apply(r, body, str_from(one->primary_key), &one->made, message);
    e->n_bytes += one->made.json.len;
    if (reason != NULL || e->n_bytes <= PLAN_MAX_BYTES)
        return reason;
    buf_add_cstr(message, "What the rules make of this event has more than 4 MiB.");
    return "document_too_large";
}

const char *
effects_plan(struct effects *e, const struct mapping *mapping, const struct provider_event *event,
             const struct json *body, struct buf *message)
{
    const char *reason = NULL;
    for (size_t i = 0; i < mapping->n && reason == NULL; i++) {
        if (rule_matches(&mapping->rules[i], event))
            reason = plan_one(e, &mapping->rules[i], body, message);
    }
    return reason == NULL && e->n == 0 ? "unsubscribed_event" : reason;
}

/* --- carrying out */

static int
make_payload(struct effects *e, struct effect *one, struct str line, struct payload *ret,
             struct err *err)
{
    one->writer = payload_writer_new(e->inbound->conf.payloads);
    if (payload_writer_add(one->writer, line, err) < 0 ||
        payload_writer_add(one->writer, STR("\n"), err) < 0)
        return -1;
    return payload_writer_finish(one->writer, ret, err);
}

static int
change_by_field(struct effects *e, struct effect *one, struct str origin, struct ops_result *ret,
                struct err *err)
{
    struct payload payload;
    struct ops_field field = {.index_uid = one->index,
                              .name = one->key,
                              .value = buf_str(&one->made.value),
                              .custom_metadata = origin};
    if (one->rule->action == RULE_DELETE)
        return ops_delete_by_field(e->inbound->conf.ops, &field, ret, err);
    if (make_payload(e, one, buf_str(&one->made.json), &payload, err) < 0)
        return -1;
    return ops_update_by_field(e->inbound->conf.ops, &field, &payload, ret, err);
}

static int
delete_one(struct effects *e, struct effect *one, struct str origin, struct ops_result *ret,
           struct err *err)
{
    struct payload payload;
    struct buf line = BUF_INIT;
    json_write_string(&line, one->made.id);
    int rc = make_payload(e, one, buf_str(&line), &payload, err);
    buf_done(&line);
    if (rc < 0)
        return -1;
    return ops_delete_documents(e->inbound->conf.ops, one->index, 1, &payload, origin, ret, err);
}

static int
write_one(struct effects *e, const struct connection *c, struct effect *one, struct str origin,
          struct ops_result *ret, struct err *err)
{
    struct payload payload;
    bool is_update = one->rule->action == RULE_UPDATE;
    if (make_payload(e, one, buf_str(&one->made.json), &payload, err) < 0)
        return -1;
    struct ops_documents d = {
        .index_uid = one->index,
        .method = is_update ? DOCUMENT_MERGE : DOCUMENT_REPLACE,
        .primary_key = one->has_key ? STR_NULL : one->key,
        .custom_metadata = origin,
        .skip_creation = is_update,
        .allow_index_creation = c->may_create_indexes && !is_update,
        .received = 1,
        .payload = &payload,
    };
    return ops_add_documents(e->inbound->conf.ops, &d, ret, err);
}

static int
publish(struct effects *e, struct effect *one, struct err *err)
{
    struct inbound *in = e->inbound;
    struct organization_emitted emitted = {.id = UUID_NIL};
    struct organization_event event = {
        .type = one->rule->event_type,
        .namespace_id = one->rule->namespace_id,
        .subject_type = one->rule->subject_type,
        .subject_id = one->made.id,
        .metadata = buf_str(&one->made.json),
    };
    int rc = organization_emit(in->conf.webhooks, turn_txn(in->conf.turn), &event, &emitted);
    one->event_id = emitted.id;
    if (rc == 0)
        return 0;
    turn_fail(in->conf.turn, rc);
    return err_set(err, ERR_IO_ERROR, "The event could not be stored: %s.", store_strerror(rc));
}

static int
carry_out_one(struct effects *e, const struct connection *c, struct effect *one, struct str origin,
              struct err *err)
{
    struct ops_result result = {0};
    int rc;
    one->is_task = one->rule->action != RULE_PUBLISH;
    if (!one->is_task)
        return publish(e, one, err);
    if (one->made.by_field)
        rc = change_by_field(e, one, origin, &result, err);
    else if (one->rule->action == RULE_DELETE)
        rc = delete_one(e, one, origin, &result, err);
    else
        rc = write_one(e, c, one, origin, &result, err);
    one->task_uid = result.task_uid;
    buf_done(&result.summary);
    return rc;
}

/* "mux/conn_0123/evt_1": as custom metadata it leads from a task to its event. */
static void
write_origin(struct buf *out, const struct connection *c, const struct provider_event *event)
{
    buf_addf(out, "%s/", provider_name(c->provider));
    connection_id_write(out, &c->uuid);
    buf_add_char(out, '/');
    buf_add_str(out, shown_id(event));
}

static void
write_answer(struct buf *out, const struct effects *e, const struct provider_event *event)
{
    struct json_out j = {.out = out, .comma = true};
    char text[UUID_TEXT_LEN + 1];
    size_t n_tasks = 0;
    json_key(&j, "event_id");
    if (shown_id(event).data != NULL)
        json_put_str(&j, event->id);
    else
        json_put_null(&j);
    for (size_t i = 0; i < e->n; i++) {
        if (!e->list[i].is_task || n_tasks++ > 0)
            continue;
        json_key(&j, "task_uid");
        json_put_u64(&j, e->list[i].task_uid);
    }
    json_key(&j, "task_uids");
    json_begin_array(&j);
    for (size_t i = 0; i < e->n; i++) {
        if (e->list[i].is_task)
            json_put_u64(&j, e->list[i].task_uid);
    }
    json_end_array(&j);
    json_key(&j, "published");
    json_begin_array(&j);
    for (size_t i = 0; i < e->n; i++) {
        if (!e->list[i].is_task)
            json_put_cstr(&j, uuid_format(&e->list[i].event_id, text));
    }
    json_end_array(&j);
}

int
effects_carry_out(struct effects *e, const struct connection *c, const struct provider_event *event,
                  struct buf *answer, struct err *err)
{
    struct buf origin = BUF_INIT;
    int rc = 0;
    write_origin(&origin, c, event);
    for (size_t i = 0; i < e->n && rc == 0; i++) {
        rc = carry_out_one(e, c, &e->list[i], buf_str(&origin), err);
        if (rc < 0 && i > 0) /* what is in the transaction already must not stay alone */
            turn_fail(e->inbound->conf.turn, STORE_EFULL);
    }
    buf_done(&origin);
    if (rc == 0)
        write_answer(answer, e, event);
    return rc;
}
