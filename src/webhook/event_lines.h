#pragma once
/* The lines of an event on their way into the store: collected to parts, each stored when it is
 * large enough, in as many turns as it takes. Private to the folder. */
#include "webhook/record.h"

struct event_lines {
    uint64_t event;  /* the number, which nobody else gets */
    struct buf part; /* not stored yet */
    uint32_t n_in_part;
    struct event_record record; /* its n_lines, n_parts and n_bytes are counted here */
};
/* The stored part that holds a line, with the number of the first line in it: 1 or negative. Parts
 * of version 1 do not tell their lines' numbers: then it is the first part. */
struct event_part {
    uint32_t index, first_line;
    struct str bytes; /* of the store */
};
int event_lines_seek(struct store_txn *txn, uint64_t event, uint32_t n_parts, uint32_t line,
                     struct event_part *ret);
/* One line: 1, 0 when there is none, negative. */
int event_lines_get(struct store_txn *txn, uint64_t event, uint32_t n_parts, uint32_t line,
                    struct line_view *ret);

void event_lines_done(struct event_lines *l);
/* Takes a line, and stores the part when it is full. 0 or negative. */
int event_lines_add(struct event_lines *l, struct store_txn *txn, const struct line_view *line);
/* Stores what is left, and looks whether everything stored in earlier turns is there: if one of
 * those was refused, the event would have a hole. 0 or negative. */
int event_lines_finish(struct event_lines *l, struct store_txn *txn);
