/* What finished batches tell organisations: nothing, and at no cost, unless somebody listens. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "index/index_internal.h"
#include "ops/news.h"
#include "store/tables.h"
#include "webhook/organization_webhooks.h"

static void *
begin(void *arg, uint32_t batch_uid)
{
    struct fixture *f = arg;

    return news_begin(f->ops, batch_uid);
}

static int
step(void *builder, struct store_txn *txn, const struct batch_run *run)
{
    return news_step(builder, txn, run);
}

static int
add(void *builder, struct store_txn *txn, const struct task *t, struct str line)
{
    (void) line;
    return news_add(builder, txn, t);
}

static int
finish(void *builder, struct store_txn *txn)
{
    return news_finish(builder, txn);
}

static void
discard(void *builder)
{
    news_discard(builder);
}

static int
facts(void *arg, struct store_txn *txn, struct str index_uid, struct index_facts *ret)
{
    struct fixture *f = arg;

    return ops_index_facts(f->ops, txn, index_uid, ret);
}

/* The webhooks, which are not started; one subscription. */
static struct webhooks *
listen_for(struct fixture *f, const char *events)
{
    struct queue_hooks hooks = {.arg = f,
                                .index_facts = facts,
                                .event_begin = begin,
                                .event_step = step,
                                .event_add = add,
                                .event_finish = finish,
                                .event_discard = discard};
    struct webhooks_conf conf = {.loop = f->loop, .turn = f->turn};
    struct webhooks *w = webhooks_new(&conf, &f->err);
    struct json_doc *names = json_parse(str_from(events), NULL);
    struct json_doc *channels = json_parse(
        STR("[{\"channel\":\"webhook\",\"configs\":{\"url\":\"https://a.test/\"}}]"), NULL);
    struct organization_draft d = {.name = STR("w"),
                                   .event_types = json_root(names),
                                   .channels = json_root(channels),
                                   .is_active = true};
    struct buf out = BUF_INIT;

    assert_non_null(w);
    assert_int_equal(organization_webhooks_create(w, &d, &out, &f->err), 0);
    fixture_turn(f);
    buf_done(&out);
    json_doc_free(names);
    json_doc_free(channels);
    ops_tell(f->ops, w);
    queue_set_hooks(f->queue, &hooks);
    return w;
}

/* An index that is made by its first import, changed, and partly emptied: two documents stay. */
static void
work(struct fixture *f)
{
    add_documents(f, "movies", "id", "{\"id\":1}\n{\"id\":2}\n{\"id\":\"x\"}");
    fixture_run(f);
    add_documents(f, "movies", NULL, "{\"id\":2,\"a\":1}");
    delete_documents(f, "movies", "\"1\"");
    fixture_run(f);
    update_settings(f, "movies", "{\"stopWords\":[\"a\"]}", true);
    fixture_run(f);
}

static void
count_main(struct fixture *f, uint64_t ret[TABLE_COUNT])
{
    struct store_txn *txn = turn_read(f->turn);

    assert_non_null(txn);
    for (int i = 0; i < TABLE_COUNT; i++)
        assert_int_equal(store_count(txn, i, &ret[i]), 0);
    store_abort(txn);
}

/* Rows that the index's writer noted. */
static uint64_t
count_noted(struct fixture *f)
{
    struct store_txn *txn = turn_read(f->turn);
    struct index_info info;
    struct index_reader r;
    uint64_t n;

    assert_int_equal(catalog_get(txn, STR("movies"), &info), 1);
    struct index *index = index_open(f->indexes, &info.uuid, &f->err);
    assert_non_null(index);
    assert_int_equal(index_reader_open(&r, index), 0);
    assert_int_equal(store_count(r.txn, INDEX_CHANGES, &n), 0);
    if (n == 0)
        assert_int_equal(store_get(r.txn, INDEX_META, INDEX_META_CHANGES, NULL), 0);
    index_reader_close(&r);
    index_release(index);
    index_info_done(&info);
    store_abort(txn);
    return n;
}

static void
without_a_subscriber_a_batch_writes_not_one_row_more(void **state)
{
    struct fixture *f = *state;
    struct webhooks *w = listen_for(f, "[\"cluster.created\"]");
    uint64_t before[TABLE_COUNT], after[TABLE_COUNT];

    assert_false(news_notes_changes(f->ops));
    count_main(f, before);
    work(f);
    count_main(f, after);
    static const int untouched[] = {TABLE_EVENTS,   TABLE_EVENT_LINES,        TABLE_DELIVERIES,
                                    TABLE_ATTEMPTS, TABLE_WEBHOOK_DELIVERIES, TABLE_DELIVERY_DUE,
                                    TABLE_WEBHOOKS};
    for (size_t i = 0; i < sizeof(untouched) / sizeof(untouched[0]); i++)
        assert_int_equal(before[untouched[i]], after[untouched[i]]);
    assert_int_equal(count_noted(f), 0);
    webhooks_free(w);
}

static void
with_one_the_changes_are_noted_and_told(void **state)
{
    struct fixture *f = *state;
    struct webhooks *w = listen_for(f, "[\"object.updated\",\"collection.updated\"]");
    uint64_t rows[TABLE_COUNT];

    assert_true(news_notes_changes(f->ops));
    work(f);
    count_main(f, rows);
    assert_int_equal(rows[TABLE_EVENTS], 2); /* the change of 2, the settings */
    assert_int_equal(rows[TABLE_DELIVERIES], 2);
    webhooks_free(w);
}

static void
what_was_noted_goes_when_nobody_listens_any_more(void **state)
{
    struct fixture *f = *state;
    struct webhooks *w = listen_for(f, "[\"object.updated\"]");

    add_documents(f, "movies", "id", "{\"id\":1}\n{\"id\":2}\n{\"id\":\"x\"}");
    fixture_run(f);
    assert_int_equal(count_noted(f), 3);
    ops_tell(f->ops, NULL);
    add_documents(f, "movies", NULL, "{\"id\":2,\"a\":1}");
    fixture_run(f);
    assert_int_equal(count_noted(f), 0);
    webhooks_free(w);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(without_a_subscriber_a_batch_writes_not_one_row_more),
        TEST(with_one_the_changes_are_noted_and_told),
        TEST(what_was_noted_goes_when_nobody_listens_any_more),
    };
    return cmocka_run_group_tests_name("ops/news", tests, NULL, NULL);
}
