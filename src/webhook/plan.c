/* Parts and selections of an event. Pure bookkeeping: neither reads nor writes the store. */
#include "webhook/plan.h"

#include <stdlib.h>

#include "base/mem.h"

enum {
    CLOUDEVENT_OVERHEAD_BYTES = 320, /* its attributes around a task */
    /* Ed25519 takes the whole message at once: a part is kept so small that the loop does not
     * notice. */
    ED25519_PART_MAX_BYTES = 512 * 1024,
};

static bool
has_ed25519(const struct webhook_policy *policy)
{
    for (size_t i = 0; i < policy->n_secrets; i++) {
        if (policy->secrets[i].kind == SECRET_V1A_ED25519)
            return true;
    }
    return false;
}

void
plan_init(struct plan *p, const struct webhook_policy *policy,
          const struct webhook_payload_limits *limits)
{
    *p = (struct plan){.max_tasks = limits->max_tasks, .max_bytes = limits->max_bytes};
    if (policy->format == FORMAT_ENVELOPE) { /* each line is an event of its own */
        p->max_tasks = 1;
        p->max_bytes = 0;
    }
    if (policy->format == FORMAT_CLOUDEVENTS)
        p->line_overhead = CLOUDEVENT_OVERHEAD_BYTES;
    if (has_ed25519(policy) && (p->max_bytes == 0 || p->max_bytes > ED25519_PART_MAX_BYTES))
        p->max_bytes = ED25519_PART_MAX_BYTES;
}

void
plan_done(struct plan *p)
{
    free(p->closed);
    buf_done(&p->bits);
    *p = (struct plan){0};
}

/* All lines so far were wanted; from here on that is written down. */
static void
begin_bits(struct plan *p)
{
    size_t whole = p->n_seen / 8;
    unsigned left = p->n_seen % 8;
    p->has_skipped = true;
    if (!buf_reserve(&p->bits, whole + 1))
        return;
    memset(p->bits.data, 0xFF, whole);
    p->bits.len = whole;
    if (left != 0)
        buf_add_char(&p->bits, (char) ((1u << left) - 1));
}

static void
set_bit(struct plan *p, uint32_t line)
{
    static const char zero = 0;
    while (!buf_failed(&p->bits) && p->bits.len <= line / 8)
        buf_add(&p->bits, &zero, 1);
    if (!buf_failed(&p->bits))
        p->bits.data[line / 8] = (char) ((unsigned char) p->bits.data[line / 8] | 1u << (line % 8));
}

static void
close_part(struct plan *p)
{
    if (p->n_closed == p->closed_cap) {
        p->closed_cap = p->closed_cap == 0 ? 4 : p->closed_cap * 2;
        p->closed = mem_grow(p->closed, p->closed_cap, sizeof(*p->closed));
    }
    p->closed[p->n_closed++] = p->open;
    p->open = (struct plan_part){0};
    p->open_bytes = 0;
}

void
plan_add(struct plan *p, bool is_wanted, size_t line_bytes)
{
    uint32_t line = p->n_seen;
    uint64_t bytes = line_bytes + p->line_overhead;
    if (!is_wanted) {
        if (!p->has_skipped)
            begin_bits(p);
        p->n_seen++;
        return;
    }
    p->n_seen++;
    if (p->has_skipped)
        set_bit(p, line);
    if (p->open.n_tasks > 0 && ((p->max_tasks != 0 && p->open.n_tasks >= p->max_tasks) ||
                                (p->max_bytes != 0 && p->open_bytes + bytes > p->max_bytes)))
        close_part(p);
    if (p->open.n_tasks == 0)
        p->open.first_line = line;
    p->open.n_tasks++;
    p->open.n_lines = line - p->open.first_line + 1;
    p->open_bytes += bytes;
    p->has_gaps = p->has_gaps || p->open.n_lines > p->open.n_tasks;
}

uint32_t
plan_n_parts(const struct plan *p)
{
    return (uint32_t) p->n_closed + (p->open.n_tasks > 0);
}

const struct plan_part *
plan_part(const struct plan *p, uint32_t index)
{
    return index < p->n_closed ? &p->closed[index] : &p->open;
}
