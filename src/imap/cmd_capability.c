/* CAPABILITY (RFC 9051 6.1.1, 7.2.2): the table, as it applies now. */
#include "imap/command.h"

#include "base/banned.h"

bool imap_offers_always(const struct imap *p)
{
    (void)p;
    return true;
}

bool imap_offers_early(const struct imap *p)
{
    return p->state == IMAP_EARLY;
}

slice imap_capabilities(struct imap *p)
{
    struct buf words = {.max = LIMIT_OUT};
    for (size_t i = 0; i < imap_table_rows; i++) {
        const struct imap_command *c = &imap_table[i];
        if (!c->capability || !(c->offered ? c->offered(p) : p->state != IMAP_EARLY))
            continue;
        slice more = c->capability_more ? c->capability_more(p) : S("");
        if (buf_length(&words))
            buf_add_byte(&words, ' ');
        buf_add(&words, slice_c(c->capability));
        buf_add(&words, more);
    }
    slice all = arena_dup(&p->scratch, buf_slice(&words));
    buf_end(&words);
    return all;
}

void imap_cmd_capability(struct imap *p, slice args)
{
    (void)args;
    slice can = imap_capabilities(p);
    imap_untagged(p, "CAPABILITY %.*s", P(can));
    imap_ok(p, "That is all");
}
