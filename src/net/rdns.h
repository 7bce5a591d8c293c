/*
 * The name of an address, as the Received field tells it (RFC 5321 4.4): what its PTR says, if
 * that name leads back to the address ("iprev" of RFC 8601 2.7.3).  Anybody can give his address
 * any name, but nobody can make another's name point to it.
 */
#ifndef NET_RDNS_H
#define NET_RDNS_H

#include "base/arena.h"

/*
 * The confirmed name of a textual address; "" when it has none, or none was confirmed before
 * deadline_ms (on clock_mono_ms()).  Blocks: call it from a job.  Names come from the cache of
 * dns.h, and what failed is not tried again for LIMIT_RDNS_FAILED_S.
 */
slice rdns_name(struct arena *a, slice ip, int64_t deadline_ms);

#endif
