/* What a command line is read as, which mistakes are refused with which words, what help says. */
#include "base/test.h"

#include <fcntl.h>

#include "base/command.h"

static struct {
    char dir[32], to[64], words[64];
    bool json;
    int64_t hold, count;
    int runs;
} seen;

static int run_send(struct call *c)
{
    const char *const *to;
    size_t n = call_list(c, "to", &to);
    seen.runs++;
    seen.json = call_flag(c, "json");
    seen.hold = call_number(c, "hold", -1);
    seen.count = call_number(c, "count", 1);
    snprintf(seen.dir, sizeof(seen.dir), "%s", call_text(c, "dir") ? call_text(c, "dir") : "");
    seen.to[0] = seen.words[0] = '\0';
    for (size_t i = 0; i < n; i++)
        snprintf(seen.to + strlen(seen.to), sizeof(seen.to) - strlen(seen.to), "%s,", to[i]);
    for (size_t i = 0; i < c->operand_count; i++)
        snprintf(seen.words + strlen(seen.words), sizeof(seen.words) - strlen(seen.words), "%s,",
                 c->operands[i]);
    return EXIT_DONE;
}

static const struct option_row options[] = {
    {"dir", "DIR", OPTION_TEXT, 0, "the directory", "目录"},
    {"to", "ADDRESS", OPTION_LIST, 0, "a receiver", "收件人"},
    {"json", NULL, OPTION_FLAG, 0, "as JSON", "输出 JSON"},
    {"hold", "TIME", OPTION_DURATION, 0, "wait so long", "延迟"},
    {"count", "N", OPTION_NUMBER, 100, "so many", "数量"},
    {0},
};
static const struct command verbs[] = {
    {"add", "ADDRESS TARGET...", 2, -1, run_send, options, NULL, "adds", "添加", NULL, NULL},
    {"list", NULL, 0, 0, run_send, options, NULL, "lists", "列出", NULL, NULL},
    {0},
};
static const struct command commands[] = {
    {"send", "WORD", 0, 1, run_send, options, NULL, "sends", "发送", NULL, NULL},
    {"alias", NULL, 0, 0, NULL, NULL, verbs, "aliases", "别名", NULL, NULL},
    {0},
};

/* Runs words with stderr going to text. */
static int run(const char *line, char *text, size_t size)
{
    struct arena a = {0};
    char copy[256];
    const char *words[32];
    int n = 0, pipes[2];
    snprintf(copy, sizeof(copy), "%s", line);
    for (char *p = copy, *space; *p; p = space + 1) {
        words[n++] = p;
        space = strchr(p, ' ');
        if (!space)
            break;
        *space = '\0';
    }
    assert_int_equal(pipe2(pipes, O_NONBLOCK), 0);
    int old = dup(2);
    fflush(stderr);
    dup2(pipes[1], 2);
    int code = command_run(commands, &a, n, words);
    fflush(stderr);
    dup2(old, 2);
    close(old);
    close(pipes[1]);
    ssize_t got = read(pipes[0], text, size - 1);
    text[got > 0 ? got : 0] = '\0';
    close(pipes[0]);
    arena_end(&a);
    return code;
}

static void test_reads(void **state)
{
    char text[1024];
    (void)state;
    assert_int_equal(run("send --dir /x --to a@b --to=c@d --json --hold 30s x", text, 1024), 0);
    assert_string_equal(text, "");
    assert_string_equal(seen.dir, "/x");
    assert_string_equal(seen.to, "a@b,c@d,");
    assert_string_equal(seen.words, "x,");
    assert_true(seen.json);
    assert_int_equal(seen.hold, 30000);
    assert_int_equal(run("alias add a@b c@d -- --odd", text, 1024), 0);
    assert_string_equal(seen.words, "a@b,c@d,--odd,");
    assert_false(seen.json);
}

static void test_wrong_usage(void **state)
{
    static const struct {
        const char *line, *says;
    } rows[] = {
        {"", "say what to do"},
        {"snd", "did you mean \"send\"?"},
        {"zzzzzzz", "no such command"},
        {"alias", "add or list"},
        {"alias ad", "did you mean \"add\"?"},
        {"alias add one", "too few words: yizhan alias add ADDRESS TARGET..."},
        {"alias list one", "\"one\" is one word too many"},
        {"send --jsn", "did you mean --json?"},
        {"send --dir", "--dir needs a value"},
        {"send --dir a --dir b", "given twice"},
        {"send --json=1", "--json takes no value"},
        {"send --hold soon", "a duration like"},
        {"send --count 101", "from 0 to 100"},
        {"send -x", "two dashes"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[1024];
        int before = seen.runs;
        if (run(rows[i].line, text, sizeof(text)) != EXIT_USAGE || seen.runs != before)
            fail_msg("\"%s\" was not refused", rows[i].line);
        if (!strstr(text, rows[i].says))
            fail_msg("\"%s\" says %s", rows[i].line, text);
        if (strchr(text, '\n') != text + strlen(text) - 1)
            fail_msg("\"%s\" says more than one line", rows[i].line);
    }
}

static void test_help(void **state)
{
    (void)state;
    struct buf b = {.max = 10000};
    setenv("LC_ALL", "C", 1);
    assert_true(command_print_help(commands, S("alias add"), &b));
    assert_true(
        slice_starts(buf_slice(&b), S("Usage: yizhan alias add ADDRESS TARGET... [OPTIONS]")));
    assert_true(slice_search(buf_slice(&b), S("--hold TIME   wait so long")) > 0);
    buf_clear(&b);
    setenv("LC_ALL", "zh_CN.UTF-8", 1);
    assert_true(command_print_help(commands, S("alias"), &b));
    assert_true(slice_search(buf_slice(&b), S("别名")) >= 0);
    assert_false(command_print_help(commands, S("nothing"), &b));
    buf_end(&b);
    unsetenv("LC_ALL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_wrong_usage),
        cmocka_unit_test(test_help),
    };
    return TEST_RUN(tests);
}
