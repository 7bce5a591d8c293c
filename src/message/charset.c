/*
 * Any charset to UTF-8 through glibc's iconv.  Opening a descriptor costs more than converting a
 * header, so each thread keeps the last few (struct reader); for single-byte charsets it keeps the
 * 256 characters instead of asking iconv for each text.
 */
#include "message/charset.h"

#include <assert.h>
#include <errno.h>
#include <iconv.h>
#include <pthread.h>
#include <stdlib.h>

#include "message/charset_escape.h"
#include "message/charset_table.h"
#include "message/out.h"
#include "base/banned.h"

enum { READERS = 8, LABEL_MAX = 40, LABELS_MAX = 2048 };

#define NO_CHARACTER UINT32_MAX
static const slice replacement = {"\xef\xbf\xbd", 3};

/* ---- labels ---- */

/* All labels of the table in order, made once: they are looked up for every encoded word. */
struct label {
    slice text;
    const struct charset *row;
};

static struct label labels[LABELS_MAX];
static size_t label_count;
static pthread_once_t labels_once = PTHREAD_ONCE_INIT;

static int compare_labels(const void *a, const void *b)
{
    const struct label *x = a, *y = b;
    return slice_cmp(x->text, y->text);
}

static void sort_labels(void)
{
    for (size_t i = 0; i < charset_count; i++) {
        slice rest = slice_trim(slice_c(charset_table[i].labels)), text;
        while (slice_next(&rest, ' ', &text)) {
            assert(label_count < LABELS_MAX);
            labels[label_count++] = (struct label){text, &charset_table[i]};
        }
    }
    qsort(labels, label_count, sizeof(labels[0]), compare_labels);
}

/* A label as the table writes it: its letters and digits in lower case, without "x-" in front. */
static slice normalize(slice label, char out[LABEL_MAX])
{
    label = slice_trim(label);
    if (slice_starts(label, S("\"")) || slice_starts(label, S("'")))
        label = slice_trim(slice_skip(label, 1));
    slice_eat_icase(&label, S("x-"));
    size_t n = 0;
    for (size_t i = 0; i < label.n && label.p[i] != '*'; i++) { /* "*": a language follows */
        if (!ascii_is_alnum(label.p[i]))
            continue;
        if (n == LABEL_MAX)
            return S("");
        out[n++] = ascii_lower(label.p[i]);
    }
    return (slice){out, n};
}

static const struct charset *find(slice label)
{
    char text[LABEL_MAX];
    struct label wanted = {.text = normalize(label, text)};
    pthread_once(&labels_once, sort_labels);
    struct label *found = bsearch(&wanted, labels, label_count, sizeof(labels[0]), compare_labels);
    return found ? found->row : NULL;
}

const struct charset *charset_row(const char *name)
{
    for (size_t i = 0; i < charset_count; i++)
        if (slice_eq(slice_c(charset_table[i].name), slice_c(name)))
            return &charset_table[i];
    assert(!"a charset without a row");
    return NULL;
}

const char *charset_canonical(slice label)
{
    const struct charset *row = find(label);
    return row ? row->name : NULL;
}

/* ---- descriptors, per thread ---- */

struct reader {
    const struct charset *row; /* NULL: free */
    iconv_t cd;
    unsigned used; /* age */
    bool single;   /* every byte is one character: characters[] says which */
    uint32_t characters[256];
};

static _Thread_local struct reader readers[READERS];
static _Thread_local unsigned readers_clock;
static pthread_key_t readers_key;
static pthread_once_t readers_once = PTHREAD_ONCE_INIT;

static void close_readers(void *of_thread)
{
    struct reader *r = of_thread;
    for (size_t i = 0; i < READERS; i++) {
        if (r[i].row)
            iconv_close(r[i].cd);
        r[i].row = NULL;
    }
}

static void make_key(void)
{
    if (pthread_key_create(&readers_key, close_readers) != 0)
        assert(!"no thread key");
}

/* What byte c alone means, NO_CHARACTER when nothing; false when it is not a whole character. */
static bool read_byte(iconv_t cd, char c, uint32_t *character)
{
    char out[16], *from = &c, *to = out;
    size_t in_left = 1, out_left = sizeof(out);
    *character = NO_CHARACTER;
    iconv(cd, NULL, NULL, NULL, NULL);
    if (iconv(cd, &from, &in_left, &to, &out_left) == (size_t)-1)
        return errno == EILSEQ;
    if (to - out != 4)
        return false;
    uint32_t v;
    memcpy(&v, out, 4);
    *character = v;
    return true;
}

static bool learn_single(const struct charset *row, uint32_t characters[256])
{
    iconv_t cd = iconv_open("UCS-4LE", row->iconv);
    if (cd == (iconv_t)-1)
        return false;
    bool single = true;
    for (int c = 0; c < 256 && single; c++)
        single = read_byte(cd, (char)c, &characters[c]);
    iconv_close(cd);
    return single;
}

/* The thread's reader of a row; NULL when glibc has no such module here. */
static struct reader *reader_of(const struct charset *row)
{
    struct reader *oldest = readers;
    for (size_t i = 0; i < READERS; i++) {
        struct reader *r = &readers[i];
        if (r->row == row) {
            r->used = ++readers_clock;
            iconv(r->cd, NULL, NULL, NULL, NULL);
            return r;
        }
        if (!r->row || (oldest->row && r->used < oldest->used))
            oldest = r;
    }
    iconv_t cd = iconv_open("UTF-8", row->iconv);
    if (cd == (iconv_t)-1)
        return NULL;
    pthread_once(&readers_once, make_key);
    pthread_setspecific(readers_key, readers);
    if (oldest->row)
        iconv_close(oldest->cd);
    oldest->row = row;
    oldest->cd = cd;
    oldest->used = ++readers_clock;
    oldest->single = learn_single(row, oldest->characters);
    return oldest;
}

void charset_preload(void)
{
    /* Open descriptors keep a module in memory; these are never closed. */
    for (size_t i = 0; i < charset_count; i++)
        if (charset_table[i].iconv && charset_table[i].kind != CHARSET_RARE)
            (void)!iconv_open("UTF-8", charset_table[i].iconv);
}

/* ---- conversions ---- */

static size_t utf8_width(uint32_t c)
{
    return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

static void read_single(struct arena *a, const struct reader *r, slice in, struct charset_text *out)
{
    size_t room = 0;
    for (size_t i = 0; i < in.n; i++) {
        uint32_t c = r->characters[(unsigned char)in.p[i]];
        room += c == NO_CHARACTER ? replacement.n : utf8_width(c);
    }
    struct out to = {.arena = a};
    out_space(&to, room + 1);
    for (size_t i = 0; i < in.n; i++) {
        uint32_t c = r->characters[(unsigned char)in.p[i]];
        out->replaced += c == NO_CHARACTER;
        if (c < 0x80)
            out_byte(&to, (char)c);
        else
            out_char(&to, c);
    }
    out->text = out_slice(&to);
}

/* A byte iconv does not take: what is known to be meant, else U+FFFD. */
static void read_invalid(const struct charset *row, char c, struct out *to,
                         struct charset_text *out)
{
    if (row->kind == CHARSET_UTF7 && (unsigned char)c < 0x80) {
        out_byte(to, c); /* "~" and "\" written directly */
    } else if (row->iconv && (unsigned char)c == 0x80 &&
               slice_eq(slice_c(row->name), S("GB18030"))) {
        out_char(to, 0x20ac); /* the euro sign of code page 936 */
    } else {
        out_add(to, replacement);
        out->replaced++;
    }
}

static void read_iconv(struct arena *a, struct reader *r, slice in, struct charset_text *out)
{
    struct out to = {.arena = a};
    char *from = (char *)(uintptr_t)in.p; /* iconv's prototype lacks the const */
    size_t left = in.n;
    out_space(&to, in.n + in.n / 2 + 16);
    for (bool flush = false;;) {
        char *at = out_space(&to, 16), *start = at;
        size_t room = to.size - to.n;
        size_t n =
            flush ? iconv(r->cd, NULL, NULL, &at, &room) : iconv(r->cd, &from, &left, &at, &room);
        out_wrote(&to, (size_t)(at - start));
        if (n != (size_t)-1) {
            if (flush)
                break;
            flush = true;
        } else if (errno == E2BIG) {
            out_space(&to, to.size - to.n + 16);
        } else if (errno == EILSEQ && left) {
            read_invalid(r->row, *from, &to, out);
            from++;
            left--;
        } else { /* cut within a character, or a state that cannot be flushed */
            if (!flush && left) {
                out_add(&to, replacement);
                out->replaced++;
            }
            if (flush)
                break;
            iconv(r->cd, NULL, NULL, NULL, NULL);
            flush = true;
        }
    }
    out->text = out_slice(&to);
}

/* Length of the well-formed UTF-8 at the start of s; *bad: of the broken piece behind it that one
 * U+FFFD stands for (Unicode 3.9, maximal subpart). */
static size_t utf8_run(slice s, size_t *bad)
{
    const unsigned char *p = (const unsigned char *)s.p;
    size_t i = 0;
    *bad = 0;
    while (i < s.n) {
        unsigned char c = p[i], low = 0x80, high = 0xbf;
        size_t want = c < 0x80 ? 0 : c >= 0xc2 && c <= 0xdf ? 1 : (c & 0xf0) == 0xe0 ? 2 : 3, k = 0;
        if (c >= 0x80 && (c < 0xc2 || c > 0xf4)) {
            *bad = 1;
            break;
        }
        low = c == 0xe0 ? 0xa0 : c == 0xf0 ? 0x90 : low;
        high = c == 0xed ? 0x9f : c == 0xf4 ? 0x8f : high;
        while (k < want && i + k + 1 < s.n && p[i + k + 1] >= low && p[i + k + 1] <= high) {
            low = 0x80;
            high = 0xbf;
            k++;
        }
        if (k < want) {
            *bad = k + 1;
            break;
        }
        i += want + 1;
    }
    return i;
}

static void read_utf8(struct arena *a, slice in, struct charset_text *out)
{
    if (slice_is_utf8(in)) {
        out->text = in;
        return;
    }
    struct out to = {.arena = a};
    out_space(&to, in.n + 64);
    while (in.n) {
        size_t bad, run = utf8_run(in, &bad);
        out_add(&to, slice_sub(in, 0, run));
        if (bad) {
            out_add(&to, replacement);
            out->replaced++;
        }
        in = slice_skip(in, run + bad);
    }
    out->text = out_slice(&to);
}

/* UTF-16 without a label for its order: by its mark, else by the side on which the zeros are. */
static const struct charset *utf16_order(slice in)
{
    size_t zeros[2] = {0};
    if (slice_starts(in, S("\xfe\xff")))
        return charset_row("UTF-16BE");
    if (slice_starts(in, S("\xff\xfe")))
        return charset_row("UTF-16LE");
    for (size_t i = 0; i < in.n; i++)
        zeros[i % 2] += in.p[i] == 0;
    return charset_row(zeros[0] > zeros[1] ? "UTF-16BE" : "UTF-16LE");
}

static void convert(struct arena *a, const struct charset *row, slice in, struct charset_text *out)
{
    *out = (struct charset_text){.charset = row->name};
    const struct charset *read_as = row;
    if (row->kind == CHARSET_UTF16) {
        read_as = utf16_order(in);
    } else if (row->kind == CHARSET_JIS) {
        in = charset_jis_to_euc(a, in);
        read_as = charset_row("EUC-JP");
    } else if (row->kind == CHARSET_KR) {
        in = charset_kr_to_euc(a, in);
        read_as = charset_row("EUC-KR");
    } else if (row->kind == CHARSET_HZ) {
        in = charset_hz_to_gb(a, in);
        read_as = charset_row("GB18030");
    }
    struct reader *r = read_as->iconv ? reader_of(read_as) : NULL;
    if (!r)
        read_utf8(a, in, out);
    else if (r->single)
        read_single(a, r, in, out);
    else
        read_iconv(a, r, in, out);
}

/* ---- is the label true? ---- */

static size_t count_high(slice s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += (unsigned char)s.p[i] >= 0x80;
    return n;
}

/*
 * Does what came out make the label doubtful?  A few broken bytes are damage; many are another
 * charset.  windows-1252 fits nearly anything and is what ignorant senders say, so there text that
 * is well-formed UTF-8 is taken as that.
 */
static bool doubtful(const struct charset *row, slice in, const struct charset_text *got)
{
    if (slice_eq(slice_c(row->name), S("windows-1252")))
        return got->replaced > 0 || (!slice_is_ascii(in) && slice_is_utf8(in));
    if (!got->replaced)
        return false;
    size_t high = count_high(in);
    if (row->kind == CHARSET_UTF8)
        return got->replaced * 4 > high;
    return row->kind == CHARSET_PLAIN && got->replaced * 20 > high;
}

/*
 * Text that begins with the mark of UTF-16 and is that without a fault is that, whatever a label
 * says, as in browsers: programs export it so, and mailers do not look.
 */
static bool try_marked(struct arena *a, const struct charset *row, slice bytes,
                       struct charset_text *out)
{
    bool marked = slice_starts(bytes, S("\xff\xfe")) || slice_starts(bytes, S("\xfe\xff"));
    if (row->kind > CHARSET_PLAIN || !marked ||
        !slice_eq(slice_c(charset_detect(bytes)), S("UTF-16")))
        return false;
    convert(a, charset_row("UTF-16"), bytes, out);
    return out->replaced == 0;
}

static void drop_nul(struct arena *a, struct charset_text *out)
{
    slice rest = out->text, piece;
    if (slice_find(rest, 0) < 0)
        return;
    struct out to = {.arena = a};
    while (slice_next(&rest, 0, &piece))
        out_add(&to, piece);
    out->text = out_slice(&to);
}

/* Reads bytes as another charset when that fits no worse. */
static void try_detected(struct arena *a, slice bytes, struct charset_text *out)
{
    struct charset_text other;
    const struct charset *row = charset_row(charset_detect(bytes));
    if (slice_eq(slice_c(row->name), slice_c(out->charset)))
        return;
    convert(a, row, bytes, &other);
    if (other.replaced <= out->replaced) {
        *out = other;
        out->detected = true;
    }
}

void charset_to_utf8(struct arena *a, slice label, slice bytes, struct charset_text *out)
{
    const struct charset *row = find(label);
    bool told = row && row->kind != CHARSET_ASCII;
    if (!told)
        row = charset_row(charset_detect(bytes));
    if (row->kind <= CHARSET_PLAIN && slice_is_ascii(bytes)) {
        *out = (struct charset_text){.text = bytes, .charset = row->name};
    } else if (told && try_marked(a, row, bytes, out)) {
        out->detected = true;
    } else {
        convert(a, row, bytes, out);
        out->detected = !told;
        if (told && doubtful(row, bytes, out))
            try_detected(a, bytes, out);
    }
    drop_nul(a, out);
    slice_eat(&out->text, S("\xef\xbb\xbf"));
}
