/* Request line and fields, RFC 9112 sections 2 to 6. */
#include "http/request.h"

#include "base/limits.h"
#include "base/banned.h"

static bool is_tchar(char c)
{
    return ascii_is_alnum(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

bool http_is_token(slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_tchar(s.p[i]))
            return false;
    return s.n > 0;
}

/*
 * The line at the start of in, without its CRLF.  Consumed bytes, 0 when it is not complete, -1 on
 * a bare CR or LF (section 2.2: a bare LF must not end a line, or two servers read two requests).
 */
static ssize_t next_line(slice in, slice *line)
{
    for (size_t i = 0; i < in.n; i++) {
        if (in.p[i] == '\n')
            return -1;
        if (in.p[i] != '\r')
            continue;
        if (i + 1 == in.n)
            return 0;
        *line = slice_sub(in, 0, i);
        return in.p[i + 1] == '\n' ? (ssize_t)i + 2 : -1;
    }
    return 0;
}

static slice trim_wsp(slice s)
{
    slice_eat_wsp(&s);
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

/* VCHAR, obs-text, SP and TAB (section 5.5 of RFC 9110). */
static bool is_value(slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

ssize_t http_field_parse(slice in, struct http_field *out)
{
    slice line;
    ssize_t n = next_line(in, &line);
    *out = (struct http_field){0};
    if (n <= 0 || line.n == 0)
        return n;
    ptrdiff_t colon = slice_find(line, ':');
    if (colon < 0)
        return -1;
    out->name = slice_sub(line, 0, (size_t)colon);
    out->value = trim_wsp(slice_skip(line, (size_t)colon + 1));
    /* No space before the colon and no folded lines (sections 5.1 and 5.2): both fail as names. */
    return http_is_token(out->name) && is_value(out->value) ? n : -1;
}

slice http_field(const struct http_request *r, slice name)
{
    for (size_t i = 0; i < r->field_count; i++)
        if (slice_eq_icase(r->fields[i].name, name))
            return r->fields[i].value;
    return S("");
}

/* ---- request line ---- */

static bool is_target(slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= 0x20 || s.p[i] == 0x7f || strchr("#\"<>\\", s.p[i]))
            return false;
    return s.n > 0;
}

/* host [":" port] of RFC 3986, as far as its alphabet goes. */
static bool is_authority(slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!ascii_is_alnum(s.p[i]) && (!s.p[i] || !strchr("-._~!$&'()*+,;=:[]%", s.p[i])))
            return false;
    return s.n > 0;
}

static void split_path(slice in, struct http_request *r)
{
    ptrdiff_t mark = slice_find(in, '?');
    r->path = mark < 0 ? in : slice_sub(in, 0, (size_t)mark);
    r->query = mark < 0 ? S("") : slice_skip(in, (size_t)mark + 1);
}

/* Section 3.2: origin-form, absolute-form, or the asterisk of OPTIONS. */
static bool parse_target(struct http_request *r)
{
    slice in = r->target;
    if (!is_target(in))
        return false;
    if (slice_eat_icase(&in, S("http://")) || slice_eat_icase(&in, S("https://"))) {
        size_t n = 0;
        while (n < in.n && in.p[n] != '/' && in.p[n] != '?')
            n++;
        r->host = slice_sub(in, 0, n);
        in = slice_skip(in, n);
        split_path(in, r);
        if (!r->path.n)
            r->path = S("/");
        return is_authority(r->host);
    }
    split_path(in, r);
    return in.p[0] == '/' || (slice_eq(in, S("*")) && slice_eq(r->method, S("OPTIONS")));
}

/* 0, or the status to refuse with. */
static int parse_version(slice s, int *minor)
{
    if (s.n != 8 || !slice_eat(&s, S("HTTP/")) || !ascii_is_digit(s.p[0]) || s.p[1] != '.' ||
        !ascii_is_digit(s.p[2]))
        return 400;
    if (s.p[0] != '1' || s.p[2] > '1')
        return 505;
    *minor = s.p[2] - '0';
    return 0;
}

static int parse_request_line(slice line, struct http_request *r)
{
    ptrdiff_t first = slice_find(line, ' '), last = slice_rfind(line, ' ');
    if (first <= 0 || last <= first)
        return 400;
    r->method = slice_sub(line, 0, (size_t)first);
    r->target = slice_sub(line, (size_t)first + 1, (size_t)last);
    if (!http_is_token(r->method))
        return 400;
    int status = parse_version(slice_skip(line, (size_t)last + 1), &r->minor);
    if (status)
        return status;
    if (slice_eq(r->method, S("CONNECT")))
        return 501;
    return parse_target(r) ? 0 : 400;
}

/* ---- what the fields mean ---- */

static int host_field(const struct http_request *r, slice *host)
{
    size_t count = 0;
    for (size_t i = 0; i < r->field_count; i++)
        if (slice_eq_icase(r->fields[i].name, S("Host"))) {
            *host = r->fields[i].value;
            count++;
        }
    if (count > 1 || (count == 0 && r->minor >= 1))
        return 400; /* section 3.2: none, or more than one */
    return count == 0 || is_authority(*host) ? 0 : 400;
}

/* Section 6.3.  Both lengths, two lengths, and lists of lengths are refused, even when they agree.
 */
static int body_length(struct http_request *r)
{
    bool has_length = false, has_coding = false;
    for (size_t i = 0; i < r->field_count; i++) {
        const struct http_field *f = &r->fields[i];
        if (slice_eq_icase(f->name, S("Content-Length"))) {
            if (has_length || !slice_u64(f->value, INT64_MAX, &r->content_length))
                return 400;
            has_length = true;
        } else if (slice_eq_icase(f->name, S("Transfer-Encoding"))) {
            if (has_coding)
                return 400;
            has_coding = true;
            r->chunked = slice_eq_icase(f->value, S("chunked"));
        }
    }
    if (has_coding && (has_length || r->minor == 0))
        return 400;
    return has_coding && !r->chunked ? 501 : 0;
}

static int expectation(struct http_request *r)
{
    slice expect = http_field(r, S("Expect"));
    if (!expect.n || r->minor == 0)
        return 0;
    r->expects_continue = slice_eq_icase(expect, S("100-continue"));
    return r->expects_continue ? 0 : 417;
}

/* Is the option among those of all Connection fields? (RFC 9110 7.6.1) */
static bool connection_has(const struct http_request *r, slice option)
{
    for (size_t i = 0; i < r->field_count; i++) {
        slice list = r->fields[i].value, one;
        if (!slice_eq_icase(r->fields[i].name, S("Connection")))
            continue;
        while (slice_next(&list, ',', &one))
            if (slice_eq_icase(trim_wsp(one), option))
                return true;
    }
    return false;
}

static int understand(struct http_request *r)
{
    slice host = r->host;
    int status = host_field(r, &host);
    if (!status)
        status = body_length(r);
    if (!status)
        status = expectation(r);
    if (!r->host.n)
        r->host = host;
    r->keep_alive =
        !connection_has(r, S("close")) && (r->minor >= 1 || connection_has(r, S("keep-alive")));
    return status;
}

static ssize_t refuse(int *status, int why)
{
    *status = why;
    return -1;
}

/* More is needed, unless the head is too long already. */
static ssize_t wait_for_more(slice in, int *status, int why)
{
    return in.n > LIMIT_HTTP_HEAD ? refuse(status, why) : 0;
}

ssize_t http_head_parse(struct arena *a, slice in, struct http_request *r, int *status)
{
    slice line;
    size_t capacity = 0;
    *r = (struct http_request){0};
    size_t at = slice_starts(in, S("\r\n")) ? 2 : 0; /* section 2.2: one empty line before it */
    ssize_t n = next_line(slice_skip(in, at), &line);
    if (n == 0)
        return wait_for_more(in, status, 414);
    if (n < 0)
        return refuse(status, 400);
    int why = parse_request_line(line, r);
    if (why)
        return refuse(status, why);
    for (;;) {
        struct http_field field;
        at += (size_t)n;
        n = http_field_parse(slice_skip(in, at), &field);
        if (n == 0)
            return wait_for_more(in, status, 431);
        if (n < 0)
            return refuse(status, 400);
        if (at + (size_t)n > LIMIT_HTTP_HEAD || r->field_count > LIMIT_HTTP_FIELDS)
            return refuse(status, 431);
        if (!field.name.n)
            break;
        r->fields = arena_grow(a, r->fields, r->field_count, &capacity, sizeof(field));
        r->fields[r->field_count++] = field;
    }
    why = understand(r);
    return why ? refuse(status, why) : (ssize_t)at + n;
}
