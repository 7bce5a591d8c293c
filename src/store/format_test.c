/*
 * A store of every released format opens, is sound, and holds what it held.  The fixtures are
 * copied first: opening writes.
 */
#include "store/fixture.h"

#include <sys/stat.h>

#include "base/file.h"
#include "store/folder.h"
#include "store/parts.h"

static void copy_file(int format, const char *name)
{
    struct arena a = {0};
    slice content;
    const char *from = arena_printf(&a, "%s/store-%d/%s", STORE_FIXTURES, format, name).p;
    const char *to = arena_printf(&a, "%s/%s", fixture_path, name).p;
    assert_int_equal(file_read(&a, from, 1 << 24, &content), 0);
    assert_int_equal(file_write(to, content, 0600), 0);
    arena_end(&a);
}

/* The store of that format, opened and brought to ours. */
static struct store *open_format(int format)
{
    char path[96];
    snprintf(path, sizeof(path), "%s/segments", fixture_path);
    assert_int_equal(mkdir(path, 0700), 0);
    copy_file(format, "store.db");
    copy_file(format, "segments/000000000001.seg");
    struct store *s = fixture_open(fixture_path);
    assert_sound(s);
    return s;
}

static struct folder find(struct store *s, struct arena *a, slice name)
{
    struct folder f = {0};
    assert_int_equal(folder_find(s, a, 1, name, &f), DONE);
    return f;
}

/* Mailboxes get subscribed, and Recoverable appears. */
static void test_format_1(void **state)
{
    (void)state;
    struct store *s = open_format(1);
    struct arena names = {0};
    assert_true(find(s, &names, S("INBOX")).subscribed);
    assert_int_equal(find(s, &names, S("Recoverable")).role, ROLE_RECOVERABLE);
    arena_end(&names);
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

static bool first_part(void *arg, uint32_t i, const struct message_parts *p)
{
    (void)arg;
    assert_int_equal(i, 0);
    assert_slice(p->envelope, S("(NIL \"first\" NIL NIL NIL NIL NIL NIL NIL NIL)"));
    return true;
}

/* A copied message, one expunged, a keyword, a Chinese name, a subscription. */
static void test_format_2(void **state)
{
    (void)state;
    struct store *s = open_format(2);
    struct arena a = {0};
    slice keywords[KEYWORD_END];
    struct entry e;
    struct folder sent = find(s, &a, S("Work/\xe5\xb7\xb2\xe5\x8f\x91\xe9\x80\x81"));
    assert_int_equal(sent.info.count, 1);
    assert_true(find(s, &a, S("Work")).subscribed);
    assert_int_equal(find(s, &a, S("INBOX")).info.count, 2);
    assert_int_equal(find(s, &a, S("Recoverable")).info.count, 1);
    assert_true(keyword_list(s, &a, 1, keywords));
    assert_slice(keywords[KEYWORD_FIRST], S("Project"));
    struct view *v = view_open(s, 1, sent.mailbox);
    assert_true(view_at(v, 0, &e));
    assert_true(e.flags == UINT64_C(1) << KEYWORD_FIRST);
    assert_int_equal(parts_read(s, 1, &e, 1, PART_ENVELOPE, first_part, NULL), 1);
    view_release(v);
    arena_end(&a);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {FIXTURE_TEST(test_format_1), FIXTURE_TEST(test_format_2)};
    return TEST_RUN(tests);
}
