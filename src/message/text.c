/*
 * HTML to text.  The tokens of html_token.c drive a small typewriter: it knows whether a space or
 * line breaks are due before the next visible character, and what every line begins with.  The
 * elements are a table; there is no tree.
 */
#include "message/text.h"

#include <stdio.h>

#include "message/html_token.h"
#include "message/out.h"

#include "base/banned.h"

enum { LIST_DEPTH = 16, QUOTE_DEPTH = 16, BREAKS_MAX = 8, LINK_MAX = 2000 };

enum effect {
    LINE = 1,       /* begins and ends a line */
    PARAGRAPH = 2,  /* an empty line around it */
    SKIP = 4,       /* its content is not text */
    VOID = 8,       /* has no content */
    CELL = 16,      /* of a table row */
    LIST = 32,      /* ul, ol */
    ITEM = 64,      /* li */
    QUOTE = 128,    /* blockquote */
    PRE = 256,      /* white space counts */
    LINK = 512,     /* a */
    BREAK = 1024,   /* br */
    RULE = 2048,    /* hr */
    IMAGE = 4096,   /* img: its alt text */
    CLOSES_P = 8192 /* ends an open hidden p */
};

static const struct element {
    const char *name;
    unsigned effect;
} elements[] = {
    {"a", LINK},
    {"address", LINE | CLOSES_P},
    {"area", VOID},
    {"article", LINE | CLOSES_P},
    {"aside", LINE | CLOSES_P},
    {"audio", SKIP},
    {"base", VOID},
    {"blockquote", PARAGRAPH | QUOTE | CLOSES_P},
    {"br", BREAK | VOID},
    {"canvas", SKIP},
    {"caption", LINE},
    {"center", LINE | CLOSES_P},
    {"col", VOID},
    {"dd", LINE},
    {"div", LINE | CLOSES_P},
    {"dl", PARAGRAPH | CLOSES_P},
    {"dt", LINE},
    {"embed", VOID},
    {"fieldset", LINE | CLOSES_P},
    {"figcaption", LINE | CLOSES_P},
    {"figure", PARAGRAPH | CLOSES_P},
    {"footer", LINE | CLOSES_P},
    {"form", LINE | CLOSES_P},
    {"h1", PARAGRAPH | CLOSES_P},
    {"h2", PARAGRAPH | CLOSES_P},
    {"h3", PARAGRAPH | CLOSES_P},
    {"h4", PARAGRAPH | CLOSES_P},
    {"h5", PARAGRAPH | CLOSES_P},
    {"h6", PARAGRAPH | CLOSES_P},
    {"header", LINE | CLOSES_P},
    {"hr", RULE | VOID | CLOSES_P},
    {"iframe", SKIP},
    {"img", IMAGE | VOID},
    {"input", VOID},
    {"legend", LINE},
    {"li", LINE | ITEM},
    {"link", VOID},
    {"listing", PARAGRAPH | PRE},
    {"main", LINE | CLOSES_P},
    {"map", SKIP},
    {"math", SKIP},
    {"meta", VOID},
    {"nav", LINE | CLOSES_P},
    {"noembed", SKIP},
    {"noframes", SKIP},
    {"object", SKIP},
    {"ol", PARAGRAPH | LIST | CLOSES_P},
    {"option", LINE},
    {"p", PARAGRAPH | CLOSES_P},
    {"param", VOID},
    {"pre", PARAGRAPH | PRE | CLOSES_P},
    {"script", SKIP},
    {"section", LINE | CLOSES_P},
    {"source", VOID},
    {"style", SKIP},
    {"svg", SKIP},
    {"table", LINE | CLOSES_P},
    {"td", CELL},
    {"template", SKIP},
    {"textarea", LINE | PRE},
    {"th", CELL},
    {"title", SKIP},
    {"tr", LINE},
    {"ul", PARAGRAPH | LIST | CLOSES_P},
    {"video", SKIP},
    {"wbr", VOID},
    {"xmp", PARAGRAPH | PRE},
};

static unsigned effect_of(const char *name)
{
    size_t low = 0, high = sizeof(elements) / sizeof(elements[0]);
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(name, elements[middle].name);
        if (order == 0)
            return elements[middle].effect;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return 0;
}

struct writer {
    struct out out;
    unsigned flags;
    size_t max;
    unsigned breaks;      /* line ends due before the next character */
    unsigned break_quote; /* quote depth where they became due */
    bool space;           /* a space due */
    bool cell;            /* the gap between two cells due */
    bool started;         /* something was written */
    unsigned pre, quote;
    size_t depth;           /* of lists */
    int number[LIST_DEPTH]; /* of the next item; 0 in an unordered list */
    slice bullet;           /* due before the next character */
    char bullet_text[24];
    slice link;                 /* target of the open link */
    size_t link_start;          /* where its text begins in out */
    char hidden[HTML_NAME_MAX]; /* the element whose content is left out; "" none */
    unsigned hidden_depth;
};

/* ---- the typewriter ---- */

static void begin_line(struct writer *w)
{
    unsigned quotes = w->flags & HTML_QUOTES ? w->quote : 0;
    for (unsigned i = 0; i < quotes && i < QUOTE_DEPTH; i++)
        out_add(&w->out, S("> "));
    size_t indent = w->depth ? w->depth - 1 : 0;
    if (w->depth && !w->bullet.n && w->depth <= LIST_DEPTH)
        indent++; /* a line within an item */
    for (size_t i = 0; i < indent && i < LIST_DEPTH; i++)
        out_add(&w->out, S("  "));
}

static void end_line(struct writer *w)
{
    while (w->out.n && w->out.p[w->out.n - 1] == ' ')
        w->out.n--;
    out_byte(&w->out, '\n');
}

/* What is due before a visible character. */
static void settle(struct writer *w)
{
    if (!w->started || w->breaks) {
        unsigned breaks = w->breaks < BREAKS_MAX ? w->breaks : BREAKS_MAX;
        bool within = w->flags & HTML_QUOTES && w->quote && w->break_quote;
        for (unsigned i = 0; w->started && i < breaks; i++) {
            end_line(w);
            if (i + 1 < breaks && within)
                out_byte(&w->out, '>');
        }
        begin_line(w);
    } else if (w->cell) {
        out_add(&w->out, S("  "));
    } else if (w->space) {
        out_byte(&w->out, ' ');
    }
    if (w->bullet.n)
        out_add(&w->out, w->bullet);
    w->bullet = S("");
    w->started = true;
    w->breaks = 0;
    w->space = w->cell = false;
}

static void need_breaks(struct writer *w, unsigned n)
{
    if (!w->breaks)
        w->break_quote = w->quote;
    if (w->breaks < n)
        w->breaks = n;
    w->space = w->cell = false;
}

/* Marks that fill the previews of newsletters and draw nothing. */
static bool is_filler(uint32_t c)
{
    return c == 0xad || c == 0x34f || c == 0x200b || c == 0x2060 || c == 0xfeff || c == 0x61c;
}

static void write_char(struct writer *w, uint32_t c)
{
    if (c == '\r' || is_filler(c))
        return;
    if (c == '\n' && w->pre) {
        need_breaks(w, w->breaks + 1);
    } else if ((c == ' ' || c == '\t' || c == '\n' || c == '\f') && !w->pre) {
        w->space = true;
    } else if (c == 0xa0 || c == ' ' || c == '\t') { /* counts, but not at the start of a line */
        if (w->started && !w->breaks && !w->bullet.n) {
            settle(w);
            out_byte(&w->out, ' ');
        } else if (w->pre) {
            settle(w);
            out_byte(&w->out, ' ');
        }
    } else if (c >= ' ' && c != 0x7f) {
        settle(w);
        out_char(&w->out, c);
    }
}

static inline bool is_plain(char c)
{
    unsigned char u = (unsigned char)c;
    return u > ' ' && u < 0x7f && u != '&';
}

/*
 * Bytes of the character at p beyond ASCII, if it surely draws itself; 0: it is looked at alone,
 * because it may be a space, a filler or no character.
 */
static inline size_t drawn(const char *p, size_t n)
{
    unsigned char c = (unsigned char)p[0];
    if (c >= 0xc3 && c <= 0xdf && c != 0xcd && c != 0xd8)
        return n > 1 && (p[1] & 0xc0) == 0x80 ? 2 : 0;
    if (c >= 0xe3 && c <= 0xec)
        return n > 2 && (p[1] & 0xc0) == 0x80 && (p[2] & 0xc0) == 0x80 ? 3 : 0;
    return 0;
}

/* Length of the words at the start of s with one space between each. */
static size_t words(slice s)
{
    size_t i = 0, n;
    for (;;) {
        while (i < s.n && is_plain(s.p[i]))
            i++;
        if (i == s.n)
            return i;
        if ((n = drawn(s.p + i, s.n - i)))
            i += n;
        else if (i && s.p[i] == ' ' && i + 1 < s.n && is_plain(s.p[i + 1]))
            i++;
        else
            return i;
    }
}

/* A UTF-8 character of text; the input is UTF-8, what is not is passed on byte by byte. */
static uint32_t take_char(slice *s)
{
    const unsigned char *p = (const unsigned char *)s->p;
    size_t n = p[0] < 0xc2 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 1;
    uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
    if (n > s->n || (n == 1 && p[0] >= 0x80)) {
        *s = slice_skip(*s, 1);
        return 0xfffd;
    }
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            *s = slice_skip(*s, i);
            return 0xfffd;
        }
        c = c << 6 | (p[i] & 0x3f);
    }
    *s = slice_skip(*s, n);
    return c;
}

enum references { NO_REFERENCES, OF_TEXT, OF_ATTRIBUTE };

static void write_text(struct writer *w, slice s, enum references references)
{
    while (s.n && w->out.n < w->max) {
        uint32_t c;
        slice text;
        size_t n = words(slice_sub(s, 0, w->max - w->out.n));
        if (n) {
            settle(w);
            out_add(&w->out, slice_sub(s, 0, n));
            s = slice_skip(s, n);
        } else if (s.p[0] == '&' && references &&
                   html_reference(&s, references == OF_ATTRIBUTE, &text, &c)) {
            if (text.n)
                write_text(w, text, NO_REFERENCES);
            else
                write_char(w, c);
        } else if (s.p[0] == '\r') { /* alone it ends a line, as CRLF does */
            s = slice_skip(s, 1);
            if (!slice_starts(s, S("\n")))
                write_char(w, '\n');
        } else {
            write_char(w, take_char(&s));
        }
    }
}

/* ---- elements ---- */

static bool has_word(slice s, slice word)
{
    for (; s.n >= word.n; s = slice_skip(s, 1))
        if (slice_starts_icase(s, word))
            return true;
    return false;
}

/* Does a style say display:none, with whatever spaces? */
static bool hides(struct arena *a, slice style)
{
    struct out bare = {.arena = a};
    for (size_t i = 0; i < style.n; i++)
        if (style.p[i] != ' ')
            out_byte(&bare, style.p[i]);
    return has_word(out_slice(&bare), S("display:none"));
}

/* style="display:none", hidden, and what mailers write to the same end. */
static bool is_hidden(struct writer *w, slice attributes)
{
    slice name, value;
    while (html_attribute_next(&attributes, &name, &value))
        if (slice_eq_icase(name, S("hidden")) ||
            (slice_eq_icase(name, S("style")) && has_word(value, S("none")) &&
             hides(w->out.arena, value)))
            return true;
    return false;
}

static void start_item(struct writer *w)
{
    size_t level = w->depth < LIST_DEPTH ? w->depth : LIST_DEPTH;
    int *number = level ? &w->number[level - 1] : NULL;
    if (number && *number) {
        int n = snprintf(w->bullet_text, sizeof(w->bullet_text), "%d. ", *number);
        w->bullet = (slice){w->bullet_text, (size_t)n};
        *number += *number < 1000000;
    } else {
        w->bullet = S("* ");
    }
}

static void start_list(struct writer *w, const char *name)
{
    if (w->depth < LIST_DEPTH)
        w->number[w->depth] = slice_eq(slice_c(name), S("ol"));
    w->depth++;
}

static void write_image(struct writer *w, const struct html_token *t)
{
    slice alt;
    if (html_attribute(t->attributes, S("alt"), &alt) && slice_trim(alt).n)
        write_text(w, alt, OF_ATTRIBUTE);
}

/* A link's target, if it is worth showing. */
static slice link_target(struct writer *w, const struct html_token *t)
{
    slice href;
    if (!(w->flags & HTML_LINKS) || !html_attribute(t->attributes, S("href"), &href))
        return S("");
    href = slice_trim(html_decode(w->out.arena, href, true));
    bool shown = slice_starts_icase(href, S("http://")) ||
                 slice_starts_icase(href, S("https://")) || slice_starts_icase(href, S("mailto:"));
    return shown && href.n <= LINK_MAX ? href : S("");
}

static void end_link(struct writer *w)
{
    slice href = w->link, text = slice_skip(out_slice(&w->out), w->link_start);
    w->link = S("");
    text = slice_trim(text);
    slice short_href = href;
    if (!slice_eat_icase(&short_href, S("mailto:")) && !slice_eat_icase(&short_href, S("https://")))
        slice_eat_icase(&short_href, S("http://"));
    if (slice_ends(short_href, S("/")))
        short_href.n--;
    if (!href.n || !text.n || slice_search(text, short_href) >= 0)
        return;
    w->space = true;
    settle(w);
    out_byte(&w->out, '<');
    for (size_t i = 0; i < href.n; i++)
        if ((unsigned char)href.p[i] > ' ')
            out_byte(&w->out, href.p[i]);
    out_byte(&w->out, '>');
}

static void hide(struct writer *w, const char *name)
{
    memcpy(w->hidden, name, HTML_NAME_MAX);
    w->hidden_depth = 1;
}

static void start_element(struct writer *w, const struct html_token *t)
{
    unsigned e = effect_of(t->name);
    if (!(e & VOID) && (e & SKIP || is_hidden(w, t->attributes))) {
        hide(w, t->name);
        return;
    }
    if (e & (LINE | PARAGRAPH) && !(w->bullet.n && w->depth)) /* a block right behind a bullet */
        need_breaks(w, e & PARAGRAPH && !(e & LIST && w->depth) ? 2 : 1);
    if (e & CELL && w->started && !w->breaks)
        w->cell = true;
    if (e & LIST)
        start_list(w, t->name);
    if (e & ITEM) {
        need_breaks(w, 1);
        start_item(w);
    }
    if (e & QUOTE)
        w->quote++;
    if (e & PRE)
        w->pre++;
    if (e & BREAK) {
        need_breaks(w, w->breaks + 1);
    }
    if (e & RULE) {
        need_breaks(w, 1);
        write_text(w, S("----------"), NO_REFERENCES);
        need_breaks(w, 1);
    }
    if (e & IMAGE)
        write_image(w, t);
    if (e & LINK) {
        w->link = link_target(w, t);
        w->link_start = w->out.n;
    }
}

static void end_element(struct writer *w, const struct html_token *t)
{
    unsigned e = effect_of(t->name);
    if (e & LINK)
        end_link(w);
    if (e & (LINE | PARAGRAPH))
        need_breaks(w, e & PARAGRAPH && !(e & LIST && w->depth > 1) ? 2 : 1);
    if (e & LIST && w->depth)
        w->depth--;
    if (e & QUOTE && w->quote)
        w->quote--;
    if (e & PRE && w->pre)
        w->pre--;
    if (e & (LIST | ITEM))
        w->bullet = S("");
}

/* Inside what is left out: counts elements of the same name until it ends. */
static void pass_hidden(struct writer *w, const struct html_token *t)
{
    bool same = t->kind != HTML_TEXT && strcmp(t->name, w->hidden) == 0;
    bool closes_p =
        t->kind == HTML_START && effect_of(t->name) & CLOSES_P && strcmp(w->hidden, "p") == 0;
    if (same && t->kind == HTML_START && !closes_p)
        w->hidden_depth++;
    if (closes_p || (same && t->kind == HTML_END && --w->hidden_depth == 0)) {
        w->hidden[0] = 0;
        if (closes_p)
            start_element(w, t);
    }
}

static slice cut_at_character(slice s, size_t max)
{
    if (s.n <= max)
        return s;
    while (max && ((unsigned char)s.p[max] & 0xc0) == 0x80)
        max--;
    return slice_sub(s, 0, max);
}

slice html_to_text(struct arena *a, slice html, unsigned flags, size_t max)
{
    struct writer w = {.out = {.arena = a}, .flags = flags, .max = max};
    struct html_tokens tokens = {.rest = html};
    struct html_token t;
    while (w.out.n < max && html_next(&tokens, &t)) {
        if (w.hidden[0])
            pass_hidden(&w, &t);
        else if (t.kind == HTML_TEXT)
            write_text(&w, t.text, t.references ? OF_TEXT : NO_REFERENCES);
        else if (t.kind == HTML_START)
            start_element(&w, &t);
        else
            end_element(&w, &t);
    }
    if (w.started)
        end_line(&w);
    return cut_at_character(out_slice(&w.out), max);
}

/* ---- small things ---- */

/* Bytes of a URL at the start of s, without the punctuation of the sentence around it; 0: none. */
static size_t url_length(slice s)
{
    slice at = s;
    if (!slice_eat_icase(&at, S("https://")) && !slice_eat_icase(&at, S("http://")))
        return 0;
    size_t n = 0;
    while (n < at.n && at.p[n] > ' ' && at.p[n] != 0x7f && slice_find(S("<>\"'`"), at.p[n]) < 0)
        n++;
    while (n && slice_find(S(".,;:!?)]"), at.p[n - 1]) >= 0)
        n--;
    return n ? s.n - at.n + n : 0;
}

static void add_escaped(struct out *out, slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        switch (s.p[i]) {
        case '&':
            out_add(out, S("&amp;"));
            break;
        case '<':
            out_add(out, S("&lt;"));
            break;
        case '>':
            out_add(out, S("&gt;"));
            break;
        case '"':
            out_add(out, S("&quot;"));
            break;
        case '\r':
        case 0:
            break;
        default:
            out_byte(out, s.p[i]);
        }
    }
}

slice text_to_html(struct arena *a, slice text)
{
    struct out out = {.arena = a};
    out_add(&out, S("<div style=\"white-space: pre-wrap\">"));
    while (text.n) {
        size_t url = text.p[0] == 'h' || text.p[0] == 'H' ? url_length(text) : 0;
        if (url) {
            slice target = slice_sub(text, 0, url);
            out_add(&out, S("<a href=\""));
            add_escaped(&out, target);
            out_add(&out, S("\">"));
            add_escaped(&out, target);
            out_add(&out, S("</a>"));
            text = slice_skip(text, url);
            continue;
        }
        if (text.p[0] == '\n')
            out_add(&out, S("<br>"));
        add_escaped(&out, slice_sub(text, 0, 1));
        text = slice_skip(text, 1);
    }
    out_add(&out, S("</div>\n"));
    return out_slice(&out);
}
