/* Whom a delivery has reached, from one attempt to the next. */
#include "fixture.h"

#include "webhook/recipients.h"

enum { DELIVERY = 7 };

static struct channel *
three_numbers(void)
{
    struct channel *c = channel_from_text(
        STR("{\"channel\":\"sms\",\"configs\":{\"phone_numbers\":[\"+15550101\",\"+15550102\","
            "\"+15550103\"]}}"));
    assert_non_null(c);
    return c;
}

/* The states, a character each, after so many attempts of which the last left `settled`. */
static void
check(struct fixture *f, const char *settled, uint32_t attempts, uint32_t schedule_from,
      const char *expected)
{
    struct recipients r;
    struct channel *c = three_numbers();
    struct attempt_record a = {.settled = str_from(settled)};
    struct delivery_record d = {.attempts = attempts, .schedule_from = schedule_from};
    if (attempts > 0)
        assert_int_equal(attempt_put(turn_txn(f->turn), DELIVERY, attempts, &a), 0);
    recipients_load(&r, c, turn_txn(f->turn), DELIVERY, &d);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal("o+-"[r.states[i]], expected[i]);
    channel_release(c);
}

static void
the_first_attempt_is_for_everybody(void **state)
{
    check(*state, "", 0, 0, "ooo");
}

static void
the_next_attempt_is_for_those_that_are_left(void **state)
{
    check(*state, "+15550101\n", 1, 0, "ooo"); /* the sign in front is ours */
    check(*state, "++15550101\n-+15550103\n", 1, 0, "+o-");
    check(*state, "++15550102\n", 3, 1, "o+o");
}

static void
whoever_is_not_in_the_channel_any_more_is_passed_over(void **state)
{
    check(*state, "++15559999\n++15550103\n", 1, 0, "oo+");
}

static void
sent_again_it_is_for_those_who_have_not_got_it(void **state)
{
    check(*state, "++15550101\n-+15550102\n", 2, 2, "+oo");
}

static void
sent_again_when_all_had_it_it_is_for_everybody(void **state)
{
    check(*state, "++15550101\n++15550102\n++15550103\n", 2, 2, "ooo");
}

static void
what_is_written_is_read_back(void **state)
{
    struct buf out = BUF_INIT;
    struct channel *c = three_numbers();
    struct recipients r = {.channel = c,
                           .states = {RECIPIENT_GIVEN_UP, RECIPIENT_OPEN, RECIPIENT_ACCEPTED}};
    recipients_write(&out, &r);
    assert_string_equal(buf_cstr(&out), "-+15550101\n++15550103\n");
    check(*state, buf_cstr(&out), 1, 0, "-o+");
    assert_int_equal(recipients_count(&r, RECIPIENT_OPEN), 1);
    channel_release(c);
    buf_done(&out);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(the_first_attempt_is_for_everybody),
        CASE(the_next_attempt_is_for_those_that_are_left),
        CASE(whoever_is_not_in_the_channel_any_more_is_passed_over),
        CASE(sent_again_it_is_for_those_who_have_not_got_it),
        CASE(sent_again_when_all_had_it_it_is_for_everybody),
        CASE(what_is_written_is_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
