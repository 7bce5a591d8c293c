/*
 * uuencode: each line begins with a character that says how many bytes it holds; four characters
 * (space or "`" to "_") make three bytes.
 */
#include "message/uuencode.h"

#include "base/banned.h"

/* Takes the next line from *rest; without its line end. */
static slice take_line(slice *rest)
{
    ptrdiff_t at = slice_find(*rest, '\n');
    slice line = slice_sub(*rest, 0, at < 0 ? rest->n : (size_t)at);
    *rest = slice_skip(*rest, at < 0 ? rest->n : (size_t)at + 1);
    if (slice_ends(line, S("\r")))
        line.n--;
    return line;
}

/* "begin 644 name": three or four octal digits, one space, a name. */
static bool begin_line(slice line, slice *name)
{
    size_t digits = 0;
    if (!slice_eat(&line, S("begin ")))
        return false;
    while (digits < line.n && line.p[digits] >= '0' && line.p[digits] <= '7')
        digits++;
    if (digits < 3 || digits > 4 || line.n <= digits + 1 || line.p[digits] != ' ')
        return false;
    *name = slice_trim(slice_skip(line, digits + 1));
    return name->n > 0;
}

static int value(char c)
{
    return c >= ' ' && c <= '`' ? (c - ' ') & 63 : -1;
}

/*
 * Bytes a data line holds, or -1.  Trailing spaces may have been cut on the way, and some encoders
 * add a character or two (a check sum), so the length has play; but half of a line must be there,
 * so that little input does not make much output.
 */
static int data_line(slice line)
{
    int n = line.n ? value(line.p[0]) : -1;
    if (n <= 0 || line.p[0] == '`')
        return -1;
    size_t full = ((size_t)n + 2) / 3 * 4 + 1;
    if (line.n > full + 2 || line.n < 2 || line.n * 2 < full)
        return -1;
    for (size_t i = 1; i < line.n; i++)
        if (value(line.p[i]) < 0)
            return -1;
    return n;
}

static bool is_end(slice line)
{
    return slice_eq(slice_trim(line), S("end"));
}

/* The line that says "no bytes", before "end". */
static bool is_zero(slice line)
{
    return line.n == 0 || (line.n <= 2 && value(line.p[0]) == 0);
}

/* Reads the data lines and the end of a file whose begin line was just taken. */
static bool read_file(slice *rest, struct uu_file *out)
{
    slice start = *rest;
    size_t lines = 0;
    for (;;) {
        slice before = *rest;
        if (rest->n == 0)
            break;
        slice line = take_line(rest);
        if (is_end(line)) {
            out->terminated = true;
            out->lines = (slice){start.p, (size_t)(before.p - start.p)};
            return lines > 0;
        }
        if (data_line(line) >= 0) {
            lines++;
        } else if (!is_zero(line)) {
            *rest = before; /* text goes on: the file lost its end */
            break;
        }
    }
    out->lines = (slice){start.p, start.n - rest->n};
    return lines > 0;
}

bool uu_find(slice text, size_t from, struct uu_file *out)
{
    slice rest = slice_skip(text, from);
    while (rest.n) {
        slice before = rest, name, line;
        if (!slice_starts(rest, S("begin "))) {
            ptrdiff_t at = slice_search(rest, S("\nbegin "));
            if (at < 0)
                return false;
            rest = before = slice_skip(rest, (size_t)at + 1);
        }
        line = take_line(&rest);
        *out = (struct uu_file){0};
        slice body = rest;
        if (begin_line(line, &name) && read_file(&body, out)) {
            out->name = name;
            out->all = (slice){before.p, before.n - body.n};
            return true;
        }
    }
    return false;
}

slice uu_decode(struct arena *a, slice lines, bool *damaged)
{
    char *out = arena_alloc(a, lines.n * 3 / 2 + 64), *to = out;
    while (lines.n) {
        slice line = take_line(&lines);
        int n = data_line(line);
        if (n < 0) {
            if (damaged && !is_zero(line))
                *damaged = true;
            continue;
        }
        for (size_t i = 1; n > 0; i += 4, n -= 3) {
            uint32_t bits = 0;
            for (size_t k = i; k < i + 4; k++) /* what was cut off were spaces: zeros */
                bits = bits << 6 | (uint32_t)(k < line.n ? value(line.p[k]) : 0);
            for (int k = 0; k < 3 && k < n; k++)
                *to++ = (char)(bits >> (16 - 8 * k));
        }
    }
    return (slice){out, (size_t)(to - out)};
}
