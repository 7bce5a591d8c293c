/*
 * Saving in directories and mbox files, and remembering UIDLs: cut at every byte, cancelled,
 * repeated.
 */
#include "base/test.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/file.h>

#include "agent/save.h"
#include "agent/seen.h"
#include "base/file.h"

static char dir[64];

static int setup(void **state)
{
    (void)state;
    memcpy(dir, "/tmp/yizhan-save-XXXXXX", 24);
    return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static int teardown(void **state)
{
    (void)state;
    return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static slice content(struct arena *a, const char *path)
{
    slice text = S("");
    if (file_read(a, path, 1 << 20, &text) < 0)
        fail_msg("%s cannot be read", path);
    return text;
}

/* Saves text in two cuts; the file's name. */
static slice save_text(struct save *s, struct arena *a, slice uidl, slice text, size_t cut)
{
    slice name;
    assert_true(save_begin(s));
    assert_true(save_bytes(s, slice_sub(text, 0, cut)));
    assert_true(save_bytes(s, slice_skip(text, cut)));
    assert_true(save_end(s, a, uidl, &name));
    return name;
}

static void test_directory(void **state)
{
    (void)state;
    struct arena a = {0};
    struct buf error = {.max = 1000};
    struct save s, second;
    assert_true(save_open(&s, SAVE_DIR, "mail", &error));
    assert_false(save_open(&second, SAVE_DIR, "mail", &error)); /* locked */
    save_close(&second);
    assert_slice(save_text(&s, &a, S("1-ab"), S("one\r\n"), 2), S("1-ab.eml"));
    /* the same bytes again are the same mail; other bytes get another name */
    assert_slice(save_text(&s, &a, S("1-ab"), S("one\r\n"), 0), S("1-ab.eml"));
    assert_slice(save_text(&s, &a, S("1-ab"), S("two\r\n"), 0), S("1-ab-2.eml"));
    assert_slice(content(&a, "mail/1-ab.eml"), S("one\r\n"));
    assert_slice(content(&a, "mail/1-ab-2.eml"), S("two\r\n"));
    /* a server may name a message as it likes */
    assert_slice(save_text(&s, &a, S("../../etc/x"), S("evil\r\n"), 0), S("_._.._etc_x.eml"));
    assert_slice(save_text(&s, &a, S(".bashrc"), S("dot\r\n"), 0), S("_bashrc.eml"));
    /* an interrupted one leaves nothing */
    assert_true(save_begin(&s));
    assert_true(save_bytes(&s, S("half")));
    save_cancel(&s);
    assert_int_equal(access("mail/.fetch-part", F_OK), -1);
    assert_true(save_sync(&s));
    save_close(&s);
    buf_end(&error);
    arena_end(&a);
}

static void test_mbox(void **state)
{
    static const struct {
        const char *in, *want;
    } rows[] = {
        {"a\r\nb\r\n", "a\nb\n\n"},
        {"From me\r\n", ">From me\n\n"},
        {">From me\r\n>>From\r\n", ">>From me\n>>From\n\n"}, /* mboxrd */
        {"Fro\r\nF\r\nFrom\r\nFFrom x\r\n", "Fro\nF\nFrom\nFFrom x\n\n"},
        {"no end", "no end\n\n"},
        {"ends in Fro\r\nFro", "ends in Fro\nFro\n\n"},
        {"quoted\r\n>", "quoted\n>\n\n"},
        {"", "\n"},
    };
    (void)state;
    struct buf error = {.max = 1000};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (size_t cut = 0; cut <= strlen(rows[i].in); cut++) {
            struct arena a = {0};
            struct save s;
            unlink("box");
            assert_true(save_open(&s, SAVE_MBOX, "box", &error));
            save_text(&s, &a, S("1"), slice_c(rows[i].in), cut);
            /* a second one that is cut off disappears again */
            assert_true(save_begin(&s));
            assert_true(save_bytes(&s, S("half a mess")));
            save_cancel(&s);
            save_cancel(&s); /* harmless twice */
            assert_true(save_sync(&s));
            save_close(&s);
            slice got = content(&a, "box");
            assert_true(slice_starts(got, S("From MAILER-DAEMON ")));
            got = slice_skip(got, (size_t)slice_find(got, '\n') + 1);
            assert_slice(got, slice_c(rows[i].want));
            arena_end(&a);
        }
    buf_end(&error);
}

static void test_cancel_without_message(void **state)
{
    (void)state;
    struct arena a = {0};
    struct buf error = {.max = 1000};
    struct save s;
    assert_int_equal(file_write("old", S("From x\nold mail\n\n"), 0600), 0);
    assert_true(save_open(&s, SAVE_MBOX, "old", &error));
    save_cancel(&s); /* the connection failed before any message: what is there stays */
    save_close(&s);
    assert_slice(content(&a, "old"), S("From x\nold mail\n\n"));
    buf_end(&error);
    arena_end(&a);
}

static void test_seen(void **state)
{
    (void)state;
    struct buf error = {.max = 1000};
    struct seen s;
    assert_true(seen_load(&s, "state", &error)); /* a missing file is an empty one */
    assert_false(seen_has(&s, S("a")));
    seen_add(&s, S("a"));
    seen_add(&s, S("b"));
    seen_add(&s, S("c"));
    seen_remove(&s, S("b"));
    assert_true(seen_save(&s, &error));
    seen_end(&s);
    assert_true(seen_load(&s, "state", &error));
    assert_true(seen_has(&s, S("a")));
    assert_false(seen_has(&s, S("b")));
    assert_true(seen_has(&s, S("c")));
    seen_end(&s);
    assert_false(seen_load(&s, ".", &error)); /* a directory */
    seen_end(&s);
    buf_end(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_directory),
        cmocka_unit_test(test_mbox),
        cmocka_unit_test(test_cancel_without_message),
        cmocka_unit_test(test_seen),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
