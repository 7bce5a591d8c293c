/* NOOP (RFC 5321 4.1.1.9). */
#include "smtp/command.h"

#include "base/banned.h"

int smtp_cmd_noop(struct smtp_session *s, slice arg)
{
    (void)arg;
    return smtp_reply(s, "250 2.0.0 Ok");
}
