/* How addresses are written in the tables: shared by reading and changing. */
#ifndef ACCOUNTS_DIRECTORY_KEY_H
#define ACCOUNTS_DIRECTORY_KEY_H

#include "base/arena.h"

/* address.kind */
enum { OWN_PRIMARY = 0 };

/* ASCII lower case; the copy is in a. */
slice directory_lower(struct arena *a, slice s);
/* A domain as the tables have it: lower case, A-labels. */
slice directory_domain_key(struct arena *a, slice domain);
/* "local@domain" in lower case; *local and *domain are its parts.  False without "@". */
bool directory_address_key(struct arena *a, slice address, slice *key, slice *local, slice *domain);

#endif
