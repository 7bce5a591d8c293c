/*
 * Round trip of random trees (compose_tree.h): 400 from the seed YIZHAN_SEED, which is printed; a
 * failure can be had again with it.
 */
#include "base/test.h"
#include "message/compose_tree.h"

enum { ROUNDS = 400, MOST = 1500 };

/* A few lines of arithmetic that give the same bytes everywhere (xorshift64*). */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static void test_round_trip(void **state)
{
    const char *given = getenv("YIZHAN_SEED");
    uint64_t seed = 1;
    (void)state;
    if (given)
        assert_true(slice_u64(slice_c(given), UINT32_MAX, &seed));
    print_message("seed %llu, %d trees\n", (unsigned long long)seed, ROUNDS);
    uint64_t random = seed + UINT64_C(0x9e3779b97f4a7c15);
    size_t most_parts = 0;
    for (int round = 0; round < ROUNDS; round++) {
        char decisions[MOST];
        size_t n = next_random(&random) % MOST;
        for (size_t i = 0; i < n; i++)
            decisions[i] = (char)(next_random(&random) >> 32);
        size_t parts = tree_round_trip((slice){decisions, n});
        most_parts = parts > most_parts ? parts : most_parts;
    }
    assert_true(most_parts > 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip)};
    return TEST_RUN(tests);
}
