/*
 * The structure of a composed message: which multiparts there are, what each part's header says and
 * how it is encoded.
 */
#include "message/compose.h"

#include "message/base64.h"
#include "message/charset.h"
#include "message/compose_plan.h"
#include "message/flowed.h"
#include "message/param2231.h"
#include "message/qp.h"
#include "message/text.h"

#include "base/banned.h"

enum { LINE_MAX = 998, LOOK_AT_TEXT = 1 << 20 };

/* ---- text parts ---- */

/* UTF-8 text with CRLF lines. */
static slice wire_text(struct arena *a, slice text)
{
    struct charset_text t;
    struct out out = {.arena = a};
    charset_to_utf8(a, S("utf-8"), text, &t);
    for (slice rest = t.text; rest.n;) {
        ptrdiff_t at = slice_find(rest, '\n');
        slice line = slice_sub(rest, 0, at < 0 ? rest.n : (size_t)at);
        rest = slice_skip(rest, line.n + (at >= 0));
        if (slice_ends(line, S("\r")) && at >= 0)
            line.n--;
        out_add(&out, line);
        if (at >= 0)
            out_add(&out, S("\r\n"));
    }
    return out_slice(&out);
}

/* What to call text that is UTF-8.  Readers take an escape in ASCII for the start of ISO-2022. */
static slice charset_of(slice text)
{
    return slice_is_ascii(text) && slice_find(text, 0x1b) < 0 ? S("us-ascii") : S("utf-8");
}

static slice without_cr(struct arena *a, slice text)
{
    struct out out = {.arena = a};
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] != '\r')
            out_byte(&out, text.p[i]);
    return out_slice(&out);
}

/* The text as format=flowed, if nothing is lost by it and it then needs no encoding. */
static bool as_flowed(struct arena *a, slice text, slice *flowed)
{
    if (!slice_is_ascii(text))
        return false;
    *flowed = flowed_encode(a, text, false);
    slice rest = *flowed, line;
    while (slice_next(&rest, '\n', &line))
        if (line.n > LINE_MAX || slice_eq(line, S(".\r")) ||
            slice_find(line, '\r') + 1 != (ptrdiff_t)line.n)
            return false;
    slice back = flowed_decode(a, *flowed, false), want = without_cr(a, text);
    return slice_eq(back, want) && slice_find(text, 0) < 0;
}

static void add_encoded(struct composer *m, enum cte cte, slice text)
{
    if (cte == CTE_QP) {
        out_add(&m->text, qp_encode(m->arena, text, QP_TEXT));
    } else if (cte == CTE_BASE64) {
        char *to = out_space(&m->text, base64_lines_length(text.n) + 1);
        out_wrote(&m->text, base64_encode_lines(text, to));
    } else {
        out_add(&m->text, text);
    }
}

/*
 * One part of text for people, header and all: 7bit, flowed, quoted-printable or base64.  The line
 * end before a boundary belongs to the boundary; base64 lines end by themselves.
 */
void plan_text(struct composer *m, slice text, const char *subtype, bool in_multipart)
{
    slice wire = wire_text(m->arena, text), flowed;
    enum cte cte = cte_choose(wire, true);
    bool plain = slice_eq(slice_c(subtype), S("plain"));
    bool flow = plain && cte != CTE_7BIT && as_flowed(m->arena, wire, &flowed);
    if (flow) {
        wire = flowed;
        cte = CTE_7BIT;
    }
    out_printf(&m->text,
               "Content-Type: text/%s; charset=%.*s%s\r\nContent-Transfer-Encoding: %s\r\n\r\n",
               subtype, P(charset_of(wire)), flow ? "; format=flowed" : "", cte_name(cte));
    add_encoded(m, cte, wire);
    bool ended = !wire.n || slice_ends(wire, S("\n")); /* a message ends with a line end */
    if (cte != CTE_BASE64 && (in_multipart || !ended))
        out_add(&m->text, S("\r\n"));
}

/* ---- attachments and inline images ---- */

static bool is_token(slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f || slice_find(S("()<>@,;:\\\"/[]?="), s.p[i]) >= 0)
            return false;
    return s.n > 0;
}

/* "image/png" of the type a caller gave, or "application/octet-stream". */
static slice media_type(slice value)
{
    ptrdiff_t slash = slice_find(value, '/');
    bool fine = slash > 0 && is_token(slice_sub(value, 0, (size_t)slash)) &&
                is_token(slice_skip(value, (size_t)slash + 1)) &&
                !slice_starts(value, S("multipart/")) && value.n < 128;
    return fine ? value : S("application/octet-stream");
}

/* How a part goes out, and what it can be called then. */
struct form {
    slice type, charset, name;
    enum cte cte;
    slice content; /* a small text, already read; else the source is streamed */
    bool has_content;
};

/* message/rfc822 may not be encoded (RFC 2046 5.2.1): 7bit, 8bit, or it is only a file. */
static bool form_message(struct composer *m, const struct compose_part *p, struct form *f)
{
    struct source_facts facts;
    if (!source_scan(&p->source, &facts))
        return false;
    if (facts.bare || facts.long_line) {
        f->type = S("application/octet-stream");
        f->cte = CTE_BASE64;
        if (!f->name.n)
            f->name = S("message.eml");
    } else {
        f->cte = facts.eight_bit ? CTE_8BIT : CTE_7BIT;
        m->eight_bit |= facts.eight_bit;
    }
    return true;
}

static bool read_all(struct arena *a, const struct compose_source *s, slice *out)
{
    size_t size = (size_t)source_size(s), n = 0;
    if (!s->read) {
        *out = s->bytes;
        return true;
    }
    char *p = arena_alloc(a, size + 1);
    while (n < size) {
        ssize_t got = source_read(s, n, p + n, size - n);
        if (got <= 0)
            return false;
        n += (size_t)got;
    }
    *out = (slice){p, size};
    return true;
}

/* A text whose bytes survive as lines of text goes out readable when that is shorter. */
static bool form_text(struct composer *m, const struct compose_part *p, struct form *f)
{
    struct source_facts facts;
    if (source_size(&p->source) > LOOK_AT_TEXT)
        return true;
    if (!source_scan(&p->source, &facts) || !read_all(m->arena, &p->source, &f->content))
        return false;
    if (!f->charset.n && slice_is_utf8(f->content))
        f->charset = charset_of(f->content);
    f->has_content = true;
    f->cte = cte_choose(f->content, !facts.bare);
    return true;
}

static bool choose_form(struct composer *m, const struct compose_part *p, struct form *f)
{
    struct params type;
    params_parse(m->arena, p->type, &type);
    *f = (struct form){.type = media_type(type.value),
                       .charset = params_get(&type, S("charset")),
                       .name = filename_safe(m->arena, p->name),
                       .cte = CTE_BASE64};
    if (!is_token(f->charset))
        f->charset = S("");
    if (slice_eq(f->type, S("message/rfc822")))
        return form_message(m, p, f);
    if (slice_starts(f->type, S("message/"))) /* others may not be encoded either: a file */
        f->type = S("application/octet-stream");
    return slice_starts(f->type, S("text/")) ? form_text(m, p, f) : true;
}

static void print_part_header(struct composer *m, const struct compose_part *p,
                              const struct form *f, bool inlined)
{
    struct out *out = &m->text;
    slice disposition = inlined ? S("inline") : S("attachment");
    out_add(out, S("Content-Type: "));
    out_add(out, f->type);
    size_t column = S("Content-Type: ").n + f->type.n;
    if (f->charset.n)
        out_add(out, params_print(m->arena, S("charset"), f->charset, PARAM_2231, &column));
    if (f->name.n)
        out_add(out, params_print(m->arena, S("name"), f->name, PARAM_2047, &column));
    out_printf(out, "\r\nContent-Transfer-Encoding: %s\r\n", cte_name(f->cte));
    if (inlined)
        out_printf(out, "Content-ID: <%.*s>\r\n", P(p->cid));
    out_printf(out, "Content-Disposition: %.*s", P(disposition));
    column = S("Content-Disposition: ").n + disposition.n;
    if (f->name.n)
        out_add(out,
                params_print(m->arena, S("filename"), f->name, PARAM_2231 | PARAM_2047, &column));
    out_add(out, S("\r\n\r\n"));
}

static bool add_part(struct composer *m, const struct compose_part *p, bool inlined, slice *error)
{
    struct form f;
    if (!choose_form(m, p, &f)) {
        *error = arena_printf(m->arena, "cannot read the attachment %.*s",
                              P(filename_safe(m->arena, p->name)));
        return false;
    }
    print_part_header(m, p, &f, inlined);
    if (f.has_content)
        add_encoded(m, f.cte, f.content);
    else
        plan_source(m, &p->source, f.cte == CTE_BASE64);
    if (f.cte != CTE_BASE64 || !source_size(&p->source))
        out_add(&m->text, S("\r\n"));
    return true;
}

/* ---- the tree ---- */

static bool is_inline(const struct compose *c, const struct compose_part *p)
{
    return c->html.n && p->cid.n;
}

static size_t count_parts(const struct compose *c, bool inlined)
{
    size_t n = 0;
    for (size_t i = 0; i < c->part_count; i++)
        n += is_inline(c, &c->parts[i]) == inlined;
    return n;
}

static slice open_multipart(struct composer *m, const char *subtype, const char *more)
{
    slice boundary = plan_boundary(m);
    out_printf(&m->text, "Content-Type: multipart/%s%s;\r\n boundary=\"%.*s\"\r\n\r\n", subtype,
               more, P(boundary));
    return boundary;
}

static void next_part(struct composer *m, slice boundary)
{
    out_printf(&m->text, "--%.*s\r\n", P(boundary));
}

/* in_multipart: another boundary follows, to which the line end before it belongs. */
static void close_multipart(struct composer *m, slice boundary, bool in_multipart)
{
    out_printf(&m->text, "--%.*s--\r\n%s", P(boundary), in_multipart ? "\r\n" : "");
}

static bool add_parts(struct composer *m, const struct compose *c, slice boundary, bool inlined,
                      slice *error)
{
    for (size_t i = 0; i < c->part_count; i++) {
        if (is_inline(c, &c->parts[i]) != inlined)
            continue;
        next_part(m, boundary);
        if (!add_part(m, &c->parts[i], inlined, error))
            return false;
    }
    return true;
}

/* The HTML, alone or with its images. */
static bool add_html(struct composer *m, const struct compose *c, slice *error)
{
    if (!count_parts(c, true)) {
        plan_text(m, c->html, "html", true);
        return true;
    }
    slice boundary = open_multipart(m, "related", "; type=\"text/html\"");
    next_part(m, boundary);
    plan_text(m, c->html, "html", true);
    if (!add_parts(m, c, boundary, true, error))
        return false;
    close_multipart(m, boundary, true);
    return true;
}

/* The text for people: plain, or plain and HTML. */
static bool add_body(struct composer *m, const struct compose *c, bool in_multipart, slice *error)
{
    if (!c->html.n) {
        plan_text(m, c->text, "plain", in_multipart);
        return true;
    }
    slice text = c->text;
    if (!text.n)
        text = html_to_text(m->arena, c->html, HTML_LINKS | HTML_QUOTES, SIZE_MAX);
    slice boundary = open_multipart(m, "alternative", "");
    next_part(m, boundary);
    plan_text(m, text, "plain", true);
    next_part(m, boundary);
    if (!add_html(m, c, error))
        return false;
    close_multipart(m, boundary, in_multipart);
    return true;
}

static bool check_parts(struct composer *m, const struct compose *c, slice *error)
{
    for (size_t i = 0; i < c->part_count; i++) {
        slice cid = c->parts[i].cid;
        for (size_t k = 0; k < cid.n; k++) {
            if (cid.p[k] <= ' ' || cid.p[k] >= 0x7f || cid.p[k] == '<' || cid.p[k] == '>') {
                *error = arena_printf(m->arena, "a Content-ID that is none");
                return false;
            }
        }
    }
    return true;
}

struct composer *compose_open(struct arena *a, const struct compose *c, slice *error)
{
    struct composer *m = plan_new(a, c->seed);
    *error = S("");
    if (!check_parts(m, c, error) || !print_header(m, c, error))
        return NULL;
    if (!count_parts(c, false)) {
        if (!add_body(m, c, false, error))
            return NULL;
    } else {
        slice boundary = open_multipart(m, "mixed", "");
        next_part(m, boundary);
        if (!add_body(m, c, true, error) || !add_parts(m, c, boundary, false, error))
            return NULL;
        close_multipart(m, boundary, false);
    }
    plan_finish(m);
    return m;
}
