#include "base/test.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "store/fixture.h"

static char dir[64];

static int setup(void **state)
{
    (void)state;
    fixture_dir(dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_remove(dir);
    return 0;
}

static void assert_message(struct store *s, int64_t account, int64_t id, slice want)
{
    struct arena a = {0};
    struct message m;
    char got[4096];
    assert_true(message_open(s, &a, account, id, &m));
    assert_int_equal(m.size, want.n);
    ssize_t n = message_read(s, &m, 0, got, sizeof(got));
    assert_int_equal(n, want.n);
    assert_slice(((slice){got, (size_t)n}), want);
    for (size_t cut = 0; cut <= want.n; cut++) { /* from every offset */
        n = message_read(s, &m, cut, got, sizeof(got));
        assert_slice(((slice){got, (size_t)n}), slice_skip(want, cut));
    }
    arena_end(&a);
}

static void test_append_and_read(void **state)
{
    (void)state;
    struct store *s = fixture_open(dir);
    int64_t one = fixture_account(s, "one", 0);
    assert_true(one > 0);
    struct mailbox_append m = {.account = one, .mailbox = MAILBOX_INBOX, .prefix = S("X: y\r\n")};
    assert_int_equal(fixture_append(s, &m, S("Subject: a\r\n\r\nhello\r\n")), DONE);
    assert_int_equal(m.uid, 1);
    assert_message(s, one, m.message, S("X: y\r\nSubject: a\r\n\r\nhello\r\n"));
    struct view *v = view_open(s, one, MAILBOX_INBOX);
    assert_non_null(v);
    assert_int_equal(view_info(v).count, 1);
    assert_int_equal(view_info(v).unseen, 1);
    assert_int_equal(view_info(v).size, 27 + 0);
    struct entry e;
    assert_true(view_at(v, 0, &e));
    assert_int_equal(e.uid, 1);
    assert_int_equal(e.message, m.message);
    /* V1: the held view does not change; the newest has the next message. */
    struct mailbox_append m2 = {.account = one, .mailbox = MAILBOX_INBOX};
    assert_int_equal(fixture_append(s, &m2, S("Subject: b\r\n\r\n")), DONE);
    assert_int_equal(m2.uid, 2);
    assert_int_equal(view_info(v).count, 1);
    struct view *newer = view_open(s, one, MAILBOX_INBOX);
    assert_int_equal(view_info(newer).count, 2);
    assert_true(view_info(newer).modseq > view_info(v).modseq);
    view_release(v);
    view_release(newer);
    assert_int_equal(fixture_expunge(s, one, (uint32_t[]){1, 7}, 2), 1);
    store_close(s);
    s = fixture_open(dir);
    v = view_open(s, one, MAILBOX_INBOX);
    assert_int_equal(view_info(v).count, 1);
    assert_true(view_at(v, 0, &e));
    assert_int_equal(e.uid, 2);
    assert_message(s, one, e.message, S("Subject: b\r\n\r\n"));
    view_release(v);
    assert_null(view_open(s, one, 99));
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_append_and_read, setup, teardown),
    };
    return TEST_RUN(tests);
}
