/* ENABLE (RFC 5161): what changes the answers of every command from now on; unknown names are
 * passed over, and only what is new is answered (rule I9). */
#include "imap/command.h"

#include "base/banned.h"

static const struct {
    slice name;
    unsigned bits;
} rows[] = {
    {{"CONDSTORE", 9}, ENABLED_CONDSTORE},
    {{"QRESYNC", 7}, ENABLED_QRESYNC | ENABLED_CONDSTORE},
    {{"UTF8=ACCEPT", 11}, ENABLED_UTF8},
};

void imap_cmd_enable(struct imap *p, slice args)
{
    struct buf new = {.max = LIMIT_IMAP_COMMAND};
    unsigned enabled = p->enabled;
    slice word;
    bool good;
    do {
        good = imap_atom(&args, &word);
        for (size_t i = 0; good && i < sizeof(rows) / sizeof(rows[0]); i++) {
            if (!slice_eq_icase(word, rows[i].name) || !(rows[i].bits & ~enabled))
                continue;
            enabled |= rows[i].bits;
            buf_printf(&new, " %.*s", P(rows[i].name));
        }
    } while (good && imap_space(&args));
    if (!good || args.n) {
        imap_syntax(p);
    } else {
        p->enabled = enabled;
        imap_untagged(p, "ENABLED%.*s", P(buf_slice(&new)));
        imap_ok(p, "Enabled");
    }
    buf_end(&new);
}

void imap_enable_condstore(struct imap *p)
{
    if (p->enabled & ENABLED_CONDSTORE)
        return;
    p->enabled |= ENABLED_CONDSTORE;
    if (p->selected) /* RFC 7162 3.1: it may now rely on it */
        imap_untagged(p, "OK [HIGHESTMODSEQ %lld] From now on",
                      (long long)selected_modseq(p->selected));
}
