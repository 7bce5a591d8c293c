/* What LIST and LSUB ask, read from their arguments, and which names answer it. */
#ifndef IMAP_LIST_H
#define IMAP_LIST_H

#include "imap/pattern.h"
#include "imap/status.h"

enum list_option {
    LIST_SUBSCRIBED = 1, /* selection: only these */
    LIST_SPECIAL_USE = 2,
    LIST_RECURSIVEMATCH = 4,
    LIST_REMOTE = 8,
    LIST_EXTENDED = 16, /* any syntax of RFC 5258 was used */
    LIST_RETURN_SUBSCRIBED = 32,
    LIST_RETURN_STATUS = 64,
    LIST_LSUB = 128,
    LIST_ROOT = 256, /* LIST "" "": the delimiter alone is asked */
};

struct list_request {
    unsigned options;
    unsigned status; /* items of LIST_RETURN_STATUS */
    struct imap_pattern *patterns;
    size_t pattern_count;
};

/* The arguments of LIST, or of LSUB; false: they cannot be read. */
bool list_parse(struct imap *p, slice args, bool lsub, struct list_request *out);

/* What is said of a name. */
struct list_answer {
    bool listed;
    bool child_info; /* something below it meets the criteria (RFC 9051 6.3.9.6) */
};
/* items[at] of an account's folder_list(). */
struct list_answer list_answer(const struct list_request *r, const struct folder_list *all,
                               size_t at);

#endif
