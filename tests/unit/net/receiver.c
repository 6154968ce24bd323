/* Scripted peers in threads; see receiver.h. */
#include "receiver.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"

struct receiver {
    int fd, port;
    SSL_CTX *ssl;
    script_fn *script;
    void *arg;
    pthread_t thread;
    atomic_int connections;
};

static int
listen_on(int family, int type, int *ret_port)
{
    struct sockaddr_storage ss = {.ss_family = (sa_family_t) family};
    socklen_t len = sizeof(ss);
    int fd = socket(family, type | SOCK_CLOEXEC, 0);
    if (family == AF_INET)
        ((struct sockaddr_in *) &ss)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        ((struct sockaddr_in6 *) &ss)->sin6_addr = in6addr_loopback;
    if (fd < 0 || bind(fd, (struct sockaddr *) &ss, len) != 0 ||
        (type == SOCK_STREAM && listen(fd, 64) != 0) ||
        getsockname(fd, (struct sockaddr *) &ss, &len) != 0) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    *ret_port = ntohs(((struct sockaddr_in *) &ss)->sin_port); /* the same place in both */
    return fd;
}

static void
serve(struct receiver *r, int fd)
{
    struct peer p = {.receiver = r, .fd = fd, .nth = ++r->connections, .arg = r->arg};
    bool is_ready = true;
    int on = 1;
    /* What is written before a reset is on the wire then. */
    (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (r->ssl != NULL) {
        p.ssl = SSL_new(r->ssl);
        SSL_set_fd(p.ssl, fd);
        is_ready = SSL_accept(p.ssl) == 1;
        ERR_clear_error();
    }
    if (is_ready)
        r->script(&p);
    SSL_free(p.ssl);
    if (p.fd >= 0)
        close(p.fd);
}

static void *
receiver_main(void *arg)
{
    struct receiver *r = arg;
    int fd;
    while ((fd = accept4(r->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
        serve(r, fd);
    return NULL;
}

struct receiver *
receiver_start(script_fn *script, void *arg, SSL_CTX *ssl, bool is_ipv6)
{
    struct receiver *r = mem_new(1, sizeof(*r));
    r->script = script;
    r->arg = arg;
    r->ssl = ssl;
    r->fd = listen_on(is_ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM, &r->port);
    if (r->fd < 0) {
        free(r);
        return NULL;
    }
    if (pthread_create(&r->thread, NULL, receiver_main, r) != 0)
        abort();
    return r;
}

int
receiver_port(const struct receiver *r)
{
    return r->port;
}

int
receiver_connections(const struct receiver *r)
{
    return r->connections;
}

void
receiver_stop(struct receiver *r)
{
    (void) shutdown(r->fd, SHUT_RDWR); /* wakes accept */
    (void) pthread_join(r->thread, NULL);
    close(r->fd);
    free(r);
}

static ssize_t
peer_read(struct peer *p, void *out, size_t cap)
{
    if (p->ssl != NULL)
        return SSL_read(p->ssl, out, (int) cap);
    return recv(p->fd, out, cap, 0);
}

static size_t
content_length(const char *head)
{
    const char *at = strcasestr(head, "\r\nContent-Length:");
    return at == NULL ? 0 : (size_t) strtoul(at + 17, NULL, 10);
}

bool
peer_read_request(struct peer *p, struct buf *out)
{
    char piece[16384];
    buf_clear(out);
    for (;;) {
        const char *text = buf_cstr(out), *end = strstr(text, "\r\n\r\n");
        if (end != NULL && out->len >= (size_t) (end - text) + 4 + content_length(text))
            return true;
        ssize_t n = peer_read(p, piece, sizeof(piece));
        if (n <= 0)
            return false;
        buf_add(out, piece, (size_t) n);
    }
}

void
peer_write(struct peer *p, const void *data, size_t len)
{
    const char *at = data;
    while (len > 0) {
        ssize_t n =
            p->ssl != NULL ? SSL_write(p->ssl, at, (int) len) : send(p->fd, at, len, MSG_NOSIGNAL);
        if (n <= 0)
            return;
        at += n;
        len -= (size_t) n;
    }
}

void
peer_say(struct peer *p, const char *text)
{
    peer_write(p, text, strlen(text));
}

void
peer_wait_for_close(struct peer *p)
{
    char piece[4096];
    while (peer_read(p, piece, sizeof(piece)) > 0) {
    }
}

void
peer_close(struct peer *p)
{
    close(p->fd);
    p->fd = -1;
}

void
peer_reset(struct peer *p)
{
    struct linger now = {1, 0};
    (void) setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    peer_close(p);
}

/* --- names ----------------------------------------------------------------------------- */

struct name_server {
    int fd, tcp_fd, port;
    char address[32];
    dns_fn *answer;
    void *arg;
    pthread_t thread, tcp_thread;
    atomic_bool is_stopping;
    atomic_int questions;
};

static bool
parse_question(struct dns_question *q, const unsigned char *packet, size_t len)
{
    size_t at = 12, n = 0;
    q->packet = packet;
    q->len = len;
    while (at < len && packet[at] != 0) {
        size_t label = packet[at++];
        if (at + label >= len || n + label + 2 > sizeof(q->name))
            return false;
        if (n > 0)
            q->name[n++] = '.';
        memcpy(q->name + n, packet + at, label);
        n += label;
        at += label;
    }
    q->name[n] = '\0';
    if (at + 5 > len)
        return false;
    q->type = packet[at + 1] << 8 | packet[at + 2];
    q->question_end = at + 5;
    return true;
}

static void *
name_server_main(void *arg)
{
    struct name_server *s = arg;
    unsigned char packet[1500];
    struct sockaddr_in from;
    socklen_t from_len = sizeof(from);
    for (;;) {
        ssize_t n =
            recvfrom(s->fd, packet, sizeof(packet), 0, (struct sockaddr *) &from, &from_len);
        struct dns_question q = {0};
        struct buf out = BUF_INIT;
        if (s->is_stopping)
            return NULL;
        if (n < 12 || !parse_question(&q, packet, (size_t) n))
            continue;
        s->questions++;
        s->answer(&q, &out, s->arg);
        if (out.len > 0)
            (void) sendto(s->fd, out.data, out.len, 0, (struct sockaddr *) &from, from_len);
        buf_done(&out);
    }
}

static void
serve_tcp_question(struct name_server *s, int fd)
{
    unsigned char packet[1500], prefix[2];
    struct dns_question q = {.is_tcp = true};
    struct buf out = BUF_INIT, whole = BUF_INIT;
    if (recv(fd, prefix, 2, MSG_WAITALL) != 2)
        return;
    size_t len = (size_t) prefix[0] << 8 | prefix[1];
    if (len < 12 || len > sizeof(packet) || recv(fd, packet, len, MSG_WAITALL) != (ssize_t) len ||
        !parse_question(&q, packet, len))
        return;
    s->questions++;
    s->answer(&q, &out, s->arg);
    if (out.len > 0) {
        buf_add_char(&whole, (char) (out.len >> 8));
        buf_add_char(&whole, (char) (out.len & 255));
        buf_add_str(&whole, buf_str(&out));
        (void) send(fd, whole.data, whole.len, MSG_NOSIGNAL);
    }
    buf_done(&out);
    buf_done(&whole);
}

static void *
name_server_tcp_main(void *arg)
{
    struct name_server *s = arg;
    int fd;
    while ((fd = accept4(s->tcp_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
        serve_tcp_question(s, fd);
        close(fd);
    }
    return NULL;
}

/* The same port of both. */
static void
name_server_listen(struct name_server *s)
{
    struct sockaddr_in self = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    for (int i = 0; i < 50; i++) {
        s->fd = listen_on(AF_INET, SOCK_DGRAM, &s->port);
        s->tcp_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        self.sin_port = htons((uint16_t) s->port);
        if (s->fd >= 0 && bind(s->tcp_fd, (struct sockaddr *) &self, sizeof(self)) == 0 &&
            listen(s->tcp_fd, 64) == 0)
            return;
        close(s->fd);
        close(s->tcp_fd);
    }
    abort();
}

struct name_server *
name_server_start(dns_fn *answer, void *arg)
{
    struct name_server *s = mem_new(1, sizeof(*s));
    s->answer = answer;
    s->arg = arg;
    name_server_listen(s);
    (void) snprintf(s->address, sizeof(s->address), "127.0.0.1:%d", s->port);
    if (pthread_create(&s->thread, NULL, name_server_main, s) != 0 ||
        pthread_create(&s->tcp_thread, NULL, name_server_tcp_main, s) != 0)
        abort();
    return s;
}

const char *
name_server_address(const struct name_server *s)
{
    return s->address;
}

int
name_server_questions(const struct name_server *s)
{
    return s->questions;
}

void
name_server_stop(struct name_server *s)
{
    struct sockaddr_in self = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t) s->port),
                               .sin_addr = {htonl(INADDR_LOOPBACK)}};
    s->is_stopping = true;
    (void) sendto(s->fd, "", 1, 0, (struct sockaddr *) &self, sizeof(self)); /* wakes it */
    (void) pthread_join(s->thread, NULL);
    (void) shutdown(s->tcp_fd, SHUT_RDWR); /* wakes accept */
    (void) pthread_join(s->tcp_thread, NULL);
    close(s->fd);
    close(s->tcp_fd);
    free(s);
}

static void
add_u16(struct buf *out, unsigned n)
{
    buf_add_char(out, (char) (n >> 8));
    buf_add_char(out, (char) (n & 255));
}

void
dns_begin(struct buf *out, const struct dns_question *q, unsigned flags, int n_answers)
{
    buf_add(out, q->packet, 2);
    add_u16(out, 0x8180 | flags);
    add_u16(out, 1);
    add_u16(out, (unsigned) n_answers);
    add_u16(out, 0);
    add_u16(out, 0);
    buf_add(out, q->packet + 12, q->question_end - 12);
}

void
dns_add(struct buf *out, const char *address, unsigned ttl_s)
{
    unsigned char bytes[16];
    bool is_v4 = inet_pton(AF_INET, address, bytes) == 1;
    if (!is_v4 && inet_pton(AF_INET6, address, bytes) != 1)
        abort();
    add_u16(out, 0xC00C);
    add_u16(out, is_v4 ? 1 : 28);
    add_u16(out, 1);
    add_u16(out, ttl_s >> 16);
    add_u16(out, ttl_s & 0xFFFF);
    add_u16(out, is_v4 ? 4 : 16);
    buf_add(out, bytes, is_v4 ? 4 : 16);
}
