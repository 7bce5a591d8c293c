/*
 * Composes delivery status notifications (RFC 3461, 3464, 6533; rule S34): multipart/report of a
 * text in plain English and Chinese, message/delivery-status, and the original message or its
 * header. The caller sends it from <> to the envelope sender, and never to a null sender.  It comes
 * out through compose_read() (compose.h), because a returned message may be large.
 */
#ifndef MESSAGE_DSN_H
#define MESSAGE_DSN_H

#include "message/compose.h"

enum dsn_action { DSN_FAILED, DSN_DELAYED, DSN_DELIVERED, DSN_RELAYED, DSN_EXPANDED };

struct dsn_recipient {
    slice address; /* as in RCPT TO, case kept */
    slice orcpt;   /* "rfc822;one@north.test" decoded, or "" */
    enum dsn_action action;
    slice status;            /* "5.1.1"; "": X.0.0 by action */
    slice remote_mta;        /* host name that answered, or "" */
    slice reply;             /* "550 5.1.1 No such user", only when a remote answered; else "" */
    slice reason;            /* one English line for people when no remote answered; else "" */
    int64_t last_attempt_ms; /* 0: none */
};

struct dsn {
    slice reporting_mta; /* our host name */
    slice domain;        /* From: Mail Delivery <postmaster@domain> */
    slice to;            /* the envelope sender of the original */
    slice envid;         /* ENVID, decoded, or "" */
    slice queue_id;      /* our id of the message */
    slice subject;       /* of the original, decoded UTF-8, or "" */
    slice message_id;    /* of the original, without <>, or "" */
    int64_t arrival_ms;
    int64_t date_ms; /* now */
    int zone_minutes;
    int64_t retry_until_ms; /* printed for DSN_DELAYED recipients */
    const struct dsn_recipient *recipients;
    size_t recipient_count;
    struct compose_source original; /* the message, or only its header block */
    bool full;                      /* original is the whole message (RET=FULL) */
    unsigned char seed[16];         /* random: boundary and Message-ID */
};

/* Like compose_open: d lives as long as the composer.  NULL only when original cannot be read. */
struct composer *dsn_open(struct arena *a, const struct dsn *d, slice *error);

#endif
