#pragma once
/* Logs to stderr: one line a message, lower-case text then key=value; never a secret, never a body.
 */
#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_OFF, LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_TRACE };
enum log_mode { LOG_HUMAN, LOG_JSON };

void log_setup(enum log_level level, enum log_mode mode);
bool log_is_on(enum log_level level);
/* target is the module's name ("queue"); fmt is the message with its key=value pairs. */
void log_write(enum log_level level, const char *target, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(target, ...) log_write(LOG_ERROR, target, __VA_ARGS__)
#define log_warn(target, ...) log_write(LOG_WARN, target, __VA_ARGS__)
#define log_info(target, ...) log_write(LOG_INFO, target, __VA_ARGS__)
#define log_debug(target, ...)                                                                     \
    do {                                                                                           \
        if (log_is_on(LOG_DEBUG))                                                                  \
            log_write(LOG_DEBUG, target, __VA_ARGS__);                                             \
    } while (0)

/* For messages a client can trigger: lets `burst` through each second, then one line with the count
 * of the dropped. */
struct log_limit {
    int64_t window_us;
    unsigned passed, dropped;
};
bool log_limit_pass(struct log_limit *limit, unsigned burst);
