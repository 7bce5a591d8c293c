/* The JSON of one message (view_json.h), printed in the order in which it is found. */
#include "message/view_json.h"

#include "base/sha256.h"
#include "message/address.h"
#include "message/charset.h"
#include "message/date.h"
#include "message/derive.h"
#include "message/msgid.h"
#include "message/out.h"
#include "message/uuencode.h"

#include "base/banned.h"

struct view {
    struct arena *arena;
    struct out out;
    bool comma; /* something stands before in this object or list */
    const struct mime *m;
    struct body_lists lists;
    slice header; /* of the message */
};

void view_string(struct out *o, slice s)
{
    size_t from = 0;
    struct charset_text t = {.text = s};
    if (!slice_is_utf8(s))
        charset_to_utf8(o->arena, S(""), s, &t);
    s = t.text;
    out_byte(o, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= ' ' && c != '"' && c != '\\')
            continue;
        out_add(o, slice_sub(s, from, i));
        from = i + 1;
        if (c == '"' || c == '\\')
            out_printf(o, "\\%c", c);
        else if (c == '\n')
            out_add(o, S("\\n"));
        else
            out_printf(o, "\\u%04x", c);
    }
    out_add(o, slice_skip(s, from));
    out_byte(o, '"');
}

/* A comma where one is needed, and the key (NULL: an element of a list). */
static void key(struct view *v, const char *name)
{
    if (v->comma)
        out_add(&v->out, S(", "));
    v->comma = true;
    if (name)
        out_printf(&v->out, "\"%s\": ", name);
}

static void string(struct view *v, const char *name, slice value)
{
    key(v, name);
    view_string(&v->out, value);
}

static void number(struct view *v, const char *name, uint64_t value)
{
    key(v, name);
    out_printf(&v->out, "%llu", (unsigned long long)value);
}

static void open(struct view *v, const char *name, char bracket)
{
    key(v, name);
    out_byte(&v->out, bracket);
    v->comma = false;
}

static void end(struct view *v, char bracket)
{
    out_byte(&v->out, bracket);
    v->comma = true;
}

static void headers(struct view *v)
{
    struct header_field f;
    open(v, "headers", '[');
    for (slice rest = v->header; header_next(&rest, &f);) {
        open(v, NULL, '{');
        string(v, "name", f.name);
        string(v, "value", header_text(v->arena, f.value));
        end(v, '}');
    }
    end(v, ']');
}

static void people(struct view *v, const char *name, slice field)
{
    slice value;
    struct address_list l;
    header_find(v->header, field, &value);
    address_parse(v->arena, value, &l);
    open(v, name, '[');
    for (size_t i = 0; i < l.count; i++) {
        if (l.list[i].kind != ADDRESS_MAILBOX)
            continue;
        open(v, NULL, '{');
        string(v, "name", address_name(v->arena, &l.list[i]));
        string(v, "email", address_email(v->arena, &l.list[i]));
        end(v, '}');
    }
    end(v, ']');
}

static void ids(struct view *v, const char *name, slice field)
{
    slice value;
    struct msgid_list l;
    header_find(v->header, field, &value);
    msgid_parse(v->arena, value, &l);
    open(v, name, '[');
    for (size_t i = 0; i < l.count; i++)
        string(v, NULL, l.list[i]);
    end(v, ']');
}

static void date(struct view *v)
{
    slice value;
    int64_t ms;
    int zone;
    if (header_find(v->header, S("Date"), &value) && date_parse(value, &ms, &zone)) {
        string(v, "date", date_print_3339(v->arena, ms, zone, false));
    } else {
        key(v, "date");
        out_add(&v->out, S("null"));
    }
}

/* Text with LF lines. */
static void add_lines(struct out *o, slice text)
{
    while (text.n) {
        ptrdiff_t cr = slice_search(text, S("\r\n"));
        out_add(o, slice_sub(text, 0, cr < 0 ? text.n : (size_t)cr));
        if (cr >= 0)
            out_byte(o, '\n');
        text = slice_skip(text, cr < 0 ? text.n : (size_t)cr + 2);
    }
}

/* The text of a part without the uuencoded files in it. */
static void add_without_files(struct out *o, slice text)
{
    struct uu_file f;
    size_t from = 0;
    while (uu_find(text, from, &f)) {
        size_t at = (size_t)(f.all.p - text.p);
        add_lines(o, slice_sub(text, from, at));
        from = at + f.all.n;
    }
    add_lines(o, slice_skip(text, from));
}

/* The parts of a list that have the type, one behind the other. */
static void body(struct view *v, const char *name, const size_t *parts, size_t count, slice type)
{
    struct out text = {.arena = v->arena};
    for (size_t i = 0; i < count; i++) {
        const struct mime_content *c = &v->lists.content[parts[i]];
        if (!slice_eq(c->type.value, type))
            continue;
        if (text.n && text.p[text.n - 1] != '\n')
            out_byte(&text, '\n');
        add_without_files(&text, mime_text(v->arena, v->m, parts[i], c, NULL));
    }
    string(v, name, out_slice(&text));
}

static void digest(struct view *v, slice bytes)
{
    unsigned char hash[SHA256_BYTES];
    char hex[2 * SHA256_BYTES];
    sha256(bytes, hash);
    ascii_hex(hash, sizeof(hash), hex);
    number(v, "size", bytes.n);
    string(v, "sha256", (slice){hex, sizeof(hex)});
}

static void decoded_digest(struct view *v, size_t part)
{
    struct arena scratch = {0};
    digest(v, mime_decode(&scratch, v->m, part, &v->lists.content[part], NULL));
    arena_end(&scratch);
}

static void attachment(struct view *v, size_t part)
{
    const struct mime_content *c = &v->lists.content[part];
    open(v, NULL, '{');
    string(v, "part", mime_number(v->arena, v->m, part));
    string(v, "name", c->name);
    string(v, "type", c->type.value);
    decoded_digest(v, part);
    string(v, "disposition", c->disposition.value);
    string(v, "cid", msgid_first(v->arena, c->id));
    end(v, '}');
}

/* The uuencoded files in a text part, named with its number. */
static void uu_files(struct view *v, size_t part)
{
    struct uu_file f;
    slice text = mime_text(v->arena, v->m, part, &v->lists.content[part], NULL);
    for (size_t from = 0; uu_find(text, from, &f);) {
        from = (size_t)(f.all.p - text.p) + f.all.n;
        open(v, NULL, '{');
        string(v, "part", mime_number(v->arena, v->m, part));
        string(v, "name", f.name);
        string(v, "type", S("application/octet-stream"));
        digest(v, uu_decode(v->arena, f.lines, NULL));
        string(v, "disposition", S("attachment"));
        string(v, "cid", S(""));
        end(v, '}');
    }
}

static bool is_listed(const size_t *parts, size_t count, size_t *at, size_t part)
{
    while (*at < count && parts[*at] < part)
        ++*at;
    return *at < count && parts[*at] == part;
}

/*
 * RFC 8621's attachments, and the pictures and sounds it shows among the texts: nothing of a
 * message is in neither text, html nor here.
 */
static void attachments(struct view *v)
{
    const struct body_lists *l = &v->lists;
    size_t text = 0, html = 0;
    open(v, "attachments", '[');
    for (size_t i = 0; i < v->m->count;
         i = v->m->parts[i].kind == MIME_MESSAGE ? mime_after(v->m, i) : i + 1) {
        if (v->m->parts[i].kind == MIME_MULTIPART)
            continue;
        bool shown = is_listed(l->text, l->text_count, &text, i);
        shown |= is_listed(l->html, l->html_count, &html, i);
        if (!shown || !slice_eq(l->content[i].major, S("text")))
            attachment(v, i);
        else if (slice_eq(l->content[i].type.value, S("text/plain")))
            uu_files(v, i);
    }
    end(v, ']');
}

static void parts(struct view *v)
{
    open(v, "parts", '[');
    for (size_t i = 0; i < v->m->count; i++) {
        const struct mime_content *c = &v->lists.content[i];
        const struct mime_part *p = &v->m->parts[i];
        open(v, NULL, '{');
        string(v, "part", mime_number(v->arena, v->m, i));
        string(v, "type", c->type.value);
        string(v, "charset", slice_eq(c->major, S("text")) ? c->charset : S(""));
        string(v, "encoding", c->encoding_name);
        string(v, "name", c->name);
        string(v, "disposition", c->disposition.value);
        decoded_digest(v, i);
        number(v, "offset", p->body);
        number(v, "length", p->end - p->body);
        end(v, '}');
    }
    end(v, ']');
}

/* Address fields that had to be guessed, and a Date that is none. */
static uint32_t header_defects(struct arena *a, slice header)
{
    static const slice names[] = {{"From", 4}, {"Sender", 6}, {"Reply-To", 8},
                                  {"To", 2},   {"Cc", 2},     {"Bcc", 3}};
    uint32_t d = 0;
    slice value;
    int64_t ms;
    int zone;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        struct address_list l = {0};
        if (header_find(header, names[i], &value))
            address_parse(a, value, &l);
        d |= l.damaged ? DEFECT_BAD_ADDRESS : 0;
    }
    if (header_find(header, S("Date"), &value) && !date_parse(value, &ms, &zone))
        d |= DEFECT_BAD_DATE;
    return d;
}

static uint32_t text_defects(struct arena *a, const struct mime *m, size_t part,
                             const struct mime_content *c)
{
    uint32_t d = 0;
    struct uu_file f;
    slice text = mime_text(a, m, part, c, &d);
    if (slice_eq(c->type.value, S("text/plain")) && uu_find(text, 0, &f))
        d |= DEFECT_UUENCODED;
    return d;
}

uint32_t view_defects(const struct mime *m, size_t part)
{
    struct arena scratch = {0};
    struct mime_content c;
    bool damaged = false;
    uint32_t d = m->parts[part].defects;
    mime_content(&scratch, m, part, &c);
    d |= mime_content_defects(m, part, &c);
    if (part == 0 || m->parts[m->parts[part].parent].kind == MIME_MESSAGE)
        d |= header_defects(&scratch, mime_header(m, part));
    if (m->parts[part].kind == MIME_LEAF) {
        if (slice_eq(c.major, S("text")))
            d |= text_defects(&scratch, m, part, &c);
        else
            mime_decode(&scratch, m, part, &c, &damaged);
    }
    arena_end(&scratch);
    return d | (damaged ? DEFECT_DAMAGED_CODE : 0);
}

static void defects(struct view *v)
{
    open(v, "defects", '[');
    for (size_t i = 0; i < v->m->count; i++) {
        uint32_t d = view_defects(v->m, i);
        for (uint32_t bit = 1; bit && bit <= d; bit <<= 1) {
            if (!(d & bit))
                continue;
            open(v, NULL, '{');
            string(v, "part", mime_number(v->arena, v->m, i));
            string(v, "code", defect_code((enum mime_defect)bit));
            string(v, "text", defect_text((enum mime_defect)bit));
            end(v, '}');
        }
    }
    end(v, ']');
}

slice view_json(struct arena *a, slice message)
{
    struct mime m;
    slice subject;
    mime_parse(a, message, &m);
    struct view v = {.arena = a, .out = {.arena = a}, .m = &m, .header = mime_header(&m, 0)};
    body_lists(a, &m, &v.lists);
    header_find(v.header, S("Subject"), &subject);
    open(&v, NULL, '{');
    number(&v, "size", message.n);
    headers(&v);
    people(&v, "from", S("From"));
    people(&v, "to", S("To"));
    people(&v, "cc", S("Cc"));
    people(&v, "bcc", S("Bcc"));
    people(&v, "replyTo", S("Reply-To"));
    people(&v, "sender", S("Sender"));
    string(&v, "subject", header_text(a, subject));
    date(&v);
    ids(&v, "messageId", S("Message-ID"));
    ids(&v, "inReplyTo", S("In-Reply-To"));
    ids(&v, "references", S("References"));
    body(&v, "text", v.lists.text, v.lists.text_count, S("text/plain"));
    body(&v, "html", v.lists.html, v.lists.html_count, S("text/html"));
    string(&v, "preview", preview_make(a, &m, &v.lists));
    attachments(&v);
    parts(&v);
    defects(&v);
    end(&v, '}');
    return out_slice(&v.out);
}
