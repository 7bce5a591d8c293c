/*
 * One failure at every call (T1, T3, T6, B2, E2-E4, F1, F2): a workload runs again and again, each
 * time with the next call of a class failing, until it passes untouched (YIZHAN_TORTURE: at every
 * call; otherwise the later ones are sampled).  Whatever was answered
 * DONE is there afterwards, in the running store and after reopening; whatever was not is not, and
 * the store is sound.  A failed sync ends the process: the same is proved after its death.
 */
#include "store/fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "store/fault.h"
#include "store/internal.h"

enum { LARGE = (1 << 20) + 100, STEPS = 7 };

/* What the workload was told, in memory shared with the child it may run in. */
struct told {
    bool opened;
    int64_t account;
    enum outcome step[STEPS];
    int64_t message[STEPS];
    uint32_t uid[STEPS];
    enum outcome expunged;
    bool finished, fired;
};

static enum outcome append_step(struct store *s, struct told *t, int step)
{
    char *text = test_malloc(LARGE);
    memset(text, 'a' + step, LARGE);
    struct mailbox_append m = {.account = t->account, .mailbox = 1, .queue_id = 100 + step};
    struct store_body body = {.piece_count = 1, .fd = -1};
    m.body_bytes = step == 4 ? LARGE : 100 + (size_t)step;
    body.pieces[0] = (slice){text, m.body_bytes};
    if (m.body_bytes == LARGE) {
        body.fd = store_tmpfile(s);
        body.file_bytes = LARGE;
        if (body.fd < 0 || pwrite(body.fd, text, LARGE, BODY_HEADER) != LARGE) {
            test_free(text);
            return TEMPFAIL;
        }
    }
    struct store_call call = {
        .account = t->account, .fn = fixture_append_fn, .arg = &m, .body = &body};
    enum outcome o = store_write(s, &call);
    if (body.fd >= 0)
        close(body.fd);
    test_free(text);
    t->message[step] = m.message;
    t->uid[step] = m.uid;
    return o;
}

/* Appends, an expunge in the middle, a reopening, reads in between. */
static void workload(struct told *t)
{
    struct buf error = {.max = 1024};
    struct store_options o = {.dir = fixture_path, .segment_bytes = 500};
    struct store *s = store_open(&o, &error);
    t->opened = s != NULL;
    for (int step = 0; s && step < STEPS; step++) {
        t->step[step] = append_step(s, t, step);
        if (step == 3 && t->step[2] == DONE)
            t->expunged = fixture_expunge(s, t->account, &t->uid[2], 1) == 1 ? DONE : TEMPFAIL;
        if (step % 4 == 1)
            view_release(view_open(s, t->account, 1));
        if (step == 4) {
            store_close(s);
            buf_clear(&error);
            s = store_open(&o, &error);
        }
    }
    store_close(s);
    buf_end(&error);
    t->finished = true;
}

static void assert_told(struct store *s, const struct told *t)
{
    struct view *v = view_open(s, t->account, 1);
    assert_non_null(v);
    uint32_t done = 0;
    struct arena a = {0};
    for (int step = 0; step < STEPS; step++) {
        struct entry e = {0};
        struct message m;
        if (t->step[step] != DONE)
            continue;
        bool there = view_at(v, view_seek(v, t->uid[step]), &e) && e.uid == t->uid[step];
        bool gone = step == 2 && (t->expunged == DONE || !t->finished);
        if (!there && !gone)
            fail_msg("the message of step %d is lost", step);
        if (there && step == 2 && t->expunged == DONE)
            fail_msg("an expunged message came back");
        done += there;
        assert_true(message_open(s, &a, t->account, t->message[step], &m));
        char first[64];
        assert_int_equal(message_read(s, &m, 0, first, sizeof(first)), sizeof(first));
        assert_int_equal(first[63], 'a' + step);
    }
    /* Nothing that was refused is there; after a death one that was not answered may be. */
    assert_in_range(view_info(v).count, done, done + (t->finished ? 0 : 2));
    view_release(v);
    arena_end(&a);
    assert_sound(s);
}

/* A fresh store with one account; returns the account.  Made once, then copied. */
static int64_t fresh(void)
{
    static slice template;
    static struct arena a;
    static int64_t account;
    char path[96];
    fixture_remove(fixture_path);
    assert_int_equal(mkdir(fixture_path, 0700), 0);
    snprintf(path, sizeof(path), "%s/store.db", fixture_path);
    if (!account) {
        struct store *s = fixture_open(fixture_path);
        account = fixture_account(s, "one", 0);
        store_close(s);
        assert_int_equal(file_read(&a, path, 1 << 24, &template), 0);
        return account;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(file_write_all(fd, template), 0);
    close(fd);
    return account;
}

/* Runs the workload with the nth call failing, in a child, since it may abort. */
static bool run_with_fault(enum fault kind, long nth, struct told *t)
{
    *t = (struct told){.account = fresh(), .expunged = TEMPFAIL};
    for (int i = 0; i < STEPS; i++)
        t->step[i] = TEMPFAIL;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(null, 2); /* the one clear line, many times over */
        sigaction(SIGABRT, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
        fault_arm(kind, nth);
        workload(t);
        t->fired = fault_fired();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    bool aborted = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
    if (!aborted && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
        fail_msg("%s at call %ld: ended with status %x", fault_name(kind), nth, status);
    if (aborted && kind != FAULT_SYNC)
        fail_msg("%s at call %ld: aborted", fault_name(kind), nth);
    t->fired = t->fired || aborted;
    struct store *s = fixture_open(fixture_path);
    assert_told(s, t);
    store_close(s);
    return t->fired;
}

static void every_call(enum fault kind)
{
    struct told *t =
        mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(t != MAP_FAILED);
    bool everywhere = getenv("YIZHAN_TORTURE") != NULL;
    long nth = 1, failures = 0;
    while (run_with_fault(kind, nth, t)) {
        for (int i = 0; i < STEPS; i++)
            failures += t->step[i] != DONE;
        nth += nth < 8 || everywhere ? 1 : nth / 3; /* later calls look much alike */
    }
    for (int i = 0; i < STEPS; i++)
        assert_int_equal(t->step[i], DONE);
    assert_int_equal(t->expunged, DONE);
    print_message("%s: %ld calls, %ld answers TEMPFAIL\n", fault_name(kind), nth - 1, failures);
    assert_true(nth > 1);
    munmap(t, sizeof(*t));
}

#define EVERY_CALL(name, kind)                                                                     \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        every_call(kind);                                                                          \
    }

EVERY_CALL(test_disk_full, FAULT_FULL)
EVERY_CALL(test_write_error, FAULT_IO)
EVERY_CALL(test_short_write, FAULT_SHORT)
EVERY_CALL(test_read_error, FAULT_READ)
EVERY_CALL(test_busy, FAULT_BUSY)
EVERY_CALL(test_failed_sync, FAULT_SYNC)
EVERY_CALL(test_failed_link, FAULT_LINK)

/* T3, T6: in a running store a failed batch changes nothing, and the next one works. */
static void test_store_goes_on(void **state)
{
    (void)state;
    fault_arm(FAULT_NONE, 0); /* so that SQLite's calls pass through the driver */
    struct store *s = fixture_open(fixture_path);
    int64_t one = fixture_account(s, "one", 0);
    static const enum fault kinds[] = {FAULT_FULL, FAULT_IO, FAULT_SHORT};
    uint32_t count = 0;
    for (size_t i = 0; i < 3; i++)
        for (long nth = 1;; nth++) {
            struct mailbox_append m = {.account = one, .mailbox = 1};
            fault_arm(kinds[i], nth);
            enum outcome o = fixture_append(s, &m, S("text"));
            bool fired = fault_fired();
            fault_arm(FAULT_NONE, 0);
            count += o == DONE;
            struct view *v = view_open(s, one, 1);
            assert_int_equal(view_info(v).count, count);
            view_release(v);
            if (!fired)
                break;
        }
    assert_true(count >= 3);
    assert_sound(s);
    store_close(s);
}

/* Hundreds of stores are made and synced: in memory where the system has a directory for that. */
static int setup(void **state)
{
    (void)state;
    memcpy(fixture_path, "/dev/shm/yizhan-store-XXXXXX", 29);
    return mkdtemp(fixture_path) ? 0 : fixture_setup(state);
}

/* G1: however many pages a commit changes, the log is one write (below 120 KiB). */
static void test_log_is_one_write(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    struct mailbox_append m = {.account = fixture_account(s, "one", 0), .mailbox = 1};
    assert_int_equal(fixture_append(s, &m, S("A: 1\r\n\r\nfirst\r\n")), DONE);
    fault_arm(FAULT_FULL, 0); /* counts writes of segments and of SQLite alike */
    assert_int_equal(fixture_append(s, &m, S("A: 2\r\n\r\nsecond\r\n")), DONE);
    assert_int_equal(fault_calls(), 2); /* the body, the log */
    store_close(s);
}

#define FAULT_TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAULT_TEST(test_store_goes_on),    FAULT_TEST(test_disk_full),
        FAULT_TEST(test_write_error),      FAULT_TEST(test_short_write),
        FAULT_TEST(test_read_error),       FAULT_TEST(test_busy),
        FAULT_TEST(test_failed_sync),      FAULT_TEST(test_failed_link),
        FAULT_TEST(test_log_is_one_write),
    };
    return TEST_RUN(tests);
}
