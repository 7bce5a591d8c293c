#include "imap/section.h"

#include "base/limits.h"
#include "imap/parse.h"
#include "message/out.h"

#include "base/banned.h"

/* ---- reading ---- */

static const struct {
    slice word; /* a word that begins with another stands before it */
    enum section_text text;
} words[] = {
    {{"HEADER.FIELDS.NOT", 17}, SECTION_FIELDS_NOT},
    {{"HEADER.FIELDS", 13}, SECTION_FIELDS},
    {{"HEADER", 6}, SECTION_HEADER},
    {{"TEXT", 4}, SECTION_TEXT},
    {{"MIME", 4}, SECTION_MIME},
};

/* nz-number *("." nz-number): stops before a "." that no number follows.  False when it is bad. */
static bool eat_part(slice *in, slice *part)
{
    slice rest = *in;
    uint64_t n;
    *part = S("");
    while (rest.n && ascii_is_digit(rest.p[0])) {
        if (rest.p[0] == '0' || !imap_number(&rest, UINT32_MAX, &n))
            return false;
        *part = slice_sub(*in, 0, in->n - rest.n);
        if (!slice_eat(&rest, S(".")))
            break;
    }
    *in = slice_skip(*in, part->n);
    return part->n <= LIMIT_IMAP_PART;
}

/* header-list: a field name is printable ASCII, or it could not be answered in a quoted string. */
static bool eat_names(struct arena *a, slice *in, struct section *out)
{
    size_t capacity = 0;
    slice name;
    if (!imap_space(in) || !slice_eat(in, S("(")))
        return false;
    do {
        if (out->name_count >= LIMIT_IMAP_FIELDS || !imap_astring(a, in, &name) || !name.n)
            return false;
        for (size_t i = 0; i < name.n; i++)
            if (name.p[i] < 0x20 || name.p[i] > 0x7e)
                return false;
        out->names = arena_grow(a, out->names, out->name_count, &capacity, sizeof(name));
        out->names[out->name_count++] = name;
    } while (imap_space(in));
    return slice_eat(in, S(")"));
}

static bool eat_text(struct arena *a, slice *in, struct section *out)
{
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (!slice_eat_icase(in, words[i].word))
            continue;
        out->text = words[i].text;
        if (out->text == SECTION_MIME && !out->part.n)
            return false;
        return (out->text != SECTION_FIELDS && out->text != SECTION_FIELDS_NOT) ||
               eat_names(a, in, out);
    }
    return false;
}

bool section_parse(struct arena *a, slice *in, bool binary, struct section *out)
{
    slice rest = *in;
    *out = (struct section){0};
    if (!slice_eat(&rest, S("[")) || !eat_part(&rest, &out->part))
        return false;
    bool more = out->part.n ? slice_eat(&rest, S(".")) : !slice_starts(rest, S("]"));
    if (more && (binary || !eat_text(a, &rest, out)))
        return false;
    if (!slice_eat(&rest, S("]")))
        return false;
    *in = rest;
    return true;
}

/* ---- the form that is answered ---- */

static void add_name(struct out *o, slice name)
{
    slice rest = name, atom;
    if (imap_atom(&rest, &atom) && !rest.n) {
        out_add(o, name);
        return;
    }
    out_byte(o, '"');
    for (size_t i = 0; i < name.n; i++) {
        if (name.p[i] == '"' || name.p[i] == '\\')
            out_byte(o, '\\');
        out_byte(o, name.p[i]);
    }
    out_byte(o, '"');
}

slice section_print(struct arena *a, const struct section *s)
{
    struct out o = {.arena = a};
    out_byte(&o, '[');
    out_add(&o, s->part);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (words[i].text == s->text) {
            if (s->part.n)
                out_byte(&o, '.');
            out_add(&o, words[i].word);
        }
    for (size_t i = 0; i < s->name_count; i++) {
        out_add(&o, i ? S(" ") : S(" ("));
        add_name(&o, s->names[i]);
    }
    out_add(&o, s->name_count ? S(")]") : S("]"));
    return out_slice(&o);
}

/* ---- finding ---- */

enum section_need section_need(const struct section *s)
{
    if (s->part.n)
        return SECTION_NEEDS_TREE;
    return s->text == SECTION_ALL ? SECTION_NEEDS_NOTHING : SECTION_NEEDS_HEADER;
}

struct section_range section_of_message(const struct section *s, uint64_t header_bytes,
                                        uint64_t message_bytes)
{
    switch (s->text) {
    case SECTION_HEADER:
    case SECTION_FIELDS:
    case SECTION_FIELDS_NOT:
    case SECTION_MIME: /* not without a part number */
        return (struct section_range){0, header_bytes};
    case SECTION_TEXT:
        return (struct section_range){header_bytes, message_bytes};
    case SECTION_ALL:
        break;
    }
    return (struct section_range){0, message_bytes};
}

bool section_of_part(const struct mime *m, const struct section *s, struct section_range *out)
{
    size_t at;
    if (!mime_by_number(m, s->part, &at))
        return false;
    const struct mime_part *p = &m->parts[at];
    if (s->text == SECTION_MIME) {
        *out = (struct section_range){p->start, p->body};
        return true;
    }
    if (s->text == SECTION_ALL) {
        *out = (struct section_range){p->body, p->end};
        return true;
    }
    if (p->kind != MIME_MESSAGE)
        return false;
    const struct mime_part *inside = &m->parts[mime_child(m, at)];
    *out = section_of_message(s, inside->body - inside->start, inside->end - inside->start);
    out->from += inside->start;
    out->to += inside->start;
    return true;
}

/* ---- fields ---- */

static bool is_named(const struct section *s, slice name)
{
    for (size_t i = 0; i < s->name_count; i++)
        if (slice_eq_icase(s->names[i], name))
            return true;
    return false;
}

static bool ends_in_empty_line(slice header)
{
    if (!slice_ends(header, S("\n")))
        return false;
    header.n -= slice_ends(header, S("\r\n")) ? 2 : 1;
    return header.n == 0 || slice_ends(header, S("\n"));
}

slice section_fields(struct arena *a, const struct section *s, slice header, bool body_follows)
{
    struct out o = {.arena = a};
    struct header_field f;
    for (slice rest = header; header_next(&rest, &f);)
        if (is_named(s, f.name) == (s->text == SECTION_FIELDS))
            out_add(&o, f.whole);
    if (body_follows || ends_in_empty_line(header))
        out_add(&o, S("\r\n"));
    return out_slice(&o);
}
