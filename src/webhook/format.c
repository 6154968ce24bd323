/* The texts around the lines of an event. Pure functions. */
#include "webhook/format.h"

#include <stdio.h>

#include "base/clock.h"
#include "codec/json.h"
#include "webhook/event_catalog.h"
#include "webhook/webhook.h"

static const char *const content_types[WEBHOOK_FORMATS] = {
    [FORMAT_NDJSON] = "application/x-ndjson",
    [FORMAT_JSON] = "application/json",
    [FORMAT_CLOUDEVENTS] = "application/cloudevents-batch+json",
    [FORMAT_FLAT] = "application/json",
    [FORMAT_ENVELOPE] = "application/json",
};

const char *
format_content_type(enum webhook_format f)
{
    return content_types[f];
}

struct format_part
format_part_of(const struct delivery_record *d)
{
    return (struct format_part){
        .part = d->part,
        .n_parts = d->n_parts,
        .first_line = d->first_line,
        .n_lines = d->n_lines,
        .selection = d->selection,
        .is_other = d->cause == CAUSE_REPLAY_OTHER,
    };
}

const char *
format_id(char out[FORMAT_ID_CAP], const struct event_record *e, const struct format_part *p)
{
    (void) uuid_format(&e->id, out);
    char *end = out + UUID_TEXT_LEN;
    size_t room = FORMAT_ID_CAP - UUID_TEXT_LEN;
    if (p->is_other)
        (void) snprintf(end, room, ".s%u.%u-%u", p->selection, p->first_line + 1,
                        p->first_line + p->n_lines);
    else if (p->n_parts > 1)
        (void) snprintf(end, room, ".%u", p->part);
    return out;
}

const char *
format_line_id(char out[FORMAT_ID_CAP], const struct event_record *e, uint32_t line)
{
    return format_id(out, e, &(struct format_part){.part = line + 1, .n_parts = e->n_lines});
}

static bool
has_tasks(const struct format_facts *f)
{
    return f->event->type == EVENT_BATCH_FINISHED;
}

/* An object that holds the lines; ndjson needs one only around what is no task. */
static bool
has_envelope(const struct format_facts *f)
{
    return f->format == FORMAT_JSON || (f->format == FORMAT_NDJSON && !has_tasks(f));
}

static void
begin_envelope(struct buf *out, const struct format_facts *f)
{
    char id[FORMAT_ID_CAP];
    struct json_out j = json_out(out);
    json_begin_object(&j);
    json_key(&j, "id");
    json_put_cstr(&j, format_id(id, f->event, &f->part));
    json_key(&j, "type");
    json_put_cstr(&j, event_type_name(f->event->type));
    json_key(&j, "time");
    json_put_time(&j, f->event->created_at_ns);
    if (f->part.n_parts > 1) {
        json_key(&j, "part");
        json_put_u64(&j, f->part.part);
        json_key(&j, "parts");
        json_put_u64(&j, f->part.n_parts);
    }
    if (!has_tasks(f)) {
        json_key(&j, "data");
        return;
    }
    json_key(&j, "batchUid");
    json_put_u64(&j, f->event->batch_uid);
    json_key(&j, "tasks");
    json_begin_array(&j);
}

void
format_begin(struct buf *out, const struct format_facts *f)
{
    if (has_envelope(f))
        begin_envelope(out, f);
    else if (f->format == FORMAT_CLOUDEVENTS)
        buf_add_char(out, '[');
}

static const char *
status_word(const struct format_facts *f, const struct line_view *line)
{
    return line->status < f->words->n_statuses ? f->words->statuses[line->status] : "finished";
}

/* Its id is the task's own: the same on every attempt, in whatever part it is sent. */
static void
begin_cloudevent(struct buf *out, const struct format_facts *f, const struct line_view *line,
                 uint32_t number)
{
    char id[UUID_TEXT_LEN + 1], own_id[UUID_TEXT_LEN + 16], type[64];
    struct json_out j = json_out(out);
    (void) uuid_format(&f->event->id, id);
    (void) snprintf(own_id, sizeof(own_id), "%s-%u", id, number);
    if (has_tasks(f))
        (void) snprintf(type, sizeof(type), "taskhook.task.%s", status_word(f, line));
    else
        (void) snprintf(type, sizeof(type), "taskhook.%s", event_type_name(f->event->type));
    json_begin_object(&j);
    json_key(&j, "specversion");
    json_put_cstr(&j, "1.0");
    json_key(&j, "id");
    json_put_cstr(&j, has_tasks(f) ? own_id : id);
    json_key(&j, "source");
    json_put_cstr(&j, "urn:taskhook");
    json_key(&j, "type");
    json_put_cstr(&j, type);
    struct str own = str_slice(line->index_uids, 0, str_find(line->index_uids, ',', 0));
    if (own.len > 0) {
        json_key(&j, "subject");
        json_put_str(&j, own);
    }
    json_key(&j, "time");
    json_put_time(&j, f->event->created_at_ns);
    json_key(&j, "datacontenttype");
    json_put_cstr(&j, "application/json");
    json_key(&j, "data");
}

/* The line goes on where this ends, and closes the object. */
static void
begin_organization_event(struct buf *out, const struct format_facts *f,
                         const struct line_view *line, uint32_t number)
{
    char id[FORMAT_ID_CAP];
    struct json_out j = json_out(out);
    json_begin_object(&j);
    json_key(&j, "event_id");
    json_put_cstr(&j, format_line_id(id, f->event, number));
    json_key(&j, "event_type");
    json_put_cstr(&j, line->kind < CATALOG_EVENTS
                          ? catalog_event_name((enum catalog_event) line->kind)
                          : "unknown");
    json_key(&j, "occurred_at");
    json_put_time(&j, f->event->created_at_ns);
    buf_add_char(out, ',');
}

void
format_before(struct buf *out, const struct format_facts *f, const struct line_view *line,
              uint32_t number, bool is_first)
{
    if (f->format == FORMAT_ENVELOPE) {
        begin_organization_event(out, f, line, number);
        return;
    }
    if (f->format != FORMAT_NDJSON && f->format != FORMAT_FLAT && !is_first)
        buf_add_char(out, ',');
    if (f->format == FORMAT_CLOUDEVENTS)
        begin_cloudevent(out, f, line, number);
}

void
format_after(struct buf *out, const struct format_facts *f)
{
    if (f->format == FORMAT_CLOUDEVENTS)
        buf_add_char(out, '}');
    else if (f->format == FORMAT_NDJSON && has_tasks(f))
        buf_add_char(out, '\n');
}

void
format_end(struct buf *out, const struct format_facts *f)
{
    if (f->format == FORMAT_CLOUDEVENTS)
        buf_add_char(out, ']');
    else if (has_envelope(f))
        buf_add_cstr(out, has_tasks(f) ? "]}" : "}");
    if (f->format == FORMAT_NDJSON && !has_tasks(f))
        buf_add_char(out, '\n');
}
