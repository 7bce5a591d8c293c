/* Playing a planned message: literal text, and sources read and encoded block by block. */
#include "message/compose_plan.h"

#include <assert.h>

#include "message/base64.h"

#include "base/banned.h"

enum { RAW_LINE = 57, BLOCK_LINES = 256, LINE_MAX = 998, SCAN = 16384 };

struct composer *plan_new(struct arena *a, const unsigned char seed[16])
{
    struct composer *m = arena_new(a, struct composer);
    m->arena = a;
    m->seed = seed;
    m->text = (struct out){.arena = a};
    return m;
}

slice plan_boundary(struct composer *m)
{
    char hex[32];
    ascii_hex(m->seed, 16, hex);
    return arena_printf(m->arena, "=_%.*s.%u", (int)sizeof(hex), hex, ++m->boundaries);
}

slice plan_message_id(struct arena *a, const unsigned char seed[16], slice domain)
{
    char hex[32];
    ascii_hex(seed, 16, hex);
    return arena_printf(a, "%.*s@%.*s", (int)sizeof(hex), hex, P(domain));
}

static void add_piece(struct composer *m, struct piece piece)
{
    m->pieces = arena_grow(m->arena, m->pieces, m->count, &m->capacity, sizeof(piece));
    m->pieces[m->count++] = piece;
    m->size += piece.length;
}

static void close_text(struct composer *m)
{
    slice text = out_slice(&m->text);
    if (text.n)
        add_piece(m, (struct piece){.text = text, .length = text.n});
    m->text = (struct out){.arena = m->arena};
}

void plan_source(struct composer *m, const struct compose_source *source, bool base64)
{
    uint64_t n = source_size(source);
    close_text(m);
    add_piece(m, (struct piece){.source = source,
                                .base64 = base64,
                                .length = base64 ? base64_lines_length(n) : n});
}

void plan_finish(struct composer *m)
{
    close_text(m);
}

/* ---- sources ---- */

uint64_t source_size(const struct compose_source *s)
{
    return s->read ? s->size : s->bytes.n;
}

ssize_t source_read(const struct compose_source *s, uint64_t offset, char *to, size_t n)
{
    uint64_t size = source_size(s), left = offset < size ? size - offset : 0;
    if (n > left)
        n = (size_t)left;
    if (n == 0)
        return 0;
    if (s->read) {
        ssize_t got = s->read(s->ctx, offset, to, n);
        return got > 0 && (size_t)got > n ? -1 : got;
    }
    memcpy(to, s->bytes.p + offset, n);
    return (ssize_t)n;
}

bool source_scan(const struct compose_source *s, struct source_facts *out)
{
    char block[SCAN], last = 0;
    uint64_t offset = 0, size = source_size(s);
    size_t line = 0;
    *out = (struct source_facts){0};
    while (offset < size) {
        ssize_t n = source_read(s, offset, block, sizeof(block));
        if (n <= 0)
            return false;
        for (ssize_t i = 0; i < n; i++) {
            char c = block[i];
            out->eight_bit |= (unsigned char)c >= 0x80;
            out->bare |= c == 0 || (c == '\n') != (last == '\r');
            line = c == '\n' ? 0 : line + 1;
            out->long_line |= line > LINE_MAX + 1; /* its CR counts here */
            last = c;
        }
        offset += (uint64_t)n;
    }
    out->bare |= last == '\r';
    return true;
}

/* ---- reading ---- */

uint64_t compose_size(const struct composer *m)
{
    return m->size;
}

slice compose_message_id(const struct composer *m)
{
    return m->message_id;
}

bool compose_eight_bit(const struct composer *m)
{
    return m->eight_bit;
}

bool compose_utf8(const struct composer *m)
{
    return m->utf8;
}

void compose_rewind(struct composer *m)
{
    m->at = m->block_at = m->block_n = 0;
    m->offset = 0;
}

/* The next block of base64 lines; false when the source failed. */
static bool fill_block(struct composer *m, const struct compose_source *s)
{
    char raw[RAW_LINE * BLOCK_LINES];
    size_t n = 0;
    uint64_t left = source_size(s) - m->offset;
    size_t wanted = left < sizeof(raw) ? (size_t)left : sizeof(raw);
    while (n < wanted) { /* only whole blocks: a short one would end a line early */
        ssize_t got = source_read(s, m->offset + n, raw + n, wanted - n);
        if (got <= 0)
            return false;
        n += (size_t)got;
    }
    if (!m->block)
        m->block = arena_alloc(m->arena, base64_lines_length(sizeof(raw)));
    m->block_at = 0;
    m->block_n = base64_encode_lines((slice){raw, n}, m->block);
    m->offset += n;
    return true;
}

/* Some bytes of the piece that is due; 0 at its end, -1 when its source failed. */
static ssize_t read_piece(struct composer *m, const struct piece *p, char *to, size_t n)
{
    if (!p->source) {
        slice rest = slice_skip(p->text, (size_t)m->offset);
        n = n < rest.n ? n : rest.n;
        if (n)
            memcpy(to, rest.p, n);
        m->offset += n;
        return (ssize_t)n;
    }
    if (!p->base64) {
        bool done = m->offset == source_size(p->source);
        ssize_t got = done ? 0 : source_read(p->source, m->offset, to, n);
        m->offset += got > 0 ? (uint64_t)got : 0;
        return got == 0 && !done ? -1 : got;
    }
    if (m->block_at == m->block_n) {
        if (m->offset == source_size(p->source))
            return 0;
        if (!fill_block(m, p->source))
            return -1;
    }
    size_t have = m->block_n - m->block_at;
    n = n < have ? n : have;
    memcpy(to, m->block + m->block_at, n);
    m->block_at += n;
    return (ssize_t)n;
}

ssize_t compose_read(void *composer, char *to, size_t n)
{
    struct composer *m = composer;
    size_t done = 0;
    while (done < n && m->at < m->count) {
        ssize_t got = read_piece(m, &m->pieces[m->at], to + done, n - done);
        if (got < 0)
            return -1;
        if (got == 0) {
            m->at++;
            m->offset = 0;
            m->block_at = m->block_n = 0;
        }
        done += (size_t)got;
    }
    return (ssize_t)done;
}

slice compose_all(struct arena *a, struct composer *m)
{
    char *out = arena_alloc(a, m->size + 1);
    size_t n = 0;
    compose_rewind(m);
    while (n < m->size) {
        ssize_t got = compose_read(m, out + n, m->size - n);
        if (got <= 0)
            return S("");
        n += (size_t)got;
    }
    return (slice){out, n};
}
