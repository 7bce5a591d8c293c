/* Width by a table of ranges: no locale, so tables look the same everywhere. */
#include "base/text.h"
#include "base/banned.h"

/* Ranges that take no column, and those that take two (Unicode 15 East Asian Width W and F). */
static const struct {
    uint32_t from, to;
    size_t width;
} widths[] = {
    {0x0300, 0x036f, 0},   {0x200b, 0x200f, 0},   {0x202a, 0x202e, 0},   {0x2060, 0x2064, 0},
    {0x20d0, 0x20f0, 0},   {0xfe00, 0xfe0f, 0},   {0xfeff, 0xfeff, 0},   {0xe0100, 0xe01ef, 0},
    {0x1100, 0x115f, 2},   {0x231a, 0x231b, 2},   {0x2e80, 0x303e, 2},   {0x3041, 0x33ff, 2},
    {0x3400, 0x4dbf, 2},   {0x4e00, 0x9fff, 2},   {0xa000, 0xa4cf, 2},   {0xa960, 0xa97f, 2},
    {0xac00, 0xd7a3, 2},   {0xf900, 0xfaff, 2},   {0xfe30, 0xfe6f, 2},   {0xff00, 0xff60, 2},
    {0xffe0, 0xffe6, 2},   {0x1f300, 0x1f64f, 2}, {0x1f680, 0x1f6ff, 2}, {0x1f900, 0x1faff, 2},
    {0x20000, 0x3fffd, 2},
};

/* The first character of s: its bytes, and its code point or 0 when it is not to be shown. */
static size_t next_character(slice s, uint32_t *code)
{
    unsigned char c = (unsigned char)s.p[0];
    size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : 2;
    *code = 0;
    if (!slice_is_utf8(slice_sub(s, 0, n)) || s.n < n)
        return 1;
    uint32_t u = n == 1 ? c : (uint32_t)c & (0x7fu >> n);
    for (size_t i = 1; i < n; i++)
        u = u << 6 | ((uint32_t)(unsigned char)s.p[i] & 0x3f);
    /* controls, and the marks that turn the direction of what follows */
    bool hidden = u < 0x20 || (u >= 0x7f && u < 0xa0) || (u >= 0x202a && u <= 0x202e) ||
                  (u >= 0x2066 && u <= 0x2069);
    *code = hidden ? 0 : u;
    return n;
}

static size_t code_width(uint32_t code)
{
    for (size_t i = 0; code && i < sizeof(widths) / sizeof(widths[0]); i++)
        if (code >= widths[i].from && code <= widths[i].to)
            return widths[i].width;
    return 1;
}

size_t text_width(slice s)
{
    size_t width = 0;
    uint32_t code;
    while (s.n) {
        s = slice_skip(s, next_character(s, &code));
        width += code_width(code);
    }
    return width;
}

/* Adds characters of s as long as they fit into columns; returns the columns used. */
static size_t add_fitting(struct buf *out, slice s, size_t columns)
{
    size_t used = 0;
    while (s.n) {
        uint32_t code;
        size_t n = next_character(s, &code), width = code_width(code);
        if (used + width > columns)
            break;
        buf_add(out, code ? slice_sub(s, 0, n) : S("?"));
        used += width;
        s = slice_skip(s, n);
    }
    return used;
}

void text_add_safe(struct buf *out, slice s)
{
    add_fitting(out, s, SIZE_MAX);
}

static void add_spaces(struct buf *out, size_t n)
{
    while (n--)
        buf_add_byte(out, ' ');
}

void text_add_column(struct buf *out, slice s, size_t columns)
{
    size_t used;
    if (columns && text_width(s) > columns) {
        used = add_fitting(out, s, columns - 1) + 1;
        buf_add(out, S("…"));
    } else {
        used = add_fitting(out, s, columns);
    }
    add_spaces(out, columns - used);
}

static size_t column_width(const slice *cells, size_t columns, size_t rows, size_t column,
                           size_t max_width)
{
    size_t widest = 0;
    for (size_t row = 0; row < rows; row++) {
        size_t width = text_width(cells[row * columns + column]);
        if (width > widest)
            widest = width;
    }
    return widest < max_width ? widest : max_width;
}

void text_table(struct buf *out, const slice *cells, size_t columns, size_t rows, size_t max_width,
                unsigned right)
{
    enum { TABLE_COLUMNS = 16 };
    size_t widths_now[TABLE_COLUMNS] = {0};
    if (columns > TABLE_COLUMNS)
        return;
    for (size_t c = 0; c < columns; c++)
        widths_now[c] = column_width(cells, columns, rows, c, max_width);
    for (size_t row = 0; row < rows; row++) {
        const slice *line = cells + row * columns;
        size_t used = columns; /* nothing is padded up to cells that say nothing */
        while (used > 1 && !line[used - 1].n)
            used--;
        for (size_t c = 0; c < used; c++) {
            size_t width = text_width(line[c]);
            if (right >> c & 1 && width < widths_now[c])
                add_spaces(out, widths_now[c] - width);
            bool pad = c + 1 < used && !(right >> c & 1);
            text_add_column(out, line[c], pad || width > widths_now[c] ? widths_now[c] : width);
            buf_add(out, c + 1 < used ? S("  ") : S("\n"));
        }
    }
}
