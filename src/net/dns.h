/*
 * DNS through glibc's res_nquery: one struct __res_state per thread, EDNS, a TTL cache.  Blocking
 * with a total deadline; call it from a job or a delivery thread.  IPv4 name-server addresses only.
 */
#ifndef NET_DNS_H
#define NET_DNS_H

#include "base/arena.h"

struct dns_options {
    const char *server; /* "127.0.0.1"; NULL: /etc/resolv.conf */
    uint16_t port;      /* 0: 53 */
};
/* Once, before threads start; also empties the cache. */
void dns_configure(const struct dns_options *options);

enum dns_type {
    DNS_A = 1,
    DNS_CNAME = 5,
    DNS_PTR = 12,
    DNS_MX = 15,
    DNS_TXT = 16,
    DNS_AAAA = 28,
    DNS_TLSA = 52
};

enum dns_status {
    DNS_OK,       /* records of the type asked */
    DNS_NODATA,   /* the name exists without such records (RFC 2308) */
    DNS_NXDOMAIN, /* no such name */
    DNS_TEMPFAIL, /* SERVFAIL, timeout, deadline */
};

struct dns_record {
    uint16_t preference; /* MX */
    slice data; /* MX, CNAME, PTR: a name in lower case without the last dot ("." for the root);
                   A, AAAA: 4 or 16 bytes; TXT: the strings joined (RFC 7208 3.3); else raw */
};

struct dns_answer {
    enum dns_status status;
    struct dns_record *records;
    size_t count;
    slice canonical; /* the name at the end of the CNAME chain (at most 8 links) */
    bool authentic;  /* AD bit, only from a trusted resolver */
    uint32_t ttl_s;
};

/* deadline_ms: on clock_mono_ms().  The answer lives in the arena. */
void dns_query(struct arena *a, slice name, enum dns_type type, int64_t deadline_ms,
               struct dns_answer *out);

/* "1.2.0.192.in-addr.arpa" or the ip6.arpa name of a textual address; "" when it is none. */
slice dns_reverse_name(struct arena *a, slice ip);

#endif
