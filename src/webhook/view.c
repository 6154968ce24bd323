/* How a webhook is shown (contract 7.1) and what is hidden of it (7.4). */
#include "webhook/registry.h"

/* From which length on (behind "Bearer ") how much is kept, and what stands for the rest. */
static const struct redaction_row {
    size_t below, keep;
    const char *mask;
} redaction_rows[] = {
    {10, 0, "XXX..."},
    {20, 2, "XXXX..."},
    {30, 3, "XXXXX..."},
    {SIZE_MAX, 5, "XXXXXX..."},
};

void
webhook_write_redacted(struct buf *out, struct str value)
{
    size_t offset = str_starts_with(value, "Bearer ") ? 7 : 0;
    const struct redaction_row *row = redaction_rows;
    while (value.len - offset >= row->below)
        row++;
    size_t cut = offset + row->keep;
    while (cut < value.len && ((unsigned char) value.data[cut] & 0xC0) == 0x80)
        cut++; /* never in the middle of a character */
    buf_add_str(out, str_slice(value, 0, cut));
    buf_add_cstr(out, row->mask);
}

static void
write_header(struct json_out *j, const struct webhook_header *h)
{
    struct str name = str_from(h->name), value = str_from(h->value);
    json_key_str(j, name);
    if (!str_equal_nocase(name, STR("authorization"))) {
        json_put_str(j, value);
        return;
    }
    struct buf shown = BUF_INIT;
    webhook_write_redacted(&shown, value);
    json_put_str(j, buf_str(&shown));
    buf_done(&shown);
}

void
webhook_write_json(struct json_out *j, const struct webhook *h)
{
    char uuid[UUID_TEXT_LEN + 1];
    json_begin_object(j);
    json_key(j, "uuid");
    json_put_cstr(j, uuid_format(&h->uuid, uuid));
    json_key(j, "isEditable");
    json_put_bool(j, h->is_editable);
    json_key(j, "url");
    json_put_str(j, h->url);
    json_key(j, "headers");
    json_begin_object(j);
    for (size_t i = 0; i < h->n_headers; i++)
        write_header(j, &h->headers[i]);
    json_end_object(j);
    json_end_object(j);
}
