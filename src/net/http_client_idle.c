/* Kept-alive connections that wait for their next request. Owns when they are too many or too old;
 * knows nothing of exchanges. */
#include <string.h>

#include "base/clock.h"
#include "net/http_client_internal.h"

enum {
    IDLE_MAX = 512,         /* in all */
    IDLE_PER_KEY_MAX = 64,  /* to one address of one origin and pool */
    IDLE_TIMEOUT_MS = 15000 /* common servers close theirs after 5 to 75 s */
};

/* FNV-1a: one look at a key that is compared with many. */
uint64_t
http_client_key_hash(const char *key)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (; *key != '\0'; key++)
        hash = (hash ^ (unsigned char) *key) * UINT64_C(1099511628211);
    return hash;
}

static struct http_client_conn **
list_of(struct http_client_idle *idle, uint64_t hash)
{
    return &idle->lists[hash % HTTP_CLIENT_IDLE_LISTS];
}

static void
idle_link(struct http_client_idle *idle, struct http_client_conn *conn)
{
    struct http_client_conn **list = list_of(idle, conn->key_hash);
    conn->prev = conn->list_prev = NULL;
    conn->next = idle->newest;
    *(conn->next != NULL ? &conn->next->prev : &idle->oldest) = conn;
    idle->newest = conn;
    conn->list_next = *list;
    if (conn->list_next != NULL)
        conn->list_next->list_prev = conn;
    *list = conn;
    idle->n++;
}

static void
idle_unlink(struct http_client_conn *conn)
{
    struct http_client_idle *idle = &conn->client->idle;
    *(conn->prev != NULL ? &conn->prev->next : &idle->newest) = conn->next;
    *(conn->next != NULL ? &conn->next->prev : &idle->oldest) = conn->prev;
    *(conn->list_prev != NULL ? &conn->list_prev->list_next : list_of(idle, conn->key_hash)) =
        conn->list_next;
    if (conn->list_next != NULL)
        conn->list_next->list_prev = conn->list_prev;
    conn->next = conn->prev = conn->list_next = conn->list_prev = NULL;
    idle->n--;
}

static void
idle_drop(struct http_client_conn *conn)
{
    idle_unlink(conn);
    http_client_conn_free(conn);
}

/* The times of those that wait ascend from the oldest on. One timer for all: it may find that its
 * connection has long been used again. */
static void
on_timeout(void *arg)
{
    struct http_client_idle *idle = &((struct http_client *) arg)->idle;
    int64_t now_us = clock_mono_us();
    while (idle->oldest != NULL && idle->oldest->idle_until_us <= now_us)
        idle_drop(idle->oldest);
    if (idle->oldest != NULL)
        loop_timer_set_ms(&idle->timer, (idle->oldest->idle_until_us - now_us + 999) / 1000);
}

void
http_client_idle_open(struct http_client *c)
{
    loop_timer_init(&c->idle.timer, c->loop, on_timeout, c);
}

void
http_client_idle_close(struct http_client *c)
{
    http_client_idle_drop_all(c);
    loop_timer_done(&c->idle.timer);
}

static bool
has_key(const struct http_client_conn *conn, const char *key, uint64_t hash)
{
    return conn->key_hash == hash && strcmp(conn->key, key) == 0;
}

/* Of those with the key of `like` the least recently used goes when they are too many. */
static void
trim_key(struct http_client_idle *idle, const struct http_client_conn *like)
{
    struct http_client_conn *oldest = NULL, *conn = *list_of(idle, like->key_hash);
    size_t n = 0;
    for (; conn != NULL; conn = conn->list_next) {
        if (!has_key(conn, like->key, like->key_hash))
            continue;
        oldest = conn;
        n++;
    }
    if (n > IDLE_PER_KEY_MAX)
        idle_drop(oldest);
}

void
http_client_idle_put(struct http_client_conn *conn)
{
    struct http_client_idle *idle = &conn->client->idle;
    conn->idle_until_us = clock_mono_us() + IDLE_TIMEOUT_MS * 1000;
    if (idle->n == 0 && !loop_timer_is_set(&idle->timer))
        loop_timer_set_ms(&idle->timer, IDLE_TIMEOUT_MS);
    idle_link(idle, conn);
    trim_key(idle, conn);
    if (idle->n > IDLE_MAX)
        idle_drop(idle->oldest);
}

struct http_client_conn *
http_client_idle_take(struct http_client *c, const char *key)
{
    uint64_t hash = http_client_key_hash(key);
    struct http_client_conn *conn = *list_of(&c->idle, hash);
    for (; conn != NULL; conn = conn->list_next) {
        if (!has_key(conn, key, hash) || !http_client_conn_is_reusable(conn))
            continue;
        idle_unlink(conn);
        return conn;
    }
    return NULL;
}

void
http_client_idle_bury(struct http_client_conn *conn)
{
    struct http_client *c = conn->client;
    idle_unlink(conn);
    conn->next = c->dead;
    c->dead = conn;
    loop_timer_set_ms(&c->timer, 0);
}

void
http_client_idle_free_dead(struct http_client *c)
{
    while (c->dead != NULL) {
        struct http_client_conn *conn = c->dead;
        c->dead = conn->next;
        http_client_conn_free(conn);
    }
}

void
http_client_idle_drop_all(struct http_client *c)
{
    while (c->idle.oldest != NULL)
        idle_drop(c->idle.oldest);
}
