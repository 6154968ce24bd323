/* The gate's reader: lines of the head, then the framing of the body, byte by byte where it
 * matters. What a head means is in gate_head.c. No sockets, no libevent. */
#include "net/gate.h"

#include <stdlib.h>

enum {
    REQUEST_LINE_SLACK = 32,   /* method, version and spaces beside the target */
    BLANK_BYTES_MAX = 4,       /* empty lines before a request line (RFC 9112, 2.2) */
    CHUNK_DIGITS_MAX = 15,     /* below 2^60 */
    CHUNK_EXTENSION_MAX = 256, /* bytes a chunk */
    TRAILER_BYTES_MAX = 8 * 1024,
    KEPT_HEAD_BYTES = 4 * 1024, /* memory kept between requests */
    KEPT_FIELDS = 32,
};

enum step {
    STEP_HEAD,
    STEP_AFTER_HEAD,
    STEP_LENGTH, /* a body with Content-Length */
    STEP_CHUNK_SIZE,
    STEP_CHUNK_EXTENSION,
    STEP_CHUNK_SIZE_LF,
    STEP_CHUNK,
    STEP_CHUNK_CR,
    STEP_CHUNK_LF,
    STEP_TRAILER, /* at the start of a line */
    STEP_TRAILER_NAME,
    STEP_TRAILER_VALUE,
    STEP_TRAILER_LF,
    STEP_END_LF,
    STEP_DONE,
    STEP_REFUSED,
};

void
gate_init(struct gate *g, struct gate_limits limits)
{
    *g = (struct gate){.limits = limits, .step = STEP_HEAD};
}

void
gate_done(struct gate *g)
{
    buf_done(&g->bytes);
    err_done(&g->err);
    free(g->head.fields);
    *g = (struct gate){.limits = g->limits};
}

void
gate_reset(struct gate *g)
{
    struct gate next = {.limits = g->limits, .bytes = g->bytes};
    if (g->fields_cap <= KEPT_FIELDS) {
        next.head.fields = g->head.fields;
        next.fields_cap = g->fields_cap;
    } else {
        free(g->head.fields);
    }
    err_done(&g->err);
    if (next.bytes.cap > KEPT_HEAD_BYTES)
        buf_done(&next.bytes);
    buf_clear(&next.bytes);
    *g = next;
}

static enum gate_state
refuse(struct gate *g, enum err_code code, const char *message)
{
    g->step = STEP_REFUSED;
    (void) err_set(&g->err, code, "%s", message);
    return GATE_REFUSED;
}

static enum gate_state
malformed(struct gate *g, const char *why)
{
    g->step = STEP_REFUSED;
    (void) err_set(&g->err, ERR_BAD_REQUEST, "The request is malformed: %s.", why);
    return GATE_REFUSED;
}

/* --- head ---------------------------------------------------------------------------------- */

/* Judges the lengths so far. The same bytes give the same verdict however they are cut: a limit is
 * looked at before what else may be wrong at that place. */
static enum gate_state
check_size(struct gate *g)
{
    size_t max = g->limits.max_header_bytes, line_max = g->limits.max_uri_bytes;
    line_max = line_max + REQUEST_LINE_SLACK > max ? max : line_max + REQUEST_LINE_SLACK;
    if (g->line_at == 0 && g->bytes.len > line_max)
        return refuse(g, ERR_URI_TOO_LONG, "The request line is too long.");
    if (g->bytes.len > max)
        return refuse(g, ERR_HEADERS_TOO_LARGE, "The request's headers are too large.");
    if (buf_failed(&g->bytes))
        return refuse(g, ERR_SERVER_BUSY, "The server is out of memory.");
    return GATE_MORE;
}

/* A line, LF included, was added to bytes. */
static enum gate_state
end_line(struct gate *g)
{
    size_t len = g->bytes.len - g->line_at;
    if (len < 2 || g->bytes.data[g->bytes.len - 2] != '\r')
        return malformed(g, "a line ends without a carriage return");
    if (len == 2) {
        g->step = STEP_AFTER_HEAD;
        if (gate_parse_head(g) == 0)
            return GATE_HEAD;
        g->step = STEP_REFUSED;
        return GATE_REFUSED;
    }
    if (g->n_lines++ > g->limits.max_headers)
        return refuse(g, ERR_HEADERS_TOO_LARGE, "The request has too many headers.");
    g->line_at = g->bytes.len;
    return GATE_MORE;
}

/* Empty lines before the request line, and the first byte of it. */
static enum gate_state
skip_blank(struct gate *g, const char *data, size_t len, size_t *used)
{
    while (*used < len) {
        char want = g->blank_bytes % 2 == 0 ? '\r' : '\n', c = data[*used];
        bool is_blank = c == want && g->blank_bytes < BLANK_BYTES_MAX;
        if (!is_blank && g->blank_bytes % 2 == 0 && gate_is_token_char((unsigned char) c))
            return GATE_MORE;
        if (!is_blank && c == 0x16)
            return malformed(g, "this is TLS, and the server listens for plain HTTP here");
        if (!is_blank)
            return malformed(g, "it does not begin with a method");
        g->blank_bytes++;
        (*used)++;
    }
    return GATE_MORE;
}

static enum gate_state
feed_head(struct gate *g, const char *data, size_t len, size_t *used)
{
    enum gate_state state = GATE_MORE;
    if (g->bytes.len == 0)
        state = skip_blank(g, data, len, used);
    while (state == GATE_MORE && *used < len) {
        const char *from = data + *used;
        const char *lf = memchr(from, '\n', len - *used);
        size_t n = lf != NULL ? (size_t) (lf - from) + 1 : len - *used;
        size_t room = g->limits.max_header_bytes + 1 - g->bytes.len; /* never negative */
        bool is_line = lf != NULL && n <= room;
        n = n > room ? room : n;
        buf_add(&g->bytes, from, n);
        *used += n;
        state = check_size(g);
        if (state == GATE_MORE && is_line)
            state = end_line(g);
    }
    return state;
}

/* --- body ---------------------------------------------------------------------------------- */

static enum gate_state
begin_body(struct gate *g)
{
    g->step = STEP_DONE;
    if (g->head.is_chunked) {
        g->step = STEP_CHUNK_SIZE;
        g->run = g->digits = g->extra_bytes = 0;
        return GATE_MORE;
    }
    if (g->head.content_length == 0)
        return GATE_DONE;
    g->step = STEP_LENGTH;
    g->run = g->head.content_length;
    return GATE_BODY;
}

static enum gate_state
chunk_size_byte(struct gate *g, char c)
{
    int digit = str_hex_value(c);
    if (digit >= 0) {
        if (++g->digits > CHUNK_DIGITS_MAX)
            return malformed(g, "a chunk size has too many digits");
        g->run = g->run * 16 + (uint64_t) digit;
        return GATE_MORE;
    }
    if (g->digits == 0 || (c != ';' && c != '\r'))
        return malformed(g, "a chunk size is not a hexadecimal number");
    g->step = c == ';' ? STEP_CHUNK_EXTENSION : STEP_CHUNK_SIZE_LF;
    return GATE_MORE;
}

static bool
is_text_byte(char c)
{
    return ((unsigned char) c >= ' ' && c != 0x7f) || c == '\t';
}

static enum gate_state
chunk_extension_byte(struct gate *g, char c)
{
    if (c == '\r') {
        g->step = STEP_CHUNK_SIZE_LF;
        return GATE_MORE;
    }
    if (!is_text_byte(c) || ++g->extra_bytes > CHUNK_EXTENSION_MAX)
        return malformed(g, "a chunk extension is too long or holds a control character");
    return GATE_MORE;
}

/* After the line of a chunk size. */
static enum gate_state
begin_chunk(struct gate *g)
{
    g->digits = g->extra_bytes = 0;
    g->step = g->run > 0 ? STEP_CHUNK : STEP_TRAILER;
    return g->run > 0 ? GATE_BODY : GATE_MORE;
}

static enum gate_state
trailer_byte(struct gate *g, char c)
{
    if (++g->extra_bytes > TRAILER_BYTES_MAX)
        return refuse(g, ERR_HEADERS_TOO_LARGE, "The request's trailers are too large.");
    if (g->step == STEP_TRAILER_VALUE) {
        if (c == '\r')
            g->step = STEP_TRAILER_LF;
        else if (!is_text_byte(c))
            return malformed(g, "a trailer holds a control character");
        return GATE_MORE;
    }
    if (g->step == STEP_TRAILER && c == '\r')
        g->step = STEP_END_LF;
    else if (g->step == STEP_TRAILER_NAME && c == ':')
        g->step = STEP_TRAILER_VALUE;
    else if (gate_is_token_char((unsigned char) c))
        g->step = STEP_TRAILER_NAME;
    else
        return malformed(g, "a trailer is not a header line");
    return GATE_MORE;
}

/* The bytes that must be exactly this one. */
static enum gate_state
expect_byte(struct gate *g, char c, char want, enum step next)
{
    if (c != want)
        return malformed(g, "a chunk does not end where its size says");
    g->step = (int) next;
    return GATE_MORE;
}

static enum gate_state
framing_byte(struct gate *g, char c)
{
    switch (g->step) {
    case STEP_CHUNK_SIZE:
        return chunk_size_byte(g, c);
    case STEP_CHUNK_EXTENSION:
        return chunk_extension_byte(g, c);
    case STEP_CHUNK_SIZE_LF:
        return expect_byte(g, c, '\n', STEP_CHUNK) == GATE_MORE ? begin_chunk(g) : GATE_REFUSED;
    case STEP_CHUNK_CR:
        return expect_byte(g, c, '\r', STEP_CHUNK_LF);
    case STEP_CHUNK_LF:
        return expect_byte(g, c, '\n', STEP_CHUNK_SIZE);
    case STEP_TRAILER_LF:
        return expect_byte(g, c, '\n', STEP_TRAILER);
    case STEP_END_LF:
        return expect_byte(g, c, '\n', STEP_DONE) == GATE_MORE ? GATE_DONE : GATE_REFUSED;
    default:
        return trailer_byte(g, c);
    }
}

enum gate_state
gate_feed(struct gate *g, const char *data, size_t len, size_t *ret_used)
{
    size_t used = 0;
    enum gate_state state = GATE_MORE;
    if (g->step == STEP_HEAD)
        state = feed_head(g, data, len, &used);
    else if (g->step == STEP_AFTER_HEAD)
        state = begin_body(g);
    else if (g->step == STEP_LENGTH || g->step == STEP_CHUNK)
        state = GATE_BODY;
    else if (g->step == STEP_DONE)
        state = GATE_DONE;
    else if (g->step == STEP_REFUSED)
        state = GATE_REFUSED;
    while (state == GATE_MORE && used < len)
        state = framing_byte(g, data[used++]);
    *ret_used = used;
    return state;
}

uint64_t
gate_body_run(const struct gate *g)
{
    return g->step == STEP_LENGTH || g->step == STEP_CHUNK ? g->run : 0;
}

void
gate_body_taken(struct gate *g, uint64_t n)
{
    g->run -= n;
    if (g->run == 0)
        g->step = g->step == STEP_LENGTH ? STEP_DONE : STEP_CHUNK_CR;
}

bool
gate_has_begun(const struct gate *g)
{
    return g->bytes.len > 0;
}

bool
gate_has_body(const struct gate *g)
{
    return g->head.is_chunked || g->head.content_length > 0;
}

struct str
gate_header(const struct gate *g, const char *name)
{
    struct str want = str_from(name);
    for (size_t i = 0; i < g->head.n_fields; i++) {
        if (g->head.fields[i].name.len == want.len &&
            str_equal_nocase(g->head.fields[i].name, want))
            return g->head.fields[i].value;
    }
    return STR_NULL;
}
