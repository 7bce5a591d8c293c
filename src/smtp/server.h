/*
 * The SMTP server session (RFC 5321, 6409): pure, one per connection, over net/session.h.  It knows
 * no queue and no users: it calls the few functions of struct smtp_host, implemented once in
 * intake/host.c and faked in tests.  One file a command: cmd_*.c; the table of commands is in
 * server.c.
 */
#ifndef SMTP_SERVER_H
#define SMTP_SERVER_H

#include "base/outcome.h"
#include "base/sasl.h"
#include "net/session.h"
#include "smtp/envelope.h"

enum smtp_service {
    SMTP_TRANSFER,   /* port 25: from servers, trusts nobody */
    SMTP_SUBMISSION, /* 587 and 465: from users, login required */
};

/* Called on the session's thread (sasl_hash on a pool thread).  Slices returned live in arena a. */
struct smtp_host {
    void *ctx;

    /* Space-separated mechanisms for EHLO, strongest first; "" hides AUTH.  tls: the connection is
     * encrypted or loopback. */
    slice (*mechanisms)(void *ctx, bool safe);
    /* A login belongs to the host (accounts/sasl.h behind it).  Starts an exchange for a mechanism;
     * NULL when it is unknown or refused.  Free with sasl_end.
     */
    void *(*sasl_start)(void *ctx, slice mechanism, const struct peer *peer);
    /* One step.  has_response is false when AUTH came without an initial response. */
    enum sasl_result (*sasl_step)(void *sasl, bool has_response, slice response, struct arena *a,
                                  slice *reply);
    /* After SASL_HASH: the slow part, on a pool thread; then SASL_OK, SASL_FAIL or SASL_TEMPFAIL.
     */
    enum sasl_result (*sasl_hash)(void *sasl);
    /* Why, after SASL_TEMPFAIL: "Too many wrong passwords, wait 8 s"; may be NULL or say "". */
    slice (*sasl_reason)(void *sasl);
    /* Who logged in, after SASL_OK. */
    void (*sasl_identity)(void *sasl, struct arena *a, slice *login, int64_t *account);
    void (*sasl_end)(void *sasl);

    /* May this envelope (sender, login, size declared or 0) begin?  Fills answer when not DONE. */
    enum outcome (*mail)(void *ctx, struct arena *a, const struct envelope *e, uint64_t size,
                         struct smtp_answer *answer);
    /* May rcpt be added?  DONE: 250; else answer.  "<postmaster>" comes as "postmaster@" + own host
     * name. */
    enum outcome (*rcpt)(void *ctx, struct arena *a, const struct envelope *e, slice rcpt,
                         struct smtp_answer *answer);

    /* A message begins: its spool, or NULL when memory or disk is short (452 4.3.1). */
    void *(*body_open)(void *ctx);
    /* Appends decoded bytes (dots removed, CRLF kept).  False when the disk is full; the rest is
     * then discarded. */
    bool (*body_add)(void *body, slice bytes);
    /*
     * The message is whole.  Fills answers[e->recipient_count]; 250 only after it is durable.
     * Blocks in straight code.  queue_id (13 characters) is set for the reply and the log.
     * SMTP has one reply for all, so the answers are folded: any 4yz makes it that 4yz (the client
     * sends the mail again to all, and for who has it already the retransmission is recognised);
     * else any 250 makes it 250, and a 5yz beside it is the host's to report with a failure notice
     * (RFC 5321 6.1); all 5yz: the first.
     */
    enum outcome (*body_accept)(void *body, struct arena *a, const struct envelope *e,
                                struct smtp_answer *answers, slice *queue_id);
    /* Frees the body, accepted or not. */
    void (*body_close)(void *body);
};

/* Whose addresses are turned into names for the Received field, on SMTP_TRANSFER. */
enum smtp_reverse {
    SMTP_REVERSE_NO,
    SMTP_REVERSE_AUTO, /* all but loopback */
    SMTP_REVERSE_ALL,
};

struct smtp_options {
    enum smtp_service service;
    slice hostname;            /* in the banner, EHLO and Received */
    uint64_t message_size;     /* SIZE; the cap on a message */
    bool tls_available;        /* offer STARTTLS when the connection has no TLS */
    bool password_without_tls; /* also beyond loopback, where it always is allowed */
    enum smtp_reverse reverse;
    int64_t hold_max_ms; /* FUTURERELEASE: the longest hold; 0: not offered */
    const struct smtp_host *host;
};

/* A new session; options live as long as it.  peer is copied later by net/ before class->start. */
struct session *smtp_server_new(const struct smtp_options *options);

#endif
