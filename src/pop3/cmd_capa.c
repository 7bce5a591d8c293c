/* CAPA (RFC 2449 section 5): the table, as it applies now. */
#include "pop3/command.h"

#include "base/banned.h"

void pop3_cmd_capa(struct pop3 *p, slice argument)
{
    (void)argument;
    pop3_ok(p, "%s", pop3_say(p, "Capabilities follow", "功能列表如下"));
    for (size_t i = 0; i < pop3_table_rows; i++) {
        const struct pop3_command *c = &pop3_table[i];
        if (!c->capa || (c->offered && !c->offered(p)))
            continue;
        slice more = c->capa_more ? c->capa_more(p) : S("");
        buf_printf(&p->s.out, "%s%.*s\r\n", c->capa, P(more));
    }
    buf_add(&p->s.out, S(".\r\n"));
}
