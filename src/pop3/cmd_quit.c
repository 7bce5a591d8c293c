/* QUIT (RFC 1939 section 6): the only way into UPDATE; all marks go in one transaction or none. */
#include "pop3/command.h"

#include "base/log.h"
#include "base/banned.h"

static void update(struct pop3 *p)
{
    uint32_t marked = p->drop.deleted_count;
    enum outcome o = maildrop_update(&p->drop);
    if (marked)
        log_event(o == DONE ? LEVEL_INFO : LEVEL_ERROR, "pop3.update",
                  "session=%s account=%lld deleted=%u outcome=%s", p->s.id, (long long)p->account,
                  marked, outcome_name(o));
    if (o == DONE)
        pop3_ok(p, pop3_say(p, "Goodbye, %u removed", "再见，已删除 %u 封"), marked);
    else
        pop3_err(p, "[SYS/TEMP] %s",
                 pop3_say(p, "some deleted messages not removed", "部分邮件未能删除"));
    log_step(p->s.who, "closure", "QUIT: %llu retrieved, %u removed",
             (unsigned long long)p->retrieved, o == DONE ? marked : 0);
}

void pop3_cmd_quit(struct pop3 *p, slice argument)
{
    (void)argument;
    if (p->state == POP3_TRANSACTION) {
        update(p);
    } else {
        pop3_ok(p, "%s", pop3_say(p, "Goodbye", "再见"));
        log_step(p->s.who, "closure", "QUIT before a login");
    }
    /* The lock is free before the client can read the answer and log in again. */
    maildrop_close(&p->drop);
    p->s.want = SESSION_CLOSE;
    p->s.peer_done = true;
}
