/* The beginning of an IMAP conversation: connection, TLS, greeting, login, identification. */
#ifndef AGENT_IMAP_LOGIN_H
#define AGENT_IMAP_LOGIN_H

#include "agent/imap_wire.h"

/*
 * Fills *w, which starts zeroed.  False with one line in error: what happened and what to do; the
 * caller ends w in both cases.
 */
bool imap_log_in(struct imap_wire *w, const struct agent_account *account, slice password,
                 struct buf *error);

#endif
