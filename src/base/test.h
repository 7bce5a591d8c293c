/*
 * What every unit test starts from: cmocka, and checks that speak slices.
 *   static void test_x(void **state) { … }
 *   int main(void) { const struct CMUnitTest tests[] = {cmocka_unit_test(test_x)}; return
 * TEST_RUN(tests); }
 */
#ifndef BASE_TEST_H
#define BASE_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/slice.h"

#define TEST_RUN(tests) cmocka_run_group_tests((tests), NULL, NULL)

/* Fails, printing both, unless the two slices hold the same bytes. */
#define assert_slice(got, want)                                                                    \
    do {                                                                                           \
        slice got_ = (got), want_ = (want);                                                        \
        if (!slice_eq(got_, want_))                                                                \
            fail_msg("got \"%.*s\", want \"%.*s\"", P(got_), P(want_));                            \
    } while (0)

#endif
