/*
 * From a domain to the servers that take its mail (RFC 5321 5.1, RFC 7505, RFC 3974; rule S30): MX
 * in order of preference, equal ones shuffled; no MX: the domain itself; null MX: never; MX that
 * lead nowhere: an error, never a fallback to A.  When we are in the list, our level and the worse
 * ones are dropped.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/rand.h"
#include "deliver/internal.h"
#include "net/dns.h"

#include "base/banned.h"

bool ip_is_private(slice ip)
{
    char text[INET6_ADDRSTRLEN + 1];
    unsigned char x[16];
    if (ip.n >= sizeof(text))
        return true;
    memcpy(text, ip.p, ip.n);
    text[ip.n] = '\0';
    if (inet_pton(AF_INET6, text, x) == 1) {
        static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
        static const unsigned char zero[15];
        if (memcmp(x, mapped, sizeof(mapped)) != 0)
            return memcmp(x, zero, 15) == 0 /* ::, ::1 */ || (x[0] & 0xfe) == 0xfc ||
                   (x[0] == 0xfe && (x[1] & 0xc0) == 0x80) || x[0] == 0xff;
        memmove(x, x + 12, 4);
    } else if (inet_pton(AF_INET, text, x) != 1) {
        return true;
    }
    return x[0] == 0 || x[0] == 10 || x[0] == 127 || (x[0] == 169 && x[1] == 254) ||
           (x[0] == 172 && (x[1] & 0xf0) == 16) || (x[0] == 192 && x[1] == 168) ||
           (x[0] == 100 && (x[1] & 0xc0) == 64) || x[0] >= 224;
}

static slice print_ip(struct arena *a, enum dns_type type, slice raw)
{
    char text[INET6_ADDRSTRLEN];
    size_t want = type == DNS_A ? 4 : 16;
    if (raw.n != want || !inet_ntop(type == DNS_A ? AF_INET : AF_INET6, raw.p, text, sizeof(text)))
        return S("");
    return arena_dup(a, slice_c(text));
}

/* The address inside "[192.0.2.1]" or "[IPv6:…]", or a bare address; "" when host is a name. */
static slice literal_address(struct arena *a, slice host)
{
    unsigned char raw[16];
    if (slice_eat(&host, S("["))) {
        if (!slice_ends(host, S("]")))
            return S("");
        host.n--;
        slice_eat_icase(&host, S("IPv6:"));
    }
    const char *text = arena_cstr(a, host);
    bool is = text && (inet_pton(AF_INET, text, raw) == 1 || inet_pton(AF_INET6, text, raw) == 1);
    return is ? host : S("");
}

struct hop_list {
    struct hop *list;
    size_t count;
};

static void add_hop(struct arena *a, struct hop_list *h, slice name, slice ip,
                    const struct mx_options *o, size_t *refused)
{
    if (!o->allow_private && ip_is_private(ip)) {
        (*refused)++;
        return;
    }
    if (h->count >= MAX_HOPS || ip.n == 0)
        return;
    size_t capacity = h->count < 8 ? (h->count ? 8 : 0) : h->count;
    h->list = arena_grow(a, h->list, h->count, &capacity, sizeof(*h->list));
    h->list[h->count++] = (struct hop){.name = name, .ip = ip, .port = o->port};
}

/* A and AAAA of a host, alternating (RFC 3974); TEMPFAIL only when nothing is known for a passing
 * reason. */
static enum outcome host_addresses(struct arena *a, slice host, const struct mx_options *o,
                                   int64_t deadline_ms, struct hop_list *h, size_t *refused)
{
    struct dns_answer v4, v6;
    size_t before = h->count;
    dns_query(a, host, DNS_A, deadline_ms, &v4);
    dns_query(a, host, DNS_AAAA, deadline_ms, &v6);
    size_t n4 = v4.status == DNS_OK ? v4.count : 0, n6 = v6.status == DNS_OK ? v6.count : 0;
    for (size_t i = 0; i < n4 || i < n6; i++) {
        if (i < n4)
            add_hop(a, h, host, print_ip(a, DNS_A, v4.records[i].data), o, refused);
        if (i < n6)
            add_hop(a, h, host, print_ip(a, DNS_AAAA, v6.records[i].data), o, refused);
    }
    if (h->count > before)
        return DONE;
    return v4.status == DNS_TEMPFAIL || v6.status == DNS_TEMPFAIL ? TEMPFAIL : PERMFAIL;
}

enum outcome mx_addresses(struct arena *a, slice host, const struct mx_options *options,
                          int64_t deadline_ms, struct hop **hops, size_t *count, slice *reply)
{
    struct hop_list h = {*hops, *count};
    size_t refused = 0;
    slice ip = literal_address(a, host);
    enum outcome o = DONE;
    if (ip.n)
        add_hop(a, &h, ip, ip, options, &refused);
    else
        o = host_addresses(a, host, options, deadline_ms, &h, &refused);
    if (o == DONE && h.count == *count)
        o = PERMFAIL;
    if (o == TEMPFAIL)
        *reply =
            arena_printf(a, "451 4.4.3 the addresses of %.*s cannot be looked up now", P(host));
    if (o == PERMFAIL)
        *reply = refused ? arena_printf(a, "550 5.4.4 %.*s has only private addresses", P(host))
                         : arena_printf(a, "550 5.1.2 %.*s has no address", P(host));
    *hops = h.list;
    *count = h.count;
    return o;
}

/* Shuffles, then orders by preference: equal ones come in random order (RFC 5321 5.1). */
static void order_records(struct dns_record *r, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)rand_below(i);
        struct dns_record t = r[i - 1];
        r[i - 1] = r[j];
        r[j] = t;
    }
    for (size_t i = 1; i < n; i++)
        for (size_t j = i; j > 0 && r[j].preference < r[j - 1].preference; j--) {
            struct dns_record t = r[j];
            r[j] = r[j - 1];
            r[j - 1] = t;
        }
}

/* How many of the ordered records are better than our own level. */
static size_t drop_own_level(const struct dns_record *r, size_t n, slice hostname)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq_icase(r[i].data, hostname)) {
            size_t kept = 0;
            while (kept < n && r[kept].preference < r[i].preference)
                kept++;
            return kept;
        }
    return n;
}

static enum outcome from_records(struct arena *a, slice domain, struct dns_answer *mx,
                                 const struct mx_options *o, int64_t deadline_ms,
                                 struct hop_list *h, slice *reply)
{
    enum { MAX_RECORDS = 100 };
    size_t n = mx->count < MAX_RECORDS ? mx->count : MAX_RECORDS, refused = 0;
    bool temp = false;
    if (n == 1 && slice_eq(mx->records[0].data, S("."))) {
        *reply = arena_printf(a, "556 5.1.10 %.*s takes no mail (null MX)", P(domain));
        return PERMFAIL;
    }
    order_records(mx->records, n);
    size_t kept = drop_own_level(mx->records, n, o->hostname);
    if (kept == 0) {
        *reply = arena_printf(a, "554 5.4.6 the MX of %.*s lead back to this host", P(domain));
        return PERMFAIL;
    }
    for (size_t i = 0; i < kept && h->count < MAX_HOPS; i++) {
        slice host = mx->records[i].data;
        if (slice_eq(host, S(".")) || literal_address(a, host).n)
            continue; /* an address is no name: such a record is void */
        temp = host_addresses(a, host, o, deadline_ms, h, &refused) == TEMPFAIL || temp;
    }
    if (h->count)
        return DONE;
    *reply =
        temp ? arena_printf(a, "451 4.4.3 the MX hosts of %.*s cannot be looked up now", P(domain))
        : refused ? arena_printf(a, "550 5.4.4 the MX hosts of %.*s have only private addresses",
                                 P(domain))
                  : arena_printf(a, "550 5.4.4 no MX host of %.*s has an address", P(domain));
    return temp ? TEMPFAIL : PERMFAIL;
}

enum outcome mx_find(struct arena *a, slice domain, const struct mx_options *options,
                     int64_t deadline_ms, struct hop **hops, size_t *count, slice *reply)
{
    struct hop_list h = {NULL, 0};
    struct dns_answer mx;
    enum outcome o;
    *reply = S("");
    if (literal_address(a, domain).n)
        return mx_addresses(a, domain, options, deadline_ms, hops, count, reply);
    dns_query(a, domain, DNS_MX, deadline_ms, &mx);
    if (mx.status == DNS_TEMPFAIL) {
        *reply = arena_printf(a, "451 4.4.3 the MX of %.*s cannot be looked up now", P(domain));
        return TEMPFAIL;
    }
    if (mx.status == DNS_NXDOMAIN) {
        *reply = arena_printf(a, "550 5.1.2 the domain %.*s does not exist", P(domain));
        return PERMFAIL;
    }
    if (mx.status == DNS_OK && mx.count) {
        o = from_records(a, domain, &mx, options, deadline_ms, &h, reply);
        *hops = h.list;
        *count = h.count;
        return o;
    }
    return mx_addresses(a, domain, options, deadline_ms, hops, count, reply);
}
