/* Names made of an option's flag, and finding an option by any of them. */
#include "base/suggest.h"
#include "conf/options.h"

enum { NAMES_MAX = 128 };

static struct str
without_dashes(struct str flag)
{
    return str_starts_with(flag, "--") ? str_slice(flag, 2, flag.len) : flag;
}

const struct conf_option *
option_find(struct str flag)
{
    struct str name = without_dashes(flag);
    for (size_t i = 0; i < conf_option_count; i++) {
        if (str_is(name, conf_options[i].flag))
            return &conf_options[i];
    }
    return NULL;
}

const struct conf_option *
option_find_letter(char letter)
{
    for (size_t i = 0; i < conf_option_count; i++) {
        if (letter != '\0' && conf_options[i].letter == letter)
            return &conf_options[i];
    }
    return NULL;
}

/* key is a flag with underscores for dashes. */
static bool
key_is_of(struct str key, const char *flag)
{
    if (key.len != strlen(flag))
        return false;
    for (size_t i = 0; i < key.len; i++) {
        if (key.data[i] != (flag[i] == '-' ? '_' : flag[i]))
            return false;
    }
    return true;
}

const struct conf_option *
option_find_key(struct str key)
{
    for (size_t i = 0; i < conf_option_count; i++) {
        const struct conf_option *o = &conf_options[i];
        if (o->fate != OPTION_ACTION && key_is_of(key, o->flag))
            return o;
    }
    return NULL;
}

/* People leave "experimental-" out or know only the beginning of a name. */
static const char *
suggest_part(struct str name, const char *const *names, size_t n)
{
    enum { PART_MIN_LEN = 4 };
    for (size_t i = 0; i < n && name.len >= PART_MIN_LEN; i++) {
        struct str candidate = str_from(names[i]);
        if (name.len < candidate.len &&
            (str_equal(str_slice(candidate, 0, name.len), name) ||
             str_equal(str_slice(candidate, candidate.len - name.len, candidate.len), name)))
            return names[i];
    }
    return NULL;
}

const char *
option_suggest(struct str flag)
{
    const char *names[NAMES_MAX];
    size_t n = 0;
    struct str name = without_dashes(flag);
    for (size_t i = 0; i < conf_option_count && n < NAMES_MAX; i++) {
        if (!conf_options[i].is_hidden)
            names[n++] = conf_options[i].flag;
    }
    const char *found = suggest_name(name, names, n);
    return found != NULL ? found : suggest_part(name, names, n);
}

bool
option_takes_value(const struct conf_option *o)
{
    return o->type != OPTION_BOOL;
}

static void
write_upper_snake(struct buf *out, const char *flag)
{
    for (; *flag != '\0'; flag++) {
        char c = *flag;
        buf_add_char(out, c == '-' ? '_' : c >= 'a' && c <= 'z' ? (char) (c - 'a' + 'A') : c);
    }
}

void
option_write_key(struct buf *out, const struct conf_option *o)
{
    for (const char *p = o->flag; *p != '\0'; p++)
        buf_add_char(out, *p == '-' ? '_' : *p);
}

void
option_write_env(struct buf *out, const struct conf_option *o)
{
    buf_add_cstr(out, "TASKHOOK_");
    write_upper_snake(out, o->flag);
}

bool
option_write_meili_env(struct buf *out, const struct conf_option *o)
{
    if (o->meili_env != NULL) {
        buf_add_cstr(out, o->meili_env);
        return true;
    }
    if (o->fate == OPTION_ACTION)
        return false;
    buf_add_cstr(out, "MEILI_");
    write_upper_snake(out, o->flag);
    return true;
}

void
option_write_usage(struct buf *out, const struct conf_option *o)
{
    buf_addf(out, "--%s", o->flag);
    if (!option_takes_value(o))
        return;
    buf_add_cstr(out, " <");
    write_upper_snake(out, o->flag);
    buf_add_char(out, '>');
}

const char *
option_group_title(enum option_group group)
{
    static const char *const TITLES[OPTION_GROUP_COUNT] = {
        [OPTION_GROUP_GENERAL] = "General",
        [OPTION_GROUP_SERVER] = "HTTP server",
        [OPTION_GROUP_TLS] = "HTTPS",
        [OPTION_GROUP_TASKS] = "Tasks and batches",
        [OPTION_GROUP_WEBHOOKS] = "Webhooks",
        [OPTION_GROUP_LOGS] = "Logs",
        [OPTION_GROUP_INFO] = "Information",
        [OPTION_GROUP_IGNORED] = "Meilisearch options accepted without effect",
        [OPTION_GROUP_UNSUPPORTED] = "Meilisearch options refused",
    };
    return TITLES[group];
}
