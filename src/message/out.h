/*
 * Text that grows in an arena: what the printers and decoders of this folder write into.
 * struct out o = {.arena = a}; out_add(&o, S("x")); return out_slice(&o);
 * It doubles, so the arena pays at most twice the result.
 */
#ifndef MESSAGE_OUT_H
#define MESSAGE_OUT_H

#include "base/arena.h"

struct out {
    struct arena *arena;
    char *p;
    size_t n, size;
};

/* What was written so far; valid until the next out_ call, and after the last one as long as the
 * arena. */
slice out_slice(const struct out *o);
void out_add(struct out *o, slice s);
void out_byte(struct out *o, char c);
void out_printf(struct out *o, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* One Unicode scalar value as UTF-8; anything else becomes U+FFFD. */
void out_char(struct out *o, uint32_t c);
/* n bytes to write into at the end; out_wrote says how many were. */
char *out_space(struct out *o, size_t n);
void out_wrote(struct out *o, size_t n);

#endif
