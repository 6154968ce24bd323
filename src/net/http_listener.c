/* Owns the listening socket: address, options, back-pressure by connection count, and what to do
 * when the process runs out of descriptors. Knows nothing of HTTP but the one canned refusal. */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/http_internal.h"

enum {
    LISTEN_BACKLOG = 4096,
    SURPLUS_CONNECTIONS = 64, /* beyond the limit, told so; then none is accepted */
    EMFILE_PAUSE_MS = 100,
    SOCKET_MODE = 0660,
};

struct http_listener {
    struct http_server *server;
    struct evconnlistener *conns;
    struct evhttp_bound_socket *bound;
    struct loop_timer pause;
    int spare_fd; /* given up for a moment to turn a client away when there is no other */
    char *unix_path;
    bool is_paused;
    struct log_limit log;
    struct http_listener *next;
};

/* libevent gives the error callback evhttp's argument, not ours: found by the listener. */
static struct http_listener *all;

/* --- addresses ----------------------------------------------------------------------------- */

static int
fail(struct err *err, const char *addr, const char *why)
{
    return err_set(err, ERR_INTERNAL, "cannot listen on `%s`: %s", addr, why);
}

static int
open_socket(int family)
{
    int on = 1;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && family != AF_UNIX) {
        (void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)); /* best effort */
        /* Accepted sockets inherit it; without it a reply in two segments waits 40 ms. */
        (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    return fd;
}

/* Splits "host:port" or "[v6]:port" into NUL-terminated parts; false when it is neither. */
static bool
split_address(const char *addr, char host[256], char port[8])
{
    const char *colon = strrchr(addr, ':'), *from = addr, *to = colon;
    if (colon == NULL || strlen(colon + 1) == 0 || strlen(colon + 1) >= 6)
        return false;
    if (addr[0] == '[') {
        if (colon - addr < 2 || colon[-1] != ']')
            return false;
        from++;
        to--;
    } else if (memchr(addr, ':', (size_t) (colon - addr)) != NULL) {
        return false; /* a bare IPv6 address: brackets are missing */
    }
    uint64_t number;
    if (to - from >= 256 || !str_to_u64(str_from(colon + 1), 65535, &number))
        return false;
    memcpy(host, from, (size_t) (to - from));
    host[to - from] = '\0';
    memcpy(port, colon + 1, strlen(colon + 1) + 1);
    return true;
}

/* Binds the first address of the name that can be bound; the socket or -1. */
static int
bind_tcp(const char *addr, struct err *err)
{
    char host[256], port[8];
    if (!split_address(addr, host, port))
        return fail(err, addr, "expected `host:port`, `[ipv6]:port` or `unix:/path`");
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV},
                    *list = NULL;
    int result = getaddrinfo(host[0] != '\0' ? host : NULL, port, &hints, &list);
    if (result != 0)
        return fail(err, addr, gai_strerror(result));
    int fd = -1, why = 0;
    for (struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next) {
        fd = open_socket(a->ai_family);
        if (fd >= 0 && bind(fd, a->ai_addr, a->ai_addrlen) == 0)
            break;
        why = errno;
        if (fd >= 0)
            (void) close(fd); /* nothing was written */
        fd = -1;
    }
    freeaddrinfo(list);
    return fd >= 0 ? fd : fail(err, addr, strerror(why));
}

/* A socket file that nobody listens on is a leftover of a killed process. */
static bool
is_stale(const struct sockaddr_un *sun)
{
    struct stat st;
    if (lstat(sun->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool refused =
        connect(fd, (const struct sockaddr *) sun, sizeof(*sun)) != 0 && errno == ECONNREFUSED;
    (void) close(fd);
    return refused;
}

static int
bind_unix(const char *addr, const char *path, struct err *err)
{
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    if (strlen(path) == 0 || strlen(path) >= sizeof(sun.sun_path))
        return fail(err, addr, "the path is empty or too long for a socket");
    memcpy(sun.sun_path, path, strlen(path) + 1);
    int fd = open_socket(AF_UNIX);
    if (fd < 0)
        return fail(err, addr, strerror(errno));
    if (is_stale(&sun))
        (void) unlink(path); /* bind tells if it is still there */
    if (bind(fd, (const struct sockaddr *) &sun, sizeof(sun)) != 0 ||
        chmod(path, SOCKET_MODE) != 0) {
        int why = errno;
        (void) close(fd);
        return fail(err, addr, strerror(why));
    }
    return fd;
}

static void
note_address(struct http_server *s, int fd)
{
    struct sockaddr_storage ss;
    socklen_t len = sizeof(ss);
    char text[INET6_ADDRSTRLEN] = "";
    (void) getsockname(fd, (struct sockaddr *) &ss, &len); /* bound: cannot fail */
    if (ss.ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *) &ss;
        (void) inet_ntop(AF_INET6, &in->sin6_addr, text, sizeof(text));
        (void) snprintf(s->address, sizeof(s->address), "[%s]:%d", text, ntohs(in->sin6_port));
    } else {
        const struct sockaddr_in *in = (const struct sockaddr_in *) &ss;
        (void) inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
        (void) snprintf(s->address, sizeof(s->address), "%s:%d", text, ntohs(in->sin_port));
    }
}

static int
bind_address(struct http_listener *l, const char *addr, struct err *err)
{
    struct http_server *s = l->server;
    if (!str_starts_with(str_from(addr), "unix:")) {
        int fd = bind_tcp(addr, err);
        if (fd >= 0)
            note_address(s, fd);
        return fd;
    }
    int fd = bind_unix(addr, addr + strlen("unix:"), err);
    if (fd >= 0) {
        l->unix_path = mem_strdup(addr + strlen("unix:"));
        (void) snprintf(s->address, sizeof(s->address), "%s", addr);
    }
    return fd;
}

/* --- accepting ----------------------------------------------------------------------------- */

void
http_listener_adjust(struct http_listener *l)
{
    if (l == NULL)
        return;
    int n = l->server->stats.connections, max = l->server->conf.max_connections;
    bool is_full = n >= max + SURPLUS_CONNECTIONS;
    if (is_full || l->is_paused)
        (void) evconnlistener_disable(l->conns); /* epoll removal cannot fail usefully */
    else
        (void) evconnlistener_enable(l->conns);
}

static void
end_pause(void *arg)
{
    struct http_listener *l = arg;
    l->is_paused = false;
    if (l->spare_fd < 0)
        l->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    http_listener_adjust(l);
}

static void
send_refusal(int fd)
{
    struct buf body = BUF_INIT, text = BUF_INIT;
    err_write_json(&body, ERR_TOO_MANY_CONNECTIONS, STR("The server has no descriptor left."));
    buf_addf(&text,
             "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
             "Connection: close\r\nRetry-After: 10\r\nContent-Length: %zu\r\n\r\n",
             body.len);
    buf_add_str(&text, buf_str(&body));
    (void) send(fd, text.data, text.len, MSG_NOSIGNAL); /* a courtesy */
    buf_done(&body);
    buf_done(&text);
}

/* Takes one waiting client with the spare descriptor and tells it, so that it does not hang. */
static void
turn_one_away(struct http_listener *l)
{
    if (l->spare_fd < 0)
        return;
    (void) close(l->spare_fd);
    l->spare_fd = -1;
    int fd = accept4(evconnlistener_get_fd(l->conns), NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        if (l->server->conf.tls == NULL)
            send_refusal(fd);
        (void) close(fd);
    }
    l->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Without the pause a full descriptor table is reported half a million times a second. */
static void
on_accept_error(struct evconnlistener *conns, void *arg)
{
    int why = errno;
    (void) arg;
    struct http_listener *l = all;
    while (l != NULL && l->conns != conns)
        l = l->next;
    if (l == NULL)
        return;
    if (log_limit_pass(&l->log, 1))
        log_warn("http", "cannot accept a connection, pausing: %s connections=%d", strerror(why),
                 l->server->stats.connections);
    if (why == EMFILE || why == ENFILE)
        turn_one_away(l);
    l->is_paused = true;
    http_listener_adjust(l);
    loop_timer_set_ms(&l->pause, EMFILE_PAUSE_MS);
}

struct http_listener *
http_listener_new(struct http_server *s, struct err *err)
{
    struct http_listener *l = mem_new(1, sizeof(*l));
    l->server = s;
    l->spare_fd = -1;
    loop_timer_init(&l->pause, s->loop, end_pause, l);
    l->next = all;
    all = l;
    int fd = bind_address(l, s->conf.addr, err);
    if (fd < 0)
        goto fail;
    l->conns =
        evconnlistener_new(loop_base(s->loop), NULL, NULL,
                           LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, LISTEN_BACKLOG, fd);
    if (l->conns == NULL) {
        (void) fail(err, s->conf.addr, strerror(errno));
        (void) close(fd);
        goto fail;
    }
    l->bound = evhttp_bind_listener(s->evhttp, l->conns);
    if (l->bound == NULL) {
        evconnlistener_free(l->conns);
        (void) fail(err, s->conf.addr, "out of memory");
        goto fail;
    }
    evconnlistener_set_error_cb(l->conns, on_accept_error);
    l->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return l;
fail:
    http_listener_free(l);
    return NULL;
}

void
http_listener_free(struct http_listener *l)
{
    if (l == NULL)
        return;
    struct http_listener **at = &all;
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    if (l->bound != NULL)
        evhttp_del_accept_socket(l->server->evhttp, l->bound);
    if (l->unix_path != NULL)
        (void) unlink(l->unix_path); /* a leftover is recognised at the next start */
    if (l->spare_fd >= 0)
        (void) close(l->spare_fd);
    loop_timer_done(&l->pause);
    free(l->unix_path);
    free(l);
}
