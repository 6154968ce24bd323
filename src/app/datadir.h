#pragma once
/* The data directory: created 0700, one process at a time. */
#include "base/err.h"

/* The lock's descriptor, held until the process ends, or -1 with err naming what is wrong. */
int datadir_lock(const char *path, struct err *err);
