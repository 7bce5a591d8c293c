/*
 * The structured log, the counters and the trace of messages: one event a line,
 *   2026-11-23T20:24:01.123Z info node=north.test event=queue.commit msg=… key=value
 * Written where it happened, once; never from a parser; never a secret or a body.  Control bytes
 * are escaped by the writer, so wire text may be passed (inside log_quote when it may hold spaces).
 * Lines are buffered (at most 200 ms, or 64 KiB): call log_flush before anybody must see them.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/buf.h"
#include "base/slice.h"

enum log_level { LEVEL_DEBUG, LEVEL_INFO, LEVEL_WARNING, LEVEL_ERROR };

struct log_options {
    int fd;                /* where the lines go; 2 until log_start */
    enum log_level least;  /* what is below is dropped; LEVEL_WARNING until log_start */
    const char *node;      /* the host name, in every line */
    const char *trace_dir; /* daily files trace-YYYY-MM-DD; NULL: none */
    int narrate_fd;        /* log_step lines for a person to watch; -1: none */
};

void log_start(const struct log_options *options);
void log_flush(void);
/* Flushes and forgets the options. */
void log_stop(void);

void log_event(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* s in quotes, cut at 200 bytes, in one of four buffers of this thread (valid for three more
 * calls). */
const char *log_quote(slice s);

/*
 * One readable step of a dialogue for a person who watches (the demo).  who names the two ends, as
 * in "north.test:587 <- 127.0.0.1:40222"; phase is one of handshake, TLS, authentication, envelope,
 * transfer, queue, closure.  Nothing happens unless narrate_fd is open.
 */
void log_step(const char *who, const char *phase, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool log_narrates(void);

/*
 * The twelve stops of a message (docs/journey.md is this table).  trace_stop counts the stop, logs
 * its event, and appends one line to the daily trace file, which "yizhan trace" reads.
 */
enum stop {
    STOP_COMPOSE = 1,
    STOP_SUBMIT,
    STOP_LISTEN,
    STOP_SERVER,
    STOP_INTAKE,
    STOP_COMMIT,
    STOP_SCHEDULE,
    STOP_ROUTE,
    STOP_DELIVER,
    STOP_LOCAL,
    STOP_MAILBOX,
    STOP_READER,
    STOP_LAST
};

struct stop_row {
    const char *event; /* "queue.commit" */
    const char *where; /* "src/queue/queue.c:queue_commit" */
    const char *what;  /* in a few words */
    const char *zh;    /* the same in Chinese */
};
extern const struct stop_row stop_table[STOP_LAST];

/* msg is the queue id (0 when there is none yet). */
void trace_stop(enum stop stop, int64_t msg, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Counters and gauges, printed at /metrics as yizhan_<name>. */
#define METRIC_ROWS(X)                                                                             \
    X(CONNECTIONS_OPEN, "connections_open", "gauge", "Connections open now")                       \
    X(CONNECTIONS, "connections_total", "counter", "Connections accepted")                         \
    X(CONNECTIONS_REFUSED, "connections_refused_total", "counter",                                 \
      "Connections refused at a limit")                                                            \
    X(TLS_HANDSHAKES, "tls_handshakes_total", "counter", "TLS handshakes completed")               \
    X(TLS_FAILURES, "tls_failures_total", "counter", "TLS handshakes failed")                      \
    X(AUTH_OK, "auth_success_total", "counter", "Logins that succeeded")                           \
    X(AUTH_FAILED, "auth_failure_total", "counter", "Logins that failed")                          \
    X(SMTP_ACCEPTED, "smtp_messages_accepted_total", "counter", "Messages answered 250")           \
    X(SMTP_REJECTED, "smtp_messages_rejected_total", "counter", "Messages answered 5yz")           \
    X(SMTP_DEFERRED, "smtp_messages_deferred_total", "counter", "Messages answered 4yz")           \
    X(SMTP_DUPLICATES, "smtp_retransmissions_total", "counter", "Retransmissions recognised")      \
    X(QUEUE_ITEMS, "queue_items", "gauge", "Items in the queue now")                               \
    X(QUEUE_ATTEMPTS, "queue_attempts_total", "counter", "Delivery attempts opened")               \
    X(QUEUE_DEFERRED, "queue_deferrals_total", "counter", "Attempts that failed for now")          \
    X(QUEUE_BOUNCED, "queue_bounces_total", "counter", "Recipients given up")                      \
    X(QUEUE_RECALLED, "queue_recalls_total", "counter", "Recipients recalled")                     \
    X(DELIVERED_LOCAL, "delivered_local_total", "counter", "Messages put into a mailbox")          \
    X(DELIVERED_REMOTE, "delivered_remote_total", "counter",                                       \
      "Recipients accepted by another server")                                                     \
    X(POP3_RETRIEVED, "pop3_messages_retrieved_total", "counter", "Messages sent by POP3 RETR")    \
    X(IMAP_COMMANDS, "imap_commands_total", "counter", "IMAP commands run")                        \
    X(IMAP_FETCHED, "imap_messages_fetched_total", "counter", "Messages whose body FETCH sent")    \
    X(STORE_COMMITS, "store_commits_total", "counter", "Group commits")                            \
    X(STORE_WRITES, "store_writes_total", "counter", "Transactions in group commits")              \
    X(STORE_BYTES, "store_body_bytes_total", "counter", "Body bytes appended to segments")         \
    X(STORE_FAILURES, "store_failures_total", "counter", "Group commits that failed")              \
    X(LOG_LINES, "log_warnings_total", "counter", "Warnings and errors logged")

enum metric {
#define METRIC_ENUM(name, text, kind, help) METRIC_##name,
    METRIC_ROWS(METRIC_ENUM)
#undef METRIC_ENUM
        METRIC_STOPS, /* STOP_LAST counters, one a stop */
    METRIC_LAST = METRIC_STOPS + STOP_LAST
};

void metric_add(enum metric m, int64_t n);
void metric_set(enum metric m, int64_t n);
int64_t metric_get(enum metric m);
/* All of them in the Prometheus text format, version 0.0.4. */
void metric_print(struct buf *out);

#endif
