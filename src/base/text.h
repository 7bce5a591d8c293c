/*
 * Text for a terminal: how many columns UTF-8 takes (Chinese characters take two), cut and padded
 * so that tables line up, and never a control character of a stranger.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/buf.h"

/* Columns of s; what is not UTF-8 counts as one column a byte. */
size_t text_width(slice s);
/* Adds s with control characters and bad UTF-8 shown as "?", so that a terminal stays sane. */
void text_add_safe(struct buf *out, slice s);
/* As text_add_safe, cut to columns with "…" when longer, padded with spaces when shorter. */
void text_add_column(struct buf *out, slice s, size_t columns);

/*
 * A table: cells row by row, the first row being the titles.  Columns are as wide as their widest
 * cell, at most max_width; the last is not padded.  right: a bit set for each column to align
 * right.
 */
void text_table(struct buf *out, const slice *cells, size_t columns, size_t rows, size_t max_width,
                unsigned right);

#endif
