/*
 * The mailboxes of an account as a tree of names: what LIST shows and CREATE, DELETE, RENAME and
 * SUBSCRIBE change (RFC 9051 6.3.4-6.3.9).  A name is UTF-8 in NFC with "/" between levels; INBOX
 * in any case is "INBOX".  A mailbox keeps its id, uids and uidvalidity through every rename; ids
 * are never given again, and a name that is made again has a larger uidvalidity.
 */
#ifndef STORE_FOLDER_H
#define STORE_FOLDER_H

#include "store/view.h"

struct folder {
    int64_t mailbox; /* 0: no mailbox, only a level above others or a name subscribed to */
    slice name;
    enum mailbox_role role;
    bool subscribed;
    bool has_children;     /* mailboxes below it */
    struct view_info info; /* as of the last commit; zeros when there is no mailbox */
};

struct folder_list {
    struct folder *items; /* INBOX first, children right after their parents */
    size_t count;
};

/* All names of an account; false: the store could not be read. */
bool folder_list(struct store *s, struct arena *a, int64_t account, struct folder_list *out);

/* The mailbox of a name as a client wrote it; PERMFAIL: there is none. */
enum outcome folder_find(struct store *s, struct arena *a, int64_t account, slice name,
                         struct folder *out);

/*
 * The one spelling of a name: NFC, INBOX in capitals.  False when no mailbox may be called so: an
 * empty level, a control character, not UTF-8, too long, too deep.
 */
bool folder_name(struct arena *a, slice name, slice *out);

/* Unicode NFC alone, as names have it: for patterns.  False: not UTF-8, or beyond any name. */
bool folder_normalise(struct arena *a, slice text, slice *out);

/*
 * Each is one durable transaction.  PERMFAIL: *why says which rule refused.
 * folder_create makes missing parents too; a trailing "/" is ignored.  role: at most one mailbox of
 * an account has it (REFUSED_ROLE).
 */
enum outcome folder_create(struct store *s, int64_t account, slice name, enum mailbox_role role,
                           int64_t *mailbox, enum refusal *why);
/* Its entries go to Recoverable; mailboxes below it stay.  INBOX and Recoverable cannot go. */
enum outcome folder_delete(struct store *s, int64_t account, slice name, enum refusal *why);
/*
 * With everything below it; missing parents are made.  INBOX: its entries move to a new mailbox, it
 * and what is below it stays (RFC 9051 6.3.6).
 */
enum outcome folder_rename(struct store *s, int64_t account, slice from, slice to,
                           enum refusal *why);
/* A name need not exist; a subscription outlives its mailbox (RFC 9051 6.3.7). */
enum outcome folder_subscribe(struct store *s, int64_t account, slice name, bool subscribe,
                              enum refusal *why);

/* What GETQUOTA shows (RFC 9208).  Entries in Recoverable do not count. */
struct quota {
    uint64_t used, limit; /* bytes; limit 0: none */
    uint64_t messages, mailboxes;
};
bool folder_quota(struct store *s, int64_t account, struct quota *out);

#endif
