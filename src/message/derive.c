/*
 * What delivery computes once (derive.h).  What is needed on the way, decoded bodies above all,
 * lies in a scratch arena that lives for one field or part; the caller's arena gets the results
 * only.
 */
#include "message/derive.h"

#include "base/limits.h"
#include "message/address.h"
#include "message/bodystructure.h"
#include "message/charset.h"
#include "message/date.h"
#include "message/msgid.h"
#include "message/out.h"
#include "message/text.h"

#include "base/banned.h"

/* Bytes that are looked at: of a part for a preview, of a subject. */
enum { PREVIEW_SOURCE = 256 * 1024, SUBJECT_SOURCE = 64 * 1024 };

/* At most max bytes of UTF-8, not ending inside a character. */
static slice cut_utf8(slice s, size_t max)
{
    if (s.n <= max)
        return s;
    while (max && ((unsigned char)s.p[max] & 0xc0) == 0x80)
        max--;
    return slice_sub(s, 0, max);
}

/* A text part as plain UTF-8 text, made from at most max bytes of its body. */
static slice plain_text(struct arena *a, const struct mime *m, size_t part,
                        const struct mime_content *c, size_t max)
{
    bool damaged;
    slice bytes = cte_decode(a, c->encoding, slice_sub(mime_body(m, part), 0, max), &damaged);
    slice text = mime_text_of(a, c, bytes, NULL);
    return slice_eq(c->minor, S("html")) ? html_to_text(a, text, 0, max) : text;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Where the text of a part stands in the text for search; end 0: nowhere. */
struct text_range {
    size_t start, end;
};

/* Adds text to the preview with white space collapsed; lines quoted by ">" only when asked for. */
static void add_preview(struct out *o, size_t *characters, slice text, bool quotes)
{
    slice line;
    while (*characters < LIMIT_PREVIEW && slice_next(&text, '\n', &line)) {
        bool space = o->n > 0;
        line = slice_trim(line);
        if (!quotes && line.n && line.p[0] == '>')
            continue;
        for (size_t i = 0; i < line.n && *characters < LIMIT_PREVIEW; i++) {
            unsigned char c = (unsigned char)line.p[i];
            if (is_space(line.p[i]) || c < ' ' || c == 0x7f) {
                space = true;
                continue;
            }
            if ((c & 0xc0) == 0x80) {
                out_byte(o, line.p[i]);
                continue;
            }
            if (space && o->n && ++*characters == LIMIT_PREVIEW)
                break;
            if (space && o->n)
                out_byte(o, ' ');
            space = false;
            ++*characters;
            out_byte(o, line.p[i]);
            /* the rest of the last character still belongs to it */
            while (*characters == LIMIT_PREVIEW && i + 1 < line.n &&
                   ((unsigned char)line.p[i + 1] & 0xc0) == 0x80)
                out_byte(o, line.p[++i]);
        }
    }
}

/* texts: of each part where it begins and ends in known already, or NULL. */
static slice make_preview(struct arena *a, const struct mime *m, const struct body_lists *l,
                          const struct text_range *texts, slice known)
{
    struct arena scratch = {0};
    struct out o = {.arena = a};
    for (int quotes = 0; quotes < 2 && !o.n; quotes++) {
        size_t characters = 0;
        for (size_t i = 0; i < l->text_count && characters < LIMIT_PREVIEW; i++) {
            size_t part = l->text[i];
            const struct mime_content *c = &l->content[part];
            if (!slice_eq(c->major, S("text")))
                continue;
            slice text = texts && texts[part].end
                             ? slice_sub(known, texts[part].start, texts[part].end)
                             : plain_text(&scratch, m, part, c, PREVIEW_SOURCE);
            add_preview(&o, &characters, text, quotes);
            arena_reset(&scratch);
        }
    }
    arena_end(&scratch);
    return out_slice(&o);
}

slice preview_make(struct arena *a, const struct mime *m, const struct body_lists *l)
{
    return make_preview(a, m, l, NULL, S(""));
}

/* scratch is for what is thrown away again: the arena of o gets nothing but the text. */
static void add_line(struct out *o, struct arena *scratch, slice text)
{
    size_t room = o->n < LIMIT_SEARCH_TEXT ? LIMIT_SEARCH_TEXT - o->n : 0;
    struct charset_text t = {.text = text};
    if (!slice_is_utf8(text)) /* an address of raw bytes */
        charset_to_utf8(scratch, S(""), text, &t);
    text = cut_utf8(t.text, room);
    if (!text.n)
        return;
    out_space(o, text.n + 1);
    out_add(o, text);
    out_byte(o, '\n');
}

static void add_addresses(struct out *o, struct arena *scratch, slice value)
{
    struct address_list l;
    struct arena one = {0};
    address_parse(scratch, value, &l);
    for (size_t i = 0; i < l.count && o->n < LIMIT_SEARCH_TEXT; i++) {
        add_line(o, &one, address_name(&one, &l.list[i]));
        if (l.list[i].local.n)
            add_line(o, &one, address_email(&one, &l.list[i]));
        arena_reset(&one);
    }
    arena_end(&one);
}

/* The header of a message, the outer one or one inside. */
static void add_header(struct out *o, struct arena *scratch, slice header)
{
    static const slice people[] = {{"From", 4}, {"To", 2},     {"Cc", 2},
                                   {"Bcc", 3},  {"Sender", 6}, {"Reply-To", 8}};
    struct header_field f;
    for (slice rest = header; header_next(&rest, &f) && o->n < LIMIT_SEARCH_TEXT;) {
        if (slice_eq_icase(f.name, S("Subject")))
            add_line(o, scratch, header_text(scratch, slice_sub(f.value, 0, SUBJECT_SOURCE)));
        for (size_t i = 0; i < sizeof(people) / sizeof(*people); i++)
            if (slice_eq_icase(f.name, people[i]))
                add_addresses(o, scratch, f.value);
        arena_reset(scratch);
    }
}

/* All text worth finding, in the order of the message; texts[i] becomes the place of part i. */
static slice search_text(struct arena *a, const struct mime *m, const struct body_lists *l,
                         struct text_range *texts)
{
    struct out o = {.arena = a};
    struct arena scratch = {0};
    for (size_t i = 0; i < m->count && o.n < LIMIT_SEARCH_TEXT; i++) {
        const struct mime_content *c = &l->content[i];
        if (i == 0 || m->parts[m->parts[i].parent].kind == MIME_MESSAGE)
            add_header(&o, &scratch, mime_header(m, i));
        if (c->name.n)
            add_line(&o, &scratch, c->name);
        if (m->parts[i].kind == MIME_LEAF && slice_eq(c->major, S("text")) &&
            o.n < LIMIT_SEARCH_TEXT) {
            texts[i].start = o.n;
            add_line(&o, &scratch, plain_text(&scratch, m, i, c, 2 * (LIMIT_SEARCH_TEXT - o.n)));
            texts[i].end = o.n;
        }
        arena_reset(&scratch);
    }
    arena_end(&scratch);
    return out_slice(&o);
}

/* Something a reader would call an attachment: not inline, and no picture of the HTML. */
static bool has_attachment(const struct mime *m, const struct body_lists *l)
{
    for (size_t i = 0; i < l->attachment_count; i++) {
        size_t part = l->attachments[i];
        const struct mime_content *c = &l->content[part];
        bool picture = c->has_id && slice_eq(l->content[m->parts[part].parent].minor, S("related"));
        if (!picture && !slice_eq(c->disposition.value, S("inline")))
            return true;
    }
    return false;
}

static void derive_header(struct arena *a, slice header, struct derived *out)
{
    slice subject = S(""), id = S(""), reply = S(""), references = S(""), date = S("");
    header_find(header, S("Subject"), &subject);
    header_find(header, S("Message-ID"), &id);
    header_find(header, S("In-Reply-To"), &reply);
    header_find(header, S("References"), &references);
    header_find(header, S("Date"), &date);
    out->has_date = date_parse(date, &out->date_ms, &out->zone_minutes);
    out->subject = cut_utf8(header_text(a, slice_sub(subject, 0, SUBJECT_SOURCE)), LIMIT_SUBJECT);
    out->base_subject = subject_base(a, out->subject);
    out->message_id = msgid_first(a, id);
    out->thread_keys = thread_keys_make(a, out->base_subject, out->message_id, reply, references);
    out->received = header_count(header, S("Received"));
    out->header_bytes = header.n;
}

void mime_derive(struct arena *a, const struct mime *m, struct derived *out)
{
    struct body_lists l;
    *out = (struct derived){0};
    derive_header(a, mime_header(m, 0), out);
    out->envelope = envelope_print(a, mime_header(m, 0));
    out->bodystructure = bodystructure_print(a, m, 0, true);
    body_lists(a, m, &l);
    struct text_range *texts = arena_array(a, m->count, sizeof(*texts));
    out->search = search_text(a, m, &l, texts);
    out->preview = make_preview(a, m, &l, texts, out->search);
    out->has_attachment = has_attachment(m, &l);
}

void message_derive(slice message, struct arena *a, struct derived *out)
{
    struct mime m;
    mime_parse(a, message, &m);
    mime_derive(a, &m, out);
}
