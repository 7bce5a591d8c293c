/*
 * Mailboxes against a model of themselves: thousands of random appends, expunges, flag changes,
 * copies and moves between three mailboxes and Recoverable, some of them rolled back, over chunks
 * that fill, split, merge and empty, with reopening in between (W1-W4, V2, V3, M1-M4, M7, M8,
 * C1-C3).
 */
#include "store/fixture.h"

#include "store/change.h"
#include "store/entries.h"
#include "store/folder.h"
#include "store/internal.h"

enum { MOST = 6000, BOXES = 4, RECOVERABLE = 3 };

struct box {
    int64_t mailbox;
    struct entry entries[MOST];
    uint32_t count, uidnext;
};

struct model {
    struct box boxes[BOXES]; /* INBOX, Sent, Archive, Recoverable */
};

/* A small generator of its own: the same run every time. */
static uint64_t dice_state;

static uint32_t dice(uint32_t below)
{
    dice_state = dice_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((dice_state >> 33) % below);
}

/* One call with up to four operations, then kept or rolled back. */
struct act {
    int64_t account;
    bool keep;
    struct box *to, *expunged, *flagged, *from, *target;
    int appends;
    struct mailbox_append m[40];
    uint32_t bury[200], flag[200], take[200];
    struct burying burying;
    struct flags_change flags;
    size_t flag_count;
    struct uid_range flag_ranges[200]; /* the same uids */
    struct arena arena;
    struct transfer transfer;
};

static enum outcome act_fn(struct store_tx *tx, void *arg)
{
    struct act *x = arg;
    for (int i = 0; i < x->appends; i++)
        if (mailbox_append(tx, &x->m[i]) != DONE)
            return TEMPFAIL;
    size_t there = x->burying.count;
    if (there && (entries_bury(tx, &x->burying) != DONE || x->burying.done != there))
        return TEMPFAIL;
    if (x->flags.count && entries_flag(tx, &x->flags) != DONE)
        return TEMPFAIL;
    x->transfer.done = 0;
    if (x->transfer.count && entries_transfer(tx, &x->transfer) != DONE)
        return TEMPFAIL;
    return x->keep ? DONE : PERMFAIL;
}

/* Some uids of a box, ascending; a run or scattered ones. */
static size_t pick(const struct box *b, uint32_t *uids, size_t max)
{
    size_t n = 0;
    if (!b->count)
        return 0;
    uint32_t at = dice(b->count), step = dice(2) ? 1 : 1 + dice(50);
    for (size_t want = 1 + dice((uint32_t)max - 1); n < want && at < b->count; at += step)
        uids[n++] = b->entries[at].uid;
    return n;
}

static bool among(const uint32_t *uids, size_t count, uint32_t uid)
{
    for (size_t i = 0; i < count; i++)
        if (uids[i] == uid)
            return true;
    return false;
}

static void box_add(struct box *b, struct entry e)
{
    e.uid = b->uidnext++;
    if (b->count == MOST)
        fail_msg("the model is too small");
    b->entries[b->count++] = e;
}

/* Takes entries out; each goes to the other box unless that is NULL. */
static void box_take(struct box *b, const uint32_t *uids, size_t count, struct box *to,
                     uint64_t without)
{
    uint32_t kept = 0, had = b->count;
    static struct entry taken[MOST];
    uint32_t taken_count = 0;
    for (uint32_t i = 0; i < had; i++)
        if (among(uids, count, b->entries[i].uid))
            taken[taken_count++] = b->entries[i];
        else
            b->entries[kept++] = b->entries[i];
    b->count = kept;
    for (uint32_t i = 0; i < taken_count; i++) {
        taken[i].flags &= ~without;
        box_add(to, taken[i]);
    }
}

static void box_copy(const struct box *b, const uint32_t *uids, size_t count, struct box *to)
{
    for (uint32_t i = 0, had = b->count; i < had; i++)
        if (among(uids, count, b->entries[i].uid))
            box_add(to, b->entries[i]);
}

static void model_apply(struct model *m, const struct act *x)
{
    for (int i = 0; i < x->appends; i++)
        box_add(x->to, (struct entry){.message = x->m[i].message,
                                      .flags = x->m[i].flags,
                                      .size = x->m[i].prefix.n + x->m[i].body_bytes});
    box_take(x->expunged, x->bury, x->burying.count, &m->boxes[RECOVERABLE], FLAG_DELETED);
    for (uint32_t i = 0; i < x->flagged->count; i++) {
        uint64_t *flags = &x->flagged->entries[i].flags;
        if (!among(x->flag, x->flag_count, x->flagged->entries[i].uid))
            continue;
        *flags = x->flags.how == FLAGS_ADD      ? *flags | x->flags.flags
                 : x->flags.how == FLAGS_REMOVE ? *flags & ~x->flags.flags
                                                : x->flags.flags;
    }
    if (x->transfer.move)
        box_take(x->from, x->take, x->transfer.count, x->target, 0);
    else
        box_copy(x->from, x->take, x->transfer.count, x->target);
}

static void assert_box(struct store *s, int64_t account, const struct box *b)
{
    struct view *v = view_open(s, account, b->mailbox);
    assert_non_null(v);
    struct view_info info = view_info(v);
    assert_int_equal(info.count, b->count);
    assert_int_equal(info.uidnext, b->uidnext);
    uint64_t size = 0;
    uint32_t unseen = 0, deleted = 0, at = 0, n;
    struct entry got[64];
    while ((n = view_list(v, at, got, 64)) > 0)
        for (uint32_t i = 0; i < n; i++, at++) {
            const struct entry *want = &b->entries[at];
            assert_int_equal(got[i].uid, want->uid);
            assert_int_equal(got[i].message, want->message);
            assert_true(got[i].flags == want->flags);
            assert_int_equal(got[i].size, want->size);
            assert_true(got[i].modseq <= info.modseq);
            size += want->size;
            unseen += !(want->flags & FLAG_SEEN);
            deleted += (want->flags & FLAG_DELETED) != 0;
        }
    assert_int_equal(at, b->count);
    assert_int_equal(info.size, size);
    assert_int_equal(info.unseen, unseen);
    assert_int_equal(view_deleted(v), deleted);
    if (b->count) { /* seek finds what at shows */
        uint32_t some = dice(b->count);
        assert_int_equal(view_seek(v, b->entries[some].uid), some);
        assert_int_equal(view_seek(v, b->uidnext), b->count);
        assert_int_equal(view_seek(v, 1), 0);
    }
    view_release(v);
}

static void assert_same(struct store *s, int64_t account, const struct model *m)
{
    uint64_t used = 0;
    struct quota q;
    for (int i = 0; i < BOXES; i++) {
        assert_box(s, account, &m->boxes[i]);
        for (uint32_t k = 0; i != RECOVERABLE && k < m->boxes[i].count; k++)
            used += m->boxes[i].entries[k].size;
    }
    assert_true(folder_quota(s, account, &q)); /* M4 */
    assert_int_equal(q.used, used);
}

static void play_appends(struct model *m, struct act *x)
{
    x->to = &m->boxes[dice(RECOVERABLE)];
    if (x->to->count < MOST / 2)
        x->appends = (int)dice(dice(4) ? 3 : 40);
    for (int i = 0; i < x->appends; i++)
        x->m[i] = (struct mailbox_append){.account = x->account,
                                          .mailbox = x->to->mailbox,
                                          .body_bytes = 5,
                                          .prefix = {"X: 12345678901234567\r\n", dice(20)},
                                          .flags = dice(2) ? FLAG_SEEN : (uint64_t)dice(1000) << 9};
}

/* Uids are picked before anything of the call happens; each is used by one operation. */
static void play(struct store *s, int64_t account, struct model *m)
{
    static struct act x;
    x = (struct act){.account = account, .keep = dice(5) != 0};
    play_appends(m, &x);
    x.expunged = &m->boxes[dice(RECOVERABLE)];
    x.burying =
        (struct burying){.account = account, .mailbox = x.expunged->mailbox, .uids = x.bury};
    if (dice(3) == 0)
        x.burying.count = pick(x.expunged, x.bury, 200);
    x.flagged = &m->boxes[dice(RECOVERABLE)];
    x.flags = (struct flags_change){.account = account,
                                    .mailbox = x.flagged->mailbox,
                                    .uids = x.flag_ranges,
                                    .how = (enum flags_how)dice(3),
                                    .flags = dice(2) ? FLAG_SEEN : UINT64_C(1) << dice(63),
                                    .arena = &x.arena};
    if (dice(3) == 0)
        x.flag_count = pick(x.flagged, x.flag, 200);
    for (size_t i = 0; i < x.flag_count; i++)
        if (i > 0 && x.flag[i] == x.flag[i - 1] + 1)
            x.flag_ranges[x.flags.count - 1].high++;
        else
            x.flag_ranges[x.flags.count++] = (struct uid_range){x.flag[i], x.flag[i]};
    x.from = &m->boxes[dice(BOXES)];
    x.target = &m->boxes[dice(RECOVERABLE)];
    x.transfer = (struct transfer){.account = account,
                                   .from = x.from->mailbox,
                                   .to = x.target->mailbox,
                                   .uids = x.take,
                                   .move = dice(2) || x.from->count > MOST / 3};
    if (dice(3) == 0 && x.target->count < MOST / 2)
        x.transfer.count = pick(x.from, x.take, 200);
    struct store_body body = {.pieces = {S("12345")}, .piece_count = 1, .fd = -1};
    struct store_call call = {.account = account, .fn = act_fn, .arg = &x, .body = &body};
    assert_int_equal(store_write(s, &call), x.keep ? DONE : PERMFAIL);
    if (x.keep)
        model_apply(m, &x);
    arena_end(&x.arena);
}

static void model_begin(struct store *s, int64_t account, struct model *m)
{
    static const enum mailbox_role roles[BOXES] = {ROLE_INBOX, ROLE_SENT, ROLE_ARCHIVE,
                                                   ROLE_RECOVERABLE};
    struct db *db = store_read(s);
    for (int i = 0; i < BOXES; i++) {
        m->boxes[i].count = 0;
        m->boxes[i].uidnext = 1;
        m->boxes[i].mailbox = mailbox_by_role(db, account, roles[i]);
    }
    store_read_end(s, db);
}

static void test_mailboxes_against_model(void **state)
{
    (void)state;
    static struct model m;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        dice_state = seed;
        struct store *s = fixture_open(fixture_path);
        char name[8] = {'m', (char)('0' + seed)};
        int64_t account = fixture_account(s, name, 0);
        struct view *held = NULL;
        model_begin(s, account, &m);
        for (int step = 0; step < 500; step++) {
            play(s, account, &m);
            if (step % 7 == 0)
                assert_same(s, account, &m);
            if (step % 50 == 0) {
                view_release(held);
                held = view_open(s, account, m.boxes[dice(BOXES)].mailbox);
            }
            if (step % 120 == 119) {
                view_release(held);
                held = NULL;
                assert_sound(s);
                store_close(s);
                s = fixture_open(fixture_path);
                assert_same(s, account, &m);
            }
            if (step % 90 == 0)
                views_evict(s, 0);
            if (step % 35 == 0)
                writer_shrink(s);
        }
        view_release(held);
        assert_sound(s);
        store_close(s);
    }
}

/* What the change log says, one row a uid. */
struct told {
    struct {
        uint32_t uid;
        enum change_kind kind;
    } items[16];
    uint32_t count;
};

static void collect(void *arg, const struct change *c)
{
    struct told *t = arg;
    uint32_t from, to, before = 0;
    if (c->mailbox != MAILBOX_INBOX)
        return;
    for (slice set = c->uids; uids_next(&set, &from, &to, &before);)
        for (uint32_t uid = from; uid <= to; uid++) {
            t->items[t->count].uid = uid;
            t->items[t->count++].kind = c->kind;
        }
}

/* L1: the log tells what happened since any modseq. */
static void test_change_log(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    int64_t one = fixture_account(s, "one", 0);
    int64_t since[5];
    for (int i = 0; i < 3; i++) {
        struct mailbox_append m = {.account = one, .mailbox = 1};
        assert_int_equal(fixture_append(s, &m, S("x")), DONE);
        struct view *v = view_open(s, one, 1);
        since[i] = view_info(v).modseq;
        view_release(v);
    }
    assert_int_equal(fixture_flags(s, one, (uint32_t[]){1, 3}, 2, FLAG_SEEN, 0), 2);
    assert_int_equal(fixture_flags(s, one, (uint32_t[]){1, 3}, 2, FLAG_SEEN, 0), 0);
    assert_int_equal(fixture_expunge(s, one, (uint32_t[]){2}, 1), 1);
    static const struct {
        int since, count;
        struct {
            uint32_t uid;
            enum change_kind kind;
        } want[8];
    } rows[] = {
        {0,
         5,
         {{2, CHANGE_ADDED},
          {3, CHANGE_ADDED},
          {1, CHANGE_UPDATED},
          {3, CHANGE_UPDATED},
          {2, CHANGE_REMOVED}}},
        {2, 3, {{1, CHANGE_UPDATED}, {3, CHANGE_UPDATED}, {2, CHANGE_REMOVED}}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct told got = {0};
        struct db *db = store_read(s);
        assert_true(changes_since(db, one, CHANGE_EMAIL, since[rows[i].since], collect, &got));
        store_read_end(s, db);
        assert_int_equal(got.count, rows[i].count);
        for (uint32_t k = 0; k < got.count; k++) {
            assert_int_equal(got.items[k].uid, rows[i].want[k].uid);
            assert_int_equal(got.items[k].kind, rows[i].want[k].kind);
        }
    }
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_mailboxes_against_model),
        FIXTURE_TEST(test_change_log),
    };
    return TEST_RUN(tests);
}
