/*
 * GETQUOTA and GETQUOTAROOT (RFC 9208): an account with a limit has one quota root, "", for all its
 * mailboxes but Recoverable, which costs nobody anything; an account without a limit has none (a
 * QUOTA response names at least one resource).  Limits are an administrator's business.
 */
#include "imap/command.h"

#include "base/banned.h"

enum { UNIT = 1024 }; /* of STORAGE (RFC 9208 5.1) */

static bool get(struct imap *p, struct quota *q)
{
    if (folder_quota(p->options->login->store, p->account, q))
        return true;
    imap_refused(p, TEMPFAIL, REFUSED_NOT);
    return false;
}

static void put(struct imap *p, const struct quota *q)
{
    imap_untagged(p, "QUOTA \"\" (STORAGE %llu %llu)",
                  (unsigned long long)((q->used + UNIT - 1) / UNIT),
                  (unsigned long long)(q->limit / UNIT));
}

void imap_cmd_getquota(struct imap *p, slice args)
{
    struct quota q;
    slice root;
    if (!imap_astring(&p->scratch, &args, &root) || args.n) {
        imap_syntax(p);
        return;
    }
    if (!get(p, &q))
        return;
    if (root.n || !q.limit) {
        imap_no(p, "[NONEXISTENT] No such quota root");
        return;
    }
    put(p, &q);
    imap_ok(p, "That is the quota");
}

void imap_cmd_getquotaroot(struct imap *p, slice args)
{
    struct folder f;
    struct quota q;
    slice name;
    if (!imap_only_mailbox_name(p, args, &name) || !get(p, &q))
        return;
    bool found = folder_find(p->options->login->store, &p->scratch, p->account, name, &f) == DONE;
    bool counts = q.limit && (!found || f.role != ROLE_RECOVERABLE);
    buf_add(imap_out(p), S("* QUOTAROOT "));
    imap_put_mailbox(p, name);
    buf_add(imap_out(p), counts ? S(" \"\"\r\n") : S("\r\n"));
    if (counts)
        put(p, &q);
    imap_ok(p, "That is the quota");
}

void imap_cmd_setquota(struct imap *p, slice args)
{
    (void)args;
    imap_no(p, "[NOPERM] An administrator sets quotas");
}
