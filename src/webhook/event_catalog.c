/* The names of events for webhooks of organisations. Knows nothing of when they happen. */
#include "webhook/event_catalog.h"

/* clang-format off */
static const char *const names[CATALOG_EVENTS] = {
    [CATALOG_OBJECT_CREATED] = "object.created",
    [CATALOG_OBJECTS_CREATED_BATCH] = "objects.created.batch",
    [CATALOG_OBJECT_UPDATED] = "object.updated",
    [CATALOG_OBJECT_DELETED] = "object.deleted",
    [CATALOG_COLLECTION_CREATED] = "collection.created",
    [CATALOG_COLLECTION_UPDATED] = "collection.updated",
    [CATALOG_COLLECTION_DELETED] = "collection.deleted",
    [CATALOG_DOCUMENTS_WRITTEN] = "collection.documents.written",
    [CATALOG_CLUSTER_CREATED] = "cluster.created",
    [CATALOG_CLUSTER_UPDATED] = "cluster.updated",
    [CATALOG_CLUSTER_DELETED] = "cluster.deleted",
    [CATALOG_CLUSTER_EXECUTION_STARTED] = "cluster.execution.started",
    [CATALOG_CLUSTER_EXECUTION_COMPLETED] = "cluster.execution.completed",
    [CATALOG_CLUSTER_EXECUTION_FAILED] = "cluster.execution.failed",
    [CATALOG_TRIGGER_CREATED] = "trigger.created",
    [CATALOG_TRIGGER_UPDATED] = "trigger.updated",
    [CATALOG_TRIGGER_DELETED] = "trigger.deleted",
    [CATALOG_TRIGGER_PAUSED] = "trigger.paused",
    [CATALOG_TRIGGER_RESUMED] = "trigger.resumed",
    [CATALOG_TRIGGER_FIRED] = "trigger.fired",
    [CATALOG_TRIGGER_EXECUTION_COMPLETED] = "trigger.execution.completed",
    [CATALOG_TRIGGER_EXECUTION_FAILED] = "trigger.execution.failed",
    [CATALOG_TAXONOMY_CREATED] = "taxonomy.created",
    [CATALOG_TAXONOMY_UPDATED] = "taxonomy.updated",
    [CATALOG_TAXONOMY_DELETED] = "taxonomy.deleted",
    [CATALOG_ALERT_CREATED] = "alert.created",
    [CATALOG_ALERT_UPDATED] = "alert.updated",
    [CATALOG_ALERT_DELETED] = "alert.deleted",
    [CATALOG_ALERT_TRIGGERED] = "alert.triggered",
    [CATALOG_ALERT_EXECUTION_COMPLETED] = "alert.execution.completed",
    [CATALOG_ALERT_EXECUTION_FAILED] = "alert.execution.failed",
    [CATALOG_BATCH_COMPLETED] = "batch.completed",
    [CATALOG_CLUSTER_COMPLETED] = "cluster.completed",
    [CATALOG_TAXONOMY_MATERIALIZED] = "taxonomy.materialized",
    [CATALOG_INDEX_DEPLOYED] = "index.deployed",
    [CATALOG_REPORT_COMPLETED] = "report.completed",
    [CATALOG_REPORT_FAILED] = "report.failed",
    [CATALOG_REPORT_CANCELED] = "report.canceled",
    [CATALOG_WEBHOOK_FAILING] = "webhook.failing",
    [CATALOG_WEBHOOK_EXHAUSTED] = "webhook.exhausted",
    [CATALOG_WEBHOOK_DISABLED] = "webhook.disabled",
    [CATALOG_WEBHOOK_RECOVERED] = "webhook.recovered",
    [CATALOG_WEBHOOK_EXPIRED] = "webhook.expired",
};
/* clang-format on */

const char *
catalog_event_name(enum catalog_event e)
{
    return names[e];
}

bool
catalog_event_from_name(struct str name, enum catalog_event *ret)
{
    for (int i = 0; i < CATALOG_EVENTS; i++) {
        if (str_is(name, names[i])) {
            *ret = (enum catalog_event) i;
            return true;
        }
    }
    return false;
}

void
catalog_write_names(struct buf *out)
{
    for (int i = 0; i < CATALOG_EVENTS; i++)
        buf_addf(out, "%s`%s`", i == 0 ? "" : ", ", names[i]);
}
