/* What the files of the SMTP client share: the connection and how replies are read from it. */
#ifndef SMTP_CLIENT_PRIVATE_H
#define SMTP_CLIENT_PRIVATE_H

#include "base/buf.h"
#include "base/limits.h"
#include "smtp/client.h"

/* RFC 5321 4.5.3.2 (S33): how long to wait for the reply to what, and for a block to go out. */
enum {
    WAIT_GREETING_MS = 5 * 60 * 1000,
    WAIT_COMMAND_MS = 5 * 60 * 1000,
    WAIT_DATA_MS = 2 * 60 * 1000,
    WAIT_BLOCK_MS = 3 * 60 * 1000,
    WAIT_DOT_MS = 10 * 60 * 1000,
    WAIT_QUIT_MS = 5 * 1000,
    WAIT_PROBE_MS = 5 * 1000,
};

struct smtp_client {
    struct arena life; /* holds this struct too */
    struct dial *dial;
    slice helo;
    char who[160];   /* for log_step */
    bool alive;      /* bytes may go and come */
    char error[256]; /* why not */

    /* What EHLO offered (again after STARTTLS). */
    struct arena offers; /* holds keywords */
    slice keywords;      /* the lines of EHLO after the first, joined by "\n" */
    bool pipelining, eight_bit, utf8;
    uint64_t size;             /* 0: no limit said */
    size_t mail_max, rcpt_max; /* RFC 9422, the first no more than ours; 0: none */

    size_t our_mail_max;
    unsigned mails;                       /* MAIL commands sent */
    bool reset_owed;                      /* a transaction was left open: RSET before the next */
    const struct smtp_message *announced; /* its MAIL, RCPT and DATA are out already */
    bool announced_recalled;              /* but DATA */
    char *block;                          /* a buffer for message bytes, made when first needed */
};

/*
 * A reply coming in line by line (RFC 5321 4.2): {0} to start.  Pure.  Returns 1 when the reply is
 * whole, 0 when more lines follow, -1 when the line is none of a reply (then the conversation is
 * lost).  *r lives in a; its lines are joined by "\n".
 */
struct reply_lines {
    size_t count;
    struct smtp_reply r;
};
int reply_take(struct reply_lines *x, struct arena *a, slice line);
/* S31: a code that is neither 2yz, 4yz nor 5yz becomes temporary; so does 552 for RCPT (S2). */
void reply_settle(struct smtp_reply *r, struct arena *a, bool of_rcpt);

/* Writes one command; false when the connection is lost. */
bool client_say(struct smtp_client *c, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Flushes, then reads one whole reply within wait_ms.  False: lost, *r has code 0 and says why. */
bool client_hear(struct smtp_client *c, struct arena *a, int64_t wait_ms, struct smtp_reply *r);
/* The same with the lines of the text joined by "\n" (EHLO). */
bool client_hear_lines(struct smtp_client *c, struct arena *a, int64_t wait_ms,
                       struct smtp_reply *r);
/* The text for people: its lines joined by spaces, nothing but what can be printed. */
void reply_join(struct smtp_reply *r, struct arena *a);
/* The connection is of no use any more; why is kept for the replies that will never come. */
void client_lose(struct smtp_client *c, const char *why);

/* The login after EHLO; false with *r. */
bool client_login(struct smtp_client *c, slice user, slice password, struct arena *a,
                  struct smtp_reply *r);

#endif
