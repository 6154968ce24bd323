/* /stats and /indexes/{indexUid}/stats, from the catalogue; no index is opened. The listing of all
 * indexes is a generator: first it sums, then it shows. */
#include <stdio.h>
#include <stdlib.h>

#include "api/handler.h"
#include "api/params.h"
#include "api/reply.h"
#include "base/clock.h"
#include "base/mem.h"
#include "codec/json.h"

enum size_format { SIZE_RAW, SIZE_HUMAN };
static const char *const size_formats[] = {"raw", "human", NULL};

struct stats_params {
    bool show_internal;
    int size_format; /* enum size_format */
};
static const struct param stats_params[] = {
    {.name = "showInternalDatabaseSizes",
     .code = ERR_INVALID_STATS_SHOW_INTERNAL_DATABASE_SIZES,
     .read = param_bool,
     .offset = offsetof(struct stats_params, show_internal)},
    {.name = "sizeFormat",
     .code = ERR_INVALID_STATS_SIZE_FORMAT,
     .read = param_choice,
     .offset = offsetof(struct stats_params, size_format),
     .choices = size_formats},
};

static const struct param_table stats_query = PARAM_TABLE(stats_params);

/* 16384, or "16 KiB" with at most two decimals. */
static void
write_size(struct buf *out, uint64_t bytes, int format)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    if (format == SIZE_RAW) {
        buf_add_u64(out, bytes);
        return;
    }
    double size = (double) bytes;
    size_t unit = 0;
    for (; size >= 1024 && unit < 4; unit++)
        size /= 1024;
    char text[32];
    int len = snprintf(text, sizeof(text), "%.2f", size);
    while (len > 0 && text[len - 1] == '0')
        text[--len] = '\0';
    if (len > 0 && text[len - 1] == '.')
        text[--len] = '\0';
    buf_addf(out, "\"%s %s\"", text, units[unit]);
}

/* --- one index */

static void
copy_member(struct json_out *j, const struct json_iter *it, const struct index_info *info,
            const struct stats_params *params)
{
    struct buf value = BUF_INIT;
    uint64_t bytes = 0;
    bool is_size = str_is(it->key, "rawDocumentDbSize") || str_is(it->key, "avgDocumentSize");
    if (is_size && json_to_u64(it->value, &bytes))
        write_size(&value, bytes, params->size_format);
    else
        json_write(&value, it->value);
    json_key_str(j, it->key);
    json_put_raw(j, buf_str(&value));
    buf_clear(&value);
    if (params->show_internal && str_is(it->key, "isIndexing")) {
        buf_add_cstr(&value, "{\"documents\":");
        write_size(&value, info->raw_bytes, params->size_format);
        buf_add_char(&value, '}');
        json_key(j, "internalDatabaseSizes");
        json_put_raw(j, buf_str(&value));
    }
    buf_done(&value);
}

/* The catalogue's rendering, with what the parameters change. */
static void
write_index_stats(struct buf *out, struct queue *queue, const struct index_info *info,
                  const struct stats_params *params)
{
    const char *busy = queue_busy_index(queue);
    bool is_indexing = busy != NULL && strcmp(busy, info->uid) == 0;
    if (!params->show_internal && params->size_format == SIZE_RAW) {
        index_info_write_stats_json(out, info, is_indexing);
        return;
    }
    struct buf plain = BUF_INIT;
    index_info_write_stats_json(&plain, info, is_indexing);
    struct json_doc *doc = json_parse(buf_str(&plain), NULL);
    struct json_iter it = json_iter(json_root(doc));
    struct json_out j = json_out(out);
    json_begin_object(&j);
    while (json_next(&it))
        copy_member(&j, &it, info, params);
    json_end_object(&j);
    json_doc_free(doc);
    buf_done(&plain);
}

static enum http_result
index_stats_get(struct http_call *call)
{
    struct stats_params params = {0};
    struct str uid;
    struct index_info info;
    struct buf body = BUF_INIT;
    int rc = -1;
    index_info_init(&info);
    if (PARAMS_READ(call, stats_params, &params) == 0 && handler_index_uid(call, 0, &uid) == 0)
        rc = handler_find_index(call, uid, &info);
    if (rc == 0)
        write_index_stats(&body, handler_api(call)->queue, &info, &params);
    index_info_done(&info);
    return rc < 0 ? HTTP_ERROR : reply_json(call, 200, &body);
}

/* --- all of them */

struct stats {
    struct api *api;
    struct arena *arena;     /* of the grant */
    struct auth_grant grant; /* the sizes are everybody's, the rest is of the key's indexes */
    struct stats_params params;
    bool is_summed;
    struct buf after; /* uid of the last index seen */
    uint64_t n_seen, n_shown;
    uint64_t size_bytes, used_bytes;
    int64_t last_update_ns;
};

static void
sum_index(struct stats *s, const struct index_info *info)
{
    index_set_add_size(s->api->indexes, &info->uuid, &s->size_bytes);
    s->used_bytes += info->raw_bytes;
    if (info->updated_at_ns > s->last_update_ns && auth_grant_sees(&s->grant, str_from(info->uid)))
        s->last_update_ns = info->updated_at_ns;
}

static void
show_index(struct stats *s, const struct index_info *info, struct buf *out)
{
    if (!auth_grant_sees(&s->grant, str_from(info->uid)))
        return;
    if (s->n_shown++ > 0)
        buf_add_char(out, ',');
    json_write_string(out, str_from(info->uid));
    buf_add_char(out, ':');
    write_index_stats(out, s->api->queue, info, &s->params);
}

/* One pass over the catalogue: 1: more follows, 0: complete, negative: store code. */
static int
each_index(struct stats *s, struct store_txn *txn, struct buf *out, int64_t deadline_us)
{
    for (;;) {
        struct index_info info;
        index_info_init(&info);
        int rc = catalog_next(txn, s->n_seen == 0 ? STR_NULL : buf_str(&s->after), &info);
        if (rc == 1) {
            if (s->is_summed)
                show_index(s, &info, out);
            else
                sum_index(s, &info);
            s->n_seen++;
            buf_clear(&s->after);
            buf_add_cstr(&s->after, info.uid);
        }
        index_info_done(&info);
        if (rc <= 0)
            return rc;
        if (reply_piece_is_full(out, deadline_us))
            return 1;
    }
}

static void
write_sums(struct stats *s, struct buf *out)
{
    uint64_t used, file;
    store_env_size(turn_env(s->api->turn), &used, &file);
    buf_add_cstr(out, "{\"databaseSize\":");
    write_size(out, s->size_bytes + file, s->params.size_format);
    buf_add_cstr(out, ",\"usedDatabaseSize\":");
    write_size(out, s->used_bytes + used, s->params.size_format);
    buf_add_cstr(out, ",\"lastUpdate\":");
    struct json_out j = json_out(out);
    json_put_time(&j, s->last_update_ns);
    buf_add_cstr(out, ",\"indexes\":{");
}

static int
stats_run(struct stats *s, struct store_txn *txn, struct buf *out, int64_t deadline_us)
{
    if (!s->is_summed) {
        int rc = each_index(s, txn, out, deadline_us);
        if (rc != 0)
            return rc;
        s->is_summed = true;
        s->n_seen = 0;
        write_sums(s, out);
    }
    int rc = each_index(s, txn, out, deadline_us);
    if (rc == 0)
        buf_add_cstr(out, "}}");
    return rc;
}

static enum http_piece
stats_make(void *arg, struct buf *out, int64_t deadline_us)
{
    struct stats *s = arg;
    struct store_txn *txn = turn_read(s->api->turn);
    if (txn == NULL)
        return HTTP_PIECE_FAILED;
    int rc = stats_run(s, txn, out, deadline_us);
    store_abort(txn);
    return rc < 0 ? HTTP_PIECE_FAILED : rc == 0 ? HTTP_PIECE_LAST : HTTP_PIECE_MORE;
}

static void
stats_release(void *arg)
{
    struct stats *s = arg;
    buf_done(&s->after);
    arena_free(s->arena);
    free(s);
}

static enum http_result
stats_get(struct http_call *call)
{
    struct stats_params params = {0};
    if (PARAMS_READ(call, stats_params, &params) < 0)
        return HTTP_ERROR;
    struct stats *s = mem_new(1, sizeof(*s));
    *s = (struct stats){.api = handler_api(call), .arena = arena_new(), .params = params};
    struct auth_grant grant = handler_grant(call);
    s->grant = auth_grant_keep(s->arena, &grant);
    struct reply_listing listing = {stats_make, stats_release, s};
    return reply_listing(call, &listing);
}

static const struct route rows[] = {
    {.method = HTTP_GET,
     .pattern = "/stats",
     .action = "stats.get",
     .handler = stats_get,
     .query = &stats_query,
     .summary = "Sizes and document counts of everything"},
    {.method = HTTP_GET,
     .pattern = "/indexes/{indexUid}/stats",
     .action = "stats.get",
     .handler = index_stats_get,
     .query = &stats_query,
     .summary = "Sizes and document count of one index"},
};
const struct route_table stats_routes = ROUTE_TABLE(rows);
