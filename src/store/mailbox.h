/*
 * Mailboxes, messages and entries.  A mailbox is (owner account, mailbox); a message is immutable
 * bytes = prefix (trace fields of this recipient) + body; an entry is a message in a mailbox: uid,
 * flags. Functions with a tx run inside store_write(); the others read.
 */
#ifndef STORE_MAILBOX_H
#define STORE_MAILBOX_H

#include "store/store.h"

/* The eight system flags in bits 0-7; 56 keywords of the account above (IMAP's words, RFC
 * 9051 2.3.2). */
enum {
    FLAG_SEEN = 1,
    FLAG_ANSWERED = 2,
    FLAG_FLAGGED = 4,
    FLAG_DELETED = 8,
    FLAG_DRAFT = 16,
};

/* Mailbox roles (RFC 6154, 8621 section 2). */
enum mailbox_role {
    ROLE_NONE,
    ROLE_INBOX,
    ROLE_SENT,
    ROLE_DRAFTS,
    ROLE_TRASH,
    ROLE_JUNK,
    ROLE_ARCHIVE,
    ROLE_RECOVERABLE /* no IMAP word: where expunged entries stay until retention has passed */
};

/* INBOX is mailbox 1 of every account. */
enum { MAILBOX_INBOX = 1 };

/* Why a call answered PERMFAIL; the words are IMAP's response codes (RFC 9051 7.1). */
enum refusal {
    REFUSED_NOT,
    REFUSED_MISSING,   /* NONEXISTENT, TRYCREATE: no such mailbox */
    REFUSED_QUOTA,     /* OVERQUOTA */
    REFUSED_LIMIT,     /* LIMIT: too many mailboxes or keywords */
    REFUSED_NAME,      /* CANNOT: no mailbox may be called so */
    REFUSED_EXISTS,    /* ALREADYEXISTS */
    REFUSED_CHILDREN,  /* HASCHILDREN: the name is only a level above others */
    REFUSED_ROLE,      /* USEATTR */
    REFUSED_READ_ONLY, /* Recoverable, or INBOX where it must stay: CANNOT */
    REFUSED_GONE,      /* EXPUNGEISSUED: not all are there any more */
};

/*
 * Makes the default mailboxes of a new account, subscribed: INBOX, Drafts, Sent, Archive, Junk,
 * Trash; and Recoverable, not subscribed.
 */
enum outcome mailbox_create_defaults(struct store_tx *tx, int64_t account);
/* Finds (and if create makes, with its parents) a mailbox by its UTF-8 path with "/" between
 * levels; *mailbox 0: none.  More about names: folder.h. */
enum outcome mailbox_by_name(struct store_tx *tx, int64_t account, slice name, bool create,
                             int64_t *mailbox);
/* The mailbox of a role, or 0.  INBOX always exists. */
int64_t mailbox_by_role(struct db *db, int64_t account, enum mailbox_role role);

/* A message to add: bytes and what was derived from them before the transaction (message/derive.h).
 */
struct mailbox_append {
    int64_t account, mailbox;
    int64_t body; /* body id; 0: the body of this store_call */
    uint64_t body_bytes;
    slice prefix; /* Return-Path, Delivered-To, Received…: counted in sizes and offsets */
    uint64_t flags;
    const slice *keywords; /* by name, besides flags */
    size_t keyword_count;
    int64_t internaldate_ms;
    int zone_minutes;
    slice envelope;      /* ready-made IMAP ENVELOPE; "": all parts are made when first read */
    slice bodystructure; /* ready-made IMAP BODYSTRUCTURE */
    slice preview;       /* UTF-8, at most 256 characters */
    slice subject;       /* decoded, at most 998 bytes */
    slice message_id;    /* without brackets */
    slice thread_keys;   /* packed by message/derive.h */
    slice delivery_id;   /* 32 bytes: hash(recipient, MAIL FROM, SHA-256 as received), or "" */
    int64_t queue_id;    /* the item that brought it, or 0 (recall, trace) */
    /* out */
    uint32_t uid;
    int64_t message;
    bool duplicate; /* delivery_id was there already: nothing was added */
    uint32_t uidvalidity;
    enum refusal why; /* of a PERMFAIL */
};

/*
 * Stop 11.  PERMFAIL: over quota, or no such account or mailbox (enough said: 552 5.2.2).  The
 * caller traces the stop after its transaction is DONE.
 */
enum outcome mailbox_append(struct store_tx *tx, struct mailbox_append *m);
/*
 * What an IMAP client appends, in one transaction: all or none (RFC 3502).  bodies[i] is of m[i];
 * the uids follow one another.  On PERMFAIL the one that was refused says why.
 */
enum outcome mailbox_append_all(struct store *s, struct mailbox_append *m,
                                struct store_body *bodies, size_t count);

/* After its transaction is DONE: stop 11 in the trace of the message. */
void mailbox_trace(int64_t queue_id, int64_t mailbox, uint32_t uid);

/* The delivery id of a recipient's copy. */
void delivery_id(slice recipient, slice sender, const unsigned char sha256[32],
                 unsigned char out[32]);
/* Whether a delivery was committed within the last days_ms; *at when (0: no). */
bool delivery_find(struct db *db, int64_t account, slice delivery_id, int64_t since_ms);

/* ---- Keywords: bits 8-63 of an account's flags have names ---- */

enum { KEYWORD_FIRST = 8, KEYWORD_END = 64 };
/* names[bit], in the arena; "" where no keyword has the bit.  False: the store could not be read.
 */
bool keyword_list(struct store *s, struct arena *a, int64_t account, slice names[KEYWORD_END]);

/* ---- Changing entries ---- */

struct uid_range {
    uint32_t low, high; /* low <= high */
};

/* What STORE does (RFC 9051 6.4.6, RFC 7162 3.1.3). */
enum flags_how { FLAGS_REPLACE, FLAGS_ADD, FLAGS_REMOVE };
struct flags_change {
    int64_t account, mailbox;
    const struct uid_range *uids; /* ascending; what is not there is passed over */
    size_t count;
    enum flags_how how;
    uint64_t flags;
    const slice *keywords; /* by name, besides flags; new ones get a bit unless they are removed */
    size_t keyword_count;
    bool conditional; /* UNCHANGEDSINCE */
    int64_t unchanged_since;
    /* out, in the arena */
    struct arena *arena;
    uint64_t mask;             /* flags with the bits of the keywords */
    struct uid_range *changed; /* uids whose flags differ now; those all have modseq */
    size_t changed_count, changed_size;
    size_t changed_entries; /* how many uids these are */
    uint32_t *failed;       /* uids changed since: left as they are */
    size_t failed_count, failed_size;
    int64_t modseq;        /* 0: nothing changed */
    int64_t modseq_before; /* the mailbox's */
    enum refusal why;
};
enum outcome mailbox_change_flags(struct store *s, struct arena *a, struct flags_change *x);

/*
 * COPY and MOVE inside an account (RFC 9051 6.4.7, 6.4.8).  COPY is one transaction.  A MOVE is cut
 * into steps; each message is at every moment in exactly one of the two mailboxes, and after
 * TEMPFAIL the pairs say what had moved.  Flags and INTERNALDATE stay.  Out of Recoverable it is
 * the undelete; into it nothing goes.
 */
struct transfer {
    int64_t account, from, to;
    const uint32_t *uids; /* ascending; what is not there is passed over */
    size_t count;
    bool move;
    bool whole; /* COPY: rather nothing than not all (REFUSED_GONE) */
    /* out, in the arena */
    uint32_t uidvalidity;                /* of the target */
    uint32_t *source_uids, *target_uids; /* pairs, both ascending */
    size_t done;
    int64_t modseq; /* of the source after a MOVE */
    enum refusal why;
};
enum outcome mailbox_transfer(struct store *s, struct arena *a, struct transfer *t);

/* EXPUNGE of uids (ascending); of those that were there. */
struct expunge {
    int64_t account, mailbox;
    const uint32_t *uids;
    size_t count;
    bool only_deleted; /* those that have \Deleted at the moment of the commit (RFC 9051 6.4.3) */
    /* out, in the arena */
    uint32_t *expunged;
    size_t expunged_count;
    int64_t modseq; /* 0: nothing went */
    enum refusal why;
};
enum outcome mailbox_expunge_uids(struct store *s, struct arena *a, struct expunge *x);

/*
 * Takes entries out of a mailbox (uids ascending).  *expunged counts those that existed.  One
 * change-log row.  They go to Recoverable, where they stay until retention and the last view have
 * passed.
 */
enum outcome mailbox_expunge(struct store_tx *tx, int64_t account, int64_t mailbox,
                             const uint32_t *uids, size_t count, size_t *expunged);

/*
 * Recall of a delivered message, all its entries in the account: DONE and removed when it was
 * neither seen nor fetched; PERMFAIL (too late) else, with a reason.
 */
enum outcome mailbox_recall(struct store_tx *tx, int64_t account, int64_t queue_id, slice *reason);

/*
 * A message as its reader sees it.  Opening marks nothing; message_fetched() must be called before
 * the first byte of body or preview leaves, whatever the protocol (recall then answers tooLate).
 */
struct message {
    int64_t account, id, body;
    uint64_t size;    /* prefix + body */
    slice prefix;     /* in the arena */
    int64_t queue_id; /* the item that brought it, or 0 */
    int64_t internaldate_ms;
    int zone_minutes;
    int64_t segment; /* for message_read: where the body lay when it was opened */
    uint64_t segment_at, body_bytes;
};
bool message_open(struct store *s, struct arena *a, int64_t account, int64_t id, struct message *m);
/* The same for up to MESSAGE_LIST messages in one reading; out[i].id is 0 where it says false. */
enum { MESSAGE_LIST = 32 };
void message_open_list(struct store *s, struct arena *a, int64_t account, const int64_t *ids,
                       size_t n, struct message *out);
/* At most n bytes from offset; bytes read, 0 at the end, -1 when it is gone or damaged. */
ssize_t message_read(struct store *s, const struct message *m, uint64_t offset, char *to, size_t n);
/*
 * The bodies of up to MESSAGE_LIST messages, whole, without their prefixes, each into to[i] with
 * room for body_bytes: much faster than one by one where they lie side by side.  False: one is gone
 * or damaged.
 */
bool message_read_bodies(struct store *s, const struct message *m, char *const *to, size_t n);
/*
 * True: the bytes may leave.  False: the message was just recalled (say it is gone), or the mark
 * could not be made.  The first one of an account since the start waits for a commit.
 */
bool message_fetched(struct store *s, int64_t account, int64_t id);

/* One session at a time for POP3 (RFC 1939 section 8): false when another holds it. */
bool mailbox_lock(struct store *s, int64_t account, int64_t mailbox);
void mailbox_unlock(struct store *s, int64_t account, int64_t mailbox);

#endif
