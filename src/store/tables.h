#pragma once
/* Every table of the main environment (queue/), one row each in tables.c. Values begin with a
 * version byte (rec.h); changing a value's shape means a new version that its reader understands
 * next to the old one. */
#include "store/env.h"

enum main_table {
    TABLE_META,             /* format version, counters, the running batch */
    TABLE_TASKS,            /* task uid u32be -> task record */
    TABLE_TASK_QUEUE,       /* task uid u32be of enqueued tasks -> facts for picking */
    TABLE_TASK_QUEUE_INDEX, /* index uid, 0x00, task uid u32be -> empty */
    TABLE_TASK_RESULTS,     /* task uid u32be -> final task record, invisible until its batch is
                               finished */
    TABLE_TASK_PAYLOADS,    /* task uid u32be -> inline payload bytes */
    TABLE_BATCHES,          /* batch uid u32be -> batch record */
    TABLE_IDEMPOTENCY,      /* 'k', sha-256 of scope and key -> answer; 't', time, hash -> empty */
    TABLE_INDEXES,          /* index uid -> catalogue record */
    TABLE_WEBHOOKS,         /* uuid -> webhook record */
    TABLE_EVENTS,           /* event number u64be -> event record */
    TABLE_EVENT_LINES,      /* event number u64be, part u32be -> rendered lines with their facts */
    TABLE_DELIVERIES,       /* delivery number u64be -> delivery record */
    TABLE_DELIVERY_DUE, /* webhook uuid, due wall ms u64be, delivery number u64be -> empty (owed) */
    TABLE_ATTEMPTS,     /* delivery number u64be, attempt u32be -> attempt record */
    TABLE_WEBHOOK_DELIVERIES, /* webhook uuid, sequence u64be -> delivery number u64be (all kept) */
    TABLE_API_KEYS,           /* uid -> API key record (never the key's value) */
    TABLE_TASK_CHANGES,       /* number of its first change u64be -> a run of status changes */
    TABLE_STAGING,            /* index uid -> what is staged for it (ops/staging.c) */
    TABLE_STAGED,             /* staging id u64be, kind, task uid u32be -> staged operation */
    TABLE_STAGING_TRASH,      /* staging id u64be -> below which its rows are to be deleted */
    TABLE_REPORTS,            /* task uid u32be -> report record */
    TABLE_REPORT_DEFINITIONS, /* name -> definition */
    TABLE_TASK_SETS,          /* kind u8, number or name, chunk u32be -> members (queue/sets.h) */
    TABLE_TASK_TIMES,         /* column u8, block u32be -> times of 256 uids (queue/times.h) */
    TABLE_CONNECTIONS,        /* uuid -> connection of a provider (inbound/connection.h) */
    TABLE_INBOUND_SEEN,       /* events of providers that were accepted (store/aged.h) */
    TABLE_COUNT
};
extern const struct store_table main_tables[TABLE_COUNT];

/* Opens <data_dir>/queue, checks or writes the format version in TABLE_META; refuses newer versions
 * with a clear text. */
int main_env_open(struct store_env **ret, const char *data_dir, struct err *err);
