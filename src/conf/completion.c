/* Completion scripts for bash, zsh and fish, made of the option table. Refused options are not
 * offered. */
#include "conf/docs.h"
#include "conf/options.h"

static bool
is_offered(const struct conf_option *o)
{
    return !o->is_hidden && o->fate != OPTION_UNSUPPORTED;
}

static void
write_choice_words(struct buf *out, const struct conf_option *o)
{
    for (const struct option_choice *c = o->choices; c->name != NULL; c++)
        buf_addf(out, "%s%s", c == o->choices ? "" : " ", c->name);
}

/* The first sentence of the help inside single quotes; how the shell writes an apostrophe there. */
static void
write_summary(struct buf *out, const struct conf_option *o, const char *to_escape,
              const char *apostrophe)
{
    const char *end = strstr(o->help, ". ");
    size_t len = end != NULL ? (size_t) (end - o->help) : strlen(o->help);
    if (end == NULL && len > 0 && o->help[len - 1] == '.')
        len--;
    for (const char *p = o->help; p < o->help + len; p++) {
        if (*p == '\'') {
            buf_add_cstr(out, apostrophe);
            continue;
        }
        if (strchr(to_escape, *p) != NULL)
            buf_add_char(out, '\\');
        buf_add_char(out, *p);
    }
}

/* One arm of the case over the word before the one at hand. */
static void
write_bash_arm(struct buf *out, const struct conf_option *o)
{
    buf_addf(out, "    --%s)\n", o->flag);
    if (o->type == OPTION_PATH) {
        buf_add_cstr(out, "        compopt -o filenames 2>/dev/null\n"
                          "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n");
    } else if (o->type == OPTION_ENUM) {
        buf_add_cstr(out, "        mapfile -t COMPREPLY < <(compgen -W '");
        write_choice_words(out, o);
        buf_add_cstr(out, "' -- \"$cur\")\n");
    }
    buf_add_cstr(out, "        return\n        ;;\n");
}

void
docs_write_bash(struct buf *out)
{
    buf_add_cstr(out, "# bash completion for taskhook; made by taskhook --print-bash-completion\n"
                      "_taskhook()\n{\n"
                      "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
                      "    COMPREPLY=()\n"
                      "    if [[ $cur == = ]]; then\n        cur=\n"
                      "    elif [[ $prev == = ]]; then\n"
                      "        prev=${COMP_WORDS[COMP_CWORD-2]}\n    fi\n"
                      "    case $prev in\n");
    for (size_t i = 0; i < conf_option_count; i++) {
        if (is_offered(&conf_options[i]) && option_takes_value(&conf_options[i]))
            write_bash_arm(out, &conf_options[i]);
    }
    buf_add_cstr(out, "    esac\n    mapfile -t COMPREPLY < <(compgen -W '");
    for (size_t i = 0; i < conf_option_count; i++) {
        if (is_offered(&conf_options[i]))
            buf_addf(out, "\n        --%s", conf_options[i].flag);
    }
    buf_add_cstr(out, "' -- \"$cur\")\n}\ncomplete -F _taskhook taskhook\n");
}

static const char *
metavar_of(const struct conf_option *o)
{
    return o->metavar != NULL ? o->metavar : "VALUE";
}

static void
write_zsh_option(struct buf *out, const struct conf_option *o)
{
    buf_addf(out, "    '--%s%s[", o->flag, option_takes_value(o) ? "=" : "");
    write_summary(out, o, "[]\\", "'\\''");
    buf_add_char(out, ']');
    if (o->type == OPTION_PATH) {
        buf_addf(out, ":%s:_files", metavar_of(o));
    } else if (o->type == OPTION_ENUM) {
        buf_addf(out, ":%s:(", metavar_of(o));
        write_choice_words(out, o);
        buf_add_char(out, ')');
    } else if (option_takes_value(o)) {
        buf_addf(out, ":%s: ", metavar_of(o));
    }
    buf_add_cstr(out, "'");
}

void
docs_write_zsh(struct buf *out)
{
    buf_add_cstr(out, "#compdef taskhook\n"
                      "# zsh completion for taskhook; made by taskhook --print-zsh-completion\n"
                      "_arguments");
    for (size_t i = 0; i < conf_option_count; i++) {
        if (!is_offered(&conf_options[i]))
            continue;
        buf_add_cstr(out, " \\\n");
        write_zsh_option(out, &conf_options[i]);
    }
    buf_add_char(out, '\n');
}

static void
write_fish_option(struct buf *out, const struct conf_option *o)
{
    buf_addf(out, "complete -c taskhook -l %s", o->flag);
    if (o->letter != '\0')
        buf_addf(out, " -s %c", o->letter);
    if (o->type == OPTION_PATH) {
        buf_add_cstr(out, " -r -F");
    } else if (o->type == OPTION_ENUM) {
        buf_add_cstr(out, " -x -a '");
        write_choice_words(out, o);
        buf_add_char(out, '\'');
    } else if (option_takes_value(o)) {
        buf_add_cstr(out, " -x");
    }
    buf_add_cstr(out, " -d '");
    write_summary(out, o, "\\", "\\'");
    buf_add_cstr(out, "'\n");
}

void
docs_write_fish(struct buf *out)
{
    buf_add_cstr(out, "# fish completion for taskhook; made by taskhook --print-fish-completion\n"
                      "complete -c taskhook -f\n");
    for (size_t i = 0; i < conf_option_count; i++) {
        if (is_offered(&conf_options[i]))
            write_fish_option(out, &conf_options[i]);
    }
}
