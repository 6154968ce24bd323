/* Runs a channel's templates one after the other. Knows no delivery. */
#include "webhook/channel_render.h"

#include <stdlib.h>

#include "base/mem.h"

struct channel_render {
    const struct channel *channel;
    struct json_doc *event;
    struct template_run *runs[CHANNEL_PARTS];
    size_t at;
    const char *error;
};

bool
channel_has_parts(const struct channel *c)
{
    return c->parts[CHANNEL_MAIN] != NULL || c->parts[CHANNEL_EXTRA] != NULL;
}

static void
begin_part(struct channel_render *r, size_t part)
{
    const struct channel *c = r->channel;
    struct template_input input = {
        .template = c->parts[part],
        .data = json_root(r->event),
        .data_name = "event",
        .escapes_html = part == CHANNEL_EXTRA && c->escapes_html,
        .max_bytes = CHANNEL_TEXT_MAX_BYTES,
    };
    if (input.template != NULL)
        r->runs[part] = template_run_new(&input);
}

struct channel_render *
channel_render_new(const struct channel *c, struct str event)
{
    struct channel_render *r = mem_new(1, sizeof(*r));
    r->channel = channel_hold(c);
    if (event.len > CHANNEL_EVENT_MAX_BYTES) {
        r->error = "the event is larger than 384 KiB: too large for a template";
        return r;
    }
    r->event = json_parse(event, NULL);
    if (r->event == NULL || json_type(json_root(r->event)) != JSON_OBJECT) {
        r->error = "the event is no JSON object";
        return r;
    }
    for (size_t part = 0; part < CHANNEL_PARTS; part++)
        begin_part(r, part);
    return r;
}

void
channel_render_free(struct channel_render *r)
{
    if (r == NULL)
        return;
    for (size_t part = 0; part < CHANNEL_PARTS; part++)
        template_run_free(r->runs[part]);
    json_doc_free(r->event);
    channel_release(r->channel);
    free(r);
}

/* What must be JSON is. */
static const char *
check(const struct channel_render *r)
{
    const struct channel *c = r->channel;
    bool is_blocks = c->kind == CHANNEL_SLACK;
    bool is_json = is_blocks || (c->kind == CHANNEL_EMAIL && c->content == CONTENT_JSON);
    if (r->runs[CHANNEL_EXTRA] == NULL || !is_json)
        return NULL;
    struct json_doc *doc = json_parse(template_run_output(r->runs[CHANNEL_EXTRA]), NULL);
    bool is_ok = doc != NULL && (!is_blocks || json_type(json_root(doc)) >= JSON_ARRAY);
    json_doc_free(doc);
    if (is_ok)
        return NULL;
    return is_blocks ? "blocks_template makes no JSON array of blocks, and no object with them"
                     : "body_template makes no JSON";
}

enum template_state
channel_render_step(struct channel_render *r, int64_t deadline_us)
{
    while (r->error == NULL && r->at < CHANNEL_PARTS) {
        struct template_run *run = r->runs[r->at];
        enum template_state state =
            run == NULL ? TEMPLATE_DONE : template_run_step(run, deadline_us);
        if (state == TEMPLATE_MORE)
            return TEMPLATE_MORE;
        if (state == TEMPLATE_FAILED)
            r->error = template_run_error(run);
        if (++r->at == CHANNEL_PARTS && r->error == NULL)
            r->error = check(r);
    }
    return r->error != NULL ? TEMPLATE_FAILED : TEMPLATE_DONE;
}

struct str
channel_render_text(const struct channel_render *r, enum channel_part part)
{
    if (r->runs[part] == NULL)
        return STR_NULL;
    struct str text = template_run_output(r->runs[part]);
    return text.data == NULL ? STR("") : text;
}

const char *
channel_render_error(const struct channel_render *r)
{
    return r->error;
}
