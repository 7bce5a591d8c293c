/*
 * base64 (RFC 4648 section 4; RFC 2045 6.8), at memory speed.  Three readers: tolerant (mail bodies
 * and encoded words: skips junk and line ends, lives with missing and concatenated padding), strict
 * (SASL, keys, JSON: exactly the canonical form), and a stream for bodies that come in steps.
 */
#ifndef MESSAGE_BASE64_H
#define MESSAGE_BASE64_H

#include "base/arena.h"

/* Enough room to decode n characters. */
size_t base64_decode_room(size_t n);
/* Exact length of n bytes encoded in one line, and in lines of 76 each followed by CRLF. */
size_t base64_length(size_t n);
uint64_t base64_lines_length(uint64_t n);

/* Encodes into out[base64_length(in.n)]; returns the length. */
size_t base64_encode(slice in, char *out);
/* Lines of 76 characters, CRLF after each, the last one too; out[base64_lines_length(in.n)]. */
size_t base64_encode_lines(slice in, char *out);
/* base64_encode into the arena. */
slice base64_text(struct arena *a, slice in);

/*
 * Tolerant decode into out[base64_decode_room(in.n)]; returns the bytes.  *damaged (may be NULL)
 * says whether anything but white space was skipped or bits were missing.
 */
size_t base64_decode(slice in, char *out, bool *damaged);
/* Strict decode of the whole of in: no white space, right padding, zero spare bits.  The bytes are
 * in the arena. */
bool base64_decode_strict(struct arena *a, slice in, slice *out);

/* The tolerant decoder in steps: {0} to start. */
struct base64_stream {
    uint32_t bits;    /* sextets not yet written */
    unsigned sextets; /* how many of them: 0-3 */
    bool damaged;
};
/* Decodes in into out[base64_decode_room(in.n) + 3]; returns the bytes. */
size_t base64_decode_step(struct base64_stream *s, slice in, char *out);
/* The end: writes the 0-2 bytes left of an unpadded last group. */
size_t base64_decode_end(struct base64_stream *s, char *out);

#endif
