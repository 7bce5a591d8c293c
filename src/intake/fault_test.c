/*
 * One failure at every call between the dot and 250 (YIZHAN_TORTURE: at every call; otherwise the
 * later ones are sampled): mails for a mailbox, for the queue, held ones, large ones, a
 * retransmission and a recall, each time with the next call of a class failing.  Whatever was
 * answered 250 is there once, whatever was answered 4yz is not, what was withdrawn stays so; the
 * store is sound.  A failed sync ends the process: the same is proved after its death.
 */
#include "store/fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "accounts/directory.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/rand.h"
#include "intake/intake.h"
#include "intake/spool.h"
#include "store/fault.h"
#include "base/banned.h"

enum { LARGE = (1 << 20) + 100 };
enum step { LOCAL, REMOTE, HELD, AGAIN, BIG, STEPS }; /* AGAIN is LOCAL, sent once more */

/* What the client was told, in memory shared with the child it talked to. */
struct told {
    int code[STEPS];
    int64_t id[STEPS];
    enum outcome recall; /* of HELD: WAIT, not tried; DONE, withdrawn; TEMPFAIL, nothing is known */
    bool opened, finished, fired;
};

static int64_t one, two;

static enum outcome people_fn(struct store_tx *tx, void *arg)
{
    slice why = S("");
    (void)arg;
    return directory_domain_add(tx, S("north.test"), &why) == DONE &&
                   directory_user_add(tx, S("one@north.test"), 0, &one, &why) == DONE
               ? directory_user_add(tx, S("two@north.test"), 0, &two, &why)
               : TEMPFAIL;
}

/* A fresh store with its two accounts.  Made once, then copied. */
static void fresh(void)
{
    static slice template;
    static struct arena a;
    char path[96];
    fixture_remove(fixture_path);
    assert_int_equal(mkdir(fixture_path, 0700), 0);
    snprintf(path, sizeof(path), "%s/store.db", fixture_path);
    if (!template.n) {
        struct store *s = fixture_open(fixture_path);
        assert_int_equal(store_write(s, &(struct store_call){.fn = people_fn}), DONE);
        store_close(s);
        assert_int_equal(file_read(&a, path, 1 << 24, &template), 0);
        return;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(file_write_all(fd, template), 0);
    close(fd);
}

/* The post around the store; nothing is delivered elsewhere, so that the queue stays as it is. */
static bool open_post(struct intake *x)
{
    struct buf error = {.max = 1024};
    *x = (struct intake){.hostname = S("mail.north.test"), .message_size = 10 << 20};
    x->store = store_open(&(struct store_options){.dir = fixture_path}, &error);
    buf_end(&error);
    if (!x->store)
        return false;
    x->deliver = deliver_new(&(struct deliver_options){.store = x->store, .hostname = x->hostname});
    x->queue = queue_open(&(struct queue_options){
        .store = x->store, .hostname = x->hostname, .deliverer = deliver_functions(x->deliver)});
    if (x->queue)
        return true;
    deliver_end(x->deliver);
    store_close(x->store);
    return false;
}

static void close_post(struct intake *x)
{
    queue_close(x->queue, 1000);
    deliver_end(x->deliver);
    store_close(x->store);
}

static slice letter(struct arena *a, enum step step)
{
    slice text = arena_printf(a,
                              "From: one@north.test\r\nDate: Mon, 23 Nov 2026 20:24:01 +0000\r\n"
                              "Message-ID: <%d@north.test>\r\nSubject: mail-%d\r\n\r\nhi\r\n",
                              step, step);
    if (step != BIG)
        return text;
    char *p = arena_alloc(a, text.n + LARGE);
    memcpy(p, text.p, text.n);
    for (size_t i = 0; i < LARGE; i++)
        p[text.n + i] = i % 64 == 62 ? '\r' : i % 64 == 63 ? '\n' : 'x';
    return (slice){p, text.n + LARGE};
}

/* The whole of DATA for one mail. */
static void send_one(struct intake *x, struct arena *a, struct told *t, enum step step)
{
    slice text = letter(a, step == AGAIN ? LOCAL : step), id = S("");
    bool own = step == REMOTE || step == HELD;
    struct recipient to = {.address = step == REMOTE ? S("out@far.test") : S("two@north.test")};
    struct smtp_answer answer = {0};
    struct envelope e = {.sender = S("one@north.test"),
                         .recipients = &to,
                         .recipient_count = 1,
                         .helo = S("client.test"),
                         .protocol = S("ESMTP"),
                         .peer_ip = S("192.0.2.1"),
                         .submission = own,
                         .login = own ? S("one@north.test") : S(""),
                         .account = own ? one : 0,
                         .hold_until_ms = step == HELD ? clock_ms() + HOUR_MS : 0};
    struct spool *s = spool_open(x->store, x->message_size, x);
    bool kept = s;
    for (size_t at = 0; kept && at < text.n; at += 100000)
        kept = spool_add(s, slice_sub(text, at, at + 100000));
    if (kept)
        intake_accept(x, s, a, &e, &answer, &id);
    t->code[step] = kept ? answer.code : 452;
    if (t->code[step] == 250)
        assert_true(id_parse(id, &t->id[step]));
    if (s)
        spool_close(s);
}

static void workload(struct told *t)
{
    struct arena a = {0};
    struct intake x;
    struct recall_row *rows;
    size_t count;
    t->opened = open_post(&x);
    t->recall = WAIT;
    if (t->opened) {
        for (enum step step = 0; step < STEPS; step++)
            send_one(&x, &a, t, step);
        if (t->code[HELD] == 250) {
            t->recall = TEMPFAIL;
            t->recall = queue_recall(x.queue, &a, t->id[HELD], &rows, &count);
        }
        if (t->recall == DONE && (count != 1 || strcmp(rows[0].result, "withdrawn") != 0))
            t->recall = PERMFAIL; /* that is no answer */
        close_post(&x);
    }
    arena_end(&a);
    t->finished = true;
}

/* How many messages of the INBOX have this step's subject, each of them whole. */
static int copies(struct store *s, struct arena *a, enum step step)
{
    struct view *v = view_open(s, two, MAILBOX_INBOX);
    slice want = letter(a, step);
    int found = 0;
    assert_non_null(v);
    for (uint32_t i = 0; i < view_info(v).count; i++) {
        struct entry e;
        struct message m;
        assert_true(view_at(v, i, &e) && message_open(s, a, two, e.message, &m));
        char *p = arena_alloc(a, (size_t)m.size + 1);
        size_t n = 0;
        for (ssize_t got; (got = message_read(s, &m, n, p + n, (size_t)m.size - n)) > 0;)
            n += (size_t)got;
        assert_int_equal(n, m.size);
        found += slice_ends((slice){p, n}, want);
    }
    view_release(v);
    return found;
}

static void count_row(void *ctx, const struct queue_row *row)
{
    int *states = ctx;
    states[row->state]++;
}

static int waiting(struct intake *x, int64_t id, enum queue_state state)
{
    int states[QUEUE_DONE + 1] = {0};
    queue_list(x->queue, &(struct queue_filter){.id = id}, count_row, states);
    return states[state];
}

static void assert_told(const struct told *t)
{
    struct arena a = {0};
    struct intake x;
    assert_true(open_post(&x));
    for (enum step step = 0; step < STEPS; step++)
        if (t->code[step] != 250 && t->code[step] / 100 != 4 && t->finished && t->opened)
            fail_msg("mail %d was answered %d", step, t->code[step]);

    bool local = t->code[LOCAL] == 250 || t->code[AGAIN] == 250;
    int got = copies(x.store, &a, LOCAL), big = copies(x.store, &a, BIG);
    if (got != local && (t->finished || got != 1))
        fail_msg("answered %d and %d: %d copies", t->code[LOCAL], t->code[AGAIN], got);
    if (big != (t->code[BIG] == 250) && (t->finished || big != 1))
        fail_msg("the large one was answered %d: %d copies", t->code[BIG], big);

    int due = waiting(&x, 0, QUEUE_DUE), held = waiting(&x, 0, QUEUE_HELD);
    if (due != (t->code[REMOTE] == 250) && (t->finished || due != 1))
        fail_msg("answered %d: %d mails wait", t->code[REMOTE], due);
    assert_int_not_equal(t->recall, PERMFAIL);
    if (held > (t->recall != DONE) || (t->recall == WAIT && held < (t->code[HELD] == 250)) ||
        (held && t->finished && t->code[HELD] != 250))
        fail_msg("answered %d, recall %d: %d mails are held", t->code[HELD], t->recall, held);
    assert_sound(x.store);
    close_post(&x);
    arena_end(&a);
}

/* Runs the workload with the nth call failing, in a child, since it may abort. */
static bool run_with_fault(enum fault kind, long nth, struct told *t)
{
    fresh();
    *t = (struct told){0};
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
        fail_msg("%s at call %ld: ended with status %x", fault_name(kind), nth, (unsigned)status);
    if (aborted && kind != FAULT_SYNC)
        fail_msg("%s at call %ld: aborted", fault_name(kind), nth);
    t->fired = t->fired || aborted;
    return t->fired;
}

static void test_every_call(void **state)
{
    (void)state;
    struct told *t =
        mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(t != MAP_FAILED);
    bool everywhere = getenv("YIZHAN_TORTURE") != NULL;
    for (enum fault kind = FAULT_NONE + 1; kind < FAULT_LAST; kind++) {
        long nth = 1, refused = 0;
        while (run_with_fault(kind, nth, t)) {
            assert_told(t);
            for (enum step step = 0; step < STEPS; step++)
                refused += t->code[step] != 250;
            nth += nth < 8 || everywhere ? 1 : nth / 3; /* later calls look much alike */
        }
        assert_told(t);
        for (enum step step = 0; step < STEPS; step++)
            assert_int_equal(t->code[step], 250);
        assert_int_equal(t->recall, DONE);
        print_message("%s: %ld calls, %ld mails not accepted\n", fault_name(kind), nth - 1,
                      refused);
        assert_true(nth > 1);
    }
    munmap(t, sizeof(*t));
}

int main(void)
{
    const struct CMUnitTest tests[] = {FIXTURE_TEST(test_every_call)};
    return TEST_RUN(tests);
}
