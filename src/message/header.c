/*
 * Walking over a header line by line (RFC 5322 2.2, 4.5; rule M2).  header_scan() finds where it
 * ends and what is wrong with it; header_next() gives the fields of what is known to be a header.
 */
#include "message/header.h"

#include "base/limits.h"
#include "message/listing.h"

#include "base/banned.h"

enum line_kind { LINE_EMPTY, LINE_FIELD, LINE_FOLD, LINE_BOUNDARY, LINE_BAD };

/* The characters of a field name (RFC 5322 2.2: 33-126 without the colon). */
static bool is_name(char c)
{
    return c > ' ' && c < 0x7f && c != ':';
}

/* The next line of s with its line end; s.n > 0. */
static slice line_of(slice s)
{
    const char *lf = memchr(s.p, '\n', s.n);
    return lf ? (slice){s.p, (size_t)(lf - s.p) + 1} : s;
}

static slice line_chomp(slice line)
{
    if (line.n && line.p[line.n - 1] == '\n')
        line.n--;
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    return line;
}

/* Length of the name at the start of a field's line; *colon is the offset of the colon. */
static bool field_name(slice line, size_t *length, size_t *colon)
{
    size_t i = 0;
    while (i < line.n && is_name(line.p[i]))
        i++;
    *length = i;
    while (i < line.n && (line.p[i] == ' ' || line.p[i] == '\t'))
        i++;
    *colon = i;
    return i < line.n && line.p[i] == ':';
}

static enum line_kind line_kind(slice line)
{
    size_t name, colon;
    char c = line.p[0];
    if (c == '\n' || (c == '\r' && (line.n == 1 || line.p[1] == '\n')))
        return LINE_EMPTY;
    if (c == ' ' || c == '\t')
        return LINE_FOLD;
    if (field_name(line, &name, &colon))
        return LINE_FIELD;
    return slice_starts(line, S("--")) ? LINE_BOUNDARY : LINE_BAD;
}

static bool is_mbox_from(slice line)
{
    return slice_starts(line, S("From ")) || slice_starts(line, S(">From "));
}

/* Where a scan stands, and where lines behind the last field began that are no field. */
struct scan_state {
    size_t at, lines;
    size_t bad_at, bad_lines;
    bool bad;
};

/* Takes one line that is no empty one; false when the header ends before it. */
static bool scan_line(struct header_scan *scan, struct scan_state *st, slice line)
{
    enum line_kind kind = line_kind(line);
    if (slice_starts(line, S("--")) && scan->boundary &&
        scan->boundary(scan->ctx, line_chomp(line)))
        kind = LINE_BOUNDARY;
    if (kind == LINE_BOUNDARY)
        return false;
    if (kind == LINE_BAD && st->at == 0 && is_mbox_from(line)) {
        scan->mbox_from = true;
        return true;
    }
    if (kind == LINE_FIELD) {
        scan->too_long = st->at > LIMIT_HEADER;
        scan->fields += !scan->too_long;
        scan->bad_line |= st->bad;
        st->bad = st->bad && scan->too_long;
        return !scan->too_long;
    }
    if (kind == LINE_BAD && !scan->fields) {
        scan->no_header = true;
        return false;
    }
    if (kind == LINE_BAD && !st->bad) {
        st->bad = true;
        st->bad_at = st->at;
        st->bad_lines = st->lines;
    }
    return true;
}

/* Takes the line at st->at; false when the header is over. */
static bool scan_next(struct header_scan *scan, struct scan_state *st, slice line, bool *empty)
{
    bool lf = line.p[line.n - 1] == '\n';
    size_t text = line_chomp(line).n;
    *empty = line_kind(line) == LINE_EMPTY;
    if (!*empty && !scan_line(scan, st, line))
        return false;
    scan->bare_lf |= line.n - text == 1 && lf;
    scan->bare_cr |= memchr(line.p, '\r', text) != NULL;
    st->at += line.n;
    st->lines += lf;
    return !*empty;
}

size_t header_scan(slice s, struct header_scan *scan)
{
    struct scan_state st = {0};
    bool empty = false;
    *scan = (struct header_scan){.boundary = scan->boundary, .ctx = scan->ctx};
    while (st.at < s.n && scan_next(scan, &st, line_of(slice_skip(s, st.at)), &empty))
        ;
    if (!scan->fields && !empty) { /* everything is body, but for a mbox line in front */
        st.at = scan->mbox_from ? line_of(s).n : 0;
        st.lines = st.at > 0 && s.p[st.at - 1] == '\n';
    } else if (st.bad) { /* lines behind the last field: text whose empty line is missing */
        st.at = st.bad_at;
        st.lines = st.bad_lines;
        empty = false;
    }
    scan->no_empty_line = !empty && !scan->no_header;
    scan->length = st.at;
    scan->lines = st.lines;
    return st.at;
}

size_t header_length(slice message)
{
    struct header_scan scan = {0};
    return header_scan(message, &scan);
}

slice header_of(slice message)
{
    return slice_sub(message, 0, header_length(message));
}

/* Length of the field at the start of s: its line, n long, and the folded ones behind it. */
static size_t field_length(slice s, size_t n)
{
    while (n < s.n && (s.p[n] == ' ' || s.p[n] == '\t'))
        n += line_of(slice_skip(s, n)).n;
    return n;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The field that is whole, its colon at colon. */
static void field_cut(slice whole, size_t name, size_t colon, struct header_field *f)
{
    size_t from = colon + 1, to = whole.n;
    f->whole = whole;
    f->name = (slice){whole.p, name};
    to -= to > from && whole.p[to - 1] == '\n';
    to -= to > from && whole.p[to - 1] == '\r';
    f->raw = (slice){whole.p + from, to - from};
    while (from < to && is_blank(whole.p[from]))
        from++;
    while (to > from && is_blank(whole.p[to - 1]))
        to--;
    f->value = (slice){whole.p + from, to - from};
}

bool header_next(slice *rest, struct header_field *f)
{
    while (rest->n) {
        size_t name, colon;
        slice line = line_of(*rest);
        if (!is_blank(line.p[0]) && field_name(line, &name, &colon)) {
            slice whole = {rest->p, field_length(*rest, line.n)};
            field_cut(whole, name, colon, f);
            *rest = (slice){rest->p + whole.n, rest->n - whole.n};
            return true;
        }
        enum line_kind kind = line_kind(line);
        if (kind == LINE_EMPTY || kind == LINE_BOUNDARY)
            return false;
        *rest = slice_skip(*rest, line.n);
    }
    return false;
}

bool header_find_field(slice header, slice name, struct header_field *f)
{
    slice rest = header;
    bool skipped = false;
    for (const char *end = header.p; header_next(&rest, f); end = rest.p) {
        skipped |= f->whole.p != end;
        if (!slice_eq_icase(f->name, name))
            continue;
        /* Behind lines that are no field it only counts if the header goes that far. */
        return !skipped || (size_t)(f->whole.p - header.p) < header_length(header);
    }
    return false;
}

bool header_find(slice header, slice name, slice *value)
{
    struct header_field f;
    *value = S("");
    if (!header_find_field(header, name, &f))
        return false;
    *value = f.value;
    return true;
}

size_t header_count(slice header, slice name)
{
    size_t count = 0;
    struct header_field f;
    for (slice rest = header_of(header); header_next(&rest, &f);)
        count += slice_eq_icase(f.name, name);
    return count;
}

slice header_unfold(struct arena *a, slice value)
{
    if (slice_find(value, '\n') < 0 && slice_find(value, '\r') < 0)
        return value;
    char *to = arena_alloc(a, value.n);
    size_t n = 0;
    for (size_t i = 0; i < value.n; i++)
        if (value.p[i] != '\r' && value.p[i] != '\n')
            to[n++] = value.p[i];
    return (slice){to, n};
}

/* One field's part in the facts. */
static void facts_add(struct header_facts *out, const struct header_field *f)
{
    static const struct {
        slice name;
        size_t offset; /* of a bool */
    } flags[] = {
        {{"Date", 4}, offsetof(struct header_facts, has_date)},
        {{"Message-ID", 10}, offsetof(struct header_facts, has_message_id)},
        {{"Sender", 6}, offsetof(struct header_facts, has_sender)},
        {{"Subject", 7}, offsetof(struct header_facts, has_subject)},
        {{"To", 2}, offsetof(struct header_facts, has_to_or_cc)},
        {{"Cc", 2}, offsetof(struct header_facts, has_to_or_cc)},
    };
    out->fields++;
    for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
        if (slice_eq_icase(f->name, flags[i].name))
            *(bool *)((char *)out + flags[i].offset) = true;
    out->received += slice_eq_icase(f->name, S("Received"));
    out->from += slice_eq_icase(f->name, S("From"));
    out->bcc += slice_eq_icase(f->name, S("Bcc")) || slice_eq_icase(f->name, S("Resent-Bcc"));
    out->auto_submitted |= listing_is_automatic(f->name, f->value);
    out->is_list |= listing_is_bulk(f->name, f->value);
}

void header_facts(slice message, struct header_facts *out)
{
    struct header_field f;
    slice header = header_of(message);
    *out = (struct header_facts){.length = header.n, .eight_bit = !slice_is_ascii(header)};
    for (slice rest = header; header_next(&rest, &f);)
        facts_add(out, &f);
}

static bool is_named(slice name, const slice *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (slice_eq_icase(name, names[i]))
            return true;
    return false;
}

size_t header_without(struct arena *a, slice message, const slice *names, size_t name_count,
                      slice **pieces)
{
    slice *list = NULL;
    size_t count = 0, capacity = 0;
    const char *from = message.p;
    struct header_field f;
    for (slice rest = header_of(message); header_next(&rest, &f);) {
        if (!is_named(f.name, names, name_count))
            continue;
        if (f.whole.p > from) {
            list = arena_grow(a, list, count, &capacity, sizeof(*list));
            list[count++] = (slice){from, (size_t)(f.whole.p - from)};
        }
        from = f.whole.p + f.whole.n;
    }
    list = arena_grow(a, list, count, &capacity, sizeof(*list));
    list[count++] = (slice){from, message.n - (size_t)(from - message.p)};
    *pieces = list;
    return count;
}

bool header_value_safe(slice value)
{
    return slice_find(value, '\r') < 0 && slice_find(value, '\n') < 0 &&
           slice_find(value, '\0') < 0;
}
