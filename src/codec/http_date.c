/* Reading dates of headers. Strict in form: three are known, and all three are read. */
#include "codec/http_date.h"

#include <time.h>

/* The date's parts as they come; -1: not read yet. */
struct date_parts {
    int day, month, year, hour, minute, second;
};

static int
month_of(struct str word)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12; i++) {
        if (str_equal(word, str_make(names + 3 * i, 3)))
            return i;
    }
    return -1;
}

static bool
read_number(struct str word, int max, int *ret)
{
    uint64_t n;
    if (!str_to_u64(word, (uint64_t) max, &n))
        return false;
    *ret = (int) n;
    return true;
}

/* "08:49:37" */
static bool
read_time(struct str word, struct date_parts *p)
{
    return word.len == 8 && word.data[2] == ':' && word.data[5] == ':' &&
           read_number(str_slice(word, 0, 2), 23, &p->hour) &&
           read_number(str_slice(word, 3, 5), 59, &p->minute) &&
           read_number(str_slice(word, 6, 8), 60, &p->second);
}

/* "06-Nov-94": a year more than 50 years ahead is in the past century. */
static bool
read_old_date(struct str word, int this_year, struct date_parts *p)
{
    if (word.len != 9 || word.data[2] != '-' || word.data[6] != '-')
        return false;
    p->month = month_of(str_slice(word, 3, 6));
    if (!read_number(str_slice(word, 0, 2), 31, &p->day) ||
        !read_number(str_slice(word, 7, 9), 99, &p->year))
        return false;
    p->year += this_year / 100 * 100;
    if (p->year > this_year + 50)
        p->year -= 100;
    return true;
}

/* A word that is neither time, zone nor name of a day. */
static bool
read_word(struct str word, int this_year, struct date_parts *p)
{
    if (str_find(word, ':', 0) < word.len)
        return read_time(word, p);
    if (str_find(word, '-', 0) < word.len)
        return read_old_date(word, this_year, p);
    if (word.len == 3 && p->month < 0)
        return (p->month = month_of(word)) >= 0;
    if (p->day < 0)
        return read_number(word, 31, &p->day);
    return p->year < 0 && word.len == 4 && read_number(word, 9999, &p->year);
}

static bool
is_day_name(struct str word)
{
    return word.len >= 3 && (word.data[word.len - 1] == ',' || word.len == 3);
}

/* "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994" */
static bool
read_date(struct str value, int this_year, struct date_parts *p)
{
    struct str word;
    bool is_first = true;
    *p = (struct date_parts){-1, -1, -1, -1, -1, -1};
    while (str_split(&value, ' ', &word)) {
        if (is_first && !is_day_name(word))
            return false;
        if (!is_first && word.len > 0 && !str_is(word, "GMT") && !read_word(word, this_year, p))
            return false;
        is_first = false;
    }
    return p->day > 0 && p->month >= 0 && p->year >= 0 && p->hour >= 0;
}

bool
http_date_parse(struct str text, int64_t now_ms, int64_t *ret_ms)
{
    struct date_parts p;
    time_t now = (time_t) (now_ms / 1000);
    struct tm tm;
    (void) gmtime_r(&now, &tm); /* fails only for years that an int does not hold */
    if (!read_date(str_trim(text), tm.tm_year + 1900, &p))
        return false;
    tm = (struct tm){.tm_mday = p.day,
                     .tm_mon = p.month,
                     .tm_year = p.year - 1900,
                     .tm_hour = p.hour,
                     .tm_min = p.minute,
                     .tm_sec = p.second};
    *ret_ms = (int64_t) timegm(&tm) * 1000;
    return true;
}
