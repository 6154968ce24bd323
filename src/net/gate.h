#pragma once
/* The gate: a strict, incremental reader of HTTP/1 requests. It is fed bytes in any pieces, says
 * where the head, the body and the request end, and refuses what two readers could understand
 * differently (RFC 9112; every row of the request-smuggling table). It knows nothing of sockets;
 * the body's bytes do not pass through it, only their framing.
 *
 *     HEAD LINES --(empty line)--> GATE_HEAD --> GATE_DONE                     no body
 *                                           \--> GATE_BODY ... --> GATE_DONE   length or chunks
 *     anywhere --(violation)--> GATE_REFUSED */
#include "base/err.h"
#include "net/route.h"

struct gate_limits {
    size_t max_header_bytes; /* request line and header lines */
    size_t max_uri_bytes;
    size_t max_headers;
};

struct gate_field {
    struct str name, value; /* value trimmed */
};

/* What a complete head says. Slices are valid until gate_reset or gate_done. */
struct gate_head {
    enum http_method method;
    struct str path, query; /* raw; of absolute-form targets too; query without '?' */
    bool is_http_1_0;
    bool wants_close; /* the connection ends after the reply */
    bool is_chunked;
    bool expects_continue;
    uint64_t content_length;
    struct gate_field *fields;
    size_t n_fields;
};

enum gate_state {
    GATE_MORE,    /* all bytes were used; feed more */
    GATE_HEAD,    /* once a request: gate->head is complete; feed the rest (possibly none) */
    GATE_BODY,    /* gate_body_run() bytes of the body come next: take them, gate_body_taken() */
    GATE_DONE,    /* the request is complete; gate_reset() before the next one */
    GATE_REFUSED, /* gate->err says why; nothing after this can be trusted */
};

struct gate {
    struct gate_limits limits;
    struct gate_head head;
    struct err err;
    /* private */
    int step;
    struct buf bytes; /* the head as received */
    size_t line_at;   /* start of the line being read */
    size_t n_lines, blank_bytes, fields_cap;
    uint64_t run; /* of the body or the chunk */
    unsigned digits, extra_bytes;
};

void gate_init(struct gate *g, struct gate_limits limits);
void gate_done(struct gate *g);
void gate_reset(struct gate *g); /* ready for the next request; keeps memory of ordinary size */

/* Feeds bytes; *ret_used says how many were used (the rest is to be fed again). */
enum gate_state gate_feed(struct gate *g, const char *data, size_t len, size_t *ret_used);
uint64_t gate_body_run(const struct gate *g);
void gate_body_taken(struct gate *g, uint64_t n);

bool gate_has_begun(const struct gate *g); /* a byte of a head was seen */
bool gate_has_body(const struct gate *g);  /* a body was announced; after GATE_HEAD */
/* First field with that name (any case); data NULL when absent. */
struct str gate_header(const struct gate *g, const char *name);

/* --- gate_head.c, for gate.c: reads the complete head in g->bytes. 0, or -1 with g->err. */
int gate_parse_head(struct gate *g);
bool gate_is_token_char(unsigned char c);
