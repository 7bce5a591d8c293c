/*
 * The IMAP client of the terminal agent (RFC 9051, RFC 3501): one straight blocking conversation.
 * Mailbox names are UTF-8 here and whatever the server wants on the wire; messages are named by
 * UID.  Everything that returns bool says in error, in one line, why it is false.
 */
#ifndef AGENT_IMAP_CLIENT_H
#define AGENT_IMAP_CLIENT_H

#include "agent/account.h"
#include "agent/imap_data.h"

struct imap_client;

/* Connects, TLS, login.  NULL with one line in error: what happened and what to do. */
struct imap_client *imap_client_open(const struct agent_account *account, slice password,
                                     struct buf *error);
/* LOGOUT, if the conversation still stands; frees c.  NULL is fine. */
void imap_client_close(struct imap_client *c);

/* Whether the server said that it can do this: "IDLE". */
bool imap_client_offers(const struct imap_client *c, slice capability);

/* All mailboxes in order of their names, INBOX first; counts: with messages and unseen. */
bool imap_client_folders(struct imap_client *c, struct arena *a, bool counts,
                         struct imap_folder **folders, size_t *count, struct buf *error);
/* The mailbox of a role ("Sent") or, if none has it, of that name; *name is "" when there is
 * neither. */
bool imap_client_role(struct imap_client *c, struct arena *a, slice role, slice *name,
                      struct buf *error);
/* A new mailbox; role ("Sent", or "") where the server takes one. */
bool imap_client_create(struct imap_client *c, slice mailbox, slice role, struct buf *error);

/* Opens a mailbox; read_only: nothing in it changes.  *messages may be NULL. */
bool imap_client_select(struct imap_client *c, slice mailbox, bool read_only, uint32_t *messages,
                        struct buf *error);

/* ---- In the open mailbox ---- */

struct imap_query {
    slice text; /* anywhere in the message; "": any */
    slice set;  /* "4,7:9": of these UIDs; "": all */
    bool unseen, flagged;
};
/* The UIDs that suit, ascending. */
bool imap_client_search(struct imap_client *c, struct arena *a, const struct imap_query *query,
                        struct imap_numbers *uids, struct buf *error);
/* Envelope, flags, size, date of these messages, ascending by UID; those that are gone are missing.
 */
bool imap_client_heads(struct imap_client *c, struct arena *a, const uint32_t *uids, size_t count,
                       struct imap_head **heads, size_t *got, struct buf *error);
/* The same of the last count messages. */
bool imap_client_last(struct imap_client *c, struct arena *a, size_t count,
                      struct imap_head **heads, size_t *got, struct buf *error);
/* The bytes of a message, into sink in runs; does not mark it as seen. */
bool imap_client_text(struct imap_client *c, uint32_t uid, bool (*sink)(void *ctx, slice run),
                      void *ctx, struct buf *error);
/* how: "+FLAGS" or "-FLAGS"; flags: "\Seen". */
bool imap_client_store(struct imap_client *c, const uint32_t *uids, size_t count, const char *how,
                       const char *flags, struct buf *error);
/* *into: the UIDs there, "7:9", or "" when the server does not say. */
bool imap_client_move(struct imap_client *c, struct arena *a, const uint32_t *uids, size_t count,
                      slice mailbox, slice *into, struct buf *error);
/* Removes these messages and no others, for ever. */
bool imap_client_expunge(struct imap_client *c, const uint32_t *uids, size_t count,
                         struct buf *error);
/*
 * Waits until a message arrives (IDLE, else NOOP every few seconds), at most wait_ms; *arrived
 * stays false when none did.  In the mailbox are then *messages.
 */
bool imap_client_wait(struct imap_client *c, int64_t wait_ms, bool *arrived, uint32_t *messages,
                      struct buf *error);

/* ---- Adding ---- */

/* size bytes of read (as compose_read) become a message with these flags ("\Seen") and the time
 * date_ms. */
bool imap_client_append(struct imap_client *c, slice mailbox, const char *flags, int64_t date_ms,
                        int zone_minutes, uint64_t size,
                        ssize_t (*read)(void *ctx, char *to, size_t n), void *ctx,
                        struct buf *error);

#endif
