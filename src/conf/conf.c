/* The border of conf/: runs the reader, prints what it reports, frees what it made. */
#include "conf/conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "conf/read.h"
#include "conf/toml.h"

const char *
conf_version(void)
{
    return TASKHOOK_VERSION;
}

static bool
print_all(FILE *stream, struct buf *text)
{
    size_t n = text->len == 0 ? 0 : fwrite(text->data, 1, text->len, stream);
    return n == text->len && fflush(stream) == 0;
}

static void
log_warnings(struct buf *warnings)
{
    struct str rest = buf_str(warnings), line;
    while (rest.len > 0 && str_split(&rest, '\n', &line))
        log_warn("conf", "%.*s", STR_ARG(line));
}

enum conf_result
conf_load(int argc, char *const *argv, char *const *envp, struct conf *ret, int *ret_exit)
{
    struct conf_report report = CONF_REPORT_INIT;
    conf_read(argc, argv, envp, ret, &report);
    /* nothing can be done when standard error itself fails */
    (void) print_all(stderr, &report.messages);
    if (report.result == CONF_RUN) {
        log_setup(ret->log_level, ret->log_mode);
        log_warnings(&report.warnings);
    } else if (!print_all(stdout, &report.out)) {
        fprintf(stderr, "Error: cannot write to standard output: %s\n", strerror(errno));
        report.result = CONF_EXIT_BAD;
        report.exit_code = CONF_EXIT_FAILURE;
    }
    enum conf_result result = report.result;
    if (result == CONF_EXIT_BAD)
        *ret_exit = report.exit_code;
    report_done(&report);
    return result;
}

void
conf_done(struct conf *c)
{
    for (size_t i = 0; i < conf_option_count; i++) {
        const struct conf_option *o = &conf_options[i];
        char *text;
        if (o->fate != OPTION_USED || (o->type != OPTION_STRING && o->type != OPTION_PATH))
            continue;
        memcpy(&text, (char *) c + o->offset, sizeof(text));
        if (text != NULL && o->is_secret)
            mem_wipe(text, strlen(text));
        free(text);
    }
    toml_wipe(c->file_root);
    arena_free(c->file_arena);
    *c = (struct conf){0};
}

void
conf_print_invalid(const char *flag, const char *value, const char *why)
{
    struct buf text = BUF_INIT, rest = BUF_INIT;
    struct conf_report report = CONF_REPORT_INIT;
    const struct conf_option *o = option_find(str_from(flag));
    if (why != NULL && *why != '\0')
        buf_addf(&rest, ": %s", why);
    if (o != NULL)
        reading_write_invalid(&text, o, value, buf_cstr(&rest));
    else
        buf_addf(&text, "invalid value '%s' for '%s'%s", value, flag, buf_cstr(&rest));
    (void) report_usage(&report, "%s", buf_cstr(&text)); /* always -1 */
    (void) print_all(stderr, &report.messages);          /* see conf_load */
    report_done(&report);
    buf_done(&text);
    buf_done(&rest);
}
