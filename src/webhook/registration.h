#pragma once
/* Registering what a draft and a change make: the common end of every door's registration. Private
 * to the folder. */
#include "webhook/settings.h"

/* Checks the draft with its policy changed and takes it into the registry. The change is used up.
 * 0, or -1 with err. */
int registration_apply(struct webhooks *w, struct webhook_draft *d, struct policy_change *change,
                       struct err *err);
/* The headers after a PATCH: old ones, changed ones, without those that were set to null; one above
 * the limit at most. */
size_t registration_merge_headers(const struct webhook *old, const struct webhook_settings *s,
                                  struct header_view out[WEBHOOK_HEADERS_MAX + 1]);
