#pragma once
/* Webhooks that are given at the start: the command line's and the configuration file's. Private to
 * the folder. Each returns a new webhook, or NULL with err. */
#include "webhook/registry.h"

struct webhook *declaration_read(const struct webhooks_conf *conf,
                                 const struct webhook_declaration *d, struct err *err);
struct webhook *declaration_read_cli(const struct webhooks_conf *conf, struct err *err);
