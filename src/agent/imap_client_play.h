/* One run through every command of the IMAP client, for its test and its fuzzer. */
#ifndef AGENT_IMAP_CLIENT_PLAY_H
#define AGENT_IMAP_CLIENT_PLAY_H

#include "agent/account.h"

/* What the client understood goes to seen, why it ended to error. */
void imap_client_play(slice server, size_t step, enum agent_tls tls, struct buf *seen,
                      struct buf *error);

#endif
