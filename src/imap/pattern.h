/* Patterns of LIST and LSUB (RFC 9051 6.3.9): "*" is any text, "%" any without "/". */
#ifndef IMAP_PATTERN_H
#define IMAP_PATTERN_H

#include "base/arena.h"

struct imap_pattern {
    slice text; /* UTF-8; runs of wildcards are one */
};

/*
 * Makes a pattern of its text.  False: it is longer than any name, so nothing matches.
 */
bool imap_pattern(struct arena *a, slice text, struct imap_pattern *out);
/* Whether a name in the store's spelling matches; INBOX as the first level in any case. */
bool imap_pattern_matches(const struct imap_pattern *pattern, slice name);

#endif
