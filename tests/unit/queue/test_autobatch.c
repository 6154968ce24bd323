/* The automaton of contract 4.2: a table of sequences, and random ones against a naive model that
 * is written from the contract's text rather than from the table. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "queue/autobatch.h"

/* A sequence is a text, one word a task:
 *   I import that may create   i import that may not   (with =key: gives a primary key)
 *   d deletion by ids   f deletion by filter   c clear   S settings that may create   s settings
 *   X index deletion    n indexCreation  u indexUpdate  w indexSwap  e documentEdition
 * Uids count from 0. */
static struct autobatch_facts
facts_of(uint32_t uid, struct str word)
{
    struct autobatch_facts f = {.uid = uid};
    switch (word.data[0]) {
    case 'I':
    case 'i':
        f.kind = KIND_DOCUMENT_ADDITION_OR_UPDATE;
        f.role = ROLE_IMPORT;
        f.allow = word.data[0] == 'I';
        if (word.len > 2)
            f.primary_key = str_slice(word, 2, word.len);
        break;
    case 'd':
    case 'f':
    case 'c':
        f.kind = KIND_DOCUMENT_DELETION;
        f.role = word.data[0] == 'd'   ? ROLE_DELETE_BY_IDS
                 : word.data[0] == 'f' ? ROLE_DELETE_BY_FILTER
                                       : ROLE_CLEAR;
        break;
    case 'S':
    case 's':
        f.kind = KIND_SETTINGS_UPDATE;
        f.role = ROLE_SETTINGS;
        f.allow = word.data[0] == 'S';
        break;
    case 'X':
        f.kind = KIND_INDEX_DELETION;
        f.role = ROLE_INDEX_DELETION;
        break;
    default:
        f.role = ROLE_ALONE;
        f.kind = word.data[0] == 'n'   ? KIND_INDEX_CREATION
                 : word.data[0] == 'u' ? KIND_INDEX_UPDATE
                 : word.data[0] == 'w' ? KIND_INDEX_SWAP
                                       : KIND_DOCUMENT_EDITION;
    }
    return f;
}

/* How many of the tasks form the first batch; the automaton is left for inspection. */
static uint32_t
run_automaton(struct autobatch *a, const char *sequence, bool exists, const char *index_key)
{
    struct str rest = str_from(sequence), word;
    uint32_t n = 0;
    enum autobatch_result result = AUTOBATCH_JOINED;
    while (result == AUTOBATCH_JOINED && str_split(&rest, ' ', &word)) {
        struct autobatch_facts f = facts_of(n, word);
        if (n == 0)
            result =
                autobatch_begin(a, &f, exists, index_key == NULL ? STR_NULL : str_from(index_key));
        else
            result = autobatch_next(a, &f);
        n += result != AUTOBATCH_REFUSED;
    }
    return n;
}

#define ALONE(id, kind)                                                                            \
    "created batch containing only task with id " id " of type `" kind                             \
    "` that cannot be batched with any other task."
#define KEY(id, task, whose, key)                                                                  \
    "stopped batching before task with id " id " because its primary key `" task                   \
    "` is different from the primary key of the " whose " `" key "`"
#define GUESS(id, task)                                                                            \
    "stopped batching before task with id " id " because it is setting the `" task                 \
    "` primary key and it would interfere with primary key guessing of the batch"
#define RULES(id)                                                                                  \
    "stopped batching before task with id " id                                                     \
    " because its index creation rules differ from the ones from the batch"
#define DELETES(id) "stopped after task with id " id " because it deletes the index"
#define SETTINGS(id)                                                                               \
    "stopped before task with id " id                                                              \
    " because it is a settings change which cannot be batched with document operations"
#define FILTER(id)                                                                                 \
    "stopped before task with id " id                                                              \
    " because it is a deletion by filter which cannot be batched with document operations"
#define DOCUMENTS(id)                                                                              \
    "stopped before task with id " id                                                              \
    " because it is a document operation which cannot be batched with settings changes"

enum { MISSING, EXISTS };

static const struct row {
    const char *sequence;
    bool exists;
    const char *index_key;
    uint32_t n;
    enum autobatch_state state;
    bool may_create;
    const char *text;
} rows[] = {
    /* imports */
    {"I", MISSING, NULL, 1, AUTOBATCH_DOCUMENTS, true, ""},
    {"i", MISSING, NULL, 1, AUTOBATCH_DOCUMENTS, false, ""},
    {"I I I", EXISTS, NULL, 3, AUTOBATCH_DOCUMENTS, true, ""},
    {"I i", MISSING, NULL, 2, AUTOBATCH_DOCUMENTS, true, ""},
    {"i I", MISSING, NULL, 1, AUTOBATCH_DOCUMENTS, false, RULES("1")},
    {"i I", EXISTS, NULL, 2, AUTOBATCH_DOCUMENTS, false, ""},
    {"I d I d", EXISTS, NULL, 4, AUTOBATCH_DOCUMENTS, true, ""},
    {"I f", EXISTS, NULL, 1, AUTOBATCH_DOCUMENTS, true, FILTER("1")},
    {"I d f", EXISTS, NULL, 2, AUTOBATCH_DOCUMENTS, true, FILTER("2")},
    {"I c", EXISTS, NULL, 2, AUTOBATCH_CLEAR, true, ""},
    {"I s", EXISTS, NULL, 1, AUTOBATCH_DOCUMENTS, true, SETTINGS("1")},
    {"I S", MISSING, NULL, 1, AUTOBATCH_DOCUMENTS, true, SETTINGS("1")},
    {"I X", EXISTS, NULL, 2, AUTOBATCH_INDEX_DELETION, true, DELETES("1")},
    {"I I X I", EXISTS, NULL, 3, AUTOBATCH_INDEX_DELETION, true, DELETES("2")},
    {"I n", EXISTS, NULL, 1, AUTOBATCH_DOCUMENTS, true, ALONE("1", "indexCreation")},
    {"I u", EXISTS, NULL, 1, AUTOBATCH_DOCUMENTS, true, ALONE("1", "indexUpdate")},
    {"I I w", EXISTS, NULL, 2, AUTOBATCH_DOCUMENTS, true, ALONE("2", "indexSwap")},
    {"I e", EXISTS, NULL, 1, AUTOBATCH_DOCUMENTS, true, ALONE("1", "documentEdition")},
    /* primary keys */
    {"I=id I=id I", MISSING, NULL, 3, AUTOBATCH_DOCUMENTS, true, ""},
    {"I=id I=sku", MISSING, NULL, 1, AUTOBATCH_DOCUMENTS, true, KEY("1", "sku", "batch", "id")},
    {"I I=id", MISSING, NULL, 1, AUTOBATCH_DOCUMENTS, true, GUESS("1", "id")},
    {"I I=id", EXISTS, NULL, 1, AUTOBATCH_DOCUMENTS, true, GUESS("1", "id")},
    {"I I=id", EXISTS, "id", 2, AUTOBATCH_DOCUMENTS, true, ""},
    {"I I=sku", EXISTS, "id", 1, AUTOBATCH_DOCUMENTS, true, KEY("1", "sku", "index", "id")},
    {"I=id I I=sku", EXISTS, "id", 2, AUTOBATCH_DOCUMENTS, true, KEY("2", "sku", "index", "id")},
    {"I=sku I=sku", EXISTS, "id", 1, AUTOBATCH_DOCUMENTS, true, KEY("0", "sku", "index", "id")},
    {"I=sku I", EXISTS, "id", 1, AUTOBATCH_DOCUMENTS, true, KEY("0", "sku", "index", "id")},
    {"I=id I d I=id", MISSING, NULL, 4, AUTOBATCH_DOCUMENTS, true, ""},
    {"d I=id I=id", EXISTS, NULL, 3, AUTOBATCH_DOCUMENTS, false, ""},
    {"d I=id I=sku", EXISTS, NULL, 2, AUTOBATCH_DOCUMENTS, false, KEY("2", "sku", "batch", "id")},
    {"d I I=sku", EXISTS, NULL, 2, AUTOBATCH_DOCUMENTS, false, GUESS("2", "sku")},
    {"d I=sku", EXISTS, "id", 1, AUTOBATCH_DELETIONS, false, KEY("1", "sku", "index", "id")},
    {"s i=sku", EXISTS, "id", 1, AUTOBATCH_SETTINGS, false, KEY("1", "sku", "index", "id")},
    {"s i=sku", EXISTS, NULL, 1, AUTOBATCH_SETTINGS, false, DOCUMENTS("1")},
    /* the key is looked at before the right to create */
    {"i I=id", MISSING, NULL, 1, AUTOBATCH_DOCUMENTS, false, GUESS("1", "id")},
    {"i=a I=a", MISSING, NULL, 1, AUTOBATCH_DOCUMENTS, false, RULES("1")},
    /* deletions */
    {"d d d", EXISTS, NULL, 3, AUTOBATCH_DELETIONS, false, ""},
    {"d f d f", MISSING, NULL, 4, AUTOBATCH_DELETIONS, false, ""},
    {"f I", EXISTS, NULL, 2, AUTOBATCH_DOCUMENTS, false, ""},
    {"f I f", EXISTS, NULL, 2, AUTOBATCH_DOCUMENTS, false, FILTER("2")},
    {"d I", MISSING, NULL, 1, AUTOBATCH_DELETIONS, false, RULES("1")},
    {"f I", MISSING, NULL, 1, AUTOBATCH_DELETIONS, false, RULES("1")},
    {"d i", MISSING, NULL, 2, AUTOBATCH_DOCUMENTS, false, ""},
    {"d i I", MISSING, NULL, 2, AUTOBATCH_DOCUMENTS, false, RULES("2")},
    {"d c", EXISTS, NULL, 2, AUTOBATCH_CLEAR, false, ""},
    {"d s", EXISTS, NULL, 1, AUTOBATCH_DELETIONS, false, SETTINGS("1")},
    {"d S", MISSING, NULL, 1, AUTOBATCH_DELETIONS, false, RULES("1")},
    {"f X", EXISTS, NULL, 2, AUTOBATCH_INDEX_DELETION, false, DELETES("1")},
    {"d w", EXISTS, NULL, 1, AUTOBATCH_DELETIONS, false, ALONE("1", "indexSwap")},
    /* clear */
    {"c d f c", EXISTS, NULL, 4, AUTOBATCH_CLEAR, false, ""},
    {"c I", EXISTS, NULL, 1, AUTOBATCH_CLEAR, false, SETTINGS("1")},
    {"c i", MISSING, NULL, 1, AUTOBATCH_CLEAR, false, SETTINGS("1")},
    {"c I", MISSING, NULL, 1, AUTOBATCH_CLEAR, false, RULES("1")},
    {"I c I", EXISTS, NULL, 2, AUTOBATCH_CLEAR, true, SETTINGS("2")},
    {"I c d f", EXISTS, NULL, 4, AUTOBATCH_CLEAR, true, ""},
    {"c s", EXISTS, NULL, 1, AUTOBATCH_CLEAR, false, SETTINGS("1")},
    {"c X", EXISTS, NULL, 2, AUTOBATCH_INDEX_DELETION, false, DELETES("1")},
    {"c e", EXISTS, NULL, 1, AUTOBATCH_CLEAR, false, ALONE("1", "documentEdition")},
    /* settings */
    {"S", MISSING, NULL, 1, AUTOBATCH_SETTINGS, true, ""},
    {"S s S", MISSING, NULL, 3, AUTOBATCH_SETTINGS, true, ""},
    {"s S", MISSING, NULL, 1, AUTOBATCH_SETTINGS, false, RULES("1")},
    {"s S", EXISTS, NULL, 2, AUTOBATCH_SETTINGS, false, ""},
    {"S I", EXISTS, NULL, 1, AUTOBATCH_SETTINGS, true, DOCUMENTS("1")},
    {"S d", EXISTS, NULL, 1, AUTOBATCH_SETTINGS, true, DOCUMENTS("1")},
    {"S f", EXISTS, NULL, 1, AUTOBATCH_SETTINGS, true, DOCUMENTS("1")},
    {"S c", EXISTS, NULL, 2, AUTOBATCH_CLEAR_SETTINGS, true, ""},
    {"S c d f c s", EXISTS, NULL, 6, AUTOBATCH_CLEAR_SETTINGS, true, ""},
    {"S c I", EXISTS, NULL, 2, AUTOBATCH_CLEAR_SETTINGS, true, DOCUMENTS("2")},
    {"S X", MISSING, NULL, 2, AUTOBATCH_INDEX_DELETION, true, DELETES("1")},
    {"S c X", EXISTS, NULL, 3, AUTOBATCH_INDEX_DELETION, true, DELETES("2")},
    {"S n", EXISTS, NULL, 1, AUTOBATCH_SETTINGS, true, ALONE("1", "indexCreation")},
    {"S c u", EXISTS, NULL, 2, AUTOBATCH_CLEAR_SETTINGS, true, ALONE("2", "indexUpdate")},
    /* alone */
    {"n I", MISSING, NULL, 1, AUTOBATCH_ALONE, false, ALONE("0", "indexCreation")},
    {"u I", EXISTS, NULL, 1, AUTOBATCH_ALONE, false, ALONE("0", "indexUpdate")},
    {"w w", EXISTS, NULL, 1, AUTOBATCH_ALONE, false, ALONE("0", "indexSwap")},
    {"e e", EXISTS, NULL, 1, AUTOBATCH_ALONE, false, ALONE("0", "documentEdition")},
    {"X I", EXISTS, NULL, 1, AUTOBATCH_INDEX_DELETION, false, DELETES("0")},
};

static void
sequences_batch_as_the_contract_says(void **state)
{
    (void) state;
    assert_true(sizeof(rows) / sizeof(rows[0]) >= 60);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *row = &rows[i];
        struct autobatch a;
        uint32_t n = run_automaton(&a, row->sequence, row->exists, row->index_key);
        if (n != row->n || a.state != row->state || a.may_create_index != row->may_create ||
            strcmp(buf_cstr(&a.stop_text), row->text) != 0)
            fail_msg("\"%s\": n=%u state=%d text=\"%s\"", row->sequence, n, (int) a.state,
                     buf_cstr(&a.stop_text));
        autobatch_done(&a);
    }
}

/* --- the naive model: looks at the whole prefix for each task, keeps no state */

static bool
all_of(const char *prefix, const char *letters)
{
    for (; *prefix != '\0'; prefix++) {
        if (strchr(letters, *prefix) == NULL)
            return false;
    }
    return true;
}

static bool
any_of(const char *prefix, const char *letters)
{
    return strpbrk(prefix, letters) != NULL;
}

/* The primary key that the batch has so far: NULL none, "" guessed. */
static const char *
model_key(const char *prefix, const char *const *keys)
{
    for (size_t i = 0; prefix[i] != '\0'; i++) {
        if (tolower(prefix[i]) == 'i')
            return keys[i] == NULL ? "" : keys[i];
    }
    return NULL;
}

static bool
model_key_fits(const char *prefix, const char *const *keys, const char *key, const char *index_key)
{
    const char *batch = model_key(prefix, keys);
    if (key == NULL)
        return true;
    if (index_key != NULL)
        return strcmp(key, index_key) == 0;
    return batch == NULL || (*batch != '\0' && strcmp(batch, key) == 0);
}

static bool
model_joins(const char *prefix, char next, bool exists)
{
    bool creates = isupper(prefix[0]) && prefix[0] != 'X';
    if (strchr("nuwe", next) != NULL || any_of(prefix, "nuweX"))
        return false;
    if (next == 'X')
        return true;
    if ((next == 'I' || next == 'S') && !exists && !creates)
        return false;
    next = (char) tolower(next);
    if (any_of(prefix, "sS")) { /* settings, perhaps cleared */
        bool cleared = any_of(prefix, "c");
        return next == 's' || next == 'c' || (cleared && (next == 'd' || next == 'f'));
    }
    if (any_of(prefix, "c"))
        return strchr("dfc", next) != NULL;
    if (any_of(prefix, "iI"))
        return strchr("idc", next) != NULL;
    return all_of(prefix, "df") && strchr("idfc", next) != NULL;
}

static uint32_t
run_model(const char *letters, const char *const *keys, bool exists, const char *index_key)
{
    char prefix[16] = {letters[0]};
    uint32_t n = 1;
    if (strchr("nuweX", letters[0]) != NULL)
        return 1;
    if (tolower(letters[0]) == 'i' && keys[0] != NULL && index_key != NULL &&
        strcmp(keys[0], index_key) != 0)
        return 1;
    while (letters[n] != '\0' && model_joins(prefix, letters[n], exists) &&
           (tolower(letters[n]) != 'i' || model_key_fits(prefix, keys, keys[n], index_key))) {
        prefix[n] = letters[n];
        n++;
    }
    return n;
}

static void
random_sequences_agree_with_a_naive_model(void **state)
{
    enum { ROUNDS = 20000, LENGTH = 8 };
    static const char letters[] = "IIIiiddffccSsXnuwe";
    static const char *const keys[] = {NULL, NULL, "id", "sku"};
    (void) state;
    srand(11);
    for (int round = 0; round < ROUNDS; round++) {
        char picked[LENGTH + 1] = {0}, sequence[LENGTH * 6 + 1];
        const char *given[LENGTH];
        size_t used = 0;
        for (int i = 0; i < LENGTH; i++) {
            picked[i] = letters[(size_t) rand() % (sizeof(letters) - 1)];
            given[i] = tolower(picked[i]) == 'i' ? keys[rand() % 4] : NULL;
            used += (size_t) snprintf(sequence + used, sizeof(sequence) - used, "%s%c%s%s",
                                      i == 0 ? "" : " ", picked[i], given[i] == NULL ? "" : "=",
                                      given[i] == NULL ? "" : given[i]);
        }
        bool exists = rand() % 2 == 0;
        const char *index_key = exists ? keys[rand() % 4] : NULL;
        struct autobatch a;
        uint32_t n = run_automaton(&a, sequence, exists, index_key);
        uint32_t wanted = run_model(picked, given, exists, index_key);
        if (n != wanted)
            fail_msg("\"%s\" exists=%d key=%s: %u, the model says %u", sequence, exists,
                     index_key == NULL ? "none" : index_key, n, wanted);
        assert_int_equal(n < LENGTH || a.state == AUTOBATCH_INDEX_DELETION, a.stop_text.len > 0);
        autobatch_done(&a);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences_batch_as_the_contract_says),
        cmocka_unit_test(random_sequences_agree_with_a_naive_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
