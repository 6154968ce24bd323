/* The environment as a source of settings: TASKHOOK_FOO_BAR, then MEILI_FOO_BAR. */
#include "base/mem.h"
#include "base/suggest.h"
#include "conf/read.h"

/* The value of a variable; NULL when it is not set. */
static const char *
find_variable(char *const *envp, struct str name)
{
    for (; envp != NULL && *envp != NULL; envp++) {
        if (strncmp(*envp, name.data, name.len) == 0 && (*envp)[name.len] == '=')
            return *envp + name.len + 1;
    }
    return NULL;
}

/* True when the variable settles the option. An empty one counts as not set: that is what container
 * tools pass on for a variable that the user did not set. */
static bool
read_variable(struct conf_reading *r, char *const *envp, const struct conf_option *o,
              struct buf *name)
{
    const char *value = find_variable(envp, buf_str(name));
    if (value == NULL)
        return false;
    if (*value != '\0') {
        reading_set(r, o, SETTING_FROM_ENV, mem_strdup(value), buf_cstr(name));
        return true;
    }
    if (o->is_secret)
        report_warning(r->report, "environment variable is empty and ignored variable=%s",
                       buf_cstr(name));
    return false;
}

static void
read_option(struct conf_reading *r, char *const *envp, const struct conf_option *o)
{
    struct buf name = BUF_INIT;
    option_write_env(&name, o);
    bool is_found = read_variable(r, envp, o, &name);
    buf_clear(&name);
    if (!is_found && o->is_upstream && option_write_meili_env(&name, o))
        (void) read_variable(r, envp, o, &name); /* the last place to look */
    buf_done(&name);
}

/* A misspelt TASKHOOK_ variable is worth a warning; others with that prefix are not ours to judge
 * (Kubernetes sets TASKHOOK_SERVICE_HOST for a service of that name). */
static void
warn_misspelt(struct conf_report *report, struct str name)
{
    struct buf flag = BUF_INIT;
    for (size_t i = strlen("TASKHOOK_"); i < name.len; i++) {
        char c = name.data[i];
        buf_add_char(&flag, c == '_' ? '-' : c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c);
    }
    const char *names[1];
    const struct conf_option *known = option_find(buf_str(&flag));
    for (size_t i = 0; known == NULL && i < conf_option_count; i++) {
        const struct conf_option *o = &conf_options[i];
        names[0] = o->flag;
        if (o->fate == OPTION_USED && suggest_name(buf_str(&flag), names, 1) != NULL) {
            struct buf near = BUF_INIT;
            option_write_env(&near, o);
            report_warning(report, "unknown environment variable variable=%.*s nearest=%s",
                           STR_ARG(name), buf_cstr(&near));
            buf_done(&near);
            break;
        }
    }
    buf_done(&flag);
}

void
env_read(struct conf_reading *r, char *const *envp)
{
    for (size_t i = 0; i < conf_option_count; i++) {
        if (conf_options[i].fate != OPTION_ACTION)
            read_option(r, envp, &conf_options[i]);
    }
    for (char *const *e = envp; e != NULL && *e != NULL; e++) {
        struct str name = str_make(*e, strcspn(*e, "="));
        if (str_starts_with(name, "TASKHOOK_"))
            warn_misspelt(r->report, name);
    }
}
