/* Reads /etc/hosts once per configuration; knows nothing of DNS. */
#include "net/resolver_hosts.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum { MAX_ROWS = 10000 };

static void
add_row(struct resolver_hosts *hosts, const char *name, int family, const uint8_t *bytes)
{
    if (hosts->n == MAX_ROWS)
        return;
    hosts->rows = mem_grow(hosts->rows, hosts->n + 1, sizeof(*hosts->rows));
    struct resolver_hosts_row *row = &hosts->rows[hosts->n++];
    *row = (struct resolver_hosts_row){.name = mem_strdup(name), .family = family};
    memcpy(row->bytes, bytes, family == AF_INET ? 4 : 16);
}

static void
read_line(struct resolver_hosts *hosts, char *line)
{
    static const char blanks[] = " \t\r\n";
    uint8_t bytes[16];
    char *state;
    line[strcspn(line, "#")] = '\0';
    char *address = strtok_r(line, blanks, &state);
    if (address == NULL)
        return;
    int family = strchr(address, ':') != NULL ? AF_INET6 : AF_INET;
    if (inet_pton(family, address, bytes) != 1)
        return;
    for (char *name; (name = strtok_r(NULL, blanks, &state)) != NULL;)
        add_row(hosts, name, family, bytes);
}

void
resolver_hosts_read(struct resolver_hosts *hosts, const char *path)
{
    *hosts = (struct resolver_hosts){0};
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return;
    char *line = NULL;
    size_t cap = 0;
    while (getline(&line, &cap, f) >= 0)
        read_line(hosts, line);
    free(line);
    (void) fclose(f); /* only read */
}

void
resolver_hosts_done(struct resolver_hosts *hosts)
{
    for (size_t i = 0; i < hosts->n; i++)
        free(hosts->rows[i].name);
    free(hosts->rows);
    *hosts = (struct resolver_hosts){0};
}
