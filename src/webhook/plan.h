#pragma once
/* What an event is to one webhook: which of its lines the webhook wants, and in how many parts they
 * are sent. Fed line by line as the lines pass, so that nobody reads them a second time; memory is
 * a bit a line, and nothing while every line is wanted. Private to the folder. */
#include "base/buf.h"
#include "webhook/policy.h"
#include "webhook/webhook.h"

struct plan_part {
    uint32_t first_line, n_lines; /* from the first wanted line to the last */
    uint32_t n_tasks;             /* wanted lines */
};

struct plan {
    uint32_t max_tasks; /* a part; 0: no limit */
    uint64_t max_bytes; /* a part, uncompressed; a larger line is a part of its own; 0: no limit */
    uint64_t line_overhead; /* bytes that the format adds to a line */
    struct plan_part open;
    uint64_t open_bytes;
    struct plan_part *closed; /* earlier parts */
    size_t n_closed, closed_cap;
    uint32_t n_seen;
    bool has_gaps; /* some part holds lines that are not wanted */
    struct buf
        bits; /* a bit a line, lowest first, up to the last wanted one; only with has_skipped */
    bool has_skipped;
};

/* The limits of a webhook: the server's, tighter where signing has no cheaper way. */
void plan_init(struct plan *p, const struct webhook_policy *policy,
               const struct webhook_payload_limits *limits);
void plan_done(struct plan *p);

void plan_add(struct plan *p, bool is_wanted, size_t line_bytes);
uint32_t plan_n_parts(const struct plan *p);                             /* 0: nothing is wanted */
const struct plan_part *plan_part(const struct plan *p, uint32_t index); /* from 0 */

/* Whether the bit of a line is set in a stored selection. */
static inline bool
selection_has(struct str bits, uint32_t line)
{
    return line / 8 < bits.len && ((unsigned char) bits.data[line / 8] >> (line % 8) & 1) != 0;
}
