/* A body of POST /webhooks is refused with a reason, or makes a policy that the store gives back as
 * it was, and that does not change when what is shown of it is sent back. A stored policy, however
 * damaged, is refused or read. */
#include "fuzz.h"
#include "webhook/settings.h"

static const char *const kinds[] = {"documentAdditionOrUpdate", "indexCreation"};
static const char *const statuses[] = {NULL, NULL, "succeeded", "failed", "canceled"};
static const struct webhook_words words = {kinds, statuses, 2, 5};

/* Changes the policy as the body says; false when that is refused, with the reason. */
static bool
change(struct webhook_policy *p, struct str text)
{
    struct webhook_settings s;
    struct err err = ERR_INIT;
    struct json_doc *doc = json_parse(text, NULL);
    if (doc == NULL)
        return false;
    bool is_read = webhook_settings_read(json_root(doc), &words, &s, &err) == 0;
    bool is_applied = is_read && policy_change_apply(&s.policy, p, &err) == 0;
    FUZZ_REQUIRE(is_applied == !err_is_set(&err));
    if (is_read)
        webhook_settings_done(&s);
    json_doc_free(doc);
    err_done(&err);
    return is_applied;
}

static struct buf
encoded(const struct webhook_policy *p)
{
    struct buf row = BUF_INIT;
    policy_encode(&row, p);
    return row;
}

static void
require_stored_as(const struct buf *row, const struct webhook_policy *p)
{
    struct buf now = encoded(p);
    FUZZ_REQUIRE(str_equal(buf_str(&now), buf_str(row)));
    buf_done(&now);
}

static void
check_accepted(struct webhook_policy *p)
{
    struct webhook_policy read;
    struct buf row = encoded(p), shown = BUF_INIT;
    struct rec r = {.rest = buf_str(&row)};
    policy_init(&read);
    FUZZ_REQUIRE(policy_decode(&r, &read) && rec_ok(&r));
    require_stored_as(&row, &read);
    policy_done(&read);
    struct json_out j = json_out(&shown);
    json_begin_object(&j);
    policy_write_members(&j, p, &words, 0);
    json_end_object(&j);
    FUZZ_REQUIRE(change(p, buf_str(&shown)));
    require_stored_as(&row, p);
    buf_done(&row);
    buf_done(&shown);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct webhook_policy p;
    struct rec r = {.rest = str_make(data, size)};
    policy_init(&p);
    if (change(&p, str_make(data, size)))
        check_accepted(&p);
    policy_done(&p);
    policy_init(&p);
    (void) policy_decode(&r, &p); /* any answer is right that reads nothing beyond */
    policy_done(&p);
    return 0;
}
