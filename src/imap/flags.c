/* Flags (RFC 9051 2.3.2): five of the system as bits, keywords of the account by name. */
#include "imap/command.h"

#include "base/banned.h"

static const struct {
    uint64_t bit;
    slice name;
} system_flags[] = {
    {FLAG_ANSWERED, {"\\Answered", 9}}, {FLAG_FLAGGED, {"\\Flagged", 8}},
    {FLAG_DELETED, {"\\Deleted", 8}},   {FLAG_SEEN, {"\\Seen", 5}},
    {FLAG_DRAFT, {"\\Draft", 6}},
};
enum { SYSTEM_FLAGS = sizeof(system_flags) / sizeof(system_flags[0]) };

/* ---- reading ---- */

static bool system_flag(slice atom, uint64_t *flags)
{
    for (size_t i = 0; i < SYSTEM_FLAGS; i++)
        if (slice_eq_icase(slice_skip(system_flags[i].name, 1), atom)) {
            *flags |= system_flags[i].bit;
            return true;
        }
    return false;
}

/* One flag; \Recent is nobody's to set (RFC 3501 2.3.2). */
static bool one_flag(struct imap *p, slice *in, struct imap_flags *out, size_t *size)
{
    slice atom;
    if (slice_eat(in, S("\\")))
        return imap_atom(in, &atom) && system_flag(atom, &out->flags);
    if (!imap_atom(in, &atom))
        return false;
    out->keywords = arena_grow(&p->scratch, out->keywords, out->keyword_count, size, sizeof(slice));
    out->keywords[out->keyword_count++] = atom;
    return atom.n <= LIMIT_KEYWORD && out->keyword_count <= LIMIT_IMAP_FLAGS;
}

bool imap_flag_list(struct imap *p, slice *args, bool bare, struct imap_flags *out)
{
    slice in = *args;
    size_t size = 0;
    bool list = slice_eat(&in, S("(")), good = list || bare;
    *out = (struct imap_flags){0};
    if (good && !(list && slice_eat(&in, S(")")))) {
        do
            good = one_flag(p, &in, out, &size);
        while (good && imap_space(&in));
        good = good && (!list || slice_eat(&in, S(")")));
    }
    if (good)
        *args = in;
    else if (out->keyword_count > LIMIT_IMAP_FLAGS)
        imap_no(p, "[LIMIT] Too many keywords");
    else
        imap_bad(p, "These are no flags");
    return good;
}

/* ---- the account's keywords ---- */

bool imap_keywords_load(struct imap *p)
{
    slice names[KEYWORD_END];
    struct arena a = {0};
    if (!keyword_list(p->options->login->store, &a, p->account, names)) {
        arena_end(&a);
        return false;
    }
    arena_end(&p->keyword_arena);
    p->keywords = NULL;
    p->keyword_mask = 0;
    for (int bit = KEYWORD_FIRST; bit < KEYWORD_END; bit++) {
        if (!names[bit].n)
            continue;
        if (!p->keywords)
            p->keywords = arena_array(&p->keyword_arena, KEYWORD_END, sizeof(*p->keywords));
        p->keywords[bit] = arena_dup(&p->keyword_arena, names[bit]);
        p->keyword_mask |= UINT64_C(1) << bit;
    }
    arena_end(&a);
    return true;
}

static uint64_t find(const struct imap *p, slice name)
{
    for (int bit = KEYWORD_FIRST; bit < KEYWORD_END; bit++)
        if (p->keyword_mask >> bit & 1 && slice_eq_icase(p->keywords[bit], name))
            return UINT64_C(1) << bit;
    return 0;
}

uint64_t imap_keyword_bit(struct imap *p, slice name)
{
    uint64_t bit = find(p, name);
    if (!bit && imap_keywords_load(p))
        bit = find(p, name);
    return bit;
}

/* ---- writing ---- */

static void put_word(struct buf *out, bool *first, slice word)
{
    if (!*first)
        buf_add_byte(out, ' ');
    *first = false;
    buf_add(out, word);
}

void imap_put_flags(struct imap *p, struct buf *out, const struct entry *e)
{
    bool first = true;
    uint64_t keywords = e->flags >> KEYWORD_FIRST << KEYWORD_FIRST;
    if (keywords & ~p->keyword_mask)
        imap_keywords_load(p);
    keywords &= p->keyword_mask;
    buf_add_byte(out, '(');
    for (size_t i = 0; i < SYSTEM_FLAGS; i++)
        if (e->flags & system_flags[i].bit)
            put_word(out, &first, system_flags[i].name);
    if (p->selected && selected_is_recent(p->selected, e->uid))
        put_word(out, &first, S("\\Recent"));
    for (; keywords; keywords &= keywords - 1)
        put_word(out, &first, p->keywords[__builtin_ctzll(keywords)]);
    buf_add_byte(out, ')');
}

void imap_put_fetch_flags(struct imap *p, uint32_t position, const struct entry *e)
{
    struct buf *out = imap_out(p);
    buf_printf(out, "* %u FETCH (UID %u FLAGS ", position + 1, e->uid);
    imap_put_flags(p, out, e);
    if (p->enabled & ENABLED_CONDSTORE)
        buf_printf(out, " MODSEQ (%lld)", (long long)e->modseq);
    buf_add(out, S(")\r\n"));
}
