/*
 * The grammar of IMAP commands (RFC 9051 section 9, RFC 3501), read from one contiguous command:
 * the line without its final CRLF, its literals in place ("{5}\r\nhello").  Each function eats one
 * element from the front of *in and returns true, or leaves *in as it was and returns false. Slices
 * lie inside the command unless a quoted string had escapes.
 */
#ifndef IMAP_PARSE_H
#define IMAP_PARSE_H

#include "base/arena.h"

/* Exactly one space (RFC 9051 is strict about it; clients are too). */
bool imap_space(slice *in);
/* 1*ATOM-CHAR; with more, any of these bytes too ("]" in a tag, "*%" in a list-mailbox). */
bool imap_atom(slice *in, slice *out);
bool imap_tag(slice *in, slice *out);
/* astring: 1*ASTRING-CHAR, quoted or literal. */
bool imap_astring(struct arena *a, slice *in, slice *out);
/* string: quoted or literal; literal8 "~{5}" too, then *binary is set (may be NULL: then it is
 * refused). */
bool imap_string(struct arena *a, slice *in, slice *out, bool *binary);
/* nstring: string or NIL (*nil). */
bool imap_nstring(struct arena *a, slice *in, slice *out, bool *nil);
/* list-mailbox: as astring, with the wildcards * and % allowed in the bare form. */
bool imap_list_mailbox(struct arena *a, slice *in, slice *out);
/* A number of at most max. */
bool imap_number(slice *in, uint64_t max, uint64_t *out);
/* The keyword (any case) if it stands here and ends here: before SP, ")", "]", "(" or the end. */
bool imap_word(slice *in, slice word);

/*
 * A literal's announcement at the end of a line, "{123}", "{123+}", "~{123}": false when the line
 * ends otherwise.  A count that does not fit 63 bits gives *size = INT64_MAX: too large in any
 * case.
 */
struct imap_literal {
    uint64_t size;
    bool nonsync;  /* "+": the client sends on without being asked (RFC 7888) */
    bool binary;   /* "~" (RFC 3516) */
    size_t length; /* of the announcement itself */
};
bool imap_literal_at_end(slice line, struct imap_literal *out);

/* date-time in quotes of APPEND: " 1-Nov-2026 20:24:01 +0800" (the quotes are eaten). */
bool imap_date_time(slice *in, int64_t *ms, int *zone_minutes);
/* date of SEARCH: 1-Nov-2026, quoted or not: days since 1970. */
bool imap_date(slice *in, int64_t *days);

/* ---- Sets of numbers (sequence-set) ---- */

struct imap_range {
    uint32_t low, high; /* low <= high */
};
struct imap_set {
    struct imap_range *ranges; /* ascending, not touching, after imap_set_order */
    size_t count;
    bool has_star; /* "*" stood in it: it depends on the largest */
};
/*
 * Reads a set; "*" and "a:*" mean the largest number in use, max (0: an empty mailbox).  Ordered,
 * merged, at most LIMIT_IMAP_SET ranges as written (more: false).
 */
bool imap_set(struct arena *a, slice *in, uint32_t max, struct imap_set *out);
bool imap_set_has(const struct imap_set *s, uint32_t n);
/* "1:3,5" of ascending numbers: adds n to a set being built. */
void imap_set_add(struct arena *a, struct imap_set *s, size_t *capacity, uint32_t n);
/* Its text, "1:3,5"; "" when it is empty. */
slice imap_set_print(struct arena *a, const struct imap_set *s);

#endif
