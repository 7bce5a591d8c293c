/*
 * What FETCH asks for: the list of items and the modifiers behind it (RFC 9051 6.4.5 and section 9;
 * the RFC822 forms of RFC 3501; MODSEQ, CHANGEDSINCE, VANISHED of RFC 7162; BINARY of RFC 3516;
 * PREVIEW of RFC 8970).  Pure.  Items keep their order; one that is asked twice is answered once.
 */
#ifndef IMAP_FETCH_ITEMS_H
#define IMAP_FETCH_ITEMS_H

#include "imap/section.h"

enum fetch_kind {
    FETCH_UID,
    FETCH_FLAGS,
    FETCH_INTERNALDATE,
    FETCH_SIZE, /* RFC822.SIZE */
    FETCH_MODSEQ,
    FETCH_ENVELOPE,
    FETCH_BODYSTRUCTURE,
    FETCH_BODY, /* BODYSTRUCTURE without extension data */
    FETCH_PREVIEW,
    FETCH_SECTION, /* BODY[…], RFC822 and its parts */
    FETCH_BINARY,
    FETCH_BINARY_SIZE,
};

struct fetch_item {
    enum fetch_kind kind;
    slice label; /* what its answer begins with: "BODY[TEXT]<0> " */
    struct section section;
    bool partial; /* at most length bytes from offset on */
    uint64_t offset, length;
};

struct fetch_items {
    struct fetch_item *items;
    size_t count;
    unsigned kinds;  /* 1 << kind, of all */
    bool marks_seen; /* a body without PEEK is among them */
    /* Modifiers */
    bool has_changedsince, vanished;
    uint64_t changedsince; /* then MODSEQ is among the items */
};

/*
 * Reads all of "(FLAGS BODY[]) (CHANGEDSINCE 7)" or "FLAGS".  False: a syntax error, or more than
 * LIMIT_IMAP_FETCH items, or a label over LIMIT_IMAP_LABEL.
 */
bool fetch_items_parse(struct arena *a, slice in, struct fetch_items *out);
/* Puts an item without arguments at the front, if it is not among them. */
void fetch_items_lead(struct arena *a, struct fetch_items *f, enum fetch_kind kind);
/* The same at the end. */
void fetch_items_add(struct arena *a, struct fetch_items *f, enum fetch_kind kind);

static inline bool fetch_has(const struct fetch_items *f, enum fetch_kind kind)
{
    return f->kinds & 1u << kind;
}

#endif
