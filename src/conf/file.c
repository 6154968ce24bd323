/* The configuration file as a source of settings. Knows the table's keys; the language is toml.c's.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/read.h"
#include "conf/toml.h"

#define DEFAULT_PATH "./config.toml"
enum { FILE_MAX_BYTES = 1 << 20 };

struct file {
    struct conf_reading *reading;
    const char *path;
};

/* Appends the content; 0 or an errno. Room is made once, so that no copy of a secret stays behind
 * from growing. */
static int
read_descriptor(int fd, struct buf *out)
{
    if (!buf_reserve(out, FILE_MAX_BYTES + 1))
        return ENOMEM;
    while (out->len <= FILE_MAX_BYTES) {
        ssize_t n = read(fd, out->data + out->len, out->cap - out->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : 0;
        out->len += (size_t) n;
    }
    return EFBIG;
}

static int
read_path(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int error = read_descriptor(fd, out);
    close(fd);
    return error;
}

static int
fail_unknown_key(struct file *f, const struct toml *member)
{
    struct buf tip = BUF_INIT, flag = BUF_INIT;
    for (size_t i = 0; i < member->key.len; i++)
        buf_add_char(&flag, member->key.data[i] == '_' ? '-' : member->key.data[i]);
    const char *near = option_suggest(buf_str(&flag));
    const struct conf_option *option = near == NULL ? NULL : option_find(str_from(near));
    if (option != NULL && option->fate != OPTION_ACTION) {
        buf_add_cstr(&tip, ": did you mean `");
        option_write_key(&tip, option);
        buf_add_char(&tip, '`');
        buf_add_char(&tip, '?');
    }
    (void) report_failure(f->reading->report, /* always -1, as we return */
                          "unknown key `%.*s` in the \"%s\" configuration file, line %zu%s",
                          STR_ARG(member->key), f->path, member->line, buf_cstr(&tip));
    buf_done(&tip);
    buf_done(&flag);
    return -1;
}

static int
fail_type(struct file *f, const struct toml *member, const char *expected)
{
    return report_failure(f->reading->report,
                          "`%.*s` in the \"%s\" configuration file, line %zu: expected %s, but "
                          "found %s",
                          STR_ARG(member->key), f->path, member->line, expected,
                          toml_type_words(member->type));
}

/* ["10.0.0.0/8", "::1"] as the comma-separated text. */
static int
join_list(struct file *f, const struct toml *array, struct buf *text)
{
    for (const struct toml *m = array->first; m != NULL; m = m->next) {
        if (m->type != TOML_STRING)
            return fail_type(f, array, "an array of strings");
        if (m != array->first)
            buf_add_char(text, ',');
        buf_add(text, m->string, m->string_len);
    }
    return 0;
}

/* The kinds of values that an option accepts; what is not used accepts any single value. */
static const char *
expected_words(const struct conf_option *o, enum toml_type type)
{
    bool is_single = type != TOML_ARRAY && type != TOML_TABLE;
    if (o->fate != OPTION_USED)
        return is_single ? NULL : "a single value";
    switch (o->type) {
    case OPTION_BOOL:
        return type == TOML_BOOLEAN ? NULL : "a boolean";
    case OPTION_SIZE:
    case OPTION_U64:
    case OPTION_DURATION_MS:
    case OPTION_DURATION_S:
        return type == TOML_STRING || type == TOML_INTEGER ? NULL : "an integer or a string";
    case OPTION_STRING:
    case OPTION_PATH:
    case OPTION_ENUM:
        break;
    }
    if (o->is_list)
        return type == TOML_STRING || type == TOML_ARRAY ? NULL : "a string or an array of strings";
    return type == TOML_STRING ? NULL : "a string";
}

static int
write_value(struct file *f, const struct toml *m, struct buf *text)
{
    switch (m->type) {
    case TOML_STRING:
        if (buf_reserve(text, m->string_len + 1)) /* one piece, see read_descriptor */
            buf_add(text, m->string, m->string_len);
        break;
    case TOML_INTEGER:
        buf_addf(text, "%" PRId64, m->integer);
        break;
    case TOML_FLOAT:
        buf_addf(text, "%g", m->real);
        break;
    case TOML_BOOLEAN:
        buf_add_cstr(text, m->boolean ? "true" : "false");
        break;
    case TOML_ARRAY:
        return join_list(f, m, text);
    case TOML_TABLE:
        return fail_type(f, m, "a single value");
    }
    return 0;
}

/* Text in a buffer of the reader's: taken over, or wiped. */
static int
set_from_buffer(struct file *f, const struct toml *m, const struct conf_option *o, struct buf *text)
{
    struct buf place = BUF_INIT;
    if (text->len > 0 && memchr(text->data, '\0', text->len) != NULL)
        return report_failure(f->reading->report,
                              "`%.*s` in the \"%s\" configuration file, line %zu: the text holds a "
                              "NUL character",
                              STR_ARG(m->key), f->path, m->line);
    buf_addf(&place, "\"%s\", line %zu", f->path, m->line);
    reading_set(f->reading, o, SETTING_FROM_FILE, buf_take(text), buf_cstr(&place));
    buf_done(&place);
    return 0;
}

static int
read_member(struct file *f, const struct toml *m)
{
    struct buf text = BUF_INIT;
    const struct conf_option *o = option_find_key(m->key);
    if (o == NULL)
        return fail_unknown_key(f, m);
    if (strcmp(o->flag, "config-file-path") == 0)
        return report_failure(f->reading->report,
                              "`config_file_path` is not supported in the configuration file");
    const char *expected = expected_words(o, m->type);
    if (expected != NULL)
        return fail_type(f, m, expected);
    int rc = write_value(f, m, &text);
    if (rc == 0)
        rc = set_from_buffer(f, m, o, &text);
    mem_wipe(text.data, text.len);
    buf_done(&text);
    return rc;
}

/* [[webhooks]]: their fields are judged by whoever knows webhooks. */
static int
read_webhooks(struct file *f, const struct toml *array)
{
    if (array->type != TOML_ARRAY)
        return fail_type(f, array, "an array of tables ([[webhooks]])");
    for (const struct toml *m = array->first; m != NULL; m = m->next) {
        if (m->type != TOML_TABLE)
            return fail_type(f, array, "an array of tables ([[webhooks]])");
    }
    f->reading->webhooks = array;
    return 0;
}

static int
read_text(struct file *f, struct str text)
{
    struct buf why = BUF_INIT;
    struct arena *arena = arena_new();
    struct toml *root = toml_parse(text, arena, &why);
    int rc = 0;
    if (root == NULL)
        rc = report_failure(f->reading->report, "the \"%s\" configuration file is not valid: %s",
                            f->path, buf_cstr(&why));
    for (const struct toml *m = rc == 0 ? root->first : NULL; m != NULL && rc == 0; m = m->next)
        rc = str_is(m->key, "webhooks") ? read_webhooks(f, m) : read_member(f, m);
    if (rc == 0 && f->reading->webhooks != NULL) {
        f->reading->file_root = root;
        f->reading->file_arena = arena;
    } else {
        f->reading->webhooks = NULL;
        toml_wipe(root);
        arena_free(arena);
    }
    buf_done(&why);
    return rc;
}

/* A file nobody asked for may be absent; when it is there but cannot be read that is worth a word.
 */
static int
fail_read(struct file *f, bool is_asked_for, int error)
{
    if (is_asked_for)
        return report_failure(f->reading->report,
                              "unable to open or read the \"%s\" configuration file: %s (os error "
                              "%d).",
                              f->path, strerror(error), error);
    if (error != ENOENT)
        report_warning(f->reading->report, "configuration file not read path=%s error=\"%s\"",
                       f->path, strerror(error));
    return 0;
}

int
file_read(struct conf_reading *r)
{
    const struct setting *asked = reading_setting(r, option_find(STR("config-file-path")));
    struct file f = {.reading = r, .path = asked->text != NULL ? asked->text : DEFAULT_PATH};
    struct buf text = BUF_INIT;
    int error = read_path(f.path, &text), rc;
    if (error != 0) {
        rc = fail_read(&f, asked->text != NULL, error);
    } else {
        rc = read_text(&f, buf_str(&text));
        r->file_path = mem_strdup(f.path);
    }
    mem_wipe(text.data, text.len);
    buf_done(&text);
    return rc;
}
