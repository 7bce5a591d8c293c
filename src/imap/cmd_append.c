/*
 * APPEND (RFC 9051 6.3.12; rules I1, I15), of one message or of several at once (RFC 3502, all or
 * none), also as literal8 (RFC 3516, 4466) and as UTF8 (…) (RFC 6855).  What can be refused is
 * refused before the client is asked for the message: no such mailbox, too large, over quota.
 *
 *   a APPEND Sent (\Seen) "23-Nov-2026 20:24:01 +0000" {310}   literal(): the announcement
 *   + …                                                        sink(): its bytes
 *    (\Draft) {12+}                                            literal() again
 *                                                              run(): one durable transaction
 */
#include "imap/command.h"

#include "base/clock.h"
#include "imap/incoming.h"
#include "store/folder.h"
#include "base/banned.h"

struct appending {
    int64_t mailbox;
    struct incoming messages[LIMIT_APPEND_MESSAGES];
    size_t count;
    uint64_t announced; /* bytes of all of them */
    bool in_utf8;       /* a ")" follows the literal */
};

static void release(struct imap *p)
{
    struct appending *x = p->work;
    for (size_t i = 0; i < x->count; i++)
        incoming_close(&x->messages[i]);
}

static void sink(struct imap *p, slice bytes)
{
    struct appending *x = p->work;
    incoming_add(&x->messages[x->count - 1], bytes);
}

/* True when it may be stored; else the command has been answered. */
static bool is_good(struct imap *p, const struct incoming *m)
{
    switch (m->fault) {
    case INCOMING_GOOD:
        return true;
    case INCOMING_NUL:
        imap_bad(p, "A NUL stands only in a literal8");
        break;
    case INCOMING_TOO_BIG:
        imap_no(p, "[TOOBIG] The message is too large");
        break;
    case INCOMING_NO_ROOM:
        imap_no(p, "[LIMIT] There is no room for it now");
        break;
    case INCOMING_8BIT:
        imap_no(p, "The header has 8-bit characters, and UTF8=ACCEPT is not enabled");
        break;
    }
    return false;
}

/* ---- the announcement ---- */

static void refused(struct imap *p, enum outcome o, enum refusal why)
{
    if (o == PERMFAIL && why == REFUSED_MISSING)
        imap_no(p, "[TRYCREATE] No such mailbox");
    else
        imap_refused(p, o, why);
}

/* The mailbox; false after the answer. */
static bool begin(struct imap *p, slice *args)
{
    slice name;
    struct folder f;
    if (!imap_mailbox_name(p, args, &name))
        return false;
    enum outcome o = folder_find(p->options->login->store, &p->scratch, p->account, name, &f);
    if (o != DONE) {
        refused(p, o, REFUSED_MISSING);
        return false;
    }
    struct appending *x = arena_new(&p->scratch, struct appending);
    x->mailbox = f.mailbox;
    p->work = x;
    p->release = release;
    p->sink = sink;
    return true;
}

/* What stands in front of a message's literal; false after the answer. */
static bool read_message(struct imap *p, slice args, const struct imap_literal *announced,
                         struct incoming *m, bool *in_utf8)
{
    slice rest = args;
    bool good = imap_space(&rest);
    if (good && slice_starts(rest, S("("))) {
        if (!imap_flag_list(p, &rest, false, &m->flags))
            return false;
        good = imap_space(&rest);
    }
    m->internaldate_ms = clock_ms();
    m->zone_minutes = clock_zone_minutes(m->internaldate_ms);
    if (good && slice_starts(rest, S("\"")))
        good = imap_date_time(&rest, &m->internaldate_ms, &m->zone_minutes) && imap_space(&rest);
    m->binary = announced->binary;
    *in_utf8 = good && slice_eat_icase(&rest, S("UTF8 ("));
    if (*in_utf8 && !((p->enabled & ENABLED_UTF8) && announced->binary))
        good = false;
    if (!good || rest.n)
        imap_syntax(p);
    return good && !rest.n;
}

/* Keywords were read from a text that will not stay. */
static void keep_keywords(struct imap *p, struct imap_flags *f)
{
    slice *kept = arena_array(&p->scratch, f->keyword_count + 1, sizeof(*kept));
    for (size_t i = 0; i < f->keyword_count; i++)
        kept[i] = arena_dup(&p->scratch, f->keywords[i]);
    f->keywords = kept;
}

/* Whether so many bytes more can come; a small message is judged when it is stored. */
static bool has_room(struct imap *p, const struct appending *x, uint64_t size)
{
    struct quota q;
    if (size > p->options->message_size) {
        imap_no(p, "[TOOBIG] A message has at most %llu bytes",
                (unsigned long long)p->options->message_size);
        return false;
    }
    if (size == 0) {
        imap_no(p, "An empty message: nothing was appended");
        return false;
    }
    if (x->count >= LIMIT_APPEND_MESSAGES) {
        imap_no(p, "[LIMIT] Too many messages in one APPEND");
        return false;
    }
    if (x->announced + size > LIMIT_BODY_IN_MEMORY &&
        folder_quota(p->options->login->store, p->account, &q) && q.limit &&
        q.used + x->announced + size > q.limit) {
        imap_no(p, "[OVERQUOTA] No room left");
        return false;
    }
    return true;
}

enum imap_taking imap_append_literal(struct imap *p, slice so_far,
                                     const struct imap_literal *announced)
{
    bool first = !p->work;
    if (first && so_far.n == 0)
        return TAKE_IN_PLACE; /* the name of the mailbox */
    if (first && !begin(p, &so_far))
        return TAKE_REFUSED;
    struct appending *x = p->work;
    if (!first && !is_good(p, &x->messages[x->count - 1]))
        return TAKE_REFUSED;
    if (x->in_utf8 && !slice_eat(&so_far, S(")"))) {
        imap_syntax(p);
        return TAKE_REFUSED;
    }
    struct incoming m = {0};
    if (!read_message(p, so_far, announced, &m, &x->in_utf8) || !has_room(p, x, announced->size))
        return TAKE_REFUSED;
    keep_keywords(p, &m.flags);
    if (!incoming_open(&m, p->options->login->store, p->options->message_size)) {
        imap_no(p, "[LIMIT] There is no room for it now");
        return TAKE_REFUSED;
    }
    x->messages[x->count++] = m;
    x->announced += announced->size;
    return TAKE_STREAM;
}

/* ---- the end ---- */

/* "304" or "304:306": the uids follow one another. */
static void appended(struct imap *p, const struct mailbox_append *m, size_t count)
{
    if (count == 1)
        imap_ok(p, "[APPENDUID %u %u] Appended", m[0].uidvalidity, m[0].uid);
    else
        imap_ok(p, "[APPENDUID %u %u:%u] %zu appended", m[0].uidvalidity, m[0].uid,
                m[count - 1].uid, count);
}

static enum refusal why_not(const struct mailbox_append *m, size_t count)
{
    enum refusal why = REFUSED_NOT;
    for (size_t i = 0; i < count && why == REFUSED_NOT; i++)
        why = m[i].why;
    return why;
}

void imap_cmd_append(struct imap *p, slice args)
{
    struct appending *x = p->work;
    if (!x || !slice_eq(args, x->in_utf8 ? S(")") : S(""))) {
        imap_syntax(p);
        return;
    }
    struct mailbox_append *m = arena_array(&p->scratch, x->count, sizeof(*m));
    struct store_body *bodies = arena_array(&p->scratch, x->count, sizeof(*bodies));
    for (size_t i = 0; i < x->count; i++) {
        incoming_finish(&x->messages[i], &p->scratch, p->enabled & ENABLED_UTF8, &m[i], &bodies[i]);
        if (!is_good(p, &x->messages[i]))
            return;
        m[i].account = p->account;
        m[i].mailbox = x->mailbox;
    }
    enum outcome o = mailbox_append_all(p->options->login->store, m, bodies, x->count);
    if (o == DONE)
        appended(p, m, x->count);
    else
        refused(p, o, why_not(m, x->count));
}

slice imap_append_limit(struct imap *p)
{
    return arena_printf(&p->scratch, "%llu", (unsigned long long)p->options->message_size);
}
