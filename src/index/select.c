/* Cutting a document down to wanted fields (contract 5.6), after upstream's permissive pointers:
 * `a.b` selects inside objects and through arrays; a literal key `a.b` matches as well. */
#include <stdlib.h>

#include "base/mem.h"
#include "index/index.h"

struct selectors {
    const struct str *items;
    size_t n;
};

static void write_selected(struct json_out *j, const struct json *object, struct selectors wanted);

static bool
has_selector(struct selectors wanted, struct str name)
{
    for (size_t i = 0; i < wanted.n; i++)
        if (str_equal(wanted.items[i], name))
            return true;
    return false;
}

/* What the selectors ask for below the member `name`: their rests after "name.". */
static size_t
select_below(struct selectors wanted, struct str name, struct str *ret)
{
    size_t n = 0;

    for (size_t i = 0; i < wanted.n; i++) {
        struct str s = wanted.items[i];
        if (s.len > name.len && s.data[name.len] == '.' &&
            str_equal(str_slice(s, 0, name.len), name))
            ret[n++] = str_slice(s, name.len + 1, s.len);
    }
    return n;
}

/* An object of an array: left out when nothing of it is wanted. */
static void
write_selected_element(struct json_out *j, const struct json *object, struct selectors wanted)
{
    struct json_out before = *j;
    size_t start = j->out->len;

    write_selected(j, object, wanted);
    if (j->out->len >= start + 2 && j->out->data[j->out->len - 2] == '{') { /* it ends in "{}" */
        j->out->len = start;
        *j = before;
    }
}

static void
write_selected_array(struct json_out *j, const struct json *array, struct selectors wanted)
{
    json_begin_array(j);
    for (struct json_iter it = json_iter(array); json_next(&it);) {
        if (json_type(it.value) == JSON_ARRAY)
            write_selected_array(j, it.value, wanted);
        else if (json_type(it.value) == JSON_OBJECT)
            write_selected_element(j, it.value, wanted);
    }
    json_end_array(j);
}

static void
write_member(struct json_out *j, struct str name, const struct json *value, struct selectors wanted)
{
    enum json_type type = json_type(value);
    struct str *below;
    size_t n;

    if (has_selector(wanted, name)) {
        json_key_str(j, name);
        json_write(j->out, value);
        j->comma = true;
        return;
    }
    if (type != JSON_OBJECT && type != JSON_ARRAY)
        return;
    below = mem_new(wanted.n, sizeof(*below));
    n = select_below(wanted, name, below);
    if (n > 0) {
        json_key_str(j, name);
        if (type == JSON_OBJECT)
            write_selected(j, value, (struct selectors){below, n});
        else
            write_selected_array(j, value, (struct selectors){below, n});
    }
    free(below);
}

static void
write_selected(struct json_out *j, const struct json *object, struct selectors wanted)
{
    json_begin_object(j);
    for (struct json_iter it = json_iter(object); json_next(&it);)
        write_member(j, it.key, it.value, wanted);
    json_end_object(j);
}

void
document_write_fields(struct buf *out, struct str text, const struct str *fields, size_t n)
{
    struct json_doc *doc = n == 0 ? NULL : json_parse(text, NULL);
    struct json_out j = json_out(out);

    if (doc == NULL) /* everything is wanted (stored documents always parse) */
        buf_add_str(out, text);
    else
        write_selected(&j, json_root(doc), (struct selectors){fields, n});
    json_doc_free(doc);
}
