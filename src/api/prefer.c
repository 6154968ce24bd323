/* Reading Prefer: preferences separated by commas, each name[=value][;parameters], where a value
 * may be quoted. */
#include "api/prefer.h"

static struct str
unquote(struct str value)
{
    bool is_quoted = value.len >= 2 && value.data[0] == '"' && value.data[value.len - 1] == '"';
    return is_quoted ? str_slice(value, 1, value.len - 1) : value;
}

static unsigned
clamp(struct str digits, unsigned max, bool *ret_is_number)
{
    uint64_t n = 0;
    *ret_is_number = digits.len > 0;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9')
            *ret_is_number = false;
        else if (n <= max)
            n = n * 10 + (uint64_t) (digits.data[i] - '0');
    }
    return n > max ? max : (unsigned) n;
}

/* The next preference; a comma in a quoted text does not end it. */
static bool
next(struct str *rest, struct str *ret)
{
    bool is_quoted = false;
    size_t i = 0;
    if (rest->len == 0)
        return false;
    for (; i < rest->len && (is_quoted || rest->data[i] != ','); i++) {
        if (rest->data[i] == '"')
            is_quoted = !is_quoted;
        else if (is_quoted && rest->data[i] == '\\')
            i++;
    }
    *ret = str_slice(*rest, 0, i);
    *rest = str_slice(*rest, i + 1, rest->len);
    return true;
}

bool
prefer_find(struct str header, const char *name, struct str *ret)
{
    struct str preference;
    while (next(&header, &preference)) {
        preference = str_slice(preference, 0, str_find(preference, ';', 0));
        size_t equals = str_find(preference, '=', 0);
        if (!str_equal_nocase(str_trim(str_slice(preference, 0, equals)), str_from(name)))
            continue;
        *ret = unquote(str_trim(str_slice(preference, equals + 1, preference.len)));
        return true;
    }
    return false;
}

bool
prefer_wait(struct str header, unsigned max, unsigned *ret)
{
    struct str value;
    bool is_number = false;
    if (prefer_find(header, "wait", &value))
        *ret = clamp(value, max, &is_number);
    return is_number;
}
