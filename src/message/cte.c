/* Content-Transfer-Encoding: names, decoding, choice. */
#include "message/cte.h"

#include "message/base64.h"
#include "message/qp.h"
#include "message/uuencode.h"
#include "base/banned.h"

enum { LINE_WANTED = 78 };

static const struct {
    const char *name;
    enum cte cte;
} names[] = {
    {"7bit", CTE_7BIT},
    {"8bit", CTE_8BIT},
    {"binary", CTE_BINARY},
    {"quoted-printable", CTE_QP},
    {"base64", CTE_BASE64},
    {"x-uuencode", CTE_UUENCODE},
    {"uuencode", CTE_UUENCODE},
    {"x-uue", CTE_UUENCODE},
    {"uue", CTE_UUENCODE},
    {"7-bit", CTE_7BIT},
    {"8-bit", CTE_8BIT},
    {"7bits", CTE_7BIT},
    {"8bits", CTE_8BIT},
    {"quoted printable", CTE_QP},
    {"quotedprintable", CTE_QP},
    {"base-64", CTE_BASE64},
    {"", CTE_7BIT},
};

/* The value without comments, quotes, a trailing ";" and white space around. */
static slice bare(slice value)
{
    value = slice_trim(value);
    while (slice_starts(value, S("("))) {
        ptrdiff_t end = slice_find(value, ')');
        value = slice_trim(slice_skip(value, end < 0 ? value.n : (size_t)end + 1));
    }
    size_t n = 0;
    while (n < value.n && value.p[n] != ';' && value.p[n] != '(')
        n++;
    value = slice_trim(slice_sub(value, 0, n));
    if (value.n > 1 && slice_starts(value, S("\"")) && slice_ends(value, S("\"")))
        value = slice_trim(slice_sub(value, 1, value.n - 1));
    return value;
}

enum cte cte_parse(slice value)
{
    value = bare(value);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (slice_eq_icase(value, slice_c(names[i].name)))
            return names[i].cte;
    return CTE_UNKNOWN;
}

const char *cte_name(enum cte e)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].cte == e)
            return names[i].name;
    return "x-unknown";
}

static slice decode_uuencode(struct arena *a, slice body, bool *damaged)
{
    struct uu_file file;
    if (!uu_find(body, 0, &file)) {
        *damaged = true;
        return body;
    }
    return uu_decode(a, file.lines, damaged);
}

slice cte_decode(struct arena *a, enum cte e, slice body, bool *damaged)
{
    bool ignored;
    char *out;
    if (!damaged)
        damaged = &ignored;
    *damaged = false;
    switch (e) {
    case CTE_BASE64:
        out = arena_alloc(a, base64_decode_room(body.n));
        return (slice){out, base64_decode(body, out, damaged)};
    case CTE_QP:
        out = arena_alloc(a, body.n + 1);
        return (slice){out, qp_decode(body, out, damaged)};
    case CTE_UUENCODE:
        return decode_uuencode(a, body, damaged);
    case CTE_7BIT:
    case CTE_8BIT:
    case CTE_BINARY:
    case CTE_UNKNOWN:
        break;
    }
    return body;
}

static bool has_control(slice line)
{
    for (size_t i = 0; i < line.n; i++)
        if (((unsigned char)line.p[i] < ' ' && line.p[i] != '\t') || line.p[i] == 0x7f)
            return true;
    return false;
}

/* ASCII lines no relay would touch: none long, no controls, nothing guarded by qp.c. */
static bool survives_as_it_is(slice text)
{
    slice rest = text, line;
    if (!slice_is_ascii(text))
        return false;
    while (slice_next(&rest, '\n', &line)) {
        if (slice_ends(line, S("\r")))
            line.n--;
        if (line.n > LINE_WANTED || has_control(line) || slice_ends(line, S(" ")) ||
            slice_ends(line, S("\t")) || slice_starts(line, S("From ")) || slice_eq(line, S(".")))
            return false;
    }
    return true;
}

enum cte cte_choose(slice content, bool text)
{
    if (!text)
        return CTE_BASE64;
    if (survives_as_it_is(content))
        return CTE_7BIT;
    return qp_length(content, QP_TEXT) <= base64_lines_length(content.n) ? CTE_QP : CTE_BASE64;
}
