#pragma once
/* What the files of report/ share; nobody else includes it.
 *
 * definition.c   what a report shows; the built-in ones
 * definitions.c  the stored ones
 * record.c       the row of a report
 * reports.c      the object: adding, looking, results and their end
 * ended.c        what a finishing batch ended: records, events
 * run.c          the batch operation; source.c its rows, spill.c sorting, group.c aggregates
 * format.c       text formats; pdf.c, ttf.c */
#include "report/format.h"
#include "report/reports.h"
#include "store/tables.h"

#define LOG_TARGET "report"

struct report_record {
    enum report_state state; /* PENDING until it has ended */
    char *report_type, *index_uid;
    const struct report_format *format;
    enum report_source source;
    struct uuid callback, file;
    int64_t created_at_ns, finished_at_ns, expires_at_ns;
    uint64_t n_rows, n_bytes;
    uint8_t digest[16];
    struct err error;
};
void report_record_done(struct report_record *r);
void report_record_encode(struct buf *out, const struct report_record *r);
int report_record_get(struct store_txn *txn, uint32_t uid, struct report_record *ret);
int report_record_decode(struct report_record *ret, struct str value); /* 0 or STORE_ECORRUPT */
int report_record_put(struct store_txn *txn, uint32_t uid, const struct report_record *r);

struct unfinished {
    uint32_t uid;
    struct uuid callback;
};
struct result {
    uint32_t uid;
    uint64_t n_bytes;
    int64_t expires_at_ns;
    struct uuid file;
};

/* What becomes true in memory when this turn's commit is durable. */
struct change {
    struct change *next;
    struct reports *reports;
    struct turn_waiter waiter;
    struct unfinished *added;
    size_t n_added;
    uint32_t *ended;
    size_t n_ended;
    struct result *kept, *removed;
    size_t n_kept, n_removed;
};

struct reports {
    struct reports_conf conf;
    char *dir; /* <data_dir>/reports */
    struct payload_dir *files;
    struct unfinished *unfinished;
    size_t n_unfinished, unfinished_cap;
    struct result *results; /* the oldest first */
    size_t n_results, results_cap;
    uint64_t n_bytes; /* of all results */
    struct change *changes;
    struct loop_timer janitor;
    const struct batch_run *running; /* NULL: none */
};

/* --- reports.c */
struct change *change_begin(struct reports *r); /* of this turn */
void change_end(struct change *c, const uint32_t *uid);
void change_keep(struct change *c, const struct result *result);
/* Takes a result away in txn: 0 or negative. */
int reports_drop_result(struct change *c, struct store_txn *txn, const struct result *result);

/* --- run.c */
extern const struct batch_op report_op;

/* --- source.c: the rows a report is made of, by ascending number */
struct source {
    struct reports *reports;
    enum report_source kind;
    struct index *index; /* of documents; owned */
    struct index_reader reader;
    struct store_txn *txn;
    struct buf text;
};
int source_begin(struct source *s); /* a slice: 0 or STORE_E* */
void source_end(struct source *s);
/* The first row with number >= from: 1 (its text is valid until the next call), 0, negative. */
int source_next(struct source *s, uint64_t from, uint64_t *ret_number, struct str *ret_text);
uint64_t source_total(struct source *s);
/* The columns of a table when the definition chose none; static. */
const char *const *source_columns(enum report_source kind, size_t *ret_n);

/* --- group.c */
struct grouping;
struct grouping *grouping_new(const struct report_definition *d);
void grouping_free(struct grouping *g);
/* What a row is to its group: the key that equal groups share, and what is aggregated. */
void grouping_entry(const struct grouping *g, const struct json *row, struct buf *key,
                    struct buf *payload);
void grouping_add(struct grouping *g, struct str payload); /* to the group that is open */
bool grouping_is_open(const struct grouping *g);
void grouping_take(struct grouping *g, struct buf *out); /* its object as JSON; none is open then */
