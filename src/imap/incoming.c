/* Pieces of a literal to a spool, then what the store wants of it. */
#include "imap/incoming.h"

#include "base/budget.h"
#include "base/sha256.h"
#include "message/derive.h"
#include "message/header.h"
#include "base/banned.h"

/* Line ends are converted in pieces of that; a large message is taken apart in about so many times
 * its size, which is asked of the budget. */
enum { CONVERT_STEP = 8 * 1024, LARGE = 1 << 20, TIMES = 3 };

bool incoming_open(struct incoming *m, struct store *store, uint64_t max)
{
    m->spool = spool_open(store, max, NULL);
    m->max = max;
    return m->spool != NULL;
}

void incoming_close(struct incoming *m)
{
    spool_close(m->spool);
    m->spool = NULL;
}

static void fail(struct incoming *m, enum incoming_fault fault)
{
    if (m->fault == INCOMING_GOOD)
        m->fault = fault;
}

static void keep(struct incoming *m, slice bytes)
{
    m->size += bytes.n;
    if (m->size > m->max)
        fail(m, INCOMING_TOO_BIG);
    else if (m->fault == INCOMING_GOOD && !spool_add(m->spool, bytes))
        fail(m, INCOMING_NO_ROOM);
}

/* The first line end says how all of them are. */
static void look_at_ends(struct incoming *m, slice bytes)
{
    ptrdiff_t lf = slice_find(bytes, '\n');
    if (m->ends != ENDS_UNKNOWN || lf < 0)
        return;
    char before = lf ? bytes.p[lf - 1] : m->last;
    m->ends = before == '\r' || m->binary ? ENDS_KEPT : ENDS_LF;
}

static void convert(struct incoming *m, slice bytes)
{
    char to[CONVERT_STEP];
    size_t n = 0;
    for (size_t i = 0; i < bytes.n; i++) {
        char before = i ? bytes.p[i - 1] : m->last;
        if (n + 2 > sizeof(to)) {
            keep(m, (slice){to, n});
            n = 0;
        }
        if (bytes.p[i] == '\n' && before != '\r')
            to[n++] = '\r';
        to[n++] = bytes.p[i];
    }
    keep(m, (slice){to, n});
}

void incoming_add(struct incoming *m, slice bytes)
{
    if (m->fault != INCOMING_GOOD || bytes.n == 0)
        return;
    if (!m->binary && slice_find(bytes, '\0') >= 0)
        fail(m, INCOMING_NUL);
    look_at_ends(m, bytes);
    if (m->ends == ENDS_LF)
        convert(m, bytes);
    else
        keep(m, bytes);
    m->last = bytes.p[bytes.n - 1];
}

/* What lists show of it; nothing (it is made when first asked for) when memory is short. */
static void derive(struct arena *a, slice bytes, struct mailbox_append *m)
{
    struct arena work = {0};
    struct derived d;
    size_t taken = bytes.n > LARGE ? TIMES * bytes.n : 0;
    if (!budget_take(taken))
        return;
    message_derive(bytes, &work, &d);
    m->envelope = arena_dup(a, d.envelope);
    m->bodystructure = arena_dup(a, d.bodystructure);
    m->preview = arena_dup(a, d.preview);
    m->subject = arena_dup(a, d.subject);
    m->message_id = arena_dup(a, d.message_id);
    m->thread_keys = arena_dup(a, d.thread_keys);
    arena_end(&work);
    budget_give(taken);
}

void incoming_finish(struct incoming *m, struct arena *a, bool utf8, struct mailbox_append *append,
                     struct store_body *body)
{
    slice bytes;
    struct header_facts facts;
    if (m->fault == INCOMING_GOOD && !spool_bytes(m->spool, &bytes))
        fail(m, INCOMING_NO_ROOM);
    if (m->fault != INCOMING_GOOD)
        return;
    header_facts(bytes, &facts);
    if (facts.eight_bit && !utf8) {
        fail(m, INCOMING_8BIT);
        return;
    }
    *append = (struct mailbox_append){.body_bytes = bytes.n,
                                      .flags = m->flags.flags,
                                      .keywords = m->flags.keywords,
                                      .keyword_count = m->flags.keyword_count,
                                      .internaldate_ms = m->internaldate_ms,
                                      .zone_minutes = m->zone_minutes};
    derive(a, bytes, append);
    *body = (struct store_body){.fd = -1, .date_ms = m->internaldate_ms};
    spool_body(m->spool, body);
    sha256(bytes, body->sha256);
}
