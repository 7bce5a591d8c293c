#include "imap/fetch_items.h"

#include "base/limits.h"
#include "imap/parse.h"

#include "base/banned.h"

/* Items that are one word.  A word that begins with another stands before it. */
static const struct {
    slice word;
    enum fetch_kind kind;
} plain[] = {
    {{"FLAGS", 5}, FETCH_FLAGS},
    {{"UID", 3}, FETCH_UID},
    {{"INTERNALDATE", 12}, FETCH_INTERNALDATE},
    {{"RFC822.SIZE", 11}, FETCH_SIZE},
    {{"ENVELOPE", 8}, FETCH_ENVELOPE},
    {{"MODSEQ", 6}, FETCH_MODSEQ},
    {{"BODYSTRUCTURE", 13}, FETCH_BODYSTRUCTURE},
    {{"BODY", 4}, FETCH_BODY},
    {{"PREVIEW", 7}, FETCH_PREVIEW},
};

/* Words for a section (RFC 3501 6.4.5). */
static const struct {
    slice word;
    enum section_text text;
    bool marks_seen;
} old[] = {
    {{"RFC822", 6}, SECTION_ALL, true},
    {{"RFC822.HEADER", 13}, SECTION_HEADER, false},
    {{"RFC822.TEXT", 11}, SECTION_TEXT, true},
};

/* Words that a "[section]" follows. */
static const struct {
    slice word;
    enum fetch_kind kind;
    bool marks_seen, partial;
} sections[] = {
    {{"BODY", 4}, FETCH_SECTION, true, true},
    {{"BODY.PEEK", 9}, FETCH_SECTION, false, true},
    {{"BINARY", 6}, FETCH_BINARY, true, true},
    {{"BINARY.PEEK", 11}, FETCH_BINARY, false, true},
    {{"BINARY.SIZE", 11}, FETCH_BINARY_SIZE, false, false},
};

static const struct {
    slice word;
    enum fetch_kind kinds[6];
    size_t count;
} macros[] = {
    {{"ALL", 3}, {FETCH_FLAGS, FETCH_INTERNALDATE, FETCH_SIZE, FETCH_ENVELOPE}, 4},
    {{"FAST", 4}, {FETCH_FLAGS, FETCH_INTERNALDATE, FETCH_SIZE}, 3},
    {{"FULL", 4}, {FETCH_FLAGS, FETCH_INTERNALDATE, FETCH_SIZE, FETCH_ENVELOPE, FETCH_BODY}, 5},
};

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))

/* ---- building ---- */

struct reader {
    struct arena *arena;
    struct fetch_items *out;
    size_t capacity;
};

static void add(struct reader *r, const struct fetch_item *item)
{
    struct fetch_items *f = r->out;
    f->items = arena_grow(r->arena, f->items, f->count, &r->capacity, sizeof(*item));
    f->items[f->count++] = *item;
    f->kinds |= 1u << item->kind;
}

static struct fetch_item plain_item(struct arena *a, enum fetch_kind kind)
{
    size_t i = 0;
    while (plain[i].kind != kind)
        i++;
    return (struct fetch_item){.kind = kind, .label = arena_printf(a, "%.*s ", P(plain[i].word))};
}

static void add_plain(struct reader *r, enum fetch_kind kind)
{
    struct fetch_item item = plain_item(r->arena, kind);
    if (!fetch_has(r->out, kind))
        add(r, &item);
}

void fetch_items_add(struct arena *a, struct fetch_items *f, enum fetch_kind kind)
{
    add_plain(&(struct reader){.arena = a, .out = f, .capacity = f->count}, kind);
}

void fetch_items_lead(struct arena *a, struct fetch_items *f, enum fetch_kind kind)
{
    if (fetch_has(f, kind))
        return;
    fetch_items_add(a, f, kind);
    struct fetch_item item = f->items[f->count - 1];
    memmove(f->items + 1, f->items, (f->count - 1) * sizeof(item));
    f->items[0] = item;
}

/* ---- reading ---- */

/* partial = "<" number64 "." nz-number64 ">" */
static bool eat_partial(slice *in, struct fetch_item *item)
{
    if (!slice_eat(in, S("<")))
        return true;
    item->partial = true;
    return imap_number(in, INT64_MAX, &item->offset) && slice_eat(in, S(".")) &&
           imap_number(in, INT64_MAX, &item->length) && item->length > 0 && slice_eat(in, S(">"));
}

/* The words are told apart by what follows: "[" here. */
static bool eat_section(struct reader *r, slice *in, size_t row)
{
    struct fetch_item item = {.kind = sections[row].kind};
    *in = slice_skip(*in, sections[row].word.n);
    if (!section_parse(r->arena, in, item.kind != FETCH_SECTION, &item.section) ||
        (sections[row].partial && !eat_partial(in, &item)))
        return false;
    slice name = item.kind == FETCH_SECTION  ? S("BODY")
                 : item.kind == FETCH_BINARY ? S("BINARY")
                                             : S("BINARY.SIZE");
    slice section = section_print(r->arena, &item.section);
    item.label = item.partial ? arena_printf(r->arena, "%.*s%.*s<%llu> ", P(name), P(section),
                                             (unsigned long long)item.offset)
                              : arena_printf(r->arena, "%.*s%.*s ", P(name), P(section));
    if (item.label.n > LIMIT_IMAP_LABEL)
        return false;
    r->out->marks_seen |= sections[row].marks_seen;
    add(r, &item);
    return true;
}

/* PREVIEW [SP "(LAZY)"]: a preview is always ready, so lazy is like any. */
static bool eat_lazy(slice *in)
{
    slice rest = *in;
    if (!imap_space(&rest) || !slice_eat_icase(&rest, S("(LAZY")))
        return true;
    *in = rest;
    return slice_eat(in, S(")"));
}

static bool eat_item(struct reader *r, slice *in)
{
    if (r->out->count >= LIMIT_IMAP_FETCH)
        return false;
    for (size_t i = 0; i < ROWS(sections); i++)
        if (slice_starts_icase(*in, sections[i].word) &&
            slice_starts(slice_skip(*in, sections[i].word.n), S("[")))
            return eat_section(r, in, i);
    for (size_t i = 0; i < ROWS(plain); i++)
        if (imap_word(in, plain[i].word)) {
            add_plain(r, plain[i].kind);
            return plain[i].kind != FETCH_PREVIEW || eat_lazy(in);
        }
    for (size_t i = 0; i < ROWS(old); i++)
        if (imap_word(in, old[i].word)) {
            r->out->marks_seen |= old[i].marks_seen;
            add(r, &(struct fetch_item){.kind = FETCH_SECTION,
                                        .label = arena_printf(r->arena, "%.*s ", P(old[i].word)),
                                        .section = {.text = old[i].text}});
            return true;
        }
    return false;
}

/* A macro stands alone. */
static bool eat_macro(struct reader *r, slice *in)
{
    for (size_t i = 0; i < ROWS(macros); i++)
        if (imap_word(in, macros[i].word)) {
            for (size_t k = 0; k < macros[i].count; k++)
                add_plain(r, macros[i].kinds[k]);
            return true;
        }
    return false;
}

static bool eat_list(struct reader *r, slice *in)
{
    if (!slice_eat(in, S("(")))
        return eat_macro(r, in) || eat_item(r, in);
    do {
        if (!eat_item(r, in))
            return false;
    } while (imap_space(in));
    return slice_eat(in, S(")"));
}

/* fetch-modifier (RFC 4466): each at most once. */
static bool eat_modifier(slice *in, struct fetch_items *out)
{
    if (imap_word(in, S("VANISHED"))) {
        bool twice = out->vanished;
        out->vanished = true;
        return !twice;
    }
    if (out->has_changedsince || !imap_word(in, S("CHANGEDSINCE")))
        return false;
    out->has_changedsince = true;
    return imap_space(in) && imap_number(in, INT64_MAX, &out->changedsince);
}

static bool eat_modifiers(slice *in, struct fetch_items *out)
{
    if (!in->n)
        return true;
    if (!imap_space(in) || !slice_eat(in, S("(")))
        return false;
    do {
        if (!eat_modifier(in, out))
            return false;
    } while (imap_space(in));
    return slice_eat(in, S(")"));
}

bool fetch_items_parse(struct arena *a, slice in, struct fetch_items *out)
{
    struct reader r = {.arena = a, .out = out};
    *out = (struct fetch_items){0};
    if (!eat_list(&r, &in) || !eat_modifiers(&in, out) || in.n)
        return false;
    if (out->has_changedsince) /* RFC 7162 3.1.4.1 */
        fetch_items_add(a, out, FETCH_MODSEQ);
    return true;
}
