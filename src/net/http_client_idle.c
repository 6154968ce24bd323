/* Kept-alive connections that wait for their next request. Owns when they are too many or too old;
 * knows nothing of exchanges. */
#include <string.h>

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

static void
idle_unlink(struct http_client_conn *conn)
{
    struct http_client *c = conn->client;
    if (conn->prev != NULL)
        conn->prev->next = conn->next;
    else
        c->idle = conn->next;
    if (conn->next != NULL)
        conn->next->prev = conn->prev;
    conn->next = conn->prev = NULL;
    c->n_idle--;
}

static bool
has_key(const struct http_client_conn *conn, const char *key, uint64_t hash)
{
    return conn->key_hash == hash && strcmp(conn->key, key) == 0;
}

/* The least recently used: of those with the key of `like`, or of all when that is NULL. */
static struct http_client_conn *
idle_oldest(struct http_client *c, const struct http_client_conn *like, size_t *ret_n)
{
    struct http_client_conn *oldest = NULL;
    *ret_n = 0;
    for (struct http_client_conn *conn = c->idle; conn != NULL; conn = conn->next) {
        if (like != NULL && !has_key(conn, like->key, like->key_hash))
            continue;
        oldest = conn;
        (*ret_n)++;
    }
    return oldest;
}

static void
idle_trim(struct http_client *c, const struct http_client_conn *like, size_t max)
{
    size_t n;
    if (c->n_idle <= max)
        return;
    struct http_client_conn *oldest = idle_oldest(c, like, &n);
    if (n <= max)
        return;
    idle_unlink(oldest);
    http_client_conn_free(oldest);
}

void
http_client_idle_put(struct http_client_conn *conn)
{
    struct http_client *c = conn->client;
    conn->prev = NULL;
    conn->next = c->idle;
    if (c->idle != NULL)
        c->idle->prev = conn;
    c->idle = conn;
    c->n_idle++;
    loop_timer_set_ms(&conn->idle_timer, IDLE_TIMEOUT_MS);
    idle_trim(c, conn, IDLE_PER_KEY_MAX);
    idle_trim(c, NULL, IDLE_MAX);
}

struct http_client_conn *
http_client_idle_take(struct http_client *c, const char *key)
{
    uint64_t hash = http_client_key_hash(key);
    for (struct http_client_conn *conn = c->idle; conn != NULL; conn = conn->next) {
        if (!has_key(conn, key, hash) || !http_client_conn_is_reusable(conn))
            continue;
        idle_unlink(conn);
        loop_timer_clear(&conn->idle_timer);
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
    while (c->idle != NULL) {
        struct http_client_conn *conn = c->idle;
        idle_unlink(conn);
        http_client_conn_free(conn);
    }
}
