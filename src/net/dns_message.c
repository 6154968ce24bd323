/* DNS messages: writes one question, reads the addresses of its answer. Knows nothing of sockets.
 */
#include "net/dns_message.h"

#include <string.h>

enum {
    HEADER_BYTES = 12,
    CLASS_IN = 1,
    FLAG_RESPONSE = 0x8000,
    FLAG_TRUNCATED = 0x0200,
    FLAG_RECURSION_DESIRED = 0x0100,
    OPCODE_MASK = 0x7800,
    RCODE_MASK = 0x000F,
    POINTER = 0xC0, /* the two bits that make a label's length a pointer */
};

/* Takes numbers off the front; reading past the end only sets failed. */
struct cursor {
    const uint8_t *at, *end;
    bool failed;
};

static bool
has(struct cursor *c, size_t n)
{
    if ((size_t) (c->end - c->at) < n)
        c->failed = true;
    return !c->failed;
}

static uint16_t
take_u16(struct cursor *c)
{
    if (!has(c, 2))
        return 0;
    c->at += 2;
    return (uint16_t) (c->at[-2] << 8 | c->at[-1]);
}

static uint32_t
take_u32(struct cursor *c)
{
    uint32_t high = take_u16(c);
    return high << 16 | take_u16(c);
}

static void
skip(struct cursor *c, size_t n)
{
    if (has(c, n))
        c->at += n;
}

/* Whose record it is does not matter: the server was asked for one name, and what it adds are its
 * aliases. Pointers are not followed. */
static void
skip_name(struct cursor *c)
{
    while (has(c, 1)) {
        uint8_t len = *c->at;
        if ((len & POINTER) == POINTER) {
            skip(c, 2);
            return;
        }
        if ((len & POINTER) != 0)
            c->failed = true;
        skip(c, (size_t) len + 1);
        if (len == 0)
            return;
    }
}

static void
write_name(struct buf *out, const char *name)
{
    struct str rest = str_from(name), label;
    while (str_split(&rest, '.', &label)) {
        buf_add_char(out, (char) label.len);
        buf_add_str(out, label);
    }
    buf_add_char(out, '\0');
}

static void
write_u16(struct buf *out, unsigned n)
{
    buf_add_char(out, (char) (n >> 8 & 255));
    buf_add_char(out, (char) (n & 255));
}

static void
write_question_section(struct buf *out, const struct dns_query *q)
{
    write_name(out, q->name);
    write_u16(out, q->type);
    write_u16(out, CLASS_IN);
}

void
dns_message_write_question(struct buf *out, const struct dns_query *q)
{
    write_u16(out, q->id);
    write_u16(out, FLAG_RECURSION_DESIRED);
    write_u16(out, 1); /* questions */
    for (int i = 0; i < 3; i++)
        write_u16(out, 0); /* answers, authorities, additional ones */
    write_question_section(out, q);
}

/* Names in any case; type and class as asked. */
static void
take_question(struct cursor *c, const struct dns_query *q)
{
    struct buf asked = BUF_INIT;
    write_question_section(&asked, q);
    if (has(c, asked.len)) {
        struct str got = str_make(c->at, asked.len);
        c->failed = !str_equal_nocase(got, buf_str(&asked));
        skip(c, asked.len);
    }
    buf_done(&asked);
}

static void
take_record(struct cursor *c, const struct dns_query *q, struct dns_answer *ret)
{
    size_t size = q->type == DNS_TYPE_A ? 4 : 16;
    skip_name(c);
    uint16_t type = take_u16(c), class = take_u16(c);
    uint32_t ttl_s = take_u32(c);
    uint16_t len = take_u16(c);
    if (!has(c, len))
        return;
    if (type == q->type && class == CLASS_IN && len == size && ret->n < RESOLVER_MAX_ADDRESSES) {
        memcpy(ret->addresses + ret->n * size, c->at, size);
        ret->n++;
        if (ttl_s < ret->ttl_s)
            ret->ttl_s = ttl_s;
    }
    skip(c, len);
}

int
dns_message_read_answer(struct str message, const struct dns_query *q, struct dns_answer *ret)
{
    const uint8_t *start = (const uint8_t *) message.data;
    struct cursor c = {.at = start, .end = start + message.len};
    struct dns_answer answer = {.ttl_s = UINT32_MAX};
    if (message.len < HEADER_BYTES)
        return -1;
    uint16_t id = take_u16(&c), flags = take_u16(&c);
    uint16_t n_questions = take_u16(&c), n_answers = take_u16(&c);
    skip(&c, 4); /* of no interest */
    if (id != q->id || (flags & FLAG_RESPONSE) == 0 || (flags & OPCODE_MASK) != 0 ||
        (flags & FLAG_TRUNCATED) != 0 || n_questions > 1)
        return -1;
    if (n_questions == 1)
        take_question(&c, q);
    answer.rcode = flags & RCODE_MASK;
    for (int i = 0; i < n_answers && !c.failed; i++)
        take_record(&c, q, &answer);
    if (c.failed)
        return -1;
    *ret = answer;
    return 0;
}
