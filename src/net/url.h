#pragma once
/* URLs as the WHATWG URL Standard parses them, as far as webhooks need it (contract 7.3). */
#include <sys/socket.h>

#include "base/buf.h"

struct url {
    char *scheme;              /* lower case, without ':' */
    char *username, *password; /* decoded not at all; NULL when absent */
    char *host; /* lower case; IPv4 in dotted form (decimal, octal, hex spellings resolved); IPv6
                 * without brackets;
                 * "" for URLs without one */
    bool host_is_ipv4, host_is_ipv6;
    int port;    /* -1: none given or the scheme's default */
    char *path;  /* with the leading '/', percent-encoded where the standard does; opaque path for
                    mailto: */
    char *query; /* without '?'; NULL when absent */
    char *fragment;     /* without '#'; NULL when absent; never sent */
    bool has_authority; /* written with "//" */
    bool is_special;    /* http, https, ws, wss, ftp, file */
};
#define URL_INIT ((struct url){0})

/* 0, or -1 with the reason in upstream's words appended to why ("relative URL without a base",
 * "empty host", ...). */
int url_parse(struct str text, struct url *ret, struct buf *why);
void url_done(struct url *u);
bool url_is_http(const struct url *u); /* http or https */
/* The address that the host spells out; false for a name. */
bool url_literal_address(const struct url *u, struct sockaddr_storage *ret);
int url_effective_port(const struct url *u); /* 80 / 443 by scheme when none; -1 unknown */
void url_write(struct buf *out,
               const struct url *u); /* normalised, as contract 7.1 shows the command line's URL */
void url_write_origin_form(struct buf *out,
                           const struct url *u); /* "/path?query" for the request line */
void url_write_host_header(struct buf *out,
                           const struct url *u); /* "host", "host:8080", "[::1]:8080" */
/* The same without user name, password and query: for logs. */
void url_write_redacted(struct buf *out, const struct url *u);
