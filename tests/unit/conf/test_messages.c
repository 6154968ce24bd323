/* What is said, and which code ends it, when a start is refused. */
#include "reading.h"

#define HELP "\n\nFor more information, try '--help'.\n"
#define USAGE "\n\nUsage: taskhook [OPTIONS]" HELP

static void
assert_refused(char *const *args, char *const *env, int exit_code, const char *message)
{
    struct reading r;
    reading_run(&r, args, env);
    assert_string_equal(buf_cstr(&r.report.messages), message);
    assert_int_equal(r.report.result, CONF_EXIT_BAD);
    assert_int_equal(r.report.exit_code, exit_code);
    assert_int_equal(r.report.out.len, 0);
    reading_done(&r);
}

static void
assert_file_refused(const char *text, int exit_code, const char *message)
{
    reading_write_file("config.toml", text);
    assert_refused(ARGS(), NULL, exit_code, message);
}

static void
unknown_flag_names_the_nearest(void **state)
{
    (void) state;
    assert_refused(ARGS("--task-webhok-url", "x"), NULL, 2,
                   "error: unexpected argument '--task-webhok-url' found\n\n  tip: a similar "
                   "argument exists: '--task-webhook-url'" USAGE);
    assert_refused(ARGS("--allowed-ip-networks=any"), NULL, 2,
                   "error: unexpected argument '--allowed-ip-networks' found\n\n  tip: a similar "
                   "argument exists: '--experimental-allowed-ip-networks'" USAGE);
    assert_refused(ARGS("--task-webhook"), NULL, 2,
                   "error: unexpected argument '--task-webhook' found\n\n  tip: a similar "
                   "argument exists: '--task-webhook-url'" USAGE);
}

static void
unknown_flag_far_from_all_names_none(void **state)
{
    (void) state;
    assert_refused(ARGS("--frobnicate"), NULL, 2,
                   "error: unexpected argument '--frobnicate' found" USAGE);
    assert_refused(ARGS("-x"), NULL, 2, "error: unexpected argument '-x' found" USAGE);
    assert_refused(ARGS("--"), NULL, 2, "error: unexpected argument '--' found" USAGE);
}

static void
words_that_are_not_flags_are_refused(void **state)
{
    (void) state;
    assert_refused(ARGS("serve"), NULL, 2, "error: unexpected argument 'serve' found" USAGE);
    assert_refused(ARGS(""), NULL, 2, "error: unexpected argument '' found" USAGE);
}

static void
missing_value_is_an_error(void **state)
{
    (void) state;
    const char *text = "error: a value is required for '--db-path <DB_PATH>' but none was "
                       "supplied" HELP;
    assert_refused(ARGS("--db-path"), NULL, 2, text);
    assert_refused(ARGS("--db-path", "--no-analytics"), NULL, 2, text);
}

static void
value_that_begins_with_a_dash_is_shown_the_other_form(void **state)
{
    (void) state;
    assert_refused(ARGS("--db-path", "-dir"), NULL, 2,
                   "error: a value is required for '--db-path <DB_PATH>' but none was supplied\n\n"
                   "  tip: to pass '-dir' as a value, use '--db-path=-dir'" HELP);
}

static void
flag_given_twice_is_an_error(void **state)
{
    (void) state;
    assert_refused(ARGS("--db-path", "a", "--db-path=b"), NULL, 2,
                   "error: the argument '--db-path <DB_PATH>' cannot be used multiple times" USAGE);
}

static void
invalid_value_names_option_value_and_reason(void **state)
{
    (void) state;
    assert_refused(ARGS("--max-connections", "x"), NULL, 2,
                   "error: invalid value 'x' for '--max-connections <MAX_CONNECTIONS>': expected "
                   "a whole number" HELP);
    assert_refused(ARGS("--no-analytics=maybe"), NULL, 2,
                   "error: invalid value 'maybe' for '--no-analytics'\n  [possible values: true, "
                   "false]" HELP);
}

static void
invalid_value_from_elsewhere_names_the_place(void **state)
{
    (void) state;
    assert_refused(ARGS(), ENV("MEILI_LOG_LEVEL=x"), 2,
                   "error: invalid value 'x' for '--log-level <LOG_LEVEL>': Log level 'x' is "
                   "invalid. Accepted values are 'OFF', 'ERROR', 'WARN', 'INFO', 'DEBUG', and "
                   "'TRACE'.\n\n  note: it comes from the environment variable "
                   "MEILI_LOG_LEVEL" HELP);
    assert_file_refused("\nmax_connections = 0\n", 2,
                        "error: invalid value '0' for '--max-connections <MAX_CONNECTIONS>': the "
                        "smallest accepted value is 1\n\n  note: it comes from \"./config.toml\", "
                        "line 2" HELP);
}

static void
invalid_secret_is_not_shown(void **state)
{
    (void) state;
    assert_refused(ARGS("--master-key", "sec\nret"), NULL, 2,
                   "error: invalid value (not shown) for '--master-key <MASTER_KEY>': a line break "
                   "or another control character cannot be sent in an HTTP header" HELP);
}

static void
feature_we_lack_is_an_error(void **state)
{
    (void) state;
    const char *text = "error: '--import-dump <IMPORT_DUMP>' is not supported: dumps cannot be "
                       "imported; add the documents over the API instead";
    struct buf message = BUF_INIT;
    buf_addf(&message, "%s%s", text, HELP);
    assert_refused(ARGS("--import-dump", "x.dump"), NULL, 2, buf_cstr(&message));
    buf_clear(&message);
    buf_addf(&message, "%s\n\n  note: it comes from the environment variable MEILI_IMPORT_DUMP%s",
             text, HELP);
    assert_refused(ARGS(), ENV("MEILI_IMPORT_DUMP=x.dump"), 2, buf_cstr(&message));
    buf_clear(&message);
    buf_addf(&message, "%s\n\n  note: it comes from \"./config.toml\", line 1%s", text, HELP);
    assert_file_refused("import_dump = 'x.dump'", 2, buf_cstr(&message));
    buf_done(&message);
}

static void
scheduled_snapshots_are_refused_in_each_form(void **state)
{
    (void) state;
    const char *text = "error: '--schedule-snapshot' is not supported: snapshots are not made; "
                       "copy the data directory of a stopped server instead";
    struct buf message = BUF_INIT;
    buf_addf(&message, "%s%s", text, HELP);
    assert_refused(ARGS("--schedule-snapshot"), NULL, 2, buf_cstr(&message));
    assert_refused(ARGS("--schedule-snapshot", "3600"), NULL, 2, buf_cstr(&message));
    buf_clear(&message);
    buf_addf(&message, "%s\n\n  note: it comes from \"./config.toml\", line 1%s", text, HELP);
    assert_file_refused("schedule_snapshot = 3600\n", 2, buf_cstr(&message));
    buf_done(&message);
}

static void
production_without_a_master_key_is_refused_with_a_suggestion(void **state)
{
    (void) state;
    struct reading r;
    reading_run(&r, ARGS("--env", "production"), NULL);
    assert_int_equal(r.report.exit_code, 1);
    const char *text = buf_cstr(&r.report.messages);
    const char *start = "Error: You must provide a master key to secure your instance in a "
                        "production environment. It can be specified via the MEILI_MASTER_KEY "
                        "environment variable or the --master-key launch option.\n";
    assert_memory_equal(text, start, strlen(start));
    char key[64];
    const char *suggestion = strstr(text, ">> --master-key ");
    assert_non_null(suggestion);
    assert_int_equal(sscanf(suggestion, ">> --master-key %63s <<", key), 1);
    reading_done(&r);
    reading_run(&r, ARGS("--env", "production", "--master-key", key), NULL);
    assert_int_equal(r.report.result, CONF_RUN);
    reading_done(&r);
}

static void
production_with_a_short_master_key_is_refused(void **state)
{
    (void) state;
    struct reading r;
    reading_run(&r, ARGS("--env", "production", "--master-key", "0123456789abcde"), NULL);
    assert_int_equal(r.report.exit_code, 1);
    const char *text = buf_cstr(&r.report.messages);
    assert_non_null(strstr(text, "Error: The master key must be at least 16 bytes in a production "
                                 "environment. The provided key is only 15 bytes.\n"));
    assert_null(strstr(text, "0123456789abcde"));
    reading_done(&r);
}

static void
certificate_and_key_need_each_other(void **state)
{
    (void) state;
    assert_refused(ARGS("--ssl-cert-path", "c.pem"), NULL, 2,
                   "error: '--ssl-cert-path <SSL_CERT_PATH>' needs '--ssl-key-path "
                   "<SSL_KEY_PATH>'" HELP);
    assert_refused(ARGS("--ssl-key-path", "k.pem"), NULL, 2,
                   "error: '--ssl-key-path <SSL_KEY_PATH>' needs '--ssl-cert-path "
                   "<SSL_CERT_PATH>'" HELP);
    assert_refused(ARGS("--ssl-auth-path", "ca.pem"), NULL, 2,
                   "error: '--ssl-auth-path <SSL_AUTH_PATH>' needs '--ssl-cert-path "
                   "<SSL_CERT_PATH>'" HELP);
    assert_refused(ARGS("--ssl-require-auth"), NULL, 2,
                   "error: '--ssl-require-auth' needs '--ssl-auth-path <SSL_AUTH_PATH>'" HELP);
}

static void
named_file_that_is_absent_is_an_error(void **state)
{
    (void) state;
    const char *text = "Error: unable to open or read the \"none.toml\" configuration file: No "
                       "such file or directory (os error 2).\n";
    assert_refused(ARGS("--config-file-path", "none.toml"), NULL, 1, text);
    assert_refused(ARGS(), ENV("TASKHOOK_CONFIG_FILE_PATH=none.toml"), 1, text);
}

static void
file_cannot_name_a_file(void **state)
{
    (void) state;
    assert_file_refused("config_file_path = 'x'\n", 1,
                        "Error: `config_file_path` is not supported in the configuration file\n");
}

static void
unknown_key_names_the_nearest(void **state)
{
    (void) state;
    assert_file_refused("\ntask_webhok_url = 'x'\n", 1,
                        "Error: unknown key `task_webhok_url` in the \"./config.toml\" "
                        "configuration file, line 2: did you mean `task_webhook_url`?\n");
    assert_file_refused("[server]\nport = 1\n", 1,
                        "Error: unknown key `server` in the \"./config.toml\" configuration file, "
                        "line 1\n");
    assert_file_refused("help = true\n", 1,
                        "Error: unknown key `help` in the \"./config.toml\" configuration file, "
                        "line 1\n");
}

static void
value_of_the_wrong_type_is_an_error(void **state)
{
    (void) state;
#define WHERE "` in the \"./config.toml\" configuration file, line 1: expected "
    assert_file_refused("db_path = 1", 1,
                        "Error: `db_path" WHERE "a string, but found an integer\n");
    assert_file_refused("no_analytics = 'true'", 1,
                        "Error: `no_analytics" WHERE "a boolean, but found a string\n");
    assert_file_refused("max_connections = 1.5", 1,
                        "Error: `max_connections" WHERE
                        "an integer or a string, but found a float\n");
    assert_file_refused("experimental_allowed_ip_networks = [1]", 1,
                        "Error: `experimental_allowed_ip_networks" WHERE
                        "an array of strings, but found an array\n");
    assert_file_refused("max_indexing_threads = [1]", 1,
                        "Error: `max_indexing_threads" WHERE
                        "a single value, but found an array\n");
#undef WHERE
}

static void
malformed_file_names_the_line(void **state)
{
    (void) state;
    assert_file_refused("db_path = './x'\nhttp_addr localhost\n", 1,
                        "Error: the \"./config.toml\" configuration file is not valid: line 2: "
                        "expected '=' after the key `http_addr`\n");
}

static void
text_with_a_nul_is_an_error(void **state)
{
    (void) state;
    assert_file_refused("db_path = \"a\\u0000b\"\n", 1,
                        "Error: `db_path` in the \"./config.toml\" configuration file, line 1: the "
                        "text holds a NUL character\n");
}

static void
refused_start_leaves_nothing_behind(void **state)
{
    (void) state;
    struct reading r;
    reading_run(&r, ARGS("--db-path=x", "--ssl-cert-path=c"), NULL);
    assert_int_equal(r.report.exit_code, 2);
    assert_null(r.conf.db_path);
    reading_done(&r);
}

/* Runs print with standard error going to a file, which is read back; the caller frees. */
static char *
catch_stderr(int (*print)(void), int *ret_code)
{
    FILE *file = tmpfile();
    int before = dup(STDERR_FILENO);
    assert_non_null(file);
    assert_true(before >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    *ret_code = print();
    assert_true(dup2(before, STDERR_FILENO) >= 0);
    assert_int_equal(close(before), 0);
    rewind(file);
    char *text = calloc(1, 4096);
    assert_non_null(text);
    (void) fread(text, 1, 4095, file); /* what is missing shows in the comparison */
    assert_int_equal(fclose(file), 0);
    return text;
}

static int
print_invalid_url(void)
{
    conf_print_invalid("task-webhook-url", "nonsense", "relative URL without a base");
    return 0;
}

static int
print_invalid_secret(void)
{
    conf_print_invalid("--task-webhook-authorization-header", "Bearer x", "too long");
    return 0;
}

static void
value_refused_by_others_is_told_in_the_same_form(void **state)
{
    (void) state;
    int code;
    char *text = catch_stderr(print_invalid_url, &code);
    assert_string_equal(text, "error: invalid value 'nonsense' for '--task-webhook-url "
                              "<TASK_WEBHOOK_URL>': relative URL without a base" HELP);
    free(text);
    text = catch_stderr(print_invalid_secret, &code);
    assert_null(strstr(text, "Bearer"));
    assert_non_null(strstr(text, "': too long" HELP));
    free(text);
}

static int
load_unknown_flag(void)
{
    struct conf conf;
    int code = 0;
    enum conf_result result =
        conf_load(2, (char *[]){"taskhook", "--frobnicate", NULL}, NULL, &conf, &code);
    conf_done(&conf);
    return result == CONF_EXIT_BAD ? code : -1;
}

static void
load_prints_the_message_and_gives_the_code(void **state)
{
    (void) state;
    int code;
    char *text = catch_stderr(load_unknown_flag, &code);
    assert_int_equal(code, 2);
    assert_string_equal(text, "error: unexpected argument '--frobnicate' found" USAGE);
    free(text);
}

static int
load_with_warning(void)
{
    struct conf conf;
    int code = 0;
    enum conf_result result = conf_load(2, (char *[]){"taskhook", "--ssl-tickets", NULL},
                                        ENV("MEILI_EXPERIMENTAL_LOGS_MODE=json"), &conf, &code);
    conf_done(&conf);
    return (int) result;
}

static void
load_logs_warnings_in_the_chosen_mode(void **state)
{
    (void) state;
    int code;
    char *text = catch_stderr(load_with_warning, &code);
    assert_int_equal(code, CONF_RUN);
    assert_int_equal(text[0], '{');
    assert_non_null(strstr(text, "option=--ssl-tickets"));
    log_setup(LOG_INFO, LOG_HUMAN);
    free(text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        reading_test(unknown_flag_names_the_nearest),
        reading_test(unknown_flag_far_from_all_names_none),
        reading_test(words_that_are_not_flags_are_refused),
        reading_test(missing_value_is_an_error),
        reading_test(value_that_begins_with_a_dash_is_shown_the_other_form),
        reading_test(flag_given_twice_is_an_error),
        reading_test(invalid_value_names_option_value_and_reason),
        reading_test(invalid_value_from_elsewhere_names_the_place),
        reading_test(invalid_secret_is_not_shown),
        reading_test(feature_we_lack_is_an_error),
        reading_test(scheduled_snapshots_are_refused_in_each_form),
        reading_test(production_without_a_master_key_is_refused_with_a_suggestion),
        reading_test(production_with_a_short_master_key_is_refused),
        reading_test(certificate_and_key_need_each_other),
        reading_test(named_file_that_is_absent_is_an_error),
        reading_test(file_cannot_name_a_file),
        reading_test(unknown_key_names_the_nearest),
        reading_test(value_of_the_wrong_type_is_an_error),
        reading_test(malformed_file_names_the_line),
        reading_test(text_with_a_nul_is_an_error),
        reading_test(refused_start_leaves_nothing_behind),
        reading_test(value_refused_by_others_is_told_in_the_same_form),
        reading_test(load_prints_the_message_and_gives_the_code),
        reading_test(load_logs_warnings_in_the_chosen_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
