/* Owns precedence: which of the texts for an option counts, and turning the winners into a struct
 * conf. The sources are args.c, env.c and file.c; prints nothing. */
#include "conf/read.h"

#include <stdlib.h>

#include "base/mem.h"

struct setting *
reading_setting(struct conf_reading *r, const struct conf_option *o)
{
    return &r->settings[o - conf_options];
}

static void
wipe_text(char *text)
{
    if (text != NULL)
        mem_wipe(text, strlen(text));
    free(text);
}

void
reading_set(struct conf_reading *r, const struct conf_option *o, enum setting_source source,
            char *text, const char *place)
{
    struct setting *s = reading_setting(r, o);
    if (s->text != NULL) {
        wipe_text(text);
        return;
    }
    *s = (struct setting){.text = text, .source = source, .place = mem_strdup(place)};
}

static void
write_place(struct buf *out, const struct setting *s)
{
    if (s->source == SETTING_FROM_ENV)
        buf_addf(out, "\n\n  note: it comes from the environment variable %s", s->place);
    else if (s->source == SETTING_FROM_FILE)
        buf_addf(out, "\n\n  note: it comes from %s", s->place);
}

void
reading_write_invalid(struct buf *out, const struct conf_option *o, const char *value,
                      const char *rest)
{
    if (o->is_secret)
        buf_add_cstr(out, "invalid value (not shown) for '");
    else
        buf_addf(out, "invalid value '%s' for '", value);
    option_write_usage(out, o);
    buf_addf(out, "'%s", rest);
}

int
reading_refuse(struct conf_reading *r, const struct conf_option *o)
{
    struct buf text = BUF_INIT;
    buf_add_char(&text, '\'');
    option_write_usage(&text, o);
    buf_addf(&text, "' is not supported: %s", o->help);
    write_place(&text, reading_setting(r, o));
    (void) report_usage(r->report, "%s", buf_cstr(&text)); /* always -1, as we return */
    buf_done(&text);
    return -1;
}

/* Upstream's defaults and switched-off features stand in its sample files: they ask for nothing. */
static bool
asks_for_something(const struct conf_option *o, const struct setting *s)
{
    if (s->text == NULL || strcmp(s->text, "false") == 0)
        return false;
    return o->def == NULL || strcmp(s->text, o->def) != 0;
}

static int
apply_used(struct conf_reading *r, const struct conf_option *o, struct conf *ret)
{
    struct buf why = BUF_INIT, message = BUF_INIT;
    const struct setting *s = reading_setting(r, o);
    const char *text = s->text != NULL ? s->text : o->def;
    int rc = text == NULL ? 0 : option_parse(o, text, ret, &why);
    if (rc != 0) {
        reading_write_invalid(&message, o, text, buf_cstr(&why));
        write_place(&message, s);
        (void) report_usage(r->report, "%s", buf_cstr(&message)); /* always -1, as rc is */
    }
    buf_done(&why);
    buf_done(&message);
    return rc;
}

static int
apply_one(struct conf_reading *r, const struct conf_option *o, struct conf *ret)
{
    const struct setting *s = reading_setting(r, o);
    switch (o->fate) {
    case OPTION_USED:
        return apply_used(r, o, ret);
    case OPTION_IGNORED:
        if (asks_for_something(o, s))
            report_warning(r->report, "option accepted without effect option=--%s reason=\"%s\"",
                           o->flag, o->help);
        return 0;
    case OPTION_UNSUPPORTED:
        return asks_for_something(o, s) ? reading_refuse(r, o) : 0;
    case OPTION_ACTION:
        return 0;
    }
    return 0;
}

static int
apply_all(struct conf_reading *r, struct conf *ret)
{
    for (size_t i = 0; i < conf_option_count; i++) {
        if (apply_one(r, &conf_options[i], ret) != 0)
            return -1;
    }
    if (ret->config_file_path == NULL)
        ret->config_file_path = mem_strdup(r->file_path);
    return check_conf(ret, r->report);
}

void
conf_read(int argc, char *const *argv, char *const *envp, struct conf *ret,
          struct conf_report *report)
{
    struct conf_reading r = {.report = report};
    r.settings = mem_new(conf_option_count, sizeof(*r.settings));
    *ret = (struct conf){0};
    report->result = CONF_RUN;
    int rc = args_read(&r, argc, argv);
    if (rc == 0) {
        env_read(&r, envp);
        rc = file_read(&r);
    }
    ret->webhooks = r.webhooks;
    ret->file_root = r.file_root;
    ret->file_arena = r.file_arena;
    if (rc != 0 || apply_all(&r, ret) != 0)
        conf_done(ret);
    for (size_t i = 0; i < conf_option_count; i++) {
        wipe_text(r.settings[i].text);
        free(r.settings[i].place);
    }
    free(r.settings);
    free(r.file_path);
}
