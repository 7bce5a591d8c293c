/* IMAP's ENVELOPE, BODY and BODYSTRUCTURE as text, ready to send (RFC 9051 7.5.2; rules I13, I14).
 */
#ifndef MESSAGE_BODYSTRUCTURE_H
#define MESSAGE_BODYSTRUCTURE_H

#include "message/parse.h"

/*
 * "(date subject from sender reply-to to cc bcc in-reply-to message-id)" of the header of a message
 * (the root or the child of a message part).  Strings are quoted, or literals when
 * they hold bytes above 0x7f: every IMAP client takes those.  Encoded words stay; raw bytes that
 * are not UTF-8 become UTF-8.
 */
slice envelope_print(struct arena *a, slice header);

/* BODYSTRUCTURE (extended) or BODY of a part; 0 for the whole message. */
slice bodystructure_print(struct arena *a, const struct mime *m, size_t part, bool extended);

#endif
