#pragma once
/* The core: arguments, environment and file to a struct conf. Prints nothing. */
#include "conf/options.h"
#include "conf/report.h"

enum setting_source { SETTING_NONE, SETTING_FROM_ARGS, SETTING_FROM_ENV, SETTING_FROM_FILE };

/* The text that won for one option, and where it stands. */
struct setting {
    char *text; /* owned; NULL: not set */
    enum setting_source source;
    char *place; /* owned: the variable, or "./config.toml", line 3; NULL for arguments */
};

struct conf_reading {
    struct setting *settings; /* one a row of conf_options */
    char *file_path;          /* the file that was read, NULL for none */
    /* kept only when the file declares webhooks */
    const struct toml *webhooks;
    struct toml *file_root;
    struct arena *file_arena;
    struct conf_report *report;
};

/* Reads everything into ret (zeroed here). The report says what to print and how to go on; when its
 * result is CONF_RUN ret is complete, otherwise ret was left empty. */
void conf_read(int argc, char *const *argv, char *const *envp, struct conf *ret,
               struct conf_report *report);

/* The sources, highest first: a setting that is there stays. 0, or -1 with the report decided
 * (which for arguments includes --help). */
int args_read(struct conf_reading *r, int argc, char *const *argv);
void env_read(struct conf_reading *r, char *const *envp);
int file_read(struct conf_reading *r);

struct setting *reading_setting(struct conf_reading *r, const struct conf_option *o);
/* Takes text over (freeing it when the option was set by a higher source); copies place. */
void reading_set(struct conf_reading *r, const struct conf_option *o, enum setting_source source,
                 char *text, const char *place);
/* Refuses an option that names a feature we lack; returns -1. */
int reading_refuse(struct conf_reading *r, const struct conf_option *o);
/* A whole message: invalid value '...' for '...' and rest (": reason", ...). */
void reading_write_invalid(struct buf *out, const struct conf_option *o, const char *value,
                           const char *rest);

/* What no row can say alone: pairs of options, production's master key. */
int check_conf(const struct conf *c, struct conf_report *report);
