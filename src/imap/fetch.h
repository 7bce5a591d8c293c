/*
 * A FETCH under way: which messages are still to come, and the one being written.  The answer is
 * made in steps as the client takes it; between two steps nothing of the store is held.
 *
 *   cmd_fetch.c     the command and its modifiers; batches of entries; \Seen; the tagged reply
 *   fetch_write.c   one message: item by item, the bytes of a long one step by step
 *   fetch_body.c    where those bytes are
 *   fetch_later.c   those of whole messages, some at a time
 */
#ifndef IMAP_FETCH_H
#define IMAP_FETCH_H

#include "imap/command.h"
#include "imap/fetch_body.h"
#include "imap/fetch_items.h"
#include "imap/fetch_later.h"
#include "store/change.h"
#include "store/parts.h"

enum { FETCH_BATCH = 512 };

/* In scratch. */
struct fetch {
    struct fetch_items items;
    size_t item_room; /* in out, for any item but its long texts, and for what ends the line */
    unsigned parts;   /* enum part: what the items need of store/parts.h */
    bool is_short;    /* all items are short values (UID to MODSEQ) */
    bool sections;    /* bytes of the message itself are wanted */
    bool reads;       /* body or preview among them: message_fetched() comes before */

    /* VANISHED (EARLIER) comes first. */
    struct uid_range *vanished;
    size_t vanished_count, vanished_at;

    /* The messages to come: positions from next on, in ranges[range] and behind. */
    struct imap_set positions;
    size_t range;
    uint32_t next;

    /* The batch; its own arena. */
    struct fetch_entry {
        uint32_t position;
        bool newly_seen; /* this command set \Seen: its FLAGS are told */
    } * rows;
    struct entry *entries;
    uint32_t count, at;
    struct arena batch_arena;
    struct message *opened; /* MESSAGE_LIST of the batch, from opened_from on */
    uint32_t opened_from, opened_count;

    /* The message being written. */
    bool is_open;  /* its line has begun */
    bool is_empty; /* no item is written yet */
    size_t item;   /* the next one */
    struct fetch_bytes bytes;
    struct fetch_message message;
    struct message_parts texts; /* in message.arena; of a long one */
    struct fetch_later later;   /* messages before it whose bytes are still to be read */

    /* What the tagged reply will say. */
    bool is_gone, unknown_cte, no_memory, failed;
};

enum fetch_step {
    FETCH_WRITTEN, /* the message is complete */
    FETCH_PAUSED,  /* out is full, or half of it: call again */
    FETCH_LOST,    /* bytes already announced cannot be read: the connection ends */
};

/* Writes of the current message what fits now. */
enum fetch_step fetch_write(struct imap *p, struct fetch *f, const struct message_parts *texts);
/* To be called before out is sent.  False: as FETCH_LOST. */
bool fetch_settle(struct imap *p, struct fetch *f);
/* Whether a line with these texts fits now. */
bool fetch_fits(struct imap *p, const struct fetch *f, const struct message_parts *texts);
#endif
