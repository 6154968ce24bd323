/* Identifiers and randomness. */
#include "base/uuid.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void
random_bytes(void *out, size_t n)
{
    char *p = out;
    while (n > 0) {
        ssize_t got = getrandom(p, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            abort(); /* no randomness: nothing that needs an id may go on */
        p += got;
        n -= (size_t) got;
    }
}

static void
mark(struct uuid *u, uint8_t version)
{
    u->bytes[6] = (uint8_t) ((u->bytes[6] & 0x0F) | (version << 4));
    u->bytes[8] = (uint8_t) ((u->bytes[8] & 0x3F) | 0x80);
}

struct uuid
uuid_v4(void)
{
    struct uuid u;
    random_bytes(u.bytes, sizeof(u.bytes));
    mark(&u, 4);
    return u;
}

struct uuid
uuid_v7(int64_t wall_ms)
{
    struct uuid u;
    random_bytes(u.bytes, sizeof(u.bytes));
    for (int i = 0; i < 6; i++)
        u.bytes[i] = (uint8_t) (wall_ms >> (8 * (5 - i)));
    mark(&u, 7);
    return u;
}

bool
uuid_is_nil(const struct uuid *u)
{
    return uuid_equal(u, &UUID_NIL);
}

bool
uuid_equal(const struct uuid *a, const struct uuid *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

char *
uuid_format(const struct uuid *u, char out[UUID_TEXT_LEN + 1])
{
    static const char hex[] = "0123456789abcdef";
    char *p = out;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = hex[u->bytes[i] >> 4];
        *p++ = hex[u->bytes[i] & 15];
    }
    *p = '\0';
    return out;
}

enum { LONGEST_TEXT = 45 }; /* the URN; longer ones are not looked at */

/* Wrapped forms have hyphens. */
static struct str
unwrap(struct str text, bool *ret_is_wrapped)
{
    static const char prefix[] = "urn:uuid:";
    *ret_is_wrapped = true;
    if (text.len >= 2 && text.data[0] == '{' && text.data[text.len - 1] == '}')
        return str_slice(text, 1, text.len - 1);
    if (str_starts_with(text, prefix))
        return str_slice(text, sizeof(prefix) - 1, text.len);
    *ret_is_wrapped = false;
    return text;
}

/* The first character that is neither a hex digit nor a hyphen; its place is told in text. */
static bool
bad_character(struct str text, struct str s, struct buf *why)
{
    for (size_t i = 0; i < s.len; i++) {
        if (str_hex_value(s.data[i]) >= 0 || s.data[i] == '-')
            continue;
        size_t n = 1;
        while (((unsigned char) s.data[i] & 0x80) != 0 && i + n < s.len &&
               ((unsigned char) s.data[i + n] & 0xC0) == 0x80)
            n++;
        if (why != NULL)
            buf_addf(why, "invalid character: found `%.*s` at %zu", (int) n, s.data + i,
                     (size_t) (s.data - text.data) + i);
        return true;
    }
    return false;
}

static bool
bad_length(size_t len, struct buf *why)
{
    if (why != NULL)
        buf_addf(why, "invalid length: found %zu", len);
    return true;
}

static bool
bad_groups(struct str s, bool is_wrapped, struct buf *why)
{
    static const size_t expected[] = {8, 4, 4, 4, 12};
    size_t lengths[8] = {0}, groups = 1;
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] == '-')
            groups++;
        else if (groups <= 5)
            lengths[groups - 1]++;
    }
    if (groups == 1 && !is_wrapped)
        return s.len != 32 && bad_length(s.len, why);
    if (groups != 5) {
        if (why != NULL)
            buf_addf(why, "invalid group count: expected 5, found %zu", groups);
        return true;
    }
    for (size_t g = 0; g < 5; g++) {
        if (lengths[g] == expected[g])
            continue;
        if (why != NULL)
            buf_addf(why, "invalid group length in group %zu: expected %zu, found %zu", g,
                     expected[g], lengths[g]);
        return true;
    }
    return false;
}

bool
uuid_parse(struct str text, struct uuid *ret, struct buf *why)
{
    bool is_wrapped;
    if (text.len == 0 || text.len > LONGEST_TEXT)
        return !bad_length(text.len, why);
    struct str s = unwrap(text, &is_wrapped);
    if (bad_character(text, s, why) || bad_groups(s, is_wrapped, why))
        return false;
    struct uuid u = UUID_NIL;
    size_t nibble = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] == '-')
            continue;
        u.bytes[nibble / 2] = (uint8_t) (u.bytes[nibble / 2] << 4 | str_hex_value(s.data[i]));
        nibble++;
    }
    *ret = u;
    return true;
}
