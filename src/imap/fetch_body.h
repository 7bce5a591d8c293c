/*
 * The bytes of a section of a stored message: how many there are, then the bytes themselves, step
 * by step, straight from the store.  Only what a section needs is read before: nothing for BODY[],
 * the head for HEADER and TEXT, all of it once for parts (whose tree is then remembered).  What is
 * decoded (BINARY, RFC 9051 6.4.5) is decoded twice, first to count, so that a part of any size
 * costs the same memory.  Where the last piece of it ended is remembered, so that one fetched piece
 * by piece is decoded about twice, not from its start for each.
 */
#ifndef IMAP_FETCH_BODY_H
#define IMAP_FETCH_BODY_H

#include "imap/fetch_items.h"
#include "message/base64.h"
#include "store/mailbox.h"

/* Bytes [from, to) of a message on their way through a decoder. */
struct fetch_decoder {
    enum cte encoding;
    bool lines; /* a text: LF becomes CRLF */
    uint64_t at, to;
    uint64_t done; /* bytes decoded */
    struct base64_stream base64;
    char last; /* byte written last */
};

/* Of the last large message of a session: a part is often fetched in many pieces. */
struct fetch_tree {
    struct arena arena;
    int64_t message; /* 0: none */
    struct mime tree;
    /* Where the last decoded piece ended, of the part that begins at ... */
    int64_t decoded_message; /* 0: none */
    uint64_t decoded_from;
    struct fetch_decoder decoder;
};
void fetch_tree_end(struct fetch_tree *t);

/* A message whose sections are being fetched. */
struct fetch_message {
    struct fetch_tree *kept; /* NULL: nothing is kept; stays through fetch_message_begin */
    struct store *store;
    struct message message;
    struct arena arena;    /* of what follows */
    slice head;            /* its first bytes, perhaps all; "" while nobody asked */
    uint64_t header_bytes; /* with the empty line */
    bool has_header;
    struct mime *tree; /* without the bytes; NULL: not made yet */
};

/* Begins another message; what was known of the one before is forgotten. */
void fetch_message_begin(struct fetch_message *f, struct store *store, const struct message *m);
void fetch_message_end(struct fetch_message *f);

enum fetch_found {
    FETCH_FOUND,
    FETCH_MISSING,     /* there is no such part: NIL */
    FETCH_UNKNOWN_CTE, /* its transfer encoding is none we know */
    FETCH_UNREADABLE,  /* the store could not be read */
    FETCH_NO_MEMORY,   /* the budget refused */
};

/* The bytes of one item. */
struct fetch_bytes {
    uint64_t size; /* all of them */
    bool has_nul;  /* a literal8 is needed (looked for where it is decoded) */
    uint64_t left; /* to be written */
    /* One of three: */
    bool ready;
    slice memory;
    uint64_t at; /* in the message */
    bool decoded;
    uint64_t from; /* decoded bytes in front of them */
    struct fetch_decoder decoder;
};

/* Finds the bytes of a SECTION, BINARY or BINARY_SIZE item, its partial applied. */
enum fetch_found fetch_bytes_open(struct fetch_message *f, const struct fetch_item *item,
                                  struct fetch_bytes *out);
/* All of the message, none of it read yet, and no more than FETCH_STEP. */
bool fetch_bytes_whole(const struct fetch_message *f, const struct fetch_bytes *b);
/* Bytes that are there already; they must live as long. */
struct fetch_bytes fetch_bytes_ready(slice bytes);
/*
 * Writes the next ones, at most FETCH_STEP, into out, which has room for them.  False: they cannot
 * be read.
 */
enum { FETCH_STEP = 64 * 1024 };
bool fetch_bytes_write(struct fetch_message *f, struct fetch_bytes *b, struct buf *out);

#endif
