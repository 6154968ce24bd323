#pragma once
/* What kinds of fields a policy has. Private to policy_*.c. */
#include "webhook/policy_fields.h"

struct policy_row;
struct policy_reader {
    struct policy_change *change;
    const struct webhook_words *words;
    struct err *err;
    struct str path; /* ".rateLimit" */
};
struct policy_view {
    const struct webhook_words *words;
    uint32_t revealed; /* bit a secret to be shown in the clear */
};
struct policy_type {
    /* Into the change's policy, whose member is at its default. 0 or -1. */
    int (*read)(struct policy_reader *r, const struct policy_row *row, const struct json *v);
    void (*write)(struct json_out *j, const struct policy_row *row, const struct webhook_policy *p,
                  const struct policy_view *view);
    void (*encode)(struct buf *out, const struct policy_row *row, const struct webhook_policy *p);
    void (*decode)(struct rec *r, const struct policy_row *row, struct webhook_policy *p);
    void (*release)(const struct policy_row *row,
                    struct webhook_policy *p); /* NULL: owns nothing */
};
struct policy_row {
    enum err_code code;
    const struct policy_type *type;
    size_t offset, size; /* of the member in struct webhook_policy */
    size_t count_offset; /* of its length, where it is an array; else 0 */
    uint64_t min, max;
    const char *const *names; /* of a choice, max of them; NULL: not to be chosen */
};

extern const struct policy_type policy_type_bool, policy_type_number, policy_type_choice,
    policy_type_text;
extern const struct policy_type policy_type_events, policy_type_kinds, policy_type_statuses,
    policy_type_patterns, policy_type_delays;
extern const struct policy_type policy_type_secrets, policy_type_ca, policy_type_certificate;
/* Neither read from a body nor written to one (policy_organization.c). */
extern const struct policy_type policy_type_channel, policy_type_terms;

static inline void *
policy_member(struct webhook_policy *p, const struct policy_row *row)
{
    return (char *) p + row->offset;
}
static inline const void *
policy_member_of(const struct webhook_policy *p, const struct policy_row *row)
{
    return (const char *) p + row->offset;
}
/* ".types[3]" */
void policy_write_element(struct buf *out, struct str path, size_t at);
void policy_wipe_buf(struct buf *b); /* wipes and frees */
int policy_err_type(struct policy_reader *r, const struct policy_row *row, const char *expected,
                    const struct json *found);

/* policy_type_text's, for types that only read it differently. */
int policy_text_read(struct policy_reader *r, const struct policy_row *row, const struct json *v);
void policy_text_write(struct json_out *j, const struct policy_row *row,
                       const struct webhook_policy *p, const struct policy_view *view);
void policy_text_encode(struct buf *out, const struct policy_row *row,
                        const struct webhook_policy *p);
void policy_text_decode(struct rec *r, const struct policy_row *row, struct webhook_policy *p);
void policy_text_release(const struct policy_row *row, struct webhook_policy *p);

/* What a redacted value stands for, taken over from the policy that is changed; 0 or -1. */
int policy_secrets_restore(struct policy_change *c, const struct webhook_policy *old,
                           struct err *err);
int policy_certificate_restore(struct policy_change *c, const struct webhook_policy *old,
                               struct err *err);
