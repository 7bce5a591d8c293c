/* The grammar is that of commands (imap/parse.h) plus lists of any values, nested to a cap. */
#include "agent/imap_data.h"

#include "base/limits.h"
#include "imap/parse.h"
#include "imap/utf7.h"
#include "message/header.h"
#include "base/banned.h"

enum { DEPTH = 32, PEOPLE_MAX = 50 };

static bool eat_string_or_nil(struct arena *a, slice *in, slice *out)
{
    bool nil;
    return imap_nstring(a, in, out, &nil);
}

/* One value of any kind: NIL, atom, number, string, list. */
static bool skip_value(struct arena *a, slice *in, int depth)
{
    slice ignored;
    bool binary;
    if (!slice_eat(in, S("(")))
        return imap_string(a, in, &ignored, &binary) || imap_atom(in, &ignored) ||
               (slice_eat(in, S("\\")) && imap_atom(in, &ignored));
    if (depth >= DEPTH)
        return false;
    while (!slice_eat(in, S(")")))
        if (!skip_value(a, in, depth + 1) || (imap_space(in), false))
            return false;
    return true;
}

/* ---- Mailboxes ---- */

static bool eat_mailbox(struct arena *a, slice *in, bool utf8, slice *name)
{
    slice text;
    if (!imap_list_mailbox(a, in, &text)) /* some servers leave odd characters bare */
        return false;
    *name = text;
    if (!utf8 && utf7_decode(a, text, &text))
        *name = text;
    *name = arena_dup(a, *name);
    return true;
}

static slice role_of(slice attribute)
{
    static const slice roles[] = {{"All", 3},   {"Archive", 7}, {"Drafts", 6},   {"Flagged", 7},
                                  {"Junk", 4},  {"Sent", 4},    {"Trash", 5},    {"Important", 9},
                                  {"Memos", 5}, {"Snoozed", 7}, {"Scheduled", 9}};
    for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
        if (slice_eq_icase(attribute, roles[i]))
            return roles[i];
    return S("");
}

static bool take_attributes(slice *in, struct imap_folder *f)
{
    slice word;
    if (!slice_eat(in, S("(")))
        return false;
    while (!slice_eat(in, S(")"))) {
        imap_space(in);
        slice_eat(in, S("\\"));
        if (!imap_atom(in, &word))
            return false;
        if (role_of(word).n)
            f->role = role_of(word);
        if (slice_eq_icase(word, S("Noselect")) || slice_eq_icase(word, S("NonExistent")))
            f->selectable = false;
    }
    return true;
}

bool imap_take_list(struct arena *a, slice data, bool utf8, struct imap_folder *out)
{
    slice separator;
    *out = (struct imap_folder){.selectable = true};
    if (!slice_eat_icase(&data, S("LIST ")) || !take_attributes(&data, out) || !imap_space(&data) ||
        !eat_string_or_nil(a, &data, &separator) || !imap_space(&data) ||
        !eat_mailbox(a, &data, utf8, &out->name))
        return false;
    out->separator = separator.n ? separator.p[0] : '\0';
    return true;
}

bool imap_take_status_data(struct arena *a, slice data, bool utf8, struct imap_folder *out)
{
    slice word;
    uint64_t value;
    *out = (struct imap_folder){.counted = true};
    if (!slice_eat_icase(&data, S("STATUS ")) || !eat_mailbox(a, &data, utf8, &out->name) ||
        !imap_space(&data) || !slice_eat(&data, S("(")))
        return false;
    while (imap_atom(&data, &word)) {
        if (!imap_space(&data) || !imap_number(&data, INT64_MAX, &value))
            return false;
        if (slice_eq_icase(word, S("MESSAGES")))
            out->messages = value;
        if (slice_eq_icase(word, S("UNSEEN")))
            out->unseen = value;
        imap_space(&data);
    }
    return true;
}

/* ---- Messages ---- */

struct person {
    slice name, email;
};

/* One address "(name adl mailbox host)"; a group's marks have no host or no mailbox. */
static bool take_person(struct arena *a, slice *in, struct person *p)
{
    slice name, adl, local, host;
    if (!slice_eat(in, S("(")) || !eat_string_or_nil(a, in, &name) || !imap_space(in) ||
        !eat_string_or_nil(a, in, &adl) || !imap_space(in) || !eat_string_or_nil(a, in, &local) ||
        !imap_space(in) || !eat_string_or_nil(a, in, &host) || !slice_eat(in, S(")")))
        return false;
    p->name = header_text(a, arena_dup(a, name));
    p->email = host.n ? arena_printf(a, "%.*s@%.*s", P(local), P(host)) : S("");
    return true;
}

/* A list of addresses or NIL; the first PEOPLE_MAX of them. */
static bool take_people(struct arena *a, slice *in, struct person people[PEOPLE_MAX], size_t *count)
{
    struct person p;
    *count = 0;
    if (imap_word(in, S("NIL")))
        return true;
    if (!slice_eat(in, S("(")))
        return false;
    while (!slice_eat(in, S(")"))) {
        if (!take_person(a, in, &p))
            return false;
        imap_space(in); /* none by the grammar */
        if (p.email.n && *count < PEOPLE_MAX)
            people[(*count)++] = p;
    }
    return true;
}

static slice print_people(struct arena *a, const struct person *people, size_t count)
{
    slice all = S("");
    for (size_t i = 0; i < count; i++) {
        const struct person *p = &people[i];
        const char *comma = i ? ", " : "";
        all = p->name.n
                  ? arena_printf(a, "%.*s%s%.*s <%.*s>", P(all), comma, P(p->name), P(p->email))
                  : arena_printf(a, "%.*s%s%.*s", P(all), comma, P(p->email));
    }
    return all;
}

/* "(date subject (from) (sender) (reply-to) (to) (cc) (bcc) in-reply-to message-id)". */
static bool take_envelope(struct arena *a, slice *in, struct imap_head *h)
{
    enum { FROM, SENDER, REPLY_TO, TO, CC, BCC, LISTS };
    slice date, subject, reply;
    struct person people[PEOPLE_MAX];
    size_t count;
    if (!slice_eat(in, S("(")) || !eat_string_or_nil(a, in, &date) || !imap_space(in) ||
        !eat_string_or_nil(a, in, &subject))
        return false;
    h->subject = header_text(a, arena_dup(a, subject));
    for (int list = FROM; list < LISTS; list++) {
        if (!imap_space(in) || !take_people(a, in, people, &count))
            return false;
        if (list == FROM && count) {
            h->from_name = people[0].name;
            h->from_email = people[0].email;
        }
        if (list == TO)
            h->to = print_people(a, people, count);
    }
    if (!imap_space(in) || !eat_string_or_nil(a, in, &reply) || !imap_space(in) ||
        !eat_string_or_nil(a, in, &h->message_id) || !slice_eat(in, S(")")))
        return false;
    h->message_id = arena_dup(a, h->message_id);
    return true;
}

static bool take_flags(struct arena *a, slice *in, struct imap_head *h)
{
    ptrdiff_t end = slice_find(*in, ')');
    if (end < 1 || !slice_eat(in, S("(")))
        return false;
    h->flags = arena_dup(a, slice_sub(*in, 0, (size_t)end - 1));
    h->has_flags = true;
    *in = slice_skip(*in, (size_t)end);
    return true;
}

static bool take_u32(slice *in, uint32_t *out)
{
    uint64_t n;
    if (!imap_number(in, UINT32_MAX, &n))
        return false;
    *out = (uint32_t)n;
    return true;
}

/* The name of a data item: up to the space before its value, "BODY[HEADER.FIELDS (A B)]" too. */
static slice eat_item_name(slice *in)
{
    size_t n = 0;
    for (bool inside = false; n < in->n && (inside || in->p[n] != ' '); n++)
        inside = in->p[n] == '[' || (inside && in->p[n] != ']');
    slice name = slice_sub(*in, 0, n);
    *in = slice_skip(*in, n);
    return name;
}

static bool take_item(struct arena *a, slice *in, struct imap_head *h)
{
    slice name = eat_item_name(in);
    if (!imap_space(in))
        return false;
    if (slice_eq_icase(name, S("UID")))
        return take_u32(in, &h->uid);
    if (slice_eq_icase(name, S("RFC822.SIZE")))
        return imap_number(in, INT64_MAX, &h->size);
    if (slice_eq_icase(name, S("FLAGS")))
        return take_flags(a, in, h);
    if (slice_eq_icase(name, S("ENVELOPE")))
        return take_envelope(a, in, h);
    if (slice_eq_icase(name, S("INTERNALDATE")))
        return h->has_date = imap_date_time(in, &h->date_ms, &h->zone_minutes);
    return skip_value(a, in, 0);
}

bool imap_take_fetch(struct arena *a, slice data, struct imap_head *out)
{
    *out = (struct imap_head){0};
    if (!take_u32(&data, &out->number) || !slice_eat_icase(&data, S(" FETCH (")))
        return false;
    while (!slice_eat(&data, S(")"))) {
        if (!take_item(a, &data, out))
            return false;
        imap_space(&data);
    }
    return true;
}

bool imap_flags_hold(slice flags, slice flag)
{
    slice word;
    while (slice_next(&flags, ' ', &word))
        if (slice_eq_icase(word, flag))
            return true;
    return false;
}

/* ---- Numbers ---- */

bool imap_take_number(slice data, slice word, uint32_t *out)
{
    return take_u32(&data, out) && imap_space(&data) && imap_word(&data, word);
}

static bool add_number(struct arena *a, struct imap_numbers *out, uint32_t n)
{
    if (out->count >= LIMIT_IMAP_FOUND)
        return false;
    out->items = arena_grow(a, out->items, out->count, &out->capacity, sizeof(n));
    out->items[out->count++] = n;
    return true;
}

static bool add_set(struct arena *a, slice *in, struct imap_numbers *out)
{
    struct imap_set set;
    if (!imap_set(a, in, 0, &set) || set.has_star)
        return false;
    for (size_t i = 0; i < set.count; i++)
        for (uint64_t n = set.ranges[i].low; n <= set.ranges[i].high; n++)
            if (!add_number(a, out, (uint32_t)n))
                return false;
    return true;
}

bool imap_take_search(struct arena *a, slice data, struct imap_numbers *out)
{
    uint32_t n;
    slice name;
    if (slice_eat_icase(&data, S("SEARCH"))) {
        while (imap_space(&data))
            if (take_u32(&data, &n) && !add_number(a, out, n))
                return false;
        return true; /* "(MODSEQ 917162500)" may follow */
    }
    if (!slice_eat_icase(&data, S("ESEARCH")))
        return false;
    while (imap_space(&data)) {
        bool list = data.n && data.p[0] == '(';
        name = S("");
        if (list ? !skip_value(a, &data, 0) : !imap_atom(&data, &name))
            return false;
        if (slice_eq_icase(name, S("ALL")) && (!imap_space(&data) || !add_set(a, &data, out)))
            return false;
    }
    return true;
}
