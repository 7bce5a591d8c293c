/* Message identifiers: Message-ID, In-Reply-To, References, Content-ID (RFC 5322 3.6.4, rule M12).
 */
#ifndef MESSAGE_MSGID_H
#define MESSAGE_MSGID_H

#include "base/arena.h"

/* A new unique id "<…@domain>", brackets included: random, revealing neither host nor time. */
slice msgid_make(struct arena *a, slice domain);

/*
 * The ids of a value, without brackets, comments and white space, each as it stands (case kept).
 * Takes ids without brackets, in quotes, folded in the middle, or glued together.  At most
 * LIMIT_MSGIDS: of a longer list the first ones and the last one.  Slices lie inside value unless
 * they were folded.
 */
struct msgid_list {
    slice *list;
    size_t count;
};
void msgid_parse(struct arena *a, slice value, struct msgid_list *out);
/* The first id of a value, or "". */
slice msgid_first(struct arena *a, slice value);

#endif
