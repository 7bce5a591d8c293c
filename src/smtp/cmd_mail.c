/* MAIL FROM (RFC 5321 4.1.1.2): begins the transaction and its envelope. */
#include "smtp/command.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/banned.h"

/* RFC 3848: what "with" says in the Received field. */
static slice protocol(const struct smtp_session *s)
{
    static const char *const esmtp[2][2] = {{"ESMTP", "ESMTPA"}, {"ESMTPS", "ESMTPSA"}};
    return slice_c(s->esmtp ? esmtp[s->base.peer.tls][s->login.n > 0] : "SMTP");
}

static void fill(struct smtp_session *s, slice sender, const struct params *p)
{
    const struct peer *peer = &s->base.peer;
    s->envelope = (struct envelope){
        .sender = sender,
        .eight_bit = p->eight_bit,
        .hold_until_ms = p->hold_until_ms,
        .helo = slice_c(s->helo),
        .protocol = protocol(s),
        .peer_ip = slice_c(peer->ip),
        .tls = peer->tls ? arena_printf(&s->mail, "%s %s", peer->tls_version, peer->tls_cipher)
                         : S(""),
        .login = s->login,
        .account = s->account,
        .submission = s->options->service == SMTP_SUBMISSION,
    };
}

int smtp_reply_path(struct smtp_session *s, const char *code, enum path_result r)
{
    if (r == PATH_EIGHT_BIT)
        return smtp_reply(s, "553 5.6.7 %s", path_problem(r));
    return smtp_reply(s, "501 %s Bad address: %s", code, path_problem(r));
}

static int begin(struct smtp_session *s, slice arg)
{
    const struct smtp_options *o = s->options;
    slice sender;
    if (!slice_eat_icase(&arg, S("FROM:")))
        return smtp_reply(s, "501 5.5.4 Syntax: MAIL FROM:<address> [parameters]");
    enum path_result r = smtp_path_parse(&s->mail, &arg, PATH_NULL, &sender);
    if (r != PATH_OK)
        return smtp_reply_path(s, "5.1.7", r);
    struct params p = {.of = PARAMS_OF_MAIL,
                       .offered = smtp_offered(s),
                       .now_ms = clock_ms(),
                       .hold_max_ms = o->hold_max_ms};
    const char *wrong = smtp_params_parse(&p, &s->mail, arg);
    if (wrong)
        return smtp_reply(s, "%s", wrong);
    if (p.size > o->message_size)
        return smtp_reply(s, "552 5.3.4 Messages of at most %llu octets are taken here",
                          (unsigned long long)o->message_size);
    fill(s, sender, &p);
    struct smtp_answer answer = {0};
    if (o->host->mail(o->host->ctx, &s->mail, &s->envelope, p.size, &answer) != DONE)
        return smtp_reply_answer(s, &answer);
    return smtp_reply(s, "250 2.1.0 Sender ok");
}

int smtp_cmd_mail(struct smtp_session *s, slice arg)
{
    int code = begin(s, arg);
    log_step(s->base.who, "envelope", "MAIL %.*s; we say %d", P(arg), code);
    if (code == 250)
        smtp_enter(s, STATE_MAIL);
    else
        smtp_reset(s);
    return code;
}
