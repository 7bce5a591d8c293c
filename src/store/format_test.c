/*
 * A store of every released format opens, is sound, and holds what it held.  The fixtures are
 * copied first: opening writes.
 */
#include "store/fixture.h"

#include <sys/stat.h>

#include "base/file.h"

static void copy_file(const char *name)
{
    struct arena a = {0};
    slice content;
    const char *from = arena_printf(&a, "%s/store-1/%s", STORE_FIXTURES, name).p;
    const char *to = arena_printf(&a, "%s/%s", fixture_path, name).p;
    assert_int_equal(file_read(&a, from, 1 << 24, &content), 0);
    assert_int_equal(file_write(to, content, 0600), 0);
    arena_end(&a);
}

static void test_format_1(void **state)
{
    (void)state;
    char path[96];
    snprintf(path, sizeof(path), "%s/segments", fixture_path);
    assert_int_equal(mkdir(path, 0700), 0);
    copy_file("store.db");
    copy_file("segments/000000000001.seg");
    struct store *s = fixture_open(fixture_path);
    assert_sound(s);
    struct view *v = view_open(s, 1, 1);
    assert_non_null(v);
    assert_int_equal(view_info(v).count, 2);
    assert_int_equal(view_info(v).uidnext, 4);
    assert_int_equal(view_info(v).unseen, 1);
    struct entry e;
    struct arena a = {0};
    struct message m;
    char got[200];
    assert_true(view_at(v, 1, &e));
    assert_true(message_open(s, &a, 1, e.message, &m));
    ssize_t n = message_read(s, &m, 0, got, sizeof(got));
    assert_slice(((slice){got, (size_t)n}),
                 S("Return-Path: <two@south.test>\r\nSubject: second\r\n\r\nworld\r\n"));
    arena_end(&a);
    view_release(v);
    struct mailbox_append next = {.account = 1, .mailbox = 1};
    assert_int_equal(fixture_append(s, &next, S("new\r\n")), DONE);
    assert_int_equal(next.uid, 4);
    assert_sound(s);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {FIXTURE_TEST(test_format_1)};
    return TEST_RUN(tests);
}
