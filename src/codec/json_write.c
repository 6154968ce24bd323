/* Writing JSON: compact text of trees, strings and numbers in serde_json's forms, and the builder
 * that places commas. Owns no memory but the caller's buffer. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <yyjson.h>

#include "base/clock.h"
#include "codec/json.h"

/* --- strings ------------------------------------------------------------------------------- */

/* Whether one of the eight bytes must be escaped: below 0x20, '"' or '\\' (Mycroft's test for
 * bytes less than n). */
static bool
has_special(const char *p)
{
    const uint64_t ones = 0x0101010101010101, highs = 0x8080808080808080;
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    uint64_t quote = v ^ (ones * '"'), backslash = v ^ (ones * '\\');
    return ((((v - ones * 0x20) & ~v) | ((quote - ones) & ~quote) |
             ((backslash - ones) & ~backslash)) &
            highs) != 0;
}

static bool
is_special(char c)
{
    return (unsigned char) c < 0x20 || c == '"' || c == '\\';
}

static size_t
plain_run(const char *p, size_t len)
{
    size_t n = 0;
    while (len - n >= 8 && !has_special(p + n))
        n += 8;
    while (n < len && !is_special(p[n]))
        n++;
    return n;
}

static void
write_escape(struct buf *out, char c)
{
    static const char shorts[0x20] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    static const char hex[] = "0123456789abcdef";
    unsigned char u = (unsigned char) c;
    char text[6] = {'\\', 'u', '0', '0', hex[u >> 4], hex[u & 15]};
    if (u < 0x20 && shorts[u] == 0) {
        buf_add(out, text, 6);
        return;
    }
    text[1] = u < 0x20 ? shorts[u] : c;
    buf_add(out, text, 2);
}

void
json_write_string(struct buf *out, struct str s)
{
    if (!buf_reserve(out, s.len + 2))
        return;
    out->data[out->len++] = '"';
    for (size_t at = 0; at < s.len; at++) {
        size_t n = plain_run(s.data + at, s.len - at);
        buf_add(out, s.data + at, n);
        at += n;
        if (at < s.len)
            write_escape(out, s.data[at]);
    }
    buf_add_char(out, '"');
}

/* --- numbers ------------------------------------------------------------------------------- */

/* Significant digits and the place of the point: 0.digits * 10^point. */
struct decimal {
    char digits[32];
    size_t n;
    long point;
    bool is_negative;
};

/* Reads "-12.5e3" with at most 32 significant digits, as a shortest form has. */
static struct decimal
decimal_read(const char *text)
{
    struct decimal d = {.is_negative = *text == '-'};
    bool in_fraction = false;
    const char *p = text + d.is_negative;
    for (; *p != '\0' && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.') {
            in_fraction = true;
        } else if (*p == '0' && d.n == 0) {
            d.point -= in_fraction;
        } else {
            d.point += !in_fraction;
            if (d.n < sizeof(d.digits))
                d.digits[d.n++] = *p;
        }
    }
    if (*p != '\0')
        d.point += strtol(p + 1, NULL, 10);
    while (d.n > 0 && d.digits[d.n - 1] == '0')
        d.n--;
    return d;
}

static void
add_zeros(struct buf *out, long n)
{
    while (n-- > 0)
        buf_add_char(out, '0');
}

/* The layout of serde_json's floats: always a point or an exponent; an exponent from 1e16 on and
 * below 1e-5. */
static void
decimal_write(struct buf *out, const struct decimal *d)
{
    long n = (long) d->n;
    if (d->is_negative)
        buf_add_char(out, '-');
    if (n == 0) {
        buf_add_cstr(out, "0.0");
    } else if (d->point >= n && d->point <= 16) {
        buf_add(out, d->digits, d->n);
        add_zeros(out, d->point - n);
        buf_add_cstr(out, ".0");
    } else if (d->point > 0 && d->point <= 16) {
        buf_add(out, d->digits, (size_t) d->point);
        buf_add_char(out, '.');
        buf_add(out, d->digits + d->point, (size_t) (n - d->point));
    } else if (d->point > -5 && d->point <= 0) {
        buf_add_cstr(out, "0.");
        add_zeros(out, -d->point);
        buf_add(out, d->digits, d->n);
    } else {
        buf_add_char(out, d->digits[0]);
        if (n > 1) {
            buf_add_char(out, '.');
            buf_add(out, d->digits + 1, d->n - 1);
        }
        buf_addf(out, "e%ld", d->point - 1);
    }
}

static void
write_double(struct buf *out, double n)
{
    yyjson_val v = {0};
    size_t len;
    if (!isfinite(n)) {
        buf_add_cstr(out, "null");
        return;
    }
    (void) yyjson_set_real(&v, n); /* fails for NULL only */
    char *shortest = yyjson_val_write_opts(&v, 0, NULL, &len, NULL);
    if (shortest == NULL) {
        out->failed = true;
        return;
    }
    struct decimal d = decimal_read(shortest);
    decimal_write(out, &d);
    free(shortest);
}

static void
write_float(struct buf *out, float n)
{
    char text[32];
    if (!isfinite(n)) {
        buf_add_cstr(out, "null");
        return;
    }
    for (int digits = 0; digits < 9; digits++) {
        (void) snprintf(text, sizeof(text), "%.*e", digits, (double) n); /* at most 15 bytes */
        if (strtof(text, NULL) == n)
            break;
    }
    struct decimal d = decimal_read(text);
    decimal_write(out, &d);
}

static bool
is_machine_integer(struct str number)
{
    uint64_t magnitude;
    if (!str_starts_with(number, "-"))
        return str_to_u64(number, UINT64_MAX, &magnitude);
    return str_to_u64(str_slice(number, 1, number.len), (uint64_t) INT64_MAX + 1, &magnitude) &&
           magnitude > 0;
}

void
json_write_number_normal(struct buf *out, struct str number)
{
    if (is_machine_integer(number)) {
        buf_add_str(out, number);
        return;
    }
    struct buf text = BUF_INIT;
    buf_add_str(&text, number);
    double n = strtod(buf_cstr(&text), NULL);
    if (buf_failed(&text))
        out->failed = true;
    else
        write_double(out, n);
    buf_done(&text);
}

/* --- trees --------------------------------------------------------------------------------- */

static void write_value(struct buf *out, yyjson_val *v, bool is_normal);

/* Recursion is bounded by JSON_MAX_DEPTH. */
static void
write_container(struct buf *out, yyjson_val *v, bool is_normal)
{
    bool is_object = unsafe_yyjson_get_type(v) == YYJSON_TYPE_OBJ;
    size_t n = unsafe_yyjson_get_len(v);
    yyjson_val *item = unsafe_yyjson_get_first(v);
    buf_add_char(out, is_object ? '{' : '[');
    for (size_t i = 0; i < n && !out->failed; i++, item = unsafe_yyjson_get_next(item)) {
        if (i > 0)
            buf_add_char(out, ',');
        if (is_object) {
            write_value(out, item++, is_normal);
            buf_add_char(out, ':');
        }
        write_value(out, item, is_normal);
    }
    buf_add_char(out, is_object ? '}' : ']');
}

static void
write_value(struct buf *out, yyjson_val *v, bool is_normal)
{
    struct str text = {v->uni.str, unsafe_yyjson_get_len(v)};
    switch (unsafe_yyjson_get_type(v)) {
    case YYJSON_TYPE_STR:
        json_write_string(out, text);
        break;
    case YYJSON_TYPE_RAW:
        if (is_normal)
            json_write_number_normal(out, text);
        else
            buf_add_str(out, text);
        break;
    case YYJSON_TYPE_BOOL:
        buf_add_cstr(out, unsafe_yyjson_get_bool(v) ? "true" : "false");
        break;
    case YYJSON_TYPE_ARR:
    case YYJSON_TYPE_OBJ:
        write_container(out, v, is_normal);
        break;
    default:
        buf_add_cstr(out, "null");
    }
}

void
json_write(struct buf *out, const struct json *v)
{
    write_value(out, (yyjson_val *) (uintptr_t) v, false);
}

void
json_write_normal(struct buf *out, const struct json *v)
{
    write_value(out, (yyjson_val *) (uintptr_t) v, true);
}

/* --- building ------------------------------------------------------------------------------ */

struct json_out
json_out(struct buf *out)
{
    return (struct json_out){.out = out};
}

/* The comma before a value or key, if one is due; the next thing needs one when comma_after. */
static struct buf *
item(struct json_out *j, bool comma_after)
{
    if (j->comma)
        buf_add_char(j->out, ',');
    j->comma = comma_after;
    return j->out;
}

static void
end(struct json_out *j, char bracket)
{
    buf_add_char(j->out, bracket);
    j->comma = true;
}

void
json_begin_object(struct json_out *j)
{
    buf_add_char(item(j, false), '{');
}

void
json_end_object(struct json_out *j)
{
    end(j, '}');
}

void
json_begin_array(struct json_out *j)
{
    buf_add_char(item(j, false), '[');
}

void
json_end_array(struct json_out *j)
{
    end(j, ']');
}

void
json_key(struct json_out *j, const char *name)
{
    json_key_str(j, str_from(name));
}

void
json_key_str(struct json_out *j, struct str name)
{
    json_write_string(item(j, false), name);
    buf_add_char(j->out, ':');
}

void
json_put_str(struct json_out *j, struct str s)
{
    json_write_string(item(j, true), s);
}

void
json_put_cstr(struct json_out *j, const char *s)
{
    if (s == NULL)
        json_put_null(j);
    else
        json_put_str(j, str_from(s));
}

void
json_put_u64(struct json_out *j, uint64_t n)
{
    buf_add_u64(item(j, true), n);
}

void
json_put_i64(struct json_out *j, int64_t n)
{
    buf_addf(item(j, true), "%lld", (long long) n);
}

void
json_put_double(struct json_out *j, double n)
{
    write_double(item(j, true), n);
}

void
json_put_float(struct json_out *j, float n)
{
    write_float(item(j, true), n);
}

void
json_put_bool(struct json_out *j, bool b)
{
    buf_add_cstr(item(j, true), b ? "true" : "false");
}

void
json_put_null(struct json_out *j)
{
    buf_add_cstr(item(j, true), "null");
}

void
json_put_raw(struct json_out *j, struct str json_text)
{
    buf_add_str(item(j, true), json_text);
}

void
json_put_time(struct json_out *j, int64_t wall_ns)
{
    if (wall_ns == 0) {
        json_put_null(j);
        return;
    }
    struct buf *out = item(j, true);
    buf_add_char(out, '"');
    clock_format(out, wall_ns);
    buf_add_char(out, '"');
}
