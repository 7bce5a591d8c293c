/*
 * Reading encoded words.  The value is walked once; a word "=?charset?B?data?=" is decoded to bytes
 * and kept pending, so that the next word of the same charset, with only white space between, adds
 * its bytes before they are converted (rule M5: senders split characters).  Plain runs are
 * converted as raw 8-bit text.
 */
#include "message/word2047.h"

#include "message/base64.h"
#include "message/charset.h"
#include "message/out.h"
#include "message/qp.h"
#include "base/banned.h"

struct word {
    slice charset;
    char encoding; /* 'b' or 'q' */
    slice data;
    size_t length; /* from "=?" to behind "?=" */
};

struct reader {
    struct arena *arena;
    slice charset;    /* for raw 8-bit text; "" unknown */
    struct out out;   /* finished text */
    struct out bytes; /* of the pending words */
    slice pending;    /* their charset */
    bool has_pending;
};

static bool is_charset_char(char c)
{
    return c > ' ' && c < 0x7f && c != '?' && c != '=' && c != '"' && c != '<' && c != '>';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Does a word go on behind a line end: white space, then its "?=" before any other? */
static bool goes_on(slice s)
{
    size_t i = slice_eat_wsp(&s);
    if (i == 0)
        return false;
    for (i = 0; i + 1 < s.n && !is_blank(s.p[i]); i++) {
        if (s.p[i] == '?' && s.p[i + 1] == '=')
            return true;
        if (s.p[i] == '=' && s.p[i + 1] == '?' && i + 2 < s.n && s.p[i + 2] != '=')
            return false;
    }
    return false;
}

/*
 * The end of a word's data.  Normally "?=".  A Q word may hold "?=" only as its end, or as "?"
 * before an encoded byte ("?=E9", from senders that do not encode "?"); a word may be folded in its
 * middle; without an end the data go to the next white space or word (unterminated words are cut
 * off subjects).
 */
static size_t data_end(slice s, char encoding, size_t *behind)
{
    size_t i = 0;
    for (; i < s.n; i++) {
        if (s.p[i] == '?' && i + 1 < s.n && s.p[i + 1] == '=') {
            bool more = encoding == 'q' && i + 3 < s.n && ascii_unhex(s.p[i + 2]) >= 0 &&
                        ascii_unhex(s.p[i + 3]) >= 0;
            if (!more || slice_search(slice_skip(s, i + 2), S("?=")) < 0) {
                *behind = i + 2;
                return i;
            }
        }
        bool word = s.p[i] == '=' && i + 2 < s.n && s.p[i + 1] == '?' && s.p[i + 2] != '=';
        if ((s.p[i] == '\n' && !goes_on(slice_skip(s, i + 1))) || word)
            break;
    }
    size_t end = i;
    while (end && is_blank(s.p[end - 1]))
        end--;
    *behind = end;
    if (end && s.p[end - 1] == '?')
        end--;
    return end;
}

/* An encoded word at the start of s. */
static bool take_word(slice s, struct word *w)
{
    slice all = s;
    size_t n = 0;
    if (!slice_eat(&s, S("=?")))
        return false;
    while (n < s.n && is_charset_char(s.p[n]))
        n++;
    if (n == 0 || n + 2 >= s.n || s.p[n] != '?' || s.p[n + 2] != '?')
        return false;
    w->charset = slice_sub(s, 0, n);
    w->encoding = ascii_lower(s.p[n + 1]);
    ptrdiff_t language = slice_find(w->charset, '*'); /* RFC 2231 section 5 */
    if (language >= 0)
        w->charset.n = (size_t)language;
    if (w->encoding != 'b' && w->encoding != 'q')
        return false;
    s = slice_skip(s, n + 3);
    size_t behind, end = data_end(s, w->encoding, &behind);
    w->data = slice_sub(s, 0, end);
    w->length = (size_t)(s.p - all.p) + behind;
    return charset_canonical(w->charset) != NULL;
}

/* A decoded piece to the text: line ends hidden in a word would forge a field. */
static void add_text(struct reader *r, slice label, slice bytes)
{
    struct charset_text t;
    if (bytes.n == 0)
        return;
    charset_to_utf8(r->arena, label, bytes, &t);
    char *to = out_space(&r->out, t.text.n + 1);
    for (size_t i = 0; i < t.text.n; i++)
        to[i] = t.text.p[i] == '\r' || t.text.p[i] == '\n' ? ' ' : t.text.p[i];
    out_wrote(&r->out, t.text.n);
}

static void flush(struct reader *r)
{
    if (!r->has_pending)
        return;
    add_text(r, r->pending, out_slice(&r->bytes));
    r->bytes.n = 0;
    r->has_pending = false;
}

static void decode_q(struct reader *r, slice data)
{
    char *to = out_space(&r->bytes, data.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < data.n; i++) {
        char c = data.p[i];
        if (c == '\n' || (c == '\r' && slice_starts(slice_skip(data, i), S("\r\n")))) {
            while (i + 1 < data.n && is_blank(data.p[i + 1])) /* a fold, with its white space */
                i++;
            continue;
        }
        int high = c == '=' && i + 2 < data.n ? ascii_unhex(data.p[i + 1]) : -1;
        int low = c == '=' && i + 2 < data.n ? ascii_unhex(data.p[i + 2]) : -1;
        if (high >= 0 && low >= 0) {
            to[n++] = (char)(high << 4 | low);
            i += 2;
        } else {
            to[n++] = c == '_' ? ' ' : c;
        }
    }
    out_wrote(&r->bytes, n);
}

static void add_word(struct reader *r, const struct word *w)
{
    if (r->has_pending && !slice_eq_icase(r->pending, w->charset))
        flush(r);
    r->pending = w->charset;
    r->has_pending = true;
    if (w->encoding == 'q')
        decode_q(r, w->data);
    else
        out_wrote(
            &r->bytes,
            base64_decode(w->data, out_space(&r->bytes, base64_decode_room(w->data.n)), NULL));
}

/* Folding goes: CRLF before white space vanishes; a line end without it is a space. */
static void add_plain(struct reader *r, slice s)
{
    struct out line = {.arena = r->arena};
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '\r' && s.p[i] != '\n') {
            out_byte(&line, s.p[i]);
            continue;
        }
        if (s.p[i] == '\r' && i + 1 < s.n && s.p[i + 1] == '\n')
            i++;
        bool folded = i + 1 < s.n && (s.p[i + 1] == ' ' || s.p[i + 1] == '\t');
        if (!folded && i + 1 < s.n)
            out_byte(&line, ' ');
    }
    add_text(r, r->charset, out_slice(&line));
}

static bool is_simple(slice s)
{
    return slice_is_ascii(s) && slice_search(s, S("=?")) < 0 && slice_find(s, '\r') < 0 &&
           slice_find(s, '\n') < 0 && slice_find(s, 0) < 0 && slice_find(s, 0x1b) < 0;
}

slice word2047_decode_as(struct arena *a, slice value, slice charset)
{
    if (is_simple(value))
        return value;
    struct reader r = {.arena = a, .charset = charset, .out = {.arena = a}, .bytes = {.arena = a}};
    size_t plain = 0, i = 0; /* value[plain, i) waits as plain text */
    while (i < value.n) {
        slice rest = slice_skip(value, i);
        ptrdiff_t at = slice_search(rest, S("=?"));
        if (at < 0)
            break;
        i += (size_t)at;
        struct word w;
        if (!take_word(slice_skip(value, i), &w)) {
            i += 2;
            continue;
        }
        slice between = slice_sub(value, plain, i);
        if (!r.has_pending || slice_trim(between).n) {
            flush(&r);
            add_plain(&r, between);
        }
        add_word(&r, &w);
        i += w.length;
        plain = i;
    }
    flush(&r);
    add_plain(&r, slice_skip(value, plain));
    return out_slice(&r.out);
}

slice word2047_decode(struct arena *a, slice value)
{
    return word2047_decode_as(a, value, S(""));
}
