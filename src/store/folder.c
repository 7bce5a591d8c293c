/*
 * Names of mailboxes (tables mailbox, subscription): list, create, delete, rename, subscribe.
 *
 * Invariants
 *   N1  A name is in the one spelling of folder_name(); no two mailboxes of an account share it.
 *   N2  Ids are never given again; a uidvalidity is larger than every one before in the account.
 *   N3  Rename keeps id, uids, uidvalidity, modseqs and what is below.
 *   N4  A deleted mailbox's entries are in Recoverable; mailboxes below it stay.
 *   N5  INBOX and Recoverable are always there; a role has one mailbox.
 */
#include "store/folder.h"

#include <stdlib.h>
#include <utf8proc.h>

#include "base/clock.h"
#include "store/change.h"
#include "store/entries.h"
#include "store/internal.h"
#include "base/banned.h"

static enum outcome refuse(enum refusal *why, enum refusal reason)
{
    *why = reason;
    return PERMFAIL;
}

static enum outcome finish(const struct store_tx *tx)
{
    return sql_failed(tx->db) ? TEMPFAIL : DONE;
}

/* ---- names (N1) ---- */

bool folder_normalise(struct arena *a, slice name, slice *out)
{
    *out = name;
    if (name.n > 2 * LIMIT_MAILBOX_NAME || !slice_is_utf8(name))
        return false;
    if (slice_is_ascii(name))
        return true;
    utf8proc_ssize_t room = (utf8proc_ssize_t)name.n * 4 + 16;
    utf8proc_int32_t *points = arena_array(a, (size_t)room + 1, sizeof(*points));
    utf8proc_option_t how = UTF8PROC_STABLE | UTF8PROC_COMPOSE;
    utf8proc_ssize_t n = utf8proc_decompose((const utf8proc_uint8_t *)name.p,
                                            (utf8proc_ssize_t)name.n, points, room, how);
    if (n < 0 || n > room)
        return false;
    n = utf8proc_reencode(points, n, how); /* in place, and a NUL */
    if (n >= 0)
        *out = (slice){(const char *)points, (size_t)n};
    return n >= 0;
}

/* Controls and line separators (RFC 9051 5.1, RFC 5198). */
static bool has_control(slice name)
{
    utf8proc_int32_t point = 0;
    for (size_t at = 0; at < name.n;) {
        utf8proc_ssize_t n = utf8proc_iterate((const utf8proc_uint8_t *)name.p + at,
                                              (utf8proc_ssize_t)(name.n - at), &point);
        if (n <= 0 || point < ' ' || (point >= 0x7f && point < 0xa0) || point == 0x2028 ||
            point == 0x2029)
            return true;
        at += (size_t)n;
    }
    return false;
}

static bool levels_are_good(slice name)
{
    size_t depth = 0, from = 0;
    for (size_t i = 0; i <= name.n; i++) {
        if (i < name.n && name.p[i] != '/')
            continue;
        if (i == from || i - from > LIMIT_MAILBOX_LEVEL || ++depth > LIMIT_MAILBOX_DEPTH)
            return false;
        from = i + 1;
    }
    return true;
}

static bool name_is_good(slice name)
{
    return name.n > 0 && name.n <= LIMIT_MAILBOX_NAME && !has_control(name) &&
           levels_are_good(name);
}

static slice first_level(slice name)
{
    ptrdiff_t end = slice_find(name, '/');
    return end < 0 ? name : slice_sub(name, 0, (size_t)end);
}

bool folder_name(struct arena *a, slice name, slice *out)
{
    if (name.n > 1 && name.p[name.n - 1] == '/')
        name.n--;
    if (name.n > LIMIT_MAILBOX_NAME || !folder_normalise(a, name, out) || !name_is_good(*out))
        return false;
    if (slice_eq_icase(first_level(*out), S("INBOX"))) { /* RFC 9051 5.1: in any case */
        *out = arena_dup(a, *out);
        char *copy = arena_alloc(a, out->n);
        memcpy(copy, out->p, out->n);
        memcpy(copy, "INBOX", 5);
        out->p = copy;
    }
    return true;
}

static int64_t mailbox_named(struct db *db, int64_t account, slice name)
{
    return sql_number(db, 0, "SELECT mailbox FROM mailbox WHERE account = ? AND name = ?", "it",
                      account, name);
}

/* Whether a mailbox is below the name.  "0" follows "/". */
static bool has_below(struct db *db, struct arena *a, int64_t account, slice name)
{
    return sql_number(db, 0,
                      "SELECT 1 FROM mailbox WHERE account = ? AND name > ? AND name < ? LIMIT 1",
                      "itt", account, arena_printf(a, "%.*s/", P(name)),
                      arena_printf(a, "%.*s0", P(name))) == 1;
}

/* ---- making ---- */

enum outcome folder_make(struct store_tx *tx, int64_t account, slice name, enum mailbox_role role,
                         int64_t *mailbox, enum refusal *why)
{
    struct working_account *a = working_account(tx, account);
    if (!a)
        return working_refusal(tx);
    int64_t modseq = working_modseq(tx, a), uidvalidity = 0;
    struct sql *q = sql_query(tx->db,
                              "UPDATE account SET next_mailbox = next_mailbox + 1,"
                              " uidvalidity = max(uidvalidity + 1, ?) WHERE id = ?"
                              " RETURNING next_mailbox - 1, uidvalidity",
                              "ii", tx->now_ms / SECOND_MS & UINT32_MAX, account);
    *mailbox = 0;
    while (sql_row(q)) {
        *mailbox = sql_int(q, 0);
        uidvalidity = sql_int(q, 1);
    }
    int made = sql_exec(tx->db,
                        "INSERT INTO mailbox(account, mailbox, name, role, uidvalidity, modseq,"
                        " created) VALUES (?, ?, ?, ?, ?, ?, ?)",
                        "iitiiii", account, *mailbox, name, (int64_t)role, uidvalidity, modseq,
                        tx->now_ms);
    change_add(tx, account, CHANGE_MAILBOX,
               &(struct change){.modseq = modseq, .mailbox = *mailbox, .kind = CHANGE_ADDED});
    return made == -1 ? refuse(why, REFUSED_EXISTS) : finish(tx);
}

/* Makes the mailbox and the levels above it that are not there. */
static enum outcome make_with_parents(struct store_tx *tx, int64_t account, slice name,
                                      enum mailbox_role role, int64_t *mailbox, enum refusal *why)
{
    int64_t have =
        sql_number(tx->db, 0, "SELECT count(*) FROM mailbox WHERE account = ?", "i", account);
    enum outcome o = DONE;
    for (size_t i = 1; i <= name.n && o == DONE; i++) {
        slice level = slice_sub(name, 0, i);
        if (i < name.n && (name.p[i] != '/' || mailbox_named(tx->db, account, level)))
            continue;
        if (have++ >= LIMIT_MAILBOXES)
            return refuse(why, REFUSED_LIMIT);
        o = folder_make(tx, account, level, i == name.n ? role : ROLE_NONE, mailbox, why);
    }
    return o;
}

/* The levels above a name that is about to be given. */
static enum outcome make_parents(struct store_tx *tx, int64_t account, slice name,
                                 enum refusal *why)
{
    int64_t mailbox;
    ptrdiff_t end = slice_rfind(name, '/');
    slice parent = slice_sub(name, 0, end < 0 ? 0 : (size_t)end);
    if (!parent.n || mailbox_named(tx->db, account, parent))
        return DONE;
    return make_with_parents(tx, account, parent, ROLE_NONE, &mailbox, why);
}

enum outcome mailbox_by_name(struct store_tx *tx, int64_t account, slice name, bool create,
                             int64_t *mailbox)
{
    enum refusal why;
    *mailbox = 0;
    if (!folder_name(tx->arena, name, &name))
        return create ? PERMFAIL : DONE;
    *mailbox = mailbox_named(tx->db, account, name);
    if (sql_failed(tx->db))
        return TEMPFAIL;
    return *mailbox || !create ? DONE
                               : make_with_parents(tx, account, name, ROLE_NONE, mailbox, &why);
}

/* ---- changes by name, each a transaction ---- */

struct naming {
    int64_t account, mailbox;
    slice name, to;
    enum mailbox_role role;
    bool subscribe;
    enum refusal why;
};

static enum outcome naming_run(struct store *s, store_fn fn, struct naming *x, enum refusal *why)
{
    struct store_call call = {.account = x->account, .fn = fn, .arg = x};
    enum outcome o = store_write(s, &call);
    *why = x->why;
    return o;
}

static enum outcome create_fn(struct store_tx *tx, void *arg)
{
    struct naming *x = arg;
    slice name;
    x->mailbox = 0;
    if (!folder_name(tx->arena, x->name, &name))
        return refuse(&x->why, REFUSED_NAME);
    if (mailbox_named(tx->db, x->account, name))
        return refuse(&x->why, REFUSED_EXISTS);
    if (x->role == ROLE_INBOX || x->role == ROLE_RECOVERABLE ||
        (x->role != ROLE_NONE && mailbox_by_role(tx->db, x->account, x->role)))
        return refuse(&x->why, REFUSED_ROLE);
    return make_with_parents(tx, x->account, name, x->role, &x->mailbox, &x->why);
}

enum outcome folder_create(struct store *s, int64_t account, slice name, enum mailbox_role role,
                           int64_t *mailbox, enum refusal *why)
{
    struct naming x = {.account = account, .name = name, .role = role};
    enum outcome o = naming_run(s, create_fn, &x, why);
    *mailbox = o == DONE ? x.mailbox : 0;
    return o;
}

/* The mailbox of a name that is to be deleted or renamed; *mailbox 0: only a level above others. */
static enum outcome find_to_change(struct store_tx *tx, struct naming *x, slice *name)
{
    if (!folder_name(tx->arena, x->name, name))
        return refuse(&x->why, REFUSED_MISSING);
    x->mailbox = mailbox_named(tx->db, x->account, *name);
    if (!x->mailbox && !has_below(tx->db, tx->arena, x->account, *name))
        return refuse(&x->why, REFUSED_MISSING);
    if (x->mailbox && x->mailbox == mailbox_by_role(tx->db, x->account, ROLE_RECOVERABLE))
        return refuse(&x->why, REFUSED_READ_ONLY);
    return finish(tx);
}

static enum outcome delete_fn(struct store_tx *tx, void *arg)
{
    struct naming *x = arg;
    slice name;
    enum outcome o = find_to_change(tx, x, &name);
    if (o != DONE)
        return o;
    if (!x->mailbox)
        return refuse(&x->why, REFUSED_CHILDREN);
    if (x->mailbox == MAILBOX_INBOX)
        return refuse(&x->why, REFUSED_READ_ONLY);
    struct burying all = {.account = x->account, .mailbox = x->mailbox};
    o = entries_bury(tx, &all);
    struct working_account *a = o == DONE ? working_account(tx, x->account) : NULL;
    struct working_mailbox *m = a ? working_mailbox(tx, x->account, x->mailbox, true) : NULL;
    if (!m)
        return o == DONE ? working_refusal(tx) : o;
    m->info.modseq = working_modseq(tx, a);
    working_delete(m);
    sql_exec(tx->db, "DELETE FROM mailbox WHERE account = ? AND mailbox = ?", "ii", x->account,
             x->mailbox);
    change_add(
        tx, x->account, CHANGE_MAILBOX,
        &(struct change){.modseq = m->info.modseq, .mailbox = x->mailbox, .kind = CHANGE_REMOVED});
    return finish(tx);
}

enum outcome folder_delete(struct store *s, int64_t account, slice name, enum refusal *why)
{
    struct naming x = {.account = account, .name = name};
    return naming_run(s, delete_fn, &x, why);
}

/* INBOX stays; what is in it moves. */
static enum outcome rename_inbox(struct store_tx *tx, struct naming *x, slice to)
{
    struct transfer t = {.account = x->account, .from = MAILBOX_INBOX, .move = true};
    enum outcome o = make_with_parents(tx, x->account, to, ROLE_NONE, &t.to, &x->why);
    return o == DONE ? entries_transfer(tx, &t) : o;
}

struct renamed {
    int64_t mailbox;
    slice name;
};

/* The mailbox and all below it; the shorter first, so that none meets another's old name. */
static size_t rename_list(struct store_tx *tx, const struct naming *x, slice from,
                          struct renamed **out)
{
    size_t count = 0, size = 0;
    *out = NULL;
    struct sql *q = sql_query(tx->db,
                              "SELECT mailbox, name FROM mailbox WHERE account = ?1 AND (name = ?2"
                              " OR (name > ?3 AND name < ?4)) ORDER BY length(name)",
                              "ittt", x->account, from, arena_printf(tx->arena, "%.*s/", P(from)),
                              arena_printf(tx->arena, "%.*s0", P(from)));
    while (sql_row(q)) {
        *out = arena_grow(tx->arena, *out, count, &size, sizeof(**out));
        (*out)[count++] = (struct renamed){sql_int(q, 0), arena_dup(tx->arena, sql_bytes(q, 1))};
    }
    return count;
}

static enum outcome rename_all(struct store_tx *tx, struct naming *x, slice from, slice to)
{
    struct renamed *list;
    struct working_account *a = working_account(tx, x->account);
    size_t count = rename_list(tx, x, from, &list);
    if (!a)
        return working_refusal(tx);
    enum outcome o = make_parents(tx, x->account, to, &x->why);
    for (size_t i = 0; i < count && o == DONE; i++) {
        slice rest = slice_skip(list[i].name, from.n);
        slice name = arena_printf(tx->arena, "%.*s%.*s", P(to), P(rest));
        if (!name_is_good(name))
            return refuse(&x->why, REFUSED_NAME);
        if (sql_exec(tx->db, "UPDATE mailbox SET name = ? WHERE account = ? AND mailbox = ?", "tii",
                     name, x->account, list[i].mailbox) == -1)
            return refuse(&x->why, REFUSED_EXISTS);
        change_add(tx, x->account, CHANGE_MAILBOX,
                   &(struct change){.modseq = working_modseq(tx, a),
                                    .mailbox = list[i].mailbox,
                                    .kind = CHANGE_UPDATED});
    }
    return o == DONE ? finish(tx) : o;
}

static enum outcome rename_fn(struct store_tx *tx, void *arg)
{
    struct naming *x = arg;
    slice from, to;
    enum outcome o = find_to_change(tx, x, &from);
    if (o != DONE)
        return o;
    if (!folder_name(tx->arena, x->to, &to))
        return refuse(&x->why, REFUSED_NAME);
    if (mailbox_named(tx->db, x->account, to))
        return refuse(&x->why, REFUSED_EXISTS);
    if (x->mailbox == MAILBOX_INBOX)
        return rename_inbox(tx, x, to);
    if (to.n > from.n && slice_starts(to, from) && to.p[from.n] == '/')
        return refuse(&x->why, REFUSED_NAME); /* below itself */
    return rename_all(tx, x, from, to);
}

enum outcome folder_rename(struct store *s, int64_t account, slice from, slice to,
                           enum refusal *why)
{
    struct naming x = {.account = account, .name = from, .to = to};
    return naming_run(s, rename_fn, &x, why);
}

static enum outcome subscribe_fn(struct store_tx *tx, void *arg)
{
    struct naming *x = arg;
    slice name;
    if (!folder_name(tx->arena, x->name, &name))
        return refuse(&x->why, REFUSED_NAME);
    if (!x->subscribe)
        sql_exec(tx->db, "DELETE FROM subscription WHERE account = ? AND name = ?", "it",
                 x->account, name);
    else if (sql_number(tx->db, 0, "SELECT count(*) FROM subscription WHERE account = ?", "i",
                        x->account) >= LIMIT_SUBSCRIPTIONS)
        return refuse(&x->why, REFUSED_LIMIT);
    else
        sql_exec(tx->db, "INSERT OR IGNORE INTO subscription VALUES (?, ?)", "it", x->account,
                 name);
    return finish(tx);
}

enum outcome folder_subscribe(struct store *s, int64_t account, slice name, bool subscribe,
                              enum refusal *why)
{
    struct naming x = {.account = account, .name = name, .subscribe = subscribe};
    return naming_run(s, subscribe_fn, &x, why);
}

/* ---- reading ---- */

#define FOLDER_COLUMNS                                                                             \
    "SELECT mailbox, name, role, total, uidvalidity, uidnext, unseen, modseq, size FROM mailbox"   \
    " WHERE account = ?"

static struct folder folder_row(struct sql *q, struct arena *a)
{
    return (struct folder){.mailbox = sql_int(q, 0),
                           .name = arena_dup(a, sql_bytes(q, 1)),
                           .role = (enum mailbox_role)sql_int(q, 2),
                           .info = {.count = (uint32_t)sql_int(q, 3),
                                    .uidvalidity = (uint32_t)sql_int(q, 4),
                                    .uidnext = (uint32_t)sql_int(q, 5),
                                    .unseen = (uint32_t)sql_int(q, 6),
                                    .modseq = sql_int(q, 7),
                                    .size = (uint64_t)sql_int(q, 8)}};
}

/* INBOX and what is below it first; "/" before every other byte, so children follow parents. */
static int by_name(const void *x, const void *y)
{
    slice a = ((const struct folder *)x)->name, b = ((const struct folder *)y)->name;
    bool a_inbox = slice_eq(first_level(a), S("INBOX")),
         b_inbox = slice_eq(first_level(b), S("INBOX"));
    if (a_inbox != b_inbox)
        return a_inbox ? -1 : 1;
    for (size_t i = 0; i < a.n && i < b.n; i++) {
        int p = a.p[i] == '/' ? 0 : (unsigned char)a.p[i];
        int q = b.p[i] == '/' ? 0 : (unsigned char)b.p[i];
        if (p != q)
            return p - q;
    }
    return (a.n > b.n) - (a.n < b.n);
}

struct listing {
    struct arena *a;
    struct folder *items;
    size_t count, size;
};

static void listing_add(struct listing *l, const struct folder *f)
{
    l->items = arena_grow(l->a, l->items, l->count, &l->size, sizeof(*l->items));
    l->items[l->count++] = *f;
}

/* The row, and one for each level above it. */
static void listing_add_levels(struct listing *l, const struct folder *f)
{
    listing_add(l, f);
    for (size_t i = 1; i < f->name.n; i++)
        if (f->name.p[i] == '/')
            listing_add(l, &(struct folder){.name = slice_sub(f->name, 0, i),
                                            .has_children = f->mailbox != 0});
}

/* Sorts, and makes one row of those of one name. */
static void listing_merge(struct listing *l)
{
    size_t kept = 0;
    if (l->count)
        qsort(l->items, l->count, sizeof(*l->items), by_name);
    for (size_t i = 0; i < l->count; i++) {
        struct folder *last = kept ? &l->items[kept - 1] : NULL, *f = &l->items[i];
        if (!last || !slice_eq(last->name, f->name)) {
            l->items[kept++] = *f;
            continue;
        }
        bool subscribed = last->subscribed || f->subscribed;
        bool has_children = last->has_children || f->has_children;
        if (f->mailbox)
            *last = *f;
        last->subscribed = subscribed;
        last->has_children = has_children;
    }
    l->count = kept;
}

bool folder_list(struct store *s, struct arena *a, int64_t account, struct folder_list *out)
{
    struct listing l = {.a = a};
    struct db *db = store_read(s);
    struct sql *q = sql_query(db, FOLDER_COLUMNS, "i", account);
    while (sql_row(q)) {
        struct folder f = folder_row(q, a);
        listing_add_levels(&l, &f);
    }
    q = sql_query(db, "SELECT name FROM subscription WHERE account = ?", "i", account);
    while (sql_row(q))
        listing_add_levels(
            &l, &(struct folder){.name = arena_dup(a, sql_bytes(q, 0)), .subscribed = true});
    bool good = !sql_failed(db);
    store_read_end(s, db);
    listing_merge(&l);
    *out = (struct folder_list){l.items, l.count};
    return good;
}

enum outcome folder_find(struct store *s, struct arena *a, int64_t account, slice name,
                         struct folder *out)
{
    if (!folder_name(a, name, &name))
        return PERMFAIL;
    struct db *db = store_read(s);
    struct sql *q = sql_query(db, FOLDER_COLUMNS " AND name = ?", "it", account, name);
    bool found = sql_row(q);
    if (found)
        *out = folder_row(q, a);
    sql_end(q);
    if (found)
        out->subscribed =
            sql_number(db, 0, "SELECT 1 FROM subscription WHERE account = ? AND name = ?", "it",
                       account, name) == 1;
    if (found)
        out->has_children = has_below(db, a, account, name);
    bool failed = sql_failed(db);
    store_read_end(s, db);
    return failed ? TEMPFAIL : found ? DONE : PERMFAIL;
}

bool folder_quota(struct store *s, int64_t account, struct quota *out)
{
    struct db *db = store_read(s);
    struct sql *q = sql_query(db,
                              "SELECT used, quota, (SELECT coalesce(sum(total), 0) FROM mailbox"
                              " WHERE account = ?1 AND role <> ?2), (SELECT count(*) FROM mailbox"
                              " WHERE account = ?1 AND role <> ?2) FROM account WHERE id = ?1",
                              "ii", account, (int64_t)ROLE_RECOVERABLE);
    bool found = sql_row(q);
    if (found)
        *out = (struct quota){(uint64_t)sql_int(q, 0), (uint64_t)sql_int(q, 1),
                              (uint64_t)sql_int(q, 2), (uint64_t)sql_int(q, 3)};
    sql_end(q);
    store_read_end(s, db);
    return found;
}
