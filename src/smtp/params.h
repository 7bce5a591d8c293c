/*
 * The parameters of MAIL and RCPT (RFC 5321 4.1.2 esmtp-param): one table, a row a parameter.  A
 * later extension adds a row here and one to extension_table in server.c.
 */
#ifndef SMTP_PARAMS_H
#define SMTP_PARAMS_H

#include "base/arena.h"
#include "smtp/envelope.h"

/* What EHLO can offer; parameters and commands exist only while theirs is offered. */
enum smtp_extension {
    EXT_NONE, /* always there */
    EXT_PIPELINING,
    EXT_SIZE,
    EXT_8BITMIME,
    EXT_ENHANCEDSTATUSCODES,
    EXT_STARTTLS,
    EXT_AUTH,
    EXT_FUTURERELEASE,
    EXT_HELP,
    EXT_LAST
};

enum params_of { PARAMS_OF_MAIL, PARAMS_OF_RCPT };

struct params {
    enum params_of of;
    unsigned offered;    /* bits 1 << enum smtp_extension */
    int64_t now_ms;      /* wall clock, for HOLDFOR */
    int64_t hold_max_ms; /* FUTURERELEASE: the longest hold */

    /* What was said. */
    uint64_t size; /* SIZE=; 0: not said */
    bool eight_bit;
    slice auth; /* AUTH=, decoded: a mailbox, "<>", or "" when not said */
    int64_t hold_until_ms;
    unsigned seen; /* bits of rows, for repeated parameters */
};

/*
 * Reads " KEY=VALUE KEY ..." (each with its space in front; "" is none).  NULL when it is good,
 * else the reply: "555 5.5.4 ..." for an unknown one, "501 5.5.4 ..." for a wrong or repeated one,
 * in a.
 */
const char *smtp_params_parse(struct params *p, struct arena *a, slice text);

/* xtext (RFC 3461 section 4): "+HH" is an octet.  False when it is not xtext. */
bool xtext_decode(struct arena *a, slice in, slice *out);
slice xtext_encode(struct arena *a, slice in);

#endif
