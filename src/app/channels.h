#pragma once
/* What channels are sent with: the relay and the SMS service, out of the options. */
#include "conf/conf.h"
#include "net/http_client.h"
#include "net/smtp_client.h"
#include "webhook/webhook.h"

/* 0, or -1 after a message on stderr. */
int app_channels_check(const struct conf *conf);

struct app_channels {
    struct address_policy *plain; /* networks in which the relay may be without TLS */
    struct smtp_client *smtp;     /* NULL: no relay */
    char *from, *from_name;
};
/* conf is checked, and outlives it. */
void app_channels_open(struct app_channels *c, const struct conf *conf, struct loop *loop,
                       struct http_client *http);
/* Before the loop goes, behind the webhooks. */
void app_channels_close(struct app_channels *c);
/* Into the conf of webhooks; borrowed. */
void app_channels_fill(const struct app_channels *c, const struct conf *conf,
                       struct webhooks_conf *ret);
