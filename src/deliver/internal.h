/* What the files of deliver/ share. */
#ifndef DELIVER_INTERNAL_H
#define DELIVER_INTERNAL_H

#include "deliver/deliver.h"
#include "smtp/pool.h"

enum { MAX_HOPS = 10, DNS_DEADLINE_MS = 20000, CONNECT_MS = 30000 };

struct deliver {
    struct deliver_options options;
    struct smtp_pool *pool;
};

#endif
