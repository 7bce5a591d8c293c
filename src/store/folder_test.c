/* Names of mailboxes: create, delete, rename, subscribe, list (N1-N5, W6, V2, rules I5, I21, I22).
 */
#include "store/fixture.h"

#include "store/folder.h"
#include "store/internal.h"

static int64_t create(struct store *s, int64_t account, const char *name)
{
    int64_t mailbox;
    enum refusal why;
    assert_int_equal(folder_create(s, account, slice_c(name), ROLE_NONE, &mailbox, &why), DONE);
    return mailbox;
}

static struct folder find(struct store *s, struct arena *a, int64_t account, const char *name)
{
    struct folder f = {0};
    if (folder_find(s, a, account, slice_c(name), &f) != DONE)
        f.mailbox = 0;
    return f;
}

/* N1 */
static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *in, *want; /* NULL: refused */
    } rows[] = {
        {"Work", "Work"},
        {"Work/", "Work"},
        {"inbox", "INBOX"},
        {"Inbox/a", "INBOX/a"},
        {"inboxes", "inboxes"},
        {"Bo\xcc\x88", "B\xc3\xb6"}, /* o and combining diaeresis */
        {"\xe5\xb7\xb2\xe5\x8f\x91\xe9\x80\x81", "\xe5\xb7\xb2\xe5\x8f\x91\xe9\x80\x81"},
        {"", NULL},
        {"/", NULL},
        {"/a", NULL},
        {"a//b", NULL},
        {"a\x01", NULL},
        {"a\x7f", NULL},
        {"a\xc2\x85", NULL},     /* C1 */
        {"a\xe2\x80\xa8", NULL}, /* U+2028 */
        {"a\xff", NULL},
        {"1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3/4/5/6/7/8/9/0/1/2/3", NULL},
    };
    struct arena a = {0};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        slice out;
        bool good = folder_name(&a, slice_c(rows[i].in), &out);
        if (good != (rows[i].want != NULL))
            fail_msg("\"%s\"", rows[i].in);
        if (good)
            assert_slice(out, slice_c(rows[i].want));
    }
    arena_end(&a);
}

/* N2, N4, W6: what is made again is another mailbox; its old messages are in Recoverable. */
static void test_delete_and_make_again(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    int64_t one = fixture_account(s, "one", 0), old = create(s, one, "a/b");
    struct arena a = {0};
    enum refusal why;
    struct folder before = find(s, &a, one, "a/b");
    struct mailbox_append m = {.account = one, .mailbox = old, .flags = FLAG_DELETED};
    assert_int_equal(fixture_append(s, &m, S("x")), DONE);
    struct view *v = view_open(s, one, old);
    create(s, one, "a/b/c");
    assert_int_equal(folder_delete(s, one, S("a/b"), &why), DONE);
    assert_int_equal(view_info(v).count, 1); /* V1 */
    view_release(v);
    assert_int_equal(find(s, &a, one, "a/b").mailbox, 0);
    assert_true(find(s, &a, one, "a/b/c").mailbox > 0);
    assert_int_equal(fixture_append(s, &m, S("x")), PERMFAIL);
    assert_int_equal(m.why, REFUSED_MISSING);
    assert_int_equal(find(s, &a, one, "Recoverable").info.count, 1);
    int64_t again = create(s, one, "a/b");
    assert_true(again > old);
    assert_true(find(s, &a, one, "a/b").info.uidvalidity > before.info.uidvalidity);
    assert_int_equal(folder_delete(s, one, S("INBOX"), &why), PERMFAIL);
    assert_int_equal(why, REFUSED_READ_ONLY); /* N5 */
    assert_int_equal(folder_delete(s, one, S("Recoverable"), &why), PERMFAIL);
    assert_int_equal(folder_delete(s, one, S("nothing"), &why), PERMFAIL);
    assert_int_equal(why, REFUSED_MISSING);
    arena_end(&a);
    assert_sound(s);
    store_close(s);
}

/* N3: everything below comes along and nothing of it changes; INBOX gives its messages. */
static void test_rename(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    int64_t one = fixture_account(s, "one", 0);
    struct arena a = {0};
    enum refusal why;
    create(s, one, "x/y/z");
    struct mailbox_append m = {.account = one, .mailbox = find(s, &a, one, "x/y/z").mailbox};
    assert_int_equal(fixture_append(s, &m, S("text")), DONE);
    struct folder before = find(s, &a, one, "x/y/z");
    assert_int_equal(folder_rename(s, one, S("x/y"), S("n/x"), &why), DONE);
    struct folder after = find(s, &a, one, "n/x/z");
    assert_int_equal(after.mailbox, before.mailbox);
    assert_memory_equal(&after.info, &before.info, sizeof(after.info));
    assert_int_equal(find(s, &a, one, "x/y").mailbox, 0);
    assert_true(find(s, &a, one, "n").mailbox > 0);
    assert_int_equal(folder_rename(s, one, S("n"), S("n/below"), &why), PERMFAIL);
    assert_int_equal(why, REFUSED_NAME);
    assert_int_equal(folder_rename(s, one, S("n"), S("x"), &why), PERMFAIL);
    assert_int_equal(why, REFUSED_EXISTS);
    m.mailbox = MAILBOX_INBOX;
    assert_int_equal(fixture_append(s, &m, S("text")), DONE);
    assert_int_equal(folder_rename(s, one, S("inbox"), S("old"), &why), DONE);
    assert_int_equal(find(s, &a, one, "INBOX").info.count, 0);
    assert_int_equal(find(s, &a, one, "INBOX").mailbox, MAILBOX_INBOX);
    assert_int_equal(find(s, &a, one, "old").info.count, 1);
    arena_end(&a);
    assert_sound(s);
    store_close(s);
}

/* N5: one mailbox for a role; a refused CREATE makes nothing. */
static void test_roles(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    int64_t one = fixture_account(s, "one", 0), mailbox;
    struct arena a = {0};
    enum refusal why;
    assert_int_equal(folder_create(s, one, S("p/s"), ROLE_SENT, &mailbox, &why), PERMFAIL);
    assert_int_equal(why, REFUSED_ROLE);
    assert_int_equal(find(s, &a, one, "p").mailbox, 0);
    assert_int_equal(folder_delete(s, one, S("Sent"), &why), DONE);
    assert_int_equal(folder_create(s, one, S("p/s"), ROLE_SENT, &mailbox, &why), DONE);
    assert_int_equal(find(s, &a, one, "p/s").role, ROLE_SENT);
    assert_int_equal(find(s, &a, one, "p").role, ROLE_NONE);
    arena_end(&a);
    store_close(s);
}

static void test_list(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    int64_t one = fixture_account(s, "one", 0);
    struct arena a = {0};
    enum refusal why;
    create(s, one, "b/c");
    create(s, one, "b-d"); /* "-" sorts before "/" as a byte */
    assert_int_equal(folder_delete(s, one, S("b"), &why), DONE);
    assert_int_equal(folder_subscribe(s, one, S("gone/away"), true, &why), DONE);
    assert_int_equal(folder_subscribe(s, one, S("Junk"), false, &why), DONE);
    static const struct {
        const char *name;
        bool there, subscribed, children;
    } want[] = {
        {"INBOX", true, true, false},        {"Archive", true, true, false},
        {"Drafts", true, true, false},       {"Junk", true, false, false},
        {"Recoverable", true, false, false}, {"Sent", true, true, false},
        {"Trash", true, true, false},        {"b", false, false, true},
        {"b/c", true, false, false},         {"b-d", true, false, false},
        {"gone", false, false, false},       {"gone/away", false, true, false},
    };
    struct folder_list l;
    assert_true(folder_list(s, &a, one, &l));
    assert_int_equal(l.count, sizeof(want) / sizeof(*want));
    for (size_t i = 0; i < l.count; i++) {
        assert_slice(l.items[i].name, slice_c(want[i].name));
        assert_int_equal(l.items[i].mailbox > 0, want[i].there);
        assert_int_equal(l.items[i].subscribed, want[i].subscribed);
        assert_int_equal(l.items[i].has_children, want[i].children);
    }
    arena_end(&a);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_names),  FIXTURE_TEST(test_delete_and_make_again),
        FIXTURE_TEST(test_rename), FIXTURE_TEST(test_roles),
        FIXTURE_TEST(test_list),
    };
    return TEST_RUN(tests);
}
