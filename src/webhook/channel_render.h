#pragma once
/* What the templates of a channel make of one event, in slices. Private to the folder. */
#include "webhook/channel_internal.h"

enum {
    CHANNEL_EVENT_MAX_BYTES = 384 * 1024, /* larger events are not rendered: they are parsed at
                                             once, and metadata has 256 KiB at most */
    CHANNEL_TEXT_MAX_BYTES = 256 * 1024,  /* each part */
};

/* Whether there is anything to render; else the event goes out as it is. */
bool channel_has_parts(const struct channel *c);

struct channel_render;
/* event: JSON, copied. Holds the channel. */
struct channel_render *channel_render_new(const struct channel *c, struct str event);
void channel_render_free(struct channel_render *r); /* NULL accepted */
enum template_state channel_render_step(struct channel_render *r, int64_t deadline_us);
/* Once DONE: the text; data NULL where there is no template. Once FAILED: why. */
struct str channel_render_text(const struct channel_render *r, enum channel_part part);
const char *channel_render_error(const struct channel_render *r);
