/* Looking for entries in a view with what its chunks know of theirs: most are stepped over whole.
 */
#ifndef STORE_VIEW_SCAN_H
#define STORE_VIEW_SCAN_H

#include "store/view.h"

/* Position of the first entry without \Seen; the count when there is none. */
uint32_t view_first_unseen(const struct view *v);
/*
 * Up to n entries whose modseq is above since, from *position on, which moves behind what was
 * looked at; at[i] is the position of e[i].  0: there are no more.
 */
uint32_t view_list_changed(const struct view *v, uint32_t *position, int64_t since, struct entry *e,
                           uint32_t *at, uint32_t n);

#endif
