/* What a webhook chooses: its life in memory and the questions that filters and lanes ask of it.
 * Knows neither JSON nor records: those are policy_fields.c. */
#include "webhook/policy.h"

#include <stdlib.h>

#include "base/mem.h"
#include "webhook/channel.h"
#include "webhook/terms.h"

static const char *const event_names[EVENT_TYPES] = {
    [EVENT_BATCH_FINISHED] = "batch.finished",       [EVENT_WEBHOOK_FAILING] = "webhook.failing",
    [EVENT_WEBHOOK_EXHAUSTED] = "webhook.exhausted", [EVENT_WEBHOOK_DISABLED] = "webhook.disabled",
    [EVENT_WEBHOOK_RECOVERED] = "webhook.recovered", [EVENT_PING] = "webhook.ping",
    [EVENT_REPORT_COMPLETED] = "report.completed",   [EVENT_REPORT_FAILED] = "report.failed",
    [EVENT_REPORT_CANCELED] = "report.canceled",     [EVENT_WEBHOOK_EXPIRED] = "webhook.expired",
    [EVENT_ORGANIZATION] = "organization",
};

bool
event_type_is_operational(enum event_type t)
{
    return (t >= EVENT_WEBHOOK_FAILING && t <= EVENT_PING) || t == EVENT_WEBHOOK_EXPIRED;
}

bool
event_type_is_chosen(enum event_type t)
{
    return t != EVENT_PING && t != EVENT_ORGANIZATION;
}

const char *
event_type_name(enum event_type t)
{
    return event_names[t];
}

bool
event_type_from_name(struct str name, enum event_type *ret)
{
    for (int i = 0; i < EVENT_TYPES; i++) {
        if (str_is(name, event_names[i])) {
            *ret = (enum event_type) i;
            return true;
        }
    }
    return false;
}

void
policy_init(struct webhook_policy *p)
{
    *p = (struct webhook_policy){
        .events = 1u << EVENT_BATCH_FINISHED,
        .waits = true,
        .is_active = true,
        .format = FORMAT_NDJSON,
        .compression = COMPRESSION_DEFAULT,
    };
}

static void
free_wiped(char *s)
{
    if (s != NULL)
        mem_wipe(s, strlen(s));
    free(s);
}

void
policy_done(struct webhook_policy *p)
{
    for (size_t i = 0; i < p->n_index_uids; i++)
        free(p->index_uids[i]);
    free(p->index_uids);
    free(p->retry_ms);
    mem_wipe(p->secrets, p->n_secrets * sizeof(*p->secrets));
    free(p->secrets);
    free(p->ca);
    free_wiped(p->client_certificate);
    free(p->description);
    channel_release(p->channel);
    terms_release(p->terms);
    *p = (struct webhook_policy){0};
}

static void *
copy_array(const void *from, size_t n, size_t size)
{
    if (n == 0)
        return NULL;
    void *to = mem_new(n, size);
    memcpy(to, from, n * size);
    return to;
}

void
policy_copy(struct webhook_policy *to, const struct webhook_policy *from)
{
    *to = *from;
    to->index_uids = from->n_index_uids == 0 ? NULL : mem_new(from->n_index_uids, sizeof(char *));
    for (size_t i = 0; i < from->n_index_uids; i++)
        to->index_uids[i] = mem_strdup(from->index_uids[i]);
    to->retry_ms = copy_array(from->retry_ms, from->n_retries, sizeof(*from->retry_ms));
    to->secrets = copy_array(from->secrets, from->n_secrets, sizeof(*from->secrets));
    to->ca = mem_strdup(from->ca);
    to->client_certificate = mem_strdup(from->client_certificate);
    to->description = mem_strdup(from->description);
    to->channel = channel_hold(from->channel);
    to->terms = terms_hold(from->terms);
}

bool
policy_is_given(const struct webhook_policy *p, enum policy_field f)
{
    return (p->given & 1u << f) != 0;
}

static bool
matches_pattern(const char *pattern, struct str uid)
{
    size_t len = strlen(pattern);
    if (len > 0 && pattern[len - 1] == '*')
        return uid.len >= len - 1 && memcmp(uid.data, pattern, len - 1) == 0;
    return str_is(uid, pattern);
}

static bool
matches_any(const char *pattern, struct str index_uids)
{
    bool is_match = false;
    struct str uid;
    while (!is_match && str_split(&index_uids, ',', &uid))
        is_match = uid.len > 0 && matches_pattern(pattern, uid);
    return is_match;
}

/* A task of no index (a cancelation) is only meant by "*". */
static bool
wants_index(const struct webhook_policy *p, struct str index_uids)
{
    bool is_wanted = p->n_index_uids == 0;
    for (size_t i = 0; i < p->n_index_uids && !is_wanted; i++)
        is_wanted = index_uids.data == NULL ? strcmp(p->index_uids[i], "*") == 0
                                            : matches_any(p->index_uids[i], index_uids);
    return is_wanted;
}

bool
policy_wants(const struct webhook_policy *p, struct str index_uids, uint8_t kind, uint8_t status)
{
    if (p->terms != NULL)
        return terms_want(p->terms, kind);
    if (p->kinds != 0 && (kind >= 64 || (p->kinds >> kind & 1) == 0))
        return false;
    if (p->statuses != 0 && (status >= 8 || (p->statuses >> status & 1) == 0))
        return false;
    return wants_index(p, index_uids);
}

bool
policy_wants_event(const struct webhook_policy *p, enum event_type t)
{
    return t == EVENT_PING || (p->events & 1u << t) != 0;
}
