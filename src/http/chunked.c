/* chunk-size [ chunk-ext ] CRLF data CRLF ... 0 CRLF trailer CRLF */
#include "http/chunked.h"

#include "base/limits.h"
#include "http/request.h"
#include "base/banned.h"

enum { SIZE_DIGITS = 15 };

static bool eat_token(slice *s)
{
    size_t n = 0;
    while (n < s->n && http_is_token(slice_sub(*s, n, n + 1)))
        n++;
    *s = slice_skip(*s, n);
    return n > 0;
}

static bool eat_quoted(slice *s)
{
    if (!slice_eat(s, S("\"")))
        return false;
    while (s->n && s->p[0] != '"') {
        size_t n = s->p[0] == '\\' ? 2 : 1;
        unsigned char c = (unsigned char)s->p[n == 2 && s->n > 1 ? 1 : 0];
        if ((c < 0x20 && c != '\t') || c == 0x7f || s->n < n)
            return false;
        *s = slice_skip(*s, n);
    }
    return slice_eat(s, S("\""));
}

/* *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ) (section 7.1.1) */
static bool is_extension(slice s)
{
    while (s.n) {
        slice_eat_wsp(&s);
        if (!slice_eat(&s, S(";")))
            return false;
        slice_eat_wsp(&s);
        if (!eat_token(&s))
            return false;
        slice value = s;
        slice_eat_wsp(&value);
        if (!slice_eat(&value, S("=")))
            continue;
        slice_eat_wsp(&value);
        if (!eat_quoted(&value) && !eat_token(&value))
            return false;
        s = value;
    }
    return true;
}

/* Bytes that are not content must stay few. */
static bool count_overhead(struct chunked *c, size_t n)
{
    c->overhead += n;
    return c->overhead <= LIMIT_HTTP_HEAD;
}

static bool parse_size(struct chunked *c, slice line)
{
    size_t n = 0;
    c->left = 0;
    while (n < line.n && n <= SIZE_DIGITS && ascii_unhex(line.p[n]) >= 0)
        c->left = c->left << 4 | (uint64_t)ascii_unhex(line.p[n++]);
    return n > 0 && n <= SIZE_DIGITS && is_extension(slice_skip(line, n)) &&
           count_overhead(c, line.n - n);
}

static ssize_t eat_size(struct chunked *c, slice in)
{
    ptrdiff_t end = slice_find(in, '\r');
    if (end < 0)
        return slice_find(in, '\n') >= 0 || in.n > LIMIT_HTTP_HEAD ? -1 : 0;
    if ((size_t)end + 1 == in.n)
        return 0;
    if (in.p[end + 1] != '\n' || !parse_size(c, slice_sub(in, 0, (size_t)end)))
        return -1;
    c->at = c->left ? CHUNK_DATA : CHUNK_TRAILER;
    return end + 2;
}

static ssize_t eat_end(struct chunked *c, slice in)
{
    if (!slice_starts(S("\r\n"), slice_sub(in, 0, 2)))
        return -1;
    if (in.n < 2)
        return 0;
    c->at = CHUNK_SIZE;
    return 2;
}

static ssize_t eat_trailer(struct chunked *c, slice in)
{
    struct http_field field;
    ssize_t n = http_field_parse(in, &field);
    if (n == 0)
        return in.n > LIMIT_HTTP_HEAD ? -1 : 0;
    if (n < 0 || !count_overhead(c, (size_t)n))
        return -1;
    if (!field.name.n)
        c->at = CHUNK_DONE;
    return n;
}

ssize_t chunked_eat(struct chunked *c, slice in, slice *data)
{
    *data = (slice){0};
    switch (c->at) {
    case CHUNK_SIZE:
        return eat_size(c, in);
    case CHUNK_DATA:
        *data = slice_sub(in, 0, c->left < in.n ? (size_t)c->left : in.n);
        c->left -= data->n;
        if (!c->left)
            c->at = CHUNK_END;
        return (ssize_t)data->n;
    case CHUNK_END:
        return eat_end(c, in);
    case CHUNK_TRAILER:
        return eat_trailer(c, in);
    case CHUNK_DONE:
        break;
    }
    return 0;
}
