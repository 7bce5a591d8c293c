/* Message identifiers: RFC 5322 3.6.4 and 4.5.4, rule M12. */
#include "message/msgid.h"

#include "base/test.h"

#include "base/banned.h"

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *in;
        const char *want[4];
    } rows[] = {
        {"<a@north.test>", {"a@north.test"}},
        {" <a@north.test> <b@south.test>\r\n\t<c@x>", {"a@north.test", "b@south.test", "c@x"}},
        {"<a@x><b@x>,<c@x>", {"a@x", "b@x", "c@x"}},
        {"<long\r\n id@x>", {"longid@x"}},
        {"(<not@this>) <a@x> (c)", {"a@x"}},
        {"(open <a@x>", {"a@x"}},
        {"Your message of \"Mon\" <a@x>", {"a@x"}},
        {"a@x b@x", {"a@x", "b@x"}},
        {"Your note of Monday", {NULL}},
        {"  m ", {"m"}},
        {"<a@x <b@x>", {"a@x", "b@x"}},
        {"<>", {NULL}},
        {"", {NULL}},
    };
    struct arena a = {0};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct msgid_list ids;
        msgid_parse(&a, slice_c(rows[i].in), &ids);
        size_t n = 0;
        for (; n < 4 && rows[i].want[n]; n++) {
            assert_true(n < ids.count);
            assert_slice(ids.list[n], slice_c(rows[i].want[n]));
        }
        assert_int_equal(ids.count, n);
    }
    arena_end(&a);
}

static void test_make(void **state)
{
    (void)state;
    struct arena a = {0};
    slice one = msgid_make(&a, S("north.test")), two = msgid_make(&a, S("north.test"));
    assert_false(slice_eq(one, two));
    assert_true(slice_starts(one, S("<")) && slice_ends(one, S("@north.test>")));
    assert_slice(msgid_first(&a, one), slice_sub(one, 1, one.n - 1));
    arena_end(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_make),
    };
    return TEST_RUN(tests);
}
