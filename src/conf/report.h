#pragma once
/* What reading the options ends in: texts for the two streams, warnings for the log, an exit code.
 * So that the core prints nothing and tests can read everything. */
#include "conf/conf.h"

struct conf_report {
    enum conf_result result;
    int exit_code;       /* with CONF_EXIT_BAD */
    struct buf out;      /* for stdout */
    struct buf messages; /* for stderr */
    struct buf warnings; /* for the log, one a line */
};
#define CONF_REPORT_INIT ((struct conf_report){0})

enum { CONF_EXIT_FAILURE = 1, CONF_EXIT_USAGE = 2 };

void report_done(struct conf_report *r);
/* A wrong command line or value: "error: ...", blank line, the pointer to --help; exit code 2.
 * Always returns -1. */
int report_usage(struct conf_report *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Any other failure: "Error: ...", exit code 1. Always returns -1. */
int report_failure(struct conf_report *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void report_warning(struct conf_report *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
