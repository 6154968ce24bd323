/* The tests' queue: see fixture.h. */
#include "fixture.h"

#include <ftw.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/tables.h"

enum { GIVE_UP_US = 20 * 1000 * 1000 };

/* --- the operation */

static struct fixture *
fixture_of(struct batch_run *run)
{
    return queue_op_arg(run);
}

static int
fail_or(struct batch_run *run, enum stage stage, int result)
{
    struct fixture *f = fixture_of(run);
    f->calls[stage]++;
    if (f->fail == stage) {
        if (f->fail_message != NULL)
            (void) err_set(&run->err, ERR_INDEX_NOT_FOUND, "%s", f->fail_message);
        return -1;
    }
    return f->hold == stage ? OP_MORE : result;
}

static int
op_prepare(struct batch_run *run)
{
    struct fixture *f = fixture_of(run);
    if (run->state == NULL) {
        run->state = mem_new(1, 16);
        f->states++;
    }
    return fail_or(run, STAGE_PREPARE, OP_DONE);
}

static void
decide(struct fixture *f, struct batch_member *m)
{
    if (m->uid == f->fail_member) {
        m->outcome = TASK_FAILED;
        (void) err_set(&m->error, ERR_INVALID_DOCUMENT_ID, "bad id");
        return;
    }
    m->outcome = TASK_SUCCEEDED;
    free(m->details);
    m->details = mem_strdup("{\"receivedDocuments\":1,\"indexedDocuments\":1}");
}

static int
op_step(struct batch_run *run, int64_t deadline_us)
{
    struct fixture *f = fixture_of(run);
    (void) deadline_us;
    size_t done = 0;
    while (done < run->n_members && run->members[done].outcome != TASK_PROCESSING)
        done++;
    if (done < run->n_members && f->calls[STAGE_STEP] % (f->steps + 1) == f->steps)
        decide(f, &run->members[done++]);
    batch_run_step(run, 1, &(struct progress_step){"indexing", 3, 4});
    batch_run_step(run, 2, &(struct progress_step){"document", done, run->n_members});
    return fail_or(run, STAGE_STEP, done < run->n_members ? OP_MORE : OP_DONE);
}

static int
op_commit(struct batch_run *run)
{
    struct fixture *f = fixture_of(run);
    int rc = fail_or(run, STAGE_COMMIT, OP_DONE);
    if (rc == OP_DONE)
        f->applied_run = run->run_id;
    return rc;
}

static int
op_finish(struct batch_run *run, struct store_txn *txn)
{
    struct fixture *f = fixture_of(run);
    f->calls[STAGE_FINISH]++;
    if (f->rename_a != NULL)
        assert_int_equal(queue_rename_indexes(run->queue, txn, str_from(f->rename_a),
                                              str_from(f->rename_b), f->rename_below),
                         0);
    return f->hold == STAGE_FINISH ? STORE_EIO : 0;
}

static int
op_recover(struct batch_run *run)
{
    struct fixture *f = fixture_of(run);
    f->calls[STAGE_RECOVER]++;
    if (f->fail == STAGE_RECOVER)
        return -1;
    if (f->applied_run != run->run_id)
        return 0;
    run->state = mem_new(1, 16);
    f->states++;
    for (size_t i = 0; i < run->n_members; i++)
        decide(f, &run->members[i]);
    return 1;
}

static void
release(struct batch_run *run, enum stage stage)
{
    struct fixture *f = fixture_of(run);
    f->calls[stage]++;
    f->states -= run->state != NULL;
    free(run->state);
    run->state = NULL;
}

static void
op_abort(struct batch_run *run)
{
    release(run, STAGE_ABORT);
}

static void
op_done(struct batch_run *run)
{
    release(run, STAGE_DONE);
}

static const struct batch_op documents_op = {
    .name = "documents",
    .prepare = op_prepare,
    .step = op_step,
    .commit = op_commit,
    .finish = op_finish,
    .recover = op_recover,
    .abort = op_abort,
    .done = op_done,
};

/* Succeeds at once; for kinds whose work does not matter here. */
static int
plain_step(struct batch_run *run, int64_t deadline_us)
{
    (void) deadline_us;
    for (size_t i = 0; i < run->n_members; i++)
        run->members[i].outcome = TASK_SUCCEEDED;
    return OP_DONE;
}

static void
plain_done(struct batch_run *run)
{
    struct fixture *f = fixture_of(run);
    if (f->stop_when_done)
        loop_stop(f->loop);
}

static const struct batch_op plain_op = {
    .name = "plain",
    .step = plain_step,
    .finish = op_finish,
    .done = plain_done,
};

/* What the real operation does, all in one step. */
static int
cancel_step(struct batch_run *run, int64_t deadline_us)
{
    struct fixture *f = fixture_of(run);
    struct store_txn *txn = turn_read(f->turn);
    struct uidmap matched;
    uint32_t at = 0, uid, own = run->members[0].uid;
    char details[64];
    int canceled = 0;
    (void) deadline_us;
    assert_int_equal(queue_matched(txn, own, &matched), 0);
    for (; queue_next_enqueued(txn, &matched, at, &uid) == 1; at = uid + 1) {
        batch_run_add_member(run, uid, TASK_CANCELED, NULL);
        canceled++;
    }
    uidmap_done(&matched);
    store_abort(txn);
    (void) snprintf(details, sizeof(details), "{\"matchedTasks\":9,\"canceledTasks\":%d}",
                    canceled);
    for (size_t i = 0; i < run->n_members; i++) {
        if (run->members[i].uid != own)
            continue;
        run->members[i].outcome = TASK_SUCCEEDED;
        run->members[i].details = mem_strdup(details);
    }
    return f->fail == STAGE_STEP ? -1 : OP_DONE;
}

static const struct batch_op cancel_op = {.name = "cancel", .step = cancel_step};

/* --- the hooks */

static int
hook_index_facts(void *arg, struct store_txn *txn, struct str index_uid, struct index_facts *ret)
{
    struct fixture *f = arg;
    (void) txn;
    assert_true(index_uid.len > 0);
    ret->exists = f->index_exists;
    ret->primary_key = f->index_exists ? mem_strdup(f->index_key) : NULL;
    return 0;
}

struct event {
    struct fixture *f;
    struct buf lines;
    uint32_t last_uid;
};

static void *
hook_event_begin(void *arg, uint32_t batch_uid)
{
    struct fixture *f = arg;
    (void) batch_uid;
    if (!f->listens)
        return NULL;
    struct event *e = mem_new(1, sizeof(*e));
    e->f = f;
    e->last_uid = TASK_NONE;
    f->open_events++;
    return e;
}

static int
hook_event_add(void *builder, struct store_txn *txn, const struct task *t, struct str line)
{
    struct event *e = builder;
    assert_non_null(txn);
    assert_true(e->last_uid == TASK_NONE || t->uid > e->last_uid);
    e->last_uid = t->uid;
    buf_add_str(&e->lines, line);
    buf_add_char(&e->lines, '\n');
    return 0;
}

static void
free_event(struct event *e)
{
    e->f->open_events--;
    buf_done(&e->lines);
    free(e);
}

static int
hook_event_finish(void *builder, struct store_txn *txn)
{
    struct event *e = builder;
    assert_non_null(txn);
    if (e->f->event_refused) {
        e->f->event_refused = false;
        free_event(e);
        return STORE_EIO;
    }
    buf_add_str(&e->f->lines, buf_str(&e->lines));
    buf_add_cstr(&e->f->lines, "--\n");
    e->f->events++;
    free_event(e);
    return 0;
}

static void
hook_event_discard(void *builder)
{
    struct event *e = builder;
    e->f->discarded++;
    free_event(e);
}

static bool
hook_announce(void *arg, uint32_t batch_uid)
{
    struct fixture *f = arg;
    if (f->n_announced < MAX_ANNOUNCED)
        f->announced[f->n_announced] = batch_uid;
    f->n_announced++;
    if (f->announce_inside)
        queue_announced(f->queue, batch_uid);
    return f->must_wait;
}

/* --- life */

/* At the end of every turn: no task's status goes back (contract 2.10). */
static void
watch(void *arg)
{
    struct fixture *f = arg;
    struct store_txn *txn = f->watches && f->queue != NULL ? turn_read(f->turn) : NULL;
    struct task t;
    if (txn == NULL)
        return;
    for (uint32_t uid = 0; uid < MAX_WATCHED && queue_task_get(f->queue, txn, uid, &t) == 1;
         uid++) {
        assert_true(t.status >= f->watched[uid]);
        f->watched[uid] = t.status;
        task_done(&t);
    }
    store_abort(txn);
}

static void
on_poll(void *arg)
{
    struct fixture *f = arg;
    if (f->until(f)) {
        loop_stop(f->loop);
        return;
    }
    f->timed_out = clock_mono_us() >= f->give_up_us;
    if (f->timed_out)
        loop_stop(f->loop);
    else
        loop_timer_set_ms(&f->poll, 1);
}

void
fixture_open(struct fixture *f)
{
    struct err err = ERR_INIT;
    f->loop = loop_new(&err);
    assert_non_null(f->loop);
    loop_timer_init(&f->poll, f->loop, on_poll, f);
    assert_int_equal(main_env_open(&f->env, f->dir, &err), 0);
    f->turn = turn_new(f->loop, f->env, f->dir);
    loop_on_turn_end(f->loop, watch, f);
    f->payloads = payload_dir_open(f->dir, &err);
    assert_non_null(f->payloads);
    f->queue = queue_new(f->loop, f->turn, f->payloads, &f->conf, &err);
    assert_non_null(f->queue);
    const struct queue_hooks hooks = {
        .arg = f,
        .index_facts = hook_index_facts,
        .event_begin = hook_event_begin,
        .event_add = hook_event_add,
        .event_finish = hook_event_finish,
        .event_discard = hook_event_discard,
        .announce = hook_announce,
    };
    queue_set_hooks(f->queue, &hooks);
    queue_register_op(f->queue, BATCH_DOCUMENTS, &documents_op, f);
    queue_register_op(f->queue, BATCH_INDEX_SWAP, &plain_op, f);
    queue_register_op(f->queue, BATCH_INDEX_DELETION, &plain_op, f);
    queue_register_op(f->queue, BATCH_TASK_DELETION, &plain_op, f);
    queue_register_op(f->queue, BATCH_TASK_CANCELATION, &cancel_op, f);
}

void
fixture_start(struct fixture *f)
{
    struct err err = ERR_INIT;
    assert_int_equal(queue_start(f->queue, false, &err), 0);
}

void
fixture_close(struct fixture *f)
{
    loop_timer_done(&f->poll);
    queue_free(f->queue);
    f->queue = NULL;
    turn_free(f->turn);
    payload_dir_close(f->payloads);
    loop_free(f->loop);
    store_env_close(f->env);
    assert_int_equal(f->states, 0);
    assert_int_equal(f->open_events, 0);
}

void
fixture_restart(struct fixture *f)
{
    fixture_close(f);
    f->hold = f->fail = STAGE_NONE;
    memset(f->calls, 0, sizeof(f->calls));
    memset(f->watched, 0, sizeof(f->watched));
    fixture_open(f);
    fixture_start(f);
}

int
fixture_setup(void **state)
{
    struct fixture *f = mem_new(1, sizeof(*f));
    log_setup(LOG_OFF, LOG_HUMAN);
    (void) snprintf(f->dir, sizeof(f->dir), "/tmp/taskhook-queue-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->conf = (struct queue_conf){
        .max_batched_tasks = UINT64_MAX,
        .max_batched_bytes = UINT64_MAX,
    };
    f->fail_member = TASK_NONE;
    f->listens = true;
    f->watches = true;
    f->index_exists = true;
    fixture_open(f);
    *state = f;
    return 0;
}

static int
remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void) st;
    (void) flag;
    (void) ftw;
    return remove(path);
}

int
fixture_teardown(void **state)
{
    struct fixture *f = *state;
    fixture_close(f);
    assert_int_equal(nftw(f->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
    buf_done(&f->lines);
    free(f);
    return 0;
}

/* --- running */

void
run_until(struct fixture *f, bool (*until)(struct fixture *f))
{
    f->until = until;
    f->give_up_us = clock_mono_us() + GIVE_UP_US;
    f->timed_out = false;
    loop_timer_set_ms(&f->poll, 0);
    loop_run(f->loop);
    if (f->timed_out)
        fail_msg("the awaited condition did not come");
}

bool
is_settled(struct fixture *f)
{
    struct queue_stats stats = queue_stats(f->queue);
    return stats.enqueued == 0 && !stats.running && rows_in(f, TABLE_TASK_RESULTS) == 0;
}

bool
is_holding(struct fixture *f)
{
    return f->calls[f->hold] > 0;
}

static struct {
    struct loop_timer timer;
    struct loop *loop;
    int left;
} turns;

static void
on_turn(void *arg)
{
    (void) arg;
    if (--turns.left <= 0)
        loop_stop(turns.loop);
    else
        loop_timer_set_ms(&turns.timer, 0);
}

void
run_turns(struct fixture *f, int n)
{
    turns.loop = f->loop;
    turns.left = n;
    loop_timer_init(&turns.timer, f->loop, on_turn, NULL);
    loop_timer_set_ms(&turns.timer, 0);
    loop_run(f->loop);
    loop_timer_done(&turns.timer);
}

/* --- adding */

uint32_t
add_task(struct fixture *f, const struct task_new *n)
{
    struct err err = ERR_INIT;
    uint32_t uid = TASK_NONE;
    assert_int_equal(queue_add(f->queue, n, &uid, NULL, &err), 0);
    return uid;
}

uint32_t
add_import(struct fixture *f, const char *index_uid)
{
    return add_task(f, &(struct task_new){
                           .kind = KIND_DOCUMENT_ADDITION_OR_UPDATE,
                           .role = ROLE_IMPORT,
                           .index_uid = str_from(index_uid),
                           .details = STR("{\"receivedDocuments\":1,\"indexedDocuments\":null}"),
                       });
}

uint32_t
add_role(struct fixture *f, enum task_kind kind, enum task_role role, const char *index_uid)
{
    return add_task(
        f, &(struct task_new){.kind = kind, .role = role, .index_uid = str_from(index_uid)});
}

uint32_t
add_cancelation(struct fixture *f, const char *matched)
{
    struct uidset set;
    struct uidmap map;
    uidmap_init(&map);
    assert_true(uidset_read(&set, str_from(matched)));
    for (uint32_t at = 0, uid; uidset_seek(&set, at, &uid); at = uid + 1)
        uidmap_add(&map, uid);
    uint32_t uid = add_task(
        f, &(struct task_new){
               .kind = KIND_TASK_CANCELATION,
               .role = ROLE_CANCELATION,
               .details = STR(
                   "{\"matchedTasks\":9,\"canceledTasks\":null,\"originalFilter\":\"?uids=*\"}"),
               .matched = &map,
           });
    uidset_done(&set);
    uidmap_done(&map);
    return uid;
}

/* --- reading */

static char text[1 << 16];

static const char *
keep(struct buf *b)
{
    assert_true(b->len < sizeof(text));
    (void) snprintf(text, sizeof(text), "%s", buf_cstr(b));
    buf_done(b);
    return text;
}

const char *
task_json(struct fixture *f, uint32_t uid)
{
    struct store_txn *txn = turn_read(f->turn);
    struct buf out = BUF_INIT;
    struct task t;
    if (queue_task_get(f->queue, txn, uid, &t) == 1) {
        task_write_json(&out, &t);
        task_done(&t);
    }
    store_abort(txn);
    return keep(&out);
}

const char *
batch_json(struct fixture *f, uint32_t uid)
{
    struct store_txn *txn = turn_read(f->turn);
    struct buf out = BUF_INIT;
    struct batch b;
    if (queue_batch_get(f->queue, txn, uid, &b) == 1) {
        batch_write_json(&out, &b);
        batch_done(&b);
    }
    store_abort(txn);
    return keep(&out);
}

static void
read_task(struct fixture *f, uint32_t uid, struct task *t)
{
    struct store_txn *txn = turn_read(f->turn);
    assert_int_equal(queue_task_get(f->queue, txn, uid, t), 1);
    store_abort(txn);
}

enum task_status
status_of(struct fixture *f, uint32_t uid)
{
    struct task t;
    read_task(f, uid, &t);
    enum task_status status = t.status;
    task_done(&t);
    return status;
}

uint32_t
batch_of(struct fixture *f, uint32_t uid)
{
    struct task t;
    read_task(f, uid, &t);
    uint32_t batch_uid = t.batch_uid;
    task_done(&t);
    return batch_uid;
}

uint64_t
rows_in(struct fixture *f, int table)
{
    uint64_t count = 0;
    struct store_txn *txn = turn_read(f->turn);
    assert_int_equal(store_count(txn, table, &count), 0);
    store_abort(txn);
    return count;
}

void
expect_in(const char *whole, const char *part)
{
    if (strstr(whole, part) == NULL)
        fail_msg("\"%s\" is not in \"%s\"", part, whole);
}
