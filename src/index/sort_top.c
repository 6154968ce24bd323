/* A heap of at most so many entries, the last one on top: whatever comes before it takes its place.
 * A floor lets several rounds give everything in pieces. */
#include <stdlib.h>

#include "base/mem.h"
#include "index/sort.h"

struct sort_top {
    struct sort_entry *entries;
    size_t n, n_room, capacity;
    bool has_floor;
    struct sort_entry floor; /* its key is owned */
};

static int
compare(const struct sort_entry *a, const struct sort_entry *b)
{
    int order = str_compare(a->key, b->key);
    return order != 0 ? order : (a->id > b->id) - (a->id < b->id);
}

static int
compare_entries(const void *a, const void *b)
{
    return compare(a, b);
}

struct sort_top *
sort_top_new(size_t capacity)
{
    struct sort_top *t = mem_new(1, sizeof(*t));
    t->capacity = capacity;
    return t;
}

static void
free_key(struct sort_entry *e)
{
    free((char *) e->key.data);
    e->key = STR_NULL;
}

static void
drop_entries(struct sort_top *t)
{
    for (size_t i = 0; i < t->n; i++)
        free_key(&t->entries[i]);
    t->n = 0;
}

void
sort_top_free(struct sort_top *t)
{
    if (t == NULL)
        return;
    drop_entries(t);
    free_key(&t->floor);
    free(t->entries);
    free(t);
}

static bool
copy_key(struct str key, struct str *ret)
{
    char *copy = malloc(key.len + 1);
    if (copy == NULL)
        return false;
    if (key.len > 0)
        memcpy(copy, key.data, key.len);
    *ret = str_make(copy, key.len);
    return true;
}

static void
sift_up(struct sort_entry *e, size_t at)
{
    while (at > 0 && compare(&e[(at - 1) / 2], &e[at]) < 0) {
        struct sort_entry parent = e[(at - 1) / 2];
        e[(at - 1) / 2] = e[at];
        e[at] = parent;
        at = (at - 1) / 2;
    }
}

static void
sift_down(struct sort_entry *e, size_t n)
{
    for (size_t at = 0, child; (child = 2 * at + 1) < n; at = child) {
        child += child + 1 < n && compare(&e[child], &e[child + 1]) < 0;
        if (compare(&e[at], &e[child]) >= 0)
            return;
        struct sort_entry down = e[at];
        e[at] = e[child];
        e[child] = down;
    }
}

static bool
make_room(struct sort_top *t)
{
    if (t->n < t->n_room)
        return true;
    size_t room = t->n_room == 0 ? 64 : t->n_room * 2;
    room = room > t->capacity ? t->capacity : room;
    struct sort_entry *entries = realloc(t->entries, room * sizeof(*entries));
    if (entries == NULL)
        return false;
    t->entries = entries;
    t->n_room = room;
    return true;
}

int
sort_top_add(struct sort_top *t, struct str key, uint32_t id)
{
    struct sort_entry e = {.key = key, .id = id};
    bool is_full = t->n == t->capacity;
    if (t->capacity == 0 || (t->has_floor && compare(&e, &t->floor) <= 0) ||
        (is_full && compare(&e, &t->entries[0]) >= 0))
        return 0;
    if ((!is_full && !make_room(t)) || !copy_key(key, &e.key))
        return -1;
    if (is_full) {
        free_key(&t->entries[0]);
        t->entries[0] = e;
        sift_down(t->entries, t->n);
    } else {
        t->entries[t->n] = e;
        sift_up(t->entries, t->n++);
    }
    return 0;
}

const struct sort_entry *
sort_top_take(struct sort_top *t, size_t *ret_n)
{
    if (t->n > 0)
        qsort(t->entries, t->n, sizeof(*t->entries), compare_entries);
    *ret_n = t->n;
    return t->entries;
}

int
sort_top_next(struct sort_top *t)
{
    if (t->n > 0) {
        struct str key;
        if (!copy_key(t->entries[t->n - 1].key, &key))
            return -1;
        free_key(&t->floor);
        t->floor = (struct sort_entry){.key = key, .id = t->entries[t->n - 1].id};
        t->has_floor = true;
    }
    drop_entries(t);
    return 0;
}
