/*
 * Does a message match what SEARCH asks?  Asked with little known about it the answer may be what
 * must be read next: most messages are decided by their entry or their row, few by their header,
 * and only the rest is read whole.  Pure.
 *
 *   entry (flags, size, uid, modseq)  <  row (dates, ENVELOPE)  <  header  <  message
 *
 * Texts are compared decoded (RFC 2047, charset, transfer encoding, HTML as it is shown) and folded
 * (base/casefold.h).  BODY looks into the texts of all parts and into the headers of messages
 * inside; TEXT also into all headers; neither into attachments that are no text.
 */
#ifndef IMAP_SEARCH_MATCH_H
#define IMAP_SEARCH_MATCH_H

#include "imap/search_key.h"
#include "message/parse.h"
#include "store/view.h"

enum search_known { KNOWS_ENTRY, KNOWS_ROW, KNOWS_HEADER, KNOWS_MESSAGE };

enum search_answer {
    SEARCH_NO,
    SEARCH_YES,
    /* It depends on what is not known yet. */
    SEARCH_NEEDS_ROW,
    SEARCH_NEEDS_HEADER,
    SEARCH_NEEDS_MESSAGE,
};

/* A message, as much as is known of it. */
struct search_subject {
    enum search_known known;
    /* KNOWS_ENTRY */
    struct entry entry;
    uint32_t number; /* the client's */
    bool recent;
    const struct imap_set *saved; /* "$", uids */
    int64_t now_ms;
    /* KNOWS_ROW; an empty envelope is made from the header when it is needed */
    int64_t internaldate_ms;
    int zone_minutes;
    slice envelope;
    /* KNOWS_HEADER, KNOWS_MESSAGE: bytes as they are stored */
    slice header, message;
    /* For one message: reset arena, room and made before the next. */
    struct arena *arena;
    struct buf *room;
    struct search_made {
        bool envelope, people, tree;
        struct search_envelope {
            bool has_sent;
            int64_t sent_days;
            slice subject, from, to, cc, bcc; /* decoded */
            bool has_subject, has_from, has_to, has_cc, has_bcc;
            slice rest; /* people, not read yet */
        } e;
        struct mime mime;
        struct mime_content *content; /* of each part */
        slice *texts;                 /* of each part, decoded; p NULL: not made yet */
    } made;
};

/* Yes, no, or the least that must be known next; with the whole message never that. */
enum search_answer search_match(const struct search_key *k, struct search_subject *s);

#endif
