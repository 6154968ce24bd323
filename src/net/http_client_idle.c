/* Kept-alive connections that wait for their next request. Owns when they are too many or too old;
 * knows nothing of exchanges. */
#include <string.h>

#include "net/http_client_internal.h"

enum {
    IDLE_MAX = 128,         /* in all */
    IDLE_PER_KEY_MAX = 8,   /* to one address of one origin and pool */
    IDLE_TIMEOUT_MS = 15000 /* common servers close theirs after 5 to 75 s */
};

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

/* The least recently used: of the key, or of all when key is NULL. */
static struct http_client_conn *
idle_oldest(struct http_client *c, const char *key, size_t *ret_n)
{
    struct http_client_conn *oldest = NULL;
    *ret_n = 0;
    for (struct http_client_conn *conn = c->idle; conn != NULL; conn = conn->next) {
        if (key != NULL && strcmp(conn->key, key) != 0)
            continue;
        oldest = conn;
        (*ret_n)++;
    }
    return oldest;
}

static void
idle_trim(struct http_client *c, const char *key, size_t max)
{
    size_t n;
    struct http_client_conn *oldest = idle_oldest(c, key, &n);
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
    idle_trim(c, conn->key, IDLE_PER_KEY_MAX);
    if (c->n_idle > IDLE_MAX)
        idle_trim(c, NULL, IDLE_MAX);
}

struct http_client_conn *
http_client_idle_take(struct http_client *c, const char *key)
{
    for (struct http_client_conn *conn = c->idle; conn != NULL; conn = conn->next) {
        if (strcmp(conn->key, key) != 0 || !http_client_conn_is_reusable(conn))
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
