/* VRFY (RFC 5321 3.5.3, 7.3): who exists is told to senders of mail, one RCPT at a time. */
#include "smtp/command.h"

#include "base/banned.h"

int smtp_cmd_vrfy(struct smtp_session *s, slice arg)
{
    (void)arg;
    return smtp_reply(s, "252 2.5.2 Not verified here; send the mail and RCPT will say");
}
