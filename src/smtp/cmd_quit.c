/* QUIT (RFC 5321 4.1.1.10): always 221, then close (S9). */
#include "smtp/command.h"

#include "base/log.h"
#include "base/banned.h"

int smtp_cmd_quit(struct smtp_session *s, slice arg)
{
    (void)arg;
    log_step(s->base.who, "closure", "QUIT after %u message%s; we say 221", s->mails,
             s->mails == 1 ? "" : "s");
    s->base.peer_done = true;
    return smtp_reply_close(s, "221 2.0.0 Goodbye");
}
