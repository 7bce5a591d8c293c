/* Passwords, fakes, app passwords and the file itself, in a fresh directory. */
#include "accounts/secrets.h"

#include <sys/stat.h>

#include "accounts/scram.h"
#include "base/file.h"
#include "base/test.h"
#include "base/banned.h"

static char dir[64];

static int set_up(void **state)
{
    snprintf(dir, sizeof(dir), "/tmp/yizhan-secrets-XXXXXX");
    assert_non_null(mkdtemp(dir));
    struct buf error = {.max = 1000};
    *state = secrets_open(dir, true, &error);
    assert_non_null(*state);
    buf_end(&error);
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"secrets.db", "secrets.db-wal", "secrets.db-shm"};
    secrets_close(*state);
    for (size_t i = 0; i < 3; i++) {
        char path[100];
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        unlink(path);
    }
    return rmdir(dir);
}

static struct secrets *reopen(struct secrets *s)
{
    struct buf error = {.max = 1000};
    secrets_close(s);
    s = secrets_open(dir, false, &error);
    if (!s)
        fail_msg("%.*s", P(buf_slice(&error)));
    return s;
}

static void test_password(void **state)
{
    struct secrets *s = *state;
    assert_int_equal(secrets_check_password(s, 7, S("secret"), true), PERMFAIL); /* none yet */
    assert_int_equal(secrets_set_password(s, 7, S("secret")), DONE);
    assert_int_equal(secrets_check_password(s, 7, S("secret"), false), WAIT);
    assert_int_equal(secrets_check_password(s, 7, S("Secret"), true), PERMFAIL);
    assert_int_equal(secrets_check_password(s, 8, S("secret"), true), PERMFAIL);
    assert_int_equal(secrets_check_password(s, 0, S("secret"), true), PERMFAIL);
    assert_int_equal(secrets_check_password(s, 7, S("secret"), true), DONE);
    assert_int_equal(secrets_check_password(s, 7, S("secret"), false), DONE); /* remembered */
    assert_int_equal(secrets_set_password(s, 7, S("驿站 new")), DONE);
    assert_int_equal(secrets_check_password(s, 7, S("secret"), false), WAIT);
    assert_int_equal(secrets_check_password(s, 7, S("secret"), true), PERMFAIL);
    *state = s = reopen(s);
    assert_int_equal(secrets_check_password(s, 7, S("驿站 new"), true), DONE);
    assert_int_equal(secrets_forget(s, 7), DONE);
    assert_int_equal(secrets_check_password(s, 7, S("驿站 new"), true), PERMFAIL);
}

/* RFC 4013 2.3, as far as secrets.h says. */
static void test_unsound_passwords(void **state)
{
    static char huge[1025];
    memset(huge, 'x', sizeof(huge));
    const slice bad[] = {S(""), S("a\tb"), S("a\0b"), S("a\x7f"), S("\xff\xfe"), {huge, 1025}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(secrets_set_password(*state, 7, bad[i]), PERMFAIL);
        assert_int_equal(secrets_check_password(*state, 7, bad[i], true), PERMFAIL);
    }
    assert_int_equal(secrets_set_password(*state, 7, (slice){huge, 1024}), DONE);
    assert_int_equal(secrets_check_password(*state, 7, (slice){huge, 1024}, true), DONE);
    assert_int_equal(secrets_check_password(*state, 7, (slice){huge, 1023}, true), PERMFAIL);
}

static void test_fake_salts_are_stable(void **state)
{
    struct secrets *s = *state;
    unsigned char one[SCRAM_SALT], again[SCRAM_SALT], two[SCRAM_SALT];
    uint32_t iterations, real;
    assert_true(secrets_scram_parameters(s, 0, S("no@north.test"), one, &iterations));
    assert_true(secrets_scram_parameters(s, 0, S("nobody@north.test"), two, &iterations));
    assert_memory_not_equal(one, two, SCRAM_SALT);
    *state = s = reopen(s);
    assert_true(secrets_scram_parameters(s, 0, S("no@north.test"), again, &iterations));
    assert_memory_equal(one, again, SCRAM_SALT);
    assert_int_equal(secrets_set_password(s, 7, S("secret")), DONE);
    assert_true(secrets_scram_parameters(s, 7, S("one@north.test"), two, &real));
    assert_int_equal(real, iterations);
    assert_int_equal(real, 1 << 16); /* Cyrus SASL refuses more */
}

/* What nobody has verifies for nobody: not even the proof that fits an all-zero StoredKey. */
static void test_scram_of_nobody(void **state)
{
    unsigned char zero[SCRAM_KEY] = {0}, signature[SCRAM_KEY];
    char proof[SCRAM_KEY];
    scram_sign(zero, S("auth"), (unsigned char *)proof);
    slice p = {proof, sizeof(proof)};
    assert_int_equal(secrets_scram_verify(*state, 0, S("auth"), p, signature), PERMFAIL);
    assert_int_equal(secrets_scram_verify(*state, 9, S("auth"), p, signature), PERMFAIL);
}

struct listing {
    int count;
    int64_t id, last_used_ms;
};

static void note(void *ctx, int64_t id, slice name, slice scope, int64_t created_ms,
                 int64_t last_used_ms)
{
    struct listing *l = ctx;
    l->count++;
    l->id = id;
    l->last_used_ms = last_used_ms;
    assert_slice(name, S("telephone"));
    assert_slice(scope, S("smtp pop3"));
    assert_true(created_ms > 0);
}

static void test_app_passwords(void **state)
{
    struct secrets *s = *state;
    struct arena a = {0};
    slice password, other;
    assert_int_equal(secrets_app_add(s, &a, 7, S("telephone"), S("smtp pop3"), &password), DONE);
    assert_int_equal(password.n, 31); /* 26 digits, 5 dashes */
    assert_int_equal(secrets_check_app(s, 7, password, S("pop3")), DONE);
    assert_int_equal(secrets_check_app(s, 7, password, S("imap")), PERMFAIL);
    assert_int_equal(secrets_check_app(s, 8, password, S("pop3")), PERMFAIL);
    assert_int_equal(secrets_check_app(s, 0, password, S("pop3")), PERMFAIL);
    assert_int_equal(secrets_check_app(s, 7, slice_sub(password, 0, 30), S("pop3")), PERMFAIL);
    assert_int_equal(secrets_check_app(s, 7, S("secret"), S("pop3")), PERMFAIL);
    char typed[64];
    size_t n = 0;
    for (size_t i = 0; i < password.n; i++)
        if (password.p[i] != '-')
            typed[n++] = ascii_upper(password.p[i]);
    assert_int_equal(secrets_check_app(s, 7, (slice){typed, n}, S("smtp")), DONE);
    struct listing l = {0};
    assert_int_equal(secrets_app_list(s, 7, note, &l), DONE);
    assert_int_equal(l.count, 1);
    assert_true(l.last_used_ms > 0);
    assert_int_equal(secrets_app_remove(s, 8, l.id), PERMFAIL);
    assert_int_equal(secrets_app_remove(s, 7, l.id), DONE);
    assert_int_equal(secrets_check_app(s, 7, password, S("pop3")), PERMFAIL);
    assert_int_equal(secrets_app_add(s, &a, 7, S("x"), S(""), &other), DONE);
    assert_false(slice_eq(password, other));
    assert_int_equal(secrets_check_app(s, 7, other, S("imap")), DONE);
    arena_end(&a);
}

static void test_nobody_else_reads_the_file(void **state)
{
    char path[100];
    struct stat st;
    snprintf(path, sizeof(path), "%s/secrets.db", dir);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(chmod(path, 0644), 0);
    *state = reopen(*state);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_passwords_are_not_in_the_file(void **state)
{
    struct arena a = {0};
    assert_int_equal(secrets_set_password(*state, 7, S("correct horse battery")), DONE);
    *state = reopen(*state);
    char path[100];
    slice all;
    snprintf(path, sizeof(path), "%s/secrets.db", dir);
    assert_int_equal(file_read(&a, path, 1 << 20, &all), 0);
    assert_true(slice_search(all, S("horse")) < 0);
    arena_end(&a);
}

static void test_a_missing_or_foreign_file_is_named(void **state)
{
    struct buf error = {.max = 1000};
    assert_null(secrets_open("/nowhere", false, &error));
    assert_true(slice_search(buf_slice(&error), S("/nowhere/secrets.db")) >= 0);
    buf_clear(&error);
    secrets_close(*state);
    char path[100];
    snprintf(path, sizeof(path), "%s/secrets.db", dir);
    slice junk = S("this is not a database, and long enough to be taken for one; no, really not");
    assert_int_equal(file_write(path, junk, 0600), 0);
    assert_null(secrets_open(dir, false, &error));
    assert_true(slice_search(buf_slice(&error), S("not a database")) >= 0);
    *state = NULL;
    buf_end(&error);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_password),
        TEST(test_unsound_passwords),
        TEST(test_fake_salts_are_stable),
        TEST(test_scram_of_nobody),
        TEST(test_app_passwords),
        TEST(test_nobody_else_reads_the_file),
        TEST(test_passwords_are_not_in_the_file),
        TEST(test_a_missing_or_foreign_file_is_named),
    };
    return TEST_RUN(tests);
}
