#pragma once
/* POST and DELETE /logs/stream, POST /logs/stderr. */
#include "loop/loop.h"

struct log_stream;
struct log_stream *log_stream_new(struct loop *l);
void log_stream_stop(struct log_stream *s); /* ends the one that is read */
void log_stream_free(struct log_stream *s); /* NULL accepted */
