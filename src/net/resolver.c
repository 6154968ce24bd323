/* Asynchronous name resolution. Owns the evdns base, the hosts file's names and a small cache of
 * answers; must not know what the addresses are for, nor judge them. Entered through
 * resolver_start() and evdns callbacks; calls back only from the loop's own timers. */
#include "net/resolver.h"

#include <arpa/inet.h>
#include <event2/dns.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/resolver_hosts.h"
#include "net/resolver_tcp.h"

enum {
    SKEW_MS = 300, /* how long an answer of one family waits for the other */
    CACHE_ENTRIES = 256,
    RESOLVER_CACHE_MAX_S = 30,
    NAME_MAX_LEN = 253,
    LABEL_MAX_LEN = 63,
};

struct addresses {
    struct sockaddr_storage *list; /* at most RESOLVER_MAX_ADDRESSES */
    size_t n;
};

struct cache_entry {
    char *name; /* NULL: free */
    int64_t expires_us;
    struct sockaddr_storage *list;
    size_t n;
};

struct resolver {
    struct loop *loop;
    char *nameserver, *hosts_path;
    struct dns *dns;
    struct resolver_lookup *lookups;
    struct cache_entry *cache; /* CACHE_ENTRIES */
};

/* One generation of the configuration; kept until its last query ended. */
struct dns {
    struct loop *loop;
    struct evdns_base *base;
    struct resolver_hosts hosts;
    int n_queries;
    bool is_retired;
};

/* One question on its way. evdns calls back even for a canceled one, so it outlives the lookup. */
struct query {
    struct resolver_lookup *lookup; /* NULL: nobody waits */
    struct dns *dns;
    int family;
    struct evdns_request *request; /* NULL once the answer has come, truncated: */
    struct resolver_tcp *tcp;      /* it is being asked for again */
};

struct resolver_lookup {
    struct resolver *resolver;
    struct resolver_lookup *next, **link;
    char *name;
    resolver_fn *fn;
    void *arg;
    struct query *queries[2]; /* A, AAAA; NULL when ended */
    struct addresses found;
    const char *error;
    uint32_t ttl_s;
    struct loop_timer timer; /* the skew, or the next turn for answers known at once */
};

/* --- the configuration ----------------------------------------------------------------------- */

static const struct {
    const char *option, *value;
} evdns_options[] = {
    {"timeout:", "2"},
    {"attempts:", "2"},
    {"max-inflight:", "1024"},
    {"randomize-case:", "0"}, /* some servers answer with the case they like */
    {"initial-probe-timeout:", "2"},
};

static void
dns_free(void *arg)
{
    struct dns *d = arg;
    if (d->base != NULL)
        evdns_base_free(d->base, 1);
    resolver_hosts_done(&d->hosts);
    free(d);
}

/* Not from inside an evdns callback: the base is still in use there. */
static void
dns_retire(struct dns *d)
{
    d->is_retired = true;
    if (d->n_queries == 0)
        loop_defer(d->loop, dns_free, d);
}

static int
dns_configure(struct dns *d, const struct resolver *r)
{
    if (r->nameserver != NULL) {
        if (evdns_base_nameserver_ip_add(d->base, r->nameserver) != 0)
            return -1;
    } else {
        /* The hosts file is read by ourselves; without nameservers evdns takes 127.0.0.1. */
        int rc = evdns_base_resolv_conf_parse(
            d->base, DNS_OPTION_SEARCH | DNS_OPTION_NAMESERVERS | DNS_OPTION_MISC,
            "/etc/resolv.conf");
        if (rc != 0)
            log_warn("resolver", "resolv.conf is not usable, names will not resolve code=%d", rc);
    }
    for (size_t i = 0; i < sizeof(evdns_options) / sizeof(evdns_options[0]); i++)
        if (evdns_base_set_option(d->base, evdns_options[i].option, evdns_options[i].value) != 0)
            return -1;
    return 0;
}

static struct dns *
dns_new(struct resolver *r, struct err *err)
{
    struct dns *d = mem_new(1, sizeof(*d));
    d->loop = r->loop;
    d->base = evdns_base_new(loop_base(r->loop), EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (d->base == NULL || dns_configure(d, r) < 0) {
        (void) err_set(err, ERR_INTERNAL, "cannot set up name resolution");
        dns_free(d);
        return NULL;
    }
    resolver_hosts_read(&d->hosts, r->hosts_path);
    return d;
}

struct resolver *
resolver_new(struct loop *l, const struct resolver_conf *conf, struct err *err)
{
    struct resolver *r = mem_new(1, sizeof(*r));
    r->loop = l;
    r->nameserver = mem_strdup(conf->nameserver);
    r->hosts_path = mem_strdup(conf->hosts_path != NULL ? conf->hosts_path : "/etc/hosts");
    r->cache = mem_new(CACHE_ENTRIES, sizeof(*r->cache));
    r->dns = dns_new(r, err);
    if (r->dns == NULL) {
        resolver_free(r);
        return NULL;
    }
    return r;
}

static void
cache_entry_clear(struct cache_entry *e)
{
    free(e->name);
    free(e->list);
    *e = (struct cache_entry){0};
}

static void
cache_clear(struct resolver *r)
{
    for (size_t i = 0; i < CACHE_ENTRIES; i++)
        cache_entry_clear(&r->cache[i]);
}

void
resolver_free(struct resolver *r)
{
    if (r == NULL)
        return;
    while (r->lookups != NULL)
        resolver_cancel(r->lookups);
    if (r->dns != NULL)
        dns_retire(r->dns);
    cache_clear(r);
    free(r->cache);
    free(r->nameserver);
    free(r->hosts_path);
    free(r);
}

int
resolver_reload(struct resolver *r, struct err *err)
{
    struct dns *d = dns_new(r, err);
    if (d == NULL)
        return -1;
    dns_retire(r->dns);
    r->dns = d;
    cache_clear(r);
    return 0;
}

/* --- the cache ------------------------------------------------------------------------------- */

static struct cache_entry *
cache_find(struct resolver *r, const char *name)
{
    for (size_t i = 0; i < CACHE_ENTRIES; i++)
        if (r->cache[i].name != NULL && strcmp(r->cache[i].name, name) == 0)
            return &r->cache[i];
    return NULL;
}

/* The entry of that name, a free one, or the one that expires first. */
static struct cache_entry *
cache_slot(struct resolver *r, const char *name)
{
    struct cache_entry *slot = cache_find(r, name);
    for (size_t i = 0; slot == NULL && i < CACHE_ENTRIES; i++)
        if (r->cache[i].name == NULL)
            slot = &r->cache[i];
    if (slot != NULL)
        return slot;
    slot = &r->cache[0];
    for (size_t i = 1; i < CACHE_ENTRIES; i++)
        if (r->cache[i].expires_us < slot->expires_us)
            slot = &r->cache[i];
    return slot;
}

static void
cache_put(struct resolver *r, const struct resolver_lookup *lookup)
{
    uint32_t ttl_s = lookup->ttl_s < RESOLVER_CACHE_MAX_S ? lookup->ttl_s : RESOLVER_CACHE_MAX_S;
    if (ttl_s == 0)
        return;
    struct cache_entry *e = cache_slot(r, lookup->name);
    cache_entry_clear(e);
    e->name = mem_strdup(lookup->name);
    e->expires_us = clock_mono_us() + (int64_t) ttl_s * 1000000;
    e->n = lookup->found.n;
    e->list = mem_new(e->n, sizeof(*e->list));
    memcpy(e->list, lookup->found.list, e->n * sizeof(*e->list));
}

void
resolver_forget(struct resolver *r, const char *name)
{
    struct cache_entry *e = cache_find(r, name);
    if (e != NULL)
        cache_entry_clear(e);
}

/* --- a lookup -------------------------------------------------------------------------------- */

static void
add_address(struct addresses *to, int family, const void *bytes)
{
    if (to->n == RESOLVER_MAX_ADDRESSES)
        return;
    to->list = mem_grow(to->list, to->n + 1, sizeof(*to->list));
    struct sockaddr_storage *ss = &to->list[to->n++];
    memset(ss, 0, sizeof(*ss));
    ss->ss_family = (sa_family_t) family;
    if (family == AF_INET)
        memcpy(&((struct sockaddr_in *) ss)->sin_addr, bytes, 4);
    else
        memcpy(&((struct sockaddr_in6 *) ss)->sin6_addr, bytes, 16);
}

static void
query_end(struct query *q)
{
    struct dns *d = q->dns;
    d->n_queries--;
    if (d->is_retired && d->n_queries == 0)
        loop_defer(d->loop, dns_free, d);
    free(q);
}

static void
lookup_cancel_queries(struct resolver_lookup *lookup)
{
    for (int i = 0; i < 2; i++) {
        struct query *q = lookup->queries[i];
        lookup->queries[i] = NULL;
        if (q == NULL)
            continue;
        q->lookup = NULL;
        if (q->tcp == NULL) {
            evdns_cancel_request(q->dns->base, q->request); /* its callback comes and ends q */
        } else {
            resolver_tcp_cancel(q->tcp);
            query_end(q);
        }
    }
}

static void
lookup_free(struct resolver_lookup *lookup)
{
    lookup_cancel_queries(lookup);
    *lookup->link = lookup->next;
    if (lookup->next != NULL)
        lookup->next->link = lookup->link;
    loop_timer_done(&lookup->timer);
    free(lookup->found.list);
    free(lookup->name);
    free(lookup);
}

void
resolver_cancel(struct resolver_lookup *lookup)
{
    lookup_free(lookup);
}

/* The timer is part of the lookup and its callback is running: freed when that is over. */
static void
lookup_free_later(void *arg)
{
    struct resolver_lookup *lookup = arg;
    loop_timer_done(&lookup->timer);
    free(lookup->found.list);
    free(lookup->name);
    free(lookup);
}

static void
on_lookup_timer(void *arg)
{
    struct resolver_lookup *lookup = arg;
    struct resolver *r = lookup->resolver;
    lookup_cancel_queries(lookup);
    *lookup->link = lookup->next;
    if (lookup->next != NULL)
        lookup->next->link = lookup->link;
    struct loop *l = r->loop;
    loop_defer(l, lookup_free_later, lookup);
    lookup->fn(lookup->arg, lookup->found.list, lookup->found.n,
               lookup->found.n > 0 ? NULL : lookup->error);
}

/* What DNS said, worst news last: of two errors the later row is told. */
static const struct {
    int code;
    const char *text;
} dns_errors[] = {
    {DNS_ERR_NODATA, "the host name has no address"},
    {DNS_ERR_TIMEOUT, "no answer from the name server"},
    {DNS_ERR_SERVERFAILED, "the name server failed"},
    {DNS_ERR_REFUSED, "the name server refused to answer"},
    {DNS_ERR_NOTIMPL, "the name server does not support the question"},
    {DNS_ERR_FORMAT, "the name server did not understand the question"},
    {DNS_ERR_TRUNCATED, "the name server's answer is truncated, and none came over TCP"},
    {DNS_ERR_NOTEXIST, "no such host"},
};

enum { N_DNS_ERRORS = sizeof(dns_errors) / sizeof(dns_errors[0]) };

static int
error_rank(const char *text)
{
    for (int i = 0; i < N_DNS_ERRORS; i++)
        if (text == dns_errors[i].text)
            return i;
    return -1;
}

static void
note_error(struct resolver_lookup *lookup, int code)
{
    const char *text = "the name server's answer makes no sense";
    for (int i = 0; i < N_DNS_ERRORS; i++)
        if (dns_errors[i].code == code)
            text = dns_errors[i].text;
    if (lookup->error == NULL || error_rank(text) > error_rank(lookup->error))
        lookup->error = text;
}

static void
note_answer(struct resolver_lookup *lookup, int family, const struct dns_answer *answer)
{
    size_t size = family == AF_INET ? 4 : 16;
    for (size_t i = 0; i < answer->n; i++)
        add_address(&lookup->found, family, answer->addresses + i * size);
    if (answer->ttl_s < lookup->ttl_s)
        lookup->ttl_s = answer->ttl_s;
}

/* One family has ended: report now, wait a moment for the other, or wait for all of it. */
static void
lookup_proceed(struct resolver_lookup *lookup, bool is_final)
{
    bool is_waiting = lookup->queries[0] != NULL || lookup->queries[1] != NULL;
    if (is_waiting && !is_final) {
        if (lookup->found.n > 0)
            loop_timer_set_ms(&lookup->timer, SKEW_MS);
        return;
    }
    if (lookup->found.n > 0)
        cache_put(lookup->resolver, lookup);
    loop_timer_set_ms(&lookup->timer, 0);
}

/* Consumes q. result: one of evdns; the addresses only with DNS_ERR_NONE. */
static void
query_answered(struct query *q, int result, const struct dns_answer *answer)
{
    struct resolver_lookup *lookup = q->lookup;
    if (lookup != NULL) {
        lookup->queries[lookup->queries[0] == q ? 0 : 1] = NULL;
        if (result == DNS_ERR_NONE && answer->n > 0)
            note_answer(lookup, q->family, answer);
        else
            note_error(lookup, result == DNS_ERR_NONE ? DNS_ERR_NODATA : result);
        /* A name that does not exist has no address of the other family either. */
        lookup_proceed(lookup, result == DNS_ERR_NOTEXIST && lookup->found.n == 0);
    }
    query_end(q);
}

static void
on_tcp_answer(void *arg, const struct dns_answer *answer)
{
    query_answered(arg, answer != NULL ? answer->rcode : DNS_ERR_TRUNCATED, answer);
}

/* The answer did not fit a datagram: the same server is asked again over TCP. Not for names without
 * a dot, where evdns has gone through the search list and says not at which name it met that. */
static bool
ask_over_tcp(struct query *q)
{
    struct sockaddr_storage server;
    if (q->lookup == NULL || strchr(q->lookup->name, '.') == NULL)
        return false;
    int len = evdns_base_get_nameserver_addr(q->dns->base, 0, (struct sockaddr *) &server,
                                             sizeof(server));
    if (len <= 0 || (size_t) len > sizeof(server))
        return false;
    struct resolver_tcp_conf conf = {
        .loop = q->dns->loop,
        .server = (struct sockaddr *) &server,
        .server_len = len,
        .name = q->lookup->name,
        .type = q->family == AF_INET ? DNS_TYPE_A : DNS_TYPE_AAAA,
    };
    q->request = NULL;
    q->tcp = resolver_tcp_start(&conf, on_tcp_answer, q);
    return true;
}

static void
on_answer(int result, char type, int count, int ttl, void *data, void *arg)
{
    struct query *q = arg;
    struct dns_answer answer = {.ttl_s = ttl > 0 ? (uint32_t) ttl : 0};
    size_t size = type == DNS_IPv4_A ? 4 : 16;
    if (result == DNS_ERR_TRUNCATED && ask_over_tcp(q))
        return;
    if (result == DNS_ERR_NONE && count > 0) {
        answer.n = count < RESOLVER_MAX_ADDRESSES ? (size_t) count : RESOLVER_MAX_ADDRESSES;
        memcpy(answer.addresses, data, answer.n * size);
    }
    query_answered(q, result, &answer);
}

static struct query *
ask(struct resolver_lookup *lookup, int family)
{
    struct dns *d = lookup->resolver->dns;
    struct query *q = mem_new(1, sizeof(*q));
    *q = (struct query){.lookup = lookup, .dns = d, .family = family};
    /* Never calls back from inside: answers are deferred callbacks. */
    q->request = family == AF_INET
                     ? evdns_base_resolve_ipv4(d->base, lookup->name, 0, on_answer, q)
                     : evdns_base_resolve_ipv6(d->base, lookup->name, 0, on_answer, q);
    if (q->request == NULL) {
        free(q);
        note_error(lookup, DNS_ERR_UNKNOWN);
        return NULL;
    }
    d->n_queries++;
    return q;
}

static bool
is_dns_name(const char *name)
{
    struct str rest = str_from(name), label;
    if (rest.len == 0 || rest.len > NAME_MAX_LEN)
        return false;
    while (str_split(&rest, '.', &label))
        if (label.len == 0 || label.len > LABEL_MAX_LEN)
            return false;
    return true;
}

static bool
answer_numeric(struct resolver_lookup *lookup)
{
    uint8_t bytes[16];
    if (inet_pton(AF_INET, lookup->name, bytes) == 1)
        add_address(&lookup->found, AF_INET, bytes);
    else if (inet_pton(AF_INET6, lookup->name, bytes) == 1)
        add_address(&lookup->found, AF_INET6, bytes);
    return lookup->found.n > 0;
}

static bool
answer_hosts(struct resolver_lookup *lookup)
{
    const struct resolver_hosts *hosts = &lookup->resolver->dns->hosts;
    for (size_t i = 0; i < hosts->n; i++)
        if (strcasecmp(hosts->rows[i].name, lookup->name) == 0)
            add_address(&lookup->found, hosts->rows[i].family, hosts->rows[i].bytes);
    return lookup->found.n > 0;
}

bool
resolver_is_localhost(const char *name)
{
    struct str s = str_from(name), tail = STR(".localhost");
    if (s.len > 0 && s.data[s.len - 1] == '.')
        s.len--;
    return str_equal_nocase(s, STR("localhost")) ||
           (s.len > tail.len && str_equal_nocase(str_slice(s, s.len - tail.len, s.len), tail));
}

/* Names of this machine never go to a name server (RFC 6761). */
static bool
answer_localhost(struct resolver_lookup *lookup)
{
    static const uint8_t v4[4] = {127, 0, 0, 1}, v6[16] = {[15] = 1};
    bool is_local = resolver_is_localhost(lookup->name);
    if (is_local) {
        add_address(&lookup->found, AF_INET, v4);
        add_address(&lookup->found, AF_INET6, v6);
    }
    return is_local;
}

static bool
answer_cached(struct resolver_lookup *lookup)
{
    struct cache_entry *e = cache_find(lookup->resolver, lookup->name);
    if (e == NULL || clock_mono_us() >= e->expires_us)
        return false;
    lookup->found.n = e->n;
    lookup->found.list = mem_new(e->n, sizeof(*e->list));
    memcpy(lookup->found.list, e->list, e->n * sizeof(*e->list));
    return true;
}

static bool
answer_at_once(struct resolver_lookup *lookup)
{
    if (answer_numeric(lookup) || answer_hosts(lookup) || answer_localhost(lookup) ||
        answer_cached(lookup))
        return true;
    if (is_dns_name(lookup->name))
        return false;
    lookup->error = "not a valid host name";
    return true;
}

struct resolver_lookup *
resolver_start(struct resolver *r, const char *name, resolver_fn *fn, void *arg)
{
    struct resolver_lookup *lookup = mem_new(1, sizeof(*lookup));
    size_t len = strlen(name);
    if (len > 1 && name[len - 1] == '.')
        len--;
    lookup->resolver = r;
    lookup->name = mem_strndup(name, len);
    lookup->fn = fn;
    lookup->arg = arg;
    lookup->ttl_s = UINT32_MAX;
    lookup->next = r->lookups;
    lookup->link = &r->lookups;
    if (r->lookups != NULL)
        r->lookups->link = &lookup->next;
    r->lookups = lookup;
    loop_timer_init(&lookup->timer, r->loop, on_lookup_timer, lookup);
    if (!answer_at_once(lookup)) {
        lookup->queries[0] = ask(lookup, AF_INET);
        lookup->queries[1] = ask(lookup, AF_INET6);
    }
    if (lookup->queries[0] == NULL && lookup->queries[1] == NULL)
        loop_timer_set_ms(&lookup->timer, 0);
    return lookup;
}
