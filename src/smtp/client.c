/*
 * One mail transaction of the SMTP client (RFC 5321 3.3, RFC 2920): stop 2, and the heart of
 * stop 9. Questions go out in one group, [RSET] MAIL RCPT... DATA, and their replies are matched by
 * count (S13); without PIPELINING each waits for the one before.  The mail that is to follow is
 * announced in one write with the dot of this one, so that a mail costs one round trip.
 */
#include "smtp/client.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "smtp/client_private.h"
#include "smtp/dot.h"
#include "base/banned.h"

enum { BLOCK = 64 * 1024 };

/* The questions of one transaction in their order on the wire. */
enum ask { ASK_RESET, ASK_MAIL, ASK_RCPT, ASK_DATA };

struct sending {
    struct smtp_client *c;
    const struct smtp_message *m;
    struct arena *a;
    struct smtp_reply *rcpt; /* the caller's */
    struct to {
        size_t i;   /* index into the envelope's recipients */
        bool taken; /* its RCPT was answered 2yz: the reply to the dot decides */
    } * to;         /* the recipients that are asked for */
    size_t to_count, taken_count;
    size_t said, heard;                 /* positions: 0 RSET, 1 MAIL, 2.. RCPT, the last one DATA */
    struct smtp_reply mail, data, last; /* last: to DATA or the dot, for who was taken */
    bool recalled;                      /* point_of_no_return said no */
};

static size_t data_position(const struct sending *s)
{
    return 2 + s->to_count;
}

static enum ask ask_at(const struct sending *s, size_t position)
{
    return position == 0                 ? ASK_RESET
           : position == 1               ? ASK_MAIL
           : position < data_position(s) ? ASK_RCPT
                                         : ASK_DATA;
}

static bool refuse_all(struct sending *s, int code, slice enhanced, slice text)
{
    for (size_t i = 0; i < s->m->envelope->recipient_count; i++)
        s->rcpt[i] = (struct smtp_reply){code, enhanced, text};
    return false;
}

/* The recipients this server can be asked for; the others get their reply here. */
static void choose_recipients(struct sending *s)
{
    const struct envelope *e = s->m->envelope;
    s->to = arena_array(s->a, e->recipient_count, sizeof(*s->to));
    for (size_t i = 0; i < e->recipient_count; i++) {
        if (!s->c->utf8 && !slice_is_ascii(e->recipients[i].address))
            s->rcpt[i] = (struct smtp_reply){
                553, S("5.6.7"), S("the next server does not take addresses beyond ASCII")};
        else if (s->c->rcpt_max && s->to_count >= s->c->rcpt_max)
            s->rcpt[i] = (struct smtp_reply){452, S("4.5.3"),
                                             S("the next server takes fewer recipients at a time")};
        else
            s->to[s->to_count++].i = i;
    }
}

/* How long the mail is to be held from now on (RFC 4865); 0 when its time has come.  An interval
 * rather than a time, because the clocks of two machines differ. */
static int64_t hold_seconds(const struct envelope *e)
{
    int64_t wait_ms = e->hold_until_ms - clock_ms();
    return e->hold_until_ms && wait_ms > 0 ? (wait_ms + SECOND_MS - 1) / SECOND_MS : 0;
}

/* What can be known without asking (S19, S21, S22).  False when nobody is left to be asked for. */
static bool prepare(struct sending *s)
{
    const struct smtp_client *c = s->c;
    const struct envelope *e = s->m->envelope;
    for (size_t i = 0; i < e->recipient_count; i++)
        s->rcpt[i] = (struct smtp_reply){.enhanced = S(""), .text = S("")};
    if (c->size && s->m->size > c->size)
        return refuse_all(s, 552, S("5.3.4"),
                          arena_printf(s->a, "the next server takes at most %llu octets",
                                       (unsigned long long)c->size));
    if (e->eight_bit && !c->eight_bit)
        return refuse_all(s, 554, S("5.6.3"), S("the next server does not take 8-bit messages"));
    if (!c->utf8 && !slice_is_ascii(e->sender))
        return refuse_all(s, 553, S("5.6.7"),
                          S("the next server does not take addresses beyond ASCII"));
    if (hold_seconds(e) && !smtp_client_has(c, S("FUTURERELEASE"))) /* RFC 4865 4.1: never early */
        return refuse_all(s, 555, S("5.5.4"), S("the next server cannot hold mail"));
    choose_recipients(s);
    s->said = s->heard = c->reset_owed ? 0 : 1;
    return s->to_count > 0;
}

static bool is_utf8_mail(const struct sending *s)
{
    const struct envelope *e = s->m->envelope;
    bool ascii = slice_is_ascii(e->sender);
    for (size_t i = 0; i < s->to_count; i++)
        ascii = ascii && slice_is_ascii(e->recipients[s->to[i].i].address);
    return !ascii;
}

static bool say_mail(struct sending *s)
{
    const struct envelope *e = s->m->envelope;
    char size[40] = "", hold[40] = "";
    int64_t seconds = hold_seconds(e);
    if (seconds)
        snprintf(hold, sizeof(hold), " HOLDFOR=%lld", (long long)seconds);
    if (s->m->size && smtp_client_has(s->c, S("SIZE")))
        snprintf(size, sizeof(size), " SIZE=%llu", (unsigned long long)s->m->size);
    s->c->mails++;
    s->c->reset_owed = true; /* until the dot is answered */
    return client_say(s->c, "MAIL FROM:<%.*s>%s%s%s%s", P(e->sender), size, hold,
                      e->eight_bit ? " BODY=8BITMIME" : "", is_utf8_mail(s) ? " SMTPUTF8" : "");
}

/* The last moment at which a recall wins. */
static bool say_data(struct sending *s)
{
    s->recalled = s->m->point_of_no_return && !s->m->point_of_no_return(s->m->ctx);
    return !s->recalled && client_say(s->c, "DATA");
}

/* Says the next question; false when there is nothing more to say. */
static bool say_next(struct sending *s)
{
    const struct envelope *e = s->m->envelope;
    bool said = false;
    switch (ask_at(s, s->said)) {
    case ASK_RESET:
        said = client_say(s->c, "RSET");
        break;
    case ASK_MAIL:
        said = say_mail(s);
        break;
    case ASK_RCPT:
        said = client_say(s->c, "RCPT TO:<%.*s>", P(e->recipients[s->to[s->said - 2].i].address));
        break;
    case ASK_DATA:
        said = say_data(s);
        break;
    }
    s->said += said;
    return said;
}

static void take_rcpt(struct sending *s, struct to *to, struct smtp_reply *r)
{
    reply_settle(r, s->a, true);
    to->taken = r->code / 100 == 2;
    s->taken_count += to->taken;
    if (!to->taken)
        s->rcpt[to->i] = *r;
    log_step(s->c->who, "envelope", "RCPT TO:<%.*s>: %d %.*s",
             P(s->m->envelope->recipients[to->i].address), r->code, P(r->text));
}

static void take_mail(struct sending *s, struct smtp_reply *r)
{
    reply_settle(r, s->a, false);
    s->mail = *r;
    log_step(s->c->who, "envelope", "MAIL FROM:<%.*s>: %d %.*s", P(s->m->envelope->sender), r->code,
             P(r->text));
}

static void take_data(struct sending *s, struct smtp_reply *r)
{
    s->data = *r;
    log_step(s->c->who, "transfer", "DATA: %d %.*s", r->code, P(r->text));
}

/* Hears the reply to the oldest question. */
static bool hear_next(struct sending *s)
{
    struct smtp_client *c = s->c;
    struct smtp_reply r;
    enum ask ask = ask_at(s, s->heard);
    if (!client_hear(c, s->a, ask == ASK_DATA ? WAIT_DATA_MS : WAIT_COMMAND_MS, &r))
        return false;
    if (ask == ASK_MAIL)
        take_mail(s, &r);
    else if (ask == ASK_RCPT)
        take_rcpt(s, &s->to[s->heard - 2], &r);
    else if (ask == ASK_DATA)
        take_data(s, &r);
    s->heard++;
    return c->alive;
}

/* Without PIPELINING a refusal spares the rest of the questions. */
static bool is_pointless(const struct sending *s)
{
    if (s->heard > 1 && s->mail.code / 100 != 2)
        return true;
    return s->said == data_position(s) && s->heard == s->said && s->taken_count == 0;
}

/* All questions and all replies; at most LIMIT_SMTP_WINDOW are on their way, so that neither end
 * blocks on a full socket (RFC 2920 3.1). */
static bool converse(struct sending *s)
{
    size_t window = s->c->pipelining ? LIMIT_SMTP_WINDOW : 1;
    while (s->said <= data_position(s) && s->c->alive && !s->recalled) {
        if (s->said - s->heard >= window && !hear_next(s))
            return false;
        if ((!s->c->pipelining && is_pointless(s)) || !say_next(s))
            break;
    }
    while (s->heard < s->said)
        if (!hear_next(s))
            return false;
    return s->c->alive;
}

static bool put_body(void *ctx, slice run)
{
    struct smtp_client *c = ctx;
    return dial_write(c->dial, run);
}

/* The message up to its dot, which waits in the buffer.  False: the connection is lost, on purpose
 * when the message cannot be read to its end (no half message may be taken). */
static bool say_body(struct sending *s)
{
    struct smtp_client *c = s->c;
    struct dot_writer dots = {.put = put_body, .ctx = c};
    uint64_t size = 0;
    ssize_t n;
    if (!c->block)
        c->block = arena_alloc(&c->life, BLOCK);
    dial_timeout(c->dial, WAIT_BLOCK_MS);
    while ((n = s->m->body(s->m->ctx, c->block, BLOCK)) > 0) {
        slice bytes = {c->block, (size_t)n};
        size += bytes.n;
        if (!c->eight_bit && !slice_is_ascii(bytes)) { /* S21 */
            s->last = (struct smtp_reply){554, S("5.6.3"),
                                          S("the next server does not take 8-bit messages")};
            client_lose(c, "dropped in the middle of an 8-bit message");
            return false;
        }
        if (!dot_write(&dots, bytes))
            break;
    }
    if (n < 0)
        client_lose(c, "the message could not be read to its end");
    else if (n > 0 || !dot_write_end(&dots))
        client_lose(c, dial_error(c->dial));
    log_step(c->who, "transfer", "%llu octets and the dot", (unsigned long long)size);
    return c->alive;
}

/* Puts the questions of the mail that follows behind this one's dot. */
static void announce(struct smtp_client *c, const struct smtp_message *next)
{
    bool fits = next && c->pipelining && (c->mail_max == 0 || c->mails < c->mail_max) &&
                next->envelope->recipient_count + 2 < LIMIT_SMTP_WINDOW;
    if (!fits)
        return;
    struct arena a = {0};
    struct smtp_reply *rcpt = arena_array(&a, next->envelope->recipient_count + 1, sizeof(*rcpt));
    struct sending s = {.c = c, .m = next, .a = &a, .rcpt = rcpt};
    if (prepare(&s)) {
        while (s.said <= data_position(&s) && say_next(&s))
            continue;
        c->announced = next;
        c->announced_recalled = s.recalled;
    }
    arena_end(&a);
}

/* After 354: the message, its dot, the reply. */
static bool transfer(struct sending *s)
{
    struct smtp_client *c = s->c;
    if (s->taken_count == 0) /* 354 all the same: a lone dot ends it (S13, RFC 2920 3.1) */
        client_say(c, ".");
    else if (!say_body(s))
        return false;
    c->reset_owed = false;
    if (s->taken_count)
        announce(c, s->m->next);
    if (!client_hear(c, s->a, WAIT_DOT_MS, &s->last))
        return false;
    log_step(c->who, "transfer", "the server says %d %.*s", s->last.code, P(s->last.text));
    reply_settle(&s->last, s->a, false);
    return c->alive;
}

/* What DATA was answered.  2yz would be an acceptance of nothing: who says so is not understood. */
static bool data_answered(struct sending *s)
{
    if (s->data.code == 354)
        return transfer(s);
    s->last = s->data;
    if (s->data.code / 100 == 2) {
        s->last = (struct smtp_reply){451, S("4.5.0"), S("DATA was answered with a success")};
        client_lose(s->c, "DATA was answered with a success");
    }
    reply_settle(&s->last, s->a, false);
    return s->c->alive;
}

/* Gives every recipient that was asked for the reply that decides. */
static void decide(struct sending *s)
{
    struct smtp_reply none = {.enhanced = S(""), .text = arena_dup(s->a, slice_c(s->c->error))};
    for (size_t i = 0; i < s->to_count; i++) {
        struct smtp_reply *r = &s->rcpt[s->to[i].i];
        if (s->mail.code && s->mail.code / 100 != 2)
            *r = s->mail;
        else if (s->to[i].taken && s->last.code)
            *r = s->last;
        else if (r->code == 0)
            *r = none;
    }
}

/* Our own servers say which id they gave the message. */
static int64_t id_given(slice text)
{
    ptrdiff_t at = slice_search(text, S("Accepted as "));
    int64_t id = 0;
    if (at >= 0)
        id_parse(slice_sub(text, (size_t)at + 12, (size_t)at + 12 + ID_TEXT), &id);
    return id;
}

bool smtp_client_send(struct smtp_client *c, const struct smtp_message *m, struct arena *a,
                      struct smtp_reply *rcpt)
{
    struct sending s = {.c = c, .m = m, .a = a, .rcpt = rcpt};
    const struct smtp_message *announced = c->announced;
    c->announced = NULL;
    if (announced && announced != m) /* its DATA is out: it cannot be taken back */
        client_lose(c, "another mail was announced to the server");
    if (!prepare(&s))
        return c->alive;
    if (announced) { /* only the replies are left to hear */
        s.heard = 1;
        s.said = data_position(&s) + !c->announced_recalled;
        s.recalled = c->announced_recalled;
    }
    bool held = converse(&s);
    if (held && s.recalled)
        return true;
    if (held && s.said > data_position(&s))
        held = data_answered(&s);
    decide(&s);
    if (s.last.code == 250 && s.taken_count)
        trace_stop(STOP_SUBMIT, id_given(s.last.text), "server=%s from=%s to=%zu size=%llu",
                   log_quote(slice_c(dial_remote(c->dial))), log_quote(m->envelope->sender),
                   s.taken_count, (unsigned long long)m->size);
    return held;
}
