/*
 * The selected mailbox as this session's client knows it.  Its messages are, in uid order, the
 * entries of a view (store/view.h) and those held: expunged meanwhile, but the client was not told
 * yet, so they keep their numbers and can still be fetched (rule I3).  During a command nothing of
 * it changes; the announcement at its end (announce.h) moves it to the newest view.
 *
 * Positions count from 0 and mean entries of both kinds; the client's message numbers are
 * position + 1.
 */
#ifndef IMAP_SELECTED_H
#define IMAP_SELECTED_H

#include "imap/parse.h"
#include "store/mailbox.h"
#include "store/view.h"

struct held {
    struct entry e;
    uint32_t position; /* among all */
};

/* What is being told (announce.c). */
struct imap_telling {
    bool active, expunges, came;
    bool is_known;              /* no flags changed but as the client expects */
    struct view *was;           /* the view before; NULL: only held entries are told */
    uint32_t at;                /* of held; then the uid of the next change */
    struct uid_range *vanished; /* of held, in held_arena */
    size_t vanished_count, vanished_at;
};

struct imap_selected {
    struct arena arena; /* its own; holds what follows, this struct too */
    struct store *store;
    int64_t account, mailbox;
    bool read_only; /* EXAMINE */
    struct view *view;
    struct view_info info;
    struct held *held; /* ascending, in held_arena */
    uint32_t held_count;
    struct arena held_arena;
    int64_t modseq_before; /* of the view before the first of them went */
    struct imap_telling telling;
    uint64_t keywords_told; /* bits whose names stood in FLAGS */
    struct imap_set recent; /* uids this session is the first to be told of (\Recent, rule I17) */
    size_t recent_size;
    uint32_t recent_until; /* uids from here on have not been asked about */
    struct imap_set saved; /* "$": uids of the last SEARCH RETURN (SAVE), in this arena */
    size_t saved_size;     /* ranges there is room for */
};

/* Opens a mailbox: NULL when there is none (or TEMPFAIL). */
struct imap_selected *selected_open(struct store *s, int64_t account, int64_t mailbox,
                                    bool read_only);
/* NULL is fine. */
void selected_close(struct imap_selected *sel);

/* \Recent: asks for the uids that have come since it was asked. */
void selected_ask_recent(struct imap_selected *sel);

uint32_t selected_count(const struct imap_selected *sel);
/* The entry at a position; false beyond the end. */
bool selected_at(const struct imap_selected *sel, uint32_t position, struct entry *e);
/* Up to n entries from a position on; how many there were.  For lists: much faster than _at. */
uint32_t selected_list(const struct imap_selected *sel, uint32_t position, struct entry *e,
                       uint32_t n);
/* Position of the first entry whose uid is >= uid; the count when there is none. */
uint32_t selected_seek(const struct imap_selected *sel, uint32_t uid);
/* Position of an entry that stands at a position of the view. */
uint32_t selected_of_view(const struct imap_selected *sel, uint32_t position, uint32_t uid);
/* The largest uid, 0 when it is empty. */
uint32_t selected_last_uid(const struct imap_selected *sel);
/* HIGHESTMODSEQ: never higher than that of an expunge the client was not told (rule I19). */
int64_t selected_modseq(const struct imap_selected *sel);
bool selected_is_recent(const struct imap_selected *sel, uint32_t uid);
/* How many have it: "3 RECENT". */
uint32_t selected_recent(const struct imap_selected *sel);
/* Expunged meanwhile, and the client does not know. */
bool selected_is_held(const struct imap_selected *sel, uint32_t uid);

/*
 * For announce.c.  Moves to a newer view, which is taken over; what is not in it any more is held.
 * Returns the view before, now the caller's.
 */
struct view *selected_move(struct imap_selected *sel, struct view *newest);
/* The uids of all held entries, in held_arena. */
struct uid_range *selected_held_uids(struct imap_selected *sel, size_t *count);
/* The client has been told of all held entries. */
void selected_drop_held(struct imap_selected *sel);

#endif
