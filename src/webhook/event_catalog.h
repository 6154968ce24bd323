#pragma once
/* The events that webhooks of organisations (organization.h) may ask for: what Mixpeek's API names,
 * and what this server adds. Private to the folder but for organization.h. */
#include "base/buf.h"

/* Stored with the lines of events: append only. */
enum catalog_event {
    CATALOG_OBJECT_CREATED,
    CATALOG_OBJECTS_CREATED_BATCH,
    CATALOG_OBJECT_UPDATED,
    CATALOG_OBJECT_DELETED,
    CATALOG_COLLECTION_CREATED,
    CATALOG_COLLECTION_UPDATED,
    CATALOG_COLLECTION_DELETED,
    CATALOG_DOCUMENTS_WRITTEN,
    CATALOG_CLUSTER_CREATED,
    CATALOG_CLUSTER_UPDATED,
    CATALOG_CLUSTER_DELETED,
    CATALOG_CLUSTER_EXECUTION_STARTED,
    CATALOG_CLUSTER_EXECUTION_COMPLETED,
    CATALOG_CLUSTER_EXECUTION_FAILED,
    CATALOG_TRIGGER_CREATED,
    CATALOG_TRIGGER_UPDATED,
    CATALOG_TRIGGER_DELETED,
    CATALOG_TRIGGER_PAUSED,
    CATALOG_TRIGGER_RESUMED,
    CATALOG_TRIGGER_FIRED,
    CATALOG_TRIGGER_EXECUTION_COMPLETED,
    CATALOG_TRIGGER_EXECUTION_FAILED,
    CATALOG_TAXONOMY_CREATED,
    CATALOG_TAXONOMY_UPDATED,
    CATALOG_TAXONOMY_DELETED,
    CATALOG_ALERT_CREATED,
    CATALOG_ALERT_UPDATED,
    CATALOG_ALERT_DELETED,
    CATALOG_ALERT_TRIGGERED,
    CATALOG_ALERT_EXECUTION_COMPLETED,
    CATALOG_ALERT_EXECUTION_FAILED,
    CATALOG_BATCH_COMPLETED, /* from here on unknown to strict client libraries */
    CATALOG_CLUSTER_COMPLETED,
    CATALOG_TAXONOMY_MATERIALIZED,
    CATALOG_INDEX_DEPLOYED, /* from here on ours */
    CATALOG_REPORT_COMPLETED,
    CATALOG_REPORT_FAILED,
    CATALOG_REPORT_CANCELED,
    CATALOG_WEBHOOK_FAILING,
    CATALOG_WEBHOOK_EXHAUSTED,
    CATALOG_WEBHOOK_DISABLED,
    CATALOG_WEBHOOK_RECOVERED,
    CATALOG_WEBHOOK_EXPIRED,
    CATALOG_EVENTS /* at most 64: a bit each */
};
#define CATALOG_ALL ((1ull << CATALOG_EVENTS) - 1)
#define CATALOG_BIT(e) (1ull << (e))

const char *catalog_event_name(enum catalog_event e); /* "object.created" */
bool catalog_event_from_name(struct str name, enum catalog_event *ret);
void catalog_write_names(struct buf *out); /* "`object.created`, `objects.created.batch`, ..." */
