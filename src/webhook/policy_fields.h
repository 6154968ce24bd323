#pragma once
/* The fields of a policy as the outside knows them: read from a body, shown, stored. Private to the
 * folder.
 *
 * To add one: a value before POLICY_FIELDS and a member (policy.h), a code (base/err_rows.h), a row
 * in policy_fields.c with one of the types of policy_types.h. */
#include "base/err.h"
#include "codec/json.h"
#include "store/rec.h"
#include "webhook/policy.h"
#include "webhook/webhook.h"

extern const char *const policy_field_names[POLICY_CHOSEN_FIELDS];

/* What a body asks for. */
struct policy_change {
    struct webhook_policy policy; /* `given` says which members are meant */
    uint32_t reset;               /* bit a policy_field: null was given */
    uint32_t kept_secrets;        /* bit a secret: a redacted one, to be found in the old policy */
    bool is_certificate_kept;     /* the same of the client certificate */
    uint32_t generated;           /* bit a secret: made by us, to be shown once */
};
void policy_change_init(struct policy_change *c);
void policy_change_done(struct policy_change *c);
bool policy_change_is_empty(const struct policy_change *c);
/* 1: that field is read; 0: no such field; -1 with err. A name given twice: the last one counts. */
int policy_change_read(struct policy_change *c, const struct webhook_words *words, struct str name,
                       const struct json *v, struct err *err);
/* Moves what was asked for into a policy; -1 with err when a redacted value stands for nothing that
 * policy has (then it may be half changed). */
int policy_change_apply(struct policy_change *c, struct webhook_policy *to, struct err *err);

/* The members that were given, or nothing. revealed: bit a secret to be shown in the clear. */
void policy_write_members(struct json_out *j, const struct webhook_policy *p,
                          const struct webhook_words *words, uint32_t revealed);

void policy_encode(struct buf *out, const struct webhook_policy *p);
bool policy_decode(struct rec *r, struct webhook_policy *ret); /* into an initialised one */
