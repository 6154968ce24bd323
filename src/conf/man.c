/* The manual page taskhook(1), made of the option table. */
#include "conf/docs.h"
#include "conf/options.h"

/* Text as roff: hyphens of options stay hyphens, a line cannot begin with a request. */
static void
write_text(struct buf *out, const char *text)
{
    if (*text == '.' || *text == '\'')
        buf_add_cstr(out, "\\&");
    for (; *text != '\0'; text++) {
        if (*text == '\\')
            buf_add_cstr(out, "\\e");
        else if (*text == '-')
            buf_add_cstr(out, "\\-");
        else if (*text == '\'')
            buf_add_cstr(out, "\\(aq");
        else
            buf_add_char(out, *text);
    }
}

static void
write_line(struct buf *out, const char *text)
{
    write_text(out, text);
    buf_add_char(out, '\n');
}

static void
write_tag(struct buf *out, const char *text)
{
    buf_add_cstr(out, ".TP\n\\fB");
    write_text(out, text);
    buf_add_cstr(out, "\\fR\n");
}

static void
write_names(struct buf *out, const struct conf_option *o)
{
    buf_add_cstr(out, ".TP\n");
    if (o->letter != '\0')
        buf_addf(out, "\\fB\\-%c\\fR, ", o->letter);
    buf_add_cstr(out, "\\fB\\-\\-");
    write_text(out, o->flag);
    buf_add_cstr(out, "\\fR");
    if (option_takes_value(o) && o->metavar != NULL)
        buf_addf(out, " \\fI%s\\fR", o->metavar);
    buf_add_char(out, '\n');
}

static void
write_facts(struct buf *out, const struct conf_option *o)
{
    struct buf text = BUF_INIT;
    if (o->def != NULL)
        buf_addf(&text, "Default: %s. ", o->def);
    buf_add_cstr(&text, "Environment: ");
    option_write_env(&text, o);
    buf_add_cstr(&text, ", ");
    (void) option_write_meili_env(&text, o); /* only actions have none */
    buf_add_cstr(&text, ". File: ");
    option_write_key(&text, o);
    buf_add_char(&text, '.');
    buf_add_cstr(out, ".br\n");
    write_line(out, buf_cstr(&text));
    buf_done(&text);
}

static void
write_group(struct buf *out, enum option_group group)
{
    buf_addf(out, ".SS %s\n", option_group_title(group));
    for (size_t i = 0; i < conf_option_count; i++) {
        const struct conf_option *o = &conf_options[i];
        if (o->group != group || o->is_hidden)
            continue;
        write_names(out, o);
        write_line(out, o->help);
        if (o->fate == OPTION_USED)
            write_facts(out, o);
    }
}

static void
write_pairs(struct buf *out, const char *title, const struct docs_pair *pairs)
{
    buf_addf(out, ".SH %s\n", title);
    for (; pairs->name != NULL; pairs++) {
        write_tag(out, pairs->name);
        write_line(out, pairs->text);
    }
}

static void
write_examples(struct buf *out)
{
    buf_add_cstr(out, ".SH EXAMPLES\n");
    for (const struct docs_pair *p = DOCS_EXAMPLES; p->name != NULL; p++) {
        buf_add_cstr(out, ".PP\n");
        write_line(out, p->text);
        buf_add_cstr(out, ".PP\n.RS 4\n.nf\n");
        write_line(out, p->name);
        buf_add_cstr(out, ".fi\n.RE\n");
    }
}

void
docs_write_man(struct buf *out)
{
    buf_addf(out, ".TH TASKHOOK 1 \"\" \"taskhook %s\" \"User Commands\"\n", conf_version());
    buf_add_cstr(out, ".SH NAME\ntaskhook \\- ");
    write_line(out, DOCS_SUMMARY);
    buf_add_cstr(out, ".SH SYNOPSIS\n.B taskhook\n[\\fIOPTIONS\\fR]\n.SH DESCRIPTION\n");
    for (const char *const *p = DOCS_DESCRIPTION; *p != NULL; p++) {
        buf_add_cstr(out, ".PP\n");
        write_line(out, *p);
    }
    buf_add_cstr(out, ".SH OPTIONS\nEvery option can be set in three ways; a flag wins over the "
                      "environment, the environment over the file.\n");
    for (const struct docs_pair *p = DOCS_SETTING; p->name != NULL; p++) {
        write_tag(out, p->name);
        write_line(out, p->text);
    }
    for (int group = 0; group < OPTION_GROUP_COUNT; group++)
        write_group(out, (enum option_group) group);
    write_pairs(out, "SIGNALS", DOCS_SIGNALS);
    write_pairs(out, "EXIT STATUS", DOCS_EXIT_CODES);
    write_pairs(out, "FILES", DOCS_FILES);
    write_examples(out);
}
