/* RFC 1870, 6152, 4954 section 5, 4865 section 4.2, 3461 section 4; rules S16, S18, S19. */
#include "smtp/params.h"

#include "base/test.h"
#include "base/banned.h"

#define NOW INT64_C(1795465441000) /* 2026-11-23T20:24:01Z */

static void test_mail(void **state)
{
    static const struct {
        const char *in, *reply; /* the start of the reply; NULL: taken */
        uint64_t size;
        bool eight_bit;
        const char *auth;
        int64_t hold;
    } rows[] = {
        {"", NULL, 0, false, "", 0},
        {" ", NULL, 0, false, "", 0},
        {" SIZE=0", NULL, 0, false, "", 0},
        {" size=18446744073709551615", NULL, UINT64_MAX, false, "", 0},
        {" SIZE=18446744073709551616", "501 5.5.4 ", 0, false, "", 0},
        {" SIZE=-1", "501 5.5.4 ", 0, false, "", 0},
        {" SIZE", "501 5.5.4 ", 0, false, "", 0},
        {" SIZE=1=2", "501 5.5.4 ", 0, false, "", 0},
        {" SIZE=1 SIZE=1", "501 5.5.4 ", 0, false, "", 0},
        {" BODY=8bitmime  SIZE=5", NULL, 5, true, "", 0},
        {" BODY=7BIT", NULL, 0, false, "", 0},
        {" BODY=BINARYMIME", "501 5.5.4 ", 0, false, "", 0},
        {" AUTH=<>", NULL, 0, false, "<>", 0},
        {" AUTH=one+2Btag+40north.test", NULL, 0, false, "one+tag@north.test", 0},
        {" AUTH=one+4", "501 5.5.4 ", 0, false, "", 0},
        {" AUTH=nobody", "501 5.5.4 ", 0, false, "", 0},
        {" HOLDFOR=1", NULL, 0, false, "", NOW + 1000},
        {" HOLDFOR=100", NULL, 0, false, "", NOW + 100000},
        {" HOLDFOR=101", "501 5.5.4 ", 0, false, "", 0},
        {" HOLDFOR=0", "501 5.5.4 ", 0, false, "", 0},
        {" HOLDFOR=1000000000", "501 5.5.4 ", 0, false, "", 0},
        {" HOLDUNTIL=2026-11-23T20:24:02Z", NULL, 0, false, "", NOW + 1000},
        {" HOLDUNTIL=2026-11-24T04:24:02+08:00", NULL, 0, false, "", NOW + 1000},
        {" HOLDUNTIL=2026-11-23T20:24:00Z", "501 5.5.4 ", 0, false, "", 0},
        {" HOLDUNTIL=2026-11-23T20:26:00Z", "501 5.5.4 ", 0, false, "", 0},
        {" HOLDUNTIL=tomorrow", "501 5.5.4 ", 0, false, "", 0},
        {" HOLDFOR=1 HOLDUNTIL=2026-11-23T20:24:02Z", "501 5.5.4 ", 0, false, "", 0},
        {" RET=FULL", "555 5.5.4 ", 0, false, "", 0},
        {" =1", "555 5.5.4 ", 0, false, "", 0},
        {"SIZE=1", "501 5.5.4 ", 0, false, "", 0},
        {" SIZE=\x80", "501 5.5.4 ", 0, false, "", 0},
    };
    (void)state;
    struct arena a = {0};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct params p = {
            .of = PARAMS_OF_MAIL, .offered = ~0U, .now_ms = NOW, .hold_max_ms = 100000};
        const char *reply = smtp_params_parse(&p, &a, slice_c(rows[i].in));
        if (!rows[i].reply != !reply || (reply && strncmp(reply, rows[i].reply, 10) != 0))
            fail_msg("\"%s\": %s", rows[i].in, reply ? reply : "taken");
        if (reply)
            continue;
        assert_true(p.size == rows[i].size);
        assert_int_equal(p.eight_bit, rows[i].eight_bit);
        assert_slice(p.auth, slice_c(rows[i].auth));
        assert_true(p.hold_until_ms == rows[i].hold);
    }
    arena_end(&a);
}

/* A parameter exists only while its extension is offered, and only for its command. */
static void test_offered(void **state)
{
    (void)state;
    struct arena a = {0};
    struct params none = {.of = PARAMS_OF_MAIL};
    assert_non_null(smtp_params_parse(&none, &a, S(" SIZE=1")));
    struct params rcpt = {.of = PARAMS_OF_RCPT, .offered = ~0U};
    assert_non_null(smtp_params_parse(&rcpt, &a, S(" SIZE=1")));
    arena_end(&a);
}

static void test_xtext(void **state)
{
    (void)state;
    struct arena a = {0};
    char all[256];
    slice in = {all, sizeof(all)}, back;
    for (size_t i = 0; i < sizeof(all); i++)
        all[i] = (char)i;
    assert_true(xtext_decode(&a, xtext_encode(&a, in), &back));
    assert_slice(back, in);
    assert_slice(xtext_encode(&a, S("a+b=c d")), S("a+2Bb+3Dc+20d"));
    assert_false(xtext_decode(&a, S("a b"), &back));
    assert_false(xtext_decode(&a, S("a+2"), &back));
    arena_end(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mail),
        cmocka_unit_test(test_offered),
        cmocka_unit_test(test_xtext),
    };
    return TEST_RUN(tests);
}
