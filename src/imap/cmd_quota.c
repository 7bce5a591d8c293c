/*
 * GETQUOTA and GETQUOTAROOT (RFC 9208): one quota root, "", for all mailboxes of the account but
 * Recoverable, which costs nobody anything.  Limits are an administrator's business.
 */
#include "imap/command.h"

#include "base/banned.h"

enum { UNIT = 1024 }; /* of STORAGE (RFC 9208 5.1) */

static bool put_quota(struct imap *p)
{
    struct quota q;
    if (!folder_quota(p->options->login->store, p->account, &q))
        return false;
    if (q.limit)
        imap_untagged(p, "QUOTA \"\" (STORAGE %llu %llu)",
                      (unsigned long long)((q.used + UNIT - 1) / UNIT),
                      (unsigned long long)(q.limit / UNIT));
    else
        imap_untagged(p, "QUOTA \"\" ()");
    return true;
}

static void finish(struct imap *p, bool good)
{
    if (good)
        imap_ok(p, "That is the quota");
    else
        imap_refused(p, TEMPFAIL, REFUSED_NOT);
}

void imap_cmd_getquota(struct imap *p, slice args)
{
    slice root;
    if (!imap_astring(&p->scratch, &args, &root) || args.n)
        imap_syntax(p);
    else if (root.n)
        imap_no(p, "[NONEXISTENT] No such quota root");
    else
        finish(p, put_quota(p));
}

void imap_cmd_getquotaroot(struct imap *p, slice args)
{
    struct folder f;
    slice name;
    if (!imap_only_mailbox_name(p, args, &name))
        return;
    bool found = folder_find(p->options->login->store, &p->scratch, p->account, name, &f) == DONE;
    bool counts = !found || f.role != ROLE_RECOVERABLE;
    buf_add(imap_out(p), S("* QUOTAROOT "));
    imap_put_mailbox(p, name);
    buf_add(imap_out(p), counts ? S(" \"\"\r\n") : S("\r\n"));
    finish(p, !counts || put_quota(p));
}

void imap_cmd_setquota(struct imap *p, slice args)
{
    (void)args;
    imap_no(p, "[NOPERM] An administrator sets quotas");
}
