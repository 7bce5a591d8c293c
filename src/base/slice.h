/*
 * A slice is a borrowed run of bytes {p, n}: never NUL-terminated, never owned, passed by value.
 * Everything that comes from outside is a slice until it is understood.  ASCII case only.
 */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <string.h>

typedef struct slice {
    const char *p;
    size_t n;
} slice;

/* A string literal as a slice. */
#define S(literal) ((slice){"" literal, sizeof(literal) - 1})
/* For printf("%.*s", P(s)). */
#define P(s) (int)((s).n > INT32_MAX ? INT32_MAX : (s).n), (s).p

/* The bytes [from, to) of s; both are clamped to its length. */
slice slice_sub(slice s, size_t from, size_t to);
/* s without its first n bytes (all of it when it is shorter). */
slice slice_skip(slice s, size_t n);
/* A NUL-terminated string as a slice; NULL gives an empty one. */
slice slice_c(const char *s);

bool slice_eq(slice a, slice b);
bool slice_eq_icase(slice a, slice b);
bool slice_starts(slice s, slice prefix);
bool slice_starts_icase(slice s, slice prefix);
bool slice_ends(slice s, slice suffix);
bool slice_ends_icase(slice s, slice suffix);
/* memcmp order, shorter first. */
int slice_cmp(slice a, slice b);
int slice_cmp_icase(slice a, slice b);

/* Offset of the first byte c, or -1. */
ptrdiff_t slice_find(slice s, char c);
ptrdiff_t slice_rfind(slice s, char c);
/* Offset of the first occurrence of what, or -1. */
ptrdiff_t slice_search(slice s, slice what);

/* If *s begins with what, advances past it and returns true. */
bool slice_eat(slice *s, slice what);
bool slice_eat_icase(slice *s, slice what);
/* Skips spaces and tabs at the start of *s; returns how many. */
size_t slice_eat_wsp(slice *s);
/* Without leading and trailing SP, TAB, CR and LF. */
slice slice_trim(slice s);
/* Takes from *s the run up to the next sep (which is skipped); false when *s is empty. */
bool slice_next(slice *s, char sep, slice *field);

/* A decimal number of digits only, whole slice, at most max. False on anything else. */
bool slice_u64(slice s, uint64_t max, uint64_t *out);
/* 2n hexadecimal digits to n bytes; false when s is not exactly that. */
bool slice_unhex(slice s, void *out, size_t n);

bool ascii_is_alpha(char c);
bool ascii_is_digit(char c);
bool ascii_is_alnum(char c);
char ascii_lower(char c);
char ascii_upper(char c);
/* Value of a hexadecimal digit or -1. */
int ascii_unhex(char c);
/* Lower-case hexadecimal of n bytes into out[2n] (no NUL). */
void ascii_hex(const void *bytes, size_t n, char *out);
/* True when every byte is below 0x80. */
bool slice_is_ascii(slice s);
/* True when s is well-formed UTF-8 (RFC 3629). */
bool slice_is_utf8(slice s);

#endif
