#pragma once
/* The names of a hosts file: for resolver.c. */
#include <stddef.h>
#include <stdint.h>

struct resolver_hosts {
    struct resolver_hosts_row {
        char *name;
        int family; /* AF_INET, AF_INET6 */
        uint8_t bytes[16];
    } * rows;
    size_t n;
};

/* Fills *hosts from the file; unreadable ones and bad lines give nothing. */
void resolver_hosts_read(struct resolver_hosts *hosts, const char *path);
void resolver_hosts_done(struct resolver_hosts *hosts);
