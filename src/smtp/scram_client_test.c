/* RFC 7677 section 3: the example; RFC 5802 section 5.1: what a client must refuse. */
#include "smtp/scram_client.h"

#include "base/test.h"
#include "base/banned.h"

#define SERVER_FIRST                                                                               \
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"

static void start(struct scram_client *x, struct arena *a)
{
    *x = (struct scram_client){.nonce = S("rOprNGfwEbeRWgbNEkqO")};
    assert_slice(scram_client_first(x, a, S("user"), S("pencil")),
                 S("n,,n=user,r=rOprNGfwEbeRWgbNEkqO"));
}

static void test_example(void **state)
{
    (void)state;
    struct arena a = {0};
    struct scram_client x;
    slice out;
    start(&x, &a);
    assert_true(scram_client_final(&x, &a, S(SERVER_FIRST), &out));
    assert_slice(out, S("c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                        "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="));
    assert_true(scram_client_verify(&x, &a, S("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")));
    assert_false(scram_client_verify(&x, &a, S("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G5=")));
    assert_false(scram_client_verify(&x, &a, S("e=invalid-proof")));
    assert_false(scram_client_verify(&x, &a, S("v=")));
    assert_false(scram_client_verify(&x, &a, S("")));
    arena_end(&a);
}

static void test_refused(void **state)
{
    static const char *const rows[] = {
        "",
        "r=rOprNGfwEbeRWgbNEkqO,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", /* adds nothing to our nonce */
        "r=otherNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4095",
        "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=100000000000",
        "r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=x",
        "r=rOprNGfwEbeRWgbNEkqOx,s=,i=4096",
        "r=rOprNGfwEbeRWgbNEkqOx,s=!,i=4096",
        "m=must-know,r=rOprNGfwEbeRWgbNEkqOx,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
        "r=rOprNGfwEbeRWgbNEkqOx,i=4096",
    };
    (void)state;
    struct arena a = {0};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct scram_client x;
        slice out;
        start(&x, &a);
        if (scram_client_final(&x, &a, slice_c(rows[i]), &out))
            fail_msg("taken: %s", rows[i]);
    }
    arena_end(&a);
}

static void test_names(void **state)
{
    (void)state;
    struct arena a = {0};
    struct scram_client x = {.nonce = S("n")}, y = {0}, z = {0};
    assert_slice(scram_client_first(&x, &a, S("a,b=c"), S("")), S("n,,n=a=2Cb=3Dc,r=n"));
    scram_client_first(&y, &a, S("a"), S(""));
    scram_client_first(&z, &a, S("a"), S(""));
    assert_int_equal(y.nonce.n, 24);
    assert_false(slice_eq(y.nonce, z.nonce));
    arena_end(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_example),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_names),
    };
    return TEST_RUN(tests);
}
