/* Which renderer a path's errors go through. Knows no route: a request that never reached one is
 * answered in its door's shape too. */
#include "api/doors.h"

#include "api/envelope.h"

struct door {
    const char *prefix;
    door_render_error *render;
    bool knows_wrong_keys; /* doors_judge_key */
};
/* The first that fits counts: longer prefixes stand before shorter ones. */
static const struct door doors[] = {
    {.prefix = "/api/v1/", .render = orama_render, .knows_wrong_keys = true},
    {.prefix = "/v1/", .render = envelope_render, .knows_wrong_keys = true},
    {.prefix = "/api/reports", .render = problem_render},
    {.prefix = "/api/webhooks", .render = problem_render},
    {.prefix = "/api/report-definitions", .render = problem_render},
};

static const struct door *
find(struct str path)
{
    for (size_t i = 0; i < sizeof(doors) / sizeof(doors[0]); i++) {
        if (str_starts_with(path, doors[i].prefix))
            return &doors[i];
    }
    return NULL;
}

const char *
doors_render_error(void *api, const struct http_call *call, struct buf *out)
{
    const struct door *door = find(call->path);
    (void) api; /* the same for every server */
    return door == NULL ? NULL : door->render(call, out);
}

bool
doors_own_path(struct str path)
{
    return find(path) != NULL;
}

void
doors_judge_key(struct str path, const struct auth *a, struct str authorization, struct err *err)
{
    const struct door *door = find(path);
    if (door == NULL || !door->knows_wrong_keys || err->code != ERR_INVALID_API_KEY ||
        auth_knows_key(a, authorization))
        return;
    (void) err_set(err, ERR_UNKNOWN_API_KEY, "The provided API key is invalid.");
}
