/*
 * Text made comparable, for searching: two texts that a person calls the same give the same bytes
 * (RFC 5051, i;unicode-casemap, by case folding): case is folded, compatibility forms are taken
 * apart (full-width letters, ligatures, composed accents), invisible characters are left out, and
 * any run of white space is one space, or nothing where a line of Chinese or Japanese was broken.
 * Bytes that are not UTF-8 stay as they are.
 */
#ifndef BASE_CASEFOLD_H
#define BASE_CASEFOLD_H

#include "base/buf.h"

/* Adds the folded text to out, until out is full. */
void casefold_add(struct buf *out, slice utf8);
/* Does text, not folded yet, hold what is folded already?  room is scratch: it is left empty and
 * never grows beyond folded and a few KiB. */
bool casefold_has(struct buf *room, slice text, slice folded);

#endif
