#pragma once
/* The settings of one index: one row a setting, the values, and how a change is applied. Kept in
 * the index's own environment, so that a batch changes them together with everything else it does.
 *
 * To add a setting: a value here, a row in settings.c, a reader in api/settings_read.c, three
 * routes in api/settings.c, its name in queue/details.c and an error in base/err_rows.h. */
#include "base/err.h"
#include "codec/json.h"

/* In the order in which they are shown (contract 10.1). */
enum setting {
    SETTING_DISPLAYED_ATTRIBUTES,
    SETTING_SEARCHABLE_ATTRIBUTES,
    SETTING_FILTERABLE_ATTRIBUTES,
    SETTING_SORTABLE_ATTRIBUTES,
    SETTING_FOREIGN_KEYS,
    SETTING_RANKING_RULES,
    SETTING_STOP_WORDS,
    SETTING_NON_SEPARATOR_TOKENS,
    SETTING_SEPARATOR_TOKENS,
    SETTING_DICTIONARY,
    SETTING_SYNONYMS,
    SETTING_DISTINCT_ATTRIBUTE,
    SETTING_PROXIMITY_PRECISION,
    SETTING_TYPO_TOLERANCE,
    SETTING_FACETING,
    SETTING_PAGINATION,
    SETTING_EMBEDDERS,
    SETTING_SEARCH_CUTOFF_MS,
    SETTING_LOCALIZED_ATTRIBUTES,
    SETTING_FACET_SEARCH,
    SETTING_PREFIX_SEARCH,
    SETTING_CHAT,
    SETTING_COUNT
};

/* Makes the new value of a setting from what it is and what was sent (never null); nothing
 * appended: the default. 0, or -1 with err. */
typedef int setting_merge(struct buf *out, const struct json *now, const struct json *sent,
                          struct err *err);

struct setting_row {
    const char *name;        /* "displayedAttributes" */
    const char *sub_route;   /* "displayed-attributes" */
    enum err_code code;      /* of every complaint about its value */
    const char *standard;    /* the default, JSON text */
    const char *shown_reset; /* what details show for a reset, NULL: null */
    setting_merge *merge;    /* NULL: what was sent replaces what was */
};
extern const struct setting_row setting_rows[SETTING_COUNT];
/* SETTING_COUNT when there is none. */
enum setting setting_find(struct str name);
enum setting setting_find_sub_route(struct str sub_route);

struct settings {
    char *values[SETTING_COUNT]; /* JSON text, NULL: the default */
};
void settings_init(struct settings *s);
void settings_done(struct settings *s);
/* JSON text of a setting as it is in force. */
struct str settings_value(const struct settings *s, enum setting which);
/* The whole object without those whose bit is set in hidden. */
void settings_write_json(struct buf *out, const struct settings *s, uint32_t hidden);
/* One value as the API shows it: secrets are cut. */
void settings_write_one(struct buf *out, const struct settings *s, enum setting which);
/* Applies what was sent: an object of checked values by setting name; null resets. 0, or -1 with
 * err and s half changed. */
int settings_apply(struct settings *s, const struct json *sent, struct err *err);

/* The record in the index environment. */
void settings_encode(struct buf *out, const struct settings *s);
int settings_decode(struct settings *ret, struct str record); /* 0 or STORE_ECORRUPT */

/* Details as the API shows them: the object sent, with `embedders` cut down to what may be seen. */
void settings_write_details(struct buf *out, const struct json *sent);

/* --- languages of localizedAttributes */
/* Every accepted code, two letters first, then three; returns how many. */
size_t setting_languages(const char *const **ret);
/* The three-letter code; text itself when it is none of two letters. */
struct str setting_language(struct str text);
