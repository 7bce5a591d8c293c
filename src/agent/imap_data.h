/*
 * What the untagged responses of IMAP say (RFC 9051 section 7): mailboxes, counts, messages, found
 * numbers.  Pure; each function takes a response without "* ", false when it is another one.
 * Everything lies in the arena and is decoded: names UTF-8, subjects without encoded words.
 */
#ifndef AGENT_IMAP_DATA_H
#define AGENT_IMAP_DATA_H

#include "base/arena.h"

struct imap_folder {
    slice name; /* UTF-8 */
    slice role; /* "Sent", "Trash" … (RFC 6154), or "" */
    char separator;
    bool selectable;
    bool counted; /* the counts were said */
    uint64_t messages, unseen;
};

/* "LIST (\HasNoChildren \Sent) "/" &XfJT0ZAB-"; utf8: names are not modified UTF-7. */
bool imap_take_list(struct arena *a, slice data, bool utf8, struct imap_folder *out);
/* "STATUS INBOX (MESSAGES 231 UNSEEN 4)". */
bool imap_take_status_data(struct arena *a, slice data, bool utf8, struct imap_folder *out);

struct imap_head {
    uint32_t number, uid;
    uint64_t size;
    slice flags; /* "\Seen $Important" */
    bool has_flags;
    bool has_date;
    int64_t date_ms; /* of arrival */
    int zone_minutes;
    slice subject, message_id;
    slice from_name, from_email, to; /* to: "二 <two@south.test>, …" */
};

/* "12 FETCH (UID 5 FLAGS (\Seen) …)": what it holds; the rest stays zero. */
bool imap_take_fetch(struct arena *a, slice data, struct imap_head *out);
/* Any case: "\Seen" in "\Seen $Important". */
bool imap_flags_hold(slice flags, slice flag);

/* "12 EXISTS", "12 EXPUNGE": the number. */
bool imap_take_number(slice data, slice word, uint32_t *out);

struct imap_numbers {
    uint32_t *items;
    size_t count, capacity;
};

/*
 * Adds the numbers of "SEARCH 4 7" or of "ESEARCH (TAG "a1") UID ALL 4:6,9"; false when it is
 * neither, or when there would be more than LIMIT_IMAP_FOUND.
 */
bool imap_take_search(struct arena *a, slice data, struct imap_numbers *out);

#endif
