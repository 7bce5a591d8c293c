/* ASCII by a table, Han characters by their first byte, the rest by utf8proc. */
#include "base/casefold.h"

#include <utf8proc.h>

#include "base/banned.h"

/* What one character can become (U+FDFA: 18 code points), and what is put out at once. */
enum { FOLD_MOST = 32, FOLD_STEP = 4096, FOLD_SPARE = 4 * FOLD_MOST + 8 };

struct fold {
    char bytes[FOLD_STEP];
    size_t n;
    enum { GAP_NONE, GAP_SPACE, GAP_LINE } gap; /* white space behind the last character */
    bool wide; /* the last character was of a script that breaks lines anywhere */
};

/* The folded byte of ASCII; 0: white space or a NUL, which is one; also what is not ASCII. */
static const char ascii_fold[256] = {
    0,   1,    2,   3,   4,   5,   6,   7,   8,   0,   0,   0,   0,   0,   14,  15,  16,   17,  18,
    19,  20,   21,  22,  23,  24,  25,  26,  27,  28,  29,  30,  31,  0,   '!', '"', '#',  '$', '%',
    '&', '\'', '(', ')', '*', '+', ',', '-', '.', '/', '0', '1', '2', '3', '4', '5', '6',  '7', '8',
    '9', ':',  ';', '<', '=', '>', '?', '@', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i',  'j', 'k',
    'l', 'm',  'n', 'o', 'p', 'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', '[', '\\', ']', '^',
    '_', '`',  'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o',  'p', 'q',
    'r', 's',  't', 'u', 'v', 'w', 'x', 'y', 'z', '{', '|', '}', '~', 127,
};

/* A character comes: what was white space before it becomes one space, or nothing where a line of
 * Chinese or Japanese was broken. */
static void fold_gap(struct fold *f, bool wide)
{
    if (f->gap == GAP_SPACE || (f->gap == GAP_LINE && !(wide && f->wide)))
        f->bytes[f->n++] = ' ';
    f->gap = GAP_NONE;
    f->wide = wide;
}

static void fold_space(struct fold *f, char c)
{
    f->gap = c == '\n' || f->gap == GAP_LINE ? GAP_LINE : GAP_SPACE;
}

/* ASCII from the front of text, which begins with it; returns its bytes. */
static size_t fold_ascii(struct fold *f, slice text)
{
    char to = ascii_fold[(unsigned char)text.p[0]];
    if (!to) {
        fold_space(f, text.p[0]);
        return 1;
    }
    size_t i = 0, n;
    fold_gap(f, false);
    for (n = f->n; i < text.n && (to = ascii_fold[(unsigned char)text.p[i]]); i++)
        f->bytes[n++] = to;
    f->n = n;
    return i;
}

/* Han, kana, their punctuation and full-width forms. */
static bool is_wide(utf8proc_int32_t code)
{
    return (code >= 0x2e80 && code < 0xac00) || (code >= 0xf900 && code < 0xfb00) ||
           (code >= 0xfe30 && code < 0xfff0) || (code >= 0x20000 && code < 0x40000);
}

/* One character that is not ASCII; returns its bytes. */
static size_t fold_wide(struct fold *f, slice s)
{
    utf8proc_int32_t code, to[FOLD_MOST];
    int boundary = UTF8PROC_BOUNDCLASS_START;
    const utf8proc_option_t how =
        UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE;
    unsigned char first = (unsigned char)s.p[0];
    utf8proc_ssize_t n =
        utf8proc_iterate((const utf8proc_uint8_t *)s.p, (utf8proc_ssize_t)s.n, &code);
    if (n <= 0 || (first >= 0xe4 && first <= 0xe9)) {
        /* not UTF-8; or U+4000 to U+9FFF: no case, nothing to take apart */
        size_t bytes = n <= 0 ? 1 : 3;
        fold_gap(f, n > 0);
        memcpy(f->bytes + f->n, s.p, bytes);
        f->n += bytes;
        return bytes;
    }
    utf8proc_ssize_t count = utf8proc_decompose_char(code, to, FOLD_MOST, how, &boundary);
    for (utf8proc_ssize_t i = 0; i < count && i < FOLD_MOST; i++) {
        if (to[i] < 0x80 && !ascii_fold[to[i]]) {
            fold_space(f, (char)to[i]);
            continue;
        }
        fold_gap(f, is_wide(code));
        f->n += (size_t)utf8proc_encode_char(to[i], (utf8proc_uint8_t *)f->bytes + f->n);
    }
    return (size_t)n;
}

/* Fills f.bytes anew from the front of *text. */
static slice fold_step(struct fold *f, slice *text)
{
    size_t i = 0;
    f->n = 0;
    while (i < text->n && f->n < FOLD_STEP - FOLD_SPARE) {
        size_t room = FOLD_STEP - FOLD_SPARE - f->n;
        size_t end = text->n - i < room ? text->n : i + room;
        while (i < end && (unsigned char)text->p[i] < 0x80)
            i += fold_ascii(f, slice_sub(*text, i, end));
        if (i < end)
            i += fold_wide(f, slice_skip(*text, i));
    }
    if (i == text->n && f->gap != GAP_NONE) { /* at the end it counts */
        f->bytes[f->n++] = ' ';
        f->gap = GAP_NONE;
    }
    *text = slice_skip(*text, i);
    return (slice){f->bytes, f->n};
}

void casefold_add(struct buf *out, slice utf8)
{
    struct fold f __attribute__((uninitialized)); /* zeroing it costs more than a short text */
    f.gap = GAP_NONE;
    f.wide = false;
    while (utf8.n && buf_add(out, fold_step(&f, &utf8)))
        continue;
}

bool casefold_has(struct buf *room, slice text, slice folded)
{
    struct fold f __attribute__((uninitialized));
    bool has = folded.n == 0;
    f.gap = GAP_NONE;
    f.wide = false;
    room->max = folded.n + FOLD_STEP;
    while (!has && text.n) {
        buf_add(room, fold_step(&f, &text));
        has = slice_search(buf_slice(room), folded) >= 0;
        if (!has && buf_length(room) >= folded.n) /* its first bytes may be the last ones here */
            buf_eat(room, buf_length(room) - folded.n + 1);
    }
    buf_eat(room, buf_length(room));
    return has;
}
