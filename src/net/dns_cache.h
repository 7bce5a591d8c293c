/* Answers that are still good, shared by all threads, with a cap on their number. */
#ifndef NET_DNS_CACHE_H
#define NET_DNS_CACHE_H

#include "net/dns.h"

/* Copies the answer into the arena; ttl_s is what is left.  False when it is not known. */
bool dns_cache_get(struct arena *a, slice name, enum dns_type type, struct dns_answer *out);
void dns_cache_put(slice name, enum dns_type type, const struct dns_answer *answer);
void dns_cache_empty(void);

#endif
