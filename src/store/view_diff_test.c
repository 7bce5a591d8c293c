/* Two views of one mailbox, compared entry by entry and by view_diff: the same must come out. */
#include "store/view_diff.h"

#include "store/fixture.h"
#include "store/view_scan.h"

enum { MOST = 3000 };

static uint64_t dice_state = 7;

static uint32_t dice(uint32_t below)
{
    dice_state = dice_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((dice_state >> 33) % below);
}

static size_t pick(struct view *v, uint32_t *uids, size_t max)
{
    struct entry e;
    size_t n = 0;
    uint32_t count = view_info(v).count, step = 1 + dice(40);
    for (uint32_t at = dice(count + 1); n < max && view_at(v, at, &e); at += step)
        uids[n++] = e.uid;
    return n;
}

/* The differences by the slow way. */
static size_t compare(struct view *was, struct view *is, uint32_t from, struct view_difference *out)
{
    uint32_t i = view_seek(was, from), j = view_seek(is, from);
    struct entry a, b;
    size_t n = 0;
    for (;;) {
        bool has_a = view_at(was, i, &a), has_b = view_at(is, j, &b);
        if (!has_a && !has_b)
            return n;
        if (has_a && (!has_b || a.uid < b.uid))
            out[n++] = (struct view_difference){.what = VIEW_GONE, .was = a, .position = i++};
        else if (!has_a || b.uid < a.uid)
            out[n++] = (struct view_difference){.what = VIEW_ADDED, .is = b, .position = j++};
        else {
            if (a.flags != b.flags || a.modseq != b.modseq)
                out[n++] = (struct view_difference){VIEW_CHANGED, a, b, j};
            i++;
            j++;
        }
    }
}

static void assert_same(struct view *was, struct view *is, uint32_t from)
{
    static struct view_difference want[2 * MOST];
    struct view_difference got;
    struct view_diff d;
    size_t n = compare(was, is, from, want);
    view_diff_start(&d, was, is, from);
    for (size_t i = 0; i < n; i++) {
        assert_true(view_diff_next(&d, &got));
        assert_int_equal(got.what, want[i].what);
        assert_int_equal(got.position, want[i].position);
        assert_int_equal(got.was.uid, want[i].was.uid);
        assert_int_equal(got.is.uid, want[i].is.uid);
        assert_true(got.is.flags == want[i].is.flags);
    }
    assert_false(view_diff_next(&d, &got));
    view_diff_start(&d, was, is, from);
    for (size_t i = 0; i < n; i++) {
        if (want[i].what != VIEW_GONE)
            continue;
        assert_true(view_diff_next_gone(&d, &got));
        assert_int_equal(got.was.uid, want[i].was.uid);
        assert_int_equal(got.position, want[i].position);
    }
    assert_false(view_diff_next_gone(&d, &got));
}

/* view_list_changed and view_first_unseen against a look at every entry. */
static void assert_scans(struct view *v, int64_t since)
{
    struct entry e[7], want;
    uint32_t at[7], n, position = 0, next = 0, unseen = 0;
    while ((n = view_list_changed(v, &position, since, e, at, 7)) > 0)
        for (uint32_t i = 0; i < n; i++, next++) {
            while (view_at(v, next, &want) && want.modseq <= since)
                next++;
            assert_int_equal(at[i], next);
            assert_int_equal(e[i].uid, want.uid);
        }
    while (view_at(v, next, &want))
        assert_true(want.modseq <= since && next++ < view_info(v).count);
    while (view_at(v, unseen, &want) && want.flags & FLAG_SEEN)
        unseen++;
    assert_int_equal(view_first_unseen(v), unseen);
}

static void test_random(void **state)
{
    static uint32_t uids[300];
    (void)state;
    struct store *s = fixture_open(fixture_path);
    int64_t one = fixture_account(s, "one", 0);
    struct view *was = view_open(s, one, MAILBOX_INBOX);
    for (int round = 0; round < 60; round++) {
        for (uint32_t n = dice(60); n > 0; n--) {
            struct mailbox_append m = {.account = one, .mailbox = MAILBOX_INBOX};
            assert_int_equal(fixture_append(s, &m, S("A: b\r\n\r\n")), DONE);
        }
        struct view *now = view_open(s, one, MAILBOX_INBOX);
        if (dice(2))
            fixture_expunge(s, one, uids, pick(now, uids, 1 + dice(299)));
        if (dice(2))
            fixture_flags(s, one, uids, pick(now, uids, 1 + dice(299)), FLAG_SEEN, 0);
        view_release(now);
        now = view_open(s, one, MAILBOX_INBOX);
        assert_same(was, now, 0);
        assert_same(was, now, dice(view_info(now).uidnext));
        assert_same(now, now, 0);
        assert_scans(now, view_info(was).modseq);
        if (dice(3) == 0) { /* else the distance grows */
            view_release(was);
            was = view_retain(now);
        }
        view_release(now);
    }
    view_release(was);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {FIXTURE_TEST(test_random)};
    return TEST_RUN(tests);
}
