/*
 * Writing encoded words.  The text is cut at spaces into runs: words that are plain ASCII stay,
 * neighbours that need encoding make one run, spaces between them included.  A run is written as
 * one or more encoded words of at most 75 characters, each made of whole characters.
 */
#include "message/word2047.h"

#include "message/base64.h"
#include "message/charset.h"
#include "message/out.h"
#include "base/banned.h"

enum {
    WORD_MAX = 75,
    LINE_MAX = 76,  /* of a line that holds an encoded word */
    OVERHEAD = 12,  /* "=?utf-8?B?" and "?=" */
    ROOM_MIN = 24,  /* less is not worth beginning a word */
    TOKEN_MAX = 900 /* a longer ASCII token is encoded, so that lines stay below 998 */
};

struct printer {
    struct out out;
    size_t column;
    bool phrase; /* only the characters RFC 2047 5 (3) allows in a phrase */
};

static void print(struct printer *p, slice s)
{
    out_add(&p->out, s);
    p->column += s.n;
}

static void fold(struct printer *p)
{
    out_add(&p->out, S("\r\n "));
    p->column = 1;
}

/* UTF-8, controls as spaces, no white space around. */
static slice clean(struct arena *a, slice utf8)
{
    struct charset_text t;
    bool control = false;
    charset_to_utf8(a, S("utf-8"), utf8, &t);
    for (size_t i = 0; i < t.text.n; i++)
        control |= (unsigned char)t.text.p[i] < ' ' || t.text.p[i] == 0x7f;
    if (control) {
        char *copy = arena_alloc(a, t.text.n);
        for (size_t i = 0; i < t.text.n; i++)
            copy[i] = (unsigned char)t.text.p[i] < ' ' || t.text.p[i] == 0x7f ? ' ' : t.text.p[i];
        t.text.p = copy;
    }
    return slice_trim(t.text);
}

static bool q_plain(const struct printer *p, char c)
{
    if (ascii_is_alnum(c) || c == '!' || c == '*' || c == '+' || c == '-' || c == '/')
        return true;
    return !p->phrase && c > ' ' && c < 0x7f && c != '=' && c != '?' && c != '_';
}

static size_t q_width(const struct printer *p, slice s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += q_plain(p, s.p[i]) || s.p[i] == ' ' ? 1 : 3;
    return n;
}

static size_t character(slice s)
{
    size_t n = 1;
    while (n < s.n && ((unsigned char)s.p[n] & 0xc0) == 0x80)
        n++;
    return n;
}

/* The longest start of s, in whole characters, whose encoding takes at most room. */
static slice that_fits(const struct printer *p, slice s, bool q, size_t room)
{
    size_t n = 0, width = 0;
    while (n < s.n) {
        size_t step = character(slice_skip(s, n));
        width += q ? q_width(p, slice_sub(s, n, n + step)) : 0;
        if ((q ? width : base64_length(n + step)) > room)
            break;
        n += step;
    }
    return slice_sub(s, 0, n ? n : character(s));
}

static void print_word(struct printer *p, slice s, bool q)
{
    print(p, q ? S("=?utf-8?Q?") : S("=?utf-8?B?"));
    if (!q) {
        char *to = out_space(&p->out, base64_length(s.n));
        size_t n = base64_encode(s, to);
        out_wrote(&p->out, n);
        p->column += n;
    }
    for (size_t i = 0; i < s.n && q; i++) {
        char hex[2];
        ascii_hex(&s.p[i], 1, hex);
        if (s.p[i] == ' ')
            print(p, S("_"));
        else if (q_plain(p, s.p[i]))
            print(p, slice_sub(s, i, i + 1));
        else
            print(p, (slice){(const char[]){'=', ascii_upper(hex[0]), ascii_upper(hex[1])}, 3});
    }
    print(p, S("?="));
}

static void print_run(struct printer *p, slice run)
{
    bool q = q_width(p, run) <= base64_length(run.n);
    for (bool first = true; run.n; first = false) {
        if (!first)
            fold(p);
        size_t line = p->column < LINE_MAX - ROOM_MIN ? LINE_MAX - p->column : ROOM_MIN;
        size_t room = (line < WORD_MAX ? line : WORD_MAX) - OVERHEAD;
        slice part = that_fits(p, run, q, room);
        print_word(p, part, q);
        run = slice_skip(run, part.n);
    }
}

static bool needs_encoding(slice word)
{
    return !slice_is_ascii(word) || slice_search(word, S("=?")) >= 0 || word.n > TOKEN_MAX;
}

/* The spaces and the word behind them at the start of s. */
static slice take_token(slice s, size_t *spaces)
{
    size_t n = 0;
    while (n < s.n && s.p[n] == ' ')
        n++;
    *spaces = n;
    while (n < s.n && s.p[n] != ' ')
        n++;
    return slice_sub(s, 0, n);
}

/* All tokens from the start of s that need encoding, with the spaces between them. */
static slice take_run(slice s)
{
    size_t n = 0, spaces;
    while (n < s.n) {
        slice token = take_token(slice_skip(s, n), &spaces);
        if (!needs_encoding(slice_skip(token, spaces)))
            break;
        n += token.n;
    }
    return slice_sub(s, 0, n);
}

slice word2047_encode_text(struct arena *a, slice utf8, size_t *column)
{
    struct printer p = {.out = {.arena = a}, .column = column ? *column : 0};
    slice rest = clean(a, utf8);
    while (rest.n) {
        size_t spaces;
        slice token = take_token(rest, &spaces), word = slice_skip(token, spaces);
        bool encode = needs_encoding(word);
        size_t wanted = encode ? ROOM_MIN + OVERHEAD : word.n;
        if (spaces && p.column + spaces + wanted > LINE_MAX && p.column > 1) {
            out_add(&p.out, S("\r\n"));
            p.column = 0;
        }
        print(&p, slice_sub(token, 0, spaces));
        if (encode) {
            word = take_run(slice_skip(rest, spaces));
            print_run(&p, word);
        } else {
            print(&p, word);
        }
        rest = slice_skip(rest, spaces + word.n);
    }
    if (column)
        *column = p.column;
    return out_slice(&p.out);
}

static bool is_atext(char c)
{
    return ascii_is_alnum(c) ||
           (c > ' ' && c < 0x7f && slice_find(S("!#$%&'*+-/=?^_`{|}~"), c) >= 0);
}

static bool is_atoms(slice s)
{
    bool atoms = true;
    for (size_t i = 0; i < s.n; i++)
        atoms &= is_atext(s.p[i]) || (s.p[i] == ' ' && i && s.p[i - 1] != ' ');
    return atoms;
}

slice word2047_encode_phrase(struct arena *a, slice utf8, size_t *column)
{
    struct printer p = {.out = {.arena = a}, .column = column ? *column : 0, .phrase = true};
    slice s = clean(a, utf8);
    if (needs_encoding(s) && s.n) {
        print_run(&p, s);
    } else if (is_atoms(s)) {
        print(&p, s);
    } else {
        print(&p, S("\""));
        for (size_t i = 0; i < s.n; i++) {
            if (s.p[i] == '"' || s.p[i] == '\\')
                print(&p, S("\\"));
            print(&p, slice_sub(s, i, i + 1));
        }
        print(&p, S("\""));
    }
    if (column)
        *column = p.column;
    return out_slice(&p.out);
}
