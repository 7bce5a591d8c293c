/*
 * How a message travels in a multi-line answer (RFC 1939 section 3): a line that begins with "."
 * gets another one, and TOP ends after some lines of the body.  Pure, in steps of any size.
 *
 * Without UTF8 mode no raw 8-bit header may leave (RFC 6856 2.1): its bytes become "?", one for
 * one, so that the octet counts of LIST stay true.
 */
#ifndef POP3_STUFF_H
#define POP3_STUFF_H

#include "base/buf.h"

struct stuffing {
    bool ascii_header;   /* in: mask 8-bit bytes of the header */
    uint64_t body_lines; /* in: lines of the body still to send; UINT64_MAX: all */

    bool in_body, mid_line, line_has_text;
    bool done; /* all lines asked for are sent */
};

/* Adds in to out, which has room for 3/2 of it and 2 more.  After done the rest is ignored. */
void stuff_add(struct stuffing *t, slice in, struct buf *out);
/* The end: the CRLF a last line may lack, and the final ".". */
void stuff_end(const struct stuffing *t, struct buf *out);

#endif
