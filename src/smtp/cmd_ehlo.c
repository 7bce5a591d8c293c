/* EHLO and HELO (RFC 5321 4.1.1.1): the greeting; again in mid-session it is a RSET (S9). */
#include "smtp/command.h"

#include <stdio.h>

#include "base/log.h"
#include "smtp/path.h"
#include "base/banned.h"

/* The name is logged and traced, and never a reason to refuse mail unless it is no name (S10). */
static bool greet(struct smtp_session *s, slice name, bool esmtp)
{
    if (!smtp_helo_valid(name))
        return false;
    memcpy(s->helo, name.p, name.n);
    s->helo[name.n] = '\0';
    s->esmtp = esmtp;
    smtp_reset(s);
    return true;
}

int smtp_cmd_ehlo(struct smtp_session *s, slice arg)
{
    if (!greet(s, arg, true))
        return smtp_reply(s, "501 5.5.4 Syntax: EHLO domain or address literal");
    struct buf lines = {.max = 4 * LIMIT_SMTP_REPLY}, words = lines;
    unsigned offered = smtp_offered(s);
    for (unsigned e = EXT_NONE + 1; e < EXT_LAST; e++) {
        const struct smtp_extension_row *row = &smtp_extension_table[e];
        if (!(offered & 1U << e))
            continue;
        buf_printf(&words, " %.*s", P(row->keyword));
        buf_printf(&lines, "\n%.*s", P(row->keyword));
        if (row->print)
            row->print(s, &lines);
    }
    int code = smtp_reply(s, "250 %.*s greets %s%.*s", P(s->options->hostname), s->helo,
                          P(buf_slice(&lines)));
    log_step(s->base.who, "handshake", "EHLO %s; we say %d and offer%.*s", s->helo, code,
             P(buf_slice(&words)));
    buf_end(&lines);
    buf_end(&words);
    return code;
}

int smtp_cmd_helo(struct smtp_session *s, slice arg)
{
    if (!greet(s, arg, false))
        return smtp_reply(s, "501 5.5.4 Syntax: HELO domain");
    log_step(s->base.who, "handshake", "HELO %s; we say 250", s->helo);
    return smtp_reply(s, "250 %.*s greets %s", P(s->options->hostname), s->helo);
}
