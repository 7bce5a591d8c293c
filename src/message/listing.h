/*
 * What a message says about lists and automatons: List-* (RFC 2369, 2919, 8058), Auto-Submitted
 * (RFC 3834), Precedence.
 */
#ifndef MESSAGE_LISTING_H
#define MESSAGE_LISTING_H

#include "base/arena.h"

struct listing {
    slice id;   /* List-Id without brackets: "talk.north.test", or "" */
    slice name; /* its phrase, decoded */
    slice post; /* first URL of List-Post, "" when none; post_no: "NO" */
    bool post_no;
    slice help, subscribe, unsubscribe, owner, archive; /* first URL of each, or "" */
    slice unsubscribe_mailto, unsubscribe_https;
    bool one_click; /* RFC 8058: List-Unsubscribe-Post says so and there is an https URL */
};

/* From a header; false when no List-* field is there. */
bool listing_parse(struct arena *a, slice header, struct listing *out);

/* The URLs of a List-* value ("<mailto:x>, <https://y>"), in order; white space inside removed. */
size_t listing_urls(struct arena *a, slice value, slice **urls);

/* One field's word on it: Auto-Submitted other than "no"; List-* fields and Precedence bulk, list,
 * junk. */
bool listing_is_automatic(slice name, slice value);
bool listing_is_bulk(slice name, slice value);

/* True when no automatic answer may go to this message (RFC 3834 section 2): Auto-Submitted other
 * than "no", a list, bulk, junk, or a delivery or disposition report. */
bool auto_answer_forbidden(slice header);

#endif
