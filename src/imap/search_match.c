/*
 * Three values: yes, no, or what must be known first.  AND and OR ask for the least that may decide
 * them; NOT leaves a need as it is.
 */
#include "imap/search_match.h"

#include "base/casefold.h"
#include "base/clock.h"
#include "base/limits.h"
#include "message/bodystructure.h"
#include "message/date.h"
#include "message/header.h"
#include "message/text.h"
#include "message/word2047.h"

#include "base/banned.h"

static enum search_answer answer(bool yes)
{
    return yes ? SEARCH_YES : SEARCH_NO;
}

static bool has(struct search_subject *s, slice text, slice folded)
{
    return casefold_has(s->room, text, folded);
}

/* ---- the row: dates and envelope ---- */

/* The day a time has in its own zone: search disregards the zone (RFC 9051 6.4.4). */
static int64_t day_of(int64_t ms, int zone_minutes)
{
    int64_t local = ms + zone_minutes * MINUTE_MS;
    return (local - (local < 0 ? DAY_MS - 1 : 0)) / DAY_MS;
}

/* "(name route mailbox host)" as "Name <mailbox@host>, "; a group's name as "Name: ". */
static bool envelope_address(struct arena *a, slice *in, struct buf *out)
{
    slice part[4];
    bool nil[4];
    for (int i = 0; i < 4; i++) {
        imap_space(in);
        if (!imap_nstring(a, in, &part[i], &nil[i]))
            return false;
    }
    slice name = word2047_decode(a, nil[3] ? part[2] : part[0]);
    buf_add(out, name);
    if (nil[3])
        buf_add(out, nil[2] ? S("") : S(": "));
    else
        buf_printf(out, "%s<%.*s@%.*s>, ", name.n ? " " : "", P(part[2]), P(part[3]));
    return slice_eat(in, S(")"));
}

/* A list of addresses as one text; false when it is NIL. */
static bool envelope_people(struct arena *a, slice *in, slice *out)
{
    struct buf text = {.max = LIMIT_HEADER};
    *out = S("");
    if (imap_word(in, S("NIL")) || !slice_eat(in, S("(")))
        return false;
    while (slice_eat(in, S("(")) && envelope_address(a, in, &text))
        continue;
    *out = arena_dup(a, buf_slice(&text));
    buf_end(&text);
    return slice_eat(in, S(")"));
}

/* Skips one address list. */
static void envelope_skip(struct arena *a, slice *in)
{
    slice ignored;
    envelope_people(a, in, &ignored);
    imap_space(in);
}

/* Reads the ready-made ENVELOPE of message/bodystructure.h as far as the subject. */
static void envelope_read(struct arena *a, slice in, struct search_envelope *e)
{
    slice date;
    bool nil;
    int64_t ms;
    int zone;
    slice_eat(&in, S("("));
    if (imap_nstring(a, &in, &date, &nil) && date_parse(date, &ms, &zone)) {
        e->has_sent = true;
        e->sent_days = day_of(ms, zone);
    }
    imap_space(&in);
    if (!imap_nstring(a, &in, &e->subject, &nil))
        return;
    e->has_subject = !nil;
    e->subject = word2047_decode(a, e->subject);
    imap_space(&in);
    e->rest = in;
}

/* And those it names. */
static void envelope_read_people(struct arena *a, struct search_envelope *e)
{
    slice in = e->rest;
    e->has_from = envelope_people(a, &in, &e->from);
    imap_space(&in);
    envelope_skip(a, &in); /* Sender */
    envelope_skip(a, &in); /* Reply-To */
    e->has_to = envelope_people(a, &in, &e->to);
    imap_space(&in);
    e->has_cc = envelope_people(a, &in, &e->cc);
    imap_space(&in);
    e->has_bcc = envelope_people(a, &in, &e->bcc);
}

static const struct search_envelope *envelope(struct search_subject *s, bool people)
{
    struct search_made *made = &s->made;
    if (!made->envelope) {
        slice text = s->envelope.n ? s->envelope : envelope_print(s->arena, s->header);
        envelope_read(s->arena, text, &made->e);
        made->envelope = true;
    }
    if (people && !made->people)
        envelope_read_people(s->arena, &made->e);
    made->people |= people;
    return &made->e;
}

static bool match_date(const struct search_key *k, const struct search_subject *s)
{
    int64_t day = day_of(s->internaldate_ms, s->zone_minutes), want = (int64_t)k->number;
    int64_t seconds = s->internaldate_ms / SECOND_MS, then = s->now_ms / SECOND_MS - want;
    switch (k->kind) {
    case SEARCH_BEFORE:
        return day < want;
    case SEARCH_ON:
        return day == want;
    case SEARCH_SINCE:
        return day >= want;
    case SEARCH_OLDER:
        return seconds <= then;
    default: /* SEARCH_YOUNGER */
        return seconds >= then;
    }
}

static bool match_envelope(const struct search_key *k, struct search_subject *s)
{
    const struct search_envelope *e = envelope(s, k->kind > SEARCH_SUBJECT);
    switch (k->kind) {
    case SEARCH_SENTBEFORE:
        return e->has_sent && e->sent_days < (int64_t)k->number;
    case SEARCH_SENTON:
        return e->has_sent && e->sent_days == (int64_t)k->number;
    case SEARCH_SENTSINCE:
        return e->has_sent && e->sent_days >= (int64_t)k->number;
    case SEARCH_SUBJECT:
        return e->has_subject && has(s, e->subject, k->text);
    case SEARCH_FROM:
        return e->has_from && has(s, e->from, k->text);
    case SEARCH_TO:
        return e->has_to && has(s, e->to, k->text);
    case SEARCH_CC:
        return e->has_cc && has(s, e->cc, k->text);
    default: /* SEARCH_BCC */
        return e->has_bcc && has(s, e->bcc, k->text);
    }
}

/* ---- the header ---- */

static bool match_field(const struct search_key *k, struct search_subject *s)
{
    struct header_field f;
    for (slice rest = s->header; header_next(&rest, &f);)
        if (slice_eq_icase(f.name, k->name) && has(s, header_text(s->arena, f.value), k->text))
            return true;
    return false;
}

/* The fields as people read them: "Name: decoded value". */
static bool match_header(const struct search_key *k, struct search_subject *s, slice header)
{
    struct header_field f;
    for (slice rest = header; header_next(&rest, &f);)
        if (has(s,
                arena_printf(s->arena, "%.*s: %.*s", P(f.name), P(header_text(s->arena, f.value))),
                k->text))
            return true;
    return false;
}

/* ---- the message ---- */

static void make_tree(struct search_subject *s)
{
    struct search_made *made = &s->made;
    if (made->tree)
        return;
    mime_parse(s->arena, s->message, &made->mime);
    made->content = arena_array(s->arena, made->mime.count, sizeof(*made->content));
    made->texts = arena_array(s->arena, made->mime.count, sizeof(*made->texts));
    for (size_t i = 0; i < made->mime.count; i++)
        mime_content(s->arena, &made->mime, i, &made->content[i]);
    made->tree = true;
}

/* The decoded text of a leaf, made once; "" when it is no text. */
static slice part_text(struct search_subject *s, size_t part)
{
    const struct mime_content *c = &s->made.content[part];
    slice *text = &s->made.texts[part];
    if (text->p)
        return *text;
    *text = S("");
    if (s->made.mime.parts[part].kind != MIME_LEAF || !slice_eq(c->major, S("text")))
        return *text;
    *text = mime_text(s->arena, &s->made.mime, part, c, NULL);
    if (slice_eq(c->minor, S("html")))
        *text = html_to_text(s->arena, *text, 0, SIZE_MAX);
    return *text;
}

/* Is the header of this part that of a message, not only MIME's? */
static bool is_message(const struct mime *m, size_t part)
{
    return part == 0 || m->parts[m->parts[part].parent].kind == MIME_MESSAGE;
}

static bool match_message(const struct search_key *k, struct search_subject *s)
{
    bool everything = k->kind == SEARCH_TEXT;
    if (!k->text.n)
        return true;
    make_tree(s);
    const struct mime *m = &s->made.mime;
    for (size_t i = 0; i < m->count; i++) {
        bool inside = i > 0 && is_message(m, i);
        if ((everything || inside) && match_header(k, s, mime_header(m, i)))
            return true;
        if (everything && has(s, s->made.content[i].name, k->text))
            return true;
        if (has(s, part_text(s, i), k->text))
            return true;
    }
    return false;
}

/* ---- keys ---- */

/* Nothing is what "no" and "yes" both are not; the least that must be known comes first. */
static enum search_answer match_children(const struct search_key *k, struct search_subject *s)
{
    enum search_answer decides = k->kind == SEARCH_OR ? SEARCH_YES : SEARCH_NO;
    enum search_answer needs = SEARCH_NO;
    for (const struct search_key *child = k->child; child; child = child->next) {
        enum search_answer a = search_match(child, s);
        if (a == decides)
            return decides;
        if (a > SEARCH_YES && (needs == SEARCH_NO || a < needs))
            needs = a;
    }
    return needs != SEARCH_NO ? needs : decides == SEARCH_YES ? SEARCH_NO : SEARCH_YES;
}

static enum search_answer match_entry(const struct search_key *k, const struct search_subject *s)
{
    const struct entry *e = &s->entry;
    switch (k->kind) {
    case SEARCH_NUMBERS:
        return answer(imap_set_has(&k->set, s->number));
    case SEARCH_UIDS:
        return answer(imap_set_has(&k->set, e->uid));
    case SEARCH_SAVED:
        return answer(s->saved && imap_set_has(s->saved, e->uid));
    case SEARCH_FLAGS:
        return answer((e->flags & k->number) == k->number);
    case SEARCH_KEYWORD:
        return answer(k->number && (e->flags & k->number));
    case SEARCH_RECENT:
        return answer(s->recent);
    case SEARCH_LARGER:
        return answer(e->size > k->number);
    case SEARCH_SMALLER:
        return answer(e->size < k->number);
    case SEARCH_MODSEQ:
        return answer((uint64_t)e->modseq >= k->number);
    default: /* SEARCH_ALL */
        return SEARCH_YES;
    }
}

static enum search_answer match_key(const struct search_key *k, struct search_subject *s)
{
    switch (k->kind) {
    case SEARCH_AND:
    case SEARCH_OR:
        return match_children(k, s);
    case SEARCH_BEFORE:
    case SEARCH_ON:
    case SEARCH_SINCE:
    case SEARCH_OLDER:
    case SEARCH_YOUNGER:
        return s->known < KNOWS_ROW ? SEARCH_NEEDS_ROW : answer(match_date(k, s));
    case SEARCH_SENTBEFORE:
    case SEARCH_SENTON:
    case SEARCH_SENTSINCE:
    case SEARCH_SUBJECT:
    case SEARCH_FROM:
    case SEARCH_TO:
    case SEARCH_CC:
    case SEARCH_BCC:
        if (s->known < KNOWS_ROW)
            return SEARCH_NEEDS_ROW;
        if (!s->envelope.n && s->known < KNOWS_HEADER)
            return SEARCH_NEEDS_HEADER;
        return answer(match_envelope(k, s));
    case SEARCH_HEADER:
        return s->known < KNOWS_HEADER ? SEARCH_NEEDS_HEADER : answer(match_field(k, s));
    case SEARCH_TEXT:
        if (s->known < KNOWS_HEADER)
            return SEARCH_NEEDS_HEADER;
        if (s->known == KNOWS_HEADER)
            return match_header(k, s, s->header) ? SEARCH_YES : SEARCH_NEEDS_MESSAGE;
        return answer(match_message(k, s));
    case SEARCH_BODY:
        return s->known < KNOWS_MESSAGE ? SEARCH_NEEDS_MESSAGE : answer(match_message(k, s));
    default:
        return match_entry(k, s);
    }
}

enum search_answer search_match(const struct search_key *k, struct search_subject *s)
{
    enum search_answer a = match_key(k, s);
    if (!k->negate || a > SEARCH_YES)
        return a;
    return a == SEARCH_YES ? SEARCH_NO : SEARCH_YES;
}
