/* FIPS 180-4 and the examples of NIST's "SHA-256" page: nothing, one block, two blocks. */
#include "base/sha256.h"

#include "base/test.h"
#include "base/banned.h"

static void test_known(void **state)
{
    (void)state;
    static const struct {
        const char *in, *want;
    } rows[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        unsigned char got[SHA256_BYTES];
        char hex[2 * SHA256_BYTES];
        sha256(slice_c(rows[i].in), got);
        ascii_hex(got, sizeof(got), hex);
        assert_slice(((slice){hex, sizeof(hex)}), slice_c(rows[i].want));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_known)};
    return TEST_RUN(tests);
}
