/*
 * Reports, read: delivery status (RFC 3464, 6533) and message disposition (RFC 8098) inside a
 * multipart/report (RFC 6522).  Writing them: dsn.h.
 */
#ifndef MESSAGE_REPORT_H
#define MESSAGE_REPORT_H

#include "message/parse.h"

enum report_kind { REPORT_NONE, REPORT_DELIVERY, REPORT_DISPOSITION };

struct report_recipient {
    slice original; /* Original-Recipient, address part only */
    slice final;    /* Final-Recipient, address part only */
    slice action;   /* "failed", "delayed", "delivered", "relayed", "expanded"; lower case */
    slice status;   /* "5.1.1" */
    slice remote_mta, diagnostic; /* without the type in front */
    bool has_last_attempt;
    int64_t last_attempt_ms;
};

struct report {
    enum report_kind kind;
    slice reporting;                     /* Reporting-MTA or Reporting-UA */
    slice envid;                         /* Original-Envelope-Id */
    slice message_id;                    /* of the message reported on, without brackets, or "" */
    slice disposition;                   /* MDN: "displayed", "deleted", …; lower case */
    bool automatic;                      /* MDN: automatic-action or sent automatically */
    struct report_recipient *recipients; /* an MDN has one, with original and final */
    size_t recipient_count;
};

/* False (kind REPORT_NONE) when the message is no report. */
bool report_parse(struct arena *a, const struct mime *m, struct report *out);

#endif
