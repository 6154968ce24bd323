/* Latency at a fixed rate: GET PATH on one keep-alive connection a thousand times a second until
 * stdin closes, each sent at its planned moment whatever the earlier ones took (no coordinated
 * omission: a late answer makes the waiting ones late too, and they count). Usage: probe PORT PATH;
 * prints "count p50_us p99_us max_us". */
#include <arpa/inet.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { PERIOD_US = 1000, MAX_SAMPLES = 1 << 20 };

static uint32_t samples[MAX_SAMPLES];

static int64_t
now_us(void)
{
    struct timespec ts;
    (void) clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t) ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int
compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;
    return x < y ? -1 : x > y;
}

/* Reads one answer whose body ends with '}' (both servers answer with a JSON object, no newline
 * inside). */
static int
read_answer(int fd)
{
    char buffer[4096];
    size_t len = 0;
    while (len < sizeof(buffer) - 1) {
        ssize_t n = read(fd, buffer + len, sizeof(buffer) - 1 - len);
        if (n <= 0)
            return -1;
        len += (size_t) n;
        buffer[len] = '\0';
        char *body = strstr(buffer, "\r\n\r\n");
        if (body != NULL && body[4] != '\0' && buffer[len - 1] == '}')
            return 0;
    }
    return -1;
}

static int
stdin_is_closed(int64_t wait_us)
{
    struct pollfd p = {.fd = 0, .events = POLLIN};
    struct timespec ts = {wait_us / 1000000, wait_us % 1000000 * 1000};
    char c;
    return ppoll(&p, 1, wait_us > 0 ? &ts : &(struct timespec){0, 0}, NULL) > 0 &&
           read(0, &c, 1) <= 0;
}

int
main(int argc, char **argv)
{
    char request[512];
    if (argc != 3) {
        fprintf(stderr, "usage: probe PORT PATH\n");
        return 2;
    }
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_port = htons((uint16_t) atoi(argv[1]))};
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *) &sin, sizeof(sin)) != 0)
        return 1;
    int len =
        snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", argv[2]);
    size_t n = 0;
    for (int64_t due = now_us(); n < MAX_SAMPLES; due += PERIOD_US) {
        if (stdin_is_closed(due - now_us()))
            break;
        if (write(fd, request, (size_t) len) != len || read_answer(fd) != 0)
            return 1;
        samples[n++] = (uint32_t) (now_us() - due);
    }
    qsort(samples, n, sizeof(samples[0]), compare);
    if (n > 0)
        printf("%zu %u %u %u\n", n, samples[n / 2], samples[n * 99 / 100], samples[n - 1]);
    return 0;
}
