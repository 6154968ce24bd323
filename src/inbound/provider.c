/* The table of providers, and where they put what they say. Knows no connection and no signature.
 */
#include "inbound/provider.h"

#include "codec/form.h"

struct names {
    const char *signature, *timestamp, *id, *event; /* NULL: none */
};

static const struct provider_row {
    const char *name;
    struct names headers, other; /* other: another spelling of the same */
    bool sends_forms;
} rows[PROVIDER_COUNT] = {
    [PROVIDER_MUX] = {.name = "mux", .headers = {.signature = "mux-signature"}},
    [PROVIDER_STRIPE] = {.name = "stripe", .headers = {.signature = "stripe-signature"}},
    [PROVIDER_GITHUB] = {.name = "github",
                         .headers = {.signature = "x-hub-signature-256",
                                     .id = "x-github-delivery",
                                     .event = "x-github-event"},
                         .sends_forms = true},
    [PROVIDER_STANDARD] = {.name = "standard",
                           .headers = {.signature = "webhook-signature",
                                       .timestamp = "webhook-timestamp",
                                       .id = "webhook-id"},
                           .other = {.signature = "svix-signature",
                                     .timestamp = "svix-timestamp",
                                     .id = "svix-id"}},
    [PROVIDER_SLACK] = {.name = "slack",
                        .headers = {.signature = "x-slack-signature",
                                    .timestamp = "x-slack-request-timestamp"},
                        .sends_forms = true},
    [PROVIDER_TWILIO] = {.name = "twilio",
                         .headers = {.signature = "x-twilio-signature"},
                         .sends_forms = true},
};

const char *
provider_name(enum provider p)
{
    return rows[p].name;
}

bool
provider_from_name(struct str name, enum provider *ret)
{
    for (int i = 0; i < PROVIDER_COUNT; i++) {
        if (!str_is(name, rows[i].name))
            continue;
        *ret = (enum provider) i;
        return true;
    }
    return false;
}

const char *const *
provider_names(void)
{
    static const char *names[PROVIDER_COUNT + 1];
    for (int i = 0; i < PROVIDER_COUNT; i++)
        names[i] = rows[i].name;
    return names;
}

/* --- headers */

static struct str
optional(provider_header_fn *header, const void *arg, const char *name)
{
    return name == NULL ? STR_NULL : header(arg, name);
}

/* One spelling for all of them: an id of one and a signature of the other would be two senders. */
void
provider_read_headers(enum provider p, provider_header_fn *header, const void *arg,
                      struct provider_headers *ret)
{
    const struct names *names = &rows[p].headers;
    if (rows[p].other.signature != NULL && header(arg, names->signature).data == NULL)
        names = &rows[p].other;
    *ret = (struct provider_headers){
        .signature = optional(header, arg, names->signature),
        .timestamp = optional(header, arg, names->timestamp),
        .id = optional(header, arg, names->id),
        .event = optional(header, arg, names->event),
        .content_type = header(arg, "content-type"),
        .content_encoding = header(arg, "content-encoding"),
    };
}

/* --- bodies */

static struct str
text_of(const struct json *object, const char *name)
{
    const struct json *value = json_get_c(object, name);
    return value == NULL ? STR("") : json_string(value);
}

static struct str
without_slash(struct str command)
{
    return str_starts_with(command, "/") ? str_slice(command, 1, command.len) : command;
}

static void
read_slack(const struct json *body, struct provider_event *ret)
{
    const struct json *event = json_get_c(body, "event");
    ret->id = text_of(body, "event_id");
    ret->type = text_of(body, "type");
    if (str_is(ret->type, "event_callback")) {
        ret->type = text_of(event, "type");
        ret->kind = text_of(event, "subtype");
        return;
    }
    if (ret->id.len == 0)
        ret->id = text_of(body, "trigger_id"); /* of what a person did */
    if (ret->type.len == 0 && text_of(body, "command").len > 0) {
        ret->type = STR("slash_command");
        ret->kind = without_slash(text_of(body, "command"));
    }
}

/* A message has one id, and an event for each status that it comes to. */
static void
read_twilio(const struct json *body, struct arena *arena, struct provider_event *ret)
{
    struct str sid = text_of(body, "MessageSid");
    ret->type = text_of(body, "MessageStatus");
    if (ret->type.len == 0)
        ret->type = text_of(body, "SmsStatus"); /* of a message that comes in: "received" */
    if (sid.len == 0)
        return;
    char *id = arena_alloc(arena, sid.len + ret->type.len + 2);
    memcpy(id, sid.data, sid.len);
    id[sid.len] = '.';
    if (ret->type.len > 0)
        memcpy(id + sid.len + 1, ret->type.data, ret->type.len);
    ret->id = str_make(id, sid.len + 1 + ret->type.len);
}

void
provider_read_event(enum provider p, const struct provider_headers *h, const struct json *body,
                    struct arena *arena, struct provider_event *ret)
{
    *ret = (struct provider_event){.id = STR(""), .type = STR(""), .kind = STR("")};
    switch (p) {
    case PROVIDER_GITHUB:
        ret->id = h->id;
        ret->type = h->event;
        ret->kind = text_of(body, "action");
        break;
    case PROVIDER_STANDARD:
        ret->id = h->id;
        ret->type = text_of(body, "type");
        break;
    case PROVIDER_SLACK:
        read_slack(body, ret);
        break;
    case PROVIDER_TWILIO:
        read_twilio(body, arena, ret);
        break;
    case PROVIDER_MUX:
    case PROVIDER_STRIPE:
    case PROVIDER_COUNT:
        ret->id = text_of(body, "id");
        ret->type = text_of(body, "type");
        break;
    }
}

/* --- forms */

bool
provider_sends_forms(enum provider p, const struct provider_headers *h)
{
    struct str type = str_trim(str_slice(h->content_type, 0, str_find(h->content_type, ';', 0)));
    if (p == PROVIDER_TWILIO)
        return true; /* the signature read it as one */
    return rows[p].sends_forms && str_equal_nocase(type, STR("application/x-www-form-urlencoded"));
}

int
provider_form_to_json(enum provider p, struct str form, struct buf *out)
{
    struct arena *arena = arena_new();
    struct form_param *params;
    struct json_out j = json_out(out);
    struct str payload = STR_NULL;
    int n = form_parse(arena, form, &params);
    for (int i = 0; i < n; i++) {
        if (p != PROVIDER_TWILIO && str_is(params[i].name, "payload"))
            payload = params[i].value;
    }
    if (payload.data != NULL) {
        buf_add_str(out, payload);
    } else if (n >= 0) {
        json_begin_object(&j);
        for (int i = 0; i < n; i++) {
            json_key_str(&j, params[i].name);
            json_put_str(&j, params[i].value);
        }
        json_end_object(&j);
    }
    arena_free(arena);
    return n < 0 || buf_failed(out) ? -1 : 0;
}
