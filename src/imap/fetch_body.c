#include "imap/fetch_body.h"

#include "base/budget.h"
#include "message/cte.h"
#include "message/qp.h"

#include "base/banned.h"

enum {
    KEPT_PARTS = 200,
    HEAD = 16 * 1024,   /* read at once: most headers, most messages */
    WINDOW = 32 * 1024, /* encoded bytes decoded at once; LF to CRLF may double what comes out */
};

void fetch_message_begin(struct fetch_message *f, struct store *store, const struct message *m)
{
    struct arena arena = f->arena;
    arena_reset(&arena);
    *f = (struct fetch_message){.kept = f->kept, .store = store, .message = *m, .arena = arena};
}

void fetch_message_end(struct fetch_message *f)
{
    arena_end(&f->arena);
    *f = (struct fetch_message){0};
}

/* ---- what is known of the message ---- */

/* Bytes [at, at + n). */
static bool read_at(const struct fetch_message *f, uint64_t at, char *to, size_t n)
{
    if (at + n <= f->head.n) {
        memcpy(to, f->head.p + at, n);
        return true;
    }
    while (n) {
        ssize_t got = message_read(f->store, &f->message, at, to, n);
        if (got <= 0)
            return false;
        at += (uint64_t)got;
        to += got;
        n -= (size_t)got;
    }
    return true;
}

/* A range as bytes in the arena. */
static bool read_range(struct fetch_message *f, struct section_range r, slice *out)
{
    size_t n = (size_t)(r.to - r.from);
    if (r.to <= f->head.n) {
        *out = slice_sub(f->head, (size_t)r.from, (size_t)r.to);
        return true;
    }
    char *p = arena_alloc(&f->arena, n);
    *out = (slice){p, n};
    return read_at(f, r.from, p, n);
}

static bool load_head(struct fetch_message *f)
{
    uint64_t n = f->message.size < HEAD ? f->message.size : HEAD;
    slice head;
    if (f->head.n == n)
        return true;
    if (!read_range(f, (struct section_range){0, n}, &head))
        return false;
    f->head = head;
    return true;
}

void fetch_tree_end(struct fetch_tree *t)
{
    arena_end(&t->arena);
    *t = (struct fetch_tree){0};
}

/* Keeps the tree for the next piece; one with very many parts would cost an idle session much. */
static void keep_tree(struct fetch_message *f)
{
    struct fetch_tree *t = f->kept;
    if (!t || f->tree->count > KEPT_PARTS)
        return;
    fetch_tree_end(t);
    t->message = f->message.id;
    t->tree = *f->tree;
    t->tree.parts = arena_array(&t->arena, t->tree.count, sizeof(*t->tree.parts));
    memcpy(t->tree.parts, f->tree->parts, t->tree.count * sizeof(*t->tree.parts));
}

/* The tree of a message too large for the head: its bytes are here only while it is made. */
static enum fetch_found load_large_tree(struct fetch_message *f)
{
    if (f->kept && f->kept->message == f->message.id) {
        *f->tree = f->kept->tree;
        return FETCH_FOUND;
    }
    struct arena bytes = {0};
    size_t n = (size_t)f->message.size;
    if (!budget_take(n))
        return FETCH_NO_MEMORY;
    char *p = arena_alloc(&bytes, n);
    bool good = read_at(f, 0, p, n);
    if (good)
        mime_parse(&f->arena, (slice){p, n}, f->tree);
    f->tree->message.p = NULL;
    arena_end(&bytes);
    budget_give(n);
    if (good)
        keep_tree(f);
    return good ? FETCH_FOUND : FETCH_UNREADABLE;
}

static enum fetch_found load_tree(struct fetch_message *f)
{
    enum fetch_found found = FETCH_FOUND;
    if (f->tree)
        return found;
    if (!load_head(f))
        return FETCH_UNREADABLE;
    f->tree = arena_new(&f->arena, struct mime);
    if (f->head.n == f->message.size)
        mime_parse(&f->arena, f->head, f->tree);
    else
        found = load_large_tree(f);
    if (found != FETCH_FOUND)
        f->tree = NULL;
    return found;
}

/* The head shows where the header ends, unless it is longer or without its empty line. */
static enum fetch_found load_header(struct fetch_message *f)
{
    struct header_scan scan = {0};
    if (f->has_header)
        return FETCH_FOUND;
    if (!load_head(f))
        return FETCH_UNREADABLE;
    f->header_bytes = header_scan(f->head, &scan);
    if (f->head.n < f->message.size &&
        (scan.no_empty_line || scan.no_header || scan.length == f->head.n)) {
        enum fetch_found found = load_tree(f);
        if (found != FETCH_FOUND)
            return found;
        f->header_bytes = f->tree->parts[0].body;
    }
    f->has_header = true;
    return FETCH_FOUND;
}

static enum fetch_found find_range(struct fetch_message *f, const struct section *s,
                                   struct section_range *out)
{
    enum section_need need = section_need(s);
    enum fetch_found found = FETCH_FOUND;
    if (need == SECTION_NEEDS_TREE) {
        found = load_tree(f);
        if (found == FETCH_FOUND && !section_of_part(f->tree, s, out))
            found = FETCH_MISSING;
        return found;
    }
    if (need == SECTION_NEEDS_HEADER)
        found = load_header(f);
    *out = section_of_message(s, f->header_bytes, f->message.size);
    return found;
}

/* ---- decoding ---- */

/* LF to CRLF, where *last is the byte before. */
static size_t to_lines(const char *in, size_t n, char *out, char *last)
{
    size_t wrote = 0;
    for (size_t i = 0; i < n; i++) {
        if (in[i] == '\n' && *last != '\r')
            out[wrote++] = '\r';
        *last = out[wrote++] = in[i];
    }
    return wrote;
}

/* Decodes a window; how much of it was used. */
static size_t decode(struct fetch_decoder *d, slice in, char *out, size_t *wrote)
{
    bool ignored = false, last = d->at + in.n == d->to;
    size_t used = in.n;
    if (d->encoding == CTE_BASE64) {
        *wrote = base64_decode_step(&d->base64, in, out);
        if (last)
            *wrote += base64_decode_end(&d->base64, out + *wrote);
    } else if (d->encoding == CTE_QP) {
        *wrote = qp_decode_step(in, last, out, &used, &ignored);
        if (used == 0) { /* a line of nothing but white space, longer than the window */
            used = in.n;
            *wrote = qp_decode_step(in, true, out, &used, &ignored);
        }
    } else {
        memcpy(out, in.p, in.n);
        *wrote = in.n;
    }
    return used;
}

/* The next decoded bytes, in out[FETCH_STEP]; none at the end. */
static bool decoder_next(struct fetch_message *f, struct fetch_decoder *d, char *out, size_t *wrote)
{
    char in[WINDOW] __attribute__((uninitialized));
    char plain[WINDOW + 64] __attribute__((uninitialized));
    *wrote = 0;
    while (*wrote == 0 && d->at < d->to) {
        size_t n = d->to - d->at < WINDOW ? (size_t)(d->to - d->at) : WINDOW, got;
        if (!read_at(f, d->at, in, n))
            return false;
        d->at += decode(d, (slice){in, n}, plain, &got);
        if (d->lines) {
            *wrote = to_lines(plain, got, out, &d->last);
        } else {
            memcpy(out, plain, got);
            *wrote = got;
        }
    }
    d->done += *wrote;
    return true;
}

/* How the bytes of a part are encoded: by the fields of its own header. */
static enum fetch_found find_encoding(struct fetch_message *f, const struct section *s,
                                      struct fetch_decoder *d)
{
    size_t at;
    slice header;
    struct mime_content c;
    if (!s->part.n)
        return FETCH_FOUND;
    if (!mime_by_number(f->tree, s->part, &at))
        return FETCH_MISSING;
    struct mime_part part = f->tree->parts[at];
    if (part.kind != MIME_LEAF)
        return FETCH_FOUND;
    if (!read_range(f, (struct section_range){part.start, part.body}, &header))
        return FETCH_UNREADABLE;
    part.start = 0;
    part.body = part.end = header.n;
    mime_content(&f->arena, &(struct mime){header, &part, 1}, 0, &c);
    d->encoding = c.encoding;
    d->lines = slice_eq_icase(c.major, S("text"));
    return c.encoding == CTE_UNKNOWN || c.encoding == CTE_UUENCODE ? FETCH_UNKNOWN_CTE
                                                                   : FETCH_FOUND;
}

/* Of n bytes just decoded, those from offset from on. */
static slice from_on(const struct fetch_decoder *d, const char *bytes, size_t n, uint64_t from)
{
    uint64_t before = d->done - n;
    return slice_skip((slice){bytes, n}, from > before ? (size_t)(from - before) : 0);
}

/*
 * Counts the decoded bytes from b->from on, up to most.  b->decoder moves on to where they begin,
 * *end to where they end.
 */
static bool count_decoded(struct fetch_message *f, struct fetch_bytes *b, uint64_t most,
                          struct fetch_decoder *end)
{
    char out[FETCH_STEP] __attribute__((uninitialized));
    struct fetch_decoder d = b->decoder;
    size_t n = 1;
    *end = d;
    while (n && b->size < most) {
        *end = d;
        if (!decoder_next(f, &d, out, &n))
            return false;
        if (d.done <= b->from)
            b->decoder = d;
        slice rest = from_on(&d, out, n, b->from);
        rest.n = rest.n < most - b->size ? rest.n : (size_t)(most - b->size);
        b->has_nul = b->has_nul || memchr(rest.p, '\0', rest.n);
        b->size += rest.n;
    }
    return true;
}

static enum fetch_found open_decoded(struct fetch_message *f, const struct fetch_item *item,
                                     struct section_range r, struct fetch_bytes *out)
{
    struct fetch_tree *kept = item->partial ? f->kept : NULL;
    struct fetch_decoder end;
    out->decoded = true;
    out->from = item->offset;
    out->decoder = (struct fetch_decoder){.at = r.from, .to = r.to};
    enum fetch_found found = find_encoding(f, &item->section, &out->decoder);
    if (found != FETCH_FOUND)
        return found;
    if (kept && kept->decoded_message == f->message.id && kept->decoded_from == r.from &&
        kept->decoder.to == r.to && kept->decoder.done <= out->from)
        out->decoder = kept->decoder;
    if (!count_decoded(f, out, item->partial ? item->length : UINT64_MAX, &end))
        return FETCH_UNREADABLE;
    out->left = out->size;
    if (kept) {
        kept->decoded_message = f->message.id;
        kept->decoded_from = r.from;
        kept->decoder = end;
    }
    return FETCH_FOUND;
}

/* ---- the bytes of an item ---- */

static void clip(const struct fetch_item *item, uint64_t *from, uint64_t *size)
{
    if (!item->partial)
        return;
    uint64_t skip = item->offset < *size ? item->offset : *size;
    *from += skip;
    *size -= skip;
    *size = item->length < *size ? item->length : *size;
}

static enum fetch_found open_fields(struct fetch_message *f, const struct fetch_item *item,
                                    struct section_range r, struct fetch_bytes *out)
{
    slice header;
    uint64_t from = 0;
    if (!read_range(f, r, &header))
        return FETCH_UNREADABLE;
    slice fields = section_fields(&f->arena, &item->section, header, r.to < f->message.size);
    uint64_t size = fields.n;
    clip(item, &from, &size);
    *out = fetch_bytes_ready(slice_sub(fields, (size_t)from, (size_t)(from + size)));
    return FETCH_FOUND;
}

struct fetch_bytes fetch_bytes_ready(slice bytes)
{
    return (struct fetch_bytes){.size = bytes.n, .left = bytes.n, .ready = true, .memory = bytes};
}

enum fetch_found fetch_bytes_open(struct fetch_message *f, const struct fetch_item *item,
                                  struct fetch_bytes *out)
{
    struct section_range r = {0, 0};
    *out = (struct fetch_bytes){0};
    enum fetch_found found = find_range(f, &item->section, &r);
    if (found != FETCH_FOUND)
        return found;
    if (item->kind != FETCH_SECTION)
        return open_decoded(f, item, r, out);
    if (item->section.name_count)
        return open_fields(f, item, r, out);
    out->at = r.from;
    out->size = r.to - r.from;
    clip(item, &out->at, &out->size);
    out->left = out->size;
    return FETCH_FOUND;
}

bool fetch_bytes_whole(const struct fetch_message *f, const struct fetch_bytes *b)
{
    return !b->ready && !b->decoded && b->left == f->message.size && b->left <= FETCH_STEP &&
           f->head.n == 0;
}

static bool write_decoded(struct fetch_message *f, struct fetch_bytes *b, struct buf *out)
{
    char plain[FETCH_STEP] __attribute__((uninitialized));
    size_t n;
    slice rest;
    do {
        if (!decoder_next(f, &b->decoder, plain, &n) || n == 0)
            return false;
        rest = from_on(&b->decoder, plain, n, b->from);
    } while (rest.n == 0);
    rest.n = rest.n < b->left ? rest.n : (size_t)b->left;
    b->left -= rest.n;
    return buf_add(out, rest);
}

bool fetch_bytes_write(struct fetch_message *f, struct fetch_bytes *b, struct buf *out)
{
    size_t n = b->left < FETCH_STEP ? (size_t)b->left : FETCH_STEP;
    if (n == 0)
        return true;
    if (b->decoded)
        return write_decoded(f, b, out);
    if (b->ready) {
        b->left -= n;
        buf_add(out, slice_sub(b->memory, 0, n));
        b->memory = slice_skip(b->memory, n);
        return true;
    }
    char *to = buf_space(out, n);
    if (!to || !read_at(f, b->at, to, n))
        return false;
    buf_wrote(out, n);
    b->at += n;
    b->left -= n;
    return true;
}
