/* RSET (RFC 5321 4.1.1.5): forgets the transaction, keeps the greeting and the login. */
#include "smtp/command.h"

#include "base/log.h"
#include "base/banned.h"

int smtp_cmd_rset(struct smtp_session *s, slice arg)
{
    (void)arg;
    if (s->state & STATES_TRANSACTION)
        log_step(s->base.who, "envelope", "RSET: this mail is forgotten");
    smtp_reset(s);
    return smtp_reply(s, "250 2.0.0 Ok");
}
