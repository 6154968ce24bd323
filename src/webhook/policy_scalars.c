/* Fields that hold one value: switches, numbers, choices, texts. */
#include <stdlib.h>

#include "base/mem.h"
#include "webhook/field_err.h"
#include "webhook/policy_types.h"

int
policy_err_type(struct policy_reader *r, const struct policy_row *row, const char *expected,
                const struct json *found)
{
    return field_err_type(r->err, row->code, r->path, expected, found);
}

void
policy_wipe_buf(struct buf *b)
{
    mem_wipe(b->data, b->len);
    buf_done(b);
}

/* --- switches -------------------------------------------------------------------------------- */

static bool
bool_of(const struct webhook_policy *p, const struct policy_row *row)
{
    return *(const bool *) policy_member_of(p, row);
}

static int
bool_read(struct policy_reader *r, const struct policy_row *row, const struct json *v)
{
    if (json_type(v) != JSON_BOOL)
        return policy_err_type(r, row, "a boolean", v);
    *(bool *) policy_member(&r->change->policy, row) = json_bool(v);
    return 0;
}

static void
bool_write(struct json_out *j, const struct policy_row *row, const struct webhook_policy *p,
           const struct policy_view *view)
{
    (void) view;
    json_put_bool(j, bool_of(p, row));
}

static void
bool_encode(struct buf *out, const struct policy_row *row, const struct webhook_policy *p)
{
    rec_put_u8(out, bool_of(p, row));
}

static void
bool_decode(struct rec *r, const struct policy_row *row, struct webhook_policy *p)
{
    *(bool *) policy_member(p, row) = rec_u8(r) != 0;
}

const struct policy_type policy_type_bool = {bool_read, bool_write, bool_encode, bool_decode, NULL};

/* --- numbers and choices: members of 4 or 8 bytes -------------------------------------------- */

static uint64_t
load(const struct webhook_policy *p, const struct policy_row *row)
{
    if (row->size == sizeof(uint32_t))
        return *(const uint32_t *) policy_member_of(p, row);
    return *(const uint64_t *) policy_member_of(p, row);
}

static void
store(struct webhook_policy *p, const struct policy_row *row, uint64_t n)
{
    if (row->size == sizeof(uint32_t))
        *(uint32_t *) policy_member(p, row) = (uint32_t) n;
    else
        *(uint64_t *) policy_member(p, row) = n;
}

static int
number_read(struct policy_reader *r, const struct policy_row *row, const struct json *v)
{
    uint64_t n;
    if (!json_to_u64(v, &n))
        return policy_err_type(r, row, "a positive integer", v);
    if (n > row->max)
        return field_err_value(r->err, row->code, r->path,
                               "value: `%llu` is too large to be deserialized, maximum value "
                               "authorized is `%llu`",
                               (unsigned long long) n, (unsigned long long) row->max);
    if (n < row->min)
        return field_err_value(r->err, row->code, r->path,
                               "value: `%llu` is too small to be deserialized, minimum value "
                               "authorized is `%llu`",
                               (unsigned long long) n, (unsigned long long) row->min);
    store(&r->change->policy, row, n);
    return 0;
}

static void
number_write(struct json_out *j, const struct policy_row *row, const struct webhook_policy *p,
             const struct policy_view *view)
{
    (void) view;
    json_put_u64(j, load(p, row));
}

static void
number_encode(struct buf *out, const struct policy_row *row, const struct webhook_policy *p)
{
    rec_put_u64(out, load(p, row));
}

static void
number_decode(struct rec *r, const struct policy_row *row, struct webhook_policy *p)
{
    uint64_t n = rec_u64(r);
    r->failed |= n < row->min || n > row->max;
    store(p, row, n);
}

const struct policy_type policy_type_number = {number_read, number_write, number_encode,
                                               number_decode, NULL};

static int
choice_read(struct policy_reader *r, const struct policy_row *row, const struct json *v)
{
    if (json_type(v) != JSON_STRING)
        return policy_err_type(r, row, "a string", v);
    for (size_t i = 0; i < row->max; i++) {
        if (row->names[i] == NULL || !str_is(json_string(v), row->names[i]))
            continue;
        store(&r->change->policy, row, i);
        return 0;
    }
    return field_err_choice(r->err, row->code, r->path, json_string(v), row->names,
                            (size_t) row->max);
}

static void
choice_write(struct json_out *j, const struct policy_row *row, const struct webhook_policy *p,
             const struct policy_view *view)
{
    (void) view;
    json_put_cstr(j, row->names[load(p, row)]);
}

static void
choice_encode(struct buf *out, const struct policy_row *row, const struct webhook_policy *p)
{
    rec_put_u8(out, (uint8_t) load(p, row));
}

static void
choice_decode(struct rec *r, const struct policy_row *row, struct webhook_policy *p)
{
    uint8_t i = rec_u8(r);
    r->failed |= i >= row->max || row->names[i] == NULL;
    store(p, row, r->failed ? 0 : i);
}

const struct policy_type policy_type_choice = {choice_read, choice_write, choice_encode,
                                               choice_decode, NULL};

/* --- texts ----------------------------------------------------------------------------------- */

static char **
text_of(struct webhook_policy *p, const struct policy_row *row)
{
    return policy_member(p, row);
}

int
policy_text_read(struct policy_reader *r, const struct policy_row *row, const struct json *v)
{
    struct str text = json_string(v);
    if (json_type(v) != JSON_STRING)
        return policy_err_type(r, row, "a string", v);
    if (text.len > row->max)
        return field_err_value(r->err, row->code, r->path,
                               "the text has %zu bytes, the maximum is %llu", text.len,
                               (unsigned long long) row->max);
    if (memchr(text.data, '\0', text.len) != NULL)
        return field_err_value(r->err, row->code, r->path, "the text holds a NUL character");
    *text_of(&r->change->policy, row) = mem_strndup(text.data, text.len);
    return 0;
}

void
policy_text_write(struct json_out *j, const struct policy_row *row, const struct webhook_policy *p,
                  const struct policy_view *view)
{
    (void) view;
    json_put_cstr(j, *(char *const *) policy_member_of(p, row));
}

void
policy_text_encode(struct buf *out, const struct policy_row *row, const struct webhook_policy *p)
{
    rec_put_str(out, str_from(*(char *const *) policy_member_of(p, row)));
}

void
policy_text_decode(struct rec *r, const struct policy_row *row, struct webhook_policy *p)
{
    struct str text = rec_str(r);
    *text_of(p, row) = mem_strndup(text.data, text.len);
}

void
policy_text_release(const struct policy_row *row, struct webhook_policy *p)
{
    char *text = *text_of(p, row);
    if (text != NULL)
        mem_wipe(text, strlen(text)); /* a private key is such a text */
    free(text);
    *text_of(p, row) = NULL;
}

const struct policy_type policy_type_text = {policy_text_read, policy_text_write,
                                             policy_text_encode, policy_text_decode,
                                             policy_text_release};
