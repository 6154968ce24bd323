/* See lane_state.h. Knows neither store, loop nor clock. */
#include "webhook/lane_state.h"

static const char *const disabled_names[LANE_DISABLED_REASONS] = {
    [LANE_ENABLED] = "enabled",
    [LANE_DISABLED_FAILING] = "failing",
    [LANE_DISABLED_GONE] = "gone",
    [LANE_DISABLED_ASKED] = "asked",
};

static const char *const state_names[LANE_STATES] = {
    [LANE_HEALTHY] = "healthy",   [LANE_FAILING] = "failing",   [LANE_HELD] = "held",
    [LANE_DISABLED] = "disabled", [LANE_INACTIVE] = "inactive",
};

const char *
lane_disabled_name(enum lane_disabled d)
{
    return disabled_names[d];
}

const char *
lane_state_name(enum lane_state s)
{
    return state_names[s];
}

enum lane_state
lane_state_of(const struct lane_health *h, bool is_active, int64_t now_ms)
{
    if (!is_active)
        return LANE_INACTIVE;
    if (h->disabled != LANE_ENABLED)
        return LANE_DISABLED;
    if (h->held_until_ms > now_ms)
        return LANE_HELD;
    return h->failed_attempts > 0 ? LANE_FAILING : LANE_HEALTHY;
}

int64_t
lane_state_pause_ms(uint32_t failed_attempts)
{
    if (failed_attempts < 2)
        return 0;
    int64_t pause_ms = LANE_PAUSE_MIN_MS;
    for (uint32_t i = 2; i < failed_attempts && pause_ms < LANE_PAUSE_MAX_MS; i++)
        pause_ms *= 2;
    return pause_ms < LANE_PAUSE_MAX_MS ? pause_ms : LANE_PAUSE_MAX_MS;
}

/* What is left of a span that began then; all of it when the clock was set back since. */
static int64_t
left_of(int64_t span_ms, int64_t began_ms, int64_t now_ms)
{
    int64_t passed_ms = now_ms > began_ms ? now_ms - began_ms : 0;
    return passed_ms < span_ms ? span_ms - passed_ms : 0;
}

int64_t
lane_state_wait_ms(const struct lane_health *h, bool is_active, int64_t now_ms)
{
    int64_t held_ms = h->held_until_ms - now_ms;
    if (held_ms > LANE_HELD_MAX_MS)
        held_ms = LANE_HELD_MAX_MS;
    switch (lane_state_of(h, is_active, now_ms)) {
    case LANE_HEALTHY:
        return 0;
    case LANE_FAILING:
        return left_of(lane_state_pause_ms(h->failed_attempts), h->last_failed_ms, now_ms);
    case LANE_HELD:
        return held_ms;
    case LANE_DISABLED:
        return h->disabled == LANE_DISABLED_FAILING
                   ? left_of(LANE_DISABLED_PROBE_MS, h->last_failed_ms, now_ms)
                   : -1;
    case LANE_INACTIVE:
    case LANE_STATES:
        break;
    }
    return -1;
}

/* Warned for long enough, and then disabled; or warned now. */
static enum lane_news
judge_length(struct lane_health *h, int64_t now_ms)
{
    int64_t failing_ms = now_ms - h->failing_since_ms;
    if (h->disabled != LANE_ENABLED)
        return LANE_NEWS_NONE;
    if (h->disable_at_ms <= 0 && failing_ms >= LANE_FAILING_MAX_MS - LANE_WARNING_MS) {
        int64_t end_ms = h->failing_since_ms + LANE_FAILING_MAX_MS;
        h->disable_at_ms = end_ms > now_ms + LANE_WARNING_MS ? end_ms : now_ms + LANE_WARNING_MS;
        return LANE_NEWS_FAILING;
    }
    if (h->disable_at_ms <= 0 || now_ms < h->disable_at_ms ||
        h->failed_attempts < LANE_FAILURES_MIN)
        return LANE_NEWS_NONE;
    return lane_state_disable(h, LANE_DISABLED_FAILING, now_ms);
}

enum lane_news
lane_state_fail(struct lane_health *h, int64_t retry_after_ms, int64_t now_ms)
{
    if (h->failed_attempts == 0 || h->failing_since_ms == 0)
        h->failing_since_ms = now_ms;
    if (h->failed_attempts < UINT32_MAX)
        h->failed_attempts++;
    h->last_failed_ms = now_ms;
    if (retry_after_ms > LANE_HELD_MAX_MS)
        retry_after_ms = LANE_HELD_MAX_MS;
    if (retry_after_ms > 0 && now_ms + retry_after_ms > h->held_until_ms)
        h->held_until_ms = now_ms + retry_after_ms;
    return judge_length(h, now_ms);
}

enum lane_news
lane_state_succeed(struct lane_health *h)
{
    bool was_told = h->disable_at_ms != 0;
    struct lane_health healthy = {0};
    if (h->disabled > LANE_DISABLED_FAILING) { /* somebody wanted that: only somebody ends it */
        healthy.disabled = h->disabled;
        healthy.disabled_at_ms = h->disabled_at_ms;
        was_told = false;
    }
    /* Whoever was in flight when the receiver asked for a pause does not end the pause. */
    healthy.held_until_ms = h->held_until_ms;
    *h = healthy;
    return was_told ? LANE_NEWS_RECOVERED : LANE_NEWS_NONE;
}

enum lane_news
lane_state_disable(struct lane_health *h, enum lane_disabled reason, int64_t now_ms)
{
    if (h->disabled >= reason)
        return LANE_NEWS_NONE;
    bool is_new = h->disabled == LANE_ENABLED;
    h->disabled = reason;
    h->disabled_at_ms = now_ms;
    return is_new ? LANE_NEWS_DISABLED : LANE_NEWS_NONE;
}

void
lane_state_enable(struct lane_health *h)
{
    *h = (struct lane_health){.disable_at_ms = LANE_DISABLE_WAS_TOLD};
}
