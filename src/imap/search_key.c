/*
 * Words come from one table; a word has one kind of argument.  NOT turns a key round, OR with OR
 * behind it becomes one OR of many, so that the long chains clients write are not deep.
 */
#include "imap/search_key.h"

#include "base/casefold.h"
#include "base/limits.h"
#include "message/charset.h"
#include "store/mailbox.h"

#include "base/banned.h"

/* One command being read. */
struct reading {
    struct arena *arena;
    slice in;
    const struct search_context *context;
    struct search *out;
    const char *charset; /* canonical; NULL: not named */
    enum search_reading error;
};

/* What stands behind the word. */
enum argument { NOTHING, DATE, NUMBER, SECONDS, STRING, FIELD, KEYWORD, UIDS, MODSEQ, OR };

static const struct word {
    slice name;
    enum search_kind kind;
    enum argument argument;
    uint64_t flags;
    bool negate;
} words[] = {
/* clang-format off */
#define WORD(text) .name = {text, sizeof(text) - 1}
    {WORD("ALL"), SEARCH_ALL},
    {WORD("ANSWERED"), SEARCH_FLAGS, .flags = FLAG_ANSWERED},
    {WORD("DELETED"), SEARCH_FLAGS, .flags = FLAG_DELETED},
    {WORD("DRAFT"), SEARCH_FLAGS, .flags = FLAG_DRAFT},
    {WORD("FLAGGED"), SEARCH_FLAGS, .flags = FLAG_FLAGGED},
    {WORD("SEEN"), SEARCH_FLAGS, .flags = FLAG_SEEN},
    {WORD("UNANSWERED"), SEARCH_FLAGS, .flags = FLAG_ANSWERED, .negate = true},
    {WORD("UNDELETED"), SEARCH_FLAGS, .flags = FLAG_DELETED, .negate = true},
    {WORD("UNDRAFT"), SEARCH_FLAGS, .flags = FLAG_DRAFT, .negate = true},
    {WORD("UNFLAGGED"), SEARCH_FLAGS, .flags = FLAG_FLAGGED, .negate = true},
    {WORD("UNSEEN"), SEARCH_FLAGS, .flags = FLAG_SEEN, .negate = true},
    {WORD("KEYWORD"), SEARCH_KEYWORD, KEYWORD},
    {WORD("UNKEYWORD"), SEARCH_KEYWORD, KEYWORD, .negate = true},
    {WORD("RECENT"), SEARCH_RECENT},
    {WORD("OLD"), SEARCH_RECENT, .negate = true},
    {WORD("LARGER"), SEARCH_LARGER, NUMBER},
    {WORD("SMALLER"), SEARCH_SMALLER, NUMBER},
    {WORD("UID"), SEARCH_UIDS, UIDS},
    {WORD("MODSEQ"), SEARCH_MODSEQ, MODSEQ},
    {WORD("BEFORE"), SEARCH_BEFORE, DATE},
    {WORD("ON"), SEARCH_ON, DATE},
    {WORD("SINCE"), SEARCH_SINCE, DATE},
    {WORD("OLDER"), SEARCH_OLDER, SECONDS},
    {WORD("YOUNGER"), SEARCH_YOUNGER, SECONDS},
    {WORD("SENTBEFORE"), SEARCH_SENTBEFORE, DATE},
    {WORD("SENTON"), SEARCH_SENTON, DATE},
    {WORD("SENTSINCE"), SEARCH_SENTSINCE, DATE},
    {WORD("SUBJECT"), SEARCH_SUBJECT, STRING},
    {WORD("FROM"), SEARCH_FROM, STRING},
    {WORD("TO"), SEARCH_TO, STRING},
    {WORD("CC"), SEARCH_CC, STRING},
    {WORD("BCC"), SEARCH_BCC, STRING},
    {WORD("HEADER"), SEARCH_HEADER, FIELD},
    {WORD("BODY"), SEARCH_BODY, STRING},
    {WORD("TEXT"), SEARCH_TEXT, STRING},
    {WORD("OR"), SEARCH_OR, OR},
#undef WORD
    /* clang-format on */
};

/* All functions below: false after r->error was set. */
static bool wrong(struct reading *r, enum search_reading error)
{
    r->error = error;
    return false;
}

static bool read_key(struct reading *r, struct search_key **out);

static struct search_key *new_key(struct reading *r, enum search_kind kind)
{
    struct search *s = r->out;
    s->texts += kind == SEARCH_BODY || kind == SEARCH_TEXT;
    if (s->count >= LIMIT_SEARCH_KEYS || s->texts > LIMIT_SEARCH_TEXTS) {
        wrong(r, SEARCH_TOO_MUCH);
        return NULL;
    }
    struct search_key *k = arena_new(r->arena, struct search_key);
    k->kind = kind;
    k->older = s->newest;
    s->newest = k;
    s->count++;
    return k;
}

/* ---- arguments ---- */

/* A string in the charset of the command, folded. */
static bool read_string(struct reading *r, slice *out)
{
    slice raw;
    if (!imap_space(&r->in) || !imap_astring(r->arena, &r->in, &raw))
        return wrong(r, SEARCH_BAD);
    struct charset_text t = {.text = raw};
    if (r->charset)
        charset_to_utf8(r->arena, slice_c(r->charset), raw, &t);
    else if (!slice_is_utf8(raw))
        return wrong(r, SEARCH_BAD);
    struct buf folded = {.max = LIMIT_SEARCH_STRING};
    casefold_add(&folded, t.text);
    bool fits = !folded.full;
    *out = arena_dup(r->arena, buf_slice(&folded));
    buf_end(&folded);
    return fits || wrong(r, SEARCH_TOO_MUCH);
}

static bool read_number(struct reading *r, uint64_t least, uint64_t most, uint64_t *out)
{
    return (imap_space(&r->in) && imap_number(&r->in, most, out) && *out >= least) ||
           wrong(r, SEARCH_BAD);
}

static bool read_date(struct reading *r, uint64_t *out)
{
    int64_t days;
    if (!imap_space(&r->in) || !imap_date(&r->in, &days))
        return wrong(r, SEARCH_BAD);
    *out = (uint64_t)days;
    return true;
}

static bool read_field(struct reading *r, struct search_key *k)
{
    if (!imap_space(&r->in) || !imap_astring(r->arena, &r->in, &k->name))
        return wrong(r, SEARCH_BAD);
    if (slice_ends(k->name, S(":"))) /* as some clients write it */
        k->name.n--;
    return read_string(r, &k->text);
}

static bool read_keyword(struct reading *r, struct search_key *k)
{
    return (imap_space(&r->in) && imap_atom(&r->in, &k->name)) || wrong(r, SEARCH_BAD);
}

/* [entry-name SP entry-type-req SP] mod-sequence-valzer: one modseq stands for all of an entry. */
static bool read_modseq(struct reading *r, struct search_key *k)
{
    slice rest = r->in, entry;
    r->out->modseq = true;
    if (!slice_starts(r->in, S(" \"")))
        return read_number(r, 0, INT64_MAX, &k->number);
    if (!imap_space(&rest) || !imap_string(r->arena, &rest, &entry, NULL) || !imap_space(&rest) ||
        !(imap_word(&rest, S("priv")) || imap_word(&rest, S("shared")) ||
          imap_word(&rest, S("all"))))
        return wrong(r, SEARCH_BAD);
    r->in = rest;
    return read_number(r, 0, INT64_MAX, &k->number);
}

/* A set of numbers, or "$".  A number beyond the last message is an error (RFC 9051 section 9,
 * seq-number); "*" in an empty mailbox is not: it means no message. */
static bool read_set(struct reading *r, struct search_key *k, enum search_kind kind)
{
    const struct search_context *c = r->context;
    bool uids = kind == SEARCH_UIDS;
    k->kind = kind;
    if (imap_word(&r->in, S("$"))) {
        k->kind = SEARCH_SAVED;
        return true;
    }
    if (!imap_set(r->arena, &r->in, uids ? c->last_uid : c->messages, &k->set))
        return wrong(r, SEARCH_BAD);
    bool beyond = k->set.ranges[k->set.count - 1].high > c->messages;
    bool nothing = c->messages == 0 && k->set.has_star;
    return uids || !beyond || nothing || wrong(r, SEARCH_BAD);
}

/* "OR a b": b may be an OR itself, which then adds its two to this one without recursion. */
static bool read_or(struct reading *r, struct search_key *k)
{
    struct search_key **end = &k->child;
    bool again;
    do {
        if (!imap_space(&r->in))
            return wrong(r, SEARCH_BAD);
        if (!read_key(r, end))
            return false;
        end = &(*end)->next;
        slice rest = r->in;
        again = imap_space(&rest) && imap_word(&rest, S("OR"));
        if (again)
            r->in = rest;
    } while (again);
    if (!imap_space(&r->in))
        return wrong(r, SEARCH_BAD);
    return read_key(r, end);
}

static bool read_argument(struct reading *r, struct search_key *k, enum argument argument)
{
    switch (argument) {
    case NOTHING:
        return true;
    case DATE:
        return read_date(r, &k->number);
    case NUMBER:
        return read_number(r, 0, INT64_MAX, &k->number);
    case SECONDS:
        return read_number(r, 1, UINT32_MAX, &k->number);
    case STRING:
        return read_string(r, &k->text);
    case FIELD:
        return read_field(r, k);
    case KEYWORD:
        return read_keyword(r, k);
    case UIDS:
        return imap_space(&r->in) ? read_set(r, k, SEARCH_UIDS) : wrong(r, SEARCH_BAD);
    case MODSEQ:
        return read_modseq(r, k);
    case OR:
        return read_or(r, k);
    }
    return wrong(r, SEARCH_BAD);
}

/* ---- keys ---- */

/* "key key key" */
static bool read_all(struct reading *r, struct search_key **out)
{
    struct search_key *k = *out = new_key(r, SEARCH_AND);
    struct search_key **end = k ? &k->child : NULL;
    while (end && read_key(r, end)) {
        end = &(*end)->next;
        if (!imap_space(&r->in))
            return true;
    }
    return false;
}

static bool read_group(struct reading *r, struct search_key **out)
{
    slice_eat(&r->in, S("("));
    if (!read_all(r, out))
        return false;
    return slice_eat(&r->in, S(")")) || wrong(r, SEARCH_BAD);
}

/* NEW: recent, and not seen. */
static bool read_new(struct reading *r, struct search_key **out)
{
    struct search_key *both = *out = new_key(r, SEARCH_AND);
    struct search_key *recent = new_key(r, SEARCH_RECENT), *unseen = new_key(r, SEARCH_FLAGS);
    if (!both || !recent || !unseen)
        return false;
    unseen->number = FLAG_SEEN;
    unseen->negate = true;
    recent->next = unseen;
    both->child = recent;
    return true;
}

static bool read_word(struct reading *r, struct search_key **out)
{
    if (imap_word(&r->in, S("NEW")))
        return read_new(r, out);
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        const struct word *w = &words[i];
        if (!imap_word(&r->in, w->name))
            continue;
        struct search_key *k = *out = new_key(r, w->kind);
        if (!k)
            return false;
        k->number = w->flags;
        k->negate = w->negate;
        return read_argument(r, k, w->argument);
    }
    return wrong(r, SEARCH_BAD);
}

static bool read_plain(struct reading *r, struct search_key **out)
{
    char first = r->in.n ? r->in.p[0] : ' ';
    if (first == '(')
        return read_group(r, out);
    if (!ascii_is_digit(first) && first != '*' && first != '$')
        return read_word(r, out);
    *out = new_key(r, SEARCH_NUMBERS);
    return *out && read_set(r, *out, SEARCH_NUMBERS);
}

/* NOT in front of a key turns it round; any number of them. */
static bool read_key(struct reading *r, struct search_key **out)
{
    bool negate = false;
    if (++r->out->depth > LIMIT_SEARCH_DEPTH)
        return wrong(r, SEARCH_TOO_MUCH);
    while (imap_word(&r->in, S("NOT"))) {
        negate = !negate;
        if (!imap_space(&r->in))
            return wrong(r, SEARCH_BAD);
    }
    bool good = read_plain(r, out);
    if (good)
        (*out)->negate ^= negate;
    r->out->depth--;
    return good;
}

/* ---- RETURN and CHARSET ---- */

static bool read_result(struct reading *r)
{
    static const struct {
        slice name;
        enum search_result bit;
    } options[] = {
        {{"MIN", 3}, RESULT_MIN},     {{"MAX", 3}, RESULT_MAX},   {{"ALL", 3}, RESULT_ALL},
        {{"COUNT", 5}, RESULT_COUNT}, {{"SAVE", 4}, RESULT_SAVE},
    };
    for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
        if (imap_word(&r->in, options[i].name)) {
            r->out->results |= options[i].bit;
            return true;
        }
    return wrong(r, SEARCH_BAD);
}

static bool read_results(struct reading *r)
{
    if (!imap_word(&r->in, S("RETURN"))) {
        r->out->results = RESULT_ALL;
        return true;
    }
    r->out->extended = true;
    if (!slice_eat(&r->in, S(" (")))
        return wrong(r, SEARCH_BAD);
    if (slice_eat(&r->in, S(")"))) {
        r->out->results = RESULT_ALL;
        return imap_space(&r->in) || wrong(r, SEARCH_BAD);
    }
    do
        if (!read_result(r))
            return false;
    while (imap_space(&r->in));
    return slice_eat(&r->in, S(") ")) || wrong(r, SEARCH_BAD);
}

static bool read_charset(struct reading *r)
{
    slice name;
    if (!imap_word(&r->in, S("CHARSET")))
        return true;
    if (r->context->utf8 || !imap_space(&r->in) || !imap_astring(r->arena, &r->in, &name) ||
        !imap_space(&r->in))
        return wrong(r, SEARCH_BAD);
    r->charset = charset_canonical(name);
    return r->charset || wrong(r, SEARCH_BADCHARSET);
}

enum search_reading search_read(struct arena *a, slice args, const struct search_context *context,
                                struct search *out)
{
    struct reading r = {.arena = a, .in = args, .context = context, .out = out};
    *out = (struct search){0};
    if (!read_results(&r) || !read_charset(&r) || !read_all(&r, &out->root))
        return r.error;
    return r.in.n ? SEARCH_BAD : SEARCH_READ;
}

void search_keywords(struct search *s, uint64_t (*bit)(void *ctx, slice name), void *ctx)
{
    for (struct search_key *k = s->newest; k; k = k->older)
        if (k->kind == SEARCH_KEYWORD)
            k->number = bit(ctx, k->name);
}
