/* The table of a policy's fields, and what all of them have in common. What a kind of field is, is
 * in policy_scalars.c, policy_lists.c and policy_secrets.c. Knows no registered webhook. */
#include "webhook/policy_fields.h"

#include <stddef.h>

#include "webhook/lane.h"
#include "webhook/policy_types.h"
#include "webhook/secret.h"

/* The order of POLICY_*; the positions are stored (see policy_encode): append only. */
const char *const policy_field_names[POLICY_CHOSEN_FIELDS] = {
    [POLICY_EVENTS] = "events",
    [POLICY_INDEX_UIDS] = "indexUids",
    [POLICY_TYPES] = "types",
    [POLICY_STATUSES] = "statuses",
    [POLICY_WAIT] = "wait",
    [POLICY_TIMEOUT_MS] = "timeoutMs",
    [POLICY_ORDERED] = "ordered",
    [POLICY_MAX_IN_FLIGHT] = "maxInFlight",
    [POLICY_RATE_LIMIT] = "rateLimit",
    [POLICY_RETRY_SCHEDULE] = "retrySchedule",
    [POLICY_FORMAT] = "format",
    [POLICY_COMPRESSION] = "compression",
    [POLICY_SECRET] = "secret",
    [POLICY_CA] = "ca",
    [POLICY_CLIENT_CERTIFICATE] = "clientCertificate",
    [POLICY_DESCRIPTION] = "description",
    [POLICY_IS_ACTIVE] = "isActive",
};

static const char *const format_names[WEBHOOK_FORMATS] = {
    [FORMAT_NDJSON] = "ndjson", [FORMAT_JSON] = "json", [FORMAT_CLOUDEVENTS] = "cloudevents"};
static const char *const compression_names[] = {
    [COMPRESSION_GZIP] = "gzip", [COMPRESSION_NONE] = "none"};
enum { COMPRESSIONS = sizeof(compression_names) / sizeof(compression_names[0]) };

#define MEMBER(name)                                                                               \
    .offset = offsetof(struct webhook_policy, name),                                               \
    .size = sizeof(((struct webhook_policy *) NULL)->name)
#define COUNT(name) .count_offset = offsetof(struct webhook_policy, name)

/* clang-format off */
static const struct policy_row rows[POLICY_FIELDS] = {
    [POLICY_EVENTS] = {ERR_INVALID_WEBHOOK_EVENTS, &policy_type_events, MEMBER(events)},
    [POLICY_INDEX_UIDS] = {ERR_INVALID_WEBHOOK_INDEX_UIDS, &policy_type_patterns,
                           MEMBER(index_uids), COUNT(n_index_uids), .max = POLICY_INDEX_UIDS_MAX},
    [POLICY_TYPES] = {ERR_INVALID_WEBHOOK_TYPES, &policy_type_kinds, MEMBER(kinds)},
    [POLICY_STATUSES] = {ERR_INVALID_WEBHOOK_STATUSES, &policy_type_statuses, MEMBER(statuses)},
    [POLICY_WAIT] = {ERR_INVALID_WEBHOOK_WAIT, &policy_type_bool, MEMBER(waits)},
    [POLICY_TIMEOUT_MS] = {ERR_INVALID_WEBHOOK_TIMEOUT_MS, &policy_type_number,
                           MEMBER(timeout_ms), .min = 1, .max = POLICY_TIMEOUT_MAX_MS},
    [POLICY_ORDERED] = {ERR_INVALID_WEBHOOK_ORDERED, &policy_type_bool, MEMBER(is_ordered)},
    [POLICY_MAX_IN_FLIGHT] = {ERR_INVALID_WEBHOOK_MAX_IN_FLIGHT, &policy_type_number,
                              MEMBER(max_in_flight), .min = 1, .max = POLICY_IN_FLIGHT_MAX},
    [POLICY_RATE_LIMIT] = {ERR_INVALID_WEBHOOK_RATE_LIMIT, &policy_type_number,
                           MEMBER(rate_limit), .min = 1, .max = POLICY_RATE_MAX},
    [POLICY_RETRY_SCHEDULE] = {ERR_INVALID_WEBHOOK_RETRY_SCHEDULE, &policy_type_delays,
                               MEMBER(retry_ms), COUNT(n_retries), .max = POLICY_RETRIES_MAX},
    [POLICY_FORMAT] = {ERR_INVALID_WEBHOOK_FORMAT, &policy_type_choice, MEMBER(format),
                       .names = format_names, .max = WEBHOOK_FORMATS},
    [POLICY_COMPRESSION] = {ERR_INVALID_WEBHOOK_COMPRESSION, &policy_type_choice,
                            MEMBER(compression), .names = compression_names, .max = COMPRESSIONS},
    [POLICY_SECRET] = {ERR_INVALID_WEBHOOK_SECRET, &policy_type_secrets, MEMBER(secrets),
                       COUNT(n_secrets), .max = POLICY_SECRETS_GIVEN_MAX},
    [POLICY_CA] = {ERR_INVALID_WEBHOOK_CA, &policy_type_ca, MEMBER(ca),
                   .max = POLICY_PEM_MAX_BYTES},
    [POLICY_CLIENT_CERTIFICATE] = {ERR_INVALID_WEBHOOK_CLIENT_CERTIFICATE,
                                   &policy_type_certificate, MEMBER(client_certificate),
                                   .max = POLICY_PEM_MAX_BYTES},
    [POLICY_DESCRIPTION] = {ERR_INVALID_WEBHOOK_DESCRIPTION, &policy_type_text,
                            MEMBER(description), .max = POLICY_DESCRIPTION_MAX_BYTES},
    [POLICY_IS_ACTIVE] = {ERR_INVALID_WEBHOOK_IS_ACTIVE, &policy_type_bool, MEMBER(is_active)},
    [POLICY_CHANNEL] = {ERR_INTERNAL, &policy_type_channel, MEMBER(channel)},
    [POLICY_TERMS] = {ERR_INTERNAL, &policy_type_terms, MEMBER(terms)},
};
/* clang-format on */

/* --- members --------------------------------------------------------------------------------- */

static void
copy_member(const struct policy_row *row, struct webhook_policy *to, struct webhook_policy *from)
{
    memcpy(policy_member(to, row), policy_member(from, row), row->size);
    if (row->count_offset != 0)
        memcpy((char *) to + row->count_offset, (char *) from + row->count_offset, sizeof(size_t));
}

static void
reset_member(const struct policy_row *row, struct webhook_policy *p)
{
    struct webhook_policy defaults;
    policy_init(&defaults);
    if (row->type->release != NULL)
        row->type->release(row, p);
    copy_member(row, p, &defaults);
    p->given &= ~(1u << (row - rows));
}

static void
move_member(const struct policy_row *row, struct webhook_policy *to, struct webhook_policy *from)
{
    struct webhook_policy defaults;
    policy_init(&defaults);
    reset_member(row, to);
    copy_member(row, to, from);
    copy_member(row, from, &defaults);
    to->given |= 1u << (row - rows);
    from->given &= ~(1u << (row - rows));
}

/* --- changes --------------------------------------------------------------------------------- */

void
policy_change_init(struct policy_change *c)
{
    *c = (struct policy_change){0};
    policy_init(&c->policy);
}

void
policy_change_done(struct policy_change *c)
{
    policy_done(&c->policy);
    *c = (struct policy_change){0};
}

bool
policy_change_is_empty(const struct policy_change *c)
{
    return c->policy.given == 0 && c->reset == 0;
}

int
policy_change_read(struct policy_change *c, const struct webhook_words *words, struct str name,
                   const struct json *v, struct err *err)
{
    char path[32];
    size_t f = 0;
    while (f < POLICY_CHOSEN_FIELDS && !str_is(name, policy_field_names[f]))
        f++;
    if (f == POLICY_CHOSEN_FIELDS)
        return 0;
    reset_member(&rows[f], &c->policy);
    c->reset &= ~(1u << f);
    if (json_type(v) == JSON_NULL) {
        c->reset |= 1u << f;
        return 1;
    }
    path[0] = '.';
    memcpy(path + 1, name.data, name.len);
    struct policy_reader r = {c, words, err, str_make(path, name.len + 1)};
    if (rows[f].type->read(&r, &rows[f], v) != 0)
        return -1;
    c->policy.given |= 1u << f;
    return 1;
}

/* What a redacted value stands for is taken over from the policy that is changed. */
static int
restore_kept(struct policy_change *c, const struct webhook_policy *old, struct err *err)
{
    if (policy_secrets_restore(c, old, err) != 0)
        return -1;
    return policy_certificate_restore(c, old, err);
}

int
policy_change_apply(struct policy_change *c, struct webhook_policy *to, struct err *err)
{
    if (restore_kept(c, to, err) != 0)
        return -1;
    for (size_t f = 0; f < POLICY_FIELDS; f++) {
        if (c->reset & 1u << f)
            reset_member(&rows[f], to);
        else if (c->policy.given & 1u << f)
            move_member(&rows[f], to, &c->policy);
    }
    return 0;
}

/* --- showing and storing --------------------------------------------------------------------- */

void
policy_write_members(struct json_out *j, const struct webhook_policy *p,
                     const struct webhook_words *words, uint32_t revealed)
{
    struct policy_view view = {words, revealed};
    for (size_t f = 0; f < POLICY_CHOSEN_FIELDS; f++) {
        if ((p->given & 1u << f) == 0)
            continue;
        json_key(j, policy_field_names[f]);
        rows[f].type->write(j, &rows[f], p, &view);
    }
}

/* How many members, then for each its position in the table and its value as a string. */
void
policy_encode(struct buf *out, const struct webhook_policy *p)
{
    rec_put_u8(out, (uint8_t) __builtin_popcount(p->given));
    for (size_t f = 0; f < POLICY_FIELDS; f++) {
        struct buf value = BUF_INIT;
        if ((p->given & 1u << f) == 0)
            continue;
        rec_put_u8(out, (uint8_t) f);
        rows[f].type->encode(&value, &rows[f], p);
        rec_put_str(out, buf_str(&value));
        policy_wipe_buf(&value);
    }
}

bool
policy_decode(struct rec *r, struct webhook_policy *ret)
{
    for (uint8_t n = rec_u8(r); n > 0 && !r->failed; n--) {
        uint8_t f = rec_u8(r);
        struct rec value = {.rest = rec_str(r)};
        if (f >= POLICY_FIELDS || policy_is_given(ret, f) || r->failed)
            return false;
        rows[f].type->decode(&value, &rows[f], ret);
        ret->given |= 1u << f;
        if (!rec_ok(&value))
            return false;
    }
    return !r->failed;
}
