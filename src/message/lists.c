/* The algorithm of RFC 8621 4.1.4 that sorts parts into what is shown and what is attached. */
#include "message/derive.h"

#include "base/banned.h"

struct list {
    size_t *parts, count, capacity;
};

struct sorter {
    struct arena *arena;
    const struct mime *m;
    const struct mime_content *content;
    struct list text, html, attachments;
};

static void add(struct sorter *s, struct list *l, size_t part)
{
    if (!l)
        return;
    l->parts = arena_grow(s->arena, l->parts, l->count, &l->capacity, sizeof(*l->parts));
    l->parts[l->count++] = part;
}

static void add_from(struct sorter *s, struct list *to, const struct list *from, size_t first)
{
    for (size_t i = first, end = from->count; i < end; i++)
        add(s, to, from->parts[i]);
}

static bool is_media(const struct mime_content *c)
{
    return slice_eq(c->major, S("image")) || slice_eq(c->major, S("audio")) ||
           slice_eq(c->major, S("video"));
}

/* A body part rather than an attachment. */
static bool is_inline(const struct mime_content *c, slice multipart, bool first)
{
    bool plain = slice_eq(c->type.value, S("text/plain"));
    bool html = slice_eq(c->type.value, S("text/html"));
    if (slice_eq(c->disposition.value, S("attachment")) || !(plain || html || is_media(c)))
        return false;
    return first || (!slice_eq(multipart, S("related")) && (is_media(c) || !c->name.n));
}

/* A part in a multipart/alternative: text and HTML are two forms of one thing. */
static void sort_alternative(struct sorter *s, struct list *text, struct list *html, size_t part)
{
    const struct mime_content *c = &s->content[part];
    if (slice_eq(c->type.value, S("text/plain")))
        add(s, text, part);
    else if (slice_eq(c->type.value, S("text/html")))
        add(s, html, part);
    else
        add(s, &s->attachments, part);
}

static void sort_children(struct sorter *s, size_t parent, bool in_alternative, struct list *text,
                          struct list *html);

/* One leaf, or a message, which counts as one. */
static void sort_leaf(struct sorter *s, size_t part, slice multipart, bool first,
                      bool in_alternative, struct list **text, struct list **html)
{
    const struct mime_content *c = &s->content[part];
    if (!is_inline(c, multipart, first)) {
        add(s, &s->attachments, part);
        return;
    }
    if (slice_eq(multipart, S("alternative"))) {
        sort_alternative(s, *text, *html, part);
        return;
    }
    if (in_alternative && slice_eq(c->type.value, S("text/plain")))
        *html = NULL;
    if (in_alternative && slice_eq(c->type.value, S("text/html")))
        *text = NULL;
    add(s, *text, part);
    add(s, *html, part);
    if ((!*text || !*html) && is_media(c))
        add(s, &s->attachments, part);
}

static void sort_part(struct sorter *s, size_t part, slice multipart, bool first,
                      bool in_alternative, struct list **text, struct list **html)
{
    if (s->m->parts[part].kind == MIME_MULTIPART)
        sort_children(s, part, in_alternative, *text, *html);
    else
        sort_leaf(s, part, multipart, first, in_alternative, text, html);
}

static void sort_children(struct sorter *s, size_t parent, bool in_alternative, struct list *text,
                          struct list *html)
{
    slice multipart = s->content[parent].minor;
    bool alternative = slice_eq(multipart, S("alternative"));
    struct list *text_in = text, *html_in = html;
    size_t text_count = text ? text->count : 0, html_count = html ? html->count : 0;
    size_t first = mime_child(s->m, parent);
    for (size_t i = first; i; i = s->m->parts[i].next)
        sort_part(s, i, multipart, i == first, in_alternative || alternative, &text, &html);
    if (!alternative || !text_in || !html_in)
        return;
    bool more_text = text_in->count > text_count, more_html = html_in->count > html_count;
    if (more_html && !more_text)
        add_from(s, text_in, html_in, html_count);
    else if (more_text && !more_html)
        add_from(s, html_in, text_in, text_count);
}

void body_lists(struct arena *a, const struct mime *m, struct body_lists *out)
{
    struct mime_content *content = arena_array(a, m->count, sizeof(*content));
    for (size_t i = 0; i < m->count; i++)
        mime_content(a, m, i, &content[i]);
    struct sorter s = {.arena = a, .m = m, .content = content};
    struct list *text = &s.text, *html = &s.html;
    sort_part(&s, 0, S("mixed"), true, false, &text, &html);
    *out = (struct body_lists){
        .content = content,
        .text = s.text.parts,
        .html = s.html.parts,
        .attachments = s.attachments.parts,
        .text_count = s.text.count,
        .html_count = s.html.count,
        .attachment_count = s.attachments.count,
    };
}
