/* Dot-stuffing: line by line where lines matter (header, TOP), by blocks in a body sent whole. */
#include "pop3/stuff.h"

#include "base/banned.h"

/* Copies a piece of a header, masked when it must be ASCII. */
static void add_masked(struct buf *out, slice s)
{
    char *to = buf_space(out, s.n);
    if (!to)
        return;
    for (size_t i = 0; i < s.n; i++)
        to[i] = (unsigned char)s.p[i] < 0x80 ? s.p[i] : '?';
    buf_wrote(out, s.n);
}

static void add(const struct stuffing *t, slice s, struct buf *out)
{
    if (t->ascii_header && !t->in_body)
        add_masked(out, s);
    else
        buf_add(out, s);
}

static bool has_text(slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != '\r' && s.p[i] != '\n')
            return true;
    return false;
}

/* One line's end was copied: is the header over, are there enough lines? */
static void line_ended(struct stuffing *t)
{
    if (t->in_body && t->body_lines != UINT64_MAX)
        t->body_lines--;
    if (!t->in_body && !t->line_has_text)
        t->in_body = true;
    t->mid_line = t->line_has_text = false;
    t->done = t->in_body && t->body_lines == 0;
}

/* Line by line, while something depends on lines. */
static slice add_lines(struct stuffing *t, slice in, struct buf *out)
{
    while (in.n && !t->done && (!t->in_body || t->body_lines != UINT64_MAX)) {
        ptrdiff_t end = slice_find(in, '\n');
        slice piece = end < 0 ? in : slice_sub(in, 0, (size_t)end + 1);
        if (!t->mid_line && piece.p[0] == '.')
            buf_add_byte(out, '.');
        add(t, piece, out);
        t->mid_line = true;
        t->line_has_text |= has_text(piece);
        in = slice_skip(in, piece.n);
        if (end >= 0)
            line_ended(t);
    }
    return in;
}

/* Whole blocks: only the dots at line starts are looked for. */
static void add_block(struct stuffing *t, slice in, struct buf *out)
{
    size_t from = 0;
    if (!t->mid_line && in.p[0] == '.')
        buf_add_byte(out, '.');
    for (const char *at = in.p; (at = memchr(at, '\n', (size_t)(in.p + in.n - at))) != NULL;) {
        at++;
        if (at == in.p + in.n)
            break;
        if (*at != '.')
            continue;
        size_t to = (size_t)(at - in.p);
        buf_add(out, slice_sub(in, from, to));
        buf_add_byte(out, '.');
        from = to;
    }
    buf_add(out, slice_skip(in, from));
    t->mid_line = in.p[in.n - 1] != '\n';
}

void stuff_add(struct stuffing *t, slice in, struct buf *out)
{
    in = add_lines(t, in, out);
    if (in.n && !t->done)
        add_block(t, in, out);
}

void stuff_end(const struct stuffing *t, struct buf *out)
{
    if (t->mid_line)
        buf_add(out, S("\r\n"));
    buf_add(out, S(".\r\n"));
}
