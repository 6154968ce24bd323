/* The one writer of log lines. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

static enum log_level current_level = LOG_INFO;
static enum log_mode current_mode = LOG_HUMAN;

static const char *const level_names[] = {
    [LOG_OFF] = "OFF",   [LOG_ERROR] = "ERROR", [LOG_WARN] = "WARN",
    [LOG_INFO] = "INFO", [LOG_DEBUG] = "DEBUG", [LOG_TRACE] = "TRACE",
};

void
log_setup(enum log_level level, enum log_mode mode)
{
    current_level = level;
    current_mode = mode;
}

bool
log_is_on(enum log_level level)
{
    return level <= current_level;
}

/* A log line must stay one line: control characters (a client's bytes) are escaped. */
static void
add_escaped(struct buf *out, struct str s, bool json)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char) s.data[i];
        if (c < 0x20 || c == 0x7F)
            buf_addf(out, "\\u%04x", c);
        else if (json && (c == '"' || c == '\\'))
            buf_addf(out, "\\%c", c);
        else
            buf_add_char(out, (char) c);
    }
}

static void
add_line(struct buf *line, enum log_level level, const char *target, struct str message)
{
    int64_t now_us = clock_wall_ns() / 1000;
    if (current_mode == LOG_JSON) {
        buf_add_cstr(line, "{\"timestamp\":\"");
        clock_format(line, now_us * 1000);
        buf_addf(line, "\",\"level\":\"%s\",\"target\":\"%s\",\"message\":\"", level_names[level],
                 target);
        add_escaped(line, message, true);
        buf_add_cstr(line, "\"}\n");
        return;
    }
    clock_format(line, now_us * 1000);
    buf_addf(line, " %5s %s: ", level_names[level], target);
    add_escaped(line, message, false);
    buf_add_char(line, '\n');
}

void
log_write(enum log_level level, const char *target, const char *fmt, ...)
{
    if (!log_is_on(level))
        return;
    struct buf message = BUF_INIT, line = BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    buf_addv(&message, fmt, ap);
    va_end(ap);
    add_line(&line, level, target, buf_str(&message));
    if (!buf_failed(&line) && write(STDERR_FILENO, line.data, line.len) < 0) {
        /* stderr is gone: there is nowhere left to say so */
    }
    buf_done(&message);
    buf_done(&line);
}

bool
log_limit_pass(struct log_limit *limit, unsigned burst)
{
    int64_t now = clock_mono_us();
    if (now - limit->window_us >= 1000000) {
        if (limit->dropped > 0)
            log_warn("log", "similar messages dropped count=%u", limit->dropped);
        *limit = (struct log_limit){.window_us = now};
    }
    if (limit->passed < burst) {
        limit->passed++;
        return true;
    }
    limit->dropped++;
    return false;
}
