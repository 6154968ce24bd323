/* Fills a data directory with finished tasks, through the real queue with operations that do
 * nothing: bench/fill DIR N. Ten indexes take turns, batches hold up to 50 tasks, one task in
 * twenty fails, one in a hundred is canceled. For measuring only. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"
#include "queue/queue.h"
#include "store/tables.h"

enum { AT_ONCE = 2000, AHEAD = 20000, BATCH = 50, INDEXES = 10 };

struct fill {
    struct loop *loop;
    struct turn *turn;
    struct queue *queue;
    struct loop_slice adding;
    struct loop_timer poll;
    uint32_t n, total;
};

static int
step(struct batch_run *run, int64_t deadline_us)
{
    (void) deadline_us;
    for (size_t i = 0; i < run->n_members; i++) {
        struct batch_member *m = &run->members[i];
        if (m->uid % 20 == 7) {
            m->outcome = TASK_FAILED;
            (void) err_set(&m->error, ERR_INVALID_DOCUMENT_ID, "no such id");
            continue;
        }
        m->outcome = TASK_SUCCEEDED;
        m->details = mem_strdup("{\"receivedDocuments\":1,\"indexedDocuments\":1}");
    }
    return OP_DONE;
}

static int
cancel(struct batch_run *run, int64_t deadline_us)
{
    struct fill *f = queue_op_arg(run);
    struct uidmap matched;
    uint32_t uid, own = run->members[0].uid;
    struct store_txn *txn = turn_read(f->turn);
    (void) deadline_us;
    if (txn == NULL || queue_matched(txn, own, &matched) < 0)
        return -1;
    for (uint32_t at = 0; queue_next_enqueued(txn, &matched, at, &uid) == 1; at = uid + 1)
        batch_run_add_member(run, uid, TASK_CANCELED, NULL);
    store_abort(txn);
    uidmap_done(&matched);
    for (size_t i = 0; i < run->n_members; i++)
        if (run->members[i].uid == own)
            run->members[i].outcome = TASK_SUCCEEDED;
    return OP_DONE;
}

static const struct batch_op op = {.name = "nothing", .step = step};
static const struct batch_op cancel_op = {.name = "cancel", .step = cancel};

static void
add(struct fill *f, const struct task_new *n)
{
    uint32_t uid;
    struct err err = ERR_INIT;
    if (queue_add(f->queue, n, &uid, NULL, &err) < 0) {
        (void) fprintf(stderr, "fill: %s\n", err.message);
        exit(1);
    }
    f->n++;
}

static void
add_one(struct fill *f)
{
    char name[16];
    bool deletes = f->n % 10 == 3;
    (void) snprintf(name, sizeof(name), "index-%u", f->n % INDEXES);
    add(f, &(struct task_new){
               .kind = deletes ? KIND_DOCUMENT_DELETION : KIND_DOCUMENT_ADDITION_OR_UPDATE,
               .role = deletes ? ROLE_DELETE_BY_IDS : ROLE_IMPORT,
               .index_uid = str_from(name),
               .details = STR("{\"receivedDocuments\":1,\"indexedDocuments\":null}"),
               .allow_index_creation = true,
           });
}

/* Ten of the newest thousand. */
static void
add_cancelation(struct fill *f)
{
    struct uidmap matched;
    uidmap_init(&matched);
    for (uint32_t i = 1; i <= 10; i++)
        uidmap_add(&matched, f->n - i * 7);
    add(f, &(struct task_new){.kind = KIND_TASK_CANCELATION,
                              .role = ROLE_CANCELATION,
                              .details = STR("{\"matchedTasks\":10,\"canceledTasks\":null,"
                                             "\"originalFilter\":\"?uids=1\"}"),
                              .matched = &matched});
    uidmap_done(&matched);
}

static enum loop_slice_result
fill_step(void *arg, int64_t deadline_us)
{
    struct fill *f = arg;
    (void) deadline_us;
    if (queue_stats(f->queue).enqueued > AHEAD)
        return SLICE_MORE;
    for (int i = 0; i < AT_ONCE && f->n < f->total; i++) {
        add_one(f);
        if (f->n % 1000 == 999 && f->n + 1 < f->total)
            add_cancelation(f);
    }
    return f->n < f->total ? SLICE_MORE : SLICE_IDLE;
}

static void
on_poll(void *arg)
{
    struct fill *f = arg;
    struct queue_stats s = queue_stats(f->queue);
    if (f->n == f->total && s.enqueued == 0 && !s.running)
        loop_stop(f->loop);
    else
        loop_timer_set_ms(&f->poll, 20);
}

static void
run(struct fill *f, struct err *err)
{
    for (int type = 0; type < BATCH_TYPES; type++)
        queue_register_op(f->queue, (enum batch_type) type,
                          type == BATCH_TASK_CANCELATION ? &cancel_op : &op, f);
    loop_slice_init(&f->adding, f->loop, fill_step, f);
    loop_timer_init(&f->poll, f->loop, on_poll, f);
    if (queue_start(f->queue, false, err) < 0)
        return;
    loop_slice_wake(&f->adding);
    loop_timer_set_ms(&f->poll, 20);
    loop_run(f->loop);
    loop_timer_done(&f->poll);
}

int
main(int argc, char **argv)
{
    struct fill f = {0};
    struct err err = ERR_INIT;
    struct store_env *env = NULL;
    struct queue_conf conf = {.max_batched_tasks = BATCH, .max_batched_bytes = UINT64_MAX};
    if (argc != 3)
        return 2;
    log_setup(LOG_WARN, LOG_HUMAN);
    f.total = (uint32_t) strtoul(argv[2], NULL, 10);
    if (mkdir(argv[1], 0700) != 0 || main_env_open(&env, argv[1], &err) < 0 ||
        (f.loop = loop_new(&err)) == NULL) {
        (void) fprintf(stderr, "fill: cannot make %s: %s\n", argv[1],
                       err.message == NULL ? "mkdir" : err.message);
        return 1;
    }
    f.turn = turn_new(f.loop, env, argv[1]);
    struct payload_dir *payloads = payload_dir_open(argv[1], &err);
    f.queue = payloads == NULL ? NULL : queue_new(f.loop, f.turn, payloads, &conf, &err);
    if (f.queue != NULL)
        run(&f, &err);
    turn_abort(f.turn);
    queue_free(f.queue);
    payload_dir_close(payloads);
    turn_free(f.turn);
    loop_free(f.loop);
    store_env_close(env);
    if (err_is_set(&err))
        (void) fprintf(stderr, "fill: %s\n", err.message);
    return err_is_set(&err);
}
