/* Who holds a port, for the error message that says it. */
#ifndef NET_INUSE_H
#define NET_INUSE_H

#include "base/buf.h"

/* Adds " by process 4711 (master)" when it can be found out (own processes, or as root). */
void inuse_describe(uint16_t port, struct buf *out);

#endif
