/* The bare limit of deliveries: evhttp client connections that POST the same body again and again,
 * each its next request when the last is answered. Usage: caller SECONDS CONNECTIONS BODY_BYTES
 * PORT...: so many connections to each port; prints the requests per second and the CPU time of
 * each in microseconds. Headers as taskhook sends them, TCP_NODELAY as it sets it. For measuring
 * only. */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

static struct event_base *base;
static char *body;
static size_t body_bytes;
static long answered;

static void send_request(struct evhttp_connection *c);

static void
on_answer(struct evhttp_request *req, void *arg)
{
    if (req == NULL || evhttp_request_get_response_code(req) != 200) {
        fprintf(stderr, "caller: a request failed\n");
        exit(1);
    }
    answered++;
    send_request(arg);
}

static void
send_request(struct evhttp_connection *c)
{
    struct evhttp_request *req = evhttp_request_new(on_answer, c);
    struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
    evhttp_add_header(headers, "Host", "127.0.0.1:12345");
    evhttp_add_header(headers, "Content-Encoding", "gzip");
    evhttp_add_header(headers, "Content-Type", "application/x-ndjson");
    evhttp_add_header(headers, "webhook-id", "0190b3c0-7f2a-7000-8000-000000000000");
    evhttp_add_header(headers, "webhook-sequence", "123456");
    evhttp_add_header(headers, "User-Agent", "taskhook");
    evbuffer_add_reference(evhttp_request_get_output_buffer(req), body, body_bytes, NULL, NULL);
    if (evhttp_make_request(c, req, EVHTTP_REQ_POST, "/") != 0)
        exit(1);
}

static void
connect_to(int port)
{
    struct sockaddr_in sin = {.sin_family = AF_INET,
                              .sin_port = htons((uint16_t) port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *) &sin, sizeof(sin)) != 0)
        exit(1);
    (void) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    (void) evutil_make_socket_nonblocking(fd);
    struct bufferevent *bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    struct evhttp_connection *c =
        evhttp_connection_base_bufferevent_new(base, NULL, bev, "127.0.0.1", (uint16_t) port);
    send_request(c);
}

static double
cpu_us(void)
{
    struct rusage u;
    (void) getrusage(RUSAGE_SELF, &u);
    return (double) (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
           (double) (u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static double
now_s(void)
{
    struct timespec ts;
    (void) clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: caller SECONDS CONNECTIONS BODY_BYTES PORT...\n");
        return 2;
    }
    (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
    struct timeval seconds = {.tv_sec = atoi(argv[1])};
    struct event_config *config = event_config_new();
    (void) event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
    base = event_base_new_with_config(config);
    body_bytes = strtoul(argv[3], NULL, 10);
    body = calloc(1, body_bytes + 1);
    for (int i = 0; i < atoi(argv[2]) * (argc - 4); i++)
        connect_to(atoi(argv[4 + i % (argc - 4)]));
    double began_s = now_s(), began_cpu_us = cpu_us();
    (void) event_base_loopexit(base, &seconds);
    (void) event_base_dispatch(base);
    printf("%.1f %.2f\n", (double) answered / (now_s() - began_s),
           (cpu_us() - began_cpu_us) / (double) answered);
    return 0;
}
