#pragma once
/* The state machine of a lane: pure functions of what is stored of it, of its webhook's policy and
 * of the time. Private to the folder.
 *
 *                 +------------- success -------------+
 *                 v                                   |
 *   start ---> HEALTHY --- failed attempt ------> FAILING --- 5 days, 20 failures, --> DISABLED
 *               | ^ |                               ^ |        warned a day before      ^  |
 *   Retry-After | | |                    time is up | | Retry-After                     |  |
 *               | | |                               | v                                 |  |
 *               +-|-|----------------------------> HELD                                 |  |
 *                 | +---- 410, "webhook-delivery: disable"; from FAILING, HELD as well -+  |
 *                 +------ success of a daily probe (after failures), isActive: true -------+
 *
 *   INACTIVE covers all of them while isActive is false; what is behind it stays.
 *
 *  HEALTHY   everything due goes out, up to maxInFlight and rateLimit; ordered: one at a time, by
 *            sequence. Only here do first attempts make the queue wait (invariant 5).
 *  FAILING   from a failed attempt to the next success, whichever delivery has it. One request at
 *            a time, the probe: the delivery that is due first (ordered: the head). After the n-th
 *            failure in a row the next probe waits lane_state_pause_ms(n): none after the first, so
 *            that one refused message stops nobody; then 1 s, doubled up to a minute. Deliveries
 *            behind the probe keep their due time and lose no attempt of their schedule. Its
 *            success makes the lane HEALTHY and the backlog goes out at full width.
 *  HELD      the receiver said Retry-After with 429 or 503: nothing is sent before that time, at
 *            most 24 h later. Then FAILING.
 *  DISABLED  nothing is sent, what is owed is kept (parked.h). After too long a failure: a probe a
 *            day, so that a receiver that comes back is noticed.
 *
 *  lane_state_fail      HEALTHY, HELD, FAILING -> FAILING, HELD, DISABLED
 *  lane_state_succeed   any -> HEALTHY, but not what the receiver disabled on purpose
 *  lane_state_disable   any -> DISABLED
 *  lane_state_enable    DISABLED -> HEALTHY; the next success is told as its recovery
 *
 * Times are wall-clock milliseconds; they outlive the process. */
#include <stdbool.h>
#include <stdint.h>

#define LANE_FAILING_MAX_MS (INT64_C(5) * 24 * 3600 * 1000)
#define LANE_WARNING_MS (INT64_C(24) * 3600 * 1000)        /* before it is disabled */
#define LANE_DISABLED_PROBE_MS (INT64_C(24) * 3600 * 1000) /* between the probes after that */
#define LANE_HELD_MAX_MS (INT64_C(24) * 3600 * 1000)
enum {
    LANE_FAILURES_MIN = 20, /* fewer never disable */
    LANE_PAUSE_MIN_MS = 1000,
    LANE_PAUSE_MAX_MS = 60 * 1000,
};

enum lane_disabled {
    LANE_ENABLED,
    LANE_DISABLED_FAILING, /* no success for too long */
    LANE_DISABLED_GONE,    /* 410 */
    LANE_DISABLED_ASKED,   /* webhook-delivery: disable */
    LANE_DISABLED_REASONS
};
const char *lane_disabled_name(enum lane_disabled d);

#define LANE_DISABLE_WAS_TOLD INT64_C(-1)

/* What outlives a process. Zeroed: healthy. */
struct lane_health {
    uint32_t failed_attempts; /* since the last success */
    int64_t failing_since_ms; /* the first of them; 0 with failed_attempts: not known */
    int64_t last_failed_ms;   /* the last of them */
    int64_t held_until_ms;    /* 0 or past: not held */
    int64_t disable_at_ms; /* announced by a warning; 0: not warned. LANE_DISABLE_WAS_TOLD: it was
                              disabled and enabled by hand, and has not had a success since */
    int64_t disabled_at_ms;
    enum lane_disabled disabled;
};

enum lane_state {
    LANE_HEALTHY,
    LANE_FAILING,
    LANE_HELD,
    LANE_DISABLED,
    LANE_INACTIVE,
    LANE_STATES
};
const char *lane_state_name(enum lane_state s);
enum lane_state lane_state_of(const struct lane_health *h, bool is_active, int64_t now_ms);
/* From now to when the next request may be made, 0 when now; -1: not before something changes. */
int64_t lane_state_wait_ms(const struct lane_health *h, bool is_active, int64_t now_ms);
int64_t lane_state_pause_ms(uint32_t failed_attempts);

/* What a change is to those who watch. */
enum lane_news { LANE_NEWS_NONE, LANE_NEWS_FAILING, LANE_NEWS_DISABLED, LANE_NEWS_RECOVERED };
/* retry_after_ms: 0, or what a 429 or 503 asked. */
enum lane_news lane_state_fail(struct lane_health *h, int64_t retry_after_ms, int64_t now_ms);
enum lane_news lane_state_succeed(struct lane_health *h);
enum lane_news lane_state_disable(struct lane_health *h, enum lane_disabled reason, int64_t now_ms);
void lane_state_enable(struct lane_health *h);

/* How an attempt ended, as its lane sees it. */
struct lane_outcome {
    bool is_success;
    bool is_neutral;             /* says nothing of the receiver's health */
    int64_t retry_after_ms;      /* of a 429 or 503; else 0 */
    enum lane_disabled disables; /* LANE_ENABLED: it does not */
};
