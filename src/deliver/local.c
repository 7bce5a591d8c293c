/*
 * Our own mailboxes: deliver_local() is stop 10 both for a mail that is born done (inside
 * queue_commit's transaction) and for one that waited.  Return-Path and Delivered-To are the
 * recipient's own prefix (RFC 5321 4.4, RFC 9228); the body is shared by all recipients of one
 * acceptance.
 */
#include <assert.h>

#include "base/budget.h"
#include "base/clock.h"
#include "base/log.h"
#include "deliver/internal.h"
#include "message/trace.h"

#include "base/banned.h"

enum outcome deliver_local(struct store_tx *tx, struct local_delivery *l)
{
    const struct derived *d = l->derived;
    slice prefix =
        arena_printf(tx->arena, "%.*s%.*s%.*s", P(return_path_print(tx->arena, l->sender)),
                     P(delivered_to_print(tx->arena, l->target->address)), P(l->prefix));
    struct mailbox_append m = {
        .account = l->target->account,
        .mailbox = mailbox_by_role(tx->db, l->target->account, ROLE_INBOX),
        .body = l->body,
        .body_bytes = l->body_bytes,
        .prefix = prefix,
        .internaldate_ms = l->received_ms,
        .zone_minutes = clock_zone_minutes(l->received_ms),
        .envelope = d->envelope,
        .bodystructure = d->bodystructure,
        .preview = d->preview,
        .subject = d->subject,
        .message_id = d->message_id,
        .thread_keys = d->thread_keys,
        .delivery_id = l->delivery_id,
        .queue_id = l->queue_id,
    };
    if (!m.mailbox) {
        l->reply = S("550 5.2.1 the mailbox is gone");
        return PERMFAIL;
    }
    enum outcome o = mailbox_append(tx, &m);
    l->mailbox = m.mailbox;
    l->message = m.message;
    l->uid = m.uid;
    l->duplicate = m.duplicate;
    if (o == PERMFAIL)
        l->reply = S("552 5.2.2 the mailbox is full");
    return o;
}

void deliver_local_trace(const struct local_delivery *l)
{
    metric_add(METRIC_DELIVERED_LOCAL, 1);
    trace_stop(STOP_LOCAL, l->queue_id, "to=<%.*s>", P(l->target->address));
    mailbox_trace(l->queue_id, l->mailbox, l->uid);
}

struct local_arg {
    struct batch_item *item;
    struct batch_recipient *recipient;
    struct local_delivery delivery;
};

static enum outcome local_tx(struct store_tx *tx, void *arg)
{
    struct local_arg *l = arg;
    enum outcome o = deliver_local(tx, &l->delivery);
    if (o == DONE && !batch_local_done(tx, l->item, l->recipient, &l->delivery))
        return TEMPFAIL; /* recalled meanwhile: nothing stays of it */
    return o;
}

static bool read_body(struct batch *b, const struct batch_item *item, char *to)
{
    uint64_t at = 0;
    while (at < item->body_bytes) {
        ssize_t n = body_read_found(b->store, item->body, &item->place, at, to + at,
                                    (size_t)(item->body_bytes - at));
        if (n <= 0)
            return false;
        at += (uint64_t)n;
    }
    return true;
}

static void deliver_recipient(struct deliver *d, struct batch_item *item, struct batch_recipient *r,
                              const struct derived *derived)
{
    struct target target = {.address = r->to.address, .account = r->account};
    struct local_arg arg = {
        .item = item,
        .recipient = r,
        .delivery = {.target = &target,
                     .sender = item->envelope.sender,
                     .prefix = item->prefix,
                     .body = item->body,
                     .body_bytes = item->body_bytes,
                     .derived = derived,
                     .queue_id = item->message,
                     .received_ms = item->created_ms},
    };
    struct store_call call = {.account = r->account, .fn = local_tx, .arg = &arg};
    r->result = store_write(d->options.store, &call);
    r->reply = r->result == DONE       ? S("250 2.1.5 delivered")
               : r->result == PERMFAIL ? arg.delivery.reply
                                       : S("451 4.3.0 the mailbox cannot be written now");
    if (r->result != DONE)
        return;
    deliver_local_trace(&arg.delivery);
}

static void deliver_item(struct deliver *d, struct batch *b, struct batch_item *item)
{
    struct arena a = {0};
    struct derived derived;
    size_t n = (size_t)item->body_bytes;
    slice reply = S("");
    if (!point_of_no_return(item))
        return;
    if (!budget_take(n)) {
        reply = S("451 4.3.1 no memory for this message now");
    } else {
        char *bytes = arena_alloc(&a, n + 1);
        if (read_body(b, item, bytes)) {
            message_derive((slice){bytes, n}, &a, &derived);
            for (size_t i = 0; i < item->recipient_count; i++)
                deliver_recipient(d, item, &item->recipients[i], &derived);
        } else {
            reply = S("451 4.3.0 the message cannot be read: run yizhan check");
        }
        budget_give(n);
    }
    for (size_t i = 0; i < item->recipient_count && reply.n; i++) {
        item->recipients[i].result = TEMPFAIL;
        item->recipients[i].reply = reply;
    }
    arena_end(&a);
}

void deliver_local_batch(struct deliver *d, struct batch *b)
{
    struct hop *none = NULL;
    size_t count = 0;
    route_batch(d, b, &none, &count);
    for (size_t i = 0; i < b->count; i++)
        deliver_item(d, b, &b->items[i]);
}
