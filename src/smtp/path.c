/*
 * Paths (RFC 5321 4.1.2): each eat_ function takes one production of the grammar from the front of
 * the slice and says false when it is not there.
 */
#include "smtp/path.h"

#include <idn2.h>

#include "base/banned.h"

enum { LABEL_MAX = 63 };

const char *path_problem(enum path_result r)
{
    static const char *const words[] = {
        [PATH_OK] = "no problem",
        [PATH_SYNTAX] = "not a mail address in <>",
        [PATH_EIGHT_BIT] = "only ASCII addresses are taken here",
        [PATH_LONG_LOCAL] = "the local part is longer than 64 octets",
        [PATH_LONG_DOMAIN] = "the address is longer than 254 octets",
    };
    return words[r];
}

static bool is_atext(char c, unsigned allow)
{
    if ((unsigned char)c >= 0x80)
        return allow & PATH_UTF8;
    return ascii_is_alnum(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* A dot-string with nothing in need of quotes: RFC 5321 Dot-string. */
static bool is_dot_string(slice s, unsigned allow)
{
    if (s.n == 0 || s.p[0] == '.' || s.p[s.n - 1] == '.')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '.' ? s.p[i + 1] == '.' : !is_atext(s.p[i], allow))
            return false;
    return true;
}

/* The bytes of a quoted string without its quotes and backslashes, which stands for the same. */
static bool eat_quoted(slice *in, unsigned allow, char *plain, size_t *n)
{
    size_t i = 1;
    for (; i < in->n && in->p[i] != '"'; i++) {
        if (in->p[i] == '\\' && ++i == in->n)
            return false;
        unsigned char c = (unsigned char)in->p[i];
        if (c < 0x20 || c == 0x7f || (c >= 0x80 && !(allow & PATH_UTF8)))
            return false;
        plain[(*n)++] = (char)c;
    }
    *in = slice_skip(*in, i);
    return slice_eat(in, S("\""));
}

/* The least quoting that is needed (4.1.2): all forms of a local part become one. */
static slice quote_local(struct arena *a, slice plain, unsigned allow)
{
    if (is_dot_string(plain, allow))
        return arena_dup(a, plain);
    char *out = arena_alloc(a, 2 * plain.n + 2);
    size_t n = 0;
    out[n++] = '"';
    for (size_t i = 0; i < plain.n; i++) {
        if (plain.p[i] == '"' || plain.p[i] == '\\')
            out[n++] = '\\';
        out[n++] = plain.p[i];
    }
    out[n++] = '"';
    return (slice){out, n};
}

static enum path_result eat_local(struct arena *a, slice *in, unsigned allow, slice *local)
{
    slice start = *in;
    if (slice_starts(*in, S("\""))) {
        char *plain = arena_alloc(a, in->n);
        size_t n = 0;
        if (!eat_quoted(in, allow, plain, &n))
            return PATH_SYNTAX;
        *local = quote_local(a, (slice){plain, n}, allow);
    } else {
        size_t n = 0;
        while (n < in->n && (in->p[n] == '.' || is_atext(in->p[n], allow)))
            n++;
        *in = slice_skip(*in, n);
        *local = slice_sub(start, 0, n);
        if (!is_dot_string(*local, allow))
            return PATH_SYNTAX;
    }
    return start.n - in->n > LIMIT_LOCAL_PART ? PATH_LONG_LOCAL : PATH_OK;
}

/* Snum 3("." Snum): "127.0.0.1"; leading zeros are in the grammar. */
static bool is_ipv4(slice s)
{
    unsigned parts = 0;
    slice part;
    uint64_t value;
    if (s.n == 0 || s.p[s.n - 1] == '.')
        return false;
    for (; slice_next(&s, '.', &part); parts++)
        if (part.n == 0 || part.n > 3 || !slice_u64(part, 255, &value))
            return false;
    return parts == 4;
}

/* Counts the groups of "2001:db8" or "0:192.0.2.1" (a trailing IPv4 address counts two); -1: bad.
 */
static int ipv6_groups(slice s, bool last)
{
    int groups = 0;
    if (s.n == 0)
        return 0;
    if (s.p[s.n - 1] == ':')
        return -1;
    slice part;
    while (slice_next(&s, ':', &part)) {
        if (last && s.n == 0 && is_ipv4(part))
            return groups + 2;
        if (part.n == 0 || part.n > 4)
            return -1;
        for (size_t i = 0; i < part.n; i++)
            if (ascii_unhex(part.p[i]) < 0)
                return -1;
        groups++;
    }
    return groups;
}

/* IPv6-addr of 4.1.3: "::" stands for at least two groups. */
static bool is_ipv6(slice s)
{
    ptrdiff_t gap = slice_search(s, S("::"));
    if (gap < 0)
        return ipv6_groups(s, true) == 8;
    int before = ipv6_groups(slice_sub(s, 0, (size_t)gap), false);
    int after = ipv6_groups(slice_skip(s, (size_t)gap + 2), true);
    return before >= 0 && after >= 0 && before + after <= 6;
}

/* "[192.0.2.1]" or "[IPv6:...]"; no other tag is registered. */
static bool is_literal(slice s)
{
    if (!slice_eat(&s, S("[")) || !slice_ends(s, S("]")))
        return false;
    s.n--;
    return slice_eat_icase(&s, S("IPv6:")) ? is_ipv6(s) : is_ipv4(s);
}

/* sub-domain *("." sub-domain), labels of 1-63 letters, digits and inner hyphens. */
static bool is_domain(slice s, char also)
{
    if (s.n == 0 || s.p[s.n - 1] == '.')
        return false;
    slice label;
    while (slice_next(&s, '.', &label)) {
        if (label.n == 0 || label.n > LABEL_MAX || label.p[0] == '-' || label.p[label.n - 1] == '-')
            return false;
        for (size_t i = 0; i < label.n; i++)
            if (!ascii_is_alnum(label.p[i]) && label.p[i] != '-' && label.p[i] != also)
                return false;
    }
    return true;
}

static slice lower(struct arena *a, slice s)
{
    char *p = arena_alloc(a, s.n + 1);
    for (size_t i = 0; i < s.n; i++)
        p[i] = ascii_lower(s.p[i]);
    return (slice){p, s.n};
}

/* U-labels to A-labels (IDNA 2008, RFC 5890). */
static bool to_ascii(struct arena *a, slice in, slice *out)
{
    char *from = arena_cstr(a, in), *to = NULL;
    if (!from || idn2_lookup_u8((const uint8_t *)from, (uint8_t **)&to,
                                IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
        return false;
    *out = arena_dup(a, slice_c(to));
    idn2_free(to);
    return true;
}

enum path_result smtp_domain_parse(struct arena *a, slice in, unsigned allow, slice *domain)
{
    if (in.n > LIMIT_DOMAIN)
        return PATH_LONG_DOMAIN;
    if (slice_starts(in, S("["))) {
        *domain = lower(a, in);
        return is_literal(in) ? PATH_OK : PATH_SYNTAX;
    }
    slice ascii = in;
    if (!slice_is_ascii(in)) {
        if (!(allow & PATH_UTF8) || !slice_is_utf8(in))
            return PATH_EIGHT_BIT;
        if (!to_ascii(a, in, &ascii))
            return PATH_SYNTAX;
        if (ascii.n > LIMIT_DOMAIN)
            return PATH_LONG_DOMAIN;
    }
    *domain = lower(a, ascii);
    return is_domain(ascii, '-') ? PATH_OK : PATH_SYNTAX;
}

bool smtp_helo_valid(slice in)
{
    if (in.n > LIMIT_DOMAIN)
        return false;
    if (slice_ends(in, S(".")))
        in.n--;
    return is_literal(in) || is_domain(in, '_');
}

/* "@a,@b:" in front of a mailbox: checked, then ignored (RFC 5321 appendix C). */
static bool eat_route(slice *in)
{
    bool more = slice_starts(*in, S("@"));
    while (more) {
        if (!slice_eat(in, S("@")))
            return false;
        const char *end = slice_starts(*in, S("[")) ? "]" : ",:";
        size_t n = 0;
        while (n < in->n && in->p[n] != end[0] && in->p[n] != end[strlen(end) - 1])
            n++;
        slice hop = slice_sub(*in, 0, n + (*end == ']'));
        if (!is_literal(hop) && !is_domain(hop, '-'))
            return false;
        *in = slice_skip(*in, hop.n);
        more = slice_eat(in, S(","));
        if (!more && !slice_eat(in, S(":")))
            return false;
    }
    return true;
}

/* Local-part "@" Domain, the domain being all that is left of in. */
static enum path_result parse_mailbox(struct arena *a, slice in, unsigned allow, slice *address)
{
    slice local, domain;
    if (!slice_is_ascii(in) && (!(allow & PATH_UTF8) || !slice_is_utf8(in)))
        return PATH_EIGHT_BIT;
    enum path_result r = eat_local(a, &in, allow, &local);
    if (r == PATH_SYNTAX || !slice_eat(&in, S("@")))
        return PATH_SYNTAX;
    enum path_result d = smtp_domain_parse(a, in, allow, &domain);
    if (r != PATH_OK || d != PATH_OK)
        return r != PATH_OK ? r : d;
    *address = arena_printf(a, "%.*s@%.*s", P(local), P(domain));
    return address->n + 2 > LIMIT_PATH ? PATH_LONG_DOMAIN : PATH_OK;
}

enum path_result smtp_mailbox_parse(struct arena *a, slice in, unsigned allow, slice *address)
{
    *address = S("");
    return parse_mailbox(a, in, allow, address);
}

/* Where the path that opened with "<" closes: at the first ">" outside a quoted string; -1: not. */
static ptrdiff_t find_close(slice s)
{
    bool quoted = false;
    for (size_t i = 0; i < s.n; i++) {
        if (quoted && s.p[i] == '\\')
            i++;
        else if (s.p[i] == '"')
            quoted = !quoted;
        else if (!quoted && s.p[i] == '>')
            return (ptrdiff_t)i;
    }
    return -1;
}

enum path_result smtp_path_parse(struct arena *a, slice *in, unsigned allow, slice *address)
{
    *address = S("");
    if (!slice_eat(in, S("<")))
        return PATH_SYNTAX;
    ptrdiff_t close = find_close(*in);
    if (close < 0)
        return PATH_SYNTAX;
    slice inner = slice_sub(*in, 0, (size_t)close);
    *in = slice_skip(*in, (size_t)close + 1);
    if (inner.n == 0)
        return allow & PATH_NULL ? PATH_OK : PATH_SYNTAX;
    if ((allow & PATH_POSTMASTER) && slice_eq_icase(inner, S("postmaster"))) {
        *address = S("postmaster");
        return PATH_OK;
    }
    return eat_route(&inner) ? parse_mailbox(a, inner, allow, address) : PATH_SYNTAX;
}

slice smtp_address_local(slice address)
{
    ptrdiff_t at = slice_rfind(address, '@');
    return at < 0 ? address : slice_sub(address, 0, (size_t)at);
}

slice smtp_address_domain(slice address)
{
    ptrdiff_t at = slice_rfind(address, '@');
    return at < 0 ? S("") : slice_skip(address, (size_t)at + 1);
}

slice smtp_literal_ip(slice domain)
{
    if (!is_literal(domain))
        return S("");
    slice ip = slice_sub(domain, 1, domain.n - 1);
    slice_eat_icase(&ip, S("IPv6:"));
    return ip;
}
