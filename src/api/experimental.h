#pragma once
/* Experimental features that are switched on and off at run time (contract 9). Kept in the main
 * environment. */
#include "net/http_server.h"
#include "store/env.h"

/* In the order in which they are shown. */
enum feature {
    FEATURE_METRICS,
    FEATURE_LOGS_ROUTE,
    FEATURE_EDIT_DOCUMENTS_BY_FUNCTION,
    FEATURE_CONTAINS_FILTER,
    FEATURE_DYNAMIC_SEARCH_RULES,
    FEATURE_NETWORK,
    FEATURE_GET_TASK_DOCUMENTS_ROUTE,
    FEATURE_TASK_QUEUE_COMPACTION_ROUTE,
    FEATURE_COMPOSITE_EMBEDDERS,
    FEATURE_CHAT_COMPLETIONS,
    FEATURE_MULTIMODAL,
    FEATURE_FOREIGN_KEYS,
    FEATURE_DISABLE_DOCUMENTS_FETCH_QUEUE,
    FEATURE_LEGACY_SEARCH, /* has a third state, not set, which counts as off */
    FEATURE_RENDER_ROUTE,
    FEATURE_COUNT
};

/* What is on: bit i is feature i. Reads the store: 0 with *ret, or -1 with call->err. */
int features_enabled(struct http_call *call, uint32_t *ret);
static inline bool
feature_is_on(uint32_t enabled, enum feature f)
{
    return (enabled >> f & 1) != 0;
}
/* 0 when the feature is on, else -1 with "{action} requires enabling the `...` experimental
 * feature. See ..." (feature_not_enabled). */
int feature_require(uint32_t enabled, enum feature f, const char *action, struct err *err);
/* The features that filters need, as filter_check_features wants them. */
unsigned features_for_filters(uint32_t enabled);
