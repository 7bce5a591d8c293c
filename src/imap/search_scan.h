/*
 * Decides which messages of the selected mailbox match, a block of them at a time and in steps of
 * bounded work: entries by the view, then rows in one reading, then headers and messages one by
 * one, as search_match.h asks for them.  No reading of the store outlives a step.  Nothing is
 * marked as fetched: no byte of a message leaves.
 */
#ifndef IMAP_SEARCH_SCAN_H
#define IMAP_SEARCH_SCAN_H

#include "imap/search_match.h"
#include "imap/selected.h"

enum { SEARCH_BLOCK = 256 };

struct search_scan {
    const struct imap_selected *sel;
    const struct search *search;
    int64_t now_ms;
    /* The block. */
    uint32_t from, count; /* positions */
    struct entry e[SEARCH_BLOCK];
    enum search_answer answer[SEARCH_BLOCK];
    /* Those not decided by their entry. */
    uint32_t open[SEARCH_BLOCK], open_count, at;
    struct search_row {
        int64_t internaldate_ms;
        int zone_minutes;
        slice envelope; /* in rows */
    } row[SEARCH_BLOCK];
    bool rows_read;
    uint32_t ahead_from, ahead_count; /* in open */
    struct message ahead[MESSAGE_LIST];
    struct arena rows, opened, one; /* of the block; of ahead; of one message */
    struct buf room, bytes;
};

enum scan_step {
    SCAN_MORE, /* call again */
    SCAN_DONE, /* every answer of the block is yes or no */
    SCAN_UNREADABLE,
    SCAN_NO_MEMORY, /* not enough left in the budget for a large message */
};

/* Begins the block of n (at most SEARCH_BLOCK) messages at a position. */
void search_scan_block(struct search_scan *s, uint32_t from, uint32_t n);
enum scan_step search_scan_step(struct search_scan *s);
/* Safe on {0} and twice. */
void search_scan_end(struct search_scan *s);

#endif
