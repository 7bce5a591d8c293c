/* format=flowed: reading and writing soft lines. */
#include "message/flowed.h"

#include "message/out.h"

#include "base/banned.h"

enum { WIDTH = 72 };

/* The next line of *rest without its line end. */
static slice take_line(slice *rest)
{
    ptrdiff_t at = slice_find(*rest, '\n');
    slice line = slice_sub(*rest, 0, at < 0 ? rest->n : (size_t)at);
    *rest = slice_skip(*rest, at < 0 ? rest->n : (size_t)at + 1);
    while (slice_ends(line, S("\r")))
        line.n--;
    return line;
}

static size_t take_depth(slice *line)
{
    size_t depth = 0;
    while (depth < line->n && line->p[depth] == '>')
        depth++;
    *line = slice_skip(*line, depth);
    return depth;
}

static void add_quotes(struct out *out, size_t depth)
{
    for (size_t i = 0; i < depth; i++)
        out_byte(out, '>');
}

static bool is_signature(slice line)
{
    return slice_eq(line, S("-- "));
}

/* 4.1-4.5: quote depth, then stuffing, then the space at the end; "-- " never flows. */
slice flowed_decode(struct arena *a, slice text, bool delsp)
{
    struct out out = {.arena = a};
    bool open = false; /* a paragraph waits for its next line */
    size_t open_depth = 0;
    while (text.n) {
        bool ended = slice_find(text, '\n') >= 0;
        slice line = take_line(&text);
        size_t depth = take_depth(&line);
        slice_eat(&line, S(" "));
        bool goes_on = open && depth == open_depth && !is_signature(line);
        if (open && !goes_on)
            out_byte(&out, '\n');
        if (!goes_on && depth) {
            add_quotes(&out, depth);
            out_byte(&out, ' ');
        }
        open = slice_ends(line, S(" ")) && !is_signature(line);
        open_depth = depth;
        if (open && delsp)
            line.n--;
        out_add(&out, line);
        if (!open && ended)
            out_byte(&out, '\n');
    }
    if (open)
        out_byte(&out, '\n');
    return out_slice(&out);
}

/* ---- writing ---- */

/* One UTF-8 character; wide ones (East Asian) take two columns, near enough. */
static size_t character(slice s, size_t *columns)
{
    size_t n = 1;
    while ((unsigned char)s.p[0] >= 0xc0 && n < s.n && ((unsigned char)s.p[n] & 0xc0) == 0x80)
        n++;
    *columns = n >= 3 ? 2 : 1;
    return n;
}

/*
 * Where to end the line that begins s: behind a space within WIDTH, or behind the first space
 * later; with delsp also between any two characters.  s.n: it fits whole, or cannot be cut.
 */
static size_t cut(slice s, size_t room, bool delsp)
{
    size_t i = 0, column = 0, space = 0, columns;
    while (i < s.n && (column < room || (!space && !delsp))) {
        size_t step = character(slice_skip(s, i), &columns);
        /* A soft line must not end before a space: it would look like stuffing or be lost. */
        bool breakable = i + step < s.n && s.p[i + step] != ' ' && s.p[i] == ' ';
        i += step;
        column += columns;
        if (breakable)
            space = i;
    }
    if (i == s.n)
        return s.n;
    if (space && (!delsp || space >= i / 2))
        return space;
    while (i < s.n && s.p[i] == ' ') /* keep a run of spaces on this side */
        i++;
    return delsp ? i : s.n;
}

/* 4.2, 4.4: lines that begin with a space, ">" or "From " are stuffed. */
static bool needs_stuffing(slice s)
{
    return slice_starts(s, S(" ")) || slice_starts(s, S(">")) || slice_starts(s, S("From "));
}

/* Without spaces at the end, and without what a reader takes for a part of the line end. */
static slice trim_end(slice s)
{
    while (s.n && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\r'))
        s.n--;
    return s;
}

static void encode_paragraph(struct out *out, slice line, size_t depth, bool delsp)
{
    size_t prefix = depth ? depth + 1 : 0;
    size_t room = prefix + 24 < WIDTH ? WIDTH - prefix : 24;
    do {
        size_t n = cut(line, room, delsp);
        if (is_signature(slice_sub(line, 0, n))) /* "-- " alone on a line means something else */
            n = line.n;
        slice part = slice_sub(line, 0, n);
        line = slice_skip(line, n);
        add_quotes(out, depth);
        if (depth || needs_stuffing(part))
            out_byte(out, ' ');
        out_add(out, part);
        if (line.n && delsp)
            out_byte(out, ' ');
        out_add(out, S("\r\n"));
    } while (line.n);
}

slice flowed_encode(struct arena *a, slice text, bool delsp)
{
    struct out out = {.arena = a};
    while (text.n) {
        slice line = take_line(&text);
        size_t depth = take_depth(&line);
        if (depth)
            slice_eat(&line, S(" "));
        if (is_signature(line)) {
            add_quotes(&out, depth);
            out_add(&out, depth ? S(" -- \r\n") : S("-- \r\n"));
        } else {
            encode_paragraph(&out, trim_end(line), depth, delsp);
        }
    }
    return out_slice(&out);
}
