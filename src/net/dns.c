/*
 * Questions to a recursive resolver.  glibc makes and sends them over UDP (res_nmkquery and
 * res_nsend, the two halves of res_nquery: its whole would not say how long an error answer is, and
 * its TCP knows no timeout); truncated answers are asked for again over TCP here, with the deadline
 * kept.  Answers are hostile: ns_parserr checks bounds, and what it yields is checked again.
 */
#include "net/dns.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <resolv.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "net/dns_cache.h"
#include "net/dns_decode.h"
#include "base/banned.h"

enum {
    DNS_PACKET = 65535,
    DNS_UDP_SIZE = 1232, /* EDNS: fits any path without fragments */
    DNS_TRY_MS = 3000,   /* then ask again */
    DNS_LINKS = 8,       /* of a CNAME chain */
    HEADER_TC = 0x02,    /* in byte 2 of a message (RFC 1035 4.1.1) */
    HEADER_AD = 0x20,    /* in byte 3 (RFC 4035 3.1.6) */
};

static struct {
    char server[46]; /* "": /etc/resolv.conf */
    uint16_t port;
    atomic_uint generation; /* threads set themselves up again when it has changed */
} config;

void dns_configure(const struct dns_options *options)
{
    snprintf(config.server, sizeof(config.server), "%s", options->server ? options->server : "");
    config.port = options->port ? options->port : NS_DEFAULTPORT;
    atomic_fetch_add(&config.generation, 1);
    dns_cache_empty();
}

/* ---- one thread's resolver ---- */

struct resolver {
    struct __res_state state;
    unsigned generation;
    bool ready;
    unsigned char answer[DNS_PACKET];
};

static pthread_key_t resolver_key;
static pthread_once_t resolver_once = PTHREAD_ONCE_INIT;

static void resolver_end(void *arg)
{
    struct resolver *r = arg;
    if (r->ready)
        res_nclose(&r->state);
    mem_free(r);
}

static void make_key(void)
{
    pthread_key_create(&resolver_key, resolver_end);
}

/* A fixed server instead of what /etc/resolv.conf says. */
static bool set_server(struct resolver *r)
{
    struct sockaddr_in *to = &r->state.nsaddr_list[0];
    for (int i = 0; i < r->state.nscount; i++)
        r->state.nsaddr_list[i].sin_port = htons(config.port ? config.port : NS_DEFAULTPORT);
    if (!config.server[0])
        return true;
    *to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(config.port)};
    if (inet_pton(AF_INET, config.server, &to->sin_addr) != 1)
        return false;
    r->state.nscount = 1;
    if (ntohl(to->sin_addr.s_addr) >> 24 == 127)
        r->state.options |= RES_TRUSTAD;
    return true;
}

/* NULL when there is no usable configuration. */
static struct resolver *resolver(void)
{
    pthread_once(&resolver_once, make_key);
    struct resolver *r = pthread_getspecific(resolver_key);
    if (!r) {
        r = mem_alloc(sizeof(*r));
        pthread_setspecific(resolver_key, r);
    }
    unsigned now = atomic_load(&config.generation);
    if (r->ready && r->generation == now)
        return r;
    if (r->ready)
        res_nclose(&r->state);
    memset(&r->state, 0, sizeof(r->state));
    r->generation = now;
    r->ready = res_ninit(&r->state) == 0;
    if (!r->ready || !set_server(r))
        return NULL;
    r->state.options |= RES_IGNTC | RES_USE_EDNS0 | RES_NOALIASES;
    r->state.options &= ~(unsigned long)(RES_DEFNAMES | RES_DNSRCH);
    return r;
}

/* ---- sending ---- */

/* Adds the OPT record (RFC 6891 6.1.2) and asks for the AD bit (RFC 6840 5.7). */
static int finish_query(unsigned char *query, int n, int size)
{
    static const unsigned char opt[] = {
        0, 0, ns_t_opt, DNS_UDP_SIZE >> 8, DNS_UDP_SIZE & 0xff, 0, 0, 0, 0, 0, 0};
    query[3] |= HEADER_AD;
    if (n + (int)sizeof(opt) > size)
        return n;
    memcpy(query + n, opt, sizeof(opt));
    query[11] = 1; /* ARCOUNT */
    return n + (int)sizeof(opt);
}

/* All n bytes to or from a socket, until the deadline. */
static bool transfer(int fd, bool out, unsigned char *bytes, size_t n, int64_t deadline_ms)
{
    while (n) {
        int64_t left = deadline_ms - clock_mono_ms();
        struct pollfd p = {.fd = fd, .events = out ? POLLOUT : POLLIN};
        if (left <= 0 || poll(&p, 1, left > INT32_MAX ? INT32_MAX : (int)left) <= 0)
            return false;
        ssize_t done = out ? send(fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT)
                           : recv(fd, bytes, n, MSG_DONTWAIT);
        if (done < 0 && errno == EAGAIN)
            continue;
        if (done <= 0)
            return false;
        bytes += done;
        n -= (size_t)done;
    }
    return true;
}

/* The answer of one server over TCP (RFC 7766): its length, or 0. */
static size_t ask_tcp(struct resolver *r, const struct sockaddr_in *to, unsigned char *query,
                      size_t n, int64_t deadline_ms)
{
    unsigned char length[2] = {(unsigned char)(n >> 8), (unsigned char)n};
    size_t got = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return 0;
    if ((connect(fd, (const struct sockaddr *)to, sizeof(*to)) == 0 || errno == EINPROGRESS) &&
        transfer(fd, true, length, sizeof(length), deadline_ms) &&
        transfer(fd, true, query, n, deadline_ms) &&
        transfer(fd, false, length, sizeof(length), deadline_ms)) {
        size_t size = (size_t)length[0] << 8 | length[1];
        if (size >= NS_HFIXEDSZ && transfer(fd, false, r->answer, size, deadline_ms) &&
            memcmp(r->answer, query, 2) == 0)
            got = size;
    }
    close(fd);
    return got;
}

/* The first answer over TCP; IPv6 servers have no place in nsaddr_list. */
static size_t ask_each_tcp(struct resolver *r, unsigned char *query, size_t n, int64_t deadline_ms)
{
    size_t got = 0;
    for (int i = 0; i < r->state.nscount && !got; i++)
        if (r->state.nsaddr_list[i].sin_family == AF_INET)
            got = ask_tcp(r, &r->state.nsaddr_list[i], query, n, deadline_ms);
    return got;
}

/* One question to the servers: the bytes of the answer, or 0 when none came in time. */
static size_t ask(struct resolver *r, const char *name, enum dns_type type, int64_t deadline_ms)
{
    unsigned char query[NS_PACKETSZ];
    int n = res_nmkquery(&r->state, ns_o_query, name, ns_c_in, (int)type, NULL, 0, NULL, query,
                         sizeof(query));
    if (n <= 0)
        return 0;
    n = finish_query(query, n, sizeof(query));
    int64_t left = deadline_ms - clock_mono_ms();
    if (left <= 0)
        return 0;
    /* glibc waits whole seconds: retrans for the first round, twice that for the second. */
    r->state.retrans = left < 3 * DNS_TRY_MS ? (int)(left / 3000) + 1 : DNS_TRY_MS / 1000;
    r->state.retry = left < 2000 ? 1 : 2;
    int got = res_nsend(&r->state, query, n, r->answer, DNS_PACKET);
    if (got < NS_HFIXEDSZ || got > DNS_PACKET)
        return 0;
    if (r->answer[2] & HEADER_TC)
        return ask_each_tcp(r, query, (size_t)n, deadline_ms);
    return (size_t)got;
}

/* ---- asking ---- */

static bool trusted(const struct resolver *r)
{
    return r->state.options & RES_TRUSTAD;
}

/* Asks name, and on through the chain where the resolver did not follow it. */
static void resolve(struct arena *a, struct resolver *r, slice name, enum dns_type type,
                    int64_t deadline_ms, struct dns_answer *out)
{
    bool authentic = true;
    uint32_t ttl_s = UINT32_MAX;
    for (int link = 0; link < DNS_LINKS; link++) {
        const char *text = arena_cstr(a, name);
        size_t n = text ? ask(r, text, type, deadline_ms) : 0;
        *out = (struct dns_answer){.status = DNS_TEMPFAIL, .canonical = name};
        if (!n)
            return;
        slice next = dns_decode(a, (slice){(const char *)r->answer, n}, name, type, out);
        if (out->status == DNS_TEMPFAIL)
            return;
        authentic &= out->authentic && trusted(r);
        ttl_s = out->ttl_s < ttl_s ? out->ttl_s : ttl_s;
        out->authentic = authentic;
        out->ttl_s = ttl_s;
        if (!next.n)
            return;
        name = next;
    }
    *out = (struct dns_answer){.status = DNS_TEMPFAIL, .canonical = name}; /* a loop */
}

void dns_query(struct arena *a, slice name, enum dns_type type, int64_t deadline_ms,
               struct dns_answer *out)
{
    *out = (struct dns_answer){.status = DNS_TEMPFAIL, .canonical = name};
    slice lower = dns_lower(a, name);
    if (!lower.n) { /* such a name cannot exist */
        out->status = DNS_NXDOMAIN;
        return;
    }
    if (dns_cache_get(a, lower, type, out))
        return;
    struct resolver *r = resolver();
    if (!r)
        return;
    resolve(a, r, lower, type, deadline_ms, out);
    if (out->status != DNS_TEMPFAIL)
        dns_cache_put(lower, type, out);
}

slice dns_reverse_name(struct arena *a, slice ip)
{
    unsigned char b[16];
    const char *text = arena_cstr(a, ip);
    if (text && inet_pton(AF_INET, text, b) == 1)
        return arena_printf(a, "%u.%u.%u.%u.in-addr.arpa", b[3], b[2], b[1], b[0]);
    if (!text || inet_pton(AF_INET6, text, b) != 1)
        return S("");
    char nibbles[65];
    for (size_t i = 0; i < 16; i++)
        snprintf(nibbles + 4 * i, 5, "%x.%x.", b[15 - i] & 15, b[15 - i] >> 4);
    return arena_printf(a, "%sip6.arpa", nibbles);
}
