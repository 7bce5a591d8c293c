/*
 * DATA (RFC 5321 4.1.1.4): the message, dots removed, goes to the host's spool; after CRLF.CRLF the
 * host decides for each recipient, and the answers are folded into the one reply SMTP has.
 * A message with a bare CR or LF is swallowed to its true end, refused, and the connection closed,
 * because what is pipelined behind it may have been smuggled (S3).
 */
#include "smtp/command.h"

#include "base/log.h"
#include "base/rand.h"
#include "base/banned.h"

static int start(struct smtp_session *s)
{
    const struct smtp_host *host = s->options->host;
    s->envelope.peer_name = s->peer_name;
    s->body = host->body_open(host->ctx);
    if (!s->body)
        return smtp_reply(s, "452 4.3.1 No room for a message now; try again later");
    s->dot = (struct dot){0};
    s->body_size = 0;
    s->disk_full = false;
    smtp_enter(s, STATE_DATA);
    log_step(s->base.who, "transfer", "DATA for %zu recipient%s; we say 354",
             s->envelope.recipient_count, s->envelope.recipient_count == 1 ? "" : "s");
    return smtp_reply(s, "354 Send the message; a line of one dot ends it");
}

int smtp_cmd_data(struct smtp_session *s, slice arg)
{
    (void)arg;
    if (s->state == STATE_MAIL)
        return smtp_reply(s, "554 5.5.1 There is no valid recipient");
    return smtp_wants_name(s) ? smtp_ask_name(s, start) : start(s);
}

/* Once the message cannot be taken its bytes need no room any more. */
static void take(struct smtp_session *s, slice run)
{
    const struct smtp_host *host = s->options->host;
    s->body_size += run.n;
    if (!s->body)
        return;
    if (!s->envelope.eight_bit) /* many send 8-bit text and never say so (RFC 6152) */
        s->envelope.eight_bit = !slice_is_ascii(run);
    bool fits = s->body_size <= s->options->message_size && !s->dot.bare && !s->dot.long_line;
    if (fits && run.n && !host->body_add(s->body, run))
        s->disk_full = true;
    if (!fits || s->disk_full) {
        host->body_close(s->body);
        s->body = NULL;
    }
}

/*
 * One reply for all recipients.  Any 4yz: that one; the client sends the mail again to all, and for
 * who has it already the retransmission is recognised.  Else any 250: 250; a 5yz beside it is the
 * host's to report with a failure notice (RFC 5321 6.1).  All 5yz: the first.  NULL stands for 250.
 */
static const struct smtp_answer *fold(const struct smtp_answer *answers, size_t count)
{
    const struct smtp_answer *permanent = NULL;
    bool accepted = false;
    for (size_t i = 0; i < count; i++) {
        int class = answers[i].code / 100;
        if (class == 2)
            accepted = true;
        else if (class != 5)
            return &answers[i];
        else if (!permanent)
            permanent = &answers[i];
    }
    return accepted ? NULL : permanent;
}

static int accept_body(struct smtp_session *s, slice *queue_id)
{
    const struct smtp_host *host = s->options->host;
    struct envelope *e = &s->envelope;
    struct smtp_answer *answers = arena_array(&s->mail, e->recipient_count, sizeof(*answers));
    host->body_accept(s->body, &s->mail, e, answers, queue_id);
    const struct smtp_answer *refusal = fold(answers, e->recipient_count);
    if (refusal)
        return smtp_reply_answer(s, refusal);
    s->mails++;
    s->commands = s->refusals = 0;
    return smtp_reply(s, "250 2.0.0 Accepted as %.*s", P(*queue_id));
}

static int end_reply(struct smtp_session *s, slice *queue_id)
{
    if (s->dot.bare)
        return smtp_reply_close(s, "550 5.6.0 A CR or LF stands alone in the message; lines end "
                                   "in CRLF");
    if (s->dot.long_line)
        return smtp_reply(s, "554 5.6.0 A line of the message is longer than %d octets",
                          LIMIT_SMTP_TEXT_LINE);
    if (s->body_size > s->options->message_size)
        return smtp_reply(s, "552 5.3.4 Messages of at most %llu octets are taken here",
                          (unsigned long long)s->options->message_size);
    if (s->disk_full)
        return smtp_reply(s, "452 4.3.1 No room for this message now; try again later");
    return accept_body(s, queue_id);
}

static enum metric metric_of(int code)
{
    return code < 400   ? METRIC_SMTP_ACCEPTED
           : code < 500 ? METRIC_SMTP_DEFERRED
                        : METRIC_SMTP_REJECTED;
}

/* CRLF.CRLF has come: stop 4 of the journey. */
void smtp_data_end(struct smtp_session *s)
{
    slice queue_id = S("-");
    int64_t msg = 0;
    int code = end_reply(s, &queue_id);
    id_parse(queue_id, &msg);
    metric_add(metric_of(code), 1);
    if (code == 250)
        trace_stop(STOP_SERVER, msg, "session=%s peer=%s from=%s to=%zu size=%llu", s->base.id,
                   s->base.peer.ip, log_quote(s->envelope.sender), s->envelope.recipient_count,
                   (unsigned long long)s->body_size);
    else
        log_event(LEVEL_INFO, "smtp.refuse", "session=%s peer=%s from=%s size=%llu code=%d",
                  s->base.id, s->base.peer.ip, log_quote(s->envelope.sender),
                  (unsigned long long)s->body_size, code);
    log_step(s->base.who, "transfer", "%llu octets and the dot; we say %d, id %.*s",
             (unsigned long long)s->body_size, code, P(queue_id));
    smtp_reset(s);
}

size_t smtp_data_feed(struct smtp_session *s, slice in)
{
    size_t at = 0;
    while (at < in.n && !s->dot.ended) {
        slice run;
        at += dot_read(&s->dot, slice_skip(in, at), &run);
        take(s, run);
    }
    if (s->dot.ended)
        smtp_data_end(s);
    else if (s->body_size > s->options->message_size + LIMIT_SMTP_SWALLOW)
        smtp_reply_close(s, "552 5.3.4 The message has no end");
    return at;
}
