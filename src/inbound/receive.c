/* A request of a provider. Owns the order of its steps: who sent it, what it says, whether it was
 * seen, what follows from it; and that all of it is one transaction. Knows nothing of HTTP.
 *
 *   begin -> check (at once | slices) -> apply: parse, rules, seen, effects -> commit -> end */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "inbound/effects.h"

enum { CHECK_AT_ONCE_US = 500 };

struct inbound_request {
    struct inbound *inbound;
    enum provider provider;
    struct uuid uuid; /* of the connection */
    bool is_known, is_unreadable;
    struct connection_lock lock;
    struct provider_headers headers;
    struct buf body;
    struct signature_check *check;
    struct loop_slice slice;
    bool in_slice; /* memory goes at the end of the turn */
    inbound_checked *checked;
    void *arg;
    struct effects effects;
};

/* --- life */

/* A connection of each provider that nobody has, for requests that name none. */
static void
make_dummy(enum provider p, struct buf *out)
{
    uint8_t bytes[SHA256_BYTES];
    struct buf secret = BUF_INIT;
    char empty[] = "", object[] = "{}", url[] = "https://localhost";
    random_bytes(bytes, sizeof(bytes));
    buf_add_cstr(&secret, p == PROVIDER_STANDARD ? "whsec_" : "");
    base64_encode(&secret, str_make(bytes, sizeof(bytes)));
    struct connection c = {.provider = p,
                           .tolerance_s = SIGNATURE_TOLERANCE_S,
                           .secrets = {(char *) (uintptr_t) buf_cstr(&secret)},
                           .n_secrets = 1,
                           .url = url,
                           .name = empty,
                           .config = object,
                           .metadata = object};
    connection_encode(out, &c);
    mem_wipe(secret.data, secret.len);
    buf_done(&secret);
}

struct inbound *
inbound_new(const struct inbound_conf *conf)
{
    struct inbound *in = mem_new(1, sizeof(*in));
    in->conf = *conf;
    in->seen = seen_new(conf->loop, conf->turn);
    for (int i = 0; i < PROVIDER_COUNT; i++)
        make_dummy((enum provider) i, &in->dummies[i]);
    return in;
}

void
inbound_free(struct inbound *in)
{
    if (in == NULL)
        return;
    seen_free(in->seen);
    for (int i = 0; i < PROVIDER_COUNT; i++) {
        mem_wipe(in->dummies[i].data, in->dummies[i].len);
        buf_done(&in->dummies[i]);
    }
    free(in);
}

struct inbound_stats
inbound_stats(const struct inbound *in)
{
    return in->stats;
}

/* --- who sent it */

static enum loop_slice_result check_slice(void *arg, int64_t deadline_us);

void
inbound_read_headers(struct str provider, provider_header_fn *header, const void *arg,
                     struct provider_headers *ret)
{
    enum provider p = PROVIDER_MUX;
    (void) provider_from_name(provider, &p); /* an unknown one stays with that */
    provider_read_headers(p, header, arg, ret);
}

/* Reads the row, or the dummy's where there is none of that provider. */
static void
read_lock(struct inbound_request *r)
{
    struct store_txn *txn = turn_read(r->inbound->conf.turn);
    struct str record, key = str_make(r->uuid.bytes, sizeof(r->uuid.bytes));
    int rc = txn == NULL ? STORE_EIO : store_get(txn, TABLE_CONNECTIONS, key, &record);
    if (rc == 1)
        rc = connection_decode_lock(&r->lock, record) == 0 ? 1 : STORE_ECORRUPT;
    store_abort(txn);
    r->is_unreadable = rc < 0;
    r->is_known = r->is_known && rc == 1 && r->lock.provider == r->provider;
    if (!r->is_known)
        (void) connection_decode_lock(&r->lock, buf_str(&r->inbound->dummies[r->provider]));
}

struct inbound_request *
inbound_begin(struct inbound *in, const struct inbound_message *m)
{
    struct inbound_request *r = mem_new(1, sizeof(*r));
    *r = (struct inbound_request){
        .inbound = in, .provider = PROVIDER_MUX, .headers = m->headers, .body = *m->body};
    *m->body = BUF_INIT;
    r->is_known = provider_from_name(m->provider, &r->provider);
    r->is_known &= connection_id_parse(m->connection_id, &r->uuid);
    effects_init(&r->effects, in);
    loop_slice_init(&r->slice, in->conf.loop, check_slice, r);
    in->stats.received++;
    return r;
}

static void
free_memory(void *arg)
{
    free(arg);
}

void
inbound_end(struct inbound_request *r, bool is_committed)
{
    loop_slice_sleep(&r->slice);
    signature_check_free(r->check);
    connection_lock_done(&r->lock);
    effects_done(&r->effects, is_committed);
    buf_done(&r->body);
    if (r->in_slice)
        loop_defer(r->inbound->conf.loop, free_memory, r);
    else
        free(r);
}

struct str
inbound_body(const struct inbound_request *r)
{
    return buf_str(&r->body);
}

static int
judge(const struct inbound_request *r, struct err *err)
{
    struct signature_claim claim;
    signature_read_claim(r->provider, &r->headers, &claim);
    if (r->is_unreadable)
        return err_set(err, ERR_STORE_UNAVAILABLE, "The connections cannot be read.");
    if (!r->is_known)
        return err_set(err, ERR_CONNECTION_NOT_FOUND, "There is no such connection.");
    if (r->lock.n == 0)
        return err_set(err, ERR_CONNECTION_WITHOUT_SECRET,
                       "This connection has no `webhook_secret`: nothing can be verified.");
    if (r->headers.signature.len == 0)
        return err_set(err, ERR_INVALID_SIGNATURE, "The signature is missing.");
    if (!signature_check_matches(r->check))
        return err_set(err, ERR_INVALID_SIGNATURE, "The signature is not valid for this body.");
    if (!signature_is_timely(r->provider, &claim, clock_wall_ms() / 1000, r->lock.tolerance_s))
        return err_set(err, ERR_INVALID_SIGNATURE,
                       "The time of the signature is more than %u seconds away from now.",
                       r->lock.tolerance_s);
    return 0;
}

static void
end_check(struct inbound_request *r)
{
    struct err err = ERR_INIT;
    struct inbound_stats *stats = &r->inbound->stats;
    struct signature_work work = signature_check_work(r->check);
    stats->work.hmacs += work.hmacs;
    stats->work.hmac_bytes += work.hmac_bytes;
    stats->work.ed25519s += work.ed25519s;
    stats->work.ed25519_bytes += work.ed25519_bytes;
    int rc = judge(r, &err);
    stats->refused += rc < 0;
    r->checked(r->arg, rc, &err);
    err_done(&err); /* r may be gone */
}

static enum loop_slice_result
check_slice(void *arg, int64_t deadline_us)
{
    struct inbound_request *r = arg;
    if (signature_check_step(r->check, buf_str(&r->body), deadline_us) == 1)
        return SLICE_MORE;
    r->in_slice = true;
    end_check(r);
    r->in_slice = false;
    return SLICE_IDLE;
}

void
inbound_check(struct inbound_request *r, inbound_checked *checked, void *arg)
{
    r->checked = checked;
    r->arg = arg;
    read_lock(r);
    r->check = signature_check_new(r->provider, &r->headers, r->lock.keys, r->lock.n,
                                   str_from(r->lock.url));
    if (signature_check_step(r->check, buf_str(&r->body), clock_mono_us() + CHECK_AT_ONCE_US) == 1)
        loop_slice_wake(&r->slice);
    else
        end_check(r);
}

/* --- what it says */

static struct json_doc *
parse(const struct inbound_request *r, struct str body, struct err *err)
{
    struct buf json = BUF_INIT, why = BUF_INIT;
    struct json_doc *doc = NULL;
    if (!provider_sends_forms(r->provider, &r->headers))
        doc = json_parse(body, &why);
    else if (provider_form_to_json(r->provider, body, &json) == 0)
        doc = json_parse(buf_str(&json), &why);
    else
        buf_add_cstr(&why, "the form has too many fields");
    if (doc == NULL)
        (void) err_set(err, ERR_MALFORMED_PAYLOAD, "The body is not JSON. `%s`.", buf_cstr(&why));
    buf_done(&json);
    buf_done(&why);
    return doc;
}

static int
ignore(struct inbound_request *r, const char *reason, struct str message,
       struct inbound_answer *ret)
{
    struct json_out j = json_out(&ret->body);
    json_begin_object(&j);
    json_key(&j, "handled");
    json_put_bool(&j, false);
    json_key(&j, "reason");
    json_put_cstr(&j, reason);
    if (message.len > 0) {
        json_key(&j, "message");
        json_put_str(&j, message);
    }
    json_end_object(&j);
    r->inbound->stats.ignored++;
    return 0;
}

/* What needs no rule: Slack asks whether it is us, GitHub whether we are there. 1: answered. */
static int
greet(struct inbound_request *r, const struct json *body, const struct provider_event *event,
      struct inbound_answer *ret)
{
    const struct json *challenge = json_get_c(body, "challenge");
    if (r->provider == PROVIDER_SLACK && str_is(event->type, "url_verification") &&
        challenge != NULL && json_type(challenge) == JSON_STRING) {
        buf_add_str(&ret->body, json_string(challenge));
        ret->is_text = true;
        return 1;
    }
    if (r->provider != PROVIDER_GITHUB || !str_is(event->type, "ping"))
        return 0;
    (void) ignore(r, "ping", STR_NULL, ret);
    return 1;
}

static void
read_event(const struct inbound_request *r, const struct connection *c, const struct json *body,
           struct provider_event *ret)
{
    provider_read_event(r->provider, &r->headers, body, c->arena, ret);
    if (c->mapping.event_type_path.data == NULL)
        return;
    const struct json *type = path_find(body, c->mapping.event_type_path);
    ret->type = type == NULL ? STR("") : json_string(type);
    ret->kind = STR("");
}

/* --- whether it was seen */

static void
make_key(const struct inbound_request *r, const struct provider_event *event,
         uint8_t out[SEEN_KEY_BYTES])
{
    struct signature_claim claim;
    signature_read_claim(r->provider, &r->headers, &claim);
    if (event->id.len > 0)
        seen_make_key(&r->uuid, event->id, out);
    else
        seen_make_key_of_bytes(&r->uuid, claim.timestamp, buf_str(&r->body), out);
}

static int
fail_store(struct inbound_request *r, int code, struct err *err)
{
    turn_fail(r->inbound->conf.turn, code);
    return err_set(err, ERR_IO_ERROR, "The event could not be stored: %s.", store_strerror(code));
}

/* What is behind "handled" in an answer is what is remembered of it. */
static int
answer_handled(struct inbound_request *r, bool is_duplicate, struct str rest,
               struct inbound_answer *ret)
{
    buf_add_cstr(&ret->body, "{\"handled\":true");
    if (is_duplicate)
        buf_add_cstr(&ret->body, ",\"duplicate\":true");
    buf_add_str(&ret->body, rest);
    buf_add_char(&ret->body, '}');
    ret->is_held = true;
    if (is_duplicate)
        r->inbound->stats.duplicates++;
    else
        r->inbound->stats.handled++;
    return 0;
}

static int
carry_out(struct inbound_request *r, const struct connection *c, const struct provider_event *event,
          struct inbound_answer *ret, struct err *err)
{
    uint8_t key[SEEN_KEY_BYTES];
    struct buf rest = BUF_INIT;
    struct str known;
    make_key(r, event, key);
    int rc = seen_find(r->inbound->seen, key, &known);
    if (rc == 1)
        return answer_handled(r, true, known, ret);
    if (rc < 0)
        return fail_store(r, rc, err);
    rc = effects_carry_out(&r->effects, c, event, &rest, err);
    if (rc == 0) {
        rc = seen_store(r->inbound->seen, key, buf_str(&rest));
        rc = rc < 0 ? fail_store(r, rc, err) : answer_handled(r, false, buf_str(&rest), ret);
    }
    buf_done(&rest);
    return rc;
}

/* --- all of it */

static int
apply(struct inbound_request *r, const struct connection *c, const struct json *body,
      struct inbound_answer *ret, struct err *err)
{
    struct provider_event event;
    struct buf message = BUF_INIT;
    int rc;
    read_event(r, c, body, &event);
    if (greet(r, body, &event, ret) == 1)
        return 0;
    const char *reason = effects_plan(&r->effects, &c->mapping, &event, body, &message);
    if (!c->is_active)
        rc = ignore(r, "inactive_connection", STR_NULL, ret);
    else if (reason != NULL)
        rc = ignore(r, reason, buf_str(&message), ret);
    else
        rc = carry_out(r, c, &event, ret, err);
    buf_done(&message);
    return rc;
}

static int
load(const struct inbound_request *r, struct connection *ret, struct err *err)
{
    struct store_txn *txn = turn_read(r->inbound->conf.turn);
    int rc = txn == NULL ? STORE_EIO : connection_get(txn, &r->uuid, ret);
    store_abort(txn);
    if (rc == 0)
        return err_set(err, ERR_CONNECTION_NOT_FOUND, "There is no such connection.");
    if (rc < 0)
        return err_set(err, ERR_INTERNAL, "The connection could not be read: %s.",
                       store_strerror(rc));
    if (connection_read_mapping(ret, err) == 0)
        return 0;
    connection_done(ret);
    return -1;
}

int
inbound_apply(struct inbound_request *r, struct str body, struct inbound_answer *ret,
              struct err *err)
{
    struct connection c;
    *ret = (struct inbound_answer){0};
    struct json_doc *doc = parse(r, body, err);
    if (doc == NULL || load(r, &c, err) < 0) {
        json_doc_free(doc);
        return -1;
    }
    int rc = apply(r, &c, json_root(doc), ret, err);
    connection_done(&c);
    json_doc_free(doc);
    if (rc < 0)
        buf_done(&ret->body);
    return rc;
}
