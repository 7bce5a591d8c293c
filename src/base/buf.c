#include "base/buf.h"

#include <assert.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/banned.h"

enum { BUF_FIRST = 512, BUF_KEEP = 16 * 1024 };

slice buf_slice(const struct buf *b)
{
    return b->p ? (slice){b->p + b->at, b->n - b->at} : (slice){"", 0};
}

size_t buf_length(const struct buf *b)
{
    return b->n - b->at;
}

size_t buf_room(const struct buf *b)
{
    size_t n = buf_length(b);
    return n < b->max ? b->max - n : 0;
}

char *buf_space(struct buf *b, size_t n)
{
    if (n > buf_room(b)) {
        b->full = true;
        return NULL;
    }
    if (b->size - b->n >= n && b->p)
        return b->p + b->n;
    size_t length = buf_length(b);
    if (b->at) {
        memmove(b->p, b->p + b->at, length);
        b->at = 0;
        b->n = length;
    }
    if (b->size - b->n < n || !b->p) {
        size_t size = b->size ? b->size : BUF_FIRST;
        while (size < length + n)
            size *= 2;
        b->p = mem_realloc(b->p, size);
        b->size = size;
    }
    return b->p + b->n;
}

void buf_wrote(struct buf *b, size_t n)
{
    assert(n <= b->size - b->n);
    b->n += n;
}

bool buf_add(struct buf *b, slice s)
{
    if (s.n == 0)
        return true;
    char *to = buf_space(b, s.n);
    if (!to)
        return false;
    memcpy(to, s.p, s.n);
    b->n += s.n;
    return true;
}

bool buf_add_byte(struct buf *b, char c)
{
    return buf_add(b, (slice){&c, 1});
}

/* What does not fit behind the content as it is (with printf's NUL) is printed again. */
bool buf_vprintf(struct buf *b, const char *format, va_list args)
{
    size_t spare = b->p ? b->size - b->n : 0;
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(spare ? b->p + b->n : NULL, spare, format, args);
    bool ok = n >= 0;
    if (ok && (size_t)n < spare && (size_t)n <= buf_room(b)) {
        b->n += (size_t)n;
    } else if (ok) {
        char small[256], *text = (size_t)n < sizeof(small) ? small : mem_alloc((size_t)n + 1);
        vsnprintf(text, (size_t)n + 1, format, again);
        ok = buf_add(b, (slice){text, (size_t)n});
        if (text != small)
            mem_free(text);
    }
    va_end(again);
    return ok;
}

bool buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    bool ok = buf_vprintf(b, format, args);
    va_end(args);
    return ok;
}

void buf_eat(struct buf *b, size_t n)
{
    assert(n <= buf_length(b));
    b->at += n;
    if (b->at == b->n)
        b->at = b->n = 0;
}

void buf_cut(struct buf *b, size_t n)
{
    assert(n <= buf_length(b));
    b->n = b->at + n;
}

void buf_clear(struct buf *b)
{
    b->at = b->n = 0;
    b->full = false;
    if (b->size > BUF_KEEP) {
        mem_free(b->p);
        b->p = NULL;
        b->size = 0;
    }
}

void buf_end(struct buf *b)
{
    mem_free(b->p);
    b->p = NULL;
    b->at = b->n = b->size = 0;
    b->full = false;
}
