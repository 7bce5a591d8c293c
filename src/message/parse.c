/*
 * How the tree is found.  One walk over the lines.  A line that begins with "--" may be a boundary
 * of any multipart that is open; all of them stand in one hash table, so the walk asks once a line
 * and not once a part.  A boundary found ends everything that was opened inside its multipart.
 *
 *   stack   root multipart ─ message ─ multipart ─ leaf      (a part and its open ancestors)
 *   table   hash of a boundary → the innermost multipart of the stack that has it
 */
#include "message/parse.h"

#include <assert.h>

#include "base/limits.h"
#include "base/map.h"

#include "base/banned.h"

enum {
    BOUNDARY_MAX = 8192,
    LONGEST_LINE = 1000,
    TABLE = 256,
    NONE = 0xffff,
    STACK = LIMIT_MIME_DEPTH + 2,
    FEW = 32 /* parts of a mail that is walked over once */
};

struct open_part {
    struct mime_part part; /* until it ends */
    uint32_t number;       /* in the tree */
    uint32_t last_child;   /* the number of its last child; 0: none yet */
    slice boundary;        /* multipart only */
    uint16_t chain;        /* the next outer one with the same slot of the table */
    uint8_t slot;
    bool closed;  /* its closing boundary came: what follows is epilogue */
    bool digest;  /* multipart/digest */
    size_t lines; /* line ends before the body */
};

struct walk {
    struct arena boundaries_of, scratch; /* of this walk; of one header */
    slice message;
    struct mime_part *parts; /* those that ended, as far as there is room */
    size_t room, count;      /* count: of all */
    size_t at;               /* start of the current line */
    size_t lines;            /* line ends before it */
    struct open_part stack[STACK];
    size_t depth;      /* entries in use */
    size_t boundaries; /* multiparts among them that are not closed */
    uint16_t table[TABLE];
};

static struct mime_part *top(struct walk *w)
{
    return &w->stack[w->depth - 1].part;
}

/* The innermost open multipart with that boundary, or NONE. */
static uint16_t lookup(const struct walk *w, slice boundary)
{
    if (!boundary.n || boundary.n > BOUNDARY_MAX)
        return NONE;
    uint16_t i = w->table[hash_keyed(boundary) % TABLE];
    while (i != NONE && (w->stack[i].closed || !slice_eq(w->stack[i].boundary, boundary)))
        i = w->stack[i].chain;
    return i;
}

/*
 * The open multipart whose boundary the line is (RFC 2046 5.1.1), or NONE.  The whole line has to
 * be it: one boundary may be the beginning of another.
 */
static uint16_t match(const struct walk *w, slice line, bool *closing)
{
    slice token = slice_skip(line, 2);
    while (token.n && (token.p[token.n - 1] == ' ' || token.p[token.n - 1] == '\t' ||
                       token.p[token.n - 1] == '\r' || token.p[token.n - 1] == '\n'))
        token.n--;
    uint16_t whole = lookup(w, token), close = NONE;
    if (slice_ends(token, S("--")))
        close = lookup(w, slice_sub(token, 0, token.n - 2));
    *closing = close != NONE && (whole == NONE || close > whole);
    return *closing ? close : whole;
}

static bool is_boundary(void *walk, slice line)
{
    bool closing;
    const struct walk *w = walk;
    return w->boundaries && match(w, line, &closing) != NONE;
}

/* The innermost open part has its header read: its boundary counts from now on. */
static void open_boundary(struct walk *w, slice boundary)
{
    struct open_part *o = &w->stack[w->depth - 1];
    o->boundary = boundary;
    o->slot = (uint8_t)(hash_keyed(boundary) % TABLE);
    o->chain = w->table[o->slot];
    w->table[o->slot] = (uint16_t)(w->depth - 1);
    w->boundaries++;
}

/* The innermost open part ends at end, with lines line ends before it. */
static void pop(struct walk *w, size_t end, size_t lines)
{
    struct open_part *o = &w->stack[--w->depth];
    struct mime_part *p = &o->part;
    p->end = end > p->body ? end : p->body;
    p->lines = lines > o->lines ? (uint32_t)(lines - o->lines) : 0;
    if (o->boundary.n) {
        w->table[o->slot] = o->chain;
        w->boundaries -= !o->closed;
        if (!p->children) {
            p->kind = MIME_LEAF;
            p->defects |= DEFECT_NO_PARTS;
        } else if (!o->closed) {
            p->defects |= DEFECT_NO_CLOSE;
        }
    }
    if (o->number < w->room)
        w->parts[o->number] = *p;
}

static uint32_t scan_defects(const struct header_scan *s, slice header)
{
    uint32_t d = 0;
    d |= s->no_header && !s->mbox_from ? DEFECT_NO_HEADER : 0;
    d |= s->bad_line ? DEFECT_BAD_FIELD : 0;
    d |= s->no_empty_line ? DEFECT_NO_EMPTY_LINE : 0;
    d |= s->too_long ? DEFECT_LONG_HEADER : 0;
    d |= s->bare_cr ? DEFECT_BARE_CR : 0;
    d |= s->mbox_from ? DEFECT_MBOX_FROM : 0;
    d |= slice_find(header, '\0') >= 0 ? DEFECT_NUL : 0;
    d |= !slice_is_ascii(header) && !slice_is_utf8(header) ? DEFECT_RAW_8BIT : 0;
    return d;
}

/* The fields that shape the tree, and whether a field that may come once comes twice. */
struct shape {
    slice type, encoding;
    bool has_type, twice;
};

static void read_shape(slice header, struct shape *out)
{
    static const slice once[] = {
        {"Content-Type", 12},
        {"Content-Transfer-Encoding", 25},
        {"From", 4},
        {"Sender", 6},
        {"Reply-To", 8},
        {"To", 2},
        {"Cc", 2},
        {"Subject", 7},
        {"Date", 4},
        {"Message-ID", 10},
        {"In-Reply-To", 11},
        {"References", 10},
        {"Content-Disposition", 19},
        {"MIME-Version", 12},
        {"Content-ID", 10},
    };
    enum { ONCE = sizeof(once) / sizeof(*once) };
    struct header_field f;
    uint32_t seen = 0;
    *out = (struct shape){.type = S(""), .encoding = S("")};
    for (slice rest = header; header_next(&rest, &f);)
        for (size_t i = 0; i < ONCE; i++)
            if (slice_eq_icase(f.name, once[i])) {
                out->twice |= (seen >> i & 1) != 0;
                if (i == 0 && !(seen & 1))
                    out->type = f.value;
                if (i == 1 && !(seen & 2))
                    out->encoding = f.value;
                seen |= UINT32_C(1) << i;
            }
    out->has_type = seen & 1;
}

/* The boundary of a multipart's Content-Type, byte for byte; "" when there is none to use. */
static slice boundary_of(struct walk *w, const struct params *type)
{
    const struct param *p = params_find(type, S("boundary"));
    if (!p)
        return S("");
    bool plain = !p->encoded && slice_find(p->raw, '\\') < 0; /* then it stands in the message */
    slice b =
        plain ? header_unfold(&w->boundaries_of, p->raw) : arena_dup(&w->boundaries_of, p->value);
    while (b.n && (b.p[b.n - 1] == ' ' || b.p[b.n - 1] == '\t'))
        b.n--;
    return b.n <= BOUNDARY_MAX ? b : S("");
}

static bool is_message(slice type)
{
    return slice_eq(type, S("message/rfc822")) || slice_eq(type, S("message/global"));
}

/* What stands in the part: sets kind and defects; *boundary and *digest for a multipart. */
static void read_kind(struct walk *w, struct mime_part *p, slice header, slice *boundary,
                      bool *digest)
{
    struct shape shape;
    struct params type = {0};
    *boundary = S("");
    read_shape(header, &shape);
    enum cte encoding = cte_parse(shape.encoding);
    p->defects |= shape.twice ? DEFECT_TWICE : 0;
    if (shape.has_type)
        params_parse(&w->scratch, shape.type, &type);
    bool multipart = slice_starts(type.value, S("multipart/"));
    bool message = shape.has_type ? is_message(type.value) : p->digest;
    *digest = slice_eq(type.value, S("multipart/digest"));
    if (!multipart && !message)
        return;
    if (encoding == CTE_QP || encoding == CTE_BASE64 || encoding == CTE_UUENCODE)
        p->defects |= DEFECT_ENCODED_CONTAINER;
    if (p->depth >= LIMIT_MIME_DEPTH) {
        p->defects |= DEFECT_TOO_DEEP;
    } else if (multipart) {
        *boundary = boundary_of(w, &type);
        p->defects |= boundary->n ? 0 : DEFECT_NO_BOUNDARY;
        p->kind = boundary->n ? MIME_MULTIPART : MIME_LEAF;
    } else if (encoding != CTE_BASE64 && encoding != CTE_UUENCODE) {
        p->kind = MIME_MESSAGE;
    }
}

/* A part whose header begins at w->at, as a child of the innermost open part, which it becomes. */
static struct open_part *push(struct walk *w)
{
    struct open_part *parent = w->depth ? &w->stack[w->depth - 1] : NULL;
    struct open_part *o = &w->stack[w->depth++];
    *o =
        (struct open_part){.part = {.start = w->at}, .number = (uint32_t)w->count++, .chain = NONE};
    if (!parent)
        return o;
    o->part.parent = parent->number;
    o->part.depth = (uint8_t)(parent->part.depth + 1);
    o->part.digest = parent->digest;
    o->part.index = ++parent->part.children;
    if (parent->last_child && parent->last_child < w->room)
        w->parts[parent->last_child].next = o->number;
    parent->last_child = o->number;
    return o;
}

/* Opens the part whose header begins at w->at; leaves w->at at its body. */
static struct mime_part *add_part(struct walk *w)
{
    struct header_scan scan = {.boundary = is_boundary, .ctx = w};
    size_t n = header_scan(slice_skip(w->message, w->at), &scan);
    slice header = slice_sub(w->message, w->at, w->at + n), boundary;
    struct open_part *o = push(w);
    o->part.body = w->at + n;
    o->part.defects |= scan_defects(&scan, header);
    w->stack[0].part.defects |= scan.bare_lf ? DEFECT_BARE_LF : 0; /* said once, of the whole */
    w->at += n;
    w->lines += scan.lines;
    o->lines = w->lines;
    read_kind(w, &o->part, header, &boundary, &o->digest);
    arena_reset(&w->scratch);
    if (boundary.n)
        open_boundary(w, boundary);
    return &o->part;
}

/* A part and, when it is a message, the part inside it, and so on. */
static void begin(struct walk *w)
{
    struct mime_part *p = add_part(w);
    while (p->kind == MIME_MESSAGE) {
        if (w->count >= LIMIT_MIME_PARTS) {
            p->kind = MIME_LEAF;
            p->defects |= DEFECT_TOO_MANY;
            return;
        }
        p = add_part(w);
    }
}

/* The line at w->at is a boundary of the multipart at level. */
static void delimiter(struct walk *w, uint16_t level, bool closing, size_t line)
{
    const char *bytes = w->message.p;
    size_t end = w->at;
    if (!closing && w->count >= LIMIT_MIME_PARTS) {
        top(w)->defects |= DEFECT_TOO_MANY;
        w->at += line;
        w->lines++;
        return;
    }
    if (end && bytes[end - 1] == '\n') /* the line end before a boundary belongs to it */
        end -= end > 1 && bytes[end - 2] == '\r' ? 2 : 1;
    if (end < top(w)->body) /* but it may be the empty line of a header: then it stays there */
        end = top(w)->body;
    while (w->depth > (size_t)level + 1)
        pop(w, end, w->lines ? w->lines - 1 : 0);
    w->lines += bytes[w->at + line - 1] == '\n';
    w->at += line;
    if (closing) {
        w->stack[level].closed = true;
        w->boundaries--;
    } else {
        begin(w);
    }
}

static void walk_lines(struct walk *w)
{
    slice message = w->message;
    const char *end = message.p + message.n;
    while (w->at < message.n) {
        const char *line = message.p + w->at;
        const char *lf = memchr(line, '\n', (size_t)(end - line));
        size_t n = (size_t)((lf ? lf + 1 : end) - line);
        bool closing;
        uint16_t level = NONE;
        if (line[0] == '-' && n > 2 && line[1] == '-' && w->boundaries)
            level = match(w, (slice){line, n}, &closing);
        if (level != NONE) {
            delimiter(w, level, closing, n);
            continue;
        }
        if (lf && (lf == line || lf[-1] != '\r'))
            w->stack[0].part.defects |= DEFECT_BARE_LF;
        if (n > LONGEST_LINE)
            top(w)->defects |= DEFECT_LONG_LINE;
        w->lines += lf != NULL;
        w->at += n;
    }
}

/* Walks over the whole message; stores as many parts as there is room, returns how many it has. */
static size_t walk(slice message, struct mime_part *parts, size_t room)
{
    struct walk w = {.message = message, .parts = parts, .room = room};
    for (size_t i = 0; i < TABLE; i++)
        w.table[i] = NONE;
    begin(&w);
    walk_lines(&w);
    while (w.depth)
        pop(&w, message.n, w.lines);
    arena_end(&w.boundaries_of);
    arena_end(&w.scratch);
    return w.count;
}

/* Exactly the tree is allocated: a mail of many parts is walked over again when they are counted.
 */
void mime_parse(struct arena *a, slice message, struct mime *out)
{
    struct mime_part few[FEW];
    *out = (struct mime){.message = message, .count = walk(message, few, FEW)};
    out->parts = arena_array(a, out->count, sizeof(*out->parts));
    if (out->count <= FEW)
        memcpy(out->parts, few, out->count * sizeof(*few));
    else
        walk(message, out->parts, out->count);
    if (!message.n)
        out->parts[0].defects = DEFECT_EMPTY;
}

/* The bytes [from, to) of the message; they are inside it, and in order, always. */
static slice range(const struct mime *m, size_t from, size_t to)
{
    assert(from <= to && to <= m->message.n);
    return slice_sub(m->message, from, to);
}

slice mime_header(const struct mime *m, size_t part)
{
    return range(m, m->parts[part].start, m->parts[part].body);
}

slice mime_body(const struct mime *m, size_t part)
{
    return range(m, m->parts[part].body, m->parts[part].end);
}

slice mime_whole(const struct mime *m, size_t part)
{
    return range(m, m->parts[part].start, m->parts[part].end);
}

size_t mime_child(const struct mime *m, size_t part)
{
    return m->parts[part].children ? part + 1 : 0;
}

size_t mime_after(const struct mime *m, size_t part)
{
    while (part && !m->parts[part].next)
        part = m->parts[part].parent;
    return part ? m->parts[part].next : m->count;
}
