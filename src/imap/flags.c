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

static char *print(char *to, slice text)
{
    memcpy(to, text.p, text.n);
    return to + text.n;
}

char *imap_print_number(uint64_t n, char *to)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    char *end = to + 1, *p;
    for (uint64_t rest = n; rest >= 10; rest /= 10)
        end++;
    for (p = end; n >= 10; n /= 100)
        memcpy(p -= 2, pairs + n % 100 * 2, 2);
    if (p > to)
        *to = (char)('0' + n);
    return end;
}

/* Each word is printed with a space behind it; the ")" takes the place of the last one. */
char *imap_print_flags(struct imap *p, const struct entry *e, char *to)
{
    uint64_t keywords = e->flags >> KEYWORD_FIRST << KEYWORD_FIRST;
    *to++ = '(';
    char *words = to;
    for (size_t i = 0; i < SYSTEM_FLAGS; i++)
        if (e->flags & system_flags[i].bit) {
            to = print(to, system_flags[i].name);
            *to++ = ' ';
        }
    if (p->selected && selected_is_recent(p->selected, e->uid))
        to = print(to, S("\\Recent "));
    if (keywords & ~p->keyword_mask)
        imap_keywords_load(p);
    for (keywords &= p->keyword_mask; keywords; keywords &= keywords - 1) {
        to = print(to, p->keywords[__builtin_ctzll(keywords)]);
        *to++ = ' ';
    }
    to -= to > words;
    *to++ = ')';
    return to;
}

void imap_put_fetch_flags(struct imap *p, uint32_t position, const struct entry *e)
{
    struct buf *out = imap_out(p);
    char *from = buf_space(out, IMAP_FLAGS_MAX + 4 * IMAP_NUMBER_MAX + 64), *to = from;
    if (!from)
        return;
    to = print(to, S("* "));
    to = imap_print_number(position + UINT64_C(1), to);
    to = print(to, S(" FETCH (UID "));
    to = imap_print_number(e->uid, to);
    to = print(to, S(" FLAGS "));
    to = imap_print_flags(p, e, to);
    if (p->enabled & ENABLED_CONDSTORE) {
        to = print(to, S(" MODSEQ ("));
        to = imap_print_number((uint64_t)e->modseq, to);
        *to++ = ')';
    }
    to = print(to, S(")\r\n"));
    buf_wrote(out, (size_t)(to - from));
}
