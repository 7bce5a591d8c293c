/*
 * The SMTP client (RFC 5321, 2920, 3207, 4954, 1870, 6152): one straight blocking conversation over
 * net/dial.h, pipelined, STARTTLS when offered, several messages over one connection.  Used by
 * deliver/remote.c and by the agent.
 */
#ifndef SMTP_CLIENT_H
#define SMTP_CLIENT_H

#include "net/dial.h"
#include "smtp/envelope.h"

/* A reply of the server, all its lines. */
struct smtp_reply {
    int code;       /* 0: none came (connection lost, timeout, garbage) */
    slice enhanced; /* "5.1.1" or "" */
    slice text;     /* all lines joined by " ", without codes */
};

struct smtp_client;

struct smtp_client_options {
    struct dial_options dial;
    slice helo; /* our name */
    enum { SMTP_TLS_NEVER, SMTP_TLS_IF_OFFERED, SMTP_TLS_REQUIRED, SMTP_TLS_IMPLICIT } tls;
    enum dial_tls verify;
    slice user, password; /* "": no AUTH; SCRAM-SHA-256, else PLAIN or LOGIN, plaintext only under
                             TLS or to loopback */
    size_t mails_max;     /* over this connection; 0: as many as the server takes */
    const char *who;      /* for log_step: "north.test -> south.test:25" */
};

/* Connects, greets, STARTTLS, AUTH.  NULL on failure: *reply says what (code 0: no answer), in
 * arena a. */
struct smtp_client *smtp_client_open(const struct smtp_client_options *options, struct arena *a,
                                     struct smtp_reply *reply);
/* QUIT (waits for 221 at most 5 s) and close.  NULL is fine. */
void smtp_client_close(struct smtp_client *c);

/* What the server offered. */
uint64_t smtp_client_size(const struct smtp_client *c); /* 0: no limit said */
bool smtp_client_has(const struct smtp_client *c, slice keyword);
/* May another message go over this connection? (alive, not 421, neither mails_max nor LIMITS
 * MAILMAX reached) */
bool smtp_client_usable(const struct smtp_client *c);

/*
 * After an idle time: RSET, and waits at most 5 s for its reply, so that a connection the server
 * has given up is found out before a mail is trusted to it.  False: close it.
 */
bool smtp_client_probe(struct smtp_client *c);

struct smtp_message {
    const struct envelope *envelope;
    uint64_t size; /* of the bytes body gives; 0: unknown */
    /* Gives the next bytes of the message (CRLF lines); 0 at the end, -1 when it cannot be read
       (then the connection is dropped, so that no half message is taken). */
    ssize_t (*body)(void *ctx, char *to, size_t n);
    void *ctx;
    /* Called once, before DATA is sent: false aborts with RSET (recall wins). */
    bool (*point_of_no_return)(void *ctx);
    /*
     * The message that smtp_client_send will be called with next, or NULL.  When the server takes
     * PIPELINING its envelope and DATA go out with the dot of this one (its point_of_no_return is
     * asked then), which saves a round trip a message.  If another is sent instead, or none, the
     * connection is lost.
     */
    const struct smtp_message *next;
};

/*
 * Sends one message.  rcpt[i] gets the reply that decides recipient i: of RCPT when refused, else
 * of the final dot.  True when the conversation held (whatever the replies); false: lost, and what
 * has no final reply has code 0.
 */
bool smtp_client_send(struct smtp_client *c, const struct smtp_message *m, struct arena *a,
                      struct smtp_reply *rcpt);

#endif
