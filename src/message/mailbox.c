/*
 * One address as SMTP writes it (RFC 5321 4.1.2 and 4.1.3, RFC 6531): told from what only looks
 * like one, and printed.  Lists in header fields: address.c.
 */
#include "message/address.h"

#include "base/limits.h"

#include "base/banned.h"

/* An atom's character (RFC 5322 3.2.3, RFC 6532). */
static bool is_atext(char c)
{
    return ascii_is_alnum(c) || (unsigned char)c >= 0x80 ||
           (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

static bool is_dot_atom(slice s)
{
    if (!s.n || s.p[0] == '.' || s.p[s.n - 1] == '.')
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_atext(s.p[i]) && (s.p[i] != '.' || s.p[i - 1] == '.'))
            return false;
    return true;
}

static slice quote(struct arena *a, slice s)
{
    char *to = arena_alloc(a, 2 * s.n + 2);
    size_t n = 0;
    to[n++] = '"';
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"' || s.p[i] == '\\')
            to[n++] = '\\';
        to[n++] = s.p[i];
    }
    to[n++] = '"';
    return (slice){to, n};
}

slice address_email(struct arena *a, const struct address *x)
{
    bool plain = x->domain.n ? is_dot_atom(x->local) : slice_find(x->local, '@') < 0;
    slice local = plain ? x->local : quote(a, x->local);
    if (!x->domain.n)
        return local;
    char *to = arena_alloc(a, local.n + 1 + x->domain.n);
    memcpy(to, local.p, local.n);
    to[local.n] = '@';
    memcpy(to + local.n + 1, x->domain.p, x->domain.n);
    return (slice){to, local.n + 1 + x->domain.n};
}

bool address_is_domain(slice text)
{
    size_t label = 0;
    if (!text.n || text.n > LIMIT_DOMAIN || !slice_is_utf8(text))
        return false;
    for (size_t i = 0; i <= text.n; i++) {
        char c = i < text.n ? text.p[i] : '.';
        if (c == '.') {
            if (label == 0 || label > 63 || text.p[i - 1] == '-')
                return false;
            label = 0;
        } else if (ascii_is_alnum(c) || (unsigned char)c >= 0x80 || (c == '-' && label)) {
            label++;
        } else {
            return false;
        }
    }
    return true;
}

/* Length of a quoted local part at the start of text (RFC 5321 4.1.2 Quoted-string), or 0. */
static size_t quoted_local(slice text)
{
    for (size_t i = 1; i < text.n; i++) {
        if (text.p[i] == '"')
            return i + 1;
        if (text.p[i] == '\\' && (++i >= text.n || (unsigned char)text.p[i] >= 0x80))
            return 0;
        if ((unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f)
            return 0;
    }
    return 0;
}

/* One to three digits up to 255 at the front of *s, without leading zeros. */
static bool eat_octet(slice *s)
{
    size_t n = 0;
    uint64_t v;
    while (n < s->n && n < 4 && ascii_is_digit(s->p[n]))
        n++;
    if (!slice_u64(slice_sub(*s, 0, n), 255, &v) || (n > 1 && s->p[0] == '0'))
        return false;
    *s = slice_skip(*s, n);
    return true;
}

static bool is_ipv4(slice s)
{
    for (int i = 0; i < 4; i++)
        if ((i && !slice_eat(&s, S("."))) || !eat_octet(&s))
            return false;
    return s.n == 0;
}

/* RFC 5321 4.1.3: groups of hexadecimal digits, at most one "::", IPv4 at the end. */
static bool is_ipv6(slice s)
{
    size_t groups = 0;
    bool gap = slice_eat(&s, S("::"));
    while (s.n) {
        size_t n = 0;
        while (n < s.n && ascii_unhex(s.p[n]) >= 0)
            n++;
        if (n < s.n && s.p[n] == '.')
            return is_ipv4(s) && (gap ? groups <= 5 : groups == 6);
        if (n == 0 || n > 4)
            return false;
        groups++;
        s = slice_skip(s, n);
        if (slice_eat(&s, S("::"))) {
            if (gap)
                return false;
            gap = true;
        } else if (s.n && (!slice_eat(&s, S(":")) || !s.n)) {
            return false;
        }
    }
    return gap ? groups <= 7 : groups == 8;
}

/* "[192.0.2.1]", "[IPv6:2001:db8::1]" (RFC 5321 4.1.3; no other tag was ever registered). */
static bool is_literal(slice text)
{
    if (text.n < 3 || text.p[0] != '[' || text.p[text.n - 1] != ']')
        return false;
    slice s = slice_sub(text, 1, text.n - 1);
    return slice_eat_icase(&s, S("IPv6:")) ? is_ipv6(s) : is_ipv4(s);
}

bool address_is_mailbox(slice text, slice *local, slice *domain)
{
    ptrdiff_t at;
    if (!text.n || text.n > LIMIT_PATH - 2 || !slice_is_utf8(text)) /* 2: the brackets */
        return false;
    if (text.p[0] == '"') {
        at = (ptrdiff_t)quoted_local(text);
        if (at == 0 || (size_t)at >= text.n || text.p[at] != '@')
            return false;
    } else {
        at = slice_find(text, '@');
        if (at <= 0 || !is_dot_atom(slice_sub(text, 0, (size_t)at)))
            return false;
    }
    *local = slice_sub(text, 0, (size_t)at);
    *domain = slice_skip(text, (size_t)at + 1);
    return local->n <= LIMIT_LOCAL_PART && (address_is_domain(*domain) || is_literal(*domain));
}
