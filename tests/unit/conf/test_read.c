/* Where values come from, and what a complete struct conf looks like. */
#include "conf/toml.h"
#include "reading.h"

static void
assert_runs(struct reading *r)
{
    assert_string_equal(buf_cstr(&r->report.messages), "");
    assert_int_equal(r->report.result, CONF_RUN);
}

static void
defaults_are_upstreams(void **state)
{
    (void) state;
    struct reading r;
    reading_run(&r, ARGS(), NULL);
    assert_runs(&r);
    assert_null(r.conf.config_file_path);
    assert_string_equal(r.conf.db_path, "./data.ms");
    assert_string_equal(r.conf.http_addr, "localhost:7700");
    assert_null(r.conf.master_key);
    assert_int_equal(r.conf.env, CONF_DEVELOPMENT);
    assert_null(r.conf.task_webhook_url);
    assert_null(r.conf.allowed_ip_networks);
    assert_int_equal(r.conf.http_payload_size_limit, 100000000);
    assert_int_equal(r.conf.log_level, LOG_INFO);
    assert_int_equal(r.conf.log_mode, LOG_HUMAN);
    assert_true(r.conf.max_batched_tasks == UINT64_MAX);
    assert_int_equal(r.conf.batched_tasks_total_size, UINT64_C(10) << 30);
    assert_int_equal(r.conf.webhook_timeout_ms, 30000);
    assert_int_equal(r.conf.max_connections, 10000);
    assert_int_equal(r.conf.idle_timeout_s, 60);
    assert_int_equal(r.conf.min_free_disk_bytes, UINT64_C(256) << 20);
    assert_false(r.conf.no_analytics);
    assert_int_equal(r.report.warnings.len, 0);
    reading_done(&r);
}

static void
file_is_read_from_the_current_directory(void **state)
{
    (void) state;
    struct reading r;
    reading_write_file("config.toml", "db_path = \"from-file\"\nssl_require_auth = false\n");
    reading_run(&r, ARGS(), NULL);
    assert_runs(&r);
    assert_string_equal(r.conf.db_path, "from-file");
    assert_string_equal(r.conf.config_file_path, "./config.toml");
    reading_done(&r);
}

static void
environment_wins_over_file(void **state)
{
    (void) state;
    struct reading r;
    reading_write_file("config.toml", "db_path = \"from-file\"\nhttp_addr = \"file:1\"\n");
    reading_run(&r, ARGS(), ENV("MEILI_DB_PATH=from-env"));
    assert_runs(&r);
    assert_string_equal(r.conf.db_path, "from-env");
    assert_string_equal(r.conf.http_addr, "file:1");
    reading_done(&r);
}

static void
flag_wins_over_environment_and_file(void **state)
{
    (void) state;
    struct reading r;
    reading_write_file("config.toml", "db_path = \"from-file\"\n");
    reading_run(&r, ARGS("--db-path", "from-flag"), ENV("TASKHOOK_DB_PATH=from-env"));
    assert_runs(&r);
    assert_string_equal(r.conf.db_path, "from-flag");
    reading_done(&r);
}

static void
own_variable_wins_over_upstreams(void **state)
{
    (void) state;
    struct reading r;
    reading_run(&r, ARGS(), ENV("MEILI_DB_PATH=theirs", "TASKHOOK_DB_PATH=ours"));
    assert_runs(&r);
    assert_string_equal(r.conf.db_path, "ours");
    reading_done(&r);
}

static void
own_options_have_no_variable_of_upstream(void **state)
{
    (void) state;
    struct reading r;
    reading_run(&r, ARGS(), ENV("MEILI_WEBHOOK_TIMEOUT=1s", "MEILI_MAX_CONNECTIONS=5"));
    assert_runs(&r);
    assert_int_equal(r.conf.webhook_timeout_ms, 30000);
    assert_int_equal(r.conf.max_connections, 10000);
    reading_done(&r);
}

static void
empty_variable_counts_as_not_set(void **state)
{
    (void) state;
    struct reading r;
    reading_run(&r, ARGS(), ENV("TASKHOOK_DB_PATH=", "MEILI_DB_PATH=theirs", "MEILI_MASTER_KEY="));
    assert_runs(&r);
    assert_string_equal(r.conf.db_path, "theirs");
    assert_null(r.conf.master_key);
    assert_string_equal(buf_cstr(&r.report.warnings),
                        "environment variable is empty and ignored variable=MEILI_MASTER_KEY\n");
    reading_done(&r);
}

static void
bad_value_of_a_lower_source_does_not_matter(void **state)
{
    (void) state;
    struct reading r;
    reading_run(&r, ARGS("--log-level", "warn"), ENV("MEILI_LOG_LEVEL=loud"));
    assert_runs(&r);
    assert_int_equal(r.conf.log_level, LOG_WARN);
    reading_done(&r);
}

static void
config_file_path_comes_from_flag_or_environment(void **state)
{
    (void) state;
    struct reading r;
    reading_write_file("config.toml", "db_path = \"wrong\"\n");
    reading_write_file("other.toml", "db_path = \"right\"\n");
    reading_run(&r, ARGS("--config-file-path=other.toml"), NULL);
    assert_runs(&r);
    assert_string_equal(r.conf.db_path, "right");
    assert_string_equal(r.conf.config_file_path, "other.toml");
    reading_done(&r);
    reading_run(&r, ARGS(), ENV("MEILI_CONFIG_FILE_PATH=other.toml"));
    assert_runs(&r);
    assert_string_equal(r.conf.db_path, "right");
    reading_done(&r);
}

static void
file_values_of_every_type_are_taken(void **state)
{
    (void) state;
    struct reading r;
    reading_write_file("config.toml", "env = 'production'\n"
                                      "master_key = \"0123456789abcdef\"\n"
                                      "http_payload_size_limit = 1_000\n"
                                      "min_free_disk = \"1 GiB\"\n"
                                      "max_connections = 7\n"
                                      "experimental_max_number_of_batched_tasks = 0\n"
                                      "webhook_timeout = \"250ms\"\n"
                                      "idle_timeout = 5\n"
                                      "log_level = \"trace\"\n"
                                      "no_analytics = true\n"
                                      "experimental_allowed_ip_networks = ['10.0.0.0/8', '::1']\n");
    reading_run(&r, ARGS(), NULL);
    assert_runs(&r);
    assert_int_equal(r.conf.env, CONF_PRODUCTION);
    assert_string_equal(r.conf.master_key, "0123456789abcdef");
    assert_int_equal(r.conf.http_payload_size_limit, 1000);
    assert_int_equal(r.conf.min_free_disk_bytes, UINT64_C(1) << 30);
    assert_int_equal(r.conf.max_connections, 7);
    assert_int_equal(r.conf.max_batched_tasks, 0);
    assert_int_equal(r.conf.webhook_timeout_ms, 250);
    assert_int_equal(r.conf.idle_timeout_s, 5);
    assert_int_equal(r.conf.log_level, LOG_TRACE);
    assert_true(r.conf.no_analytics);
    assert_string_equal(r.conf.allowed_ip_networks, "10.0.0.0/8,::1");
    reading_done(&r);
}

static void
flags_have_two_forms(void **state)
{
    (void) state;
    struct reading r;
    reading_run(&r, ARGS("--db-path=a=b", "--max-connections", "3", "--no-analytics"), NULL);
    assert_runs(&r);
    assert_string_equal(r.conf.db_path, "a=b");
    assert_int_equal(r.conf.max_connections, 3);
    assert_true(r.conf.no_analytics);
    reading_done(&r);
}

static void
bools_may_be_switched_off_by_flag(void **state)
{
    (void) state;
    struct reading r;
    reading_run(&r, ARGS("--no-analytics=false"), ENV("MEILI_NO_ANALYTICS=true"));
    assert_runs(&r);
    assert_false(r.conf.no_analytics);
    reading_done(&r);
}

static void
webhook_url_is_kept_as_given(void **state)
{
    (void) state;
    struct reading r;
    reading_run(&r, ARGS("--task-webhook-url", "HTTP://Example.com?a=b c&d=%20#x"), NULL);
    assert_runs(&r);
    assert_string_equal(r.conf.task_webhook_url, "HTTP://Example.com?a=b c&d=%20#x");
    reading_done(&r);
}

static void
authorization_header_takes_scheme_and_value_unquoted(void **state)
{
    (void) state;
    struct reading r;
    reading_run(&r,
                ARGS("--task-webhook-authorization-header", "Bearer", "aSampleMasterKey",
                     "--task-webhook-url=http://x/"),
                NULL);
    assert_runs(&r);
    assert_string_equal(r.conf.task_webhook_authorization_header, "Bearer aSampleMasterKey");
    reading_done(&r);
    reading_run(
        &r,
        ARGS("--task-webhook-authorization-header=bearer", "key", "--task-webhook-url=http://x/"),
        NULL);
    assert_runs(&r);
    assert_string_equal(r.conf.task_webhook_authorization_header, "bearer key");
    reading_done(&r);
}

static void
authorization_header_takes_one_word_before_a_flag_or_when_quoted(void **state)
{
    (void) state;
    struct reading r;
    reading_run(
        &r, ARGS("--task-webhook-authorization-header", "Bearer", "--task-webhook-url=http://x/"),
        NULL);
    assert_runs(&r);
    assert_string_equal(r.conf.task_webhook_authorization_header, "Bearer");
    reading_done(&r);
    reading_run(&r, ARGS("--task-webhook-authorization-header", "Bearer key", "more"), NULL);
    assert_int_equal(r.report.exit_code, 2);
    assert_non_null(strstr(buf_cstr(&r.report.messages), "unexpected argument 'more' found"));
    reading_done(&r);
}

static void
options_without_meaning_are_accepted_with_a_warning(void **state)
{
    (void) state;
    struct reading r;
    reading_run(&r, ARGS("--max-indexing-threads", "4"),
                ENV("MEILI_EXPERIMENTAL_LEGACY_SEARCH=true"));
    assert_runs(&r);
    assert_string_equal(buf_cstr(&r.report.warnings),
                        "option accepted without effect option=--max-indexing-threads "
                        "reason=\"there is one thread\"\n"
                        "option accepted without effect "
                        "option=--experimental-legacy-search-default reason=\"it chooses between "
                        "upstream's two search engines\"\n");
    reading_done(&r);
}

static void
no_analytics_is_silent(void **state)
{
    (void) state;
    struct reading r;
    reading_run(&r, ARGS("--no-analytics"), NULL);
    assert_runs(&r);
    assert_int_equal(r.report.warnings.len, 0);
    reading_done(&r);
}

static void
upstreams_sample_file_starts_without_a_word(void **state)
{
    (void) state;
    struct reading r;
    reading_write_file("config.toml",
                       "db_path = \"./data.ms\"\nenv = \"development\"\n"
                       "http_addr = \"localhost:7700\"\nhttp_payload_size_limit = \"100 MB\"\n"
                       "log_level = \"INFO\"\ndump_dir = \"dumps/\"\n"
                       "ignore_missing_dump = false\nignore_dump_if_db_exists = false\n"
                       "schedule_snapshot = false\nsnapshot_dir = \"snapshots/\"\n"
                       "ignore_missing_snapshot = false\nignore_snapshot_if_db_exists = false\n"
                       "ssl_require_auth = false\nssl_resumption = false\nssl_tickets = false\n"
                       "experimental_enable_metrics = false\n"
                       "experimental_reduce_indexing_memory_usage = false\n");
    reading_run(&r, ARGS(), NULL);
    assert_runs(&r);
    assert_int_equal(r.report.warnings.len, 0);
    reading_done(&r);
}

static void
misspelt_variable_is_worth_a_warning(void **state)
{
    (void) state;
    struct reading r;
    reading_run(&r, ARGS(),
                ENV("TASKHOOK_MASTER_KYE=x", "TASKHOOK_SERVICE_HOST=10.0.0.1", "OTHER=1"));
    assert_runs(&r);
    assert_string_equal(buf_cstr(&r.report.warnings),
                        "unknown environment variable variable=TASKHOOK_MASTER_KYE "
                        "nearest=TASKHOOK_MASTER_KEY\n");
    reading_done(&r);
}

static void
authorization_header_without_url_is_worth_a_warning(void **state)
{
    (void) state;
    struct reading r;
    reading_run(&r, ARGS("--task-webhook-authorization-header", "Bearer x"), NULL);
    assert_runs(&r);
    assert_non_null(strstr(buf_cstr(&r.report.warnings), "there is no --task-webhook-url"));
    assert_null(strstr(buf_cstr(&r.report.warnings), "Bearer"));
    reading_done(&r);
}

static void
fields_of_the_command_lines_webhook_are_texts_and_choices(void **state)
{
    (void) state;
    struct reading r;
    reading_run(&r,
                ARGS("--task-webhook-url=http://x/", "--task-webhook-index-uids", "a,b-*",
                     "--task-webhook-ordered", "true", "--task-webhook-wait=false"),
                ENV("TASKHOOK_TASK_WEBHOOK_SECRET=whsec_x"));
    assert_runs(&r);
    assert_string_equal(r.conf.task_webhook.index_uids, "a,b-*");
    assert_string_equal(r.conf.task_webhook.secret, "whsec_x");
    assert_int_equal(r.conf.task_webhook.ordered, CONF_TRUE);
    assert_int_equal(r.conf.task_webhook.wait, CONF_FALSE);
    assert_int_equal(r.conf.task_webhook.is_active, CONF_UNSET);
    assert_null(r.conf.task_webhook.types);
    reading_done(&r);
}

static void
fields_of_no_webhook_are_worth_a_warning_each(void **state)
{
    (void) state;
    struct reading r;
    reading_run(&r, ARGS("--task-webhook-format=json", "--task-webhook-wait=true"), NULL);
    assert_runs(&r);
    assert_non_null(strstr(buf_cstr(&r.report.warnings), "option=--task-webhook-format "));
    assert_non_null(strstr(buf_cstr(&r.report.warnings), "option=--task-webhook-wait "));
    assert_null(strstr(buf_cstr(&r.report.warnings), "option=--task-webhook-types "));
    reading_done(&r);
}

static void
declared_webhooks_are_kept_as_tables(void **state)
{
    (void) state;
    struct reading r;
    reading_write_file("config.toml", "env = \"development\"\n\n[[webhooks]]\nname = \"a\"\n"
                                      "[[webhooks]]\nname = \"b\"\nsecret = { env = \"X\" }\n");
    reading_run(&r, ARGS(), NULL);
    assert_runs(&r);
    assert_non_null(r.conf.webhooks);
    const struct toml *second = r.conf.webhooks->first->next;
    assert_string_equal(toml_get(second, STR("name"))->string, "b");
    assert_int_equal(second->line, 5);
    assert_null(second->next);
    reading_done(&r);
}

static void
webhooks_that_are_no_tables_are_refused(void **state)
{
    (void) state;
    static const char *const texts[] = {"webhooks = 1\n", "webhooks = [\"http://a\"]\n",
                                        "[webhooks]\nname = \"a\"\n"};
    for (size_t i = 0; i < 3; i++) {
        struct reading r;
        reading_write_file("config.toml", texts[i]);
        reading_run(&r, ARGS(), NULL);
        assert_int_equal(r.report.result, CONF_EXIT_BAD);
        assert_non_null(strstr(buf_cstr(&r.report.messages),
                               "expected an array of tables ([[webhooks]]), but found"));
        reading_done(&r);
    }
}

static void
production_runs_with_a_key_of_16_bytes(void **state)
{
    (void) state;
    struct reading r;
    reading_run(&r, ARGS("--env=production", "--master-key", "0123456789abcdef"), NULL);
    assert_runs(&r);
    reading_done(&r);
}

static void
done_clears_the_struct(void **state)
{
    (void) state;
    struct reading r;
    static const struct conf EMPTY;
    reading_run(&r, ARGS("--master-key", "secret"), NULL);
    assert_runs(&r);
    conf_done(&r.conf);
    assert_memory_equal(&r.conf, &EMPTY, sizeof(EMPTY));
    reading_done(&r);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        reading_test(defaults_are_upstreams),
        reading_test(file_is_read_from_the_current_directory),
        reading_test(environment_wins_over_file),
        reading_test(flag_wins_over_environment_and_file),
        reading_test(own_variable_wins_over_upstreams),
        reading_test(own_options_have_no_variable_of_upstream),
        reading_test(empty_variable_counts_as_not_set),
        reading_test(bad_value_of_a_lower_source_does_not_matter),
        reading_test(config_file_path_comes_from_flag_or_environment),
        reading_test(file_values_of_every_type_are_taken),
        reading_test(flags_have_two_forms),
        reading_test(bools_may_be_switched_off_by_flag),
        reading_test(webhook_url_is_kept_as_given),
        reading_test(authorization_header_takes_scheme_and_value_unquoted),
        reading_test(authorization_header_takes_one_word_before_a_flag_or_when_quoted),
        reading_test(options_without_meaning_are_accepted_with_a_warning),
        reading_test(no_analytics_is_silent),
        reading_test(upstreams_sample_file_starts_without_a_word),
        reading_test(misspelt_variable_is_worth_a_warning),
        reading_test(authorization_header_without_url_is_worth_a_warning),
        reading_test(fields_of_the_command_lines_webhook_are_texts_and_choices),
        reading_test(fields_of_no_webhook_are_worth_a_warning_each),
        reading_test(declared_webhooks_are_kept_as_tables),
        reading_test(webhooks_that_are_no_tables_are_refused),
        reading_test(production_runs_with_a_key_of_16_bytes),
        reading_test(done_clears_the_struct),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
