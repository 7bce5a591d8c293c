/* CREATE (RFC 9051 6.3.4) with the special use of the new mailbox (RFC 6154 section 3). */
#include "imap/command.h"
#include "imap/status.h"

#include "base/banned.h"

/* "(USE (\Sent))": at most one use, and not one that is only a view of other mailboxes. */
static bool use(struct imap *p, slice *in, enum mailbox_role *role)
{
    slice word;
    size_t count = 0;
    bool known = true;
    if (!slice_eat(in, S("(")) || !imap_word(in, S("USE")) || !imap_space(in) ||
        !slice_eat(in, S("(")))
        goto bad;
    while (slice_eat(in, S("\\"))) {
        count++;
        if (!imap_atom(in, &word))
            goto bad;
        *role = imap_role_of(word);
        known = known && *role != ROLE_NONE;
        if (!imap_space(in))
            break;
    }
    if (!slice_eat(in, S("))")) || in->n)
        goto bad;
    if (known && count <= 1)
        return true;
    imap_no(p, "[USEATTR] A mailbox has one of \\Archive \\Drafts \\Junk \\Sent \\Trash");
    return false;
bad:
    imap_syntax(p);
    return false;
}

void imap_cmd_create(struct imap *p, slice args)
{
    enum mailbox_role role = ROLE_NONE;
    enum refusal why;
    int64_t mailbox;
    slice name;
    if (!imap_mailbox_name(p, &args, &name))
        return;
    if (imap_space(&args)) {
        if (!use(p, &args, &role))
            return;
    } else if (args.n) {
        imap_syntax(p);
        return;
    }
    enum outcome o =
        folder_create(p->options->login->store, p->account, name, role, &mailbox, &why);
    if (o == DONE)
        imap_ok(p, "Created");
    else
        imap_refused(p, o, why);
}
