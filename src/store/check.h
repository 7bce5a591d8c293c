/* The state of one store_check(), shared by check.c (proof) and repair.c (what follows from it). */
#ifndef STORE_CHECK_H
#define STORE_CHECK_H

#include "store/internal.h"

struct check {
    struct store *store;
    struct db *db; /* one snapshot for all of it */
    struct buf *report;
    bool repair;
    int problems;
    struct arena arena;
    int64_t *held; /* a message id for each entry and tombstone */
    size_t held_count, held_size;
};

/* One line, one problem. */
void check_problem(struct check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* One line about what was done. */
void check_done(struct check *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* repair.c: each does nothing unless c->repair. */
void repair_chunk(struct check *c, int64_t row);
void repair_mailbox(struct check *c, int64_t account, int64_t mailbox);
void repair_account(struct check *c, int64_t account);
void repair_entry(struct check *c, int64_t account, int64_t mailbox, uint32_t uid);
/* Entries of Recoverable from a uid on get a time to go: retention from now. */
void repair_recoverable(struct check *c, int64_t account, uint32_t first);
/* A row of envelopes nobody has made yet. */
void repair_envelope(struct check *c, int64_t message);
void repair_message_unheld(struct check *c, int64_t account, int64_t message);
void repair_message_holders(struct check *c, int64_t message, int64_t holders);
void repair_body_unnamed(struct check *c, int64_t body, uint64_t length);
/* more: what its live bytes lack (or, negative, have too many). */
void repair_segment_live(struct check *c, int64_t segment, int64_t more);
void repair_counter(struct check *c, const char *name, int64_t next);
/* A record no row names: appended anew, into "Recovered". */
bool repair_record(struct check *c, int fd, uint64_t at, const struct body_header *h);

#endif
