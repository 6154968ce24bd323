/* Sums the details of a batch's tasks. Knows the keys of contract 2.3 and how each is merged, not
 * what they mean. */
#include "queue/details.h"

#include <stdlib.h>

#include "base/mem.h"
#include "codec/json.h"

enum sum_rule {
    SUM_ADD,    /* numbers are added */
    SUM_FIRST,  /* the first value that is not null stays */
    SUM_JOIN,   /* texts are joined by & */
    SUM_APPEND, /* lists are appended */
};

/* In the order in which they come out. To add a key: a row here. */
static const struct sum_row {
    const char *name;
    enum sum_rule rule;
} rows[] = {
    {"receivedDocuments", SUM_ADD},
    {"indexedDocuments", SUM_ADD},
    {"editedDocuments", SUM_ADD},
    {"primaryKey", SUM_FIRST},
    {"providedIds", SUM_ADD},
    {"deletedDocuments", SUM_ADD},
    {"matchedTasks", SUM_ADD},
    {"canceledTasks", SUM_ADD},
    {"deletedTasks", SUM_ADD},
    {"originalFilter", SUM_JOIN},
    {"dumpUid", SUM_FIRST},
    {"context", SUM_FIRST},
    {"function", SUM_FIRST},
    /* the settings come out here */
    {"swaps", SUM_APPEND},
    {"upgradeFrom", SUM_FIRST},
    {"upgradeTo", SUM_FIRST},
    {"url", SUM_FIRST},
    {"apiKey", SUM_FIRST},
    {"payloadSize", SUM_FIRST},
    {"indexes", SUM_FIRST},
    {"oldIndexUid", SUM_FIRST},
    {"newIndexUid", SUM_FIRST},
    {"preCompactionSize", SUM_FIRST},
    {"postCompactionSize", SUM_FIRST},
    {"movedDocuments", SUM_ADD},
    {"message", SUM_FIRST},
    {"rule", SUM_FIRST},
    {"updatedRules", SUM_ADD},
    {"reportType", SUM_FIRST},
    {"format", SUM_FIRST},
    {"rows", SUM_ADD},
    {"bytes", SUM_ADD},
    {"stagedOperations", SUM_ADD},
    {"replaceAll", SUM_FIRST},
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]), SETTINGS_BEFORE_ROW = 13 };

/* The settings, in the order of contract 10.1, which is that of the table in index/settings.c (a
 * test of ops/ compares them). */
static const char *const setting_names[] = {
    "displayedAttributes",
    "searchableAttributes",
    "filterableAttributes",
    "sortableAttributes",
    "foreignKeys",
    "rankingRules",
    "stopWords",
    "nonSeparatorTokens",
    "separatorTokens",
    "dictionary",
    "synonyms",
    "distinctAttribute",
    "proximityPrecision",
    "typoTolerance",
    "faceting",
    "pagination",
    "embedders",
    "searchCutoffMs",
    "localizedAttributes",
    "facetSearch",
    "prefixSearch",
    "chat",
};
enum { SETTINGS = sizeof(setting_names) / sizeof(setting_names[0]) };

struct slot {
    bool is_present, has_value;
    uint64_t number;
    struct buf text; /* raw JSON, or for SUM_JOIN the unquoted text, for SUM_APPEND the elements */
};

struct details_sum {
    struct slot slots[ROWS];
    char *settings[SETTINGS]; /* raw JSON, NULL: not among them */
};

struct details_sum *
details_sum_new(void)
{
    return mem_new(1, sizeof(struct details_sum));
}

void
details_sum_free(struct details_sum *s)
{
    if (s == NULL)
        return;
    for (int i = 0; i < ROWS; i++)
        buf_done(&s->slots[i].text);
    for (int i = 0; i < SETTINGS; i++)
        free(s->settings[i]);
    free(s);
}

static void
add_value(struct slot *slot, enum sum_rule rule, const struct json *value)
{
    uint64_t number;
    struct json_iter it;
    switch (rule) {
    case SUM_ADD:
        if (json_to_u64(value, &number))
            slot->number += number;
        break;
    case SUM_FIRST:
        if (!slot->has_value)
            json_write(&slot->text, value);
        break;
    case SUM_JOIN:
        if (slot->has_value)
            buf_add_char(&slot->text, '&');
        buf_add_str(&slot->text, json_string(value));
        break;
    case SUM_APPEND:
        it = json_iter(value);
        while (json_next(&it)) {
            if (slot->text.len > 0)
                buf_add_char(&slot->text, ',');
            json_write(&slot->text, it.value);
        }
        break;
    }
    slot->has_value = true;
}

/* Embedders add up by name, the later one wins; null takes all away. */
static void
merge_embedders(struct buf *out, const char *before, const struct json *value)
{
    struct json_doc *doc = before == NULL ? NULL : json_parse(str_from(before), NULL);
    const struct json *old = doc == NULL ? NULL : json_root(doc);
    struct json_out j = json_out(out);
    if (json_type(value) != JSON_OBJECT || old == NULL || json_type(old) != JSON_OBJECT) {
        json_write(out, value);
        json_doc_free(doc);
        return;
    }
    json_begin_object(&j);
    for (struct json_iter it = json_iter(old); json_next(&it);) {
        const struct json *later = json_get(value, it.key);
        json_key_str(&j, it.key);
        json_write(out, later != NULL ? later : it.value);
        j.comma = true;
    }
    for (struct json_iter it = json_iter(value); json_next(&it);) {
        if (json_get(old, it.key) != NULL)
            continue;
        json_key_str(&j, it.key);
        json_write(out, it.value);
        j.comma = true;
    }
    json_end_object(&j);
    json_doc_free(doc);
}

static void
add_setting(struct details_sum *s, struct str name, const struct json *value)
{
    struct buf text = BUF_INIT;
    int i = 0;
    while (i < SETTINGS && !str_is(name, setting_names[i]))
        i++;
    if (i == SETTINGS)
        return;
    if (str_is(name, "embedders"))
        merge_embedders(&text, s->settings[i], value);
    else
        json_write(&text, value);
    free(s->settings[i]);
    s->settings[i] = buf_take(&text);
}

static int
find_row(struct str key)
{
    int i = 0;
    while (i < ROWS && !str_is(key, rows[i].name))
        i++;
    return i;
}

void
details_sum_add(struct details_sum *s, struct str details, bool is_settings)
{
    struct json_doc *doc = json_parse(details, NULL);
    if (doc == NULL)
        return;
    struct json_iter it = json_iter(json_root(doc));
    while (json_next(&it)) {
        int i = is_settings ? ROWS : find_row(it.key);
        if (i == ROWS) {
            add_setting(s, it.key, it.value);
            continue;
        }
        s->slots[i].is_present = true;
        if (json_type(it.value) != JSON_NULL)
            add_value(&s->slots[i], rows[i].rule, it.value);
    }
    json_doc_free(doc);
}

static void
write_slot(struct json_out *j, const struct slot *slot, const struct sum_row *row)
{
    json_key(j, row->name);
    if (!slot->has_value) {
        json_put_null(j);
    } else if (row->rule == SUM_ADD) {
        json_put_u64(j, slot->number);
    } else if (row->rule == SUM_JOIN) {
        json_put_str(j, buf_str(&slot->text));
    } else if (row->rule == SUM_FIRST) {
        json_put_raw(j, buf_str(&slot->text));
    } else {
        struct buf list = BUF_INIT;
        buf_add_char(&list, '[');
        buf_add_str(&list, buf_str(&slot->text));
        buf_add_char(&list, ']');
        json_put_raw(j, buf_str(&list));
        buf_done(&list);
    }
}

static void
write_settings(struct json_out *j, const struct details_sum *s)
{
    for (int i = 0; i < SETTINGS; i++) {
        if (s->settings[i] == NULL)
            continue;
        json_key(j, setting_names[i]);
        json_put_raw(j, str_from(s->settings[i]));
    }
}

void
details_sum_write(struct buf *out, const struct details_sum *s, bool drop_nulls)
{
    struct json_out j = json_out(out);
    json_begin_object(&j);
    for (int i = 0; i < ROWS; i++) {
        if (i == SETTINGS_BEFORE_ROW)
            write_settings(&j, s);
        if (s->slots[i].is_present && (s->slots[i].has_value || !drop_nulls))
            write_slot(&j, &s->slots[i], &rows[i]);
    }
    json_end_object(&j);
}
