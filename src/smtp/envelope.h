/*
 * The envelope of one mail transaction (RFC 5321 2.3.1) and the connection facts that travel with
 * it: what smtp/ hands to its host, and what intake/ hands to queue/.  All slices live as long as
 * the message; addresses are "local@domain" without brackets, the case of the local part kept, the
 * domain in lower case (U-labels turned to A-labels), or "" for the null sender.
 */
#ifndef SMTP_ENVELOPE_H
#define SMTP_ENVELOPE_H

#include "base/slice.h"

/* NOTIFY of RFC 3461 4.1; 0 means none was given: failure and delay. */
enum { NOTIFY_NEVER = 1, NOTIFY_SUCCESS = 2, NOTIFY_FAILURE = 4, NOTIFY_DELAY = 8 };
enum dsn_ret { RET_NONE, RET_FULL, RET_HDRS };

struct recipient {
    slice address;
    unsigned notify;
    slice orcpt; /* "" or "rfc822;one@north.test", decoded */
};

struct envelope {
    slice sender;
    struct recipient *recipients;
    size_t recipient_count;
    slice envid;
    enum dsn_ret ret;
    bool eight_bit;        /* BODY=8BITMIME was said, or an octet >= 0x80 was seen */
    int64_t hold_until_ms; /* FUTURERELEASE; 0: none */

    /* The connection. */
    slice helo;      /* the name of EHLO/HELO */
    slice protocol;  /* RFC 3848: "ESMTPSA" */
    slice peer_ip;   /* "" for mail made here */
    slice peer_name; /* of that address, confirmed; "unknown" when there is none; "": not asked */
    slice tls;       /* "TLSv1.3 TLS_AES_256_GCM_SHA384" or "" */
    slice login;     /* the authenticated account's address, or "" */
    int64_t account; /* its id, or 0 */
    bool submission; /* ports 587 and 465 */
};

/* One answer of the server: code, enhanced code, text. */
struct smtp_answer {
    int code;       /* 250 */
    slice enhanced; /* "2.1.5" */
    slice text;     /* one line without CRLF */
};

#endif
