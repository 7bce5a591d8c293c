/* RCPT TO (RFC 5321 4.1.1.3): adds a recipient, or says why not; the others stay (S2). */
#include "smtp/command.h"

#include "base/log.h"
#include "base/banned.h"

static bool is_there(const struct envelope *e, slice address)
{
    for (size_t i = 0; i < e->recipient_count; i++)
        if (slice_eq(e->recipients[i].address, address))
            return true;
    return false;
}

static void add_recipient(struct smtp_session *s, slice address)
{
    struct envelope *e = &s->envelope;
    e->recipients = arena_grow(&s->mail, e->recipients, e->recipient_count, &s->recipient_capacity,
                               sizeof(*e->recipients));
    e->recipients[e->recipient_count++] =
        (struct recipient){.address = arena_dup(&s->mail, address), .orcpt = S("")};
    smtp_enter(s, STATE_RCPT);
}

static int refuse(struct smtp_session *s, slice address, const struct smtp_answer *answer)
{
    int code = smtp_reply_answer(s, answer);
    s->refusals += code >= 500;
    log_event(LEVEL_INFO, "smtp.refuse", "session=%s peer=%s from=%s to=%s code=%d text=%s",
              s->base.id, s->base.peer.ip, log_quote(s->envelope.sender), log_quote(address), code,
              log_quote(answer->text));
    return code;
}

/* a holds what only this command needs, so that refused recipients cost no memory. */
static int add(struct smtp_session *s, struct arena *a, slice arg)
{
    const struct smtp_host *host = s->options->host;
    struct envelope *e = &s->envelope;
    slice address;
    if (!slice_eat_icase(&arg, S("TO:")))
        return smtp_reply(s, "501 5.5.4 Syntax: RCPT TO:<address>");
    enum path_result r = smtp_path_parse(a, &arg, PATH_POSTMASTER, &address);
    if (r != PATH_OK)
        return smtp_reply_path(s, "5.1.3", r);
    struct params p = {.of = PARAMS_OF_RCPT, .offered = smtp_offered(s)};
    const char *wrong = smtp_params_parse(&p, a, arg);
    if (wrong)
        return smtp_reply(s, "%s", wrong);
    if (slice_eq(address, S("postmaster")))
        address = arena_printf(a, "postmaster@%.*s", P(s->options->hostname));
    if (is_there(e, address))
        return smtp_reply(s, "250 2.1.5 Recipient is in the list already");
    if (e->recipient_count >= LIMIT_RECIPIENTS)
        return smtp_reply(s, "452 4.5.3 Too many recipients; send this mail, then another");
    struct smtp_answer answer = {0};
    if (host->rcpt(host->ctx, a, e, address, &answer) != DONE)
        return refuse(s, address, &answer);
    add_recipient(s, address);
    return smtp_reply(s, "250 2.1.5 Recipient ok");
}

int smtp_cmd_rcpt(struct smtp_session *s, slice arg)
{
    struct arena a = {0};
    int code = add(s, &a, arg);
    arena_end(&a);
    log_step(s->base.who, "envelope", "RCPT %.*s; we say %d", P(arg), code);
    return code;
}
