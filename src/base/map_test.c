#include "base/test.h"

#include "base/arena.h"
#include "base/map.h"
#include "base/rand.h"

static void test_map(void **state)
{
    (void)state;
    struct map m = {0};
    static int values[5000];
    struct arena a = {0};
    for (int i = 0; i < 5000; i++)
        assert_null(map_set(&m, arena_printf(&a, "key %d", i), &values[i]));
    for (int i = 0; i < 5000; i += 2)
        assert_ptr_equal(map_remove(&m, arena_printf(&a, "key %d", i)), &values[i]);
    for (int i = 0; i < 5000; i++)
        assert_ptr_equal(map_get(&m, arena_printf(&a, "key %d", i)), i % 2 ? &values[i] : NULL);
    size_t n = 0;
    slice key;
    void *value;
    for (size_t at = 0; map_next(&m, &at, &key, &value);)
        n++;
    assert_int_equal(n, 2500);
    assert_null(map_set(&m, S(""), &values[0]));
    assert_ptr_equal(map_get(&m, S("")), &values[0]);
    map_end(&m);
    arena_end(&a);
}

static void test_id(void **state)
{
    (void)state;
    char text[ID_TEXT];
    for (int i = 0; i < 1000; i++) {
        int64_t id = id_new(), back;
        id_text(id, text);
        assert_true(id_parse((slice){text, ID_TEXT}, &back));
        assert_true(id > 0 && back == id);
    }
    int64_t id;
    assert_false(id_parse(S("zzzzzzzzzzzzz"), &id));
    assert_false(id_parse(S("0000000000u00"), &id));
    assert_false(id_parse(S("00"), &id));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_map), cmocka_unit_test(test_id)};
    return TEST_RUN(tests);
}
