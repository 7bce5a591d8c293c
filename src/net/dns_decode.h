/* The bytes of a DNS answer to records.  Pure; nothing of the answer is believed unchecked. */
#ifndef NET_DNS_DECODE_H
#define NET_DNS_DECODE_H

#include "net/dns.h"

/*
 * Decodes the answer to a question for name (lower case) and type.  Follows the CNAME chain inside
 * it; when the chain leads out of it to a name without records here, returns that name: ask there
 * (out says DNS_NODATA then).  Else "" with out complete.  Answers to other questions, cut or
 * contradictory ones are DNS_TEMPFAIL.  All results live in the arena.
 */
slice dns_decode(struct arena *a, slice packet, slice name, enum dns_type type,
                 struct dns_answer *out);

/* The name in lower case without the last dot; "" when it cannot be asked for (empty labels, more
 * than 63 bytes in one, more than 253 in all, bytes that need escaping, non-ASCII). */
slice dns_lower(struct arena *a, slice name);

#endif
