/* IMAP's ENVELOPE, BODY and BODYSTRUCTURE as text, ready to send (RFC 9051 7.5.2; rules I13, I14).
 */
#ifndef MESSAGE_BODYSTRUCTURE_H
#define MESSAGE_BODYSTRUCTURE_H

#include "message/parse.h"

/*
 * "(date subject from sender reply-to to cc bcc in-reply-to message-id)" of the header of a message
 * (the root or the child of a message part).  Strings are quoted, or literals when they must be.
 * Bytes above 0x7f that are valid UTF-8 stay as they are: IMAP4rev1 gets them from imap/ encoded.
 */
slice envelope_print(struct arena *a, slice header);

/* BODYSTRUCTURE (extended) or BODY of a part; 0 for the whole message. */
slice bodystructure_print(struct arena *a, const struct mime *m, size_t part, bool extended);

#endif
