/* A dial.h of bytes, for the tests of our clients: what the server will say is given at once. */
#ifndef AGENT_FAKE_DIAL_H
#define AGENT_FAKE_DIAL_H

#include "base/slice.h"

/*
 * The server says bytes, at most step at a time, and closes.  It waits at a byte \1 until the
 * client starts TLS.
 */
void fake_dial_feed(slice bytes, size_t step);
/* What the client has sent so far; valid until the next feed. */
slice fake_dial_sent(void);

#endif
