/* The option table is complete, and so is every text made of it. */
#include "conf/docs.h"
#include "reading.h"

#define FOR_EACH_OPTION(o)                                                                         \
    for (const struct conf_option *o = conf_options; o < conf_options + conf_option_count; o++)

static void
every_row_has_help(void **state)
{
    (void) state;
    FOR_EACH_OPTION(o)
    {
        if (o->help == NULL || strlen(o->help) < 10)
            fail_msg("--%s has no help", o->flag);
    }
}

static void
flags_and_letters_are_unique(void **state)
{
    (void) state;
    FOR_EACH_OPTION(o)
    {
        assert_ptr_equal(option_find(str_from(o->flag)), o);
        if (o->letter != '\0')
            assert_ptr_equal(option_find_letter(o->letter), o);
    }
}

static void
every_shown_flag_can_be_suggested(void **state)
{
    (void) state;
    FOR_EACH_OPTION(o)
    {
        if (!o->is_hidden)
            assert_ptr_equal(option_suggest(str_from(o->flag)), o->flag);
    }
}

static void
every_used_row_has_a_field_of_its_own(void **state)
{
    (void) state;
    FOR_EACH_OPTION(a)
    {
        FOR_EACH_OPTION(b)
        {
            if (a != b && a->fate == OPTION_USED && b->fate == OPTION_USED &&
                a->offset == b->offset)
                fail_msg("--%s and --%s share a field", a->flag, b->flag);
        }
    }
}

static void
every_used_row_with_a_value_has_a_metavar(void **state)
{
    (void) state;
    FOR_EACH_OPTION(o)
    {
        if (o->fate == OPTION_USED && option_takes_value(o))
            assert_non_null(o->metavar);
        if (o->type == OPTION_ENUM)
            assert_non_null(o->choices);
        if (o->fate == OPTION_ACTION)
            assert_non_null(o->print);
    }
}

static void
names_are_made_of_the_flag(void **state)
{
    (void) state;
    struct buf key = BUF_INIT, env = BUF_INIT, meili = BUF_INIT;
    const struct conf_option *o = option_find(STR("task-webhook-url"));
    option_write_key(&key, o);
    option_write_env(&env, o);
    assert_true(option_write_meili_env(&meili, o));
    assert_string_equal(buf_cstr(&key), "task_webhook_url");
    assert_string_equal(buf_cstr(&env), "TASKHOOK_TASK_WEBHOOK_URL");
    assert_string_equal(buf_cstr(&meili), "MEILI_TASK_WEBHOOK_URL");
    buf_done(&key);
    buf_done(&env);
    buf_done(&meili);
}

static void
every_key_finds_its_row(void **state)
{
    (void) state;
    FOR_EACH_OPTION(o)
    {
        struct buf key = BUF_INIT;
        option_write_key(&key, o);
        assert_ptr_equal(option_find_key(buf_str(&key)), o->fate == OPTION_ACTION ? NULL : o);
        buf_done(&key);
    }
}

static void
every_default_is_a_value_of_its_row(void **state)
{
    (void) state;
    FOR_EACH_OPTION(o)
    {
        struct conf conf = {0};
        if (o->fate == OPTION_USED && o->def != NULL)
            assert_int_equal(option_parse(o, o->def, &conf, NULL), 0);
        conf_done(&conf);
    }
}

/* Every row whose fate is at most `last` is named, hidden ones are not. */
static void
assert_names_rows(void (*write)(struct buf *out), const char *prefix, enum option_fate last)
{
    struct buf text = BUF_INIT;
    write(&text);
    FOR_EACH_OPTION(o)
    {
        struct buf name = BUF_INIT;
        buf_add_cstr(&name, prefix);
        for (const char *p = o->flag; *p != '\0'; p++)
            buf_addf(&name, "%s%c", *p == '-' && prefix[0] == '\\' ? "\\" : "", *p);
        bool is_named = strstr(buf_cstr(&text), buf_cstr(&name)) != NULL;
        bool is_expected = !o->is_hidden && (o->fate <= last || o->fate == OPTION_ACTION);
        if (is_named != is_expected)
            fail_msg("%s is %s", buf_cstr(&name), is_named ? "named" : "missing");
        buf_done(&name);
    }
    buf_done(&text);
}

static void
help_names_every_row(void **state)
{
    (void) state;
    assert_names_rows(docs_write_help, "--", OPTION_UNSUPPORTED);
}

static void
man_page_names_every_row(void **state)
{
    (void) state;
    assert_names_rows(docs_write_man, "\\-\\-", OPTION_UNSUPPORTED);
}

static void
markdown_names_every_row(void **state)
{
    (void) state;
    assert_names_rows(docs_write_markdown, "--", OPTION_UNSUPPORTED);
}

static void
completions_name_every_row_that_is_accepted(void **state)
{
    (void) state;
    assert_names_rows(docs_write_fish, "-l ", OPTION_IGNORED);
    struct buf bash = BUF_INIT, zsh = BUF_INIT;
    docs_write_bash(&bash);
    docs_write_zsh(&zsh);
    FOR_EACH_OPTION(o)
    {
        struct buf word = BUF_INIT, spec = BUF_INIT;
        buf_addf(&word, "\n        --%s", o->flag);
        buf_addf(&spec, "'--%s%s[", o->flag, option_takes_value(o) ? "=" : "");
        bool is_offered = !o->is_hidden && o->fate != OPTION_UNSUPPORTED;
        assert_int_equal(strstr(buf_cstr(&bash), buf_cstr(&word)) != NULL, is_offered);
        assert_int_equal(strstr(buf_cstr(&zsh), buf_cstr(&spec)) != NULL, is_offered);
        buf_done(&word);
        buf_done(&spec);
    }
    buf_done(&bash);
    buf_done(&zsh);
}

static void
help_stays_within_80_columns(void **state)
{
    (void) state;
    struct buf text = BUF_INIT;
    docs_write_help(&text);
    struct str rest = str_slice(buf_str(&text), 0, str_find(buf_str(&text), '\0', 0)), line;
    bool is_example = false;
    while (str_split(&rest, '\n', &line)) {
        is_example = str_starts_with(line, "Examples") || (is_example && line.len > 0);
        if (line.len > 79 && !is_example)
            fail_msg("%.*s", STR_ARG(line));
    }
    buf_done(&text);
}

static void
help_shows_defaults_variables_and_the_rest(void **state)
{
    (void) state;
    struct buf text = BUF_INIT;
    docs_write_help(&text);
    static const char *const PARTS[] = {
        "[default: localhost:7700]",
        "[env: TASKHOOK_HTTP_ADDR]",
        "MEILI_FOO_BAR",
        "SIGTERM, SIGINT",
        "SIGHUP",
        "Exit codes:",
        "Examples:",
        "Usage: taskhook [OPTIONS]",
    };
    for (size_t i = 0; i < sizeof(PARTS) / sizeof(PARTS[0]); i++) {
        if (strstr(buf_cstr(&text), PARTS[i]) == NULL)
            fail_msg("help lacks %s", PARTS[i]);
    }
    buf_done(&text);
}

static void
help_is_printed_by_both_flags_before_later_errors(void **state)
{
    (void) state;
    struct reading r;
    reading_run(&r, ARGS("-h", "--bogus"), NULL);
    assert_int_equal(r.report.result, CONF_EXIT_OK);
    assert_int_equal(r.report.messages.len, 0);
    assert_non_null(strstr(buf_cstr(&r.report.out), "Usage: taskhook"));
    reading_done(&r);
    reading_run(&r, ARGS("--help"), NULL);
    assert_int_equal(r.report.result, CONF_EXIT_OK);
    reading_done(&r);
}

static void
version_names_program_and_contract(void **state)
{
    (void) state;
    struct reading r;
    struct buf expected = BUF_INIT;
    buf_addf(&expected, "taskhook %s (meilisearch wire contract 1.50.0)\n", conf_version());
    reading_run(&r, ARGS("--version"), NULL);
    assert_int_equal(r.report.result, CONF_EXIT_OK);
    assert_string_equal(buf_cstr(&r.report.out), buf_cstr(&expected));
    reading_done(&r);
    reading_run(&r, ARGS("-V"), NULL);
    assert_string_equal(buf_cstr(&r.report.out), buf_cstr(&expected));
    reading_done(&r);
    buf_done(&expected);
}

static void
no_text_of_man_page_begins_with_a_request_by_accident(void **state)
{
    (void) state;
    static const char *const REQUESTS[] = {".TH ", ".SH ", ".SS ", ".TP", ".PP", ".RS ",
                                           ".RE",  ".nf",  ".fi",  ".br", ".B "};
    struct buf text = BUF_INIT;
    docs_write_man(&text);
    struct str rest = buf_str(&text), line;
    while (str_split(&rest, '\n', &line)) {
        bool is_known = line.len == 0 || (line.data[0] != '.' && line.data[0] != '\'');
        for (size_t i = 0; i < sizeof(REQUESTS) / sizeof(REQUESTS[0]); i++)
            is_known = is_known || str_starts_with(line, REQUESTS[i]);
        if (!is_known)
            fail_msg("%.*s", STR_ARG(line));
    }
    buf_done(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_has_help),
        cmocka_unit_test(flags_and_letters_are_unique),
        cmocka_unit_test(every_shown_flag_can_be_suggested),
        cmocka_unit_test(every_used_row_has_a_field_of_its_own),
        cmocka_unit_test(every_used_row_with_a_value_has_a_metavar),
        cmocka_unit_test(names_are_made_of_the_flag),
        cmocka_unit_test(every_key_finds_its_row),
        cmocka_unit_test(every_default_is_a_value_of_its_row),
        cmocka_unit_test(help_names_every_row),
        cmocka_unit_test(man_page_names_every_row),
        cmocka_unit_test(markdown_names_every_row),
        cmocka_unit_test(completions_name_every_row_that_is_accepted),
        cmocka_unit_test(help_stays_within_80_columns),
        cmocka_unit_test(help_shows_defaults_variables_and_the_rest),
        cmocka_unit_test(help_is_printed_by_both_flags_before_later_errors),
        cmocka_unit_test(version_names_program_and_contract),
        cmocka_unit_test(no_text_of_man_page_begins_with_a_request_by_accident),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
