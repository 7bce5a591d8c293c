/*
 * BODY is BODYSTRUCTURE without its extension data (RFC 9051 7.5.2, rule I14).  The store keeps the
 * long form ready-made; the short one is cut out of its text, so nobody parses the message again.
 */
#ifndef IMAP_STRUCTURE_H
#define IMAP_STRUCTURE_H

#include "base/arena.h"

/* The BODY within a BODYSTRUCTURE; false when that is none. */
bool structure_short(struct arena *a, slice bodystructure, slice *body);

#endif
