/* The gate: bytes cut at any place get the verdict and the body that they get in one piece, and
 * what it lets through holds none of what it promises to refuse. */
#include "fuzz.h"
#include "net/gate.h"

enum { MAX_REQUESTS = 16 };

struct verdict {
    enum gate_state state;
    enum err_code code;
    size_t used, n_requests;
    struct buf bodies;
};

static void
check_head(const struct gate *g)
{
    const struct gate_head *h = &g->head;
    FUZZ_REQUIRE(h->n_fields <= g->limits.max_headers);
    FUZZ_REQUIRE(h->path.len + h->query.len <= g->limits.max_uri_bytes);
    FUZZ_REQUIRE(!h->is_chunked || h->content_length == 0);
    FUZZ_REQUIRE(h->method != HTTP_HEAD || !gate_has_body(g));
    for (size_t i = 0; i < h->n_fields; i++) {
        FUZZ_REQUIRE(h->fields[i].name.len > 0);
        for (size_t at = 0; at < h->fields[i].value.len; at++) {
            unsigned char c = (unsigned char) h->fields[i].value.data[at];
            FUZZ_REQUIRE((c >= ' ' || c == '\t') && c != 0x7f);
        }
    }
}

/* The body's bytes of this piece; false when none is left. */
static bool
take_body(struct gate *g, struct str piece, size_t *at, struct verdict *v)
{
    uint64_t run = gate_body_run(g), left = piece.len - *at;
    size_t n = (size_t) (run < left ? run : left);
    FUZZ_REQUIRE(run > 0);
    if (n == 0)
        return false;
    buf_add(&v->bodies, piece.data + *at, n);
    gate_body_taken(g, n);
    *at += n;
    return true;
}

static void
run_piece(struct gate *g, struct str piece, struct verdict *v)
{
    size_t at = 0, used;
    bool goes_on = true;
    while (goes_on && v->state != GATE_REFUSED && v->n_requests < MAX_REQUESTS) {
        enum gate_state state = gate_feed(g, piece.data + at, piece.len - at, &used);
        FUZZ_REQUIRE(used <= piece.len - at);
        at += used;
        v->state = state == GATE_REFUSED ? state : GATE_MORE;
        if (state == GATE_HEAD) {
            check_head(g);
        } else if (state == GATE_BODY) {
            goes_on = take_body(g, piece, &at, v);
        } else if (state == GATE_DONE) {
            v->n_requests++;
            buf_add_char(&v->bodies, '\n');
            gate_reset(g);
        } else {
            goes_on = at < piece.len;
        }
    }
    v->used += at;
}

/* cut 0: in one piece; otherwise in pieces of so many bytes. */
static struct verdict
run(struct str input, size_t cut)
{
    struct gate g;
    struct verdict v = {.state = GATE_MORE};
    gate_init(
        &g, (struct gate_limits){.max_header_bytes = 600, .max_uri_bytes = 100, .max_headers = 8});
    size_t step = cut == 0 ? input.len : cut;
    for (size_t at = 0; at < input.len; at += step) {
        run_piece(&g, str_slice(input, at, at + step), &v);
        if (v.state == GATE_REFUSED || v.n_requests == MAX_REQUESTS)
            break;
    }
    v.code = g.err.code;
    gate_done(&g);
    return v;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = str_make(data, size);
    struct verdict whole = run(input, 0);
    static const size_t cuts[] = {1, 2, 3, 7, 50};
    for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
        struct verdict v = run(input, cuts[i]);
        FUZZ_REQUIRE(v.state == whole.state && v.code == whole.code);
        FUZZ_REQUIRE(v.n_requests == whole.n_requests);
        FUZZ_REQUIRE(str_equal(buf_str(&v.bodies), buf_str(&whole.bodies)));
        buf_done(&v.bodies);
    }
    buf_done(&whole.bodies);
    return 0;
}
