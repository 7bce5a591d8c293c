/*
 * Reading DNS answers (RFC 1035 section 4) with ns_initparse and ns_parserr.  Names are expanded by
 * ns_name_uncompress, which bounds pointers; names with bytes that would need escaping are dropped:
 * nothing we ask for has any.
 */
#include "net/dns_decode.h"

#include <arpa/nameser.h>
#include <resolv.h>

#include "base/limits.h"
#include "base/banned.h"

enum { DNS_CHAIN = 8, DNS_NEGATIVE_S = 300 };

slice dns_lower(struct arena *a, slice name)
{
    if (slice_ends(name, S(".")))
        name.n--;
    char *to = arena_alloc(a, name.n + 1);
    size_t label = 0;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        label = c == '.' ? 0 : label + 1;
        bool empty = c == '.' && (i == 0 || name.p[i - 1] == '.');
        if (empty || label > 63 || (!ascii_is_alnum(c) && c != '.' && c != '-' && c != '_'))
            return S("");
        to[i] = ascii_lower(c);
    }
    return name.n <= 253 ? (slice){to, name.n} : S("");
}

/* The name at p inside the packet, as dns_lower makes it; "." for the root, "" when it is bad. */
static slice name_at(struct arena *a, const ns_msg *m, const unsigned char *p)
{
    char text[NS_MAXDNAME];
    if (ns_name_uncompress(ns_msg_base(*m), ns_msg_end(*m), p, text, sizeof(text)) < 0)
        return S("");
    slice name = slice_c(text);
    return name.n == 0 || slice_eq(name, S(".")) ? S(".") : dns_lower(a, name);
}

/* The strings of a TXT record joined (RFC 7208 3.3). */
static bool join_text(struct arena *a, slice in, slice *out)
{
    char *to = arena_alloc(a, in.n + 1);
    size_t n = 0;
    while (in.n) {
        size_t length = (unsigned char)in.p[0];
        slice string = slice_sub(in, 1, 1 + length);
        if (string.n != length)
            return false;
        memcpy(to + n, string.p, length);
        n += length;
        in = slice_skip(in, 1 + length);
    }
    *out = (slice){to, n};
    return true;
}

/* The data of one record; false drops it. */
static bool decode_data(struct arena *a, const ns_msg *m, const ns_rr *rr, struct dns_record *out)
{
    slice raw = {(const char *)ns_rr_rdata(*rr), ns_rr_rdlen(*rr)};
    switch ((int)ns_rr_type(*rr)) {
    case DNS_A:
    case DNS_AAAA:
        out->data = arena_dup(a, raw);
        return raw.n == (ns_rr_type(*rr) == (ns_type)DNS_A ? 4 : 16);
    case DNS_MX:
        if (raw.n < 3)
            return false;
        out->preference = (uint16_t)ns_get16(ns_rr_rdata(*rr));
        out->data = name_at(a, m, ns_rr_rdata(*rr) + 2);
        return out->data.n > 0;
    case DNS_CNAME:
    case DNS_PTR:
        out->data = name_at(a, m, ns_rr_rdata(*rr));
        return raw.n > 0 && out->data.n > 0;
    case DNS_TXT:
        return join_text(a, raw, &out->data);
    default:
        out->data = arena_dup(a, raw);
        return true;
    }
}

/* An RR of the answer, kept small. */
struct row {
    slice owner;
    int type;
    uint32_t ttl_s;
    struct dns_record record;
};

static bool read_rows(struct arena *a, ns_msg *m, struct row **rows, size_t *count)
{
    size_t capacity = 0;
    *rows = NULL;
    *count = 0;
    for (int i = 0; i < ns_msg_count(*m, ns_s_an); i++) {
        ns_rr rr;
        if (ns_parserr(m, ns_s_an, i, &rr) < 0)
            return false;
        struct row row = {.owner = dns_lower(a, slice_c(ns_rr_name(rr))),
                          .type = (int)ns_rr_type(rr),
                          .ttl_s = ns_rr_ttl(rr)};
        if (ns_rr_class(rr) != ns_c_in || !row.owner.n || !decode_data(a, m, &rr, &row.record))
            continue;
        *rows = arena_grow(a, *rows, *count, &capacity, sizeof(row));
        (*rows)[(*count)++] = row;
    }
    return true;
}

/* The SOA beside "there is nothing" says how long: min(TTL, MINIMUM) (RFC 2308 section 5). */
static bool find_soa(ns_msg *m, uint32_t *ttl_s)
{
    for (int i = 0; i < ns_msg_count(*m, ns_s_ns); i++) {
        ns_rr rr;
        if (ns_parserr(m, ns_s_ns, i, &rr) < 0 || ns_rr_type(rr) != ns_t_soa ||
            ns_rr_rdlen(rr) < 20)
            continue;
        uint32_t minimum = (uint32_t)ns_get32(ns_rr_rdata(rr) + ns_rr_rdlen(rr) - 4);
        *ttl_s = minimum < ns_rr_ttl(rr) ? minimum : ns_rr_ttl(rr);
        return true;
    }
    return false;
}

/* Is this the answer to our question? */
static bool answers(struct arena *a, ns_msg *m, slice name, enum dns_type type)
{
    ns_rr question;
    return ns_msg_getflag(*m, ns_f_qr) && ns_msg_count(*m, ns_s_qd) == 1 &&
           ns_parserr(m, ns_s_qd, 0, &question) == 0 && (int)ns_rr_type(question) == (int)type &&
           slice_eq(dns_lower(a, slice_c(ns_rr_name(question))), name);
}

/* The record of this owner and type; NULL when there is none. */
static const struct row *find(const struct row *rows, size_t count, slice owner, int type)
{
    for (size_t i = 0; i < count; i++)
        if (rows[i].type == type && slice_eq(rows[i].owner, owner))
            return &rows[i];
    return NULL;
}

static void collect(struct arena *a, const struct row *rows, size_t count, enum dns_type type,
                    struct dns_answer *out)
{
    out->records = arena_array(a, count ? count : 1, sizeof(*out->records));
    for (size_t i = 0; i < count; i++) {
        if (rows[i].type != (int)type || !slice_eq(rows[i].owner, out->canonical))
            continue;
        out->records[out->count++] = rows[i].record;
        if (rows[i].ttl_s < out->ttl_s)
            out->ttl_s = rows[i].ttl_s;
    }
}

slice dns_decode(struct arena *a, slice packet, slice name, enum dns_type type,
                 struct dns_answer *out)
{
    ns_msg m;
    struct row *rows;
    size_t count;
    *out = (struct dns_answer){.status = DNS_TEMPFAIL, .canonical = name};
    if (packet.n > INT32_MAX ||
        ns_initparse((const unsigned char *)packet.p, (int)packet.n, &m) < 0 ||
        !answers(a, &m, name, type) || !read_rows(a, &m, &rows, &count))
        return S("");
    int rcode = ns_msg_getflag(m, ns_f_rcode);
    if (rcode != ns_r_noerror && rcode != ns_r_nxdomain)
        return S("");
    out->authentic = ns_msg_getflag(m, ns_f_ad);
    out->ttl_s = UINT32_MAX;
    const struct row *link = NULL;
    for (int i = 0; i <= DNS_CHAIN && type != DNS_CNAME; i++) {
        link = find(rows, count, out->canonical, DNS_CNAME);
        if (!link)
            break;
        out->canonical = link->record.data;
        out->ttl_s = link->ttl_s < out->ttl_s ? link->ttl_s : out->ttl_s;
    }
    if (link)
        return S(""); /* too long, or a loop */
    collect(a, rows, count, type, out);
    out->status = out->count ? DNS_OK : rcode == ns_r_nxdomain ? DNS_NXDOMAIN : DNS_NODATA;
    if (out->count)
        return S("");
    uint32_t nothing = DNS_NEGATIVE_S;
    bool final = find_soa(&m, &nothing) || rcode == ns_r_nxdomain;
    out->ttl_s = nothing < out->ttl_s ? nothing : out->ttl_s;
    final |= slice_eq(out->canonical, name) || slice_eq(out->canonical, S("."));
    return final ? S("") : out->canonical;
}
