#pragma once
/* The option table: one row an option. Everything that knows an option's name reads it here:
 * command line, environment, configuration file, --help, man page, completions, README table.
 *
 * To add one: a field in struct conf (conf.h), a row in options.c; the tests of the table and of
 * the generated texts find it by themselves. Cross-checks between options are in check.c. */
#include "conf/conf.h"

enum option_type {
    OPTION_STRING,
    OPTION_PATH,
    OPTION_BOOL,
    OPTION_SIZE,        /* bytes: "100 MB", "10 MiB", "1024" */
    OPTION_U64,         /* decimal */
    OPTION_DURATION_MS, /* "30", "30s", "500ms", "5m", "1h", kept in milliseconds */
    OPTION_DURATION_S,  /* the same, kept in whole seconds */
    OPTION_ENUM,
};

enum option_fate {
    OPTION_USED,
    OPTION_IGNORED,     /* upstream's, without a meaning here: accepted with a warning */
    OPTION_UNSUPPORTED, /* names a feature of upstream that is not here: an error */
    OPTION_ACTION,      /* prints something and ends; flags only */
};

enum option_group {
    OPTION_GROUP_GENERAL,
    OPTION_GROUP_SERVER,
    OPTION_GROUP_TLS,
    OPTION_GROUP_TASKS,
    OPTION_GROUP_WEBHOOKS,
    OPTION_GROUP_LOGS,
    OPTION_GROUP_INFO,
    OPTION_GROUP_IGNORED,
    OPTION_GROUP_UNSUPPORTED,
    OPTION_GROUP_COUNT,
};

struct option_choice {
    const char *name; /* NULL ends the list */
    int value;
};

struct conf_option {
    const char *flag; /* without the dashes; unique */
    char letter;      /* the short form, 0: none */
    enum option_type type;
    enum option_fate fate;
    enum option_group group;
    size_t offset;       /* of the field in struct conf (OPTION_USED only) */
    const char *metavar; /* in help texts; error messages use upstream's, made of the flag */
    const char *def;     /* as a user would write it; NULL: none (false for OPTION_BOOL) */
    uint64_t min, max;   /* of numbers; max 0: UINT64_MAX */
    const struct option_choice *choices;
    const char *choice_error; /* upstream's words around the value; NULL: a list of the choices */
    const char *meili_env;    /* upstream's variable where it is not made of the flag */
    const char *help;         /* sentences; for IGNORED and UNSUPPORTED rows the reason */
    bool is_upstream;         /* also read from MEILI_... */
    bool is_secret;           /* never shown, wiped */
    bool is_header_value;     /* must fit into an HTTP header */
    bool is_list;             /* the file may give an array, joined with commas */
    bool is_scheme_and_value; /* an unquoted "Bearer key" on the command line is two words */
    bool may_be_empty;
    bool has_unlimited;             /* the word "unlimited" gives UINT64_MAX */
    bool is_hidden;                 /* for the build, not in help */
    void (*print)(struct buf *out); /* OPTION_ACTION */
};

extern const struct conf_option conf_options[];
extern const size_t conf_option_count;

/* The row of a flag ("db-path", "--db-path") or of a file key ("db_path"); NULL when unknown. */
const struct conf_option *option_find(struct str flag);
const struct conf_option *option_find_key(struct str key);
const struct conf_option *option_find_letter(char letter);
/* The nearest flag (without dashes) or NULL; hidden ones are not suggested. */
const char *option_suggest(struct str flag);

bool option_takes_value(const struct conf_option *o);
/* Names made of the flag, appended: db_path, TASKHOOK_DB_PATH, MEILI_DB_PATH. */
void option_write_key(struct buf *out, const struct conf_option *o);
void option_write_env(struct buf *out, const struct conf_option *o);
bool option_write_meili_env(struct buf *out, const struct conf_option *o); /* false: none */
/* '--db-path <DB_PATH>' without the quotes, as upstream's messages name an option. */
void option_write_usage(struct buf *out, const struct conf_option *o);
const char *option_group_title(enum option_group group);

/* Parses text into the option's field. 0, or -1 with the rest of the message after
 * "invalid value '...' for '...'" appended to why (": reason" or a list of possible values). */
int option_parse(const struct conf_option *o, const char *text, struct conf *ret, struct buf *why);
/* value.c's building blocks, for tests and other readers. */
bool value_parse_size(struct str text, uint64_t *ret_bytes);
bool value_parse_duration(struct str text, uint64_t *ret_ms);
