/*
 * kill -9 at random moments (T1, B1-B4, M3, R2, O2): a child delivers, expunges, moves, flags and
 * appends large bodies on several threads and notes each DONE in a pipe; after each kill every
 * noted message is there byte for byte, none twice, and the store is sound.  In every other round
 * the power fails as well: what no sync had brought to the segments is gone.
 */
#include "store/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "store/internal.h"

enum { ROUNDS = 20, THREADS = 6, LARGE = (1 << 20) + 5000, SENT = 3 };

/* One line of the pipe. */
struct note {
    int64_t account, message;
    uint32_t uid, number, round;
    uint32_t what; /* 0 delivered, 1 expunged, 2 retransmission recognised, 3 moved, 4 flagged */
};

struct sender {
    struct store *s;
    int64_t account;
    uint32_t round, thread;
    int pipe;
};

/* The text of a message can be computed from its number; every 16th is large. */
static slice text_of(struct arena *a, uint32_t round, uint32_t number)
{
    slice head = arena_printf(a, "Message-ID: <%u.%u@north.test>\r\n\r\n", round, number);
    size_t n = number % 16 == 7 ? LARGE : 200 + number % 900;
    char *p = arena_alloc(a, n);
    memset(p, 'a' + (int)(number % 26), n);
    memcpy(p, head.p, head.n);
    return (slice){p, n};
}

static void id_of(uint32_t round, uint32_t number, unsigned char out[32])
{
    unsigned char sha[32] = {0};
    memcpy(sha, &round, 4);
    memcpy(sha + 4, &number, 4);
    delivery_id(S("two@south.test"), S("one@north.test"), sha, out);
}

/* What becomes of a message once it is delivered, by its number; 0: nothing. */
static uint32_t fate(uint32_t number)
{
    return number % 5 == 3 ? 1 : number % 7 == 2 ? 3 : number % 7 == 4 ? 4 : 0;
}

static bool meet_fate(struct sender *x, uint32_t what, const uint32_t *uid)
{
    struct arena a = {0};
    struct transfer t = {
        .account = x->account, .from = 1, .to = SENT, .uids = uid, .count = 1, .move = true};
    bool met = what == 1   ? fixture_expunge(x->s, x->account, uid, 1) == 1
               : what == 3 ? mailbox_transfer(x->s, &a, &t) == DONE && t.done == 1
                           : fixture_flags(x->s, x->account, uid, 1, FLAG_FLAGGED, 0) == 1;
    arena_end(&a);
    return met;
}

static void send_one(struct sender *x, uint32_t number)
{
    struct arena a = {0};
    slice text = text_of(&a, x->round, number);
    unsigned char id[32];
    id_of(x->round, number, id);
    struct mailbox_append m = {.account = x->account,
                               .mailbox = 1,
                               .body_bytes = text.n,
                               .delivery_id = {(char *)id, 32},
                               .queue_id = (int64_t)x->round << 32 | number};
    struct store_body body = {.pieces = {text}, .piece_count = 1, .fd = -1};
    if (text.n >= LIMIT_OWN_SEGMENT) {
        body.fd = store_tmpfile(x->s);
        if (pwrite(body.fd, text.p, text.n, BODY_HEADER) != (ssize_t)text.n)
            _exit(3);
        body.piece_count = 0;
        body.file_bytes = text.n;
    }
    struct store_call call = {
        .account = x->account, .fn = fixture_append_fn, .arg = &m, .body = &body};
    if (store_write(x->s, &call) != DONE)
        _exit(4);
    if (body.fd >= 0)
        close(body.fd);
    struct note note = {x->account, m.message, m.uid, number, x->round, m.duplicate ? 2 : 0};
    if (write(x->pipe, &note, sizeof(note)) != sizeof(note))
        _exit(5);
    if (fate(number) && !m.duplicate) {
        if (!meet_fate(x, fate(number), &m.uid))
            _exit(6);
        note.what = fate(number);
        if (write(x->pipe, &note, sizeof(note)) != sizeof(note))
            _exit(5);
    }
    arena_end(&a);
}

static void *sender_main(void *arg)
{
    struct sender *x = arg;
    for (uint32_t number = x->thread;; number += THREADS)
        send_one(x, number);
    return NULL;
}

static void child_main(const int64_t accounts[2], uint32_t round, int to)
{
    struct buf error = {.max = 1024};
    struct store_options o = {.dir = fixture_path, .segment_bytes = 300 * 1024};
    struct store *s = store_open(&o, &error);
    struct sender senders[THREADS];
    pthread_t threads[THREADS];
    if (!s)
        _exit(2);
    for (uint32_t i = 0; i < THREADS; i++) {
        senders[i] = (struct sender){s, accounts[i % 2], round, i, to};
        pthread_create(&threads[i], NULL, sender_main, &senders[i]);
    }
    for (;;)
        pause();
}

/* Everything noted so far, by account and number within the round. */
static struct note notes[200000];
static size_t note_count;
static uint32_t crash_dice = 12345;

static void read_notes(int from)
{
    struct note n;
    ssize_t got;
    while ((got = read(from, &n, sizeof(n))) != 0)
        if (got == sizeof(n) && note_count < sizeof(notes) / sizeof(*notes))
            notes[note_count++] = n;
        else if (got < 0 && errno != EINTR)
            break;
}

/* Whether the end of its fate was answered too. */
static bool noted(size_t i, uint32_t what)
{
    for (size_t k = i + 1; k < note_count && k < i + 4 * THREADS; k++)
        if (notes[k].what == what && notes[k].message == notes[i].message)
            return true;
    return false;
}

/* How often a mailbox holds the message. */
static int holders(struct store *s, int64_t account, int64_t mailbox, int64_t message)
{
    struct view *v = view_open(s, account, mailbox);
    struct entry e[256];
    int found = 0;
    for (uint32_t at = 0, n; (n = view_list(v, at, e, 256)) > 0; at += n)
        for (uint32_t i = 0; i < n; i++)
            found += e[i].message == message;
    view_release(v);
    return found;
}

/* A move is whole or has not begun, and once answered it is not undone. */
static void assert_moved(struct store *s, size_t i)
{
    const struct note *n = &notes[i];
    int there = holders(s, n->account, SENT, n->message);
    assert_int_equal(there + holders(s, n->account, 1, n->message), 1);
    if (noted(i, 3))
        assert_int_equal(there, 1);
}

static void assert_text(struct store *s, const struct note *n)
{
    struct arena a = {0};
    struct message m;
    slice want = text_of(&a, n->round, n->number);
    if (!message_open(s, &a, n->account, n->message, &m))
        fail_msg("message %lld (round %u, number %u) is lost", (long long)n->message, n->round,
                 n->number);
    assert_int_equal(m.size, want.n);
    char *got = arena_alloc(&a, want.n);
    assert_int_equal(message_read(s, &m, 0, got, want.n), want.n);
    assert_slice(((slice){got, want.n}), want);
    arena_end(&a);
}

/* Every acknowledged message is there, and in its mailbox unless its expunge was noted. */
static void assert_notes(struct store *s, size_t from)
{
    for (size_t i = from; i < note_count; i++) {
        if (notes[i].what != 0)
            continue;
        assert_text(s, &notes[i]);
        struct view *v = view_open(s, notes[i].account, 1);
        struct entry e = {0};
        bool there = view_at(v, view_seek(v, notes[i].uid), &e) && e.uid == notes[i].uid;
        view_release(v);
        uint32_t what = fate(notes[i].number);
        if (there && (noted(i, 1) || noted(i, 3)))
            fail_msg("uid %u came back", notes[i].uid);
        if (!there && what != 1 && what != 3)
            fail_msg("uid %u is lost", notes[i].uid);
        if (what == 3)
            assert_moved(s, i);
        if (noted(i, 4))
            assert_true(e.flags & FLAG_FLAGGED);
        if (there)
            assert_int_equal(e.message, notes[i].message);
    }
}

/* What was sent again after the crash, as a sender does that got no answer: never a second copy. */
static void assert_none_twice(struct store *s)
{
    struct db *db = store_read(s);
    assert_int_equal(
        sql_number(db, -1,
                   "SELECT count(*) FROM (SELECT queue_id FROM message GROUP BY account, queue_id"
                   " HAVING count(*) > 1)",
                   ""),
        0);
    store_read_end(s, db);
}

/* Takes from the segment being written what was never synced: all that body_log holds of it. */
static void lose_unsynced(bool as_zeros)
{
    char path[128];
    struct buf error = {.max = 1024};
    snprintf(path, sizeof(path), "%s/store.db", fixture_path);
    struct db *db = db_open(&(struct db_options){path, false, true, 1 << 20}, &error);
    assert_non_null(db);
    int64_t segment = sql_number(db, 0, "SELECT max(segment) FROM body_log", "");
    int64_t at = sql_number(db, 0, "SELECT min(at) FROM body_log WHERE segment = ?", "i", segment);
    db_close(db);
    if (!segment)
        return;
    snprintf(path, sizeof(path), "%s/segments/%012lld.seg", fixture_path, (long long)segment);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct stat st;
    assert_true(fd >= 0 && fstat(fd, &st) == 0 && st.st_size >= at);
    assert_int_equal(ftruncate(fd, at), 0);
    if (as_zeros) /* the size had reached the disk, the bytes had not */
        assert_int_equal(ftruncate(fd, st.st_size), 0);
    close(fd);
}

static void test_kill(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    int64_t accounts[2] = {fixture_account(s, "one", 0), fixture_account(s, "two", 0)};
    store_close(s);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        int ends[2];
        size_t before = note_count;
        assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            child_main(accounts, round, ends[1]);
        close(ends[1]);
        struct pollfd p = {.fd = ends[0], .events = POLLIN};
        assert_int_equal(poll(&p, 1, 30000), 1); /* it works: now any moment will do */
        crash_dice = crash_dice * 1103515245 + 12345;
        usleep(crash_dice / 65536 % 60000);
        kill(child, SIGKILL);
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        read_notes(ends[0]);
        close(ends[0]);
        if (round % 2)
            lose_unsynced(round % 4 == 1);
        s = fixture_open(fixture_path);
        assert_notes(s, before);
        for (uint32_t number = 0; number < 2 * THREADS; number++) /* the last ones, again */
            send_one(&(struct sender){s, accounts[number % THREADS % 2], round, number,
                                      open("/dev/null", O_WRONLY | O_CLOEXEC)},
                     number);
        assert_none_twice(s);
        assert_sound(s);
        store_close(s);
    }
    s = fixture_open(fixture_path);
    assert_notes(s, 0);
    print_message("%zu notes over %d kills\n", note_count, ROUNDS);
    store_close(s);
}

struct recall {
    int64_t account, queue_id;
    slice reason;
};

static enum outcome recall_fn(struct store_tx *tx, void *arg)
{
    struct recall *x = arg;
    return mailbox_recall(tx, x->account, x->queue_id, &x->reason);
}

/* R2: fetched by a process that was killed before it wrote the mark down. */
static void test_fetched_before_a_kill(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    int64_t one = fixture_account(s, "one", 0), two = fixture_account(s, "two", 0);
    struct mailbox_append m = {.account = one, .mailbox = 1, .queue_id = 11};
    struct mailbox_append n = {.account = two, .mailbox = 1, .queue_id = 12};
    assert_int_equal(fixture_append(s, &m, S("x")), DONE);
    assert_int_equal(fixture_append(s, &n, S("x")), DONE);
    store_close(s);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct buf error = {.max = 1024};
        s = store_open(&(struct store_options){.dir = fixture_path}, &error);
        _exit(s && message_fetched(s, one, m.message) ? kill(getpid(), SIGKILL) : 1);
    }
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status));
    s = fixture_open(fixture_path);
    struct recall x = {.account = one, .queue_id = 11}, y = {.account = two, .queue_id = 12};
    struct store_call first = {.fn = recall_fn, .arg = &x}, second = {.fn = recall_fn, .arg = &y};
    assert_int_equal(store_write(s, &first), PERMFAIL);
    assert_slice(x.reason, S("may have been fetched before a crash"));
    assert_int_equal(store_write(s, &second), DONE); /* nobody had opened that account */
    store_close(s);
}

static int64_t count_rows(struct store *s)
{
    struct db *db = store_read(s);
    int64_t rows = sql_number(db, -1, "SELECT count(*) FROM body_log", "");
    store_read_end(s, db);
    return rows;
}

/* B1: small commits stand in body_log; a large one, a full log and a clean stop empty it. */
static void test_body_log(void **state)
{
    (void)state;
    struct arena a = {0};
    struct store *s = fixture_open(fixture_path);
    int64_t one = fixture_account(s, "one", 0);
    struct mailbox_append m = {.account = one, .mailbox = 1};
    char *large = arena_alloc(&a, LIMIT_BODY_LOG_BATCH);
    memset(large, 'x', LIMIT_BODY_LOG_BATCH);
    slice half = {large, LIMIT_BODY_LOG_BATCH / 2}, whole = {large, LIMIT_BODY_LOG_BATCH};
    assert_int_equal(fixture_append(s, &m, S("small")), DONE);
    assert_int_equal(count_rows(s), 1);
    assert_int_equal(fixture_append(s, &m, half), DONE);
    assert_int_equal(count_rows(s), 2);
    assert_int_equal(fixture_append(s, &m, whole), DONE); /* with its header too large */
    assert_int_equal(count_rows(s), 0);
    int rows = 0;
    for (;; rows++) {
        assert_int_equal(fixture_append(s, &m, half), DONE);
        if (!count_rows(s))
            break;
    }
    assert_int_equal(rows, LIMIT_BODY_LOG / ((int)half.n + BODY_HEADER));
    assert_int_equal(fixture_append(s, &m, S("small")), DONE);
    assert_int_equal(count_rows(s), 1);
    assert_sound(s);
    store_close(s);
    s = fixture_open(fixture_path);
    assert_int_equal(count_rows(s), 0);
    assert_sound(s);
    store_close(s);
    arena_end(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_kill),
        FIXTURE_TEST(test_body_log),
        FIXTURE_TEST(test_fetched_before_a_kill),
    };
    return TEST_RUN(tests);
}
