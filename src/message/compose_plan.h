/*
 * A message as a list of pieces: text that is ready, and sources to be read and encoded when their
 * turn comes.  compose.c and dsn.c plan with it; compose_read() plays it.
 */
#ifndef MESSAGE_COMPOSE_PLAN_H
#define MESSAGE_COMPOSE_PLAN_H

#include "message/compose.h"
#include "message/cte.h"
#include "message/out.h"

struct piece {
    slice text;                          /* when source is NULL */
    const struct compose_source *source; /* as it is, or in base64 lines */
    bool base64;
    uint64_t length; /* of what comes out */
};

struct composer {
    struct arena *arena;
    const unsigned char *seed; /* 16 bytes */
    struct out text;           /* planned but not yet a piece */
    struct piece *pieces;
    size_t count, capacity;
    unsigned boundaries; /* made so far */
    uint64_t size;
    slice message_id;
    bool eight_bit, utf8;

    /* Where reading is. */
    size_t at;       /* piece */
    uint64_t offset; /* in its text or source */
    char *block;     /* base64 lines made and not yet given */
    size_t block_at, block_n;
};

struct composer *plan_new(struct arena *a, const unsigned char seed[16]);
/* "=_…", never seen in quoted-printable or base64. */
slice plan_boundary(struct composer *m);
/* Puts a source behind the text planned so far: as it is, or as base64. */
void plan_source(struct composer *m, const struct compose_source *source, bool base64);
/* The end: closes the text, sums up the size. */
void plan_finish(struct composer *m);
/* A text/subtype part, header and all, in its smallest encoding; in_multipart: a boundary follows.
 */
void plan_text(struct composer *m, slice text, const char *subtype, bool in_multipart);
/* "<hex of the seed>@domain" without the brackets. */
slice plan_message_id(struct arena *a, const unsigned char seed[16], slice domain);

/* Bytes of a source, from memory or through its callback; as read() of it. */
ssize_t source_read(const struct compose_source *s, uint64_t offset, char *to, size_t n);
uint64_t source_size(const struct compose_source *s);

/* What the bytes of a source are, found in one pass. */
struct source_facts {
    bool eight_bit; /* a byte above 0x7f */
    bool long_line; /* over 998 */
    bool bare;      /* CR or LF that is not CRLF, or a NUL: not text for the wire */
};
bool source_scan(const struct compose_source *s, struct source_facts *out);

/*
 * Prints "Name: " and the header fields of compose.  The functions return false with *error set
 * when the value must not be sent.
 */
bool print_header(struct composer *m, const struct compose *c, slice *error);
/* A date, an address or a subject as a whole field. */
void print_date(struct out *out, int64_t ms, int zone_minutes);
bool print_addresses(struct out *out, slice field, const struct compose_addresses *list, bool *utf8,
                     slice *error);

#endif
