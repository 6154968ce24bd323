/* Judging the conditions of a request. Knows validators, not what they are of. */
#include "api/conditions.h"

#include "base/clock.h"
#include "codec/http_date.h"

/* A weak tag equals a strong one only where what is compared may differ in bytes. */
static bool
lists_etag(struct str list, const char *etag, bool are_weak_equal)
{
    struct str one;
    while (str_split(&list, ',', &one)) {
        one = str_trim(one);
        if (str_is(one, "*"))
            return true;
        if (are_weak_equal && str_starts_with(one, "W/"))
            one = str_slice(one, 2, one.len);
        if (str_is(one, etag))
            return true;
    }
    return false;
}

/* 1: it has changed since the header's date, 0: not, negative: there is no date. */
static int
is_modified_since(struct str header, int64_t modified_ns)
{
    int64_t since_ms;
    if (header.data == NULL || !http_date_parse(header, clock_wall_ms(), &since_ms))
        return -1;
    return modified_ns / 1000000000 > since_ms / 1000;
}

enum condition
conditions_check(struct http_call *call, const struct validators *v)
{
    struct str match = http_call_header(call, "If-Match");
    struct str none_match = http_call_header(call, "If-None-Match");
    if (match.data != NULL
            ? !lists_etag(match, v->etag, false)
            : is_modified_since(http_call_header(call, "If-Unmodified-Since"), v->modified_ns) == 1)
        return CONDITION_FAILED;
    if (none_match.data != NULL)
        return lists_etag(none_match, v->etag, true) ? CONDITION_NOT_MODIFIED : CONDITION_MET;
    return is_modified_since(http_call_header(call, "If-Modified-Since"), v->modified_ns) == 0
               ? CONDITION_NOT_MODIFIED
               : CONDITION_MET;
}

bool
conditions_allow_range(struct http_call *call, const struct validators *v)
{
    char date[30];
    struct str condition = http_call_header(call, "If-Range");
    if (condition.data == NULL)
        return true;
    condition = str_trim(condition);
    clock_format_http_date(date, v->modified_ns);
    return str_is(condition, v->etag) || str_is(condition, date); /* 13.1.5: to the letter */
}
