/* The resolver against a name server that answers in every way a name server can. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "client_fixture.h"
#include "net/resolver.h"
#include "receiver.h"

enum { TYPE_A = 1, FLAG_TRUNCATED = 0x200 };
enum { RCODE_SERVFAIL = 2, RCODE_NXDOMAIN = 3, RCODE_REFUSED = 5 };

static void
answer(const struct dns_question *q, struct buf *out, void *arg)
{
    (void) arg;
    bool is_a = q->type == TYPE_A;
    if (strcmp(q->name, "both.test") == 0) {
        dns_begin(out, q, 0, is_a ? 2 : 1);
        dns_add(out, is_a ? "192.0.2.1" : "2001:db8::1", 60);
        if (is_a)
            dns_add(out, "192.0.2.2", 60);
    } else if (strcmp(q->name, "v4.test") == 0 || strcmp(q->name, "ttl0.test") == 0) {
        dns_begin(out, q, 0, is_a ? 1 : 0);
        if (is_a)
            dns_add(out, "192.0.2.4", strcmp(q->name, "v4.test") == 0 ? 60 : 0);
    } else if (strcmp(q->name, "v6.test") == 0) {
        dns_begin(out, q, 0, is_a ? 0 : 1);
        if (!is_a)
            dns_add(out, "2001:db8::6", 60);
    } else if (strcmp(q->name, "lost-aaaa.test") == 0) {
        if (!is_a)
            return;
        dns_begin(out, q, 0, 1);
        dns_add(out, "192.0.2.5", 60);
    } else if (strcmp(q->name, "mixed.test") == 0) {
        dns_begin(out, q, 0, is_a ? 2 : 0);
        if (is_a) {
            dns_add(out, "127.0.0.1", 60);
            dns_add(out, "10.0.0.7", 60);
        }
    } else if (strcmp(q->name, "many.test") == 0 && q->is_tcp) {
        dns_begin(out, q, 0, is_a ? 40 : 0);
        for (int i = 0; is_a && i < 40; i++) {
            char address[32];
            (void) snprintf(address, sizeof(address), "192.0.2.%d", i + 1);
            dns_add(out, address, 60);
        }
    } else if (strcmp(q->name, "many-private.test") == 0 && q->is_tcp) {
        dns_begin(out, q, 0, is_a ? 2 : 0);
        if (is_a) {
            dns_add(out, "127.0.0.1", 60);
            dns_add(out, "10.0.0.8", 60);
        }
    } else if (strcmp(q->name, "none-by-tcp.test") == 0 && q->is_tcp) {
        dns_begin(out, q, RCODE_NXDOMAIN, 0);
    } else if (strcmp(q->name, "garbage-by-tcp.test") == 0 && q->is_tcp) {
        buf_add_cstr(out, "this is no DNS message");
    } else if (strcmp(q->name, "truncated.test") == 0 && q->is_tcp) {
        return; /* closes */
    } else if (strcmp(q->name, "truncated.test") == 0 || strncmp(q->name, "many", 4) == 0 ||
               strstr(q->name, "-by-tcp") != NULL || strcmp(q->name, "local") == 0) {
        dns_begin(out, q, FLAG_TRUNCATED, 0);
    } else if (strcmp(q->name, "servfail.test") == 0 || strcmp(q->name, "refused.test") == 0) {
        dns_begin(out, q, q->name[0] == 's' ? RCODE_SERVFAIL : RCODE_REFUSED, 0);
    } else if (strcmp(q->name, "rebinding.test") == 0) {
        /* The first look-up is told what is allowed, the second what is not. */
        static atomic_int n;
        dns_begin(out, q, 0, is_a ? 1 : 0);
        if (is_a)
            dns_add(out, n++ == 0 ? "127.0.0.1" : "10.0.0.9", 0);
    } else if (strcmp(q->name, "half-truncated.test") == 0) {
        dns_begin(out, q, is_a ? FLAG_TRUNCATED : 0, is_a ? 0 : 1);
        if (!is_a)
            dns_add(out, "2001:db8::7", 60);
    } else if (strcmp(q->name, "empty.test") == 0) {
        dns_begin(out, q, 0, 0);
    } else if (strcmp(q->name, "silent.test") != 0) {
        dns_begin(out, q, RCODE_NXDOMAIN, 0);
    }
}

struct lookup {
    struct loop *loop;
    int calls;
    size_t n;
    struct buf text; /* the addresses with blanks between them, or the error */
};

static void
on_resolved(void *arg, const struct sockaddr_storage *addresses, size_t n, const char *error)
{
    struct lookup *l = arg;
    l->calls++;
    l->n = n;
    for (size_t i = 0; i < n; i++) {
        char text[64];
        address_format((const struct sockaddr *) &addresses[i], text, sizeof(text));
        buf_addf(&l->text, "%s%s", i == 0 ? "" : " ", text);
    }
    if (n == 0)
        buf_add_cstr(&l->text, error);
    loop_stop(l->loop);
}

struct world {
    struct loop *loop;
    struct name_server *server;
    struct resolver *resolver;
    char hosts[40];
};

static int
setup(void **state)
{
    static const char hosts[] = "# names\n192.0.2.99\tnas NAS.home # mine\n2001:db8::99 nas\n"
                                "bad.address x\n127.0.0.1\n";
    struct world *w = mem_new(1, sizeof(*w));
    struct err err = ERR_INIT;
    (void) snprintf(w->hosts, sizeof(w->hosts), "/tmp/taskhook-hosts-XXXXXX");
    int fd = mkstemp(w->hosts);
    if (fd < 0 || write(fd, hosts, sizeof(hosts) - 1) < 0)
        return -1;
    close(fd);
    w->loop = loop_new(&err);
    w->server = name_server_start(answer, NULL);
    w->resolver = resolver_new(
        w->loop, &(struct resolver_conf){name_server_address(w->server), w->hosts}, &err);
    *state = w;
    return w->loop != NULL && w->resolver != NULL ? 0 : -1;
}

static void
stop(void *arg)
{
    loop_stop(arg);
}

static void
turn(struct loop *l)
{
    struct loop_timer t;
    loop_timer_init(&t, l, stop, l);
    loop_timer_set_ms(&t, 0);
    loop_run(l);
    loop_timer_done(&t);
}

static int
teardown(void **state)
{
    struct world *w = *state;
    resolver_free(w->resolver);
    for (int i = 0; i < 3; i++)
        turn(w->loop);
    loop_free(w->loop);
    name_server_stop(w->server);
    (void) unlink(w->hosts);
    free(w);
    return 0;
}

/* Returns how many questions the name server was asked. */
static int
check(struct world *w, const char *name, const char *expected)
{
    struct lookup l = {.loop = w->loop};
    int asked = name_server_questions(w->server);
    (void) resolver_start(w->resolver, name, on_resolved, &l);
    assert_int_equal(l.calls, 0); /* never from inside */
    loop_run(w->loop);
    asked = name_server_questions(w->server) - asked;
    turn(w->loop);
    assert_int_equal(l.calls, 1);
    assert_string_equal(buf_cstr(&l.text), expected);
    buf_done(&l.text);
    return asked;
}

static void
numeric_names_need_no_server(void **state)
{
    struct world *w = *state;
    check(w, "192.0.2.77", "192.0.2.77");
    check(w, "2001:db8::77", "2001:db8::77");
    check(w, "::1", "::1");
    assert_int_equal(name_server_questions(w->server), 0);
}

static void
localhost_needs_no_server(void **state)
{
    struct world *w = *state;
    check(w, "localhost", "127.0.0.1 ::1");
    check(w, "LocalHost.", "127.0.0.1 ::1");
    check(w, "app.localhost", "127.0.0.1 ::1");
    assert_int_equal(name_server_questions(w->server), 0);
}

static void
hosts_file_is_honoured(void **state)
{
    struct world *w = *state;
    check(w, "nas", "192.0.2.99 2001:db8::99");
    check(w, "nas.home.", "192.0.2.99");
    assert_int_equal(name_server_questions(w->server), 0);
}

static void
invalid_names_are_not_asked(void **state)
{
    struct world *w = *state;
    char label[65] = {0}, name[400] = {0};
    memset(label, 'a', 64);
    for (int i = 0; i < 60; i++)
        memcpy(name + 5 * i, "abcd.", 5);
    check(w, label, "not a valid host name");
    check(w, name, "not a valid host name");
    check(w, "a..b", "not a valid host name");
    check(w, "", "not a valid host name");
    assert_int_equal(name_server_questions(w->server), 0);
}

static void
addresses_of_both_families_are_told(void **state)
{
    struct world *w = *state;
    struct lookup l = {.loop = w->loop};
    (void) resolver_start(w->resolver, "both.test", on_resolved, &l);
    loop_run(w->loop);
    assert_int_equal(l.n, 3);
    assert_non_null(strstr(buf_cstr(&l.text), "192.0.2.1 192.0.2.2"));
    assert_non_null(strstr(buf_cstr(&l.text), "2001:db8::1"));
    buf_done(&l.text);
}

static void
one_family_is_enough(void **state)
{
    struct world *w = *state;
    check(w, "v4.test", "192.0.2.4");
    check(w, "v6.test", "2001:db8::6");
    check(w, "half-truncated.test", "2001:db8::7");
}

static void
lost_aaaa_is_not_waited_for_until_its_second_attempt(void **state)
{
    struct world *w = *state;
    /* The lost question would be asked again after two seconds. */
    assert_int_equal(check(w, "lost-aaaa.test", "192.0.2.5"), 2);
}

static void
failures_are_told_in_words(void **state)
{
    struct world *w = *state;
    check(w, "none.test", "no such host");
    check(w, "empty.test", "the host name has no address");
    /* evdns takes it for a lost answer. */
    check(w, "servfail.test", "no answer from the name server");
    check(w, "refused.test", "the name server refused to answer");
}

static void
truncated_answers_are_asked_for_again_over_tcp(void **state)
{
    struct world *w = *state;
    struct lookup l = {.loop = w->loop};
    (void) resolver_start(w->resolver, "many.test", on_resolved, &l);
    while (l.calls == 0)
        loop_run(w->loop);
    assert_int_equal(l.n, RESOLVER_MAX_ADDRESSES);
    assert_true(str_starts_with(buf_str(&l.text), "192.0.2.1 192.0.2.2 "));
    buf_done(&l.text);
    assert_int_equal(name_server_questions(w->server), 4); /* two of them over TCP */
}

static void
truncated_answers_without_another_are_an_error(void **state)
{
    struct world *w = *state;
    static const char text[] = "the name server's answer is truncated, and none came over TCP";
    check(w, "truncated.test", text);
    check(w, "garbage-by-tcp.test", text);
    check(w, "none-by-tcp.test", "no such host");
    check(w, "local", text); /* where the search list may have changed the question */
}

static void
silence_ends_after_two_attempts(void **state)
{
    struct world *w = *state;
    assert_int_equal(check(w, "silent.test", "no answer from the name server"), 4);
}

static void
answers_are_kept_for_their_time_to_live(void **state)
{
    struct world *w = *state;
    check(w, "v4.test", "192.0.2.4");
    int asked = name_server_questions(w->server);
    check(w, "v4.test", "192.0.2.4");
    assert_int_equal(name_server_questions(w->server), asked);
    resolver_forget(w->resolver, "v4.test");
    check(w, "v4.test", "192.0.2.4");
    assert_true(name_server_questions(w->server) > asked);
}

static void
answers_without_a_time_to_live_are_not_kept(void **state)
{
    struct world *w = *state;
    check(w, "ttl0.test", "192.0.2.4");
    int asked = name_server_questions(w->server);
    check(w, "ttl0.test", "192.0.2.4");
    assert_true(name_server_questions(w->server) > asked);
}

static void
reload_forgets_answers_and_reads_the_hosts_file(void **state)
{
    struct world *w = *state;
    struct err err = ERR_INIT;
    struct lookup l = {.loop = w->loop};
    check(w, "v4.test", "192.0.2.4");
    int asked = name_server_questions(w->server);
    (void) resolver_start(w->resolver, "both.test", on_resolved, &l); /* under way meanwhile */
    FILE *f = fopen(w->hosts, "we");
    assert_non_null(f);
    (void) fputs("192.0.2.98 nas\n", f);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(resolver_reload(w->resolver, &err), 0);
    while (l.calls == 0)
        loop_run(w->loop);
    assert_int_equal(l.n, 3);
    buf_done(&l.text);
    check(w, "nas", "192.0.2.98");
    check(w, "v4.test", "192.0.2.4");
    assert_true(name_server_questions(w->server) > asked + 2);
}

static void
canceled_lookup_does_not_call_back(void **state)
{
    struct world *w = *state;
    struct lookup l = {.loop = w->loop};
    resolver_cancel(resolver_start(w->resolver, "silent.test", on_resolved, &l));
    resolver_cancel(resolver_start(w->resolver, "127.0.0.1", on_resolved, &l));
    struct resolver_lookup *late = resolver_start(w->resolver, "silent.test", on_resolved, &l);
    for (int i = 0; i < 5; i++)
        turn(w->loop);
    resolver_cancel(late);
    for (int i = 0; i < 5; i++)
        turn(w->loop);
    assert_int_equal(l.calls, 0);
}

/* Canceled and freed after each number of turns. */
static void
lookups_ended_while_tcp_is_asked_are_clean(void **state)
{
    struct world *w = *state;
    struct err err = ERR_INIT;
    struct lookup l = {.loop = w->loop};
    for (int turns = 0; turns < 12; turns++) {
        struct resolver *r = resolver_new(
            w->loop, &(struct resolver_conf){name_server_address(w->server), w->hosts}, &err);
        struct resolver_lookup *lookup = resolver_start(r, "many.test", on_resolved, &l);
        for (int i = 0; i < turns && l.calls == 0; i++)
            turn(w->loop);
        if (turns % 2 == 0 && l.calls == 0)
            resolver_cancel(lookup);
        l.calls = 0;
        resolver_free(r);
        for (int i = 0; i < 3; i++)
            turn(w->loop);
        assert_int_equal(l.calls, 0);
    }
    buf_done(&l.text);
}

static void
free_ends_lookups_under_way(void **state)
{
    struct world *w = *state;
    struct lookup l = {.loop = w->loop};
    (void) resolver_start(w->resolver, "silent.test", on_resolved, &l);
    (void) resolver_start(w->resolver, "v4.test", on_resolved, &l);
    (void) resolver_start(w->resolver, "localhost", on_resolved, &l);
    turn(w->loop);
    int calls = l.calls;
    resolver_free(w->resolver);
    w->resolver = NULL;
    for (int i = 0; i < 5; i++)
        turn(w->loop);
    assert_int_equal(l.calls, calls);
    buf_done(&l.text);
}

/* --- through the client ---------------------------------------------------------------------- */

static void
check_client(struct world *w, const char *url, int64_t timeout_ms, enum http_outcome outcome,
             const char *detail, const char *address)
{
    struct fixture f;
    fixture_init(&f, "127.0.0.0/8", NULL, name_server_address(w->server), "/dev/null");
    struct outcome o = fixture_run(&f, &(struct want){.url = url, .timeout_ms = timeout_ms});
    if (o.outcome != outcome)
        fail_msg("%s: %s", http_outcome_name(o.outcome), o.detail);
    assert_non_null(strstr(o.detail, detail));
    assert_string_equal(o.address, address);
    outcome_done(&o);
    fixture_done(&f);
}

static void
client_tells_dns_failures(void **state)
{
    check_client(*state, "http://none.test/", 0, HTTP_OUTCOME_DNS,
                 "cannot resolve `none.test`: no such host", "");
}

static void
client_refuses_a_private_address_among_allowed_ones(void **state)
{
    check_client(*state, "http://mixed.test/", 0, HTTP_OUTCOME_ADDRESS_DENIED, "10.0.0.7",
                 "10.0.0.7");
}

static void
client_judges_what_comes_over_tcp(void **state)
{
    check_client(*state, "http://many-private.test/", 0, HTTP_OUTCOME_ADDRESS_DENIED, "10.0.0.8",
                 "10.0.0.8");
}

static void
say_ok(struct peer *p)
{
    struct buf request = BUF_INIT;
    while (peer_read_request(p, &request))
        peer_say(p, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    buf_done(&request);
}

/* One question a look-up, so that nothing can be told apart between judging and connecting; and the
 * connection that was kept from the first does not serve the second. */
static void
client_judges_each_look_up_of_a_name_that_rebinds(void **state)
{
    struct world *w = *state;
    struct fixture f;
    struct receiver *r = receiver_start(say_ok, NULL, NULL, false);
    fixture_init(&f, "127.0.0.0/8", NULL, name_server_address(w->server), "/dev/null");
    struct outcome o = fixture_get(&f, "http://rebinding.test:%d/", receiver_port(r));
    assert_int_equal(o.outcome, HTTP_OUTCOME_ANSWERED);
    assert_string_equal(o.address, "127.0.0.1");
    assert_int_equal(name_server_questions(w->server), 2); /* A and AAAA */
    outcome_done(&o);
    o = fixture_get(&f, "http://rebinding.test:%d/", receiver_port(r));
    assert_int_equal(o.outcome, HTTP_OUTCOME_ADDRESS_DENIED);
    assert_string_equal(o.address, "10.0.0.9");
    assert_int_equal(receiver_connections(r), 1);
    outcome_done(&o);
    fixture_done(&f);
    receiver_stop(r);
}

static void
client_deadline_covers_the_resolution(void **state)
{
    check_client(*state, "http://silent.test/", 150, HTTP_OUTCOME_TIMEOUT,
                 "no answer within 150 ms (resolving the host name)", "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(numeric_names_need_no_server),
        TEST(localhost_needs_no_server),
        TEST(hosts_file_is_honoured),
        TEST(invalid_names_are_not_asked),
        TEST(addresses_of_both_families_are_told),
        TEST(one_family_is_enough),
        TEST(lost_aaaa_is_not_waited_for_until_its_second_attempt),
        TEST(failures_are_told_in_words),
        TEST(truncated_answers_are_asked_for_again_over_tcp),
        TEST(truncated_answers_without_another_are_an_error),
        TEST(lookups_ended_while_tcp_is_asked_are_clean),
        TEST(silence_ends_after_two_attempts),
        TEST(answers_are_kept_for_their_time_to_live),
        TEST(answers_without_a_time_to_live_are_not_kept),
        TEST(reload_forgets_answers_and_reads_the_hosts_file),
        TEST(canceled_lookup_does_not_call_back),
        TEST(free_ends_lookups_under_way),
        TEST(client_tells_dns_failures),
        TEST(client_refuses_a_private_address_among_allowed_ones),
        TEST(client_judges_what_comes_over_tcp),
        TEST(client_judges_each_look_up_of_a_name_that_rebinds),
        TEST(client_deadline_covers_the_resolution),
    };
    (void) alarm(120);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
