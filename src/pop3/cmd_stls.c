/* STLS (RFC 2595 section 4): net/ drops what was pipelined behind it (rule S15). */
#include "pop3/command.h"

#include "base/log.h"
#include "base/banned.h"

bool pop3_offers_stls(const struct pop3 *p)
{
    return p->options->tls_available && !p->s.peer.tls && p->state == POP3_AUTHORIZATION;
}

void pop3_cmd_stls(struct pop3 *p, slice argument)
{
    (void)argument;
    if (p->s.peer.tls)
        pop3_bad(p, "%s", pop3_say(p, "Encrypted already", "已经加密"));
    else if (!p->options->tls_available)
        pop3_err(p, "%s", pop3_say(p, "No TLS here", "此处不支持 TLS"));
    else if (p->utf8) /* RFC 6856 2.1 */
        pop3_bad(p, "%s", pop3_say(p, "STLS goes before UTF8", "STLS 必须在 UTF8 之前"));
    else {
        pop3_ok(p, "%s", pop3_say(p, "Begin TLS", "开始 TLS"));
        p->s.want = SESSION_TLS;
    }
}
