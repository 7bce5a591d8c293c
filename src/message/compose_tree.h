/*
 * Compose -> parse over random trees, for tree_test.c and tree_fuzz.c only: a run of bytes decides
 * what is in a message (people, subject, text, HTML, images, attachments, and messages forwarded in
 * it, which are random trees themselves); it is composed, and what the parser then finds must be
 * that, node by node and byte by byte.  A difference is an assertion.
 */
#ifndef MESSAGE_COMPOSE_TREE_H
#define MESSAGE_COMPOSE_TREE_H

#include <assert.h>

#include "message/address.h"
#include "message/charset.h"
#include "message/compose.h"
#include "message/flowed.h"
#include "message/msgid.h"
#include "message/out.h"
#include "message/param2231.h"
#include "message/parse.h"
#include "message/word2047.h"

enum { TREE_DEPTH = 4, TREE_PARTS = 4, TREE_PEOPLE = 3 };

/* A message that was composed, what of, and the trees of the messages it forwards. */
struct tree {
    struct compose c;
    slice all;
    struct compose_part parts[TREE_PARTS];
    struct tree *forwarded[TREE_PARTS]; /* NULL: the part is no message */
    struct compose_address people[3][TREE_PEOPLE];
    slice references[TREE_PEOPLE];
};

/* The next decision: 0 … below - 1; 0 when there are none left. */
static size_t tree_pick(slice *d, size_t below)
{
    size_t value = d->n ? (unsigned char)d->p[0] % below : 0;
    *d = slice_skip(*d, 1);
    return value;
}

/* Some of the bytes themselves. */
static slice tree_bytes(slice *d, size_t most)
{
    size_t n = tree_pick(d, most + 1);
    slice bytes = slice_sub(*d, 0, n);
    *d = slice_skip(*d, n);
    return bytes;
}

/* Some bytes as text: words of several kinds, or the bytes as UTF-8 without NUL, CR and marks. */
static slice tree_text(struct arena *a, slice *d, size_t most)
{
    static const char *const words[] = {
        "letter ", "驿站", "From ",  ".",  "\n",  "\n\n",     "> ",
        "é",       "=",    "-- \n",  "  ", "\t",  "=?",       "?= ",
        "%41",     "'",    "\"",     "\\", ",",   "<b>&amp;", "begin 644 x\n",
        "𠮷",      "--",   "\x1b$B", "(",  "\x01"};
    struct out out = {.arena = a};
    size_t repeat = tree_pick(d, 4) ? 1 : 1 + tree_pick(d, 32);
    slice bytes = tree_bytes(d, most);
    bool as_words = bytes.n && bytes.p[0] & 1;
    for (size_t i = 0; i < bytes.n * repeat; i++) {
        unsigned char c = (unsigned char)bytes.p[i % bytes.n];
        if (as_words)
            out_add(&out, slice_c(words[(c >> 1) % (sizeof(words) / sizeof(words[0]))]));
        else if (c != '\r')
            out_byte(&out, (char)c);
    }
    struct charset_text t;
    charset_to_utf8(a, S("utf-8"), out_slice(&out), &t);
    return slice_search(t.text, S("\xef\xbb\xbf")) < 0 ? t.text : S("");
}

/* The same as one line without white space around, which a header field cannot tell. */
static slice tree_line(struct arena *a, slice *d, size_t most)
{
    slice text = arena_dup(a, tree_text(a, d, most));
    char *p = arena_alloc(a, text.n + 1);
    for (size_t i = 0; i < text.n; i++)
        p[i] = (unsigned char)text.p[i] < ' ' || text.p[i] == 0x7f ? ' ' : text.p[i];
    return slice_trim((slice){p, text.n});
}

static struct compose_addresses tree_people(struct arena *a, slice *d, struct compose_address *to,
                                            size_t least)
{
    static const char *const emails[] = {"one@north.test", "\"a b\"@south.test", "x+y@a.b.test",
                                         "two@[192.0.2.1]"};
    size_t n = least + tree_pick(d, TREE_PEOPLE + 1 - least);
    for (size_t i = 0; i < n; i++)
        to[i] = (struct compose_address){tree_line(a, d, 40), slice_c(emails[tree_pick(d, 4)])};
    return (struct compose_addresses){to, n};
}

static struct tree *tree_make(struct arena *a, slice *d, size_t depth);

static void tree_part(struct arena *a, slice *d, struct tree *t, size_t i, size_t depth)
{
    static const char *const types[] = {"image/png", "text/plain", "application/pdf", "text/csv"};
    struct compose_part *p = &t->parts[i];
    size_t kind = tree_pick(d, 6);
    p->name = tree_line(a, d, 60);
    if (kind == 5 && depth < TREE_DEPTH) {
        t->forwarded[i] = tree_make(a, d, depth + 1);
        p->type = S("message/rfc822");
        p->source.bytes = t->forwarded[i]->all;
        return;
    }
    p->type = slice_c(types[kind % 4]);
    p->source.bytes = tree_pick(d, 2) ? tree_text(a, d, 100) : tree_bytes(d, 200);
    if (tree_pick(d, 3) == 1)
        p->cid = arena_printf(a, "%zu.%zu@north.test", depth, i);
}

static struct tree *tree_make(struct arena *a, slice *d, size_t depth)
{
    struct tree *t = arena_new(a, struct tree);
    struct compose *c = &t->c;
    slice error;
    c->from = tree_people(a, d, t->people[0], 1);
    c->to = tree_people(a, d, t->people[1], 0);
    c->cc = tree_people(a, d, t->people[2], 0);
    c->bcc = c->to;
    c->subject = tree_line(a, d, 120);
    c->date_ms = (int64_t)tree_pick(d, 250) * INT64_C(7654321000);
    c->zone_minutes = (int)tree_pick(d, 100) * 15 - 720;
    for (size_t i = tree_pick(d, TREE_PEOPLE + 1); i; i--)
        t->references[c->reference_count++] = arena_printf(a, "%zu.%zu@x.test", depth, i);
    c->references = t->references;
    c->seed[0] = (unsigned char)depth;
    c->seed[1] = (unsigned char)tree_pick(d, 256);
    c->text = tree_text(a, d, 120);
    slice page = tree_text(a, d, 100);
    if (tree_pick(d, 2))
        c->html = arena_printf(a, "<p>%.*s</p>", P(page));
    c->part_count = tree_pick(d, TREE_PARTS + 1);
    c->parts = t->parts;
    for (size_t i = 0; i < c->part_count; i++)
        tree_part(a, d, t, i, depth);
    struct composer *m = compose_open(a, c, &error);
    assert(m && !error.n);
    t->all = compose_all(a, m);
    assert(t->all.n == compose_size(m) && slice_is_ascii(t->all) && !compose_eight_bit(m));
    return t;
}

/* ---- what came of it ---- */

static slice tree_field(struct arena *a, slice header, const char *name)
{
    slice value;
    header_find(header, slice_c(name), &value);
    return header_unfold(a, value);
}

static void tree_check_people(struct arena *a, slice header, const char *name,
                              const struct compose_addresses *want)
{
    struct address_list got;
    slice value;
    header_find(header, slice_c(name), &value);
    address_parse(a, value, &got);
    assert(got.count == want->count && !got.damaged);
    for (size_t i = 0; i < got.count; i++) {
        assert(slice_eq(address_name(a, &got.list[i]), want->list[i].name));
        assert(slice_eq(address_email(a, &got.list[i]), want->list[i].email));
    }
}

static void tree_check_header(struct arena *a, slice header, const struct compose *c)
{
    struct msgid_list ids;
    slice value;
    tree_check_people(a, header, "From", &c->from);
    if (c->to.count || c->cc.count || !c->bcc.count)
        tree_check_people(a, header, "To", &c->to);
    tree_check_people(a, header, "Cc", &c->cc);
    assert(!header_find(header, S("Bcc"), &value));
    header_find(header, S("Subject"), &value);
    assert(slice_eq(header_text(a, value), c->subject));
    msgid_parse(a, tree_field(a, header, "References"), &ids);
    assert(ids.count == c->reference_count);
    for (size_t i = 0; i < ids.count; i++)
        assert(slice_eq(ids.list[i], c->references[i]));
}

/* Without CR, and without the line ends behind the last line. */
static slice tree_lines(struct arena *a, slice text)
{
    struct out out = {.arena = a};
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] != '\r')
            out_byte(&out, text.p[i]);
    text = out_slice(&out);
    while (slice_ends(text, S("\n")))
        text.n--;
    return text;
}

/* A part of text for people; want.n 0: made by the composer, only its type is checked. */
static void tree_check_text(struct arena *a, const struct mime *m, size_t part, const char *minor,
                            slice want)
{
    struct mime_content c;
    uint32_t defects = 0;
    mime_content(a, m, part, &c);
    assert(m->parts[part].kind == MIME_LEAF && slice_eq(c.major, S("text")));
    assert(slice_eq(c.minor, slice_c(minor)));
    slice text = mime_text(a, m, part, &c, &defects);
    if (slice_eq(params_get(&c.type, S("format")), S("flowed")))
        text = flowed_decode(a, text, false);
    assert(!defects && (!want.n || slice_eq(tree_lines(a, text), tree_lines(a, want))));
}

static void tree_check(struct arena *a, const struct mime *m, size_t part, const struct tree *t);

static void tree_check_file(struct arena *a, const struct mime *m, size_t part,
                            const struct tree *t, size_t i)
{
    const struct compose_part *want = &t->parts[i];
    struct mime_content c;
    bool damaged;
    mime_content(a, m, part, &c);
    assert(slice_eq(c.type.value, want->type));
    assert(slice_eq(filename_safe(a, c.name), filename_safe(a, want->name)));
    assert(slice_eq(mime_decode(a, m, part, &c, &damaged), want->source.bytes) && !damaged);
    if (t->forwarded[i]) {
        assert(m->parts[part].kind == MIME_MESSAGE);
        tree_check(a, m, mime_child(m, part), t->forwarded[i]);
    }
}

/* The part is a multipart of that kind; its first child. */
static size_t tree_check_multipart(struct arena *a, const struct mime *m, size_t part,
                                   const char *minor, size_t children)
{
    struct mime_content c;
    mime_content(a, m, part, &c);
    assert(m->parts[part].kind == MIME_MULTIPART && slice_eq(c.minor, slice_c(minor)));
    assert(m->parts[part].children == children);
    return mime_child(m, part);
}

static void tree_check_body(struct arena *a, const struct mime *m, size_t part,
                            const struct tree *t, size_t inlined)
{
    if (!t->c.html.n) {
        tree_check_text(a, m, part, "plain", t->c.text);
        return;
    }
    part = tree_check_multipart(a, m, part, "alternative", 2);
    tree_check_text(a, m, part, "plain", t->c.text);
    part = m->parts[part].next;
    if (inlined)
        part = tree_check_multipart(a, m, part, "related", 1 + inlined);
    tree_check_text(a, m, part, "html", t->c.html);
    for (size_t i = 0; i < t->c.part_count && inlined; i++)
        if (t->parts[i].cid.n)
            tree_check_file(a, m, part = m->parts[part].next, t, i);
}

/* The message whose root is part is what the tree says. */
static void tree_check(struct arena *a, const struct mime *m, size_t part, const struct tree *t)
{
    size_t inlined = 0, attached;
    for (size_t i = 0; i < t->c.part_count; i++)
        inlined += t->c.html.n && t->parts[i].cid.n;
    attached = t->c.part_count - inlined;
    assert(slice_eq(mime_whole(m, part), t->all) && !m->parts[part].defects);
    tree_check_header(a, mime_header(m, part), &t->c);
    if (attached)
        part = tree_check_multipart(a, m, part, "mixed", 1 + attached);
    tree_check_body(a, m, part, t, inlined);
    for (size_t i = 0; i < t->c.part_count && attached; i++)
        if (!t->c.html.n || !t->parts[i].cid.n)
            tree_check_file(a, m, part = m->parts[part].next, t, i);
}

/* Makes the tree that the bytes decide, composes it, reads it and compares; how many parts it had.
 */
static size_t tree_round_trip(slice decisions)
{
    struct arena a = {0};
    struct mime m;
    struct tree *t = tree_make(&a, &decisions, 0);
    mime_parse(&a, t->all, &m);
    tree_check(&a, &m, 0, t);
    arena_end(&a);
    return m.count;
}

#endif
