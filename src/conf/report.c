/* Owns the shape of the messages of a start that fails (contract 8). Knows no option. */
#include "conf/report.h"

void
report_done(struct conf_report *r)
{
    buf_done(&r->out);
    buf_done(&r->messages);
    buf_done(&r->warnings);
}

int
report_usage(struct conf_report *r, const char *fmt, ...)
{
    va_list ap;
    buf_add_cstr(&r->messages, "error: ");
    va_start(ap, fmt);
    buf_addv(&r->messages, fmt, ap);
    va_end(ap);
    buf_add_cstr(&r->messages, "\n\nFor more information, try '--help'.\n");
    r->result = CONF_EXIT_BAD;
    r->exit_code = CONF_EXIT_USAGE;
    return -1;
}

int
report_failure(struct conf_report *r, const char *fmt, ...)
{
    va_list ap;
    buf_add_cstr(&r->messages, "Error: ");
    va_start(ap, fmt);
    buf_addv(&r->messages, fmt, ap);
    va_end(ap);
    buf_add_char(&r->messages, '\n');
    r->result = CONF_EXIT_BAD;
    r->exit_code = CONF_EXIT_FAILURE;
    return -1;
}

void
report_warning(struct conf_report *r, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    buf_addv(&r->warnings, fmt, ap);
    va_end(ap);
    buf_add_char(&r->warnings, '\n');
}
