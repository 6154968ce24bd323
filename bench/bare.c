/* The bare limit: an evhttp server with a fixed JSON reply of N bytes for every request, tuned like
 * taskhook's (no delay, backlog, change list), optionally over TLS. Usage: bare REPLY_BYTES [CERT
 * KEY]; prints its port. */
#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

static struct event_base *base;
static SSL_CTX *tls;
static char *reply;
static size_t reply_bytes;

static void
on_request(struct evhttp_request *req, void *arg)
{
    (void) arg;
    struct evbuffer *body = evbuffer_new();
    evbuffer_add_reference(body, reply, reply_bytes, NULL, NULL);
    evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type", "application/json");
    evhttp_send_reply(req, 200, "OK", body);
    evbuffer_free(body);
}

static struct bufferevent *
new_tls_connection(struct event_base *b, void *arg)
{
    (void) arg;
    return bufferevent_openssl_socket_new(b, -1, SSL_new(tls), BUFFEREVENT_SSL_ACCEPTING,
                                          BEV_OPT_CLOSE_ON_FREE);
}

int
main(int argc, char **argv)
{
    if (argc != 2 && argc != 4) {
        fprintf(stderr, "usage: bare REPLY_BYTES [CERT KEY]\n");
        return 2;
    }
    (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
    (void) signal(SIGPIPE, SIG_IGN);
    reply_bytes = strtoul(argv[1], NULL, 10);
    reply = malloc(reply_bytes + 1);
    memset(reply, 'x', reply_bytes);
    struct event_config *config = event_config_new();
    (void) event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
    base = event_base_new_with_config(config);
    struct evhttp *http = evhttp_new(base);
    evhttp_set_gencb(http, on_request, NULL);
    if (argc == 4) {
        tls = SSL_CTX_new(TLS_server_method());
        if (SSL_CTX_use_certificate_chain_file(tls, argv[2]) != 1 ||
            SSL_CTX_use_PrivateKey_file(tls, argv[3], SSL_FILETYPE_PEM) != 1)
            return 1;
        evhttp_set_bevcb(http, new_tls_connection, NULL);
    }
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct evconnlistener *listener =
        evconnlistener_new_bind(base, NULL, NULL, LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_FREE, 4096,
                                (struct sockaddr *) &sin, sizeof(sin));
    int one = 1;
    (void) setsockopt(evconnlistener_get_fd(listener), IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (evhttp_bind_listener(http, listener) == NULL)
        return 1;
    socklen_t len = sizeof(sin);
    (void) getsockname(evconnlistener_get_fd(listener), (struct sockaddr *) &sin, &len);
    printf("%d\n", ntohs(sin.sin_port));
    fflush(stdout);
    return event_base_dispatch(base);
}
