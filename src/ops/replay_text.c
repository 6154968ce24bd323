/* The texts of a webhookReplay task. Knows the names of kinds, statuses and states; decides
 * nothing.
 */
#include "ops/replay_text.h"

#include <stdlib.h>

#include "base/mem.h"
#include "queue/task.h"
#include "webhook/deliveries.h"

static void
put_u64(struct json_out *j, const char *name, uint64_t n)
{
    json_key(j, name);
    json_put_u64(j, n);
}

static void
put_uuid(struct json_out *j, const char *name, const struct uuid *uuid)
{
    char text[UUID_TEXT_LEN + 1];
    json_key(j, name);
    json_put_cstr(j, uuid_format(uuid, text));
}

static void
put_index_uids(struct json_out *j, const struct replay_request *r)
{
    json_key(j, "indexUids");
    json_begin_array(j);
    for (size_t i = 0; i < r->n_index_uids; i++)
        json_put_cstr(j, r->index_uids[i]);
    json_end_array(j);
}

/* --- parameters ------------------------------------------------------------------------------ */

void
replay_params_write(struct buf *out, const struct replay_request *r, const struct replay_cursor *at)
{
    struct json_out j = json_out(out);
    json_begin_object(&j);
    put_uuid(&j, "webhook", &r->webhook);
    json_key(&j, "since");
    json_put_i64(&j, r->since_ns);
    json_key(&j, "until");
    json_put_i64(&j, r->until_ns);
    put_u64(&j, "states", r->states);
    put_u64(&j, "kinds", r->kinds);
    put_u64(&j, "statuses", r->statuses);
    put_index_uids(&j, r);
    put_u64(&j, "first", at->first);
    put_u64(&j, "next", at->next);
    put_u64(&j, "end", at->end);
    put_u64(&j, "matched", at->matched);
    put_u64(&j, "queued", at->queued);
    json_end_object(&j);
}

struct param_reader {
    const struct json *root;
    bool failed;
};

static uint64_t
read_u64(struct param_reader *r, const char *name)
{
    uint64_t n = 0;
    if (!json_to_u64(json_get_c(r->root, name), &n))
        r->failed = true;
    return n;
}

static int64_t
read_i64(struct param_reader *r, const char *name)
{
    int64_t n = 0;
    if (!json_to_i64(json_get_c(r->root, name), &n))
        r->failed = true;
    return n;
}

static void
read_index_uids(const struct json *list, struct replay_request *ret)
{
    size_t n = json_length(list);
    ret->index_uids = mem_new(n + 1, sizeof(*ret->index_uids));
    for (struct json_iter it = json_iter(list); json_next(&it);) {
        struct str uid = json_string(it.value);
        ret->index_uids[ret->n_index_uids++] = mem_strndup(uid.data, uid.len);
    }
}

bool
replay_params_read(struct str text, struct replay_request *ret, struct replay_cursor *ret_at)
{
    struct json_doc *doc = json_parse(text, NULL);
    if (doc == NULL)
        return false;
    struct param_reader r = {.root = json_root(doc)};
    *ret = (struct replay_request){
        .since_ns = read_i64(&r, "since"),
        .until_ns = read_i64(&r, "until"),
        .states = (uint32_t) read_u64(&r, "states"),
        .kinds = read_u64(&r, "kinds"),
        .statuses = (uint8_t) read_u64(&r, "statuses"),
    };
    *ret_at = (struct replay_cursor){
        .first = read_u64(&r, "first"),
        .next = read_u64(&r, "next"),
        .end = read_u64(&r, "end"),
        .matched = read_u64(&r, "matched"),
        .queued = read_u64(&r, "queued"),
    };
    bool ok =
        !r.failed && uuid_parse(json_string(json_get_c(r.root, "webhook")), &ret->webhook, NULL);
    if (ok)
        read_index_uids(json_get_c(r.root, "indexUids"), ret);
    json_doc_free(doc);
    return ok;
}

void
replay_request_done(struct replay_request *r)
{
    for (size_t i = 0; i < r->n_index_uids; i++)
        free(r->index_uids[i]);
    free(r->index_uids);
    *r = (struct replay_request){0};
}

/* --- details --------------------------------------------------------------------------------- */

/* The names of the set bits of an enum's mask. */
static void
put_names(struct json_out *j, const char *key, uint64_t bits, const char *(*name)(unsigned) )
{
    if (bits == 0)
        return;
    json_key(j, key);
    json_begin_array(j);
    for (unsigned i = 0; i < 64; i++) {
        if (bits & (UINT64_C(1) << i))
            json_put_cstr(j, name(i)); /* only known names were accepted */
    }
    json_end_array(j);
}

static const char *
kind_name(unsigned i)
{
    return task_kind_name((enum task_kind) i);
}

static const char *
status_name(unsigned i)
{
    return task_status_name((enum task_status) i);
}

static void
put_filter(struct json_out *j, const struct replay_request *r)
{
    json_key(j, "filter");
    json_begin_object(j);
    put_names(j, "states", r->states, delivery_state_text);
    if (r->n_index_uids > 0)
        put_index_uids(j, r);
    put_names(j, "types", r->kinds, kind_name);
    put_names(j, "statuses", r->statuses, status_name);
    json_end_object(j);
}

static void
put_time(struct json_out *j, const char *name, int64_t wall_ns)
{
    json_key(j, name);
    json_put_time(j, wall_ns);
}

void
replay_details_write(struct buf *out, const struct replay_request *r,
                     const struct replay_cursor *at)
{
    struct json_out j = json_out(out);
    json_begin_object(&j);
    put_uuid(&j, "webhookUuid", &r->webhook);
    put_time(&j, "since", r->since_ns);
    put_time(&j, "until", r->until_ns);
    put_filter(&j, r);
    put_u64(&j, "totalEvents", at->end - at->first);
    put_u64(&j, "scannedEvents", at->next - at->first);
    put_u64(&j, "matchedEvents", at->matched);
    put_u64(&j, "queuedDeliveries", at->queued);
    json_end_object(&j);
}
