/* The command line as a source of settings: flags, their two forms, --help and its like. Messages
 * are those of upstream's parser (contract 8). Knows nothing of the other sources. */
#include <ctype.h>
#include <stdlib.h>

#include "base/mem.h"
#include "conf/read.h"

/* The argument at hand. */
struct args {
    int argc, next; /* next: the word after it */
    char *const *argv;
    const struct conf_option *option;
    const char *value; /* behind '=', NULL for none */
};

/* Authentication schemes (IANA's registry and what is common beside it). */
static const char *const SCHEMES[] = {
    "ApiKey", "Basic",     "Bearer", "Digest",      "DPoP",          "GNAP",
    "HOBA",   "Key",       "Mutual", "Negotiate",   "OAuth",         "PrivateToken",
    "vapid",  "Signature", "Token",  "SCRAM-SHA-1", "SCRAM-SHA-256", "AWS4-HMAC-SHA256",
};

static bool
is_scheme(const char *word)
{
    for (size_t i = 0; i < sizeof(SCHEMES) / sizeof(SCHEMES[0]); i++) {
        if (str_equal_nocase(str_from(word), str_from(SCHEMES[i])))
            return true;
    }
    return false;
}

static int
fail_unexpected(struct conf_reading *r, const char *word)
{
    struct buf tip = BUF_INIT;
    size_t name_len = strcspn(word, "=");
    const char *near = NULL;
    if (word[0] == '-')
        near = option_suggest(str_make(word, name_len));
    if (near != NULL)
        buf_addf(&tip, "  tip: a similar argument exists: '--%s'\n\n", near);
    (void) report_usage(r->report, /* always -1, as we return */
                        "unexpected argument '%.*s' found\n\n%sUsage: taskhook [OPTIONS]",
                        word[0] == '-' ? (int) name_len : (int) strlen(word), word, buf_cstr(&tip));
    buf_done(&tip);
    return -1;
}

static int
fail_option(struct conf_reading *r, const char *before, const struct conf_option *o,
            const char *after)
{
    struct buf usage = BUF_INIT;
    option_write_usage(&usage, o);
    (void) report_usage(r->report, "%s '%s' %s", before, buf_cstr(&usage),
                        after); /* -1, as below */
    buf_done(&usage);
    return -1;
}

static bool
is_flag(const char *word)
{
    return word[0] == '-' && word[1] != '\0';
}

static const char *
next_word(const struct args *a)
{
    return a->next < a->argc ? a->argv[a->next] : NULL;
}

static int
fail_no_value(struct conf_reading *r, const struct conf_option *o, const char *word)
{
    struct buf after = BUF_INIT;
    buf_add_cstr(&after, "but none was supplied");
    if (word != NULL && word[1] != '-')
        buf_addf(&after, "\n\n  tip: to pass '%s' as a value, use '--%s=%s'", word, o->flag, word);
    int rc = fail_option(r, "a value is required for", o, buf_cstr(&after));
    buf_done(&after);
    return rc;
}

/* The value of an option that needs one; NULL with the report decided. */
static char *
take_value(struct conf_reading *r, struct args *a)
{
    const char *value = a->value, *second = NULL;
    if (value == NULL) {
        const char *word = next_word(a);
        if (word == NULL || is_flag(word)) {
            (void) fail_no_value(r, a->option, word);
            return NULL;
        }
        value = word;
        a->next++;
    }
    if (a->option->is_scheme_and_value && is_scheme(value))
        second = next_word(a);
    if (second == NULL || is_flag(second))
        return mem_strdup(value);
    a->next++;
    size_t len = strlen(value) + 1 + strlen(second);
    char *both = mem_new(len + 1, 1);
    strcat(strcat(strcpy(both, value), " "), second);
    return both;
}

static int
run_action(struct conf_reading *r, const struct args *a)
{
    if (a->value != NULL)
        return fail_option(r, "unexpected value for", a->option, "found; no more were expected");
    a->option->print(&r->report->out);
    r->report->result = CONF_EXIT_OK;
    return -1;
}

static int
read_option(struct conf_reading *r, struct args *a)
{
    const struct conf_option *o = a->option;
    char *text;
    if (o->fate == OPTION_ACTION)
        return run_action(r, a);
    if (reading_setting(r, o)->text != NULL)
        return fail_option(r, "the argument", o,
                           "cannot be used multiple times\n\nUsage: taskhook [OPTIONS]");
    if (o->fate == OPTION_UNSUPPORTED && (a->value == NULL || strcmp(a->value, "false") != 0))
        return reading_refuse(r, o);
    if (option_takes_value(o))
        text = take_value(r, a);
    else
        text = mem_strdup(a->value != NULL ? a->value : "true");
    if (text == NULL)
        return -1;
    reading_set(r, o, SETTING_FROM_ARGS, text, NULL);
    return 0;
}

static int
read_word(struct conf_reading *r, struct args *a)
{
    const char *word = a->argv[a->next++];
    size_t name_len = strcspn(word, "=");
    a->value = word[name_len] == '=' ? word + name_len + 1 : NULL;
    a->option = NULL;
    if (str_starts_with(str_from(word), "--"))
        a->option = option_find(str_make(word, name_len));
    else if (word[0] == '-' && word[1] != '\0' && word[2] == '\0')
        a->option = option_find_letter(word[1]);
    return a->option == NULL ? fail_unexpected(r, word) : read_option(r, a);
}

int
args_read(struct conf_reading *r, int argc, char *const *argv)
{
    struct args a = {.argc = argc, .next = 1, .argv = argv};
    while (a.next < argc) {
        if (read_word(r, &a) != 0)
            return -1;
    }
    return 0;
}
