/* Filters of log messages; their grammar and the errors are those of upstream's /logs routes. */
#include "base/log_filter.h"

static bool
read_level(struct str text, enum log_level *ret)
{
    static const char *const names[] = {"off", "error", "warn", "info", "debug", "trace"};
    uint64_t number;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (str_equal_nocase(text, str_from(names[i]))) {
            *ret = (enum log_level) i;
            return true;
        }
    }
    if (text.len == 0 || !str_to_u64(text, LOG_TRACE, &number))
        return false;
    *ret = (enum log_level) number;
    return true;
}

static int
add_target(struct log_filter *f, struct str name, enum log_level level, struct buf *why)
{
    if (f->n == LOG_FILTER_TARGETS_MAX || name.len > LOG_TARGET_MAX_BYTES || name.len == 0) {
        buf_add_cstr(why, "invalid filter directive");
        return -1;
    }
    memcpy(f->targets[f->n].name, name.data, name.len);
    f->targets[f->n].name[name.len] = '\0';
    f->targets[f->n++].level = level;
    return 0;
}

static int
read_directive(struct str text, struct log_filter *f, struct buf *why)
{
    enum log_level level = LOG_TRACE;
    size_t equals = str_find(text, '=', 0);
    struct str name = str_trim(str_slice(text, 0, equals));
    if (equals == text.len && read_level(name, &level)) {
        f->level = level;
        return 0;
    }
    struct str value = str_slice(text, equals + 1, text.len);
    if (str_find(value, '=', 0) < value.len) {
        buf_add_cstr(why, "invalid filter directive: too many '=' in filter directive, expected 0 "
                          "or 1");
        return -1;
    }
    if (equals < text.len && !read_level(str_trim(value), &level)) {
        buf_add_cstr(why, "error parsing level filter: expected one of \"off\", \"error\", "
                          "\"warn\", \"info\", \"debug\", \"trace\", or a number 0-5");
        return -1;
    }
    return add_target(f, name, level, why);
}

int
log_filter_parse(struct str text, struct log_filter *ret, struct buf *why)
{
    struct log_filter f = {.level = LOG_OFF};
    struct str directive;
    while (str_split(&text, ',', &directive)) {
        if (read_directive(str_trim(directive), &f, why) < 0)
            return -1;
    }
    *ret = f;
    return 0;
}

bool
log_filter_passes(const struct log_filter *f, enum log_level level, const char *target)
{
    enum log_level allowed = f->level;
    size_t longest = 0;
    for (size_t i = 0; i < f->n; i++) {
        size_t len = strlen(f->targets[i].name);
        if (len >= longest && str_starts_with(str_from(target), f->targets[i].name)) {
            longest = len;
            allowed = f->targets[i].level;
        }
    }
    return level <= allowed;
}

enum log_level
log_filter_highest(const struct log_filter *f)
{
    enum log_level highest = f->level;
    for (size_t i = 0; i < f->n; i++) {
        if (f->targets[i].level > highest)
            highest = f->targets[i].level;
    }
    return highest;
}
