/*
 * Printing ENVELOPE, BODY and BODYSTRUCTURE (RFC 9051 7.5.2): one function for each production of
 * the grammar, one pass over the tree, straight into the text that is sent.
 */
#include "message/bodystructure.h"

#include "message/address.h"
#include "message/charset.h"
#include "message/out.h"

#include "base/banned.h"

/* The value in UTF-8, one line, without NUL: what may stand in a string. */
static slice presentable(struct arena *a, slice value)
{
    struct charset_text t;
    value = header_unfold(a, value);
    if (slice_find(value, '\0') < 0 && (slice_is_ascii(value) || slice_is_utf8(value)))
        return value;
    charset_to_utf8(a, S(""), value, &t);
    return t.text;
}

/* RFC 9051 9: quoted when it is ASCII without CR and LF, else a literal, which IMAP4rev1 takes too.
 */
static void add_string(struct out *o, slice s)
{
    s = presentable(o->arena, s);
    if (!slice_is_ascii(s) || slice_find(s, '\r') >= 0 || slice_find(s, '\n') >= 0) {
        out_printf(o, "{%zu}\r\n", s.n);
        out_add(o, s);
        return;
    }
    out_byte(o, '"');
    for (size_t from = 0, i = 0; i <= s.n; i++) {
        if (i < s.n && s.p[i] != '"' && s.p[i] != '\\')
            continue;
        out_add(o, slice_sub(s, from, i));
        if (i < s.n)
            out_byte(o, '\\');
        from = i;
    }
    out_byte(o, '"');
}

static void add_nstring(struct out *o, bool there, slice s)
{
    if (there)
        add_string(o, s);
    else
        out_add(o, S("NIL"));
}

/* "(name adl mailbox host)"; groups: host NIL at the start, all NIL at the end. */
static void add_address(struct out *o, const struct address *x)
{
    if (x->kind == ADDRESS_GROUP_END) {
        out_add(o, S("(NIL NIL NIL NIL)"));
        return;
    }
    bool group = x->kind == ADDRESS_GROUP_START;
    out_byte(o, '(');
    add_nstring(o, !group && x->name.n, x->name);
    out_byte(o, ' ');
    add_nstring(o, x->route.n, x->route);
    out_byte(o, ' ');
    add_string(o, group ? x->name : x->local);
    out_byte(o, ' ');
    add_nstring(o, !group, x->domain);
    out_byte(o, ')');
}

static void add_addresses(struct out *o, slice value)
{
    struct address_list l;
    address_parse(o->arena, value, &l);
    if (!l.count) {
        out_add(o, S("NIL"));
        return;
    }
    out_byte(o, '(');
    for (size_t i = 0; i < l.count; i++)
        add_address(o, &l.list[i]);
    out_byte(o, ')');
}

/* The fields of an envelope in its order. */
enum envelope_field {
    DATE,
    SUBJECT,
    FROM,
    SENDER,
    REPLY_TO,
    TO,
    CC,
    BCC,
    IN_REPLY_TO,
    MESSAGE_ID,
    ENVELOPE_FIELDS
};

static const slice ENVELOPE_NAMES[ENVELOPE_FIELDS] = {
    [DATE] = {"Date", 4},
    [SUBJECT] = {"Subject", 7},
    [FROM] = {"From", 4},
    [SENDER] = {"Sender", 6},
    [REPLY_TO] = {"Reply-To", 8},
    [TO] = {"To", 2},
    [CC] = {"Cc", 2},
    [BCC] = {"Bcc", 3},
    [IN_REPLY_TO] = {"In-Reply-To", 11},
    [MESSAGE_ID] = {"Message-ID", 10},
};

static void find_fields(slice header, slice value[ENVELOPE_FIELDS], bool has[ENVELOPE_FIELDS])
{
    struct header_field f;
    for (slice rest = header_of(header); header_next(&rest, &f);)
        for (size_t i = 0; i < ENVELOPE_FIELDS; i++)
            if (!has[i] && slice_eq_icase(f.name, ENVELOPE_NAMES[i])) {
                has[i] = true;
                value[i] = f.value;
            }
}

static void add_envelope(struct out *o, slice header)
{
    slice value[ENVELOPE_FIELDS] = {{0}};
    bool has[ENVELOPE_FIELDS] = {0};
    find_fields(header, value, has);
    for (size_t i = SENDER; i <= REPLY_TO; i++) /* absent or empty: the From (RFC 9051 7.5.2) */
        if (!slice_trim(value[i]).n)
            value[i] = value[FROM];
    for (size_t i = 0; i < ENVELOPE_FIELDS; i++) {
        out_byte(o, i ? ' ' : '(');
        if (i >= FROM && i <= BCC)
            add_addresses(o, value[i]);
        else
            add_nstring(o, has[i], value[i]);
    }
    out_byte(o, ')');
}

slice envelope_print(struct arena *a, slice header)
{
    struct out o = {.arena = a};
    add_envelope(&o, header);
    return out_slice(&o);
}

/* One parameter; a value that came in a charset (RFC 2231) is named "name*" and is UTF-8. */
static void add_param(struct out *o, const struct param *p)
{
    bool words =
        p->encoded && slice_search(p->raw, S("=?")) >= 0; /* RFC 2047: given as it stands */
    out_add(o, S("\""));
    out_add(o, p->name);
    out_add(o, p->encoded && !words ? S("*\" ") : S("\" "));
    add_string(o, words ? p->raw : p->value);
}

static void add_params(struct out *o, const struct params *p, bool text)
{
    bool charset = text && !params_find(p, S("charset")), first = true;
    for (size_t i = 0; i < p->count; i++) {
        slice name = p->params[i].name;
        if (!slice_is_ascii(name) || slice_find(name, '"') >= 0 || slice_find(name, '\\') >= 0)
            continue;
        out_byte(o, first ? '(' : ' ');
        add_param(o, &p->params[i]);
        first = false;
    }
    if (charset)
        out_add(o, first ? S("(\"charset\" \"us-ascii\"") : S(" \"charset\" \"us-ascii\""));
    out_add(o, first && !charset ? S("NIL") : S(")"));
}

/* Content-Language: NIL, one string, or a list of tags. */
static void add_language(struct out *o, const struct mime_content *c)
{
    slice rest = header_unfold(o->arena, c->language), tag;
    size_t n = 0;
    struct out tags = {.arena = o->arena};
    while (slice_next(&rest, ',', &tag)) {
        tag = slice_trim(tag);
        if (!tag.n)
            continue;
        if (n++)
            out_byte(&tags, ' ');
        add_string(&tags, tag);
    }
    if (n == 0)
        out_add(o, S("NIL"));
    if (n > 1)
        out_byte(o, '(');
    out_add(o, out_slice(&tags));
    if (n > 1)
        out_byte(o, ')');
}

/* What BODYSTRUCTURE has and BODY has not: disposition, language, location. */
static void add_extension(struct out *o, const struct mime_content *c)
{
    out_byte(o, ' ');
    if (c->disposition.value.n) {
        out_byte(o, '(');
        add_string(o, c->disposition.value);
        out_byte(o, ' ');
        add_params(o, &c->disposition, false);
        out_byte(o, ')');
    } else {
        out_add(o, S("NIL"));
    }
    out_byte(o, ' ');
    add_language(o, c);
    out_byte(o, ' ');
    add_nstring(o, c->has_location, c->location);
}

/* What a basic, text or message part begins with: type, parameters, id, encoding, octets. */
static void add_basic(struct out *o, const struct mime_content *c, size_t octets)
{
    bool text = slice_eq(c->major, S("text"));
    add_string(o, c->major);
    out_byte(o, ' ');
    add_string(o, c->minor);
    out_byte(o, ' ');
    add_params(o, &c->type, text);
    out_byte(o, ' ');
    add_nstring(o, c->has_id, c->id);
    out_byte(o, ' ');
    add_nstring(o, c->has_description, c->description);
    out_byte(o, ' ');
    add_string(o, c->encoding_name);
    out_printf(o, " %zu", octets);
}

static void add_part(struct out *o, const struct mime *m, size_t part, bool extended);

static void add_multipart(struct out *o, const struct mime *m, size_t part,
                          const struct mime_content *c, bool extended)
{
    for (size_t i = mime_child(m, part); i; i = m->parts[i].next)
        add_part(o, m, i, extended);
    out_byte(o, ' ');
    add_string(o, c->minor);
    if (!extended)
        return;
    out_byte(o, ' ');
    add_params(o, &c->type, false);
    add_extension(o, c);
}

static void add_leaf(struct out *o, const struct mime *m, size_t part, struct mime_content *c,
                     bool extended)
{
    const struct mime_part *p = &m->parts[part];
    bool message = slice_eq(c->major, S("message")) &&
                   (slice_eq(c->minor, S("rfc822")) || slice_eq(c->minor, S("global")));
    if (message && p->kind != MIME_MESSAGE) { /* the grammar wants an envelope: there is none */
        c->major = S("application");
        c->minor = S("octet-stream");
    }
    add_basic(o, c, p->end - p->body);
    if (p->kind == MIME_MESSAGE) {
        size_t child = mime_child(m, part);
        out_byte(o, ' ');
        add_envelope(o, mime_header(m, child));
        out_byte(o, ' ');
        add_part(o, m, child, extended);
    }
    if (p->kind == MIME_MESSAGE || slice_eq(c->major, S("text")))
        out_printf(o, " %u", p->lines);
    if (!extended)
        return;
    out_byte(o, ' ');
    add_nstring(o, c->has_md5, c->md5);
    add_extension(o, c);
}

static void add_part(struct out *o, const struct mime *m, size_t part, bool extended)
{
    struct mime_content c;
    mime_content(o->arena, m, part, &c);
    out_byte(o, '(');
    if (m->parts[part].kind == MIME_MULTIPART)
        add_multipart(o, m, part, &c, extended);
    else
        add_leaf(o, m, part, &c, extended);
    out_byte(o, ')');
}

slice bodystructure_print(struct arena *a, const struct mime *m, size_t part, bool extended)
{
    struct out o = {.arena = a};
    add_part(&o, m, part, extended);
    return out_slice(&o);
}
