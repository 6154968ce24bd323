#pragma once
/* Options that a level above conf/ understands (URLs, networks) are judged here before anything is
 * created. */
#include "conf/conf.h"
#include "net/address.h"

/* 0, or the exit code after a message on stderr. *ret_policy is owned by the caller. */
int app_check_options(const struct conf *conf, struct address_policy **ret_policy);
