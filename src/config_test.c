/* Defaults, values, and every way to write a line wrong with what is said about it. */
#include "base/test.h"

#include "base/clock.h"
#include "base/log.h"
#include "config.h"

static void test_defaults(void **state)
{
    (void)state;
    struct config c;
    struct buf error = {.max = 1000};
    assert_true(config_parse(&c, S("[node]\nhostname = north.test\n"), "x", &error));
    assert_string_equal(c.hostname, "north.test");
    assert_string_equal(c.user, "");
    assert_int_equal(c.listen.count, 1);
    assert_string_equal(c.listen.items[0], "127.0.0.1");
    assert_int_equal(c.port_base, 0);
    assert_int_equal(config_port(&c, 25), 25);
    assert_int_equal(c.message_size, 50 << 20);
    assert_false(c.password_without_tls);
    assert_int_equal(c.retry.count, 7);
    assert_int_equal(c.retry.ms[1], 5 * MINUTE_MS);
    assert_int_equal(c.lifetime_ms, 5 * DAY_MS);
    assert_int_equal(c.level, LEVEL_INFO);
    assert_true(config_list_has(&c.roles, "pop3"));
    assert_false(config_list_has(&c.roles, "pop"));
    config_end(&c);
    buf_end(&error);
}

static void test_values(void **state)
{
    (void)state;
    struct config c;
    struct buf error = {.max = 1000};
    slice text = S("# comment\n[node]\nhostname=h.test\nlisten = 0.0.0.0, ::\nport-base = 1000\n"
                   "password-without-tls = yes\n\n[queue]\nretry = 1s, 2s ; for a test\n"
                   "[log]\nlevel = debug\n[demo]\ncatch-all = all@h.test\n");
    assert_true(config_parse(&c, text, "x", &error));
    assert_int_equal(c.listen.count, 2);
    assert_string_equal(c.listen.items[1], "::");
    assert_int_equal(config_port(&c, 587), 1587);
    assert_true(c.password_without_tls);
    assert_int_equal(c.retry.count, 2);
    assert_int_equal(c.level, LEVEL_DEBUG);
    assert_string_equal(c.catch_all, "all@h.test");
    config_end(&c);
    buf_end(&error);
}

static void test_bad_lines(void **state)
{
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"", "f: \"hostname\" is missing in [node]"},
        {"[node]\nhostnam = x\n",
         "f:2: unknown key \"hostnam\" in [node]; did you mean \"hostname\"?"},
        {"[nod]\nhostname = x\n", "f:2: unknown section [nod]; did you mean [node]?"},
        {"[node]\nzzzzzzzzz = x\n",
         "f:2: unknown key \"zzzzzzzzz\" in [node]; \"yizhan help config\" lists them"},
        {"hostname = x\n", "f:1: \"hostname\" stands before any [section]"},
        {"[node]\nhostname = x\nhostname = y\n", "f:3: \"hostname\" in [node] is set twice"},
        {"[node]\nhostname x\n", "f:2: neither [section] nor key = value"},
        {"[node\nhostname = x\n", "f:1: neither [section] nor key = value"},
        {"[node]\nhostname =\n", "f:2: \"hostname\" must be a name, not \"\""},
        {"[node]\nport-base = -1\n",
         "f:2: \"port-base\" must be a number from 0 to 60000, not \"-1\""},
        {"[node]\nmessage-size = big\n",
         "f:2: \"message-size\" must be a size like 50M, not \"big\""},
        {"[queue]\n\n\nretry = 1m never\n",
         "f:4: \"retry\" must be durations like 1m 5m 1h, not \"1m never\""},
        {"[log]\nnarrate = maybe\n", "f:2: \"narrate\" must be yes or no, not \"maybe\""},
        {"[log]\nlevel = loud\n",
         "f:2: \"level\" must be one of debug info warning error, not \"loud\""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct config c;
        struct buf error = {.max = 1000};
        if (config_parse(&c, slice_c(rows[i].text), "f", &error))
            fail_msg("accepted: %s", rows[i].text);
        assert_slice(buf_slice(&error), slice_c(rows[i].want));
        config_end(&c);
        buf_end(&error);
    }
}

static void test_hostile_bytes(void **state)
{
    (void)state;
    char longest[4096];
    memset(longest, 'x', sizeof(longest));
    memcpy(longest, "[node]\n", 7);
    struct config c;
    struct buf error = {.max = 1000};
    assert_false(config_parse(&c, (slice){longest, sizeof(longest)}, "f", &error));
    assert_slice(buf_slice(&error), S("f:2: it is longer than 190 bytes"));
    config_end(&c);
    buf_clear(&error);
    assert_false(config_parse(&c, S("[node]\nhost\0name = x\n"), "f", &error));
    assert_slice(buf_slice(&error), S("f:2: it holds a NUL byte"));
    config_end(&c);
    buf_clear(&error);
    assert_false(config_load(&c, "/nonexistent/yizhan.conf", "f", &error));
    assert_slice(buf_slice(&error), S("f: No such file or directory"));
    config_end(&c);
    buf_end(&error);
}

static void test_docs_name_every_key(void **state)
{
    (void)state;
    struct buf b = {.max = 100000}, line = {.max = 100};
    config_print_docs(&b);
    for (const struct config_row *r = config_rows; r->section; r++) {
        buf_clear(&line);
        buf_printf(&line, "\n%s = ", r->key);
        assert_true(slice_search(buf_slice(&b), buf_slice(&line)) > 0);
        assert_non_null(r->en);
        assert_non_null(r->zh);
    }
    buf_end(&b);
    buf_end(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_bad_lines),
        cmocka_unit_test(test_hostile_bytes),
        cmocka_unit_test(test_docs_name_every_key),
    };
    return TEST_RUN(tests);
}
