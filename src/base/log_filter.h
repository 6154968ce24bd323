#pragma once
/* Which log messages pass: a level for everything, and levels for targets (modules). Written as
 * `info`, `queue=trace`, or several with commas: `warn,queue=debug,http=off`. A target also stands
 * for those that begin with it; the longest counts; without a level all of it passes. */
#include "base/buf.h"
#include "base/log.h"

enum { LOG_FILTER_TARGETS_MAX = 32, LOG_TARGET_MAX_BYTES = 47 };

struct log_filter {
    enum log_level level; /* of what no target below matches */
    struct {
        char name[LOG_TARGET_MAX_BYTES + 1];
        enum log_level level;
    } targets[LOG_FILTER_TARGETS_MAX];
    size_t n;
};
/* 0, or -1 with the reason appended to why. */
int log_filter_parse(struct str text, struct log_filter *ret, struct buf *why);
bool log_filter_passes(const struct log_filter *f, enum log_level level, const char *target);
enum log_level log_filter_highest(const struct log_filter *f);

/* What goes to stderr, instead of log_setup's level. */
void log_set_filter(const struct log_filter *f);
/* A second reader of messages beside stderr: fn gets whole lines, with their newline. fn may log:
 * those messages go to stderr only. NULL filter: no more. */
void log_tap(const struct log_filter *f, enum log_mode mode, void (*fn)(void *arg, struct str line),
             void *arg);
