#pragma once
/* Builds every module in order, wires their callbacks, runs the loop, drains on a signal. */
#include "conf/conf.h"

/* Runs the server until it is told to stop; the process's exit code. */
int app_run(const struct conf *conf);
