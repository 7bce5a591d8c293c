/* The arithmetic against the vector of RFC 7677 section 3, and every bit of a proof. */
#include "accounts/scram.h"

#include "base/test.h"
#include "message/base64.h"
#include "base/banned.h"

/* RFC 7677 section 3: user "user", password "pencil". */
static const char salt_text[] = "W22ZaJ0SNY7soEsUEjb6gQ==";
static const char auth_message[] =
    "n=user,r=rOprNGfwEbeRWgbNEkqO,"
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,"
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
static const char proof_text[] = "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
static const char signature_text[] = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

static void test_vector_of_rfc_7677(void **state)
{
    (void)state;
    struct arena a = {0};
    slice salt, proof;
    assert_true(base64_decode_strict(&a, slice_c(salt_text), &salt));
    assert_true(base64_decode_strict(&a, slice_c(proof_text), &proof));
    assert_int_equal(salt.n, SCRAM_SALT);
    unsigned char stored[SCRAM_KEY], server[SCRAM_KEY], signature[SCRAM_KEY];
    scram_derive(S("pencil"), (const unsigned char *)salt.p, 4096, stored, server);
    assert_true(scram_proof_is(stored, slice_c(auth_message), proof));
    scram_sign(server, slice_c(auth_message), signature);
    assert_slice(base64_text(&a, (slice){(const char *)signature, SCRAM_KEY}),
                 slice_c(signature_text));
    arena_end(&a);
}

static void test_any_change_is_refused(void **state)
{
    (void)state;
    struct arena a = {0};
    slice salt, proof;
    assert_true(base64_decode_strict(&a, slice_c(salt_text), &salt));
    assert_true(base64_decode_strict(&a, slice_c(proof_text), &proof));
    unsigned char stored[SCRAM_KEY], server[SCRAM_KEY];
    scram_derive(S("Pencil"), (const unsigned char *)salt.p, 4096, stored, server);
    assert_false(scram_proof_is(stored, slice_c(auth_message), proof));
    scram_derive(S("pencil"), (const unsigned char *)salt.p, 4097, stored, server);
    assert_false(scram_proof_is(stored, slice_c(auth_message), proof));
    scram_derive(S("pencil"), (const unsigned char *)salt.p, 4096, stored, server);
    assert_false(scram_proof_is(stored, S("n=user"), proof));
    assert_false(scram_proof_is(stored, slice_c(auth_message), slice_sub(proof, 0, 31)));
    char bent[SCRAM_KEY];
    for (size_t i = 0; i < SCRAM_KEY; i++) {
        memcpy(bent, proof.p, SCRAM_KEY);
        bent[i] = (char)(bent[i] ^ 1);
        assert_false(scram_proof_is(stored, slice_c(auth_message), (slice){bent, SCRAM_KEY}));
    }
    arena_end(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vector_of_rfc_7677),
        cmocka_unit_test(test_any_change_is_refused),
    };
    return TEST_RUN(tests);
}
