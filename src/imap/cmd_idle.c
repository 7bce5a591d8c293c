/*
 * IDLE (RFC 2177): the client listens until it says DONE.  A commit in the mailbox wakes the
 * session (store/view.h: view_watch), which then tells what has changed.  Where nothing happens a
 * word now and then keeps routers from forgetting the connection, and finds out when the client is
 * gone.
 */
#include "imap/command.h"

#include "base/clock.h"
#include "base/log.h"
#include "imap/announce.h"
#include "base/banned.h"

#define WORD_MS (4 * MINUTE_MS)

/* On the writer's thread. */
static void changed(void *arg)
{
    session_notify(arg);
}

static void stop(struct imap *p)
{
    view_unwatch(p->watch);
    p->watch = NULL;
    p->idling = false;
    p->s.timeout_ms = LIMIT_IMAP_SILENCE_MS;
}

static void done(struct imap *p, slice line)
{
    if (slice_eq_icase(line, S("DONE")))
        imap_ok(p, "No longer idle");
    else
        imap_bad(p, "DONE ends it");
}

static void tell(struct imap *p)
{
    if (!announce_step(p)) {
        imap_has_room(p, tell);
        return;
    }
    p->s.want = SESSION_NOTICE;
}

void imap_idle_noticed(struct imap *p)
{
    log_step(p->s.who, "transaction", "IDLE: something is new, we say so");
    announce_start(p, true);
    tell(p);
}

bool imap_idle_goes_on(struct imap *p)
{
    if (clock_mono_ms() >= p->idle_until_ms)
        return false;
    imap_untagged(p, "OK Still here");
    return true;
}

void imap_cmd_idle(struct imap *p, slice args)
{
    (void)args;
    p->idling = true;
    p->idle_until_ms = clock_mono_ms() + LIMIT_IMAP_SILENCE_MS;
    p->s.timeout_ms = WORD_MS;
    p->release = stop;
    p->line = done;
    if (p->selected)
        p->watch = view_watch(p->selected->store, p->account, p->selected->mailbox, changed, &p->s);
    log_step(p->s.who, "transaction", "IDLE: the client listens");
    imap_continue(p, "idling");
    announce_start(p, true);
    tell(p);
}
