#pragma once
/* Counting what lanes do. Private to the folder; read through webhooks_stats(). */
#include "webhook/lane.h"

void lane_count(struct lane *l, const struct attempt *a); /* recorded for good */
