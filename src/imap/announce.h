/*
 * What the client is told unasked (RFC 9051 7.4.1, 7.5; RFC 7162): the difference between the view
 * it knows and the newest one.  Told at the end of a command or in IDLE, in this order:
 *
 *   EXPUNGE or VANISHED   when the command allows it (rule I3); else the entries are held
 *   EXISTS, RECENT        when something came
 *   FLAGS                 when the account has got new keywords
 *   FETCH                 of entries whose flags (with CONDSTORE: modseq) changed
 *
 * in steps, as the client takes them; memory does not depend on how much there is to tell, but for
 * what is held.
 */
#ifndef IMAP_ANNOUNCE_H
#define IMAP_ANNOUNCE_H

#include "imap/command.h"

/* Begins: moves the selected mailbox to its newest view. */
void announce_start(struct imap *p, bool expunges);
/* Writes as much as there is room for; true when all is said. */
bool announce_step(struct imap *p);
/* "* FLAGS (…)" and PERMANENTFLAGS of the selected mailbox. */
void announce_flags(struct imap *p);
/* The command is over: what imap_expect and imap_told said is forgotten. */
void announce_forget(struct imap *p);

#endif
