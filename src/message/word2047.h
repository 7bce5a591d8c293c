/*
 * Encoded words (RFC 2047, RFC 2231 section 5; rule M5): "=?utf-8?B?6am/56uZ?=" in header fields.
 */
#ifndef MESSAGE_WORD2047_H
#define MESSAGE_WORD2047_H

#include "base/arena.h"

/*
 * The text of an unstructured value, or of one word or phrase of a structured one, in UTF-8.
 * Unfolds; decodes encoded words (white space between two of them vanishes; the bytes of neighbours
 * of one charset are joined before decoding, so split characters heal); takes words that are
 * wrongly quoted, hold spaces, lack the end, or touch other text; raw 8-bit bytes are UTF-8 or
 * detected.  A word with an unknown charset stays as it is.  NUL is dropped, CR and LF hidden in a
 * word become spaces.  Pure ASCII without "=?" and without folding is returned as it is, not
 * copied.
 */
slice word2047_decode(struct arena *a, slice value);
/* The same, with the charset to try first for raw 8-bit bytes ("" when unknown): a message often
 * says it in its Content-Type. */
slice word2047_decode_as(struct arena *a, slice value, slice charset);

/*
 * Encodes UTF-8 text for an unstructured field (Subject).  ASCII words stay as they are; the rest
 * becomes UTF-8 encoded words of at most 75 characters, B or Q whichever is shorter, never
 * splitting a character. Folds with CRLF SP so that no line passes 76 where that is possible;
 * *column (in: characters already on the line, out: after the text) may be NULL: 0.  Bytes that are
 * not UTF-8 become U+FFFD, controls become spaces.
 */
slice word2047_encode_text(struct arena *a, slice utf8, size_t *column);
/* The same for a phrase (display name): atoms, a quoted string, or encoded words. */
slice word2047_encode_phrase(struct arena *a, slice utf8, size_t *column);

#endif
