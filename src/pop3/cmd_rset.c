/* RSET (RFC 1939 section 5): no message is marked any more. */
#include "pop3/command.h"

#include "base/banned.h"

void pop3_cmd_rset(struct pop3 *p, slice argument)
{
    (void)argument;
    maildrop_undelete_all(&p->drop);
    pop3_ok(p, pop3_say(p, "%u messages (%llu octets)", "%u 封邮件（%llu 字节）"),
            p->drop.info.count, (unsigned long long)p->drop.info.size);
}
