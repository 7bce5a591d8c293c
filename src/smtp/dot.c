/*
 * Dot-stuffing (RFC 5321 4.5.2).  Both directions walk whole lines with memchr; single bytes are
 * looked at only where a slice begins and at dots that open a line.
 */
#include "smtp/dot.h"

#include "base/limits.h"
#include "base/banned.h"

static void grow_line(struct dot *d, size_t n)
{
    d->column += n;
    if (d->column > LIMIT_SMTP_TEXT_LINE)
        d->long_line = true;
}

/* The byte behind a line end is a dot: it is taken; what follows decides what it was. */
static size_t read_dot(struct dot *d, char c)
{
    if (d->at == DOT_LINE) {
        d->at = DOT_DOT;
        return 1;
    }
    if (d->at == DOT_DOT && c == '\r') {
        d->at = DOT_DOT_CR;
        return 1;
    }
    if (d->at == DOT_DOT_CR && c == '\n') {
        d->ended = true;
        return 1;
    }
    d->bare |= d->at == DOT_DOT_CR;
    d->at = DOT_TEXT;
    return 0;
}

/* One line, or the piece of it that is here; the line may have begun in an earlier slice. */
static size_t read_line(struct dot *d, slice in)
{
    const char *lf = memchr(in.p, '\n', in.n);
    size_t n = lf ? (size_t)(lf - in.p) : in.n;
    bool cr_before = n ? in.p[n - 1] == '\r' : d->at == DOT_CR;
    if (d->at == DOT_CR && n)
        d->bare = true;
    if (n > 1 && memchr(in.p, '\r', n - 1))
        d->bare = true;
    grow_line(d, n);
    if (!lf) {
        d->at = cr_before ? DOT_CR : DOT_TEXT;
        return n;
    }
    d->at = cr_before ? DOT_LINE : DOT_TEXT;
    d->bare |= !cr_before;
    d->column = 0;
    return n + 1;
}

size_t dot_read(struct dot *d, slice in, slice *run)
{
    *run = slice_sub(in, 0, 0);
    if (d->at >= DOT_DOT || (d->at == DOT_LINE && in.p[0] == '.')) {
        size_t n = read_dot(d, in.p[0]);
        if (n)
            return n;
    }
    size_t n = 0;
    do
        n += read_line(d, slice_skip(in, n));
    while (n < in.n && !(d->at == DOT_LINE && in.p[n] == '.'));
    *run = slice_sub(in, 0, n);
    return n;
}

/* What must be put between the bytes before and after a bare CR or LF, or before a dot. */
static bool put_run(struct dot_writer *d, slice in, size_t from, size_t to, slice then)
{
    return (to == from || d->put(d->ctx, slice_sub(in, from, to))) &&
           (then.n == 0 || d->put(d->ctx, then));
}

bool dot_write(struct dot_writer *d, slice in)
{
    size_t from = 0, at = 0; /* [from, at) is ready to be put in one run */
    while (at < in.n) {
        if (d->at == DOT_OUT_CR) { /* a CR ended the last slice and was held back */
            if (!d->put(d->ctx, S("\r\n")))
                return false;
            from = at = in.p[at] == '\n' ? at + 1 : at;
            d->at = DOT_OUT_LINE;
            continue;
        }
        if (d->at == DOT_OUT_LINE && in.p[at] == '.') {
            if (!put_run(d, in, from, at, S(".")))
                return false;
            from = at;
        }
        const char *lf = memchr(in.p + at, '\n', in.n - at);
        size_t end = lf ? (size_t)(lf - in.p) : in.n;
        const char *cr = end > at ? memchr(in.p + at, '\r', end - at) : NULL;
        size_t stop = cr ? (size_t)(cr - in.p) : end;
        if (stop == in.n) { /* an open line */
            d->at = DOT_OUT_TEXT;
            at = in.n;
        } else if (cr && stop + 1 == in.n) {
            d->at = DOT_OUT_CR;
            return put_run(d, in, from, stop, S(""));
        } else if (cr && stop + 1 == end) { /* CRLF */
            d->at = DOT_OUT_LINE;
            at = end + 1;
        } else { /* a bare CR or LF */
            if (!put_run(d, in, from, stop, S("\r\n")))
                return false;
            d->at = DOT_OUT_LINE;
            from = at = stop + 1;
        }
    }
    return put_run(d, in, from, at, S(""));
}

bool dot_write_end(struct dot_writer *d)
{
    bool open = d->at != DOT_OUT_LINE;
    d->at = DOT_OUT_LINE;
    return d->put(d->ctx, open ? S("\r\n.\r\n") : S(".\r\n"));
}
