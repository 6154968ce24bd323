/* Clocks and their wire forms (RFC 3339, the contract's ISO 8601 subset, IMF-fixdate). */
#include "base/clock.h"

#include <time.h>

enum { NS_PER_SECOND = 1000000000 };

static int64_t (*fake_wall_ns)(void);
static int64_t (*fake_mono_us)(void);

static int64_t
read_ns(clockid_t id)
{
    struct timespec ts;
    (void) clock_gettime(id, &ts); /* cannot fail for these two ids */
    return (int64_t) ts.tv_sec * NS_PER_SECOND + ts.tv_nsec;
}

int64_t
clock_wall_ns(void)
{
    return fake_wall_ns != NULL ? fake_wall_ns() : read_ns(CLOCK_REALTIME);
}

int64_t
clock_wall_ms(void)
{
    return clock_wall_ns() / 1000000;
}

int64_t
clock_mono_us(void)
{
    return fake_mono_us != NULL ? fake_mono_us() : read_ns(CLOCK_MONOTONIC) / 1000;
}

void
clock_set_fake(int64_t (*wall_ns)(void), int64_t (*mono_us)(void))
{
    fake_wall_ns = wall_ns;
    fake_mono_us = mono_us;
}

/* Whole seconds, rounded down, and what is left. */
static int64_t
split(int64_t wall_ns, int64_t *ret_frac_ns)
{
    int64_t seconds = wall_ns / NS_PER_SECOND, frac = wall_ns % NS_PER_SECOND;
    if (frac < 0) {
        frac += NS_PER_SECOND;
        seconds--;
    }
    *ret_frac_ns = frac;
    return seconds;
}

static struct tm
calendar(int64_t seconds)
{
    struct tm tm;
    time_t t = seconds;
    (void) gmtime_r(&t, &tm); /* in range: int64 nanoseconds end in the year 2262 */
    return tm;
}

/* n decimal digits of v, zero-padded: several of these make every task's JSON, printf would
 * dominate it. */
static void
put_digits(char *out, int64_t v, int n)
{
    while (n > 0) {
        out[--n] = (char) ('0' + v % 10);
        v /= 10;
    }
}

/* "2024-01-02T03:04:05" */
static void
put_seconds(char out[19], int64_t seconds)
{
    struct tm tm = calendar(seconds);
    memcpy(out, "0000-00-00T00:00:00", 19);
    put_digits(out, tm.tm_year + 1900, 4);
    put_digits(out + 5, tm.tm_mon + 1, 2);
    put_digits(out + 8, tm.tm_mday, 2);
    put_digits(out + 11, tm.tm_hour, 2);
    put_digits(out + 14, tm.tm_min, 2);
    put_digits(out + 17, tm.tm_sec, 2);
}

void
clock_format(struct buf *out, int64_t wall_ns)
{
    /* The times of one task mostly share their second: its text is kept. */
    static int64_t kept_seconds = INT64_MIN;
    static char kept[19];
    char text[19 + 10 + 1];
    int64_t frac, seconds = split(wall_ns, &frac);
    size_t len = 19;
    if (seconds != kept_seconds) {
        put_seconds(kept, seconds);
        kept_seconds = seconds;
    }
    memcpy(text, kept, len);
    if (frac != 0) {
        text[len++] = '.';
        put_digits(text + len, frac, 9);
        len += 9;
        while (text[len - 1] == '0')
            len--;
    }
    text[len++] = 'Z';
    buf_add(out, text, len);
}

/* Exactly n digits at *at of s into *ret; advances *at. */
static bool
digits(struct str s, size_t *at, size_t n, int *ret)
{
    uint64_t v;
    if (*at + n > s.len || !str_to_u64(str_slice(s, *at, *at + n), UINT64_MAX, &v))
        return false;
    *at += n;
    *ret = (int) v;
    return true;
}

static bool
literal(struct str s, size_t *at, char a, char b)
{
    if (*at >= s.len || (s.data[*at] != a && s.data[*at] != b))
        return false;
    (*at)++;
    return true;
}

static bool
fraction(struct str s, size_t *at, int64_t *ret_ns)
{
    int64_t ns = 0, unit = NS_PER_SECOND / 10;
    size_t start = *at;
    while (*at < s.len && s.data[*at] >= '0' && s.data[*at] <= '9') {
        ns += unit * (s.data[*at] - '0');
        unit /= 10;
        (*at)++;
    }
    *ret_ns = ns;
    return *at > start;
}

static bool
offset(struct str s, size_t *at, int *ret_seconds)
{
    int hours, minutes;
    if (literal(s, at, 'Z', 'z')) {
        *ret_seconds = 0;
        return true;
    }
    if (*at >= s.len || (s.data[*at] != '+' && s.data[*at] != '-'))
        return false;
    int sign = s.data[(*at)++] == '-' ? -1 : 1;
    if (!digits(s, at, 2, &hours) || !literal(s, at, ':', ':') || !digits(s, at, 2, &minutes) ||
        hours > 23 || minutes > 59)
        return false;
    *ret_seconds = sign * (hours * 3600 + minutes * 60);
    return true;
}

static bool
is_real_date(const struct tm *tm)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = tm->tm_year + 1900;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (tm->tm_mon < 0 || tm->tm_mon > 11 || tm->tm_mday < 1)
        return false;
    return tm->tm_mday <= days[tm->tm_mon] + (tm->tm_mon == 1 && leap) && tm->tm_hour < 24 &&
           tm->tm_min < 60 && tm->tm_sec < 61;
}

bool
clock_parse(struct str s, int64_t *ret_wall_ns)
{
    struct tm tm = {0};
    size_t at = 0;
    int64_t frac = 0;
    int off = 0;
    if (!digits(s, &at, 4, &tm.tm_year) || !literal(s, &at, '-', '-') ||
        !digits(s, &at, 2, &tm.tm_mon) || !literal(s, &at, '-', '-') ||
        !digits(s, &at, 2, &tm.tm_mday) || !literal(s, &at, 'T', 't') ||
        !digits(s, &at, 2, &tm.tm_hour) || !literal(s, &at, ':', ':') ||
        !digits(s, &at, 2, &tm.tm_min) || !literal(s, &at, ':', ':') ||
        !digits(s, &at, 2, &tm.tm_sec))
        return false;
    if (literal(s, &at, '.', '.') && !fraction(s, &at, &frac))
        return false;
    if (!offset(s, &at, &off) || at != s.len)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    if (!is_real_date(&tm))
        return false;
    int64_t seconds = (int64_t) timegm(&tm) - off;
    if (__builtin_mul_overflow(seconds, (int64_t) NS_PER_SECOND, ret_wall_ns) ||
        __builtin_add_overflow(*ret_wall_ns, frac, ret_wall_ns))
        *ret_wall_ns = seconds < 0 ? INT64_MIN : INT64_MAX;
    return true;
}

bool
clock_format_duration(struct buf *out, int64_t ns)
{
    if (ns < 0)
        return false;
    int64_t seconds = ns / NS_PER_SECOND, frac = ns % NS_PER_SECOND;
    int64_t day_count = seconds / 86400;
    seconds %= 86400;
    buf_add_char(out, 'P');
    if (day_count > 0) {
        buf_add_u64(out, (uint64_t) day_count);
        buf_add_char(out, 'D');
    }
    if (seconds == 0 && frac == 0 && day_count > 0)
        return true;
    buf_add_char(out, 'T');
    buf_add_u64(out, (uint64_t) seconds);
    if (frac != 0) {
        char digit[10] = ".";
        int n = frac % 1000000 == 0 ? 3 : frac % 1000 == 0 ? 6 : 9;
        put_digits(digit + 1, n == 3 ? frac / 1000000 : n == 6 ? frac / 1000 : frac, n);
        buf_add(out, digit, (size_t) n + 1);
    }
    buf_add_char(out, 'S');
    return true;
}

void
clock_format_http_date(char out[30], int64_t wall_ns)
{
    int64_t frac;
    struct tm tm = calendar(split(wall_ns, &frac));
    if (strftime(out, 30, "%a, %d %b %Y %H:%M:%S GMT", &tm) == 0)
        out[0] = '\0';
}
