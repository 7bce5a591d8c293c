/* LIST (RFC 1939 section 5): the octets a client gets once the dots are unstuffed. */
#include "pop3/command.h"

#include "base/banned.h"

enum { LIST_STEP = 256 };

static void send(struct pop3 *p)
{
    struct entry entries[LIST_STEP];
    while (p->at < p->drop.info.count) {
        if (!pop3_has_room(p, send))
            return;
        uint32_t n = view_list(p->drop.view, p->at, entries, LIST_STEP);
        for (uint32_t i = 0; i < n; i++)
            if (!maildrop_is_deleted(&p->drop, p->at + i))
                buf_printf(&p->s.out, "%u %llu\r\n", p->at + i + 1,
                           (unsigned long long)entries[i].size);
        p->at = n ? p->at + n : p->drop.info.count;
    }
    buf_add(&p->s.out, S(".\r\n"));
}

void pop3_cmd_list(struct pop3 *p, slice argument)
{
    uint32_t position;
    struct entry e;
    if (argument.n == 0) {
        pop3_ok(p, pop3_say(p, "%u messages", "%u 封邮件"),
                p->drop.info.count - p->drop.deleted_count);
        p->at = 0;
        send(p);
    } else if (pop3_number(p, argument, &position, &e)) {
        pop3_ok(p, "%u %llu", position + 1, (unsigned long long)e.size);
    }
}
