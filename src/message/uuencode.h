/* uuencoded files inside a text body (POSIX uuencode; mail before MIME). */
#ifndef MESSAGE_UUENCODE_H
#define MESSAGE_UUENCODE_H

#include "base/arena.h"

struct uu_file {
    slice name;      /* of the "begin 644 name" line; may be 8-bit */
    slice all;       /* from "begin" to the end of the "end" line, within the text */
    slice lines;     /* the data lines within all */
    bool terminated; /* the "end" line was there */
};

/*
 * Finds the first file at or after the line that starts at text.p + from.  Demands a begin line and
 * at least one well-formed data line, so that prose beginning with "begin" is no file.
 */
bool uu_find(slice text, size_t from, struct uu_file *out);
/* Decodes lines (well-formed ones; others are skipped and counted as damage). */
slice uu_decode(struct arena *a, slice lines, bool *damaged);

#endif
