#pragma once
/* Options: one table (conf/options.c) gives flags, environment names, file keys, help, man page and
 * completions. Precedence: file < environment < flag. */
#include "base/err.h"
#include "base/log.h"

/* The version of Meilisearch whose wire contract is spoken (GET /version, X-Meilisearch-Client). */
#define CONF_WIRE_VERSION "1.50.0"

enum conf_env { CONF_DEVELOPMENT, CONF_PRODUCTION };

enum { CONF_MASTER_KEY_MIN_BYTES = 16 }; /* production refuses shorter ones */

enum conf_choice { CONF_UNSET, CONF_TRUE, CONF_FALSE };

/* What the webhook of the command line chooses (the fields of POST /webhooks), as texts: whoever
 * knows webhooks judges them. NULL: not given. */
struct conf_task_webhook {
    char *events, *index_uids, *types, *statuses; /* with commas */
    char *timeout_ms, *max_in_flight, *rate_limit, *retry_schedule;
    char *format, *compression, *secret, *ca_path, *client_certificate_path, *description;
    enum conf_choice wait, ordered, is_active;
};

struct toml;
struct arena;

struct conf {
    char *config_file_path; /* the file that was read, NULL for none */
    char *db_path, *http_addr;
    char *master_key; /* NULL for none, never empty */
    enum conf_env env;
    char *task_webhook_url, *task_webhook_authorization_header, *webhook_ca_path; /* NULL: none */
    struct conf_task_webhook task_webhook;
    bool webhook_require_https;
    const struct toml *webhooks; /* the file's [[webhooks]], an array of tables; NULL: none */
    struct toml *file_root;      /* what they are part of, and where it lives; NULL without them */
    struct arena *file_arena;
    char *allowed_ip_networks;        /* "" or NULL: only public addresses */
    uint64_t http_payload_size_limit; /* bytes */
    enum log_level log_level;
    enum log_mode log_mode;
    char *ssl_cert_path, *ssl_key_path, *ssl_auth_path; /* cert and key: both or neither */
    bool ssl_require_auth;                              /* only with ssl_auth_path */
    bool experimental_contains_filter;
    bool experimental_metrics, experimental_logs_route;
    uint64_t max_batched_tasks;        /* UINT64_MAX: unlimited; 0: the scheduler never runs */
    uint64_t batched_tasks_total_size; /* bytes of payload a batch */
    uint64_t max_tasks, max_task_db_bytes;
    uint64_t webhook_timeout_ms;                           /* an attempt, default 30 s */
    uint64_t webhook_payload_tasks, webhook_payload_bytes; /* above: split; 100,000 and 50 MiB */
    uint64_t webhook_retention_s;     /* of finished deliveries, default 7 days */
    uint64_t webhook_retention_bytes; /* of all deliveries with their events, default 1 GiB */
    uint64_t report_lifetime_s;       /* of finished reports, default 24 h */
    uint64_t report_max_bytes;        /* of all results together, default 1 GiB */
    uint64_t webhook_parked_s;        /* of what is owed to a disabled webhook, default 14 days */
    uint64_t webhook_parked_bytes;    /* of that, a webhook, default 256 MiB */
    char *smtp_url, *smtp_from, *smtp_plain_networks; /* the relay of channels; NULL: none */
    char *sms_base_url, *sms_account_sid, *sms_auth_token, *sms_from;
    uint64_t max_connections, idle_timeout_s, min_free_disk_bytes, checkpoint_commits;
    bool no_analytics;
    /* the table may add more; keep each next to a row */
};

enum conf_result {
    CONF_RUN,      /* conf is complete */
    CONF_EXIT_OK,  /* --help, --version, ... was printed to stdout */
    CONF_EXIT_BAD, /* a message was printed to stderr: exit with *ret_exit */
};
/* Reads file, environment and arguments. environ-style envp. Messages go to stderr/stdout as a
 * command line would. On CONF_EXIT_BAD *ret_exit is 2 for usage errors and 1 for others. On
 * CONF_RUN the log is set up (log_setup) with the chosen level and mode, and what was accepted
 * without effect was logged as warnings. On the two others *ret needs no conf_done (it is
 * harmless). */
enum conf_result conf_load(int argc, char *const *argv, char *const *envp, struct conf *ret,
                           int *ret_exit);
void conf_done(struct conf *c); /* frees; wipes secrets; the struct is zeroed */

/* The message for an option whose value another module refuses:
 * error: invalid value 'nonsense' for '--task-webhook-url <TASK_WEBHOOK_URL>': relative URL without
 * a base
 * (blank line) For more information, try '--help'.
 * flag is written without dashes ("task-webhook-url"); leading dashes are accepted. Values of
 * secret options are not shown. The caller exits with 2. */
void conf_print_invalid(const char *flag, const char *value, const char *why);

const char *conf_version(void); /* "0.1.0": the version in meson.build */
