/*
 * An arena is memory with one life: connection, command or message.  Take as much as needed, free
 * all of it at once.  A function allocates exactly when it takes a struct arena *.  {0} is an empty
 * arena. Out of memory aborts here (every buffer is capped and the queue is crash-safe), so nobody
 * checks. Reset memory is poisoned under AddressSanitizer.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdarg.h>

#include "base/slice.h"

struct arena_block;

struct arena {
    struct arena_block *block; /* newest first */
    size_t used;               /* bytes handed out since the last reset */
};

/* n zeroed bytes, aligned for any type, valid until arena_reset or arena_end. */
void *arena_alloc(struct arena *a, size_t n);
/* n zeroed elements; aborts when count * size overflows. */
void *arena_array(struct arena *a, size_t count, size_t size);
#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))

/*
 * Room for one more element: returns items when count is below *capacity, else a copy twice as
 * large. for (…) { v = arena_grow(a, v, n, &capacity, sizeof(*v)); v[n++] = …; }
 */
void *arena_grow(struct arena *a, void *items, size_t count, size_t *capacity, size_t size);

/* A copy of s in the arena; the copy is also followed by a NUL, which is not counted. */
slice arena_dup(struct arena *a, slice s);
/* s as a C string, or NULL when it holds a NUL byte. */
char *arena_cstr(struct arena *a, slice s);
/* Formatted text; the result is also followed by a NUL. */
slice arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
slice arena_vprintf(struct arena *a, const char *format, va_list args);

/* Forgets everything, keeps one block for the next use. */
void arena_reset(struct arena *a);
/* Gives all memory back; the arena is empty again.  Safe twice and on {0}. */
void arena_end(struct arena *a);

/* malloc, realloc, free for base/ and net/ alone; abort instead of failing. */
void *mem_alloc(size_t n);
void *mem_realloc(void *p, size_t n);
void mem_free(void *p);

#endif
