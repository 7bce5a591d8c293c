/*
 * Stop 9: a batch to the next server, one straight blocking function on a delivery thread.  One
 * connection carries all items of the batch, and what is left of it the next batch.  A connection
 * that breaks fails the message it carried, for now; the rest goes on over a new one.
 */
#include <assert.h>

#include "base/clock.h"
#include "base/log.h"
#include "deliver/internal.h"

#include "base/banned.h"

/* The bytes of one item, for smtp_client_send. */
struct reading {
    struct batch *batch;
    struct batch_item *item;
    uint64_t offset;
};

static ssize_t read_item(void *ctx, char *to, size_t n)
{
    struct reading *r = ctx;
    ssize_t got = batch_read(r->batch, r->item, r->offset, to, n);
    if (got > 0)
        r->offset += (uint64_t)got;
    uint64_t whole = r->item->prefix.n + r->item->body_bytes;
    return got == 0 && r->offset < whole ? -1 : got;
}

static bool may_send(void *ctx)
{
    struct reading *r = ctx;
    return point_of_no_return(r->item);
}

/* A reply as the queue keeps it: "550 5.1.1 no such user". */
static slice reply_text(struct arena *a, const struct smtp_reply *r)
{
    if (r->code == 0)
        return r->text.n ? arena_printf(a, "451 4.4.2 %.*s", P(r->text))
                         : S("451 4.4.2 connection lost");
    if (r->enhanced.n)
        return arena_printf(a, "%d %.*s %.*s", r->code, P(r->enhanced), P(r->text));
    return arena_printf(a, "%d %.*s", r->code, P(r->text));
}

static enum outcome reply_outcome(const struct smtp_reply *r)
{
    return r->code >= 200 && r->code < 300   ? DONE
           : r->code >= 500 && r->code < 600 ? PERMFAIL
                                             : TEMPFAIL;
}

/* A kept connection, or a new one to the first server that talks to us; NULL: *why says what all
 * said. */
static struct smtp_client *connect_any(struct deliver *d, struct batch *b, struct hop *hops,
                                       size_t count, slice *why)
{
    struct smtp_client *c = smtp_pool_take(d->pool, b->destination);
    for (size_t i = 0; i < count && !c; i++) {
        struct smtp_reply reply = {0};
        struct smtp_client_options o = {
            .dial = {.host = hops[i].name,
                     .address = hops[i].ip,
                     .port = hops[i].port,
                     .connect_ms = CONNECT_MS},
            .helo = d->options.hostname,
            .tls = SMTP_TLS_IF_OFFERED,
            .verify = DIAL_OPPORTUNE,
            .mails_max = d->options.per_connection,
            .who = arena_printf(&b->arena, "%.*s -> %.*s:%d", P(d->options.hostname),
                                P(hops[i].name), hops[i].port)
                       .p,
        };
        c = smtp_client_open(&o, &b->arena, &reply);
        b->remote_mta = hops[i].name;
        if (!c)
            *why = arena_printf(&b->arena, "%.*s (%.*s:%d)", P(reply_text(&b->arena, &reply)),
                                P(hops[i].name), hops[i].port);
    }
    return c;
}

/* An item on its way: what smtp_client_send needs of it. */
struct outgoing {
    struct reading reading;
    struct smtp_message message;
};

static struct outgoing *make_outgoing(struct batch *b)
{
    struct outgoing *out = arena_array(&b->arena, b->count + 1, sizeof(*out));
    for (size_t i = 0; i < b->count; i++) {
        struct batch_item *item = &b->items[i];
        out[i].reading = (struct reading){.batch = b, .item = item};
        out[i].message = (struct smtp_message){
            .envelope = &item->envelope,
            .size = item->prefix.n + item->body_bytes,
            .body = read_item,
            .ctx = &out[i].reading,
            .point_of_no_return = may_send,
        };
    }
    return out;
}

static bool is_wanted(struct batch_item *item)
{
    return item->recipient_count && atomic_load(&item->claim.state) != CLAIM_RECALLED;
}

/* The first item from i on that is to be sent; b->count when there is none. */
static size_t next_wanted(struct batch *b, size_t i)
{
    while (i < b->count && !is_wanted(&b->items[i]))
        i++;
    return i;
}

/* Sends one item; false when the connection did not survive it. */
static bool send_item(struct batch *b, struct batch_item *item, const struct smtp_message *m,
                      struct smtp_client *c)
{
    struct smtp_reply *replies =
        arena_array(&b->arena, item->recipient_count + 1, sizeof(*replies));
    bool held = smtp_client_send(c, m, &b->arena, replies);
    if (atomic_load(&item->claim.state) == CLAIM_RECALLED)
        return held;
    bool passed = atomic_load(&item->claim.state) == CLAIM_PASSED;
    for (size_t i = 0; i < item->recipient_count; i++) {
        item->maybe_sent = item->maybe_sent || (passed && replies[i].code == 0);
        item->recipients[i].result = reply_outcome(&replies[i]);
        item->recipients[i].reply = reply_text(&b->arena, &replies[i]);
    }
    return held;
}

static void refuse_items(struct batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        struct batch_item *item = &b->items[i];
        for (size_t j = 0; j < item->recipient_count && point_of_no_return(item); j++) {
            item->recipients[j].result = PERMFAIL;
            item->recipients[j].reply = b->reply;
        }
    }
}

/*
 * Each item names the one behind it, whose envelope the client then sends together with the dot.
 * An item that was named is sent next even when it was recalled meanwhile: the client knows, and
 * has replies to hear.
 */
static void send_items(struct deliver *d, struct batch *b, struct hop *hops, size_t hop_count)
{
    struct outgoing *out = make_outgoing(b);
    struct smtp_client *c = NULL;
    for (size_t i = next_wanted(b, 0), after; i < b->count; i = after) {
        if (!c)
            c = connect_any(d, b, hops, hop_count, &b->reply);
        if (!c) { /* the servers of a destination are out of reach together */
            b->unreachable = true;
            return;
        }
        after = next_wanted(b, i + 1);
        out[i].message.next = after < b->count ? &out[after].message : NULL;
        if (send_item(b, &b->items[i], &out[i].message, c) && smtp_client_usable(c))
            continue;
        smtp_client_close(c);
        c = NULL;
        after = next_wanted(b, i + 1);
    }
    if (c)
        smtp_pool_give(d->pool, b->destination, c);
}

static void trace_results(const struct batch *b)
{
    for (size_t i = 0; i < b->count; i++)
        for (size_t j = 0; j < b->items[i].recipient_count; j++) {
            const struct batch_recipient *r = &b->items[i].recipients[j];
            bool tried = r->result != WAIT;
            trace_stop(STOP_DELIVER, b->items[i].message, "to=<%.*s> result=%s reply=%s",
                       P(r->to.address), tried ? outcome_name(r->result) : "waits",
                       log_quote(tried ? r->reply : b->reply));
        }
}

void deliver_remote(struct deliver *d, struct batch *b)
{
    struct hop *hops = NULL;
    size_t hop_count = 0;
    enum outcome o = route_batch(d, b, &hops, &hop_count);
    if (o == TEMPFAIL)
        b->unreachable = true;
    else if (o == PERMFAIL)
        refuse_items(b);
    else
        send_items(d, b, hops, hop_count);
    trace_results(b);
}
