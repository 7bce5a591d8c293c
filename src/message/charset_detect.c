/*
 * Which charset unlabelled bytes are in.  Escape sequences and well-formed UTF-8 prove themselves.
 * For the rest each charset says how improbable the bytes are in it: the sum of the costs of its
 * characters in the language that fits best (charset_models.h).  Single-byte charsets need only a
 * count of each byte; the East Asian ones are walked, character by character, and pay for what
 * breaks their structure.
 */
#include "message/charset.h"

#include "message/charset_models.h"

#include "base/banned.h"

enum { LOOK_AT = 16 * 1024 };

enum cost {
    COST_CORE = 10 * MODEL_SCALE,      /* a rare character of the charset's national standard */
    COST_EXTENSION = 13 * MODEL_SCALE, /* one of its later extensions */
    COST_KANA = 7 * MODEL_SCALE,       /* half-width kana */
    COST_BROKEN = 16 * MODEL_SCALE,    /* bytes that make no character */
};

struct range {
    unsigned char from, to;
};

/* The two-byte codes of a charset, and the part of them that is in everyday use. */
static const struct structure {
    const char *charset;
    struct range lead[2], trail[3];
    struct range core_lead, core_trail;
    bool kana;  /* 0xa1-0xdf alone are half-width kana */
    bool shift; /* 0x8e makes two-byte kana, 0x8f three-byte characters */
    bool four;  /* GB18030: lead, digit, lead, digit */
} structures[] = {
    {.charset = "GB18030",
     .lead = {{0x81, 0xfe}},
     .trail = {{0x40, 0x7e}, {0x80, 0xfe}},
     .core_lead = {0xa1, 0xf7},
     .core_trail = {0xa1, 0xfe},
     .four = true},
    {.charset = "Big5-HKSCS",
     .lead = {{0x87, 0xfe}},
     .trail = {{0x40, 0x7e}, {0xa1, 0xfe}},
     .core_lead = {0xa1, 0xf9},
     .core_trail = {0x40, 0xfe}},
    {.charset = "Shift_JIS",
     .lead = {{0x81, 0x9f}, {0xe0, 0xfc}},
     .trail = {{0x40, 0x7e}, {0x80, 0xfc}},
     .core_lead = {0x81, 0x9f},
     .core_trail = {0x40, 0xfc},
     .kana = true},
    {.charset = "EUC-JP",
     .lead = {{0xa1, 0xfe}},
     .trail = {{0xa1, 0xfe}},
     .core_lead = {0xa1, 0xcf},
     .core_trail = {0xa1, 0xfe},
     .shift = true},
    {.charset = "EUC-KR",
     .lead = {{0x81, 0xfe}},
     .trail = {{0x41, 0x5a}, {0x61, 0x7a}, {0x81, 0xfe}},
     .core_lead = {0xa1, 0xc8},
     .core_trail = {0xa1, 0xfe}},
};

static bool in(struct range r, unsigned char c)
{
    return c >= r.from && c <= r.to;
}

static int64_t code_cost(const struct structure *s, const struct double_model *m,
                         const unsigned char *p)
{
    uint16_t code = (uint16_t)(p[0] << 8 | p[1]);
    size_t low = 0, high = m->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (m->codes[middle].code == code)
            return m->codes[middle].cost;
        if (m->codes[middle].code > code)
            high = middle;
        else
            low = middle + 1;
    }
    return in(s->core_lead, p[0]) && in(s->core_trail, p[1]) ? COST_CORE : COST_EXTENSION;
}

/* Bytes of the character at p and what it costs; 0 bytes: it is none. */
static size_t character(const struct structure *s, const struct double_model *m,
                        const unsigned char *p, size_t n, int64_t *cost)
{
    bool lead = in(s->lead[0], p[0]) || (s->lead[1].to && in(s->lead[1], p[0]));
    *cost = COST_EXTENSION;
    if (s->kana && p[0] >= 0xa1 && p[0] <= 0xdf) {
        *cost = COST_KANA;
        return 1;
    }
    if (s->shift && p[0] == 0x8e && n > 1 && p[1] >= 0xa1 && p[1] <= 0xdf) {
        *cost = COST_KANA;
        return 2;
    }
    if (s->shift && p[0] == 0x8f && n > 2 && p[1] >= 0xa1 && p[2] >= 0xa1)
        return 3;
    if (s->four && lead && n > 3 && p[1] >= '0' && p[1] <= '9' && p[2] >= 0x81 && p[3] >= '0' &&
        p[3] <= '9')
        return 4;
    if (!lead || n < 2)
        return 0;
    for (size_t i = 0; i < 3; i++) {
        if (s->trail[i].to && in(s->trail[i], p[1])) {
            *cost = code_cost(s, m, p);
            return 2;
        }
    }
    return 0;
}

static int64_t double_cost(const struct structure *s, const struct double_model *m, slice bytes)
{
    const unsigned char *p = (const unsigned char *)bytes.p;
    int64_t total = 0, cost;
    for (size_t i = 0; i < bytes.n;) {
        if (p[i] < 0x80) {
            i++;
            continue;
        }
        size_t step = character(s, m, p + i, bytes.n - i, &cost);
        bool cut = !step && i + 1 == bytes.n && i > 16; /* the text ends within a character */
        total += step ? cost : cut ? COST_CORE : COST_BROKEN;
        i += step ? step : 1;
    }
    return total;
}

/* What single-byte models look at. */
struct counts {
    uint32_t high[128];  /* each byte from 0x80 */
    uint32_t letter[26]; /* a-z in words with such bytes */
    uint32_t ends, inside;
};

static bool is_word_byte(char c)
{
    return (unsigned char)c >= 0x80 || ascii_is_alpha(c);
}

/* A run of letters: counted when it has a high byte. */
static void count_word(struct counts *counts, slice word)
{
    if (slice_is_ascii(word))
        return;
    for (size_t i = 0; i < word.n; i++) {
        unsigned char c = (unsigned char)word.p[i];
        if (c < 0x80) {
            counts->letter[ascii_lower(word.p[i]) - 'a']++;
            continue;
        }
        counts->high[c - 0x80]++;
        if (c >= 0xc0)
            *(i + 1 == word.n ? &counts->ends : &counts->inside) += 1;
    }
}

static void count(struct counts *counts, slice bytes)
{
    size_t start = 0;
    for (size_t i = 0; i <= bytes.n; i++) {
        if (i < bytes.n && is_word_byte(bytes.p[i]))
            continue;
        count_word(counts, slice_sub(bytes, start, i));
        start = i + 1;
    }
}

static int64_t single_cost(const struct single_model *m, const struct counts *counts)
{
    int64_t total = (int64_t)counts->ends * m->ends + (int64_t)counts->inside * m->inside;
    for (size_t i = 0; i < 128; i++)
        total += (int64_t)counts->high[i] * m->cost[i];
    for (size_t i = 0; i < 26; i++)
        total += (int64_t)counts->letter[i] * m->letter[i];
    return total;
}

/* What a charset costs for being rarer than windows-1252 among unlabelled texts. */
static int64_t prior(const char *charset)
{
    static const char *const usual[] = {"windows-1251", "windows-1250", "GB18030", "Shift_JIS"};
    if (slice_eq(slice_c(charset), S("windows-1252")))
        return 0;
    for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
        if (slice_eq(slice_c(charset), slice_c(usual[i])))
            return MODEL_SCALE;
    return 2 * MODEL_SCALE;
}

static const char *most_probable(slice bytes)
{
    const char *best = "windows-1252";
    int64_t least = INT64_MAX;
    struct counts counts = {0};
    count(&counts, bytes);
    for (size_t i = 0; i < single_model_count; i++) {
        const struct single_model *m = &single_models[i];
        int64_t cost = single_cost(m, &counts) + prior(m->charset);
        if (cost < least) {
            least = cost;
            best = m->charset;
        }
    }
    for (size_t i = 0; i < sizeof(structures) / sizeof(structures[0]); i++) {
        const struct structure *s = &structures[i];
        int64_t cost = double_cost(s, &double_models[i], bytes) + prior(s->charset);
        if (cost < least) {
            least = cost;
            best = s->charset;
        }
    }
    return best;
}

static bool has_escape(slice s)
{
    static const char *const marks[] = {"\x1b$B", "\x1b$@", "\x1b(I", "\x1b$(D"};
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
        if (slice_search(s, slice_c(marks[i])) >= 0)
            return true;
    return false;
}

/* A byte order mark and whole units behind it. */
static bool is_utf16(slice s)
{
    return s.n >= 4 && s.n % 2 == 0 &&
           (slice_starts(s, S("\xff\xfe")) || slice_starts(s, S("\xfe\xff")));
}

const char *charset_detect(slice bytes)
{
    if (is_utf16(bytes))
        return "UTF-16";
    if (slice_is_ascii(bytes)) {
        slice head = slice_sub(bytes, 0, LOOK_AT);
        if (slice_find(head, 0x1b) < 0)
            return "US-ASCII";
        return has_escape(head) ? "ISO-2022-JP" : "US-ASCII";
    }
    if (slice_is_utf8(bytes))
        return "UTF-8";
    size_t first = 0; /* the text that tells may begin late */
    while ((unsigned char)bytes.p[first] < 0x80)
        first++;
    return most_probable(slice_sub(bytes, first, first + LOOK_AT));
}
