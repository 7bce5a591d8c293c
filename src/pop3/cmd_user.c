/* USER and PASS (RFC 1939 section 7): refused where a password would travel in the clear. */
#include "pop3/command.h"

#include "base/banned.h"

bool pop3_is_safe(const struct pop3 *p)
{
    return p->s.peer.tls || p->s.peer.loopback || p->options->password_without_tls;
}

bool pop3_offers_user(const struct pop3 *p)
{
    return pop3_is_safe(p);
}

static bool refuse_unsafe(struct pop3 *p)
{
    if (pop3_is_safe(p))
        return false;
    pop3_bad(p, "%s", pop3_say(p, "Encrypt first: STLS", "请先用 STLS 加密"));
    return true;
}

/* The same answer for any name: who exists is told to nobody. */
void pop3_cmd_user(struct pop3 *p, slice argument)
{
    if (refuse_unsafe(p))
        return;
    if (argument.n > sizeof(p->user)) {
        pop3_bad(p, "%s", pop3_say(p, "Name too long", "用户名过长"));
        return;
    }
    memcpy(p->user, argument.p, argument.n);
    p->user_bytes = argument.n;
    pop3_ok(p, "%s", pop3_say(p, "Now PASS", "请输入 PASS"));
}

void pop3_cmd_pass(struct pop3 *p, slice argument)
{
    if (refuse_unsafe(p))
        return;
    if (p->user_bytes == 0) {
        pop3_bad(p, "%s", pop3_say(p, "USER first", "请先输入 USER"));
        return;
    }
    p->sasl = sasl_start_password(p->options->login, "pop3", &p->s.peer);
    enum sasl_result result = sasl_password(p->sasl, (slice){p->user, p->user_bytes}, argument);
    p->user_bytes = 0;
    pop3_login(p, result, S(""));
}
