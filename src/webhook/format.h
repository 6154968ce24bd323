#pragma once
/* The formats of a request body: what stands before, around, between and after the lines of an
 * event. Private to the folder.
 *
 *  ndjson       the tasks, one a line (upstream's bytes)
 *  json         {"id":..,"type":"batch.finished","time":..,"batchUid":..,"tasks":[...]}; of an
 * event without tasks "data" instead of "batchUid" and "tasks" cloudevents  an array of
 * CloudEvents 1.0 (its JSON batch format), one a task
 *
 *  flat         the object of the event itself, without any envelope
 *
 * In ndjson an event without tasks is its json document in one line. */
#include "webhook/policy.h"
#include "webhook/record.h"

/* Of the delivery: what the texts depend on besides the lines. */
struct format_facts {
    enum webhook_format format;
    const struct event_record *event;
    uint32_t part, n_parts;
    const struct webhook_words *words;
};

const char *format_content_type(enum webhook_format f);
/* What receivers tell repeated deliveries by: the event's id, with ".<part>" when it is split. */
enum { FORMAT_ID_CAP = UUID_TEXT_LEN + 12 };
const char *format_id(char out[FORMAT_ID_CAP], const struct event_record *e, uint32_t part,
                      uint32_t n_parts);

void format_begin(struct buf *out, const struct format_facts *f);
/* Before and after the text of a line; number: of the line in the event. */
void format_before(struct buf *out, const struct format_facts *f, const struct line_view *line,
                   uint32_t number, bool is_first);
void format_after(struct buf *out, const struct format_facts *f);
void format_end(struct buf *out, const struct format_facts *f);
