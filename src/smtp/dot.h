/*
 * The dot protocol of DATA (RFC 5321 4.1.1.4, 4.5.2), both ways, on slices of any size at memory
 * speed (memchr, no copy).  Exactly CRLF "." CRLF ends a message (S3): no other mix of CR, LF and
 * dots does, however the bytes are cut, or two servers would read two mails where one was sent.
 */
#ifndef SMTP_DOT_H
#define SMTP_DOT_H

#include "base/slice.h"

/* The reader; {0} stands behind the CRLF of "DATA". */
struct dot {
    enum { DOT_LINE, DOT_TEXT, DOT_CR, DOT_DOT, DOT_DOT_CR } at; /* what came last */
    bool ended;                                                  /* CRLF "." CRLF has come */
    bool bare; /* a CR or LF stood alone somewhere: the message must be refused */
    bool long_line;
    size_t column; /* octets of the line so far */
};

/*
 * Takes bytes from the front of in, which is not empty: returns how many.  *run is the text among
 * them (maybe empty), dots removed, CRLF kept, borrowed from in.  Call until ended.
 */
size_t dot_read(struct dot *d, slice in, slice *run);

/* The writer; {0} at the start of a message.  put gets runs of bytes and says false to stop. */
struct dot_writer {
    enum { DOT_OUT_LINE, DOT_OUT_TEXT, DOT_OUT_CR } at;
    bool (*put)(void *ctx, slice run);
    void *ctx;
};

/* Doubles dots at the start of lines (S5) and makes every bare CR or LF a CRLF (S4). */
bool dot_write(struct dot_writer *d, slice in);
/* Ends the last line if it is open, then the message. */
bool dot_write_end(struct dot_writer *d);

#endif
