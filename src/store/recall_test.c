/* Recall and the marks that stop it (R1; R2 is in crash_test.c). */
#include "store/fixture.h"

#include "store/internal.h"

struct recall {
    int64_t account, queue_id;
    slice reason;
    bool roll_back;
};

static enum outcome recall_fn(struct store_tx *tx, void *arg)
{
    struct recall *x = arg;
    enum outcome o = mailbox_recall(tx, x->account, x->queue_id, &x->reason);
    return o == DONE && x->roll_back ? TEMPFAIL : o;
}

static enum outcome recall(struct store *s, struct recall *x)
{
    struct store_call call = {.account = x->account, .fn = recall_fn, .arg = x};
    return store_write(s, &call);
}

static int64_t deliver(struct store *s, int64_t account, int64_t queue_id)
{
    struct mailbox_append m = {.account = account, .mailbox = 1, .queue_id = queue_id};
    assert_int_equal(fixture_append(s, &m, S("Subject: x\r\n\r\n")), DONE);
    return m.message;
}

static void test_recall(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    int64_t one = fixture_account(s, "one", 0), two = fixture_account(s, "two", 0);
    int64_t message[8];
    for (int i = 1; i <= 5; i++)
        message[i] = deliver(s, one, 100 + i); /* uid i */
    assert_int_equal(fixture_flags(s, one, (uint32_t[]){2}, 1, FLAG_SEEN, 0), 1);
    assert_true(message_fetched(s, one, message[3]));
    assert_int_equal(fixture_expunge(s, one, (uint32_t[]){4}, 1), 1);
    const struct {
        const char *name;
        int64_t account, queue_id;
        enum outcome want;
        slice reason;
    } rows[] = {
        {"untouched", one, 101, DONE, S("")},
        {"recalled already", one, 101, PERMFAIL, S("no longer in a mailbox")},
        {"seen", one, 102, PERMFAIL, S("already read")},
        {"fetched", one, 103, PERMFAIL, S("already fetched")},
        {"deleted", one, 104, PERMFAIL, S("no longer in a mailbox")},
        {"somebody else's", two, 105, PERMFAIL, S("no longer in a mailbox")},
        {"unknown", one, 999, PERMFAIL, S("no longer in a mailbox")},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct recall x = {.account = rows[i].account, .queue_id = rows[i].queue_id};
        if (recall(s, &x) != rows[i].want)
            fail_msg("%s: %.*s", rows[i].name, P(x.reason));
        if (rows[i].want == PERMFAIL)
            assert_slice(x.reason, rows[i].reason);
    }
    /* R1: who still holds a view of it gets nothing any more. */
    struct arena a = {0};
    struct message m;
    assert_false(message_open(s, &a, one, message[1], &m));
    assert_false(message_fetched(s, one, message[1]));
    arena_end(&a);
    assert_sound(s);
    store_close(s);
}

/* R1: a recall that was rolled back leaves the message readable. */
static void test_recall_rolled_back(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    int64_t one = fixture_account(s, "one", 0), id = deliver(s, one, 7);
    struct recall x = {.account = one, .queue_id = 7, .roll_back = true};
    assert_int_equal(recall(s, &x), TEMPFAIL);
    struct arena a = {0};
    struct message m;
    assert_true(message_open(s, &a, one, id, &m));
    assert_true(message_fetched(s, one, id));
    arena_end(&a);
    x.roll_back = false;
    assert_int_equal(recall(s, &x), PERMFAIL);
    assert_slice(x.reason, S("already fetched"));
    store_close(s);
}

/* R3: copied, moved and expunged: it leaves every mailbox; who has one open is told as ever. */
static void test_recall_leaves_every_mailbox(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    struct arena a = {0};
    int64_t one = fixture_account(s, "one", 0), id = deliver(s, one, 7);
    uint32_t first[] = {1};
    struct transfer t = {.account = one, .from = 1, .to = 3, .uids = first, .count = 1};
    assert_int_equal(mailbox_transfer(s, &a, &t), DONE);
    t.to = 4;
    assert_int_equal(mailbox_transfer(s, &a, &t), DONE);
    assert_int_equal(fixture_expunge(s, one, first, 1), 1);
    struct view *open = view_open(s, one, 3);
    int64_t before = view_info(open).modseq;
    struct recall x = {.account = one, .queue_id = 7};
    assert_int_equal(recall(s, &x), DONE);
    for (int64_t mailbox = 1; mailbox <= 7; mailbox++) {
        struct view *v = view_open(s, one, mailbox);
        assert_int_equal(view_info(v).count, 0);
        assert_true(mailbox != 3 || view_info(v).modseq > before);
        view_release(v);
    }
    assert_false(message_fetched(s, one, id));
    view_release(open);
    assert_sound(s);
    store_purge(s, clock_ms() + 8 * DAY_MS);
    assert_sound(s);
    arena_end(&a);
    store_close(s);
}

/* The mark outlives a clean stop, and no doubt is left by one. */
static void test_marks_are_kept(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    int64_t one = fixture_account(s, "one", 0), id = deliver(s, one, 7);
    deliver(s, one, 8);
    assert_true(message_fetched(s, one, id));
    store_close(s);
    s = fixture_open(fixture_path);
    struct recall x = {.account = one, .queue_id = 7}, y = {.account = one, .queue_id = 8};
    assert_int_equal(recall(s, &x), PERMFAIL);
    assert_slice(x.reason, S("already fetched"));
    assert_int_equal(recall(s, &y), DONE);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_recall),
        FIXTURE_TEST(test_recall_rolled_back),
        FIXTURE_TEST(test_recall_leaves_every_mailbox),
        FIXTURE_TEST(test_marks_are_kept),
    };
    return TEST_RUN(tests);
}
