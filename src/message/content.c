/* What a part is and says: its content fields with the defaults of RFC 2045 5.2, and its bytes. */
#include "message/parse.h"

#include "message/charset.h"
#include "message/text.h"

#include "base/banned.h"

/* The content fields of a header: the first of each name. */
enum content_field {
    TYPE,
    ENCODING,
    DISPOSITION,
    ID,
    DESCRIPTION,
    MD5,
    LANGUAGE,
    LOCATION,
    FIELDS
};

static const slice FIELD_NAMES[FIELDS] = {
    {"Type", 4}, {"Transfer-Encoding", 17}, {"Disposition", 11}, {"ID", 2}, {"Description", 11},
    {"MD5", 3},  {"Language", 8},           {"Location", 8},
};

struct content_fields {
    slice value[FIELDS];
    bool has[FIELDS];
};

static void read_fields(slice header, struct content_fields *out)
{
    struct header_field f;
    *out = (struct content_fields){0};
    for (slice rest = header; header_next(&rest, &f);) {
        if (!slice_starts_icase(f.name, S("Content-")))
            continue;
        slice name = slice_skip(f.name, 8);
        for (size_t i = 0; i < FIELDS; i++)
            if (!out->has[i] && slice_eq_icase(name, FIELD_NAMES[i])) {
                out->has[i] = true;
                out->value[i] = f.value;
            }
    }
}

static void split_type(struct mime_content *c)
{
    ptrdiff_t slash = slice_find(c->type.value, '/');
    size_t at = slash < 0 ? c->type.value.n : (size_t)slash;
    c->major = slice_sub(c->type.value, 0, at);
    c->minor = slice_skip(c->type.value, at + 1);
}

/* The type as it may be acted upon. */
static void set_type(struct arena *a, const struct mime_part *p, const struct content_fields *f,
                     struct mime_content *c)
{
    if (f->has[TYPE])
        params_parse(a, f->value[TYPE], &c->type);
    else
        c->type = (struct params){.value = p->digest ? S("message/rfc822") : S("text/plain")};
    split_type(c);
    bool multipart = slice_eq(c->major, S("multipart")) && p->kind != MIME_MULTIPART;
    if (!c->major.n || !c->minor.n || multipart)
        c->type = (struct params){.value = S("text/plain"), .damaged = c->type.damaged};
    if (p->kind == MIME_LEAF && c->encoding == CTE_UNKNOWN)
        c->type.value = S("application/octet-stream");
    split_type(c);
}

static void set_name(struct mime_content *c)
{
    c->name = params_get(&c->disposition, S("filename"));
    if (!c->name.n)
        c->name = params_get(&c->type, S("name"));
}

void mime_content(struct arena *a, const struct mime *m, size_t part, struct mime_content *out)
{
    const struct mime_part *p = &m->parts[part];
    struct content_fields f;
    read_fields(mime_header(m, part), &f);
    *out = (struct mime_content){
        .encoding = cte_parse(f.value[ENCODING]),
        .id = f.value[ID],
        .description = f.value[DESCRIPTION],
        .md5 = f.value[MD5],
        .language = f.value[LANGUAGE],
        .location = f.value[LOCATION],
        .has_id = f.has[ID],
        .has_description = f.has[DESCRIPTION],
        .has_md5 = f.has[MD5],
        .has_language = f.has[LANGUAGE],
        .has_location = f.has[LOCATION],
    };
    set_type(a, p, &f, out);
    out->encoding_name = f.has[ENCODING] && out->encoding == CTE_UNKNOWN
                             ? f.value[ENCODING]
                             : slice_c(cte_name(out->encoding));
    out->disposition.value = S("");
    if (f.has[DISPOSITION])
        params_parse(a, f.value[DISPOSITION], &out->disposition);
    const struct param *charset = params_find(&out->type, S("charset"));
    out->has_charset = charset && charset->value.n;
    out->charset = out->has_charset ? charset->value : S("us-ascii");
    set_name(out);
}

uint32_t mime_content_defects(const struct mime *m, size_t part, const struct mime_content *c)
{
    slice value;
    uint32_t d = 0;
    if (c->encoding == CTE_UNKNOWN)
        d |= DEFECT_BAD_ENCODING;
    if (c->type.damaged || c->disposition.damaged)
        d |= DEFECT_BAD_PARAMETER;
    if (header_find(mime_header(m, part), S("Content-Type"), &value) && slice_find(value, '/') < 0)
        d |= DEFECT_BAD_TYPE;
    return d;
}

slice mime_decode(struct arena *a, const struct mime *m, size_t part, const struct mime_content *c,
                  bool *damaged)
{
    bool ignored;
    slice body = mime_body(m, part);
    if (!damaged)
        damaged = &ignored;
    *damaged = false;
    if (m->parts[part].kind != MIME_LEAF)
        return body;
    return cte_decode(a, c->encoding, body, damaged);
}

slice mime_text_of(struct arena *a, const struct mime_content *c, slice bytes, uint32_t *defects)
{
    struct charset_text text;
    slice label = c->has_charset ? c->charset : S("");
    if (!label.n &&
        slice_eq(c->minor, S("html"))) /* the page's own word, when the header has none */
        label = html_charset(bytes);
    charset_to_utf8(a, label, bytes, &text);
    if (defects && (text.replaced || (text.detected && c->has_charset)))
        *defects |= DEFECT_BAD_CHARSET;
    return text.text;
}

slice mime_text(struct arena *a, const struct mime *m, size_t part, const struct mime_content *c,
                uint32_t *defects)
{
    bool damaged;
    slice bytes = mime_decode(a, m, part, c, &damaged);
    if (defects && damaged)
        *defects |= DEFECT_DAMAGED_CODE;
    return mime_text_of(a, c, bytes, defects);
}
