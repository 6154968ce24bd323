/* The sort of reports. Knows bytes only.
 *
 *   add ... add -> [buffer full: sort it, append it to the file as a run] ...
 *   merge: while there are more runs than may be open at once, the first ones become one
 *   next: the smallest of the open runs */
#include "report/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"

enum {
    BUFFER_BYTES = 128 * 1024, /* sorting it takes about half a millisecond */
    BUFFER_ENTRIES = 2048,
    OPEN_RUNS_MAX = 128,
    READ_BYTES = 8 * 1024,
    HEAD_BYTES = 8, /* of an entry: length of the key, length of the payload */
    CLOCK_EVERY = 32,
};

struct entry {
    struct str key, payload;
};
struct run {
    uint64_t from, to; /* in the file */
};
/* A run being read. */
struct reader {
    uint64_t at, to; /* what was not read yet */
    struct buf ahead;
    size_t used; /* of ahead */
    struct entry entry;
};

struct spill {
    char *dir;
    int fd; /* -1: nothing was spilled */
    uint64_t end;
    struct buf bytes; /* keys and payloads of the buffer */
    struct offsets {
        size_t at;
        uint32_t key_len, payload_len;
    } * offsets;
    struct entry *entries; /* of the buffer, sorted; made when it is complete */
    size_t n_offsets, next_entry;
    struct run *runs;
    size_t n_runs, runs_cap, first_run;
    struct reader **heap; /* the smallest first */
    size_t n_heap;
    struct reader *last; /* gave the entry that the caller still looks at */
    struct buf out;      /* the run that a merge writes */
    uint64_t out_from;
    bool is_merging, is_ready;
};

struct spill *
spill_new(const char *dir)
{
    struct spill *s = mem_new(1, sizeof(*s));
    s->dir = mem_strdup(dir);
    s->fd = -1;
    s->offsets = mem_new(BUFFER_ENTRIES, sizeof(*s->offsets));
    s->entries = mem_new(BUFFER_ENTRIES, sizeof(*s->entries));
    s->heap = mem_new(OPEN_RUNS_MAX, sizeof(struct reader *));
    return s;
}

static void
reader_free(struct reader *r)
{
    if (r == NULL)
        return;
    buf_done(&r->ahead);
    free(r);
}

void
spill_free(struct spill *s)
{
    if (s == NULL)
        return;
    for (size_t i = 0; i < s->n_heap; i++)
        reader_free(s->heap[i]);
    reader_free(s->last);
    if (s->fd >= 0)
        (void) close(s->fd); /* it has no name: nothing is left */
    buf_done(&s->bytes);
    buf_done(&s->out);
    free(s->offsets);
    free(s->entries);
    free(s->heap);
    free(s->runs);
    free(s->dir);
    free(s);
}

static int
compare(const struct entry *a, const struct entry *b)
{
    int order = str_compare(a->key, b->key);
    return order != 0 ? order : str_compare(a->payload, b->payload);
}

static int
compare_entries(const void *a, const void *b)
{
    return compare(a, b);
}

/* --- the file -------------------------------------------------------------------------------- */

static int
open_file(struct spill *s)
{
    if (s->fd >= 0)
        return 0;
    s->fd = open(s->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (s->fd >= 0 || errno != EOPNOTSUPP)
        return s->fd < 0 ? -1 : 0;
    struct buf name = BUF_INIT; /* a file system that knows no nameless files */
    buf_addf(&name, "%s/sort-XXXXXX", s->dir);
    char *path = buf_take(&name);
    s->fd = mkostemp(path, O_CLOEXEC);
    if (s->fd >= 0)
        (void) unlink(path);
    free(path);
    return s->fd < 0 ? -1 : 0;
}

static int
write_out(struct spill *s)
{
    struct str rest = buf_str(&s->out);
    if (buf_failed(&s->out)) {
        errno = ENOMEM;
        return -1;
    }
    while (rest.len > 0) {
        ssize_t n = pwrite(s->fd, rest.data, rest.len, (off_t) s->end);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        s->end += (uint64_t) n;
        rest = str_slice(rest, (size_t) n, rest.len);
    }
    buf_clear(&s->out);
    return 0;
}

static int
add_to_run(struct spill *s, const struct entry *e)
{
    uint32_t head[2] = {(uint32_t) e->key.len, (uint32_t) e->payload.len};
    buf_add(&s->out, head, sizeof(head)); /* read by this process only */
    buf_add_str(&s->out, e->key);
    buf_add_str(&s->out, e->payload);
    return s->out.len < BUFFER_BYTES && !buf_failed(&s->out) ? 0 : write_out(s);
}

static void
note_run(struct spill *s, uint64_t from)
{
    if (s->n_runs == s->runs_cap) {
        s->runs_cap = s->runs_cap == 0 ? 16 : s->runs_cap * 2;
        s->runs = mem_grow(s->runs, s->runs_cap, sizeof(*s->runs));
    }
    s->runs[s->n_runs++] = (struct run){from, s->end};
}

/* --- adding ---------------------------------------------------------------------------------- */

static void
sort_buffer(struct spill *s)
{
    for (size_t i = 0; i < s->n_offsets; i++) {
        const struct offsets *o = &s->offsets[i];
        const char *at = s->bytes.data + o->at;
        s->entries[i] =
            (struct entry){str_make(at, o->key_len), str_make(at + o->key_len, o->payload_len)};
    }
    qsort(s->entries, s->n_offsets, sizeof(*s->entries), compare_entries);
}

static int
flush(struct spill *s)
{
    if (s->n_offsets == 0)
        return 0;
    if (open_file(s) < 0)
        return -1;
    uint64_t from = s->end;
    sort_buffer(s);
    for (size_t i = 0; i < s->n_offsets; i++) {
        if (add_to_run(s, &s->entries[i]) < 0)
            return -1;
    }
    if (write_out(s) < 0)
        return -1;
    note_run(s, from);
    buf_clear(&s->bytes);
    s->n_offsets = 0;
    return 0;
}

int
spill_add(struct spill *s, struct str key, struct str payload)
{
    bool is_full = s->n_offsets == BUFFER_ENTRIES ||
                   (s->n_offsets > 0 && s->bytes.len + key.len + payload.len > BUFFER_BYTES);
    if (key.len > UINT32_MAX || payload.len > UINT32_MAX) {
        errno = EFBIG;
        return -1;
    }
    if (is_full && flush(s) < 0)
        return -1;
    s->offsets[s->n_offsets++] =
        (struct offsets){s->bytes.len, (uint32_t) key.len, (uint32_t) payload.len};
    buf_add_str(&s->bytes, key);
    buf_add_str(&s->bytes, payload);
    if (!buf_failed(&s->bytes))
        return 0;
    errno = ENOMEM;
    return -1;
}

/* --- reading runs ---------------------------------------------------------------------------- */

/* Makes n bytes available behind r->used: 1, 0 when the run ends before, -1. */
static int
fill(struct spill *s, struct reader *r, size_t n)
{
    if (r->ahead.len - r->used >= n)
        return 1;
    buf_drop_front(&r->ahead, r->used);
    r->used = 0;
    while (r->ahead.len < n) {
        size_t want = n - r->ahead.len > READ_BYTES ? n - r->ahead.len : READ_BYTES;
        if (want > r->to - r->at)
            want = (size_t) (r->to - r->at);
        if (want == 0)
            return 0;
        if (!buf_reserve(&r->ahead, want)) {
            errno = ENOMEM;
            return -1;
        }
        ssize_t got = pread(s->fd, r->ahead.data + r->ahead.len, want, (off_t) r->at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            errno = got == 0 ? EIO : errno;
            return -1;
        }
        r->ahead.len += (size_t) got;
        r->at += (uint64_t) got;
    }
    return 1;
}

/* The reader's next entry: 1, 0 at the end, -1. */
static int
advance(struct spill *s, struct reader *r)
{
    uint32_t head[2];
    int rc = fill(s, r, HEAD_BYTES);
    if (rc <= 0)
        return rc;
    memcpy(head, r->ahead.data + r->used, sizeof(head));
    size_t len = HEAD_BYTES + (size_t) head[0] + head[1];
    rc = fill(s, r, len);
    if (rc <= 0) {
        errno = rc == 0 ? EIO : errno;
        return -1;
    }
    const char *at = r->ahead.data + r->used + HEAD_BYTES;
    r->entry = (struct entry){str_make(at, head[0]), str_make(at + head[0], head[1])};
    r->used += len;
    return 1;
}

static void
sift_down(struct spill *s)
{
    struct reader **h = s->heap;
    for (size_t at = 0, child; (child = 2 * at + 1) < s->n_heap; at = child) {
        child += child + 1 < s->n_heap && compare(&h[child + 1]->entry, &h[child]->entry) < 0;
        if (compare(&h[at]->entry, &h[child]->entry) <= 0)
            return;
        struct reader *down = h[at];
        h[at] = h[child];
        h[child] = down;
    }
}

static void
push(struct spill *s, struct reader *r)
{
    size_t at = s->n_heap++;
    s->heap[at] = r;
    while (at > 0 && compare(&s->heap[at]->entry, &s->heap[(at - 1) / 2]->entry) < 0) {
        struct reader *up = s->heap[at];
        s->heap[at] = s->heap[(at - 1) / 2];
        s->heap[at = (at - 1) / 2] = up;
    }
}

/* Opens the next runs, as many as may be. */
static int
open_runs(struct spill *s)
{
    while (s->n_heap < OPEN_RUNS_MAX && s->first_run < s->n_runs) {
        struct reader *r = mem_new(1, sizeof(*r));
        *r = (struct reader){.at = s->runs[s->first_run].from, .to = s->runs[s->first_run].to};
        s->first_run++;
        int rc = advance(s, r);
        if (rc == 1)
            push(s, r);
        else
            reader_free(r);
        if (rc < 0)
            return -1;
    }
    return 0;
}

/* Moves on behind the entry last given. */
static int
settle_last(struct spill *s)
{
    struct reader *r = s->last;
    if (r == NULL)
        return 0;
    s->last = NULL;
    int rc = advance(s, r);
    if (rc == 1)
        push(s, r);
    else
        reader_free(r);
    return rc < 0 ? -1 : 0;
}

static int
next_of_runs(struct spill *s, struct entry *ret)
{
    if (settle_last(s) < 0)
        return -1;
    if (s->n_heap == 0)
        return 0;
    s->last = s->heap[0];
    s->heap[0] = s->heap[--s->n_heap];
    sift_down(s);
    *ret = s->last->entry;
    return 1;
}

/* --- merging --------------------------------------------------------------------------------- */

/* Writes the open runs as one: 1 more, 0 done, -1. */
static int
merge_open(struct spill *s, int64_t deadline_us)
{
    struct entry e;
    int rc;
    for (unsigned n = 1; (rc = next_of_runs(s, &e)) == 1; n++) {
        if (add_to_run(s, &e) < 0)
            return -1;
        if (n % CLOCK_EVERY == 0 && clock_mono_us() >= deadline_us)
            return 1;
    }
    if (rc < 0 || write_out(s) < 0)
        return -1;
    note_run(s, s->out_from);
    s->is_merging = false;
    return 0;
}

int
spill_merge(struct spill *s, int64_t deadline_us)
{
    if (s->is_ready)
        return 0;
    if (s->n_runs == 0) { /* all of it is in the buffer */
        sort_buffer(s);
        s->is_ready = true;
        return 0;
    }
    if (s->n_offsets > 0)
        return flush(s) < 0 ? -1 : 1;
    if (s->is_merging)
        return merge_open(s, deadline_us) < 0 ? -1 : 1;
    s->is_ready = s->n_runs - s->first_run <= OPEN_RUNS_MAX;
    s->is_merging = !s->is_ready;
    s->out_from = s->end;
    if (open_runs(s) < 0)
        return -1;
    return s->is_ready ? 0 : 1;
}

int
spill_next(struct spill *s, struct str *ret_key, struct str *ret_payload)
{
    struct entry e;
    int rc = 1;
    if (s->n_runs > 0)
        rc = next_of_runs(s, &e);
    else if (s->next_entry < s->n_offsets)
        e = s->entries[s->next_entry++];
    else
        rc = 0;
    if (rc == 1) {
        *ret_key = e.key;
        *ret_payload = e.payload;
    }
    return rc;
}
