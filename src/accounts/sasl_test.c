/* The server's side of SASL against a client of its own (RFC 4616, 5802, 7677; rule S16). */
#include "accounts/sasl.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <time.h>

#include "accounts/fixture.h"
#include "base/clock.h"
#include "base/log.h"
#include "message/base64.h"
#include "base/banned.h"

static struct post post;
static int64_t one;
static struct peer peer;

static int set_up(void **state)
{
    (void)state;
    post_open(&post);
    one = post_user(&post, "one@north.test", "secret");
    peer = (struct peer){.ip = "192.0.2.1", .tls = true, .tls_version = "TLSv1.3"};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    limits_end(post.login.limits);
    post.login.limits = NULL;
    post_close(&post);
    return 0;
}

/* One message; a hash is run at once. */
static enum sasl_result say(struct sasl *x, struct arena *a, slice message, slice *reply)
{
    enum sasl_result r = sasl_step(x, true, message, a, reply);
    return r == SASL_HASH ? sasl_hash(x) : r;
}

static void test_plain(void **state)
{
    (void)state;
    const struct {
        slice message;
        enum sasl_result want;
    } rows[] = {
        {S("\0one@north.test\0secret"), SASL_OK},
        {S("\0ONE@North.Test\0secret"), SASL_OK},
        {S("one@north.test\0one@north.test\0secret"), SASL_OK},
        {S("two@north.test\0one@north.test\0secret"), SASL_FAIL},
        {S("\0one@north.test\0Secret"), SASL_FAIL},
        {S("\0one@north.test\0secret "), SASL_FAIL},
        {S("\0nobody@north.test\0secret"), SASL_FAIL},
        {S("\0one\0secret"), SASL_FAIL},
        {S("\0one@north.test\0"), SASL_SYNTAX},
        {S("\0\0secret"), SASL_SYNTAX},
        {S("one@north.test\0secret"), SASL_SYNTAX},
        {S("\0one@north.test\0sec\0ret"), SASL_SYNTAX},
        {S("secret"), SASL_SYNTAX},
        {S(""), SASL_SYNTAX},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena a = {0};
        slice reply, login;
        struct sasl *x = sasl_start(&post.login, S("plain"), "pop3", &peer, true);
        assert_int_equal(sasl_step(x, false, S(""), &a, &reply), SASL_CHALLENGE);
        assert_slice(reply, S(""));
        if (say(x, &a, rows[i].message, &reply) != rows[i].want)
            fail_msg("row %zu", i);
        if (rows[i].want == SASL_OK) {
            assert_int_equal(sasl_account(x, &a, &login), one);
            assert_slice(login, S("one@north.test"));
        }
        sasl_end(x);
        arena_end(&a);
    }
}

static void test_login(void **state)
{
    (void)state;
    for (int initial = 0; initial < 2; initial++) {
        struct arena a = {0};
        slice reply;
        struct sasl *x = sasl_start(&post.login, S("LOGIN"), "smtp", &peer, true);
        if (!initial) {
            assert_int_equal(sasl_step(x, false, S(""), &a, &reply), SASL_CHALLENGE);
            assert_slice(reply, S("Username:"));
        }
        assert_int_equal(say(x, &a, S("one@north.test"), &reply), SASL_CHALLENGE);
        assert_slice(reply, S("Password:"));
        assert_int_equal(say(x, &a, S("secret"), &reply), SASL_OK);
        sasl_end(x);
        arena_end(&a);
    }
}

static void test_plaintext_needs_safety(void **state)
{
    (void)state;
    assert_null(sasl_start(&post.login, S("PLAIN"), "pop3", &peer, false));
    assert_null(sasl_start(&post.login, S("LOGIN"), "pop3", &peer, false));
    assert_null(sasl_start(&post.login, S("CRAM-MD5"), "pop3", &peer, true));
    assert_null(sasl_start(&post.login, S(""), "pop3", &peer, true));
    assert_slice(sasl_mechanisms(false), S("SCRAM-SHA-256"));
    struct sasl *x = sasl_start(&post.login, S("Scram-Sha-256"), "pop3", &peer, false);
    assert_non_null(x);
    sasl_end(x);
    sasl_end(NULL);
}

/* ---- SCRAM, the client ---- */

static slice hmac(struct arena *a, slice key, slice text)
{
    unsigned char out[32];
    HMAC(EVP_sha256(), key.p, (int)key.n, (const unsigned char *)text.p, text.n, out, NULL);
    return arena_dup(a, (slice){(const char *)out, 32});
}

static slice attribute(slice message, char name)
{
    slice field;
    while (slice_next(&message, ',', &field))
        if (field.n > 1 && field.p[0] == name && field.p[1] == '=')
            return slice_skip(field, 2);
    return S("");
}

struct client {
    slice gs2, bare; /* "n,," and "n=...,r=..." */
    const char *password;
    slice final;     /* instead of the right final message without proof */
    slice signature; /* what the server must say */
};

/* The final message for a server-first message (RFC 5802 section 3). */
static slice client_final(struct arena *a, struct client *c, slice server_first)
{
    unsigned char salted[32], hash[32];
    char proof[32];
    slice salt;
    uint64_t iterations;
    assert_true(base64_decode_strict(a, attribute(server_first, 's'), &salt));
    assert_true(slice_u64(attribute(server_first, 'i'), 1000000, &iterations));
    slice plain = arena_printf(a, "c=%.*s,r=%.*s", P(base64_text(a, c->gs2)),
                               P(attribute(server_first, 'r')));
    if (c->final.n)
        plain = c->final;
    slice auth = arena_printf(a, "%.*s,%.*s,%.*s", P(c->bare), P(server_first), P(plain));
    PKCS5_PBKDF2_HMAC(c->password, -1, (const unsigned char *)salt.p, (int)salt.n, (int)iterations,
                      EVP_sha256(), 32, salted);
    slice salted_key = {(const char *)salted, 32};
    slice client_key = hmac(a, salted_key, S("Client Key"));
    SHA256((const unsigned char *)client_key.p, 32, hash);
    slice signature = hmac(a, (slice){(const char *)hash, 32}, auth);
    for (int i = 0; i < 32; i++)
        proof[i] = (char)(client_key.p[i] ^ signature.p[i]);
    c->signature = base64_text(a, hmac(a, hmac(a, salted_key, S("Server Key")), auth));
    return arena_printf(a, "%.*s,p=%.*s", P(plain), P(base64_text(a, (slice){proof, 32})));
}

static enum sasl_result scram(struct client *c)
{
    struct arena a = {0};
    slice reply;
    struct sasl *x = sasl_start(&post.login, S("SCRAM-SHA-256"), "imap", &peer, false);
    slice first = arena_printf(&a, "%.*s%.*s", P(c->gs2), P(c->bare));
    enum sasl_result r = say(x, &a, first, &reply);
    if (r == SASL_CHALLENGE) {
        assert_true(slice_starts(attribute(reply, 'r'), attribute(c->bare, 'r')));
        assert_true(attribute(reply, 'r').n >= attribute(c->bare, 'r').n + 20);
        r = say(x, &a, client_final(&a, c, reply), &reply);
    }
    if (r == SASL_OK)
        assert_slice(reply, arena_printf(&a, "v=%.*s", P(c->signature)));
    else
        assert_slice(reply, S(""));
    sasl_end(x);
    arena_end(&a);
    return r;
}

#define NAME  "n=one@north.test,r=abcdef"
#define WRONG "c=biws,r=abcdef"

static void test_scram(void **state)
{
    (void)state;
    const struct {
        const char *name;
        slice gs2, bare;
        const char *password;
        slice final;
        enum sasl_result want;
    } rows[] = {
        {"right", S("n,,"), S(NAME), "secret", S(""), SASL_OK},
        {"any case", S("n,,"), S("n=One@NORTH.test,r=a"), "secret", S(""), SASL_OK},
        {"y: we offer no binding", S("y,,"), S(NAME), "secret", S(""), SASL_OK},
        {"authzid", S("n,a=one@north.test,"), S(NAME), "secret", S(""), SASL_OK},
        {"other authzid", S("n,a=two@north.test,"), S(NAME), "secret", S(""), SASL_FAIL},
        {"wrong password", S("n,,"), S(NAME), "Secret", S(""), SASL_FAIL},
        {"nobody", S("n,,"), S("n=nobody@north.test,r=a"), "secret", S(""), SASL_FAIL},
        {"nonce cut", S("n,,"), S(NAME), "secret", S(WRONG), SASL_FAIL},
        {"no binding sent", S("n,,"), S(NAME), "secret", S("r=abcdef"), SASL_SYNTAX},
        {"binding asked", S("p=tls-unique,,"), S(NAME), "secret", S(""), SASL_SYNTAX},
        {"no gs2", S(""), S(NAME), "secret", S(""), SASL_SYNTAX},
        {"no nonce", S("n,,"), S("n=one@north.test"), "secret", S(""), SASL_SYNTAX},
        {"empty nonce", S("n,,"), S("n=one@north.test,r="), "secret", S(""), SASL_SYNTAX},
        {"no name", S("n,,"), S("n=,r=a"), "secret", S(""), SASL_SYNTAX},
        {"bad escape", S("n,,"), S("n=a=2d,r=a"), "secret", S(""), SASL_SYNTAX},
        {"mandatory extension", S("n,,"), S("m=x," NAME), "secret", S(""), SASL_SYNTAX},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct client c = {rows[i].gs2, rows[i].bare, rows[i].password, rows[i].final, S("")};
        enum sasl_result got = scram(&c);
        if (got != rows[i].want)
            fail_msg("%s: got %d, want %d", rows[i].name, got, rows[i].want);
    }
}

/* A message changed on the way (gs2 header downgraded from y to n) fails. */
static void test_scram_binds_the_gs2_header(void **state)
{
    (void)state;
    struct arena a = {0};
    slice reply;
    struct client c = {.gs2 = S("y,,"), .bare = S(NAME), .password = "secret"};
    struct sasl *x = sasl_start(&post.login, S("SCRAM-SHA-256"), "imap", &peer, false);
    assert_int_equal(say(x, &a, S("n,," NAME), &reply), SASL_CHALLENGE);
    assert_int_equal(say(x, &a, client_final(&a, &c, reply), &reply), SASL_FAIL);
    sasl_end(x);
    arena_end(&a);
}

static void test_scram_asks_for_the_first_message(void **state)
{
    (void)state;
    struct arena a = {0};
    slice reply;
    struct sasl *x = sasl_start(&post.login, S("SCRAM-SHA-256"), "imap", &peer, false);
    assert_int_equal(sasl_step(x, false, S(""), &a, &reply), SASL_CHALLENGE);
    assert_slice(reply, S(""));
    assert_int_equal(say(x, &a, S("n,," NAME), &reply), SASL_CHALLENGE);
    assert_true(slice_starts(reply, S("r=abcdef")));
    sasl_end(x);
    arena_end(&a);
}

/* ---- what is around ---- */

static enum sasl_result password(const char *protocol, slice name, slice text)
{
    struct sasl *x = sasl_start_password(&post.login, protocol, &peer);
    enum sasl_result r = sasl_password(x, name, text);
    if (r == SASL_HASH)
        r = sasl_hash(x);
    sasl_end(x);
    return r;
}

static void test_remembered_logins_do_not_hash(void **state)
{
    (void)state;
    assert_int_equal(password("pop3", S("one@north.test"), S("secret")), SASL_OK);
    struct sasl *x = sasl_start_password(&post.login, "imap", &peer);
    assert_int_equal(sasl_password(x, S("one@north.test"), S("secret")), SASL_OK);
    sasl_end(x);
}

static void test_app_passwords_have_a_scope(void **state)
{
    (void)state;
    struct arena a = {0};
    slice app;
    assert_int_equal(secrets_app_add(post.secrets, &a, one, S("phone"), S("imap smtp"), &app),
                     DONE);
    assert_int_equal(password("imap", S("one@north.test"), app), SASL_OK);
    assert_int_equal(password("pop3", S("one@north.test"), app), SASL_FAIL);
    arena_end(&a);
}

static void test_logins_are_counted(void **state)
{
    (void)state;
    int64_t ok = metric_get(METRIC_AUTH_OK), failed = metric_get(METRIC_AUTH_FAILED);
    password("pop3", S("one@north.test"), S("secret"));
    password("pop3", S("one@north.test"), S("wrong"));
    password("pop3", S("nobody@north.test"), S("wrong"));
    assert_int_equal(metric_get(METRIC_AUTH_OK), ok + 1);
    assert_int_equal(metric_get(METRIC_AUTH_FAILED), failed + 2);
}

/* Guesses from an IP until the limits want minutes, whatever time the test takes. */
static void guess_much(slice name, slice ip)
{
    for (uint64_t i = 1; i <= 20; i++) {
        struct limits_try t = {name, ip, i, clock_mono_ms() + (int64_t)i * 6 * MINUTE_MS};
        assert_int_equal(limits_wait(post.login.limits, &t), 0);
    }
}

static void test_guessing_is_slowed(void **state)
{
    (void)state;
    post.login.limits = limits_new();
    guess_much(S("one@north.test"), S("192.0.2.1"));
    struct sasl *x = sasl_start_password(&post.login, "pop3", &peer);
    assert_int_equal(sasl_password(x, S("one@north.test"), S("secret")), SASL_TEMPFAIL);
    assert_true(slice_starts(sasl_reason(x), S("Too many wrong passwords, wait ")));
    sasl_end(x);
    struct client c = {.gs2 = S("n,,"), .bare = S(NAME), .password = "secret"};
    assert_int_equal(scram(&c), SASL_TEMPFAIL); /* the other mechanisms, too */
    peer.loopback = true;
    assert_int_equal(password("pop3", S("one@north.test"), S("secret")), SASL_OK);
    peer.loopback = false;
    memcpy(peer.ip, "192.0.2.2", 10);
    assert_int_equal(password("pop3", S("one@north.test"), S("secret")), SASL_OK);
}

/* A hash that never ran (the pool was full) is no guess. */
static void test_undecided_logins_are_no_guesses(void **state)
{
    (void)state;
    char guess[16];
    post.login.limits = limits_new();
    for (int i = 0; i < 100; i++) {
        snprintf(guess, sizeof(guess), "guess %d", i);
        struct sasl *x = sasl_start_password(&post.login, "pop3", &peer);
        assert_int_equal(sasl_password(x, S("one@north.test"), slice_c(guess)), SASL_HASH);
        sasl_end(x);
    }
}

static int64_t cost_us(slice name)
{
    struct timespec from, to;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    assert_int_equal(password("pop3", name, S("wrong")), SASL_FAIL);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
    return (to.tv_sec - from.tv_sec) * 1000000 + (to.tv_nsec - from.tv_nsec) / 1000;
}

/* Rule S16: who exists is not told by time.  Both roads cost a whole derivation. */
static void test_unknown_users_cost_the_same(void **state)
{
    (void)state;
    int64_t known = cost_us(S("one@north.test"));
    int64_t unknown = cost_us(S("nobody@north.test"));
    assert_true(unknown > known / 3 && known > unknown / 3);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_plain),
        TEST(test_login),
        TEST(test_plaintext_needs_safety),
        TEST(test_scram),
        TEST(test_scram_binds_the_gs2_header),
        TEST(test_scram_asks_for_the_first_message),
        TEST(test_remembered_logins_do_not_hash),
        TEST(test_app_passwords_have_a_scope),
        TEST(test_logins_are_counted),
        TEST(test_guessing_is_slowed),
        TEST(test_undecided_logins_are_no_guesses),
        TEST(test_unknown_users_cost_the_same),
    };
    return TEST_RUN(tests);
}
