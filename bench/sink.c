/* Receivers of webhooks that cost as little as a receiver can: one epoll loop, a port for each
 * argument, which is its behaviour:
 *   ok       200 to everything
 *   fail     500 to everything
 *   flaky    500 to the first request of every fourth webhook-id, 200 to all others
 *   hang     reads and never answers
 *   trickle  answers with a byte a second, without an end
 * Usage: sink [-c COMMITS] [-o RECORDS] BEHAVIOUR...; prints the ports. A line on stdin prints
 * "requests first_ns last_ns head_bytes body_bytes" (monotonic; of the last request) and starts the
 * count anew. -o: one struct record a request; flushed by that line. -c: the file of libcommits.
 * For measuring only. */
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { PORTS_MAX = 64, BUFFER_BYTES = 256 * 1024, IDS_CAP = 1 << 20, ID_CAP = 48, EVENTS = 256 };
enum behaviour { OK, FAIL, FLAKY, HANG, TRICKLE, BEHAVIOURS };
static const char *const names[BEHAVIOURS] = {"ok", "fail", "flaky", "hang", "trickle"};

/* Read by bench/deliveries. */
struct record {
    int64_t at_ns, wall_ns; /* of the first byte; monotonic, and wall clock */
    int64_t commit_ns;      /* the end of the last commit before it; 0 without -c */
    int32_t port, status;
    char id[ID_CAP];
};

struct connection {
    struct connection *next; /* of those that get a byte a second */
    int fd, port;            /* port: index; -1: a listener, its index in the buffer's length */
    size_t len, n_sent;      /* n_sent: bytes of an answer without an end */
    int64_t first_ns, first_wall_ns, commit_ns;
    char *buffer;
};

static struct {
    int64_t requests, first_ns, last_ns;
    size_t head_bytes, body_bytes;
} seen;
static enum behaviour behaviours[PORTS_MAX];
static uint64_t ids[IDS_CAP], n_new_ids;
static struct connection *trickling;
static const volatile int64_t *commits;
static FILE *records;
static int epfd;

static int64_t
now_ns(clockid_t clock)
{
    struct timespec ts;
    (void) clock_gettime(clock, &ts);
    return (int64_t) ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void
watch(int fd, void *data)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = data};
    if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &e) != 0)
        exit(1);
}

static void
open_port(int i)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(sin);
    struct connection *c = calloc(1, sizeof(*c));
    int one = 1;
    *c = (struct connection){
        .fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), .port = -1, .len = (size_t) i};
    (void) setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (bind(c->fd, (struct sockaddr *) &sin, len) != 0 || listen(c->fd, 4096) != 0)
        exit(1);
    (void) getsockname(c->fd, (struct sockaddr *) &sin, &len);
    printf("%d ", ntohs(sin.sin_port));
    watch(c->fd, c);
}

static void
accept_all(const struct connection *listener)
{
    int fd;
    while ((fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        struct connection *c = calloc(1, sizeof(*c));
        c->fd = fd;
        c->port = (int) listener->len;
        c->buffer = malloc(BUFFER_BYTES);
        watch(fd, c);
    }
}

static void
close_connection(struct connection *c)
{
    for (struct connection **at = &trickling; *at != NULL; at = &(*at)->next) {
        if (*at == c) {
            *at = c->next;
            break;
        }
    }
    (void) close(c->fd);
    free(c->buffer);
    free(c);
}

static const char *
header(const char *head, const char *name)
{
    const char *at = strcasestr(head, name);
    return at == NULL ? NULL : at + strlen(name);
}

/* Whether that id was never seen before (FNV-1a; a table without deletion). */
static int
is_new_id(const char *id)
{
    uint64_t hash = 14695981039346656037ULL;
    for (; *id != '\0'; id++)
        hash = (hash ^ (uint8_t) *id) * 1099511628211ULL;
    for (uint64_t at = hash | 1;; at++) {
        uint64_t *slot = &ids[at % IDS_CAP];
        if (*slot == (hash | 1))
            return 0;
        if (*slot == 0 && n_new_ids < IDS_CAP / 2) {
            *slot = hash | 1;
            n_new_ids++;
            return 1;
        }
        if (*slot == 0)
            return 0;
    }
}

static int
status_of(enum behaviour b, const char *id)
{
    if (b == FLAKY)
        return is_new_id(id) && n_new_ids % 4 == 0 ? 500 : 200;
    return b == FAIL ? 500 : 200;
}

static void
answer(struct connection *c, int status)
{
    static const char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    static const char fail[] = "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n";
    const char *text = status == 200 ? ok : fail;
    if (behaviours[c->port] == HANG)
        return;
    if (behaviours[c->port] == TRICKLE) {
        c->next = trickling;
        trickling = c;
        return;
    }
    if (write(c->fd, text, strlen(text)) < 0)
        perror("sink");
}

static void
note(const struct connection *c, int status, const char *id)
{
    struct record r = {.at_ns = c->first_ns,
                       .wall_ns = c->first_wall_ns,
                       .commit_ns = c->commit_ns,
                       .port = c->port,
                       .status = status};
    (void) snprintf(r.id, sizeof(r.id), "%s", id);
    if (records != NULL)
        (void) fwrite(&r, sizeof(r), 1, records);
    seen.last_ns = c->first_ns;
    if (seen.requests++ == 0)
        seen.first_ns = c->first_ns;
}

/* Takes one whole request out of the buffer: 1, or 0 when more must be read. */
static int
take_request(struct connection *c)
{
    char id[ID_CAP] = "";
    c->buffer[c->len] = '\0';
    char *end = strstr(c->buffer, "\r\n\r\n");
    if (end == NULL)
        return 0;
    end[2] = '\0';
    const char *length = header(c->buffer, "\r\ncontent-length:");
    const char *id_at = header(c->buffer, "\r\nwebhook-id: ");
    size_t body = length == NULL ? 0 : strtoul(length, NULL, 10);
    size_t head = (size_t) (end + 4 - c->buffer);
    end[2] = '\r';
    if (c->len < head + body)
        return 0;
    if (id_at != NULL)
        (void) snprintf(id, sizeof(id), "%.*s", (int) strcspn(id_at, "\r"), id_at);
    int status = status_of(behaviours[c->port], id);
    note(c, status, id);
    seen.head_bytes = head;
    seen.body_bytes = body;
    c->len -= head + body;
    memmove(c->buffer, c->buffer + head + body, c->len);
    answer(c, status);
    return 1;
}

static void
on_readable(struct connection *c)
{
    ssize_t n = read(c->fd, c->buffer + c->len, BUFFER_BYTES - 1 - c->len);
    if (n <= 0) {
        close_connection(c);
        return;
    }
    if (c->len == 0) {
        c->first_ns = now_ns(CLOCK_MONOTONIC);
        c->first_wall_ns = records == NULL ? 0 : now_ns(CLOCK_REALTIME);
        c->commit_ns = commits == NULL ? 0 : *commits;
    }
    c->len += (size_t) n;
    while (c->len > 0 && take_request(c))
        ;
}

static void
trickle(int fd)
{
    static const char start[] = "HTTP/1.1 200 OK\r\nX: ";
    uint64_t n;
    if (read(fd, &n, sizeof(n)) < 0)
        return;
    for (struct connection *c = trickling; c != NULL; c = c->next) {
        c->n_sent++;
        if (c->n_sent <= sizeof(start) - 1)
            (void) send(c->fd, &start[c->n_sent - 1], 1, MSG_NOSIGNAL); /* its reading side tells */
        else
            (void) send(c->fd, "x", 1, MSG_NOSIGNAL);
    }
}

static void
report(void)
{
    char line[16];
    if (read(0, line, sizeof(line)) <= 0)
        exit(0);
    if (records != NULL)
        fflush(records);
    printf("%lld %lld %lld %zu %zu\n", (long long) seen.requests, (long long) seen.first_ns,
           (long long) seen.last_ns, seen.head_bytes, seen.body_bytes);
    fflush(stdout);
    memset(&seen, 0, sizeof(seen));
}

static void
run(int timer)
{
    static char on_stdin, on_timer;
    struct epoll_event events[EVENTS];
    watch(0, &on_stdin);
    watch(timer, &on_timer);
    for (;;) {
        int n = epoll_wait(epfd, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            if (events[i].data.ptr == &on_stdin)
                report();
            else if (events[i].data.ptr == &on_timer)
                trickle(timer);
            else if (c->port < 0)
                accept_all(c);
            else
                on_readable(c);
        }
    }
}

static void
map_commits(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    if (fd < 0 || ftruncate(fd, sizeof(*commits)) != 0)
        exit(1);
    commits = mmap(NULL, sizeof(*commits), PROT_READ, MAP_SHARED, fd, 0);
}

static int
parse_behaviour(const char *text)
{
    for (int b = 0; b < BEHAVIOURS; b++) {
        if (strcmp(text, names[b]) == 0)
            return b;
    }
    fprintf(stderr, "sink: no behaviour %s\n", text);
    exit(2);
}

int
main(int argc, char **argv)
{
    int option, timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct itimerspec second = {{1, 0}, {1, 0}};
    (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
    (void) timerfd_settime(timer, 0, &second, NULL);
    epfd = epoll_create1(0);
    while ((option = getopt(argc, argv, "c:o:")) != -1) {
        if (option == 'c')
            map_commits(optarg);
        else if (option != 'o' || (records = fopen(optarg, "wb")) == NULL)
            return 2;
    }
    for (int i = 0; optind + i < argc && i < PORTS_MAX; i++) {
        behaviours[i] = (enum behaviour) parse_behaviour(argv[optind + i]);
        open_port(i);
    }
    printf("\n");
    fflush(stdout);
    run(timer);
}
