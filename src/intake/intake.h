/*
 * Everything between "." and "250" (stop 5), and the one implementation of struct smtp_host.
 */
#ifndef INTAKE_INTAKE_H
#define INTAKE_INTAKE_H

#include "accounts/sasl.h"
#include "deliver/deliver.h"
#include "queue/queue.h"
#include "smtp/server.h"

struct intake {
    struct store *store;
    struct login_service login;
    struct queue *queue;
    struct deliver *deliver;
    slice hostname;
    uint64_t message_size; /* cap on a message */
    int64_t undo_ms;       /* submitted mail is held so long, unless it says when; 0: not at all */
    bool password_without_tls; /* PLAIN and LOGIN without TLS also beyond loopback */
};

/* The functions smtp/ calls; x must outlive every session. */
struct smtp_host intake_host(struct intake *x);

/* A message as it came in: spool.h. */
struct spool;

/*
 * Stop 5, one straight function: loop check, the sender's right, stamp, where to, queue.  Fills one
 * answer per recipient of the envelope; queue_id lives in a.  250 only when queue_commit() said
 * DONE.
 */
enum outcome intake_accept(struct intake *x, struct spool *s, struct arena *a,
                           const struct envelope *e, struct smtp_answer *answers, slice *queue_id);

#endif
