/*
 * The trace fields this system prepends (RFC 5321 4.4, RFC 3848, RFC 9228; rule S28), folded and
 * ended by CRLF.  Bytes that a peer chose (helo, rdns) are made harmless.  Reading them:
 * received.h.
 */
#ifndef MESSAGE_TRACE_H
#define MESSAGE_TRACE_H

#include "base/arena.h"

struct received_stamp {
    slice helo;     /* what the client called itself; "" prints "unknown" */
    slice rdns;     /* confirmed name of the address, "unknown", or "": nobody asked */
    slice ip;       /* "192.0.2.1", "2001:db8::1"; "": made here, no from clause */
    slice by;       /* our host name */
    slice protocol; /* "ESMTPSA" */
    slice tls;      /* "TLSv1.3 TLS_AES_256_GCM_SHA384" or "" */
    slice id;       /* queue id */
    slice rcpt;     /* printed only when the message has exactly one recipient; else "" */
    int64_t date_ms;
    int zone_minutes;
};

slice received_print(struct arena *a, const struct received_stamp *r);
/* "Return-Path: <one@north.test>"; "" gives <>. */
slice return_path_print(struct arena *a, slice sender);
slice delivered_to_print(struct arena *a, slice address);

#endif
