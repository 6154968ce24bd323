/* DNS messages: the question byte by byte, answers with everything a server may put into them, and
 * answers that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/dns_message.h"

static const struct dns_query query = {.id = 0x1234, .name = "a.example", .type = DNS_TYPE_A};

#define QUESTION                                                                                   \
    "\x01"                                                                                         \
    "a\x07"                                                                                        \
    "example\0\0\x01\0\x01"
#define RECORD(address) "\xC0\x0C\0\x01\0\x01\0\0\0\x3C\0\x04" address
#define ALIAS                                                                                      \
    "\xC0\x0C\0\x05\0\x01\0\0\0\x05\0\x04\x01"                                                     \
    "b\xC0\x0E"

static void
question_is_written_as_the_standard_says(void **state)
{
    (void) state;
    struct buf out = BUF_INIT;
    dns_message_write_question(&out, &query);
    assert_true(str_equal(buf_str(&out), STR("\x12\x34\x01\0\0\x01\0\0\0\0\0\0" QUESTION)));
    buf_done(&out);
}

static void
addresses_are_read_over_aliases(void **state)
{
    (void) state;
    struct dns_answer answer;
    assert_int_equal(
        dns_message_read_answer(STR("\x12\x34\x81\x80\0\x01\0\x03\0\0\0\0" QUESTION ALIAS RECORD(
                                    "\x08\x08\x08\x08") RECORD("\x7F\0\0\x01")),
                                &query, &answer),
        0);
    assert_int_equal(answer.rcode, 0);
    assert_int_equal(answer.n, 2);
    assert_int_equal(answer.ttl_s, 60);
    assert_memory_equal(answer.addresses, "\x08\x08\x08\x08\x7F\0\0\x01", 8);
}

static void
names_are_equal_in_any_case(void **state)
{
    (void) state;
    struct dns_answer answer;
    assert_int_equal(dns_message_read_answer(STR("\x12\x34\x81\x83\0\x01\0\0\0\0\0\0\x01"
                                                 "A\x07"
                                                 "eXaMple\0\0\x01\0\x01"),
                                             &query, &answer),
                     0);
    assert_int_equal(answer.rcode, 3);
    assert_int_equal(answer.n, 0);
}

static void
records_of_another_kind_are_left_out(void **state)
{
    (void) state;
    struct dns_answer answer;
    assert_int_equal(dns_message_read_answer(
                         STR("\x12\x34\x81\x80\0\x01\0\x03\0\0\0\0" QUESTION
                             "\xC0\x0C\0\x01\0\x03\0\0\0\x3C\0\x04\x01\x02\x03\x04" /* class */
                             "\xC0\x0C\0\x01\0\x01\0\0\0\x3C\0\x03\x01\x02\x03"     /* size */
                             "\xC0\x0C\0\x10\0\x01\0\0\0\x3C\0\x04\x03xyz"),        /* TXT */
                         &query, &answer),
                     0);
    assert_int_equal(answer.n, 0);
}

static void
more_addresses_than_there_is_room_for_are_left_out(void **state)
{
    (void) state;
    struct dns_answer answer;
    struct buf message = BUF_INIT;
    buf_add_str(&message, STR("\x12\x34\x81\x80\0\x01\0\x40\0\0\0\0" QUESTION));
    for (int i = 0; i < 64; i++)
        buf_add_str(&message, STR(RECORD("\x0A\0\0\x01")));
    assert_int_equal(dns_message_read_answer(buf_str(&message), &query, &answer), 0);
    assert_int_equal(answer.n, RESOLVER_MAX_ADDRESSES);
    buf_done(&message);
}

static const struct {
    const char *what;
    struct str message;
} bad[] = {
    {"nothing", {"", 0}},
#define BAD(what, bytes)                                                                           \
    {                                                                                              \
        what,                                                                                      \
        {                                                                                          \
            bytes, sizeof(bytes) - 1                                                               \
        }                                                                                          \
    }
    BAD("less than a header", "\x12\x34\x81\x80\0\x01\0\0\0\0\0"),
    BAD("another id", "\x12\x35\x81\x80\0\x01\0\0\0\0\0\0" QUESTION),
    BAD("a question", "\x12\x34\x01\0\0\x01\0\0\0\0\0\0" QUESTION),
    BAD("a notification", "\x12\x34\xA1\x80\0\x01\0\0\0\0\0\0" QUESTION),
    BAD("truncated", "\x12\x34\x83\x80\0\x01\0\0\0\0\0\0" QUESTION),
    BAD("two questions", "\x12\x34\x81\x80\0\x02\0\0\0\0\0\0" QUESTION QUESTION),
    BAD("another name", "\x12\x34\x81\x80\0\x01\0\0\0\0\0\0\x01"
                        "b\x07"
                        "example\0\0\x01\0\x01"),
    BAD("another type", "\x12\x34\x81\x80\0\x01\0\0\0\0\0\0\x01"
                        "a\x07"
                        "example\0\0\x1C\0\x01"),
    BAD("fewer records than told",
        "\x12\x34\x81\x80\0\x01\0\x02\0\0\0\0" QUESTION RECORD("\x01\x02\x03\x04")),
    BAD("a record cut short",
        "\x12\x34\x81\x80\0\x01\0\x01\0\0\0\0" QUESTION RECORD("\x01\x02\x03")),
    BAD("a label of an unknown kind", "\x12\x34\x81\x80\0\x01\0\x01\0\0\0\0" QUESTION
                                      "\x80\0\x01\0\x01\0\0\0\x3C\0\x04\x01\x02\x03\x04"),
    BAD("a name that does not end", "\x12\x34\x81\x80\0\x01\0\x01\0\0\0\0" QUESTION "\x3F"
                                    "abc"),
};

static void
what_is_no_answer_to_the_question_is_refused(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct dns_answer answer = {.n = 77};
        if (dns_message_read_answer(bad[i].message, &query, &answer) == 0)
            fail_msg("%s", bad[i].what);
        assert_int_equal(answer.n, 77); /* written on success only */
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(question_is_written_as_the_standard_says),
        cmocka_unit_test(addresses_are_read_over_aliases),
        cmocka_unit_test(names_are_equal_in_any_case),
        cmocka_unit_test(records_of_another_kind_are_left_out),
        cmocka_unit_test(more_addresses_than_there_is_room_for_are_left_out),
        cmocka_unit_test(what_is_no_answer_to_the_question_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
