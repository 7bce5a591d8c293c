/* The trace of a message, read: Received and Return-Path (RFC 5321 4.4).  Writing it: trace.h. */
#ifndef MESSAGE_RECEIVED_H
#define MESSAGE_RECEIVED_H

#include "base/arena.h"

/* One Received field; what is missing is "".  Slices lie inside the value. */
struct received {
    slice from; /* what the client called itself */
    slice tcp;  /* the comment behind it, without parentheses: "mx.north.test [192.0.2.1]" */
    slice ip;   /* the address in it, without brackets and "IPv6:" */
    slice by;   /* who wrote the field */
    slice via, with, id;
    slice for_; /* recipient, without brackets */
    bool has_date;
    int64_t date_ms;
    int zone_minutes;
};

/* False when not even one clause is known; *out then has what was found. */
bool received_parse(slice value, struct received *out);
/* The address of a Return-Path value: *address "" for <>; false when it is none. */
bool return_path_parse(slice value, slice *address);

#endif
