/*
 * UIDL (RFC 1939 section 7): "uidvalidity.uid", which the store never gives twice, keeps over
 * restarts, and advances when it is restored from a backup.
 */
#include "pop3/command.h"

#include "base/banned.h"

enum { UIDL_STEP = 256 };

static void send(struct pop3 *p)
{
    struct entry entries[UIDL_STEP];
    while (p->at < p->drop.info.count) {
        if (!pop3_has_room(p, send))
            return;
        uint32_t n = view_list(p->drop.view, p->at, entries, UIDL_STEP);
        for (uint32_t i = 0; i < n; i++)
            if (!maildrop_is_deleted(&p->drop, p->at + i))
                buf_printf(&p->s.out, "%u %u.%u\r\n", p->at + i + 1, p->drop.info.uidvalidity,
                           entries[i].uid);
        p->at = n ? p->at + n : p->drop.info.count;
    }
    buf_add(&p->s.out, S(".\r\n"));
}

void pop3_cmd_uidl(struct pop3 *p, slice argument)
{
    uint32_t position;
    struct entry e;
    if (argument.n == 0) {
        pop3_ok(p, "%s", pop3_say(p, "Unique ids follow", "唯一标识如下"));
        p->at = 0;
        send(p);
    } else if (pop3_number(p, argument, &position, &e)) {
        pop3_ok(p, "%u %u.%u", position + 1, p->drop.info.uidvalidity, e.uid);
    }
}
