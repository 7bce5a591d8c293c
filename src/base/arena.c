#include "base/arena.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/banned.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#endif
#endif
#ifndef ASAN_POISON_MEMORY_REGION
#define ASAN_POISON_MEMORY_REGION(p, n)   ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

enum { ARENA_FIRST = 2048, ARENA_LARGEST = 1 << 20, ARENA_ALIGN = 16 };

struct arena_block {
    struct arena_block *older;
    size_t size, used;
    char bytes[] __attribute__((aligned(ARENA_ALIGN)));
};

static void die_of_memory(size_t n)
{
    fprintf(stderr, "yizhan: out of memory (%zu bytes asked): restarting from disk\n", n);
    abort();
}

void *mem_alloc(size_t n)
{
    void *p = calloc(1, n ? n : 1);
    if (!p)
        die_of_memory(n);
    return p;
}

void *mem_realloc(void *p, size_t n)
{
    void *q = realloc(p, n ? n : 1);
    if (!q)
        die_of_memory(n);
    return q;
}

void mem_free(void *p)
{
    free(p);
}

static void block_add(struct arena *a, size_t need)
{
    size_t size = a->block ? a->block->size * 2 : ARENA_FIRST;
    if (size > ARENA_LARGEST)
        size = ARENA_LARGEST;
    if (size < need)
        size = need;
    struct arena_block *b = malloc(sizeof(*b) + size);
    if (!b)
        die_of_memory(size);
    b->older = a->block;
    b->size = size;
    b->used = 0;
    ASAN_POISON_MEMORY_REGION(b->bytes, size);
    a->block = b;
}

void *arena_alloc(struct arena *a, size_t n)
{
    if (n > SIZE_MAX / 4)
        die_of_memory(n);
    size_t step = (n + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    if (step == 0)
        step = ARENA_ALIGN;
    if (!a->block || a->block->size - a->block->used < step)
        block_add(a, step);
    char *p = a->block->bytes + a->block->used;
    a->block->used += step;
    a->used += step;
    ASAN_UNPOISON_MEMORY_REGION(p, n);
    memset(p, 0, n);
    return p;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
    if (size && count > SIZE_MAX / 4 / size)
        die_of_memory(count);
    return arena_alloc(a, count * size);
}

void *arena_grow(struct arena *a, void *items, size_t count, size_t *capacity, size_t size)
{
    if (count < *capacity)
        return items;
    size_t more = *capacity ? *capacity * 2 : 8;
    void *grown = arena_array(a, more, size);
    if (count)
        memcpy(grown, items, count * size);
    *capacity = more;
    return grown;
}

slice arena_dup(struct arena *a, slice s)
{
    char *p = arena_alloc(a, s.n + 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    return (slice){p, s.n};
}

char *arena_cstr(struct arena *a, slice s)
{
    if (slice_find(s, '\0') >= 0)
        return NULL;
    char *p = arena_alloc(a, s.n + 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    return p;
}

slice arena_vprintf(struct arena *a, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    if (n < 0)
        n = 0;
    char *p = arena_alloc(a, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, format, again);
    va_end(again);
    return (slice){p, (size_t)n};
}

slice arena_printf(struct arena *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    slice s = arena_vprintf(a, format, args);
    va_end(args);
    return s;
}

void arena_reset(struct arena *a)
{
    if (!a->block)
        return;
    struct arena_block *kept = a->block;
    struct arena_block *b = kept->older;
    while (b) {
        struct arena_block *older = b->older;
        free(b);
        b = older;
    }
    kept->older = NULL;
    kept->used = 0;
    a->used = 0;
    ASAN_POISON_MEMORY_REGION(kept->bytes, kept->size);
    /* An arena that once held something large does not keep it for an idle connection. */
    if (kept->size > 64 * 1024)
        arena_end(a);
}

void arena_end(struct arena *a)
{
    struct arena_block *b = a->block;
    while (b) {
        struct arena_block *older = b->older;
        free(b);
        b = older;
    }
    a->block = NULL;
    a->used = 0;
}
