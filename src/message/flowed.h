/*
 * format=flowed (RFC 3676, rule M9): paragraphs wrapped in soft lines, quoted with ">", spaces
 * stuffed; DelSp=yes for scripts without spaces.
 */
#ifndef MESSAGE_FLOWED_H
#define MESSAGE_FLOWED_H

#include "base/arena.h"

/*
 * Joins soft lines to paragraphs and unstuffs.  Lines of the result end in LF; a quoted paragraph
 * begins with its depth in ">" and a space.
 */
slice flowed_decode(struct arena *a, slice text, bool delsp);
/*
 * Wraps UTF-8 text (LF or CRLF lines; leading ">" means quoted) at about 72 columns into soft lines
 * ended by CRLF.  delsp: also breaks where there is no space, between characters.  flowed_decode
 * gives the text back (spaces at line ends aside).
 */
slice flowed_encode(struct arena *a, slice text, bool delsp);

#endif
