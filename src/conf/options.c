/* The option table. Rows only say what an option is; parsing is in value.c, precedence in read.c,
 * checks between options in check.c, the texts made of it in help.c, man.c and completion.c. */
#include "conf/options.h"

#include <stddef.h>

#include "conf/docs.h"

#define FIELD(name) .offset = offsetof(struct conf, name)
#define TIB(n) (UINT64_C(n) << 40)

static const struct option_choice ENVS[] = {
    {"development", CONF_DEVELOPMENT}, {"production", CONF_PRODUCTION}, {NULL, 0}};
static const struct option_choice LOG_LEVELS[] = {
    {"OFF", LOG_OFF},     {"ERROR", LOG_ERROR}, {"WARN", LOG_WARN}, {"INFO", LOG_INFO},
    {"DEBUG", LOG_DEBUG}, {"TRACE", LOG_TRACE}, {NULL, 0}};
static const struct option_choice LOG_MODES[] = {
    {"HUMAN", LOG_HUMAN}, {"JSON", LOG_JSON}, {NULL, 0}};

static const struct option_choice CHOICES[] = {
    {"true", CONF_TRUE}, {"false", CONF_FALSE}, {NULL, 0}};

/* A field of the command line's webhook; no default, so that GET shows what was chosen. */
#define HOOK_TEXT(name, kind, field, meta, text, ...)                                              \
    {                                                                                              \
        .flag = "task-webhook-" name, .type = kind, .group = OPTION_GROUP_WEBHOOKS,                \
        FIELD(task_webhook.field), .metavar = meta, .help = text, ##__VA_ARGS__,                   \
    }
#define HOOK_CHOICE(name, field, text)                                                             \
    HOOK_TEXT(name, OPTION_ENUM, field, "true|false", text, .choices = CHOICES)

/* Upstream options without a meaning here: one line a row. */
#define IGNORED(name, kind, default_text, reason)                                                  \
    {                                                                                              \
        .flag = name, .type = kind, .def = default_text, .help = reason, .fate = OPTION_IGNORED,   \
        .group = OPTION_GROUP_IGNORED, .is_upstream = true,                                        \
    }
#define UNSUPPORTED(name, kind, reason)                                                            \
    {                                                                                              \
        .flag = name, .type = kind, .help = reason, .fate = OPTION_UNSUPPORTED,                    \
        .group = OPTION_GROUP_UNSUPPORTED, .is_upstream = true,                                    \
    }
#define PRINTER(name, function, text)                                                              \
    {                                                                                              \
        .flag = name, .type = OPTION_BOOL, .help = text, .fate = OPTION_ACTION,                    \
        .group = OPTION_GROUP_INFO, .is_hidden = true, .print = function,                          \
    }

/* clang-format off */
const struct conf_option conf_options[] = {
    /* --- general ------------------------------------------------------------------------------*/
    {
        .flag = "db-path", .type = OPTION_PATH, .group = OPTION_GROUP_GENERAL, FIELD(db_path),
        .metavar = "DIR", .def = "./data.ms", .is_upstream = true,
        .help = "The data directory: tasks, documents, webhooks and what is owed to them. It is created "
                "with mode 0700 if it does not exist. One process may use it at a time.",
    },
    {
        .flag = "env", .type = OPTION_ENUM, .group = OPTION_GROUP_GENERAL, FIELD(env),
        .metavar = "ENV", .def = "development", .choices = ENVS, .is_upstream = true,
        .help = "development or production. Production refuses to start without a master key of at "
                "least 16 bytes.",
    },
    {
        .flag = "master-key", .type = OPTION_STRING, .group = OPTION_GROUP_GENERAL, FIELD(master_key),
        .metavar = "KEY", .is_upstream = true, .is_secret = true, .is_header_value = true,
        .help = "Protects every route but GET /health: requests then need 'Authorization: Bearer KEY'. "
                "Prefer the environment variable or the configuration file, because other users of "
                "the machine can read command lines. Without a key everybody who reaches the port may do everything.",
    },
    {
        .flag = "config-file-path", .type = OPTION_PATH, .group = OPTION_GROUP_GENERAL, FIELD(config_file_path),
        .metavar = "FILE", .is_upstream = true,
        .help = "The TOML file to read options from. When it is not given, ./config.toml is read if it "
                "exists.",
    },
    {
        .flag = "no-analytics", .type = OPTION_BOOL, .group = OPTION_GROUP_GENERAL, FIELD(no_analytics),
        .is_upstream = true,
        .help = "Accepted so that existing command lines work. There is no telemetry, with or without it.",
    },
    {
        .flag = "min-free-disk", .type = OPTION_SIZE, .group = OPTION_GROUP_GENERAL, FIELD(min_free_disk_bytes),
        .metavar = "SIZE", .def = "256 MiB", .max = TIB(1024),
        .help = "Free space to keep on the file system of the data directory. Below it requests that "
                "write are refused with an error; reading, cancelation, deletion and webhooks go on, and writing is "
                "accepted again as soon as there is room.",
    },
    {
        .flag = "checkpoint-commits", .type = OPTION_U64, .group = OPTION_GROUP_GENERAL, FIELD(checkpoint_commits),
        .metavar = "N", .def = "512", .min = 1, .max = 100000,
        .help = "After how many commits at the latest the database is made complete without its journal. More: "
                "fewer pauses of some milliseconds, a larger file, a longer start after a crash.",
    },
    /* --- server -------------------------------------------------------------------------------*/
    {
        .flag = "http-addr", .type = OPTION_STRING, .group = OPTION_GROUP_SERVER, FIELD(http_addr),
        .metavar = "ADDR", .def = "localhost:7700", .is_upstream = true,
        .help = "Where to listen: 'host:port', '[::1]:7700' or 'unix:/path/to/socket'. Port 0 takes a "
                "free port and prints it.",
    },
    {
        .flag = "http-payload-size-limit", .type = OPTION_SIZE, .group = OPTION_GROUP_SERVER, FIELD(http_payload_size_limit),
        .metavar = "SIZE", .def = "100 MB", .min = 1, .max = TIB(1), .is_upstream = true,
        .help = "The largest request body, counted after decompression; a larger one is answered with 413.",
    },
    {
        .flag = "max-connections", .type = OPTION_U64, .group = OPTION_GROUP_SERVER, FIELD(max_connections),
        .metavar = "N", .def = "10000", .min = 1, .max = 1000000,
        .help = "Client connections open at a time. Further ones are answered with 503 and closed.",
    },
    {
        .flag = "idle-timeout", .type = OPTION_DURATION_S, .group = OPTION_GROUP_SERVER, FIELD(idle_timeout_s),
        .metavar = "DURATION", .def = "60s", .min = 1000, .max = 86400000,
        .help = "How long a connection may be kept alive without a request.",
    },
    /* --- TLS ----------------------------------------------------------------------------------*/
    {
        .flag = "ssl-cert-path", .type = OPTION_PATH, .group = OPTION_GROUP_TLS, FIELD(ssl_cert_path),
        .metavar = "FILE", .is_upstream = true,
        .help = "Serve HTTPS with this certificate (PEM, the whole chain). Needs --ssl-key-path.",
    },
    {
        .flag = "ssl-key-path", .type = OPTION_PATH, .group = OPTION_GROUP_TLS, FIELD(ssl_key_path),
        .metavar = "FILE", .is_upstream = true,
        .help = "The private key of the certificate (PEM). Needs --ssl-cert-path.",
    },
    {
        .flag = "ssl-auth-path", .type = OPTION_PATH, .group = OPTION_GROUP_TLS, FIELD(ssl_auth_path),
        .metavar = "FILE", .is_upstream = true,
        .help = "Ask clients for a certificate issued by one of these authorities (PEM).",
    },
    {
        .flag = "ssl-require-auth", .type = OPTION_BOOL, .group = OPTION_GROUP_TLS, FIELD(ssl_require_auth),
        .is_upstream = true,
        .help = "Refuse clients that have no such certificate. Needs --ssl-auth-path.",
    },
    /* --- tasks --------------------------------------------------------------------------------*/
    {
        .flag = "experimental-max-number-of-batched-tasks", .type = OPTION_U64, .group = OPTION_GROUP_TASKS, FIELD(max_batched_tasks),
        .metavar = "N", .def = "unlimited", .has_unlimited = true, .is_upstream = true,
        .help = "The most tasks that one batch may hold. 0: tasks are accepted but none is processed.",
    },
    {
        .flag = "experimental-limit-batched-tasks-total-size", .type = OPTION_SIZE, .group = OPTION_GROUP_TASKS, FIELD(batched_tasks_total_size),
        .metavar = "SIZE", .def = "10 GiB", .is_upstream = true,
        .help = "The most bytes of document payloads that one batch may hold. A single larger task is still processed, alone.",
    },
    {
        .flag = "max-tasks", .type = OPTION_U64, .group = OPTION_GROUP_TASKS, FIELD(max_tasks),
        .metavar = "N", .def = "1000000", .min = 20, .max = 100000000,
        .help = "How many tasks are kept. From then on the oldest finished ones are deleted, a tenth of N at a time.",
    },
    {
        .flag = "max-task-db-size", .type = OPTION_SIZE, .group = OPTION_GROUP_TASKS, FIELD(max_task_db_bytes),
        .metavar = "SIZE", .def = "8 GiB", .min = 1 << 20, .max = TIB(1),
        .help = "How much of the disk tasks may take, without documents. Above it new tasks are refused until some are deleted; "
                "cancelations and deletions of tasks are accepted.",
    },
    {
        .flag = "experimental-contains-filter", .type = OPTION_BOOL, .group = OPTION_GROUP_TASKS, FIELD(experimental_contains_filter),
        .is_upstream = true,
        .help = "Allow CONTAINS in filters, whatever /experimental-features says.",
    },
    /* --- webhooks -----------------------------------------------------------------------------*/
    {
        .flag = "task-webhook-url", .type = OPTION_STRING, .group = OPTION_GROUP_WEBHOOKS, FIELD(task_webhook_url),
        .metavar = "URL", .is_upstream = true,
        .help = "Call this URL when a batch is finished, with its tasks as gzip-compressed NDJSON. More "
                "webhooks can be registered over the API (/webhooks).",
    },
    {
        .flag = "task-webhook-authorization-header", .type = OPTION_STRING, .group = OPTION_GROUP_WEBHOOKS, FIELD(task_webhook_authorization_header),
        .metavar = "VALUE", .is_upstream = true, .is_secret = true, .is_header_value = true, .is_scheme_and_value = true,
        .help = "The whole Authorization header to send to --task-webhook-url, for example 'Bearer aSampleMasterKey'.",
    },
    HOOK_TEXT("events", OPTION_STRING, events, "NAMES",
              "What to tell --task-webhook-url, separated by commas: batch.finished (the default), webhook.failing, "
              "webhook.exhausted, webhook.disabled, webhook.recovered, webhook.expired. This and the options that follow are the fields "
              "of POST /webhooks, for the webhook of the command line.", .is_list = true),
    HOOK_TEXT("index-uids", OPTION_STRING, index_uids, "PATTERNS",
              "Only tasks of these indexes: 'movies,logs-*'.", .is_list = true),
    HOOK_TEXT("types", OPTION_STRING, types, "TYPES",
              "Only tasks of these types: 'documentAdditionOrUpdate,indexDeletion'.", .is_list = true),
    HOOK_TEXT("statuses", OPTION_STRING, statuses, "STATUSES",
              "Only tasks that ended like this: 'succeeded,failed,canceled'.", .is_list = true),
    HOOK_CHOICE("wait", wait, "Whether the queue waits for the first attempt of a delivery before the next batch. Default: true."),
    HOOK_TEXT("timeout-ms", OPTION_STRING, timeout_ms, "MS",
              "The deadline of one attempt, 1 to 30000, instead of --webhook-timeout."),
    HOOK_CHOICE("ordered", ordered, "Whether deliveries strictly wait for the one before. Default: false."),
    HOOK_TEXT("max-in-flight", OPTION_STRING, max_in_flight, "N", "Requests at the same time, 1 to 100. Default: 8."),
    HOOK_TEXT("rate-limit", OPTION_STRING, rate_limit, "N", "Requests a second, 1 to 1000000. Default: no limit."),
    HOOK_TEXT("retry-schedule", OPTION_STRING, retry_schedule, "DURATIONS",
              "When a failed delivery is tried again, each counted from the end of the attempt before: '5s,5m,1h'.", .is_list = true),
    HOOK_TEXT("format", OPTION_STRING, format, "FORMAT", "ndjson (the default), json or cloudevents."),
    HOOK_TEXT("compression", OPTION_STRING, compression, "NAME", "gzip or none. Default: gzip for ndjson, none for the others."),
    HOOK_TEXT("secret", OPTION_STRING, secret, "SECRETS",
              "Sign with this secret (whsec_... or whsk_...); several with commas sign side by side. Prefer the environment "
              "variable or the configuration file.", .is_secret = true, .is_list = true),
    HOOK_TEXT("ca-path", OPTION_PATH, ca_path, "FILE",
              "Certificate authorities (PEM) that this webhook is verified with, instead of the system's."),
    HOOK_TEXT("client-certificate-path", OPTION_PATH, client_certificate_path, "FILE",
              "A certificate and its private key (PEM) to present to the receiver."),
    HOOK_TEXT("description", OPTION_STRING, description, "TEXT", "What it is for; at most 1000 bytes."),
    HOOK_CHOICE("is-active", is_active, "false: events are kept for it, but not sent. Default: true."),
    {
        .flag = "webhook-require-https", .type = OPTION_BOOL, .group = OPTION_GROUP_WEBHOOKS, FIELD(webhook_require_https),
        .help = "Refuse webhooks with a plain http URL, unless it leads into the networks of --experimental-allowed-ip-networks: "
                "when they are registered or declared as far as the URL shows it, and by the address when they are called.",
    },
    {
        .flag = "experimental-allowed-ip-networks", .type = OPTION_STRING, .group = OPTION_GROUP_WEBHOOKS, FIELD(allowed_ip_networks),
        .metavar = "NETWORKS", .is_upstream = true, .is_list = true, .may_be_empty = true,
        .help = "Networks that webhooks may reach although they are not public, separated by commas: "
                "'127.0.0.1,10.0.0.0/8,fd00::/8', or 'any'. Without it every loopback, private, link-local or otherwise "
                "special address is refused.",
    },
    {
        .flag = "webhook-ca-path", .type = OPTION_PATH, .group = OPTION_GROUP_WEBHOOKS, FIELD(webhook_ca_path),
        .metavar = "FILE",
        .help = "Certificate authorities (PEM) to trust for https webhooks, in addition to the system's.",
    },
    {
        .flag = "webhook-timeout", .type = OPTION_DURATION_MS, .group = OPTION_GROUP_WEBHOOKS, FIELD(webhook_timeout_ms),
        .metavar = "DURATION", .def = "30s", .min = 1, .max = 600000,
        .help = "The deadline of one attempt, from name resolution to the last byte of the answer.",
    },
    {
        .flag = "webhook-max-payload-tasks", .type = OPTION_U64, .group = OPTION_GROUP_WEBHOOKS, FIELD(webhook_payload_tasks),
        .metavar = "N", .def = "100000", .min = 1, .max = 4000000000,
        .help = "The most tasks in one webhook request. What a webhook wants of a larger batch is split into several "
                "deliveries with part numbers.",
    },
    {
        .flag = "webhook-max-payload-size", .type = OPTION_SIZE, .group = OPTION_GROUP_WEBHOOKS, FIELD(webhook_payload_bytes),
        .metavar = "SIZE", .def = "50 MiB", .min = 1024, .max = TIB(1),
        .help = "The same in bytes, before compression. A single larger task is sent alone. For webhooks with an ed25519 "
                "secret at most 512 KiB.",
    },
    {
        .flag = "webhook-delivery-retention", .type = OPTION_DURATION_S, .group = OPTION_GROUP_WEBHOOKS, FIELD(webhook_retention_s),
        .metavar = "DURATION", .def = "168h", .min = 1000, .max = 315360000000,
        .help = "How long a finished delivery is kept with its attempts, to be looked at, sent again or replayed. "
                "What is still owed is kept whatever its age.",
    },
    {
        .flag = "webhook-delivery-retention-size", .type = OPTION_SIZE, .group = OPTION_GROUP_WEBHOOKS, FIELD(webhook_retention_bytes),
        .metavar = "SIZE", .def = "1 GiB", .min = 1048576, .max = TIB(1024),
        .help = "The room that events, deliveries and attempts may take on the disk. Above it the oldest finished "
                "deliveries go first, whatever their age; what is still owed is never removed for it.",
    },
    {
        .flag = "webhook-disabled-retention", .type = OPTION_DURATION_S, .group = OPTION_GROUP_WEBHOOKS, FIELD(webhook_parked_s),
        .metavar = "DURATION", .def = "336h", .min = 1000, .max = 315360000000,
        .help = "How long deliveries are kept for a webhook that is disabled or not active; older ones are marked expired.",
    },
    {
        .flag = "webhook-disabled-retention-size", .type = OPTION_SIZE, .group = OPTION_GROUP_WEBHOOKS, FIELD(webhook_parked_bytes),
        .metavar = "SIZE", .def = "256 MiB", .min = 1048576, .max = TIB(1024),
        .help = "How many bytes of task lines are kept for each disabled webhook; above it the oldest are marked expired.",
    },
    {
        .flag = "smtp-url", .type = OPTION_STRING, .group = OPTION_GROUP_WEBHOOKS, FIELD(smtp_url),
        .metavar = "URL", .is_secret = true,
        .help = "The relay that sends the mails of `email` channels: 'smtp://user:password@host:587' (STARTTLS) or "
                "'smtps://host:465'. Certificates are verified, with --webhook-ca-path as well. Prefer the environment "
                "variable or the configuration file for a password.",
    },
    {
        .flag = "smtp-from", .type = OPTION_STRING, .group = OPTION_GROUP_WEBHOOKS, FIELD(smtp_from),
        .metavar = "ADDRESS",
        .help = "Whom those mails come from: 'hooks@example.com' or 'Hooks <hooks@example.com>'. Required by --smtp-url.",
    },
    {
        .flag = "smtp-plain-networks", .type = OPTION_STRING, .group = OPTION_GROUP_WEBHOOKS, FIELD(smtp_plain_networks),
        .metavar = "NETWORKS", .is_list = true,
        .help = "Networks in which the relay is spoken to without TLS when it offers no STARTTLS, password included: "
                "'127.0.0.1,10.0.0.0/8'. A relay there needs no --experimental-allowed-ip-networks.",
    },
    {
        .flag = "sms-base-url", .type = OPTION_STRING, .group = OPTION_GROUP_WEBHOOKS, FIELD(sms_base_url),
        .metavar = "URL", .def = "https://api.twilio.com",
        .help = "The service of `sms` channels: Twilio, or another with the same API.",
    },
    {
        .flag = "sms-account-sid", .type = OPTION_STRING, .group = OPTION_GROUP_WEBHOOKS, FIELD(sms_account_sid),
        .metavar = "SID",
        .help = "The account there. Needs --sms-auth-token and --sms-from.",
    },
    {
        .flag = "sms-auth-token", .type = OPTION_STRING, .group = OPTION_GROUP_WEBHOOKS, FIELD(sms_auth_token),
        .metavar = "TOKEN", .is_secret = true,
        .help = "Its password. Prefer the environment variable or the configuration file.",
    },
    {
        .flag = "sms-from", .type = OPTION_STRING, .group = OPTION_GROUP_WEBHOOKS, FIELD(sms_from),
        .metavar = "NUMBER",
        .help = "The sender: a number ('+15550100'), or the sid of a messaging service ('MG...').",
    },
    {
        .flag = "report-lifetime", .type = OPTION_DURATION_S, .group = OPTION_GROUP_TASKS, FIELD(report_lifetime_s),
        .metavar = "DURATION", .def = "24h", .min = 1000, .max = 315360000000,
        .help = "How long the result of a report can be downloaded; then it is removed, and the answer is 410.",
    },
    {
        .flag = "report-max-size", .type = OPTION_SIZE, .group = OPTION_GROUP_TASKS, FIELD(report_max_bytes),
        .metavar = "SIZE", .def = "1 GiB", .min = 65536, .max = TIB(1024),
        .help = "The room that all results of reports may take together. A new one removes the oldest before their time; "
                "one that is larger by itself fails.",
    },
    /* --- logs ---------------------------------------------------------------------------------*/
    {
        .flag = "log-level", .type = OPTION_ENUM, .group = OPTION_GROUP_LOGS, FIELD(log_level),
        .metavar = "LEVEL", .def = "INFO", .choices = LOG_LEVELS, .is_upstream = true,
        .choice_error = "Log level '%' is invalid. Accepted values are 'OFF', 'ERROR', 'WARN', 'INFO', 'DEBUG', and 'TRACE'.",
        .help = "OFF, ERROR, WARN, INFO, DEBUG or TRACE, in any case. Logs go to standard error.",
    },
    {
        .flag = "experimental-enable-logs-route", .type = OPTION_BOOL, .group = OPTION_GROUP_LOGS, FIELD(experimental_logs_route),
        .is_upstream = true,
        .help = "Open the routes below /logs, whatever /experimental-features says.",
    },
    {
        .flag = "experimental-enable-metrics", .type = OPTION_BOOL, .group = OPTION_GROUP_LOGS, FIELD(experimental_metrics),
        .is_upstream = true,
        .help = "Open GET /metrics, whatever /experimental-features says.",
    },
    {
        .flag = "experimental-logs-mode", .type = OPTION_ENUM, .group = OPTION_GROUP_LOGS, FIELD(log_mode),
        .metavar = "MODE", .def = "HUMAN", .choices = LOG_MODES, .is_upstream = true,
        .choice_error = "Unsupported log mode level `%`. Supported values are `HUMAN` and `JSON`.",
        .help = "HUMAN or JSON (one object a line), in any case.",
    },
    /* --- information --------------------------------------------------------------------------*/
    {
        .flag = "help", .letter = 'h', .type = OPTION_BOOL, .fate = OPTION_ACTION, .group = OPTION_GROUP_INFO, .print = docs_write_help,
        .help = "Print this text and end.",
    },
    {
        .flag = "version", .letter = 'V', .type = OPTION_BOOL, .fate = OPTION_ACTION, .group = OPTION_GROUP_INFO, .print = docs_write_version,
        .help = "Print the version and end.",
    },
    PRINTER("print-man", docs_write_man, "Print the manual page (roff) and end."),
    PRINTER("print-bash-completion", docs_write_bash, "Print the completion script for bash and end."),
    PRINTER("print-zsh-completion", docs_write_zsh, "Print the completion script for zsh and end."),
    PRINTER("print-fish-completion", docs_write_fish, "Print the completion script for fish and end."),
    PRINTER("print-options-markdown", docs_write_markdown, "Print the option table (Markdown) and end."),
    /* --- accepted without effect --------------------------------------------------------------*/
    IGNORED("max-indexing-memory", OPTION_STRING, NULL, "indexing works in small slices and has no memory budget"),
    IGNORED("max-indexing-threads", OPTION_STRING, NULL, "there is one thread"),
    IGNORED("experimental-reduce-indexing-memory-usage", OPTION_BOOL, NULL, "indexing works in small slices and needs little memory"),
    IGNORED("experimental-no-edition-2024-for-settings", OPTION_BOOL, NULL, "it chooses between upstream's two indexers"),
    IGNORED("experimental-search-queue-size", OPTION_STRING, "1000", "searches do not queue"),
    IGNORED("experimental-drop-search-after", OPTION_STRING, "60", "searches do not queue"),
    IGNORED("experimental-nb-searches-per-core", OPTION_STRING, "4", "searches do not queue"),
    IGNORED("experimental-embedding-cache-entries", OPTION_STRING, "0", "there are no embedders"),
    {
        .flag = "experimental-legacy-search-default", .type = OPTION_BOOL, .fate = OPTION_IGNORED, .group = OPTION_GROUP_IGNORED,
        .meili_env = "MEILI_EXPERIMENTAL_LEGACY_SEARCH", .is_upstream = true,
        .help = "it chooses between upstream's two search engines",
    },
    IGNORED("ssl-ocsp-path", OPTION_PATH, NULL, "no OCSP answer is stapled"),
    IGNORED("ssl-resumption", OPTION_BOOL, NULL, "TLS sessions are always resumable"),
    IGNORED("ssl-tickets", OPTION_BOOL, NULL, "TLS tickets are always offered"),
    IGNORED("snapshot-dir", OPTION_PATH, "snapshots/", "no snapshots are made"),
    IGNORED("dump-dir", OPTION_PATH, "dumps/", "no dumps are made"),
    IGNORED("experimental-no-snapshot-compaction", OPTION_BOOL, NULL, "no snapshots are made"),
    IGNORED("upgrade-db", OPTION_BOOL, NULL, "a data directory of an older version is upgraded or refused by itself"),
    IGNORED("experimental-dumpless-upgrade", OPTION_BOOL, NULL, "a data directory of an older version is upgraded or refused by itself"),
    /* --- refused ------------------------------------------------------------------------------*/
#define NO_DUMPS "dumps cannot be imported; add the documents over the API instead"
#define NO_SNAPSHOTS "snapshots cannot be imported; add the documents over the API instead"
#define NO_S3 "snapshots are not made, so none is sent to S3; copy the data directory of a stopped server instead"
    UNSUPPORTED("import-dump", OPTION_PATH, NO_DUMPS),
    UNSUPPORTED("ignore-missing-dump", OPTION_BOOL, NO_DUMPS),
    UNSUPPORTED("ignore-dump-if-db-exists", OPTION_BOOL, NO_DUMPS),
    UNSUPPORTED("import-snapshot", OPTION_PATH, NO_SNAPSHOTS),
    UNSUPPORTED("ignore-missing-snapshot", OPTION_BOOL, NO_SNAPSHOTS),
    UNSUPPORTED("ignore-snapshot-if-db-exists", OPTION_BOOL, NO_SNAPSHOTS),
    UNSUPPORTED("schedule-snapshot", OPTION_BOOL, "snapshots are not made; copy the data directory of a stopped server instead"),
    UNSUPPORTED("experimental-replication-parameters", OPTION_BOOL, "task uids cannot be chosen by the client"),
    UNSUPPORTED("experimental-personalization-api-key", OPTION_STRING, "search results are not personalized"),
    UNSUPPORTED("s3-bucket-url", OPTION_STRING, NO_S3),
    UNSUPPORTED("s3-bucket-region", OPTION_STRING, NO_S3),
    UNSUPPORTED("s3-bucket-name", OPTION_STRING, NO_S3),
    UNSUPPORTED("s3-snapshot-prefix", OPTION_STRING, NO_S3),
    UNSUPPORTED("s3-access-key", OPTION_STRING, NO_S3),
    UNSUPPORTED("s3-secret-key", OPTION_STRING, NO_S3),
    UNSUPPORTED("s3-role-arn", OPTION_STRING, NO_S3),
    UNSUPPORTED("s3-web-identity-token-file", OPTION_PATH, NO_S3),
    UNSUPPORTED("experimental-s3-max-in-flight-parts", OPTION_STRING, NO_S3),
    UNSUPPORTED("experimental-s3-compression-level", OPTION_STRING, NO_S3),
    UNSUPPORTED("experimental-s3-signature-duration-seconds", OPTION_STRING, NO_S3),
    UNSUPPORTED("experimental-s3-multipart-part-size", OPTION_STRING, NO_S3),
};
/* clang-format on */

const size_t conf_option_count = sizeof(conf_options) / sizeof(conf_options[0]);
