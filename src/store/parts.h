/*
 * Ready-made parts of many messages, without opening one: what FETCH ENVELOPE, BODYSTRUCTURE,
 * INTERNALDATE and PREVIEW print.  Neighbouring messages are read in one scan.  Parts an older
 * parser made (or nobody yet) are made anew on the way and written down later.
 */
#ifndef STORE_PARTS_H
#define STORE_PARTS_H

#include "store/view.h"

enum part {
    PART_DATE = 1,
    PART_ENVELOPE = 2,
    PART_BODYSTRUCTURE = 4,
    PART_PREVIEW = 8, /* counts as reading it: message_fetched() comes before (recall.c) */
    PART_SUBJECT = 16
};

/* What was asked for; valid during the call of fn. */
struct message_parts {
    int64_t message; /* 0: it is gone (recalled, or damaged): the rest is empty */
    int64_t internaldate_ms;
    int zone_minutes;
    slice envelope, bodystructure, preview, subject;
};

/*
 * Calls fn for e[0..n) in this order until it says false; how many times it said true.  Each call
 * is one output step: fn writes into a buffer and does not wait.  Less than n without a false: the
 * store could not be read.  Give some hundred entries at a time.
 */
uint32_t parts_read(struct store *s, int64_t account, const struct entry *e, uint32_t n,
                    unsigned which,
                    bool (*fn)(void *arg, uint32_t i, const struct message_parts *p), void *arg);

#endif
