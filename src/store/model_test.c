/*
 * A mailbox against a model of itself: thousands of random appends, expunges and flag changes, some
 * of them rolled back, over chunks that fill, split, merge and empty, with reopening in between
 * (W1-W4, V2, V3, M1-M4, C1-C3).
 */
#include "store/fixture.h"

#include "store/change.h"
#include "store/internal.h"

enum { MOST = 6000 };

struct model {
    struct entry entries[MOST];
    uint32_t count, uidnext;
};

/* A small generator of its own: the same run every time. */
static uint64_t dice_state;

static uint32_t dice(uint32_t below)
{
    dice_state = dice_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((dice_state >> 33) % below);
}

/* One call with up to three operations, then kept or rolled back. */
struct act {
    int64_t account;
    struct model *model;
    bool keep;
    int appends;
    uint32_t expunge[200], flag[200];
    size_t expunge_count, flag_count;
    uint64_t add, remove;
    struct mailbox_append m[40];
};

static enum outcome act_fn(struct store_tx *tx, void *arg)
{
    struct act *x = arg;
    size_t n;
    for (int i = 0; i < x->appends; i++)
        if (mailbox_append(tx, &x->m[i]) != DONE)
            return TEMPFAIL;
    if (mailbox_expunge(tx, x->account, 1, x->expunge, x->expunge_count, &n) != DONE ||
        n != x->expunge_count)
        return TEMPFAIL;
    if (mailbox_flags(tx, x->account, 1, x->flag, x->flag_count, x->add, x->remove, &n) != DONE)
        return TEMPFAIL;
    return x->keep ? DONE : PERMFAIL;
}

/* Some uids of the model, ascending; a run or scattered ones. */
static size_t pick(const struct model *m, uint32_t *uids, size_t max)
{
    size_t n = 0;
    if (!m->count)
        return 0;
    uint32_t at = dice(m->count), step = dice(2) ? 1 : 1 + dice(50);
    for (size_t want = 1 + dice((uint32_t)max - 1); n < want && at < m->count; at += step)
        uids[n++] = m->entries[at].uid;
    return n;
}

static bool among(const uint32_t *uids, size_t count, uint32_t uid)
{
    for (size_t i = 0; i < count; i++)
        if (uids[i] == uid)
            return true;
    return false;
}

static void model_apply(struct model *m, const struct act *x)
{
    for (int i = 0; i < x->appends; i++)
        m->entries[m->count++] = (struct entry){.uid = m->uidnext++,
                                                .message = x->m[i].message,
                                                .flags = x->m[i].flags,
                                                .size = x->m[i].prefix.n + x->m[i].body_bytes};
    uint32_t kept = 0;
    for (uint32_t i = 0; i < m->count; i++) {
        struct entry e = m->entries[i];
        if (among(x->expunge, x->expunge_count, e.uid))
            continue;
        if (among(x->flag, x->flag_count, e.uid))
            e.flags = (e.flags | x->add) & ~x->remove;
        m->entries[kept++] = e;
    }
    m->count = kept;
}

static void assert_same(struct store *s, int64_t account, const struct model *m)
{
    struct view *v = view_open(s, account, 1);
    assert_non_null(v);
    struct view_info info = view_info(v);
    assert_int_equal(info.count, m->count);
    assert_int_equal(info.uidnext, m->uidnext);
    uint64_t size = 0;
    uint32_t unseen = 0, at = 0, n;
    struct entry got[64];
    int64_t highest = 0;
    while ((n = view_list(v, at, got, 64)) > 0)
        for (uint32_t i = 0; i < n; i++, at++) {
            const struct entry *want = &m->entries[at];
            assert_int_equal(got[i].uid, want->uid);
            assert_int_equal(got[i].message, want->message);
            assert_true(got[i].flags == want->flags);
            assert_int_equal(got[i].size, want->size);
            assert_true(got[i].modseq <= info.modseq);
            highest = got[i].modseq > highest ? got[i].modseq : highest;
            size += want->size;
            unseen += !(want->flags & FLAG_SEEN);
        }
    assert_int_equal(at, m->count);
    assert_int_equal(info.size, size);
    assert_int_equal(info.unseen, unseen);
    if (m->count) { /* seek finds what at shows */
        uint32_t some = dice(m->count);
        assert_int_equal(view_seek(v, m->entries[some].uid), some);
        assert_int_equal(view_seek(v, m->uidnext), m->count);
        assert_int_equal(view_seek(v, 1), 0);
    }
    view_release(v);
}

static void play(struct store *s, int64_t account, struct model *m)
{
    static struct act x;
    x = (struct act){.account = account, .keep = dice(5) != 0};
    if (m->count < MOST - 100)
        x.appends = (int)dice(dice(4) ? 3 : 40);
    for (int i = 0; i < x.appends; i++)
        x.m[i] = (struct mailbox_append){.account = account,
                                         .mailbox = 1,
                                         .body_bytes = 5,
                                         .prefix = {"X: 12345678901234567\r\n", dice(20)},
                                         .flags = dice(2) ? FLAG_SEEN : (uint64_t)dice(1000) << 9};
    if (dice(3) == 0)
        x.expunge_count = pick(m, x.expunge, 200);
    if (dice(3) == 0) {
        x.flag_count = pick(m, x.flag, 200);
        x.add = dice(2) ? FLAG_SEEN : UINT64_C(1) << dice(63);
        x.remove = dice(2) ? FLAG_FLAGGED : 0;
    }
    struct store_body body = {.pieces = {S("12345")}, .piece_count = 1, .fd = -1};
    struct store_call call = {.account = account, .fn = act_fn, .arg = &x, .body = &body};
    assert_int_equal(store_write(s, &call), x.keep ? DONE : PERMFAIL);
    if (x.keep)
        model_apply(m, &x);
}

static void test_mailbox_against_model(void **state)
{
    (void)state;
    static struct model m;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        m = (struct model){.uidnext = 1};
        dice_state = seed;
        struct store *s = fixture_open(fixture_path);
        char name[8] = {'m', (char)('0' + seed)};
        int64_t account = fixture_account(s, name, 0);
        struct view *held = NULL;
        for (int step = 0; step < 500; step++) {
            play(s, account, &m);
            if (step % 7 == 0)
                assert_same(s, account, &m);
            if (step % 50 == 0) {
                view_release(held);
                held = view_open(s, account, 1);
            }
            if (step % 120 == 119) {
                view_release(held);
                held = NULL;
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

static void collect(void *arg, const struct change *c)
{
    struct model *m = arg;
    uint32_t from, to, before = 0;
    for (slice set = c->uids; uids_next(&set, &from, &to, &before);)
        for (uint32_t uid = from; uid <= to; uid++)
            m->entries[m->count++] = (struct entry){.uid = uid, .message = (int64_t)c->kind};
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
        static struct model got;
        got = (struct model){0};
        struct db *db = store_read(s);
        assert_true(changes_since(db, one, CHANGE_EMAIL, since[rows[i].since], collect, &got));
        store_read_end(s, db);
        assert_int_equal(got.count, rows[i].count);
        for (uint32_t k = 0; k < got.count; k++) {
            assert_int_equal(got.entries[k].uid, rows[i].want[k].uid);
            assert_int_equal(got.entries[k].message, rows[i].want[k].kind);
        }
    }
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_mailbox_against_model),
        FIXTURE_TEST(test_change_log),
    };
    return TEST_RUN(tests);
}
