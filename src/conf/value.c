/* Texts to values: one parser a type of option. Knows the rows, not where a text came from. */
#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "base/suggest.h"
#include "conf/options.h"

enum { SIZE_MAX_FRACTION_DIGITS = 6, CHOICES_MAX = 8 };

struct unit {
    const char *name;
    uint64_t factor;
};

/* Powers of 1000 and of 1024 as byte-unit names them; B may be left out. */
static const struct unit SIZE_UNITS[] = {
    {"", 1},
    {"B", 1},
    {"K", 1000},
    {"KB", 1000},
    {"KI", UINT64_C(1) << 10},
    {"KIB", UINT64_C(1) << 10},
    {"M", 1000000},
    {"MB", 1000000},
    {"MI", UINT64_C(1) << 20},
    {"MIB", UINT64_C(1) << 20},
    {"G", UINT64_C(1000000000)},
    {"GB", UINT64_C(1000000000)},
    {"GI", UINT64_C(1) << 30},
    {"GIB", UINT64_C(1) << 30},
    {"T", UINT64_C(1000000000000)},
    {"TB", UINT64_C(1000000000000)},
    {"TI", UINT64_C(1) << 40},
    {"TIB", UINT64_C(1) << 40},
    {NULL, 0},
};

static const struct unit DURATION_UNITS[] = {
    {"", 1000}, {"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {NULL, 0},
};

static const struct unit *
find_unit(const struct unit *units, struct str name)
{
    for (; units->name != NULL; units++) {
        if (str_equal_nocase(str_from(units->name), name))
            return units;
    }
    return NULL;
}

static size_t
count_digits(struct str s)
{
    size_t n = 0;
    while (n < s.len && s.data[n] >= '0' && s.data[n] <= '9')
        n++;
    return n;
}

/* "Mb" and "Mib" are megabits upstream: refused rather than read as eight times as much. */
static bool
means_bits(struct str unit)
{
    return unit.len > 1 && unit.data[unit.len - 1] == 'b' && unit.data[0] >= 'A' &&
           unit.data[0] <= 'Z';
}

/* n tenths, hundredths, ... of factor, where digits is the text of n. Exact for whole bytes. */
static bool
add_fraction(struct str digits, uint64_t factor, uint64_t *bytes)
{
    uint64_t n, scale = 1;
    if (digits.len == 0 || digits.len > SIZE_MAX_FRACTION_DIGITS ||
        !str_to_u64(digits, UINT64_MAX, &n) || (factor == 1 && n > 0))
        return false;
    for (size_t i = 0; i < digits.len; i++)
        scale *= 10;
    uint64_t more = factor / scale * n + factor % scale * n / scale;
    if (more > UINT64_MAX - *bytes)
        return false;
    *bytes += more;
    return true;
}

bool
value_parse_size(struct str text, uint64_t *ret_bytes)
{
    struct str s = str_trim(text), fraction = STR_NULL;
    size_t n = count_digits(s);
    uint64_t whole;
    if (!str_to_u64(str_slice(s, 0, n), UINT64_MAX, &whole))
        return false;
    s = str_slice(s, n, s.len);
    bool has_fraction = s.len > 0 && s.data[0] == '.';
    if (has_fraction) {
        n = count_digits(str_slice(s, 1, s.len));
        fraction = str_slice(s, 1, 1 + n);
        s = str_slice(s, 1 + n, s.len);
    }
    s = str_trim(s);
    const struct unit *unit = find_unit(SIZE_UNITS, s);
    if (unit == NULL || means_bits(s) || whole > UINT64_MAX / unit->factor)
        return false;
    uint64_t bytes = whole * unit->factor;
    if (has_fraction && !add_fraction(fraction, unit->factor, &bytes))
        return false;
    *ret_bytes = bytes;
    return true;
}

bool
value_parse_duration(struct str text, uint64_t *ret_ms)
{
    struct str s = str_trim(text);
    size_t n = count_digits(s);
    uint64_t whole;
    if (!str_to_u64(str_slice(s, 0, n), UINT64_MAX, &whole))
        return false;
    const struct unit *unit = find_unit(DURATION_UNITS, str_trim(str_slice(s, n, s.len)));
    if (unit == NULL || whole > UINT64_MAX / unit->factor)
        return false;
    *ret_ms = whole * unit->factor;
    return true;
}

static void *
field_of(const struct conf_option *o, struct conf *c)
{
    return (char *) c + o->offset;
}

static int
check_range(const struct conf_option *o, uint64_t value, const char *unit, struct buf *why)
{
    uint64_t max = o->max == 0 ? UINT64_MAX : o->max;
    if (value >= o->min && value <= max)
        return 0;
    if (value < o->min)
        buf_addf(why, ": the smallest accepted value is %ju%s", (uintmax_t) o->min, unit);
    else
        buf_addf(why, ": the largest accepted value is %ju%s", (uintmax_t) max, unit);
    return -1;
}

static int
store_u64(const struct conf_option *o, uint64_t value, struct conf *ret)
{
    memcpy(field_of(o, ret), &value, sizeof(value));
    return 0;
}

static int
parse_size(const struct conf_option *o, struct str text, struct conf *ret, struct buf *why)
{
    uint64_t bytes;
    if (!value_parse_size(text, &bytes)) {
        buf_add_cstr(why, ": expected a number of bytes ('1048576') or a size with a unit such as "
                          "'3 B', '10 MiB', '100 MB' or '1.5 GB'");
        return -1;
    }
    return check_range(o, bytes, " B", why) != 0 ? -1 : store_u64(o, bytes, ret);
}

static int
parse_u64(const struct conf_option *o, struct str text, struct conf *ret, struct buf *why)
{
    uint64_t n;
    if (o->has_unlimited && str_equal_nocase(text, STR("unlimited")))
        return store_u64(o, UINT64_MAX, ret);
    if (!str_to_u64(text, UINT64_MAX, &n)) {
        buf_addf(why, ": expected a whole number%s", o->has_unlimited ? " or 'unlimited'" : "");
        return -1;
    }
    return check_range(o, n, "", why) != 0 ? -1 : store_u64(o, n, ret);
}

static int
parse_duration(const struct conf_option *o, struct str text, struct conf *ret, struct buf *why)
{
    uint64_t ms;
    if (!value_parse_duration(text, &ms)) {
        buf_add_cstr(why, ": expected a duration such as '30' (seconds), '30s', '500ms', '5m' or "
                          "'1h'");
        return -1;
    }
    if (check_range(o, ms, " ms", why) != 0)
        return -1;
    if (o->type == OPTION_DURATION_MS)
        return store_u64(o, ms, ret);
    if (ms % 1000 != 0) {
        buf_add_cstr(why, ": expected whole seconds");
        return -1;
    }
    return store_u64(o, ms / 1000, ret);
}

static void
write_choices(const char *const *names, size_t n, struct str text, struct buf *why)
{
    buf_add_cstr(why, "\n  [possible values: ");
    for (size_t i = 0; i < n; i++)
        buf_addf(why, "%s%s", i > 0 ? ", " : "", names[i]);
    buf_add_char(why, ']');
    const char *near = suggest_name(text, names, n);
    if (near != NULL)
        buf_addf(why, "\n\n  tip: a similar value exists: '%s'", near);
}

static int
parse_enum(const struct conf_option *o, struct str text, struct conf *ret, struct buf *why)
{
    const char *names[CHOICES_MAX];
    size_t n = 0;
    for (const struct option_choice *c = o->choices; c->name != NULL && n < CHOICES_MAX; c++) {
        bool is_it = o->choice_error != NULL ? str_equal_nocase(str_trim(text), str_from(c->name))
                                             : str_is(text, c->name);
        if (is_it) {
            int value = c->value;
            _Static_assert(sizeof(enum log_level) == sizeof(int), "enums are stored as int");
            memcpy(field_of(o, ret), &value, sizeof(value));
            return 0;
        }
        names[n++] = c->name;
    }
    if (o->choice_error == NULL) {
        write_choices(names, n, text, why);
        return -1;
    }
    const char *gap = strchr(o->choice_error, '%');
    buf_addf(why, ": %.*s%.*s%s", (int) (gap - o->choice_error), o->choice_error, STR_ARG(text),
             gap + 1);
    return -1;
}

static int
parse_bool(const struct conf_option *o, struct str text, struct conf *ret, struct buf *why)
{
    static const char *const NAMES[] = {"true", "false"};
    bool is_true = str_is(text, "true");
    if (!is_true && !str_is(text, "false")) {
        write_choices(NAMES, 2, text, why);
        return -1;
    }
    memcpy(field_of(o, ret), &is_true, sizeof(is_true));
    return 0;
}

static const char *
refuse_text(const struct conf_option *o, struct str text)
{
    if (text.len == 0 && !o->may_be_empty)
        return "the value is empty";
    if (o->type == OPTION_STRING && !str_is_utf8(text))
        return "not valid UTF-8";
    for (size_t i = 0; o->is_header_value && i < text.len; i++) {
        unsigned char c = (unsigned char) text.data[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return "a line break or another control character cannot be sent in an HTTP header";
    }
    return NULL;
}

static int
parse_text(const struct conf_option *o, struct str text, struct conf *ret, struct buf *why)
{
    const char *refused = refuse_text(o, text);
    if (refused != NULL) {
        buf_addf(why, ": %s", refused);
        return -1;
    }
    char *copy = mem_strndup(text.data, text.len);
    memcpy(field_of(o, ret), &copy, sizeof(copy));
    return 0;
}

int
option_parse(const struct conf_option *o, const char *text, struct conf *ret, struct buf *why)
{
    struct str s = str_from(text);
    switch (o->type) {
    case OPTION_STRING:
    case OPTION_PATH:
        return parse_text(o, s, ret, why);
    case OPTION_BOOL:
        return parse_bool(o, s, ret, why);
    case OPTION_SIZE:
        return parse_size(o, s, ret, why);
    case OPTION_U64:
        return parse_u64(o, s, ret, why);
    case OPTION_DURATION_MS:
    case OPTION_DURATION_S:
        return parse_duration(o, s, ret, why);
    case OPTION_ENUM:
        return parse_enum(o, s, ret, why);
    }
    return -1;
}
