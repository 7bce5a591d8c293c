/* What untagged responses say: rows of response and its meaning. */
#include "base/test.h"

#include "agent/imap_data.h"

static void test_list(void **state)
{
    static const struct {
        const char *in, *name, *role;
        bool selectable;
    } rows[] = {
        {"LIST (\\HasNoChildren) \"/\" INBOX", "INBOX", "", true},
        {"list (\\sent \\HasNoChildren) \"/\" \"&XfJT0ZAB-\"", "已发送", "Sent", true},
        {"LIST () NIL {4}\r\na\"b\\", "a\"b\\", "", true},
        {"LIST (\\Noselect \\HasChildren) \".\" \"Archive.2026\"", "Archive.2026", "", false},
        {"LIST (\\NonExistent) \"/\" x (CHILDINFO (\"SUBSCRIBED\"))", "x", "", false},
        {"LIST (\\Trash) \"/\" \"&not-well-formed\"", "&not-well-formed", "Trash", true},
        {"LIST () \"/\"", NULL, "", true},
        {"LIST (\\Sent \"/\" x", NULL, "", true},
        {"LSUB () \"/\" x", NULL, "", true},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena a = {0};
        struct imap_folder f;
        bool ok = imap_take_list(&a, slice_c(rows[i].in), false, &f);
        assert_int_equal(ok, rows[i].name != NULL);
        if (ok) {
            assert_slice(f.name, slice_c(rows[i].name));
            assert_slice(f.role, slice_c(rows[i].role));
            assert_int_equal(f.selectable, rows[i].selectable);
        }
        arena_end(&a);
    }
}

static void test_status(void **state)
{
    (void)state;
    struct arena a = {0};
    struct imap_folder f;
    assert_true(imap_take_status_data(
        &a, S("STATUS \"&XfJT0ZAB-\" (MESSAGES 231 UIDNEXT 44292 UNSEEN 4)"), false, &f));
    assert_slice(f.name, S("已发送"));
    assert_int_equal(f.messages, 231);
    assert_int_equal(f.unseen, 4);
    assert_true(imap_take_status_data(&a, S("STATUS 已发送 ()"), true, &f));
    assert_slice(f.name, S("已发送"));
    assert_false(imap_take_status_data(&a, S("STATUS INBOX (MESSAGES x)"), false, &f));
    arena_end(&a);
}

static void test_fetch(void **state)
{
    (void)state;
    struct arena a = {0};
    struct imap_head h;
    assert_true(imap_take_fetch(
        &a,
        S("12 FETCH (FLAGS (\\Seen $Important) UID 7 RFC822.SIZE 4286 BODY[HEADER.FIELDS (DATE "
          "FROM)] {5}\r\na) (b X-NEW (1 \"(\" (NIL)) INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" "
          "ENVELOPE (\"Wed, 17 Jul 1996 02:23:25 -0700\" \"=?utf-8?B?6am/56uZ?=\" ((\"Terry Gray\" "
          "NIL \"gray\" \"cac.example\")) ((NIL NIL \"gray\" \"cac.example\")) NIL ((NIL NIL "
          "\"imap\" \"cac.example\")(\"=?utf-8?B?5LqM?=\" NIL \"two\" {10}\r\nsouth.test)(NIL NIL "
          "\"a group\" NIL)(NIL NIL NIL NIL)) NIL NIL NIL \"<B27397@cac.example>\"))"),
        &h));
    assert_int_equal(h.number, 12);
    assert_int_equal(h.uid, 7);
    assert_int_equal(h.size, 4286);
    assert_true(imap_flags_hold(h.flags, S("\\seen")));
    assert_true(imap_flags_hold(h.flags, S("$Important")));
    assert_false(imap_flags_hold(h.flags, S("\\Deleted")));
    assert_slice(h.subject, S("驿站"));
    assert_slice(h.from_name, S("Terry Gray"));
    assert_slice(h.from_email, S("gray@cac.example"));
    assert_slice(h.to, S("imap@cac.example, 二 <two@south.test>"));
    assert_slice(h.message_id, S("<B27397@cac.example>"));
    assert_true(h.has_date);
    assert_int_equal(h.date_ms, 837596665000);
    assert_int_equal(h.zone_minutes, -420);
    static const char *const junk[] = {"FETCH (UID 1)",
                                       "1 FETCH (UID 1",
                                       "1 FETCH (UID x)",
                                       "1 FETCH (FLAGS \\Seen)",
                                       "1 FETCH (ENVELOPE ())",
                                       "4294967296 FETCH (UID 1)",
                                       "1 FETCH (X (((((((((((((((((((((((((((((((((((((((((((((("};
    for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++)
        assert_false(imap_take_fetch(&a, slice_c(junk[i]), &h));
    arena_end(&a);
}

static void test_search(void **state)
{
    static const struct {
        const char *in;
        size_t count; /* 99: refused */
        uint32_t last;
    } rows[] = {
        {"SEARCH", 0, 0},
        {"SEARCH 2 84 882", 3, 882},
        {"SEARCH 2 5 (MODSEQ 917162500)", 2, 5},
        {"ESEARCH (TAG \"a1\") UID ALL 2,10:12", 4, 12},
        {"ESEARCH (TAG \"a1\") UID COUNT 3 ALL 4:6", 3, 6},
        {"ESEARCH", 0, 0},
        {"ESEARCH UID ALL 1:4294967295", 99, 0},
        {"ESEARCH UID ALL 1:*", 99, 0},
        {"SORT 1", 99, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena a = {0};
        struct imap_numbers n = {0};
        bool ok = imap_take_search(&a, slice_c(rows[i].in), &n);
        assert_int_equal(ok, rows[i].count != 99);
        if (ok)
            assert_int_equal(n.count, rows[i].count);
        if (ok && n.count)
            assert_int_equal(n.items[n.count - 1], rows[i].last);
        arena_end(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_fetch),
        cmocka_unit_test(test_search),
    };
    return TEST_RUN(tests);
}
