/*
 * LIST (RFC 9051 6.3.9) with LIST-EXTENDED (RFC 5258), LIST-STATUS (RFC 5819), CHILDREN (RFC 3348),
 * SPECIAL-USE (RFC 6154), and LSUB (RFC 3501 6.3.9).  One answer a name, in the order of names.
 */
#include "imap/list.h"

#include "base/banned.h"

/* A LIST under way, in scratch. */
struct listing {
    struct list_request request;
    struct folder_list all;
    size_t at;
};

/* ---- special uses ---- */

static const struct {
    slice word;
    enum mailbox_role role;
} roles[] = {
    {{"\\Sent", 5}, ROLE_SENT}, {{"\\Drafts", 7}, ROLE_DRAFTS},   {{"\\Trash", 6}, ROLE_TRASH},
    {{"\\Junk", 5}, ROLE_JUNK}, {{"\\Archive", 8}, ROLE_ARCHIVE},
};

enum mailbox_role imap_role_of(slice word)
{
    for (size_t i = 0; i < sizeof(roles) / sizeof(*roles); i++)
        if (slice_eq_icase(slice_skip(roles[i].word, 1), word))
            return roles[i].role;
    return ROLE_NONE;
}

slice imap_role_word(enum mailbox_role role)
{
    for (size_t i = 0; i < sizeof(roles) / sizeof(*roles); i++)
        if (roles[i].role == role)
            return roles[i].word;
    return S("");
}

/* ---- answers ---- */

static void put_word(struct imap *p, size_t *count, slice word)
{
    if (!word.n)
        return;
    buf_add(imap_out(p), (*count)++ ? S(" ") : S(""));
    buf_add(imap_out(p), word);
}

static void put_name(struct imap *p, slice name)
{
    buf_add(imap_out(p), S(") \"/\" "));
    imap_put_mailbox(p, name);
}

static void put_list(struct imap *p, const struct list_request *r, const struct folder *f,
                     bool child_info)
{
    size_t n = 0;
    buf_add(imap_out(p), S("* LIST ("));
    if (!f->mailbox)
        put_word(p, &n, S("\\Noselect \\NonExistent"));
    put_word(p, &n, f->has_children ? S("\\HasChildren") : S("\\HasNoChildren"));
    if ((r->options & LIST_RETURN_SUBSCRIBED) && f->subscribed)
        put_word(p, &n, S("\\Subscribed"));
    put_word(p, &n, imap_role_word(f->role));
    put_name(p, f->name);
    if (child_info) {
        n = 0;
        buf_add(imap_out(p), S(" (\"CHILDINFO\" ("));
        put_word(p, &n, r->options & LIST_SUBSCRIBED ? S("\"SUBSCRIBED\"") : S(""));
        put_word(p, &n, r->options & LIST_SPECIAL_USE ? S("\"SPECIAL-USE\"") : S(""));
        buf_add(imap_out(p), S("))"));
    }
    buf_add(imap_out(p), S("\r\n"));
    if ((r->options & LIST_RETURN_STATUS) && f->mailbox)
        imap_put_status(p, f, r->status); /* without it the answer is still an answer (RFC 5819) */
}

/* \Noselect there means: not subscribed, but something below it is. */
static void put_lsub(struct imap *p, const struct folder *f)
{
    buf_add(imap_out(p), f->subscribed ? S("* LSUB (") : S("* LSUB (\\Noselect"));
    put_name(p, f->name);
    buf_add(imap_out(p), S("\r\n"));
}

static void list_more(struct imap *p)
{
    struct listing *l = p->work;
    const struct list_request *r = &l->request;
    for (; l->at < l->all.count; l->at++) {
        if (!imap_has_room(p, list_more))
            return;
        struct list_answer answer = list_answer(r, &l->all, l->at);
        if (answer.listed && (r->options & LIST_LSUB))
            put_lsub(p, &l->all.items[l->at]);
        else if (answer.listed)
            put_list(p, r, &l->all.items[l->at], answer.child_info);
    }
    imap_ok(p, "That is all");
}

static void list(struct imap *p, slice args, bool lsub)
{
    struct listing *l = p->work = arena_new(&p->scratch, struct listing);
    if (!list_parse(p, args, lsub, &l->request)) {
        imap_syntax(p);
    } else if (l->request.options & LIST_ROOT) {
        imap_untagged(p, "LIST (\\Noselect) \"/\" \"\"");
        imap_ok(p, "That is the root");
    } else if (!folder_list(p->options->login->store, &p->scratch, p->account, &l->all)) {
        imap_refused(p, TEMPFAIL, REFUSED_NOT);
    } else {
        list_more(p);
    }
}

void imap_cmd_list(struct imap *p, slice args)
{
    list(p, args, false);
}

void imap_cmd_lsub(struct imap *p, slice args)
{
    list(p, args, true);
}
