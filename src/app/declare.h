#pragma once
/* Webhooks that the options declare, in the shape that webhook/ reads: the JSON of a POST. */
#include "codec/json.h"
#include "conf/conf.h"
#include "webhook/webhook.h"

const struct webhook_words *app_webhook_words(void); /* of queue/'s tables */

/* Judges each option of the command line's webhook by itself. 0, or the exit code after a message
 * on stderr. */
int app_check_task_webhook(const struct conf *conf);

struct app_webhooks {
    struct json_doc *cli; /* the fields of the command line's; NULL: none was given */
    struct webhook_declaration declared[WEBHOOKS_MAX];
    struct json_doc *docs[WEBHOOKS_MAX]; /* of declared */
    size_t n_declared;
};
/* 0, or -1 with err; app_webhooks_done in any case. */
int app_webhooks_read(const struct conf *conf, struct app_webhooks *ret, struct err *err);
void app_webhooks_done(struct app_webhooks *a);
