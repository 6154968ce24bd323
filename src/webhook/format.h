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
 *  envelope     one line, which is an event of the catalogue (organization.h)
 *
 * In ndjson an event without tasks is its json document in one line. */
#include "webhook/policy.h"
#include "webhook/record.h"

/* Of the delivery: which part of its event it is. */
struct format_part {
    uint32_t part, n_parts, first_line, n_lines, selection;
    bool is_other; /* not what the event was to the webhook at first */
};
struct format_part format_part_of(const struct delivery_record *d);

/* Of the delivery: what the texts depend on besides the lines. */
struct format_facts {
    enum webhook_format format;
    const struct event_record *event;
    struct format_part part;
    const struct webhook_words *words;
};

const char *format_content_type(enum webhook_format f);
/* What receivers tell repeated deliveries by: the event's id, with ".<part>" when it is split. A
 * replay of other tasks says which: ".s<selection>.<first>-<last line>", so that nobody who has
 * seen the event drops it. */
enum { FORMAT_ID_CAP = UUID_TEXT_LEN + 36 };
const char *format_id(char out[FORMAT_ID_CAP], const struct event_record *e,
                      const struct format_part *p);

/* Of a single line of an event that is told line by line (envelope): the event's id, with ".<number
 * from 1>" when it has several. */
const char *format_line_id(char out[FORMAT_ID_CAP], const struct event_record *e, uint32_t line);

void format_begin(struct buf *out, const struct format_facts *f);
/* Before and after the text of a line; number: of the line in the event. */
void format_before(struct buf *out, const struct format_facts *f, const struct line_view *line,
                   uint32_t number, bool is_first);
void format_after(struct buf *out, const struct format_facts *f);
void format_end(struct buf *out, const struct format_facts *f);
