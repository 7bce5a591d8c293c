/*
 * The maildrop of a session (RFC 1939 section 3): the INBOX as it was at login, locked, with marks
 * for what QUIT shall remove.  Positions count from 0; message numbers from 1.
 */
#ifndef POP3_MAILDROP_H
#define POP3_MAILDROP_H

#include "store/mailbox.h"
#include "store/view.h"

struct maildrop {
    struct store *store;
    int64_t account, mailbox;
    struct view *view; /* what the numbers mean; NULL: not open */
    struct view_info info;
    struct arena arena; /* of the marks */
    /* Most clients read in order, so the next ones are read along: entries, and their messages. */
    struct entry entries[MESSAGE_LIST];
    uint32_t entry_from, entry_count;
    struct message *messages; /* in ahead, with their prefixes */
    uint32_t message_from, message_count;
    uint32_t expected; /* the position after the last one read */
    struct arena ahead;
    unsigned char *deleted; /* a bit a position; NULL: none */
    uint32_t deleted_count;
    uint64_t deleted_bytes;
};

enum maildrop_opening { MAILDROP_OPEN, MAILDROP_IN_USE, MAILDROP_TEMPFAIL };

/* Locks and opens the INBOX. */
enum maildrop_opening maildrop_open(struct maildrop *d, struct store *store, int64_t account);
/* Gives everything back; marks are forgotten.  Safe twice and on {0}. */
void maildrop_close(struct maildrop *d);

/* The entry at a position; false when there is none or it is marked. */
bool maildrop_entry(struct maildrop *d, uint32_t position, struct entry *e);
/* The message of an entry just found; its prefix lives until the next call.  False: message_open's
 * reasons. */
bool maildrop_message(struct maildrop *d, uint32_t position, struct message *m);
bool maildrop_is_deleted(const struct maildrop *d, uint32_t position);
/* Has another session (IMAP) expunged it meanwhile? */
bool maildrop_is_gone(const struct maildrop *d, const struct entry *e);
/* Marks an entry that is not marked yet. */
void maildrop_delete(struct maildrop *d, uint32_t position, const struct entry *e);
void maildrop_undelete_all(struct maildrop *d);
/* Removes what is marked, in one transaction. */
enum outcome maildrop_update(struct maildrop *d);

#endif
