/*
 * quoted-printable (RFC 2045 6.7, rule M4).  The decoder takes anything: soft breaks with trailing
 * white space, lower-case hex, bare LF; "=" with no two hex digits stays as it is.
 */
#ifndef MESSAGE_QP_H
#define MESSAGE_QP_H

#include "base/arena.h"

/*
 * Decodes into out[in.n]; returns the bytes.  White space at the end of a line is transport padding
 * and dropped.  *damaged (may be NULL): an "=" had to be kept.
 */
size_t qp_decode(slice in, char *out, bool *damaged);
/*
 * The same in steps: decodes as much of in as does not depend on what follows, or all of it when
 * last is set; *used says how much was taken (0 for a line of white space or an "=" still open:
 * give more).
 */
size_t qp_decode_step(slice in, bool last, char *out, size_t *used, bool *damaged);

enum qp_mode {
    QP_TEXT,   /* CRLF (or a bare LF) is a line end and stays one, as CRLF */
    QP_BINARY, /* CR and LF are bytes like others and are encoded */
};
/*
 * Lines of at most 76 characters, no white space at a line's end, "From " and a lone "." at a
 * line's start encoded.  Multi-byte UTF-8 characters are not split over lines.
 */
slice qp_encode(struct arena *a, slice in, enum qp_mode mode);
/* The length qp_encode would give. */
size_t qp_length(slice in, enum qp_mode mode);

#endif
