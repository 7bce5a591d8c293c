/* The ten minutes of a checked password: expiry, forgetting, bounds. */
#include "accounts/remember.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/test.h"
#include "base/banned.h"

static void test_ten_minutes(void **state)
{
    (void)state;
    struct remember *r = remember_new();
    assert_false(remember_has(r, 7, S("secret"), 0));
    remember_add(r, 7, S("secret"), remember_epoch(r), 1000);
    assert_true(remember_has(r, 7, S("secret"), 1000));
    assert_true(remember_has(r, 7, S("secret"), 1000 + REMEMBER_MS - 1));
    assert_false(remember_has(r, 7, S("secret"), 1000 + REMEMBER_MS));
    assert_false(remember_has(r, 7, S("Secret"), 1000));
    assert_false(remember_has(r, 8, S("secret"), 1000));
    remember_end(r);
}

static void test_account_0_is_never_remembered(void **state)
{
    (void)state;
    struct remember *r = remember_new();
    remember_add(r, 0, S("secret"), remember_epoch(r), 0);
    assert_false(remember_has(r, 0, S("secret"), 0));
    remember_end(r);
}

static void test_a_change_forgets(void **state)
{
    (void)state;
    struct remember *r = remember_new();
    uint64_t before = remember_epoch(r);
    remember_add(r, 7, S("old"), before, 0);
    remember_add(r, 8, S("other"), before, 0);
    remember_forget(r, 7);
    assert_false(remember_has(r, 7, S("old"), 0));
    assert_true(remember_has(r, 8, S("other"), 0));
    /* A check that began before the change must not bring the old password back. */
    remember_add(r, 7, S("old"), before, 0);
    assert_false(remember_has(r, 7, S("old"), 0));
    remember_end(r);
}

static void test_it_is_bounded(void **state)
{
    (void)state;
    struct remember *r = remember_new();
    char text[32];
    int kept = 0;
    for (int i = 1; i <= 3 * LIMIT_LOGINS_REMEMBERED; i++) {
        snprintf(text, sizeof(text), "password %d", i);
        remember_add(r, i, slice_c(text), remember_epoch(r), i);
        assert_true(remember_has(r, i, slice_c(text), i));
    }
    for (int i = 1; i <= 3 * LIMIT_LOGINS_REMEMBERED; i++) {
        snprintf(text, sizeof(text), "password %d", i);
        kept += remember_has(r, i, slice_c(text), i);
    }
    assert_in_range(kept, LIMIT_LOGINS_REMEMBERED / 2, LIMIT_LOGINS_REMEMBERED);
    remember_end(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ten_minutes),
        cmocka_unit_test(test_account_0_is_never_remembered),
        cmocka_unit_test(test_a_change_forgets),
        cmocka_unit_test(test_it_is_bounded),
    };
    return TEST_RUN(tests);
}
