/*
 * The messages of one APPEND while they come (RFC 9051 6.3.12, RFC 3502; rule I15), each into a
 * spool of its own (intake/spool.h), however large.  Bytes are kept exactly; only a message whose
 * first line ends in a bare LF gets CRLF for each bare LF, once, here; a literal8 never.
 */
#ifndef IMAP_INCOMING_H
#define IMAP_INCOMING_H

#include "imap/command.h"
#include "intake/spool.h"

enum incoming_fault {
    INCOMING_GOOD,
    INCOMING_NUL,     /* a NUL outside a literal8 */
    INCOMING_TOO_BIG, /* by the line ends it was given */
    INCOMING_NO_ROOM, /* of disk or memory */
    INCOMING_8BIT,    /* a header with 8-bit bytes, UTF8 not enabled */
};

struct incoming {
    struct spool *spool;
    uint64_t size, max;
    bool binary; /* literal8 */
    enum { ENDS_UNKNOWN, ENDS_LF, ENDS_KEPT } ends;
    char last; /* the byte before */
    enum incoming_fault fault;
    /* What the client said about it; in the arena of the command. */
    struct imap_flags flags;
    int64_t internaldate_ms;
    int zone_minutes;
};

/* False when there is no room for one more message now. */
bool incoming_open(struct incoming *m, struct store *store, uint64_t max);
void incoming_add(struct incoming *m, slice bytes);
/*
 * All of it has come: what to store, derived parts and body.  m->fault says whether that may be;
 * all slices are in the arena or in the spool.
 */
void incoming_finish(struct incoming *m, struct arena *a, bool utf8, struct mailbox_append *append,
                     struct store_body *body);
/* Safe on {0} and twice. */
void incoming_close(struct incoming *m);

#endif
