/* Fills a data directory with events and what they owe, through the real outbox:
 * bench/events DIR N RETRIES URL... makes N events of one task each, owed to a webhook for each URL
 * (at most 20; "wait": false). With RETRIES above 0 each delivery has failed once, and they become
 * due evenly over so many seconds from now. For measuring only. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/tables.h"
#include "webhook/owed.h"
#include "webhook/webhook.h"

enum { A_TURN = 1000 };

struct fill {
    struct loop *loop;
    struct turn *turn;
    struct webhooks *webhooks;
    struct loop_slice adding;
    uint32_t n, total;
    int64_t retries_ms;
    uint64_t delivery; /* the next to be made a retry */
    struct err err;
};

static const char *const kinds[] = {"documentAdditionOrUpdate"};
static const char *const statuses[] = {NULL, NULL, "succeeded"};

static void
give_up(const struct fill *f, int rc)
{
    (void) fprintf(stderr, "events: %s\n",
                   err_is_set(&f->err) ? f->err.message : store_strerror(rc));
    exit(1);
}

static void
add_event(struct fill *f, struct store_txn *txn)
{
    static const char line[] =
        "{\"uid\":%u,\"batchUid\":%u,\"indexUid\":\"movies\",\"status\":\"succeeded\",\"type\":"
        "\"documentAdditionOrUpdate\",\"canceledBy\":null,\"details\":{\"receivedDocuments\":1,"
        "\"indexedDocuments\":1},\"error\":null,\"duration\":\"PT0.001234567S\",\"enqueuedAt\":"
        "\"2026-01-01T00:00:00.123456789Z\",\"startedAt\":\"2026-01-01T00:00:00.133456789Z\","
        "\"finishedAt\":\"2026-01-01T00:00:00.143456789Z\"}";
    char text[1024];
    struct event_line_facts facts = {.index_uids = STR("movies"), .kind = 0, .status = 2};
    void *builder = webhooks_event_begin(f->webhooks, f->n);
    (void) snprintf(text, sizeof(text), line, f->n, f->n);
    int rc = webhooks_event_add(builder, txn, &facts, str_from(text));
    if (rc == 0)
        rc = webhooks_event_finish(builder, txn);
    if (rc != 0)
        give_up(f, rc);
    (void) webhooks_announce(f->webhooks, f->n);
    f->n++;
}

/* Every delivery that this turn made. */
static void
make_retries(struct fill *f, struct store_txn *txn, int64_t now_ms)
{
    struct delivery_record d;
    for (; delivery_get(txn, f->delivery, &d) == 1; f->delivery++) {
        const struct delivery_record before = d;
        d.attempts = 1;
        d.due_at_ms = now_ms + 1000 + f->retries_ms * (int64_t) d.sequence / f->total;
        int rc = owed_move(txn, f->delivery, &before, d.due_at_ms);
        if (rc == 0)
            rc = delivery_put(txn, f->delivery, &d);
        if (rc < 0)
            give_up(f, rc);
    }
}

static enum loop_slice_result
fill_step(void *arg, int64_t deadline_us)
{
    struct fill *f = arg;
    struct store_txn *txn = turn_txn(f->turn);
    (void) deadline_us;
    if (f->n >= f->total) {
        loop_stop(f->loop);
        return SLICE_IDLE;
    }
    for (int i = 0; i < A_TURN && f->n < f->total; i++)
        add_event(f, txn);
    if (f->retries_ms > 0)
        make_retries(f, txn, clock_wall_ms());
    return SLICE_MORE;
}

static void
add_webhook(struct fill *f, const char *url)
{
    char text[256];
    struct buf out = BUF_INIT;
    (void) snprintf(text, sizeof(text), "{\"url\":\"%s\",\"wait\":false}", url);
    struct json_doc *doc = json_parse(str_from(text), NULL);
    if (webhooks_create(f->webhooks, json_root(doc), &out, &f->err) != 0)
        give_up(f, 0);
    json_doc_free(doc);
    buf_done(&out);
}

int
main(int argc, char **argv)
{
    struct fill f = {.err = ERR_INIT, .delivery = 1};
    struct store_env *env = NULL;
    if (argc < 5)
        return 2;
    f.total = (uint32_t) strtoul(argv[2], NULL, 10);
    f.retries_ms = strtol(argv[3], NULL, 10) * 1000;
    log_setup(LOG_OFF, LOG_HUMAN);
    if (mkdir(argv[1], 0700) != 0 || main_env_open(&env, argv[1], &f.err) < 0 ||
        (f.loop = loop_new(&f.err)) == NULL)
        give_up(&f, STORE_EIO);
    f.turn = turn_new(f.loop, env, argv[1]);
    struct webhooks_conf conf = {.loop = f.loop,
                                 .turn = f.turn,
                                 .words = {.kinds = kinds,
                                           .statuses = statuses,
                                           .n_kinds = sizeof(kinds) / sizeof(kinds[0]),
                                           .n_statuses = sizeof(statuses) / sizeof(statuses[0])}};
    f.webhooks = webhooks_new(&conf, &f.err);
    if (f.webhooks == NULL)
        give_up(&f, 0);
    for (int i = 4; i < argc; i++)
        add_webhook(&f, argv[i]);
    loop_slice_init(&f.adding, f.loop, fill_step, &f);
    loop_slice_wake(&f.adding);
    loop_run(f.loop);
    turn_abort(f.turn);
    webhooks_free(f.webhooks);
    turn_free(f.turn);
    loop_free(f.loop);
    store_env_close(env);
    return 0;
}
