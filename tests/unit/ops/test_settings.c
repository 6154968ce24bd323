/* Settings and deletions by filter in batches: contract 4.2 to 4.5, 5.5, 5.7 and 10.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fixture.h"
#include "index/settings.h"
#include "queue/details.h"

#define FILTERABLE(names) "{\"filterableAttributes\":" names "}"
#define BY_FILTER(deleted, filter)                                                                 \
    "{\"providedIds\":0,\"deletedDocuments\":" deleted ",\"originalFilter\":\"" filter "\"}"

static void
settings_create_their_index(void **state)
{
    struct fixture *f = *state;

    update_settings(f, "movies", "{\"sortableAttributes\":[\"a\"]}", true);
    fixture_run(f);
    assert_task(f, 0, "succeeded {\"sortableAttributes\":[\"a\"]}");
    assert_index(f, "movies", "null|0|{}");
    assert_setting(f, "movies", "sortableAttributes", "[\"a\"]");
}

static void
settings_without_the_right_to_create_fail(void **state)
{
    struct fixture *f = *state;

    update_settings(f, "movies", "{\"stopWords\":null}", false);
    fixture_run(f);
    assert_task(f, 0, "failed {\"stopWords\":null} index_not_found: Index `movies` not found.");
    assert_index(f, "movies", "(missing)");
}

static void
settings_of_one_batch_apply_in_order(void **state)
{
    struct fixture *f = *state;

    update_settings(f, "movies", "{\"stopWords\":[\"a\"],\"pagination\":{\"maxTotalHits\":1}}",
                    true);
    update_settings(f, "movies", "{\"stopWords\":[\"b\"]}", true);
    update_settings(f, "movies", "{\"pagination\":null}", true);
    fixture_run(f);
    assert_int_equal(batch_of(f, 0), batch_of(f, 2));
    assert_setting(f, "movies", "stopWords", "[\"b\"]");
    assert_setting(f, "movies", "pagination", "{\"maxTotalHits\":1000}");
}

static void
settings_that_do_not_fit_fail_the_whole_batch(void **state)
{
    struct fixture *f = *state;

    update_settings(f, "movies", "{\"stopWords\":[\"a\"]}", true);
    update_settings(f, "movies", "{\"typoTolerance\":{\"minWordSizeForTypos\":{\"oneTypo\":20}}}",
                    true);
    fixture_run(f);
    assert_task(f, 0,
                "failed {\"stopWords\":[\"a\"]} invalid_settings_typo_tolerance: Index `movies`: "
                "`minWordSizeForTypos` setting is invalid. `oneTypo` and `twoTypos` fields should "
                "be between `0` and `255`, and `twoTypos` should be greater or equals to `oneTypo` "
                "but found `oneTypo: 20` and twoTypos: 9`.");
    assert_setting(f, "movies", "stopWords", "[]");
    assert_index(f, "movies", "null|0|{}"); /* created before anything else */
}

static void
documents_and_settings_are_batches_of_their_own(void **state)
{
    struct fixture *f = *state;

    add_documents(f, "movies", NULL, "{\"id\":1,\"a\":1}\n{\"id\":2,\"a\":2}");
    update_settings(f, "movies", FILTERABLE("[\"a\"]"), true);
    delete_by_filter(f, "movies", "\"a = 1\"");
    fixture_run(f);
    assert_int_equal(batch_of(f, 0) + 1, batch_of(f, 1));
    assert_int_equal(batch_of(f, 1) + 1, batch_of(f, 2));
    assert_task(f, 2, "succeeded " BY_FILTER("1", "\\\"a = 1\\\""));
    assert_documents(f, "movies", "{\"id\":2,\"a\":2}");
}

static void
clear_among_settings_comes_first_and_swallows_deletions(void **state)
{
    struct fixture *f = *state;

    add_documents(f, "movies", NULL, "{\"id\":1}\n{\"id\":2}");
    fixture_run(f);
    update_settings(f, "movies", "{\"stopWords\":[\"a\"]}", true);
    clear_documents(f, "movies");
    delete_documents(f, "movies", "\"1\"");
    delete_by_filter(f, "movies", "\"zz = 1\"");
    update_settings(f, "movies", "{\"dictionary\":[\"b\"]}", true);
    fixture_run(f);
    assert_int_equal(batch_of(f, 1), batch_of(f, 5));
    assert_task(f, 1, "succeeded {\"stopWords\":[\"a\"]}");
    assert_task(f, 2, "succeeded {\"deletedDocuments\":2}");
    assert_task(f, 4, "succeeded " BY_FILTER("null", "\\\"zz = 1\\\""));
    assert_setting(f, "movies", "stopWords", "[\"a\"]");
    assert_setting(f, "movies", "dictionary", "[\"b\"]");
    assert_index(f, "movies", "id|0|{}");
}

static void
settings_swallowed_by_an_index_deletion_succeed(void **state)
{
    struct fixture *f = *state;

    update_settings(f, "movies", "{\"stopWords\":[\"a\"]}", true);
    delete_index(f, "movies");
    fixture_run(f);
    assert_task(f, 0, "succeeded {\"stopWords\":[\"a\"]}");
    assert_task(f, 1, "succeeded {\"deletedDocuments\":0}");
    assert_index(f, "movies", "(missing)");
}

static void
settings_follow_their_index(void **state)
{
    struct fixture *f = *state;

    update_settings(f, "movies", "{\"stopWords\":[\"a\"]}", true);
    update_index(f, "movies", NULL, "films");
    fixture_run(f);
    assert_setting(f, "films", "stopWords", "[\"a\"]");
    fixture_close(f);
    fixture_open(f);
    assert_setting(f, "films", "stopWords", "[\"a\"]");
}

/* --- deletions by filter */

static void
filter_deletes_what_matches_and_counts_it(void **state)
{
    struct fixture *f = *state;

    update_settings(f, "m", FILTERABLE("[\"g\",\"n\"]"), true);
    add_documents(f, "m", NULL,
                  "{\"id\":1,\"g\":\"Horror\",\"n\":5}\n{\"id\":2,\"g\":[\"horror\",\"x\"]}\n"
                  "{\"id\":3,\"g\":\"drama\",\"n\":7}\n{\"id\":4}");
    fixture_run(f);
    delete_by_filter(f, "m", "[\"g = HORROR\",[\"n = 5\",\"n = 7\"]]");
    delete_by_filter(f, "m", "\"g = horror OR n EXISTS\"");
    delete_documents(f, "m", "\"3\"\n\"4\"");
    fixture_run(f);
    assert_int_equal(batch_of(f, 2), batch_of(f, 4));
    assert_task(f, 2,
                "succeeded " BY_FILTER("1", "[\\\"g = HORROR\\\",[\\\"n = 5\\\",\\\"n = 7\\\"]]"));
    assert_task(f, 3, "succeeded " BY_FILTER("2", "\\\"g = horror OR n EXISTS\\\""));
    assert_task(f, 4,
                "succeeded {\"providedIds\":2,\"deletedDocuments\":1,\"originalFilter\":null}");
    assert_index(f, "m", "id|0|{}");
}

static void
filter_on_a_missing_attribute_fails_its_own_task_only(void **state)
{
    struct fixture *f = *state;

    update_settings(f, "m", FILTERABLE("[\"title\",\"id\"]"), true);
    add_documents(f, "m", NULL, "{\"id\":1}\n{\"id\":2}");
    fixture_run(f);
    delete_by_filter(f, "m", "\"catto = jorts\"");
    delete_by_filter(f, "m", "\"id = 2\"");
    fixture_run(f);
    assert_task(f, 2,
                "failed " BY_FILTER(
                    "0", "\\\"catto = jorts\\\"") " invalid_document_filter: Index "
                                                  "`m`: Attribute `catto` is not filterable. "
                                                  "Available filterable attribute patterns "
                                                  "are: `id`, `title`.\n1:6 catto = jorts");
    assert_task(f, 3, "succeeded " BY_FILTER("1", "\\\"id = 2\\\""));
    assert_documents(f, "m", "{\"id\":1}");
}

static void
filter_deletion_and_a_later_import_share_a_batch(void **state)
{
    struct fixture *f = *state;

    update_settings(f, "m", FILTERABLE("[\"n\"]"), true);
    add_documents(f, "m", NULL, "{\"id\":1,\"n\":1}\n{\"id\":2,\"n\":2}");
    fixture_run(f);
    delete_by_filter(f, "m", "\"n > 0\"");
    add_documents(f, "m", NULL, "{\"id\":1,\"n\":9}");
    fixture_run(f);
    assert_int_equal(batch_of(f, 2), batch_of(f, 3));
    assert_task(f, 2, "succeeded " BY_FILTER("2", "\\\"n > 0\\\""));
    assert_documents(f, "m", "{\"id\":1,\"n\":9}");
}

static void
filter_deletion_of_a_missing_index_fails(void **state)
{
    struct fixture *f = *state;

    delete_by_filter(f, "m", "\"n > 0\"");
    fixture_run(f);
    assert_task(f, 0,
                "failed " BY_FILTER("0", "\\\"n > 0\\\"") " index_not_found: Index `m` not found.");
}

/* --- places */

static void
a_wrong_place_fails_the_batch_once_places_matter(void **state)
{
    struct fixture *f = *state;

    add_documents(f, "m", NULL, "{\"id\":1,\"_geo\":7}");
    fixture_run(f);
    assert_task(f, 0, "succeeded {\"receivedDocuments\":1,\"indexedDocuments\":1}");
    clear_documents(f, "m");
    update_settings(f, "m", FILTERABLE("[\"_geo\"]"), true);
    fixture_run(f);
    add_documents(f, "m", NULL, "{\"id\":2,\"_geo\":{\"lat\":1,\"lng\":\"2.5\"}}");
    add_documents(f, "m", NULL, "{\"id\":3,\"_geo\":{\"lat\":1}}");
    fixture_run(f);
#define GEO_ERROR                                                                                  \
    "failed {\"receivedDocuments\":1,\"indexedDocuments\":0} invalid_document_geo_field: Index "   \
    "`m`: Could not find longitude in the document with the id: `\"3\"`. Was expecting a "         \
    "`_geo.lng` field."
    assert_task(f, 3, GEO_ERROR);
    assert_task(f, 4, GEO_ERROR);
    assert_index(f, "m", "id|0|{}");
}

static void
places_are_judged_when_they_begin_to_matter(void **state)
{
    struct fixture *f = *state;

    add_documents(f, "m", NULL, "{\"id\":1,\"_geo\":{\"lat\":\"x\",\"lng\":2}}");
    update_settings(f, "m", "{\"sortableAttributes\":[\"_geo\"]}", true);
    fixture_run(f);
    assert_task(f, 1,
                "failed {\"sortableAttributes\":[\"_geo\"]} invalid_document_geo_field: Index `m`: "
                "Could not parse latitude in the document with the id: `\"1\"`. Was expecting a "
                "finite number but instead got `\"x\"`.");
    assert_setting(f, "m", "sortableAttributes", "[]");
}

/* --- details */

static void
batch_details_know_every_setting_in_its_order(void **state)
{
    struct details_sum *sum = details_sum_new();
    struct buf sent = BUF_INIT, shown = BUF_INIT, expected = BUF_INIT;
    struct json_out j = json_out(&expected);

    (void) state;
    json_begin_object(&j);
    for (int i = SETTING_COUNT - 1; i >= 0; i--) {
        buf_clear(&sent);
        buf_addf(&sent, "{\"%s\":null}", setting_rows[i].name);
        details_sum_add(sum, buf_str(&sent), true);
    }
    for (int i = 0; i < SETTING_COUNT; i++) {
        json_key(&j, setting_rows[i].name);
        json_put_null(&j);
    }
    json_end_object(&j);
    details_sum_write(&shown, sum, true);
    assert_string_equal(buf_cstr(&shown), buf_cstr(&expected));
    buf_done(&sent);
    buf_done(&shown);
    buf_done(&expected);
    details_sum_free(sum);
}

static void
batch_details_merge_embedders_by_name(void **state)
{
    struct details_sum *sum = details_sum_new();
    struct buf shown = BUF_INIT;

    (void) state;
    details_sum_add(sum, STR("{\"embedders\":{\"a\":{\"x\":1},\"b\":{\"y\":1}},\"stopWords\":[]}"),
                    true);
    details_sum_add(sum, STR("{\"embedders\":{\"b\":null,\"c\":{}},\"stopWords\":null}"), true);
    details_sum_write(&shown, sum, true);
    assert_string_equal(buf_cstr(&shown),
                        "{\"stopWords\":null,\"embedders\":{\"a\":{\"x\":1},\"b\":null,\"c\":{}}}");
    buf_done(&shown);
    details_sum_free(sum);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(settings_create_their_index),
        TEST(settings_without_the_right_to_create_fail),
        TEST(settings_of_one_batch_apply_in_order),
        TEST(settings_that_do_not_fit_fail_the_whole_batch),
        TEST(documents_and_settings_are_batches_of_their_own),
        TEST(clear_among_settings_comes_first_and_swallows_deletions),
        TEST(settings_swallowed_by_an_index_deletion_succeed),
        TEST(settings_follow_their_index),
        TEST(filter_deletes_what_matches_and_counts_it),
        TEST(filter_on_a_missing_attribute_fails_its_own_task_only),
        TEST(filter_deletion_and_a_later_import_share_a_batch),
        TEST(filter_deletion_of_a_missing_index_fails),
        TEST(a_wrong_place_fails_the_batch_once_places_matter),
        TEST(places_are_judged_when_they_begin_to_matter),
        cmocka_unit_test(batch_details_know_every_setting_in_its_order),
        cmocka_unit_test(batch_details_merge_embedders_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
