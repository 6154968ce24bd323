/* The one writer of log lines. */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log_filter.h"

static struct log_filter current_filter = {.level = LOG_INFO};
static enum log_mode current_mode = LOG_HUMAN;
static enum log_level highest_level = LOG_INFO; /* that anybody reads */

static struct {
    struct log_filter filter;
    enum log_mode mode;
    void (*fn)(void *arg, struct str line); /* NULL: nobody reads along */
    void *arg;
    bool is_told; /* it is reading a line now */
} tap;

static const char *const level_names[] = {
    [LOG_OFF] = "OFF",   [LOG_ERROR] = "ERROR", [LOG_WARN] = "WARN",
    [LOG_INFO] = "INFO", [LOG_DEBUG] = "DEBUG", [LOG_TRACE] = "TRACE",
};

static void
note_highest(void)
{
    highest_level = log_filter_highest(&current_filter);
    if (tap.fn != NULL && log_filter_highest(&tap.filter) > highest_level)
        highest_level = log_filter_highest(&tap.filter);
}

void
log_setup(enum log_level level, enum log_mode mode)
{
    current_mode = mode;
    log_set_filter(&(struct log_filter){.level = level});
}

void
log_set_filter(const struct log_filter *f)
{
    current_filter = *f;
    note_highest();
}

void
log_tap(const struct log_filter *f, enum log_mode mode, void (*fn)(void *arg, struct str line),
        void *arg)
{
    tap.fn = f == NULL ? NULL : fn;
    if (f != NULL) {
        tap.filter = *f;
        tap.mode = mode;
        tap.arg = arg;
    }
    note_highest();
}

bool
log_is_on(enum log_level level)
{
    return level <= highest_level;
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
add_line(struct buf *line, enum log_mode mode, enum log_level level, const char *target,
         struct str message)
{
    int64_t now_us = clock_wall_ns() / 1000;
    if (mode == LOG_JSON) {
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

static void
tell_tap(struct str line)
{
    tap.is_told = true;
    tap.fn(tap.arg, line);
    tap.is_told = false;
}

void
log_write(enum log_level level, const char *target, const char *fmt, ...)
{
    if (!log_is_on(level))
        return;
    bool is_shown = log_filter_passes(&current_filter, level, target);
    bool is_tapped =
        tap.fn != NULL && !tap.is_told && log_filter_passes(&tap.filter, level, target);
    if (!is_shown && !is_tapped)
        return;
    struct buf message = BUF_INIT, line = BUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    buf_addv(&message, fmt, ap);
    va_end(ap);
    add_line(&line, current_mode, level, target, buf_str(&message));
    if (is_shown && !buf_failed(&line) && write(STDERR_FILENO, line.data, line.len) < 0) {
        /* stderr is gone: there is nowhere left to say so */
    }
    buf_clear(&line);
    if (is_tapped)
        add_line(&line, tap.mode, level, target, buf_str(&message));
    if (is_tapped && !buf_failed(&line))
        tell_tap(buf_str(&line));
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
