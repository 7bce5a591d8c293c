/* The server's mailbox of the role \Sent, else one called Sent, else a new one. */
#include "agent/copy.h"

#include "base/banned.h"

enum { CONNECT_MS = 10000, ERROR_MAX = 4096 };

static bool open_mailbox(struct copier *x, struct call *c, slice password, struct buf *error)
{
    struct agent_account *account = arena_new(&x->arena, struct agent_account);
    if (x->client)
        return true;
    if (agent_account_imap(c, account) != EXIT_DONE)
        return buf_add(error, S("see the line above")), false;
    account->dial.connect_ms = CONNECT_MS;
    x->client = imap_client_open(account, password, error);
    if (!x->client || !imap_client_role(x->client, &x->arena, S("Sent"), &x->mailbox, error))
        return false;
    if (x->mailbox.n)
        return true;
    x->mailbox = S("Sent");
    return imap_client_create(x->client, x->mailbox, S("Sent"), error);
}

/* The same message with its Bcc, which only its sender may see. */
static struct composer *own_composer(struct copier *x, struct compose *own,
                                     const struct agent_letter *l, struct buf *error)
{
    slice why = S("");
    if (!l->compose.bcc.count) {
        compose_rewind(l->composer);
        return l->composer;
    }
    *own = l->compose;
    own->keep_bcc = true;
    struct composer *composer = compose_open(&x->arena, own, &why);
    if (!composer)
        buf_add(error, why);
    return composer;
}

static bool append(struct copier *x, struct call *c, slice password, const struct agent_letter *l,
                   struct buf *error)
{
    struct compose own;
    if (!open_mailbox(x, c, password, error))
        return false;
    struct composer *composer = own_composer(x, &own, l, error);
    return composer && imap_client_append(x->client, x->mailbox, "\\Seen", l->compose.date_ms,
                                          l->compose.zone_minutes, compose_size(composer),
                                          compose_read, composer, error);
}

bool copy_letter(struct copier *x, struct call *c, slice password, const struct agent_letter *l)
{
    struct buf error = {.max = ERROR_MAX};
    if (!x->failed && !append(x, c, password, l, &error)) {
        x->failed = true;
        call_fail(c,
                  say("the mail was sent, but no copy lies in Sent: %.*s (--no-copy makes none)",
                      "邮件已发出，但未能在“已发送”中留副本：%.*s（--no-copy 不留副本）"),
                  P(buf_slice(&error)));
    }
    buf_end(&error);
    return !x->failed;
}

void copy_end(struct copier *x)
{
    imap_client_close(x->client);
    x->client = NULL;
    arena_end(&x->arena);
}
