/*
 * The commands.  What the server says between them (EXISTS, EXPUNGE) is noted by every one, so that
 * the number of messages is always the newest.
 */
#include "agent/imap_client.h"

#include <stdlib.h>
#include <time.h>

#include "agent/imap_login.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "imap/parse.h"
#include "imap/utf7.h"
#include "message/date.h"
#include "base/banned.h"

enum { IDLE_MS = 25 * 60 * 1000, POLL_MS = 5000, COPY_BYTES = 65536, SET_MAX = 1000 };

struct imap_client {
    struct imap_wire wire;
    uint32_t messages; /* in the open mailbox */
    bool arrived;      /* more than before */
};

struct imap_client *imap_client_open(const struct agent_account *account, slice password,
                                     struct buf *error)
{
    struct imap_client *c = mem_alloc(sizeof(*c));
    *c = (struct imap_client){0};
    if (imap_log_in(&c->wire, account, password, error))
        return c;
    wire_end(&c->wire);
    mem_free(c);
    return NULL;
}

void imap_client_close(struct imap_client *c)
{
    if (!c)
        return;
    if (!c->wire.broken && !c->wire.closed) {
        log_step(c->wire.who, "closure", "LOGOUT");
        wire_ask(&c->wire, "LOGOUT");
    }
    wire_end(&c->wire);
    mem_free(c);
}

bool imap_client_offers(const struct imap_client *c, slice capability)
{
    return wire_offers(&c->wire, capability);
}

/* ---- What every command hears ---- */

/* One command: what its data becomes. */
struct job {
    struct imap_client *c;
    struct arena *a;
    bool utf8;
    struct imap_folder *folders;
    struct imap_head *heads;
    size_t count, capacity;
    struct imap_numbers numbers;
    slice into; /* UIDs of copies */
};

static void note_news(struct imap_client *c, slice data)
{
    uint32_t n;
    if (imap_take_number(data, S("EXISTS"), &n)) {
        c->arrived = c->arrived || n > c->messages;
        c->messages = n;
    } else if (imap_take_number(data, S("EXPUNGE"), &n) && c->messages) {
        c->messages--;
    }
}

static bool on_news(void *ctx, slice data)
{
    struct job *j = ctx;
    note_news(j->c, data);
    return true;
}

static enum imap_reply finish(struct imap_client *c)
{
    struct job job = {.c = c};
    return wire_finish(&c->wire, on_news, &job);
}

static bool done(struct imap_client *c, enum imap_reply r, const char *what, struct buf *error)
{
    return r == IMAP_OK || wire_fail(&c->wire, r, what, error);
}

/* Without IMAP4rev1 there is no modified UTF-7. */
static bool names_are_utf8(const struct imap_client *c)
{
    return !wire_offers(&c->wire, S("IMAP4rev1")) && wire_offers(&c->wire, S("IMAP4rev2"));
}

static void put_mailbox(struct imap_client *c, slice name)
{
    struct arena a = {0};
    wire_put_string(&c->wire, names_are_utf8(c) ? name : utf7_encode(&a, name));
    arena_end(&a);
}

/* ---- Mailboxes ---- */

static struct imap_folder *find_folder(struct job *j, slice name)
{
    for (size_t i = 0; i < j->count; i++)
        if (slice_eq(j->folders[i].name, name))
            return &j->folders[i];
    return NULL;
}

static bool on_folder(void *ctx, slice data)
{
    struct job *j = ctx;
    struct imap_folder f, *there;
    if (imap_take_list(j->a, data, j->utf8, &f)) {
        if (j->count >= LIMIT_MAILBOXES)
            return false;
        j->folders = arena_grow(j->a, j->folders, j->count, &j->capacity, sizeof(f));
        j->folders[j->count++] = f;
    } else if (imap_take_status_data(j->a, data, j->utf8, &f) && (there = find_folder(j, f.name))) {
        there->counted = true;
        there->messages = f.messages;
        there->unseen = f.unseen;
    }
    note_news(j->c, data);
    return true;
}

static int by_name(const void *x, const void *y)
{
    const struct imap_folder *a = x, *b = y;
    bool a_inbox = slice_eq_icase(a->name, S("INBOX")),
         b_inbox = slice_eq_icase(b->name, S("INBOX"));
    return a_inbox != b_inbox ? (a_inbox ? -1 : 1) : slice_cmp(a->name, b->name);
}

/* STATUS of each: for servers without LIST-STATUS. */
static enum imap_reply ask_counts(struct job *j)
{
    enum imap_reply r = IMAP_OK;
    for (size_t i = 0; i < j->count && r != IMAP_LOST; i++) {
        if (!j->folders[i].selectable || j->folders[i].counted)
            continue;
        wire_begin(&j->c->wire, "STATUS");
        put_mailbox(j->c, j->folders[i].name);
        wire_put(&j->c->wire, S(" (MESSAGES UNSEEN)"));
        r = wire_finish(&j->c->wire, on_folder, j);
    }
    return r == IMAP_LOST ? r : IMAP_OK; /* a mailbox one may not read has no counts */
}

bool imap_client_folders(struct imap_client *c, struct arena *a, bool counts,
                         struct imap_folder **folders, size_t *count, struct buf *error)
{
    struct job j = {.c = c, .a = a, .utf8 = names_are_utf8(c)};
    const struct imap_wire *w = &c->wire;
    bool extended = wire_offers(w, S("LIST-EXTENDED")) || wire_offers(w, S("IMAP4rev2"));
    bool use = extended && (wire_offers(w, S("SPECIAL-USE")) || wire_offers(w, S("IMAP4rev2")));
    bool status =
        counts && extended && (wire_offers(w, S("LIST-STATUS")) || wire_offers(w, S("IMAP4rev2")));
    wire_begin(&c->wire, "LIST \"\" \"*\"%s%s%s%s", use || status ? " RETURN (" : "",
               use ? "SPECIAL-USE" : "", status ? &" STATUS (MESSAGES UNSEEN)"[!use] : "",
               use || status ? ")" : "");
    enum imap_reply r = wire_finish(&c->wire, on_folder, &j);
    if (r == IMAP_OK && counts)
        r = ask_counts(&j);
    if (j.count)
        qsort(j.folders, j.count, sizeof(*j.folders), by_name);
    *folders = j.folders;
    *count = j.count;
    return done(c, r, "to list the mailboxes", error);
}

bool imap_client_role(struct imap_client *c, struct arena *a, slice role, slice *name,
                      struct buf *error)
{
    struct imap_folder *folders;
    size_t count;
    *name = S("");
    if (!imap_client_folders(c, a, false, &folders, &count, error))
        return false;
    for (size_t i = 0; i < count && !name->n; i++)
        if (slice_eq_icase(folders[i].role, role))
            *name = folders[i].name;
    for (size_t i = 0; i < count && !name->n; i++)
        if (slice_eq_icase(folders[i].name, role))
            *name = folders[i].name;
    return true;
}

bool imap_client_create(struct imap_client *c, slice mailbox, slice role, struct buf *error)
{
    bool use = role.n && wire_offers(&c->wire, S("CREATE-SPECIAL-USE"));
    wire_begin(&c->wire, "CREATE");
    put_mailbox(c, mailbox);
    if (use) {
        wire_put(&c->wire, S(" (USE (\\"));
        wire_put(&c->wire, role);
        wire_put(&c->wire, S("))"));
    }
    enum imap_reply r = finish(c);
    if (r == IMAP_OK) {
        log_step(c->wire.who, "mailbox", "CREATE %.*s", P(mailbox));
        wire_begin(&c->wire, "SUBSCRIBE");
        put_mailbox(c, mailbox);
        return done(c, finish(c), "to subscribe to the mailbox", error);
    }
    return done(c, r, "to make the mailbox", error);
}

bool imap_client_select(struct imap_client *c, slice mailbox, bool read_only, uint32_t *messages,
                        struct buf *error)
{
    struct arena a = {0};
    const char *what =
        arena_printf(&a, "to open the mailbox %.*s", P(slice_sub(mailbox, 0, 200))).p;
    wire_begin(&c->wire, read_only ? "EXAMINE" : "SELECT");
    put_mailbox(c, mailbox);
    c->messages = 0;
    enum imap_reply r = finish(c);
    c->arrived = false;
    if (messages)
        *messages = c->messages;
    if (r == IMAP_OK)
        log_step(c->wire.who, "mailbox", "%s %.*s: %u messages", read_only ? "EXAMINE" : "SELECT",
                 P(mailbox), c->messages);
    bool ok = done(c, r, what, error);
    arena_end(&a);
    return ok;
}

/* ---- Messages ---- */

static bool on_found(void *ctx, slice data)
{
    struct job *j = ctx;
    note_news(j->c, data);
    if (slice_starts_icase(data, S("SEARCH")) || slice_starts_icase(data, S("ESEARCH")))
        return imap_take_search(j->a, data, &j->numbers);
    return true;
}

static int by_number(const void *x, const void *y)
{
    const uint32_t *a = x, *b = y;
    return *a < *b ? -1 : *a > *b;
}

bool imap_client_search(struct imap_client *c, struct arena *a, const struct imap_query *q,
                        struct imap_numbers *uids, struct buf *error)
{
    struct job j = {.c = c, .a = a};
    struct imap_wire *w = &c->wire;
    bool charset = !slice_is_ascii(q->text) && !names_are_utf8(c);
    wire_begin(w, "UID SEARCH%s", charset ? " CHARSET UTF-8" : "");
    if (q->set.n) {
        wire_put(w, S(" UID "));
        wire_put(w, q->set);
    }
    wire_put(w, q->unseen ? S(" UNSEEN") : S(""));
    wire_put(w, q->flagged ? S(" FLAGGED") : S(""));
    if (q->text.n) {
        wire_put(w, S(" TEXT"));
        wire_put_string(w, q->text);
    }
    wire_put(w, !q->set.n && !q->unseen && !q->flagged && !q->text.n ? S(" ALL") : S(""));
    enum imap_reply r = wire_finish(w, on_found, &j);
    *uids = j.numbers;
    if (uids->count)
        qsort(uids->items, uids->count, sizeof(*uids->items), by_number);
    if (r == IMAP_OK)
        log_step(w->who, "mailbox", "SEARCH: %zu found", uids->count);
    return done(c, r, "to search", error);
}

/* The UIDs [from, …) as a set of at most SET_MAX numbers; *next is the first that is left. */
static slice print_set(struct arena *a, const uint32_t *uids, size_t count, size_t from,
                       size_t *next)
{
    struct imap_set set = {0};
    size_t capacity = 0;
    for (*next = from; *next < count && *next - from < SET_MAX; (*next)++)
        imap_set_add(a, &set, &capacity, uids[*next]);
    return imap_set_print(a, &set);
}

/* Runs "UID verb SET rest" for all UIDs, SET_MAX at a time. */
static enum imap_reply for_each_set(struct job *j, const uint32_t *uids, size_t count,
                                    const char *verb, slice rest, wire_data_fn *on_data)
{
    enum imap_reply r = IMAP_OK;
    for (size_t at = 0; at < count && r == IMAP_OK;) {
        struct arena a = {0};
        slice set = print_set(&a, uids, count, at, &at);
        wire_begin(&j->c->wire, "UID %s %.*s", verb, P(set));
        wire_put(&j->c->wire, rest);
        r = wire_finish(&j->c->wire, on_data, j);
        arena_end(&a);
    }
    return r;
}

static bool on_head(void *ctx, slice data)
{
    struct job *j = ctx;
    struct imap_head h;
    note_news(j->c, data);
    if (!imap_take_fetch(j->a, data, &h) || !h.uid || !h.has_date)
        return true; /* flags that changed elsewhere */
    if (j->count >= LIMIT_IMAP_FOUND)
        return false;
    j->heads = arena_grow(j->a, j->heads, j->count, &j->capacity, sizeof(h));
    j->heads[j->count++] = h;
    return true;
}

static int by_uid(const void *x, const void *y)
{
    const struct imap_head *a = x, *b = y;
    return a->uid < b->uid ? -1 : a->uid > b->uid;
}

#define HEAD_ITEMS " (UID FLAGS RFC822.SIZE INTERNALDATE ENVELOPE)"

static bool take_heads(struct job *j, enum imap_reply r, struct imap_head **heads, size_t *got,
                       struct buf *error)
{
    size_t n = 0;
    if (j->count)
        qsort(j->heads, j->count, sizeof(*j->heads), by_uid);
    for (size_t i = 0; i < j->count; i++) /* a server may say one twice */
        if (n == 0 || j->heads[n - 1].uid != j->heads[i].uid)
            j->heads[n++] = j->heads[i];
    *heads = j->heads;
    *got = n;
    return done(j->c, r, "to list the messages", error);
}

bool imap_client_heads(struct imap_client *c, struct arena *a, const uint32_t *uids, size_t count,
                       struct imap_head **heads, size_t *got, struct buf *error)
{
    struct job j = {.c = c, .a = a};
    enum imap_reply r = for_each_set(&j, uids, count, "FETCH", S(HEAD_ITEMS), on_head);
    return take_heads(&j, r, heads, got, error);
}

bool imap_client_last(struct imap_client *c, struct arena *a, size_t count,
                      struct imap_head **heads, size_t *got, struct buf *error)
{
    struct job j = {.c = c, .a = a};
    enum imap_reply r = IMAP_OK;
    if (c->messages && count) {
        wire_begin(&c->wire, "FETCH %zu:*%s", c->messages > count ? c->messages - count + 1 : 1,
                   HEAD_ITEMS);
        r = wire_finish(&c->wire, on_head, &j);
    }
    return take_heads(&j, r, heads, got, error);
}

bool imap_client_text(struct imap_client *c, uint32_t uid, bool (*sink)(void *ctx, slice run),
                      void *ctx, struct buf *error)
{
    struct job j = {.c = c};
    struct imap_wire *w = &c->wire;
    w->body = sink;
    w->body_ctx = ctx;
    wire_begin(w, "UID FETCH %u (UID BODY.PEEK[])", uid);
    enum imap_reply r = wire_finish(w, on_news, &j);
    w->body = NULL;
    log_step(w->who, "transfer", "FETCH BODY.PEEK[] of %u", uid);
    return done(c, r, "to give the message", error);
}

bool imap_client_store(struct imap_client *c, const uint32_t *uids, size_t count, const char *how,
                       const char *flags, struct buf *error)
{
    struct arena a = {0};
    struct job j = {.c = c};
    slice rest = arena_printf(&a, " %s.SILENT (%s)", how, flags);
    enum imap_reply r = for_each_set(&j, uids, count, "STORE", rest, on_news);
    if (r == IMAP_OK)
        log_step(c->wire.who, "mailbox", "STORE %s (%s) of %zu", how, flags, count);
    arena_end(&a);
    return done(c, r, "to change the flags", error);
}

/* Only with UIDPLUS can what others marked stay. */
static enum imap_reply expunge(struct imap_client *c, const uint32_t *uids, size_t count)
{
    struct job j = {.c = c};
    enum imap_reply r =
        for_each_set(&j, uids, count, "STORE", S(" +FLAGS.SILENT (\\Deleted)"), on_news);
    if (r == IMAP_OK && (wire_offers(&c->wire, S("UIDPLUS")) || names_are_utf8(c)))
        r = for_each_set(&j, uids, count, "EXPUNGE", S(""), on_news);
    return r;
}

bool imap_client_expunge(struct imap_client *c, const uint32_t *uids, size_t count,
                         struct buf *error)
{
    enum imap_reply r = expunge(c, uids, count);
    if (r == IMAP_OK)
        log_step(c->wire.who, "mailbox", "EXPUNGE of %zu", count);
    return done(c, r, "to delete", error);
}

/* Where COPYUID says the messages went: in the tagged text (COPY) or in an untagged OK (MOVE). */
static bool on_copied(void *ctx, slice data)
{
    struct job *j = ctx;
    slice arguments, validity, from, into;
    note_news(j->c, data);
    slice_eat_icase(&data, S("OK "));
    if (wire_code(data, S("COPYUID"), &arguments) && slice_next(&arguments, ' ', &validity) &&
        slice_next(&arguments, ' ', &from) && slice_next(&arguments, ' ', &into))
        j->into = arena_printf(j->a, "%.*s%s%.*s", P(j->into), j->into.n ? "," : "", P(into));
    return true;
}

bool imap_client_move(struct imap_client *c, struct arena *a, const uint32_t *uids, size_t count,
                      slice mailbox, slice *into, struct buf *error)
{
    struct job j = {.c = c, .a = a};
    bool move = wire_offers(&c->wire, S("MOVE")) || names_are_utf8(c);
    enum imap_reply r = IMAP_OK;
    for (size_t at = 0; at < count && r == IMAP_OK;) {
        slice set = print_set(a, uids, count, at, &at);
        wire_begin(&c->wire, "UID %s %.*s", move ? "MOVE" : "COPY", P(set));
        put_mailbox(c, mailbox);
        r = wire_finish(&c->wire, on_copied, &j);
        if (r == IMAP_OK)
            on_copied(&j, c->wire.last);
    }
    if (r == IMAP_OK && !move)
        r = expunge(c, uids, count);
    *into = j.into;
    if (r == IMAP_OK)
        log_step(c->wire.who, "mailbox", "MOVE of %zu to %.*s", count, P(mailbox));
    return done(c, r, "to move", error);
}

/* ---- Waiting for mail ---- */

/* One IDLE until something arrives or the time is over. */
static enum imap_reply idle(struct imap_client *c, int64_t until_ms)
{
    struct imap_wire *w = &c->wire;
    struct job j = {.c = c};
    slice response;
    wire_begin(w, "IDLE");
    enum imap_reply r = wire_finish(w, on_news, &j);
    if (r != IMAP_MORE)
        return r == IMAP_OK ? IMAP_BAD : r;
    log_step(w->who, "mailbox", "IDLE: the server tells what is new");
    for (int64_t left; !c->arrived && (left = until_ms - clock_mono_ms()) > 0;) {
        if (!wire_has_input(w) && !dial_wait(w->dial, left))
            continue;
        if (!wire_read(w, &response) || !slice_eat(&response, S("* ")))
            return IMAP_LOST;
        note_news(c, response);
    }
    return wire_continue(w, S("DONE"), on_news, &j);
}

static enum imap_reply poll_once(struct imap_client *c, int64_t until_ms)
{
    int64_t left = until_ms - clock_mono_ms(), pause = left < POLL_MS ? left : POLL_MS;
    if (pause > 0)
        nanosleep(&(struct timespec){.tv_sec = pause / 1000, .tv_nsec = pause % 1000 * 1000000},
                  NULL);
    wire_begin(&c->wire, "NOOP");
    return finish(c);
}

bool imap_client_wait(struct imap_client *c, int64_t wait_ms, bool *arrived, uint32_t *messages,
                      struct buf *error)
{
    bool can_idle = wire_offers(&c->wire, S("IDLE")) || names_are_utf8(c);
    int64_t end = clock_mono_ms() + wait_ms;
    enum imap_reply r = IMAP_OK;
    while (r == IMAP_OK && !c->arrived && clock_mono_ms() < end) {
        int64_t until = end - clock_mono_ms() > IDLE_MS ? clock_mono_ms() + IDLE_MS : end;
        r = can_idle ? idle(c, until) : poll_once(c, until);
    }
    *arrived = c->arrived;
    *messages = c->messages;
    c->arrived = false;
    return done(c, r, "to wait for mail", error);
}

/* ---- Adding ---- */

bool imap_client_append(struct imap_client *c, slice mailbox, const char *flags, int64_t date_ms,
                        int zone_minutes, uint64_t size,
                        ssize_t (*read)(void *ctx, char *to, size_t n), void *ctx,
                        struct buf *error)
{
    struct arena a = {0};
    struct imap_wire *w = &c->wire;
    uint64_t left = size;
    wire_begin(w, "APPEND");
    put_mailbox(c, mailbox);
    wire_put(w, arena_printf(&a, " (%s) \"%.*s\"", flags,
                             P(date_print_imap(&a, date_ms, zone_minutes))));
    bool sent = wire_put_literal(w, size);
    char *bytes = arena_alloc(&a, COPY_BYTES);
    while (sent && left) {
        ssize_t got = read(ctx, bytes, left < COPY_BYTES ? (size_t)left : COPY_BYTES);
        if (got <= 0) {
            w->broken = true; /* the rest of the literal will never come */
            buf_printf(error, "the mail could not be read again");
            arena_end(&a);
            return false;
        }
        wire_put(w, (slice){bytes, (size_t)got});
        left -= (uint64_t)got;
    }
    enum imap_reply r = finish(c);
    if (r == IMAP_OK)
        log_step(w->who, "transfer", "APPEND to %.*s: %llu octets", P(mailbox),
                 (unsigned long long)size);
    arena_end(&a);
    return done(c, r, "the copy", error);
}
