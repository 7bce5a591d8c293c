/* The harness and the transcripts, driven by a small protocol that uses everything a session may
 * want. */
#include "net/harness.h"

#include "base/test.h"
#include "net/toy.h"
#include "net/transcript.h"

static struct session *make(void *ctx)
{
    (void)ctx;
    return toy_new();
}

static void test_transcripts(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *error;
    } rows[] = {
        {"echo",
         "S: hello\nC: echo a\nS: a\nC: echo \\x41\\Seen\nC> ec\nC: ho b\nS: A\\Seen\nS: b\n",
         NULL},
        {"pattern", "S:* he*o\nC: echo a b\nS:* *b\n", NULL},
        {"skip", "S: hello\nC: many 5\nS:...\nS: 4\nC: echo x\nS: x\n", NULL},
        {"job", "S: hello\nC: job\nC: echo b\nS: job done\nS: b\n", NULL},
        {"room", "S: hello\nC: many 30000\nC: quit\nS:...\nS: 29999\nS: bye\nCLOSED\n", NULL},
        {"tls", "S: hello\nC: tls\nC: echo injected\nS: go\nTLS\nS: secure\nC: echo a\nS: a\n",
         NULL},
        {"notice", "S: hello\nNOTIFY\nC: idle\nS: notice\nNOTIFY\nS: notice\nC: echo a\nS: a\n",
         NULL},
        {"timeout", "S: hello\nTIMEOUT\nS: end timeout\nCLOSED\n", NULL},
        {"eof", "S: hello\nC: echo a\nEOF\nS: a\nCLOSED\n", NULL},
        {"long", "S: hello\nC*200 x\nS: end limit\nCLOSED\n", NULL},
        {"wrong", "S: hello\nC: echo a\nS: b\n", "line 3: expected"},
        {"unread", "S: hello\nC: echo a\nC: echo b\nS: a\nC: quit\nS: bye\n", "line 5: before"},
        {"missing", "S: hello\nC: idle\nS: x\n", "line 3: expected"},
        {"rest", "S: hello\nC: echo a\n", "line 2: after the end"},
        {"open", "S: hello\nCLOSED\n", "line 2: not closed"},
        {"cut", "S: hello\nC: cuts\nS: whole\n", "line 3 (byte by byte): expected"},
        {"notls", "S: hello\nTLS\n", "line 2: no hand-shake"},
        {"tls unseen", "S: hello\nC: tls\nS: go\nS: secure\n", "line 4: a hand-shake"},
        {"syntax", "S: hello\nX: y\n", "line 2: not a line"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf error = {.max = 4096};
        struct transcript t = {.make = make};
        bool ok = transcript_run(&t, slice_c(rows[i].text), &error);
        slice got = buf_slice(&error);
        if (ok != !rows[i].error || (rows[i].error && !slice_starts(got, slice_c(rows[i].error))))
            fail_msg("%s: %.*s", rows[i].name, P(got));
        buf_end(&error);
    }
}

static void test_pool_full(void **state)
{
    (void)state;
    struct harness h = {.pools_full = true};
    harness_start(&h, toy_new());
    harness_feed(&h, S("job\r\n"));
    assert_slice(harness_said(&h), S("hello\r\njob refused\r\n"));
    harness_end(&h);
}

static void test_slow_reader_costs_constant_memory(void **state)
{
    (void)state;
    struct harness h = {.slow_reader = true};
    harness_start(&h, toy_new());
    harness_feed(&h, S("many 100000\r\nmany 100000\r\n"));
    size_t lines = 0;
    for (;;) {
        assert_true(h.session->out.size <= 2 * LIMIT_OUT);
        slice said = harness_said(&h);
        if (!said.n)
            break;
        for (size_t i = 0; i < said.n; i++)
            lines += said.p[i] == '\n';
    }
    assert_int_equal(lines, 200001);
    harness_end(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transcripts),
        cmocka_unit_test(test_pool_full),
        cmocka_unit_test(test_slow_reader_costs_constant_memory),
    };
    return TEST_RUN(tests);
}
