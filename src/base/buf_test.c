#include "base/test.h"

#include "base/arena.h"
#include "base/buf.h"

static void test_buf_cap(void **state)
{
    (void)state;
    struct buf b = {.max = 10};
    assert_true(buf_add(&b, S("12345678")));
    assert_false(buf_add(&b, S("abc")));
    assert_true(b.full);
    assert_slice(buf_slice(&b), S("12345678"));
    buf_eat(&b, 6);
    assert_true(buf_printf(&b, "%s", "abcdefgh"));
    assert_slice(buf_slice(&b), S("78abcdefgh"));
    buf_clear(&b);
    assert_false(b.full);
    assert_int_equal(buf_room(&b), 10);
    buf_end(&b);
    buf_end(&b);
}

static void test_arena(void **state)
{
    (void)state;
    struct arena a = {0};
    size_t capacity = 0;
    int *v = NULL;
    for (int i = 0; i < 1000; i++) {
        v = arena_grow(&a, v, (size_t)i, &capacity, sizeof(*v));
        v[i] = i;
    }
    assert_int_equal(v[999], 999);
    assert_slice(arena_printf(&a, "%d-%s", 7, "x"), S("7-x"));
    assert_null(arena_cstr(&a, S("a\0b")));
    assert_string_equal(arena_cstr(&a, S("ab")), "ab");
    arena_reset(&a);
    char *p = arena_alloc(&a, 100);
    assert_int_equal(p[99], 0);
    arena_end(&a);
    arena_end(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_buf_cap),
                                       cmocka_unit_test(test_arena)};
    return TEST_RUN(tests);
}
