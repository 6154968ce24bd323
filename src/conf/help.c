/* --help, --version and the README's option table, made of the option table. */
#include "conf/docs.h"
#include "conf/options.h"

enum { HELP_COLUMNS = 79, HELP_INDENT = 10 };

void
docs_write_version(struct buf *out)
{
    buf_addf(out, "taskhook %s (meilisearch wire contract %s)\n", conf_version(),
             CONF_WIRE_VERSION);
}

/* Words of text on lines of at most HELP_COLUMNS, each line indented; words are cut by nothing. */
static void
write_wrapped(struct buf *out, const char *text, int indent)
{
    struct str rest = str_from(text), word;
    size_t column = 0;
    while (str_split(&rest, ' ', &word)) {
        if (column > 0 && column + 1 + word.len > HELP_COLUMNS) {
            buf_add_char(out, '\n');
            column = 0;
        }
        if (column == 0)
            buf_addf(out, "%*s", indent, "");
        else
            buf_add_char(out, ' ');
        column += column == 0 ? (size_t) indent + word.len : 1 + word.len;
        buf_add_str(out, word);
    }
    buf_add_char(out, '\n');
}

static void
write_option(struct buf *out, const struct conf_option *o)
{
    if (o->letter != '\0')
        buf_addf(out, "  -%c, --%s", o->letter, o->flag);
    else
        buf_addf(out, "  --%s", o->flag);
    if (option_takes_value(o))
        buf_addf(out, " <%s>", o->metavar);
    buf_add_char(out, '\n');
    write_wrapped(out, o->help, HELP_INDENT);
    if (o->def != NULL)
        buf_addf(out, "%*s[default: %s]\n", HELP_INDENT, "", o->def);
    if (o->fate == OPTION_ACTION)
        return;
    buf_addf(out, "%*s[env: ", HELP_INDENT, "");
    option_write_env(out, o);
    buf_add_cstr(out, "]\n");
}

/* Rows that do nothing: the flag and the reason. */
static void
write_reason(struct buf *out, const struct conf_option *o)
{
    struct buf line = BUF_INIT;
    buf_addf(&line, "--%s: %s", o->flag, o->help);
    write_wrapped(out, buf_cstr(&line), 2);
    buf_done(&line);
}

static void
write_group(struct buf *out, enum option_group group)
{
    buf_addf(out, "\n%s:\n", option_group_title(group));
    for (size_t i = 0; i < conf_option_count; i++) {
        const struct conf_option *o = &conf_options[i];
        if (o->group != group || o->is_hidden)
            continue;
        if (o->fate == OPTION_IGNORED || o->fate == OPTION_UNSUPPORTED)
            write_reason(out, o);
        else
            write_option(out, o);
    }
}

static void
write_pairs(struct buf *out, const char *title, const struct docs_pair *pairs)
{
    buf_addf(out, "\n%s:\n", title);
    for (; pairs->name != NULL; pairs++) {
        buf_addf(out, "  %s\n", pairs->name);
        write_wrapped(out, pairs->text, HELP_INDENT);
    }
}

void
docs_write_help(struct buf *out)
{
    buf_addf(out, "taskhook %s: %s\n\n", conf_version(), DOCS_SUMMARY);
    buf_add_cstr(out, "Usage: taskhook [OPTIONS]\n");
    for (const char *const *p = DOCS_DESCRIPTION; *p != NULL; p++) {
        buf_add_char(out, '\n');
        write_wrapped(out, *p, 0);
    }
    write_pairs(out, "Ways to set an option, the first one wins", DOCS_SETTING);
    for (int group = 0; group < OPTION_GROUP_COUNT; group++)
        write_group(out, (enum option_group) group);
    buf_add_cstr(out, "\nExamples:\n");
    for (const struct docs_pair *p = DOCS_EXAMPLES; p->name != NULL; p++)
        buf_addf(out, "  %s\n      %s\n", p->text, p->name);
    write_pairs(out, "Signals", DOCS_SIGNALS);
    write_pairs(out, "Exit codes", DOCS_EXIT_CODES);
    buf_add_cstr(out, "\nThe manual page taskhook(1) says the same.\n");
}

/* '|' would end a cell of the table; '<' would begin a tag. */
static void
write_cell(struct buf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("|<*_\\", *text) != NULL)
            buf_add_char(out, '\\');
        buf_add_char(out, *text);
    }
}

static void
write_markdown_row(struct buf *out, const struct conf_option *o)
{
    buf_addf(out, "| `--%s", o->flag);
    if (option_takes_value(o))
        buf_addf(out, " <%s>", o->metavar);
    buf_add_cstr(out, "` | ");
    if (o->def != NULL)
        buf_addf(out, "`%s`", o->def);
    buf_add_cstr(out, " | ");
    write_cell(out, o->help);
    buf_add_cstr(out, " |\n");
}

static void
write_markdown_list(struct buf *out, const char *intro, enum option_fate fate)
{
    const char *separator = "";
    buf_addf(out, "\n%s ", intro);
    for (size_t i = 0; i < conf_option_count; i++) {
        if (conf_options[i].fate != fate)
            continue;
        buf_addf(out, "%s`--%s`", separator, conf_options[i].flag);
        separator = ", ";
    }
    buf_add_cstr(out, ".\n");
}

void
docs_write_markdown(struct buf *out)
{
    buf_add_cstr(out, "| option | default | what it does |\n|---|---|---|\n");
    for (size_t i = 0; i < conf_option_count; i++) {
        const struct conf_option *o = &conf_options[i];
        if (!o->is_hidden && (o->fate == OPTION_USED || o->fate == OPTION_ACTION))
            write_markdown_row(out, o);
    }
    write_markdown_list(out,
                        "Options of Meilisearch that are accepted with a warning, because they "
                        "have no meaning here:",
                        OPTION_IGNORED);
    write_markdown_list(out,
                        "Options of Meilisearch that name a feature this server does not have, "
                        "and are errors:",
                        OPTION_UNSUPPORTED);
}
