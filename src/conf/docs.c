/* What help and man page say beside the options, written once. Knows no option row. */
#include "conf/docs.h"

#include <stddef.h>

const char *const DOCS_SUMMARY = "a durable task queue over HTTP that calls webhooks";

const char *const DOCS_DESCRIPTION[] = {
    "taskhook takes documents over a REST API, queues the work as tasks, runs the tasks in batches "
    "and calls webhooks when a batch is finished. It speaks the wire protocol of Meilisearch's "
    "documents, tasks and webhooks, so Meilisearch's client libraries work with it.",
    "An accepted task (202) is on disk, and so is every notification that is owed: neither a crash "
    "nor a restart loses one.",
    NULL,
};

const struct docs_pair DOCS_SETTING[] = {
    {"flag", "--foo-bar VALUE or --foo-bar=VALUE. Options without a value may be written "
             "--foo-bar=true or --foo-bar=false."},
    {"environment", "TASKHOOK_FOO_BAR, or else MEILI_FOO_BAR. An empty variable counts as not set. "
                    "Options without a value take true or false."},
    {"file", "foo_bar = ... in a TOML file: ./config.toml, or the one that --config-file-path "
             "names. Unknown keys are errors."},
    {NULL, NULL},
};

const struct docs_pair DOCS_EXIT_CODES[] = {
    {"0", "Stopped by a signal after everything in flight had ended; or help was printed."},
    {"1", "The server could not start or go on: the port is taken, the data directory is in use, "
          "the configuration file cannot be read, production has no master key, the disk fails."},
    {"2", "The command line, an environment variable or a value in the file is wrong."},
    {"128+n", "Ended at once by a second signal n: 130 for SIGINT, 143 for SIGTERM."},
    {NULL, NULL},
};

const struct docs_pair DOCS_SIGNALS[] = {
    {"SIGTERM, SIGINT",
     "Stop accepting, finish or roll back the running batch, end the requests and "
     "deliveries in flight, exit. What is owed stays on disk. A second one ends "
     "the process at once; nothing acknowledged is lost by that."},
    {"SIGHUP",
     "Read certificates, certificate authorities and the resolver's configuration again."},
    {NULL, NULL},
};

const struct docs_pair DOCS_FILES[] = {
    {"./config.toml", "Options, when --config-file-path is not given."},
    {"./data.ms", "The data directory, when --db-path is not given."},
    {NULL, NULL},
};

const struct docs_pair DOCS_EXAMPLES[] = {
    {"taskhook --experimental-allowed-ip-networks 127.0.0.1 "
     "--task-webhook-url http://127.0.0.1:8080/hook",
     "Try it on one machine, with a receiver on port 8080:"},
    {"TASKHOOK_MASTER_KEY=\"$(cat /etc/taskhook/key)\" taskhook --env production "
     "--http-addr 0.0.0.0:7700 --db-path /var/lib/taskhook",
     "Serve in production:"},
    {"taskhook --task-webhook-url https://example.com/hook "
     "--task-webhook-authorization-header \"Bearer aSampleMasterKey\"",
     "Tell the receiver who is calling:"},
    {NULL, NULL},
};
