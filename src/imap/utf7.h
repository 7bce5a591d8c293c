/* Modified UTF-7, the old spelling of mailbox names (RFC 3501 5.1.3): "&XfJT0ZAB-" is 已发送. */
#ifndef IMAP_UTF7_H
#define IMAP_UTF7_H

#include "base/arena.h"

/* UTF-8 to modified UTF-7. */
slice utf7_encode(struct arena *a, slice utf8);
/* Modified UTF-7 to UTF-8.  False when it is not well-formed: bad base64, printable ASCII encoded,
 * lone surrogates, two shifts in a row ("&AGE-&AGI-"), 8-bit bytes. */
bool utf7_decode(struct arena *a, slice utf7, slice *utf8);

#endif
