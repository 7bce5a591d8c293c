/* Forward-confirmed reverse DNS: PTR, then A or AAAA of what it says. */
#include "net/rdns.h"

#include <arpa/inet.h>

#include "base/limits.h"
#include "net/dns.h"
#include "net/dns_cache.h"
#include "base/banned.h"

/* A PTR may hold any octets; only a host name (RFC 1123 2.1, and "_") goes into a field. */
static bool is_host_name(slice name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!ascii_is_alnum(name.p[i]) && slice_find(S("-_."), name.p[i]) < 0)
            return false;
    return name.n > 0 && name.n <= LIMIT_DOMAIN && name.p[0] != '.';
}

/* Does the name lead to this address? */
static enum dns_status confirm(struct arena *a, slice name, enum dns_type type, slice address,
                               int64_t deadline_ms)
{
    struct dns_answer answer;
    dns_query(a, name, type, deadline_ms, &answer);
    if (answer.status != DNS_OK)
        return answer.status;
    for (size_t i = 0; i < answer.count; i++)
        if (slice_eq(answer.records[i].data, address))
            return DNS_OK;
    return DNS_NODATA;
}

/* RFC 9520: a failure is remembered, or a dead server would cost every mail the whole deadline. */
static void remember_failure(slice reverse)
{
    dns_cache_put(reverse, DNS_PTR,
                  &(struct dns_answer){.status = DNS_TEMPFAIL, .ttl_s = LIMIT_RDNS_FAILED_S});
}

slice rdns_name(struct arena *a, slice ip, int64_t deadline_ms)
{
    unsigned char raw[16];
    struct dns_answer ptr;
    slice reverse = dns_reverse_name(a, ip);
    if (!reverse.n)
        return S("");
    bool six = inet_pton(AF_INET6, arena_cstr(a, ip), raw) == 1;
    if (!six)
        inet_pton(AF_INET, arena_cstr(a, ip), raw);
    slice address = {(const char *)raw, six ? 16 : 4};

    dns_query(a, reverse, DNS_PTR, deadline_ms, &ptr);
    bool failed = ptr.status == DNS_TEMPFAIL;
    size_t count = ptr.status == DNS_OK ? ptr.count : 0;
    for (size_t i = 0; i < count && i < LIMIT_RDNS_NAMES; i++) {
        slice name = ptr.records[i].data;
        if (!is_host_name(name))
            continue;
        enum dns_status status = confirm(a, name, six ? DNS_AAAA : DNS_A, address, deadline_ms);
        if (status == DNS_OK)
            return name;
        failed |= status == DNS_TEMPFAIL;
    }
    if (failed)
        remember_failure(reverse);
    return S("");
}
