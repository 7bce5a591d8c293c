/* DELE (RFC 1939 section 5): a mark; QUIT removes. */
#include "pop3/command.h"

#include "base/banned.h"

void pop3_cmd_dele(struct pop3 *p, slice argument)
{
    uint32_t position;
    struct entry e;
    if (!pop3_number(p, argument, &position, &e))
        return;
    maildrop_delete(&p->drop, position, &e);
    pop3_ok(p, "%s", pop3_say(p, "Marked", "已标记删除"));
}
