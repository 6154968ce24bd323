#pragma once
/* One environment a search index: documents by internal id, external ids, field counts, and the
 * record of the last applied batch. At most INDEX_MAX_OPEN are open; the least recently used
 * unreferenced one closes. */
#include "base/uuid.h"
#include "codec/json.h"
#include "store/env.h"

enum { INDEX_MAX_OPEN = 32, DOCUMENT_ID_MAX_BYTES = 511, DOCUMENT_MAX_FIELDS = 65535 };

struct index_set; /* the directory indexes/ */
struct index;     /* one open environment, referenced */

struct index_set *index_set_open(const char *data_dir, struct err *err);
void index_set_close(struct index_set *s);
/* Large files are removed through it; without, at once. It outlives the set. */
struct trash;
void index_set_use_trash(struct index_set *s, struct trash *t);
/* Opens (creating when missing) and references. NULL with err. */
struct index *index_open(struct index_set *s, const struct uuid *uuid, struct err *err);
void index_release(struct index *i); /* NULL accepted */
/* Closes and unlinks the environment; waits for the last reference. Missing is fine. */
void index_remove(struct index_set *s, const struct uuid *uuid);
/* Unlinks directories for which keep() is false: at start. */
void index_set_sweep(struct index_set *s, bool (*keep)(void *arg, const struct uuid *uuid),
                     void *arg);
/* Adds the size of the index's files, without opening it; nothing when it has none yet. While it is
 * being compacted that counts the copy too. */
void index_set_add_size(struct index_set *s, const struct uuid *uuid, uint64_t *bytes);

/* --- document ids and primary keys (contract 5.3 - 5.5)
 * ----------------------------------------------------------------- */
/* The external id of a document as text appended to out: 0, or -1 with err (missing_document_id,
 * invalid_document_id). */
int document_id(const struct json *document, struct str primary_key, struct buf *out,
                struct err *err);
/* Whether text may be an external id. */
bool document_id_is_valid(struct str id);
/* Whether a document may be stored under it: data sources have wider ids (ops/staged_items.h). */
static inline bool
document_id_is_storable(struct str id)
{
    return id.len > 0 && id.len <= DOCUMENT_ID_MAX_BYTES;
}
/* Guesses the primary key from a document: 0 with the name appended, or -1 with err
 * (…_no_candidate_found, …). */
int primary_key_guess(const struct json *document, struct buf *out, struct err *err);

/* --- writing: one writer an index, its transaction stays open across turns
 * ------------------------------------------------ */
struct index_writer;
struct index_writer *index_writer_begin(struct index *i, struct err *err);
uint64_t index_writer_count(const struct index_writer *w);
enum document_method { DOCUMENT_REPLACE, DOCUMENT_MERGE };
/* Adds or changes one document. marker: the caller's number (not 0) of the payload. 2: this id was
 * not yet touched with this marker (a distinct id of the payload), 1: it was, 0: ignored
 * (skip_creation and unknown), negative with err: the writer must be aborted. */
struct index_add {
    struct str external_id;
    const struct json *document;
    struct str text; /* compact JSON of document, no name repeated (codec/ sees to that) */
    enum document_method method;
    bool skip_creation;
    uint32_t marker;
};
int index_writer_add(struct index_writer *w, const struct index_add *add, struct err *err);
int index_writer_delete(struct index_writer *w, struct str external_id,
                        struct err *err); /* 1 deleted, 0 unknown */
int index_writer_clear(struct index_writer *w, struct err *err);
/* The first document with internal id >= from as the writer sees it: 1 with id and text (valid
 * until the next change), 0 at the end, negative with err. */
int index_writer_next(struct index_writer *w, uint32_t from, uint32_t *ret_id, struct str *ret_text,
                      struct err *err);
/* From here on the writer notes which documents it changes, under the number of the run (not 0; 0:
 * nothing is noted, and what was goes). It is kept with the commit until the next writer that says
 * either: index_reader_next_change(). 0 or negative with err. */
int index_writer_note_changes(struct index_writer *w, uint64_t run, struct err *err);
/* Before a clear: all that is there, in pieces; nothing unless changes are noted. 1: call again, 0,
 * negative with err. */
int index_writer_note_all(struct index_writer *w, int64_t deadline_us, struct err *err);
struct index_totals {
    uint64_t n_documents, raw_bytes;
    char *field_distribution; /* JSON text, owned by the caller */
};
int index_writer_totals(struct index_writer *w, struct index_totals *ret);
/* A piece of what precedes the commit: documents of segments that hold little else than garbage are
 * moved until the deadline; then, one blocking piece a call, everything goes to the disk. 1: call
 * again, 0: the commit will be short, negative with err. Optional: the commit does what is left. */
int index_writer_settle(struct index_writer *w, int64_t deadline_us, struct err *err);
/* Commits documents together with the applied record (data NULL: it stays). Consumes w. Durable
 * when 0. */
int index_writer_commit(struct index_writer *w, struct str applied, struct err *err);
void index_writer_abort(struct index_writer *w); /* consumes; NULL accepted */

/* --- compacting: what garbage and free pages take goes back to the file system. It is the one
 * writer meanwhile; readers go on. begin, step ..., record, end. */
struct index_compaction;
struct index_compaction *index_compact_begin(struct index *i, struct err *err); /* NULL with err */
/* 1: call again, 0: all is copied, negative with err. */
int index_compact_step(struct index_compaction *c, int64_t deadline_us, struct err *err);
/* The applied record of the compacted index, durable with it; may be called again with another. */
int index_compact_record(struct index_compaction *c, struct str applied, struct err *err);
/* What the compacted index takes on the disk, without what was written since the last record. */
uint64_t index_compact_size(const struct index_compaction *c);
/* The compacted one takes the place of the index. Consumes c; not inside a reading. 0, or negative
 * with err: the index is as it was. */
int index_compact_end(struct index_compaction *c, struct err *err);
void index_compact_abort(struct index_compaction *c); /* consumes; NULL accepted */

/* --- reading: inside one callback
 * ---------------------------------------------------------------------------------------- */
struct index_reader {
    struct index *index;
    struct store_txn *txn;
};
int index_reader_open(struct index_reader *r, struct index *i);
void index_reader_close(struct index_reader *r);
uint64_t index_reader_count(struct index_reader *r);
int index_reader_get(struct index_reader *r, struct str external_id,
                     struct str *ret_text); /* 1 / 0 / negative */
/* The internal id of an external one: 1 / 0 / negative. */
int index_reader_find(struct index_reader *r, struct str external_id, uint32_t *ret_id);
/* The first document with internal id >= from: 1 with id and text, 0 at the end. For listing in
 * insertion order. */
int index_reader_next(struct index_reader *r, uint32_t from, uint32_t *ret_id,
                      struct str *ret_text);
int index_reader_applied(struct index_reader *r,
                         struct str *ret); /* the applied record, 1 / 0 / negative */

/* Whether the changes that are noted are that run's: 1 / 0 / negative. */
int index_reader_noted(struct index_reader *r, uint64_t run);
/* The first change with an external id > after (in byte order; len 0: the very first): 1 / 0 /
 * negative. Each id once, however often it was changed. */
struct index_change {
    struct str external_id;
    bool existed; /* before that run */
};
int index_reader_next_change(struct index_reader *r, struct str after, struct index_change *ret);

/* --- reading over several callbacks: one state of the index, whatever is committed meanwhile.
 * Nothing of that state is used again or given back before its end: release it within seconds. */
struct index_snapshot;
/* NULL: not now (too many are out, or the index is being compacted). References the index. */
struct index_snapshot *index_snapshot_take(struct index *i);
struct index_reader *index_snapshot_reader(struct index_snapshot *s); /* not to be closed */
void index_snapshot_release(struct index_snapshot *s);                /* NULL accepted */

/* --- settings (settings.h), committed with the writer's other changes
 * ----------------------------------------------------- */
struct settings;
int index_reader_settings(struct index_reader *r, struct settings *ret); /* 0 or STORE_E* */
int index_writer_settings(struct index_writer *w, struct settings *ret, struct err *err);
int index_writer_set_settings(struct index_writer *w, const struct settings *s, struct err *err);

/* Writes the document with only the wanted fields, in document order (contract 5.6). n == 0: all of
 * them. */
void document_write_fields(struct buf *out, struct str text, const struct str *fields, size_t n);
