/*
 * The POP3 client (RFC 1939, 2449, 2595, 5034): one straight blocking conversation over net/dial.h;
 * commands are pipelined when the server says PIPELINING.
 */
#ifndef AGENT_POP3_CLIENT_H
#define AGENT_POP3_CLIENT_H

#include "agent/account.h"

struct pop3_client;

struct pop3_item {
    uint32_t number; /* in this session */
    uint64_t size;   /* octets, as LIST says */
    slice uidl;      /* 1 to 70 bytes 0x21-0x7e */
};

/* Connects, TLS, login.  NULL with one line in error: what happened and what to do. */
struct pop3_client *pop3_client_open(const struct agent_account *account, slice password,
                                     struct buf *error);
/* Gives up without QUIT: nothing is deleted.  NULL is fine. */
void pop3_client_abort(struct pop3_client *c);
/* QUIT: the server deletes now what was marked; frees c.  False: it did not say so. */
bool pop3_client_quit(struct pop3_client *c, struct buf *error);

/* UIDL and LIST: all messages, in the arena. */
bool pop3_client_list(struct pop3_client *c, struct arena *a, struct pop3_item **items,
                      size_t *count, struct buf *error);

/* Where the bytes of messages go, dots removed.  false ends the conversation. */
struct pop3_sink {
    void *ctx;
    bool (*begin)(void *ctx, const struct pop3_item *item);
    bool (*bytes)(void *ctx, slice run);
    bool (*end)(void *ctx, const struct pop3_item *item);
    /* RETR was refused: the text says why. */
    bool (*refused)(void *ctx, const struct pop3_item *item, slice text);
};
/* Downloads them in order.  False with one line in error unless the sink ended it. */
bool pop3_client_retrieve(struct pop3_client *c, const struct pop3_item *items, size_t count,
                          const struct pop3_sink *sink, struct buf *error);

/* Marks them as deleted (QUIT does it).  *marked: how many the server took. */
bool pop3_client_delete(struct pop3_client *c, const struct pop3_item *items, size_t count,
                        size_t *marked, struct buf *error);

#endif
