/*
 * The store as its callers see it: opening (O1-O3), transactions (T2, T4, T5), messages and views
 * (V1-V4, M5, M6).
 */
#include "store/fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "store/internal.h"

static void assert_message(struct store *s, int64_t account, int64_t id, slice want)
{
    struct arena a = {0};
    struct message m;
    char got[4096];
    assert_true(message_open(s, &a, account, id, &m));
    assert_int_equal(m.size, want.n);
    for (size_t cut = 0; cut <= want.n; cut++) { /* from every offset */
        ssize_t n = message_read(s, &m, cut, got, sizeof(got));
        assert_slice(((slice){got, (size_t)n}), slice_skip(want, cut));
    }
    assert_int_equal(message_read(s, &m, want.n + 1, got, sizeof(got)), 0);
    assert_false(message_open(s, &a, account + 1, id, &m));
    arena_end(&a);
}

static void test_append_and_read(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    int64_t one = fixture_account(s, "one", 0);
    assert_true(one > 0);
    struct mailbox_append m = {.account = one, .mailbox = MAILBOX_INBOX, .prefix = S("X: y\r\n")};
    assert_int_equal(fixture_append(s, &m, S("Subject: a\r\n\r\nhello\r\n")), DONE);
    assert_int_equal(m.uid, 1);
    assert_message(s, one, m.message, S("X: y\r\nSubject: a\r\n\r\nhello\r\n"));
    struct view *v = view_open(s, one, MAILBOX_INBOX);
    assert_non_null(v);
    assert_int_equal(view_info(v).count, 1);
    assert_int_equal(view_info(v).unseen, 1);
    assert_int_equal(view_info(v).size, 27);
    struct entry e;
    assert_true(view_at(v, 0, &e));
    assert_int_equal(e.uid, 1);
    assert_int_equal(e.message, m.message);
    assert_false(view_at(v, 1, &e));
    /* V1: the held view does not change; T5: the newest has the next message. */
    struct mailbox_append m2 = {.account = one, .mailbox = MAILBOX_INBOX};
    assert_int_equal(fixture_append(s, &m2, S("Subject: b\r\n\r\n")), DONE);
    assert_int_equal(m2.uid, 2);
    assert_int_equal(view_info(v).count, 1);
    struct view *newer = view_open(s, one, MAILBOX_INBOX);
    assert_int_equal(view_info(newer).count, 2);
    assert_true(view_info(newer).modseq > view_info(v).modseq);
    /* M3: an expunged message can still be read by who saw it. */
    assert_int_equal(fixture_expunge(s, one, (uint32_t[]){1, 7}, 2), 1);
    assert_message(s, one, m.message, S("X: y\r\nSubject: a\r\n\r\nhello\r\n"));
    view_release(v);
    view_release(newer);
    assert_sound(s);
    store_close(s);
    s = fixture_open(fixture_path);
    v = view_open(s, one, MAILBOX_INBOX);
    assert_int_equal(view_info(v).count, 1);
    assert_true(view_at(v, 0, &e));
    assert_int_equal(e.uid, 2);
    assert_message(s, one, e.message, S("Subject: b\r\n\r\n"));
    view_release(v);
    assert_null(view_open(s, one, 99));
    store_close(s);
}

/* O1, and one line for every way an open can fail. */
static void test_open_refusals(void **state)
{
    (void)state;
    struct buf error = {.max = 1024};
    struct store_options plain = {.dir = fixture_path};
    assert_null(store_open(&plain, &error));
    assert_true(slice_search(buf_slice(&error), S("yizhan init")) > 0);
    buf_clear(&error);
    struct store *s = fixture_open(fixture_path);
    assert_null(store_open(&plain, &error));
    assert_true(slice_search(buf_slice(&error), S("in use")) > 0);
    store_close(s);
    buf_clear(&error);
    assert_null(store_open(&(struct store_options){.dir = "/nonexistent/store"}, &error));
    assert_true(slice_search(buf_slice(&error), S("/nonexistent/store")) >= 0);
    assert_int_equal(slice_find(buf_slice(&error), '\n'), -1);
    buf_end(&error);
}

static int64_t meta_number(struct store *s, const char *key)
{
    struct db *db = store_read(s);
    int64_t v = sql_number(db, -1, "SELECT value FROM meta WHERE key = ?", "t", slice_c(key));
    store_read_end(s, db);
    return v;
}

/* E5 */
static void test_a_reader_borrows_late(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    int open = s->readers.open;
    struct db *db = store_read(s);
    assert_int_equal(s->readers.open, open);
    assert_int_equal(sql_number(db, -1, "SELECT 7", ""), 7);
    assert_int_equal(s->readers.open, open + 1);
    assert_int_equal(s->readers.count, 0);
    store_read_end(s, db);
    assert_int_equal(s->readers.count, 1);
    store_close(s);
}

/* O2, O3 */
static void test_clean_mark_and_readers(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    assert_int_equal(meta_number(s, "clean"), 0);
    struct db *db = store_read(s);
    assert_int_equal(sql_exec(db, "UPDATE meta SET value = 1 WHERE key = 'clean'", ""), -2);
    assert_true(sql_failed(db));
    store_read_end(s, db);
    db = store_read(s); /* the error did not stay */
    assert_false(sql_failed(db));
    store_read_end(s, db);
    store_close(s);
    struct buf error = {.max = 1024};
    char path[96];
    snprintf(path, sizeof(path), "%s/store.db", fixture_path);
    db = db_open(&(struct db_options){path, false, true, 1 << 20}, &error);
    assert_non_null(db);
    assert_int_equal(sql_number(db, 0, "SELECT value FROM meta WHERE key = 'clean'", ""), 1);
    db_close(db);
    buf_end(&error);
}

/* ---- transactions ---- */

struct script {
    struct mailbox_append m;
    enum outcome end; /* what fn returns after its work */
    bool break_constraint;
};

static enum outcome script_fn(struct store_tx *tx, void *arg)
{
    struct script *x = arg;
    enum outcome o = mailbox_append(tx, &x->m);
    if (o != DONE)
        return o;
    if (x->break_constraint && /* E3: refused, and nothing else happened */
        sql_exec(tx->db, "INSERT INTO account(id, address) VALUES (?, 'again')", "i",
                 x->m.account) != -1)
        return TEMPFAIL;
    return x->end;
}

static enum outcome script_run(struct store *s, struct script *x)
{
    struct store_body body = {.pieces = {S("text\r\n")}, .piece_count = 1, .fd = -1};
    struct store_call call = {.account = x->m.account, .fn = script_fn, .arg = x, .body = &body};
    x->m.body_bytes = 6;
    return store_write(s, &call);
}

static struct view_info inbox(struct store *s, int64_t account)
{
    struct view *v = view_open(s, account, MAILBOX_INBOX);
    assert_non_null(v);
    struct view_info info = view_info(v);
    view_release(v);
    return info;
}

/* T2, W2 */
static void test_failed_call_takes_back_its_own(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    int64_t one = fixture_account(s, "one", 0);
    static const enum outcome ends[] = {DONE, PERMFAIL, DONE, TEMPFAIL, TEMPFAIL, DONE};
    uint32_t count = 0;
    for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
        struct script x = {.m = {.account = one, .mailbox = MAILBOX_INBOX, .prefix = S("A: b\r\n")},
                           .end = ends[i],
                           .break_constraint = i == 2};
        struct view_info before = inbox(s, one);
        assert_int_equal(script_run(s, &x), ends[i]);
        count += ends[i] == DONE;
        struct view_info after = inbox(s, one);
        assert_int_equal(after.count, count);
        assert_int_equal(after.uidnext, count + 1);
        assert_int_equal(after.modseq - before.modseq, ends[i] == DONE);
    }
    assert_sound(s);
    store_close(s);
}

struct crowd {
    struct store *s;
    int64_t account;
    int number;
    atomic_int *done;
};

static void *crowd_main(void *arg)
{
    struct crowd *c = arg;
    for (int i = 0; i < 40; i++) {
        struct script x = {.m = {.account = c->account, .mailbox = MAILBOX_INBOX},
                           .end = (i + c->number) % 3 ? DONE : PERMFAIL,
                           .break_constraint = i % 4 == 0};
        if (script_run(c->s, &x) == DONE)
            atomic_fetch_add(c->done, 1);
    }
    return NULL;
}

/* T2 with many calls in a batch: each rolled-back one disappears alone. */
static void test_crowd(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    int64_t accounts[2] = {fixture_account(s, "one", 0), fixture_account(s, "two", 0)};
    atomic_int done[2] = {0};
    struct crowd crowd[16];
    pthread_t threads[16];
    for (int i = 0; i < 16; i++) {
        crowd[i] = (struct crowd){s, accounts[i % 2], i, &done[i % 2]};
        assert_int_equal(pthread_create(&threads[i], NULL, crowd_main, &crowd[i]), 0);
    }
    for (int i = 0; i < 16; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(inbox(s, accounts[i]).count, atomic_load(&done[i]));
        assert_int_equal(inbox(s, accounts[i]).uidnext, atomic_load(&done[i]) + 1);
    }
    assert_sound(s);
    store_close(s);
}

/* ---- order of work ---- */

struct order {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool held, go;
    int next, bulk_at, interactive_at;
};

static enum outcome hold_fn(struct store_tx *tx, void *arg)
{
    (void)tx;
    struct order *o = arg;
    pthread_mutex_lock(&o->lock);
    o->held = true;
    pthread_cond_broadcast(&o->wake);
    while (!o->go)
        pthread_cond_wait(&o->wake, &o->lock);
    pthread_mutex_unlock(&o->lock);
    return DONE;
}

static enum outcome bulk_fn(struct store_tx *tx, void *arg)
{
    (void)tx;
    struct order *o = arg;
    o->bulk_at = ++o->next;
    return DONE;
}

static enum outcome interactive_fn(struct store_tx *tx, void *arg)
{
    (void)tx;
    struct order *o = arg;
    o->interactive_at = ++o->next;
    return DONE;
}

struct order_call {
    struct store *s;
    struct store_call call;
};

static void *order_main(void *arg)
{
    struct order_call *c = arg;
    assert_int_equal(store_write(c->s, &c->call), DONE);
    return NULL;
}

static void wait_until_waiting(struct store *s, bool bulk)
{
    for (bool waiting = false; !waiting; usleep(1000)) {
        pthread_mutex_lock(&s->writer.lock);
        waiting = s->writer.waiting[bulk].first != NULL;
        pthread_mutex_unlock(&s->writer.lock);
    }
}

/* T4: a bulk call that came first runs after the interactive one that waits with it. */
static void test_interactive_before_bulk(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    struct order o = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};
    struct order_call calls[3] = {
        {s, {.fn = hold_fn, .arg = &o}},
        {s, {.fn = bulk_fn, .arg = &o, .bulk = true}},
        {s, {.fn = interactive_fn, .arg = &o}},
    };
    pthread_t threads[3];
    pthread_create(&threads[0], NULL, order_main, &calls[0]);
    pthread_mutex_lock(&o.lock);
    while (!o.held)
        pthread_cond_wait(&o.wake, &o.lock);
    pthread_mutex_unlock(&o.lock);
    pthread_create(&threads[1], NULL, order_main, &calls[1]);
    wait_until_waiting(s, true);
    pthread_create(&threads[2], NULL, order_main, &calls[2]);
    wait_until_waiting(s, false);
    pthread_mutex_lock(&o.lock);
    o.go = true;
    pthread_cond_broadcast(&o.wake);
    pthread_mutex_unlock(&o.lock);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(o.interactive_at, 1);
    assert_int_equal(o.bulk_at, 2);
    store_close(s);
}

/* ---- mailboxes ---- */

struct by_name {
    int64_t account, mailbox;
    slice name;
    bool create;
};

static enum outcome by_name_fn(struct store_tx *tx, void *arg)
{
    struct by_name *x = arg;
    return mailbox_by_name(tx, x->account, x->name, x->create, &x->mailbox);
}

static void test_mailbox_names(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    int64_t one = fixture_account(s, "one", 0);
    const struct {
        slice name;
        bool create;
        enum outcome want;
        int64_t mailbox;
    } rows[] = {
        {S("INBOX"), false, DONE, 1},    {S("inbox"), false, DONE, 1},
        {S("Sent"), false, DONE, 3},     {S("sent"), false, DONE, 0},
        {S("Work"), false, DONE, 0},     {S("Work"), true, DONE, 8},
        {S("Work"), true, DONE, 8},      {S("Work/2026"), true, DONE, 9},
        {S("邮件"), true, DONE, 10},     {S(""), true, PERMFAIL, 0},
        {S("/a"), true, PERMFAIL, 0},    {S("Work/"), true, DONE, 8},
        {S("a//b"), true, PERMFAIL, 0},  {S("a\nb"), true, PERMFAIL, 0},
        {S("a\xff"), true, PERMFAIL, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct by_name x = {.account = one, .name = rows[i].name, .create = rows[i].create};
        struct store_call call = {.account = one, .fn = by_name_fn, .arg = &x};
        assert_int_equal(store_write(s, &call), rows[i].want);
        assert_int_equal(x.mailbox, rows[i].mailbox);
    }
    struct db *db = store_read(s);
    assert_int_equal(mailbox_by_role(db, one, ROLE_INBOX), MAILBOX_INBOX); /* M5 */
    assert_int_equal(mailbox_by_role(db, one, ROLE_JUNK), 5);
    store_read_end(s, db);
    assert_sound(s);
    store_close(s);
}

static void test_quota_and_refusals(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    int64_t one = fixture_account(s, "one", 100);
    char text[101];
    memset(text, 'x', sizeof(text));
    const struct {
        const char *name;
        int64_t account, mailbox;
        size_t bytes;
        enum outcome want;
    } rows[] = {
        {"too large at once", one, 1, 101, PERMFAIL},
        {"fits", one, 1, 60, DONE},
        {"no longer fits", one, 1, 41, PERMFAIL},
        {"fits exactly", one, 1, 40, DONE},
        {"full", one, 1, 1, PERMFAIL},
        {"no such mailbox", one, 77, 1, PERMFAIL},
        {"no such account", one + 5, 1, 1, PERMFAIL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct mailbox_append m = {.account = rows[i].account, .mailbox = rows[i].mailbox};
        if (fixture_append(s, &m, (slice){text, rows[i].bytes}) != rows[i].want)
            fail_msg("%s", rows[i].name);
    }
    assert_int_equal(fixture_expunge(s, one, (uint32_t[]){1}, 1), 1); /* M4 */
    struct mailbox_append m = {.account = one, .mailbox = 1};
    assert_int_equal(fixture_append(s, &m, (slice){text, 60}), DONE);
    assert_sound(s);
    store_close(s);
}

static enum outcome quota_fn(struct store_tx *tx, void *arg)
{
    int64_t *quota = arg;
    sql_exec(tx->db, "UPDATE account SET quota = ?", "i", *quota);
    return *quota < 1000 ? DONE : PERMFAIL;
}

/* A quota changed by SQL counts at once, also when its savepoint was rolled back. */
static void test_quota_changed_by_others(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    int64_t one = fixture_account(s, "one", 10);
    static const struct {
        int64_t quota;
        enum outcome want;
    } rows[] = {{10, DONE}, {15, PERMFAIL}, {2000, PERMFAIL}, {20, DONE}, {20, PERMFAIL}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        int64_t quota = rows[i].quota;
        struct store_call call = {.fn = quota_fn, .arg = &quota};
        store_write(s, &call);
        struct mailbox_append m = {.account = one, .mailbox = 1};
        assert_int_equal(fixture_append(s, &m, S("0123456789")), rows[i].want);
    }
    assert_sound(s);
    store_close(s);
}

/* M6 */
static void test_delivery_ids(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    int64_t one = fixture_account(s, "one", 0), two = fixture_account(s, "two", 0);
    unsigned char sha[32] = {1}, id[32], other[32];
    delivery_id(S("two@south.test"), S("one@north.test"), sha, id);
    delivery_id(S("two@south.testo"), S("ne@north.test"), sha, other);
    assert_memory_not_equal(id, other, 32);
    slice key = {(const char *)id, 32};
    struct mailbox_append m = {.account = one, .mailbox = 1, .delivery_id = key}, again = m;
    assert_int_equal(fixture_append(s, &m, S("a\r\n")), DONE);
    assert_false(m.duplicate);
    assert_int_equal(fixture_append(s, &again, S("a\r\n")), DONE);
    assert_true(again.duplicate);
    assert_int_equal(again.uid, m.uid);
    assert_int_equal(again.message, m.message);
    struct mailbox_append elsewhere = {.account = two, .mailbox = 1, .delivery_id = key};
    assert_int_equal(fixture_append(s, &elsewhere, S("a\r\n")), DONE);
    assert_false(elsewhere.duplicate);
    struct db *db = store_read(s);
    assert_true(delivery_find(db, one, key, clock_ms() - MINUTE_MS));
    assert_false(delivery_find(db, one, key, clock_ms() + MINUTE_MS));
    assert_false(delivery_find(db, one, (slice){(const char *)other, 32}, 0));
    store_read_end(s, db);
    assert_int_equal(inbox(s, one).count, 1);
    assert_sound(s);
    store_close(s);
}

/* ---- watches and locks ---- */

static void count_wake(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

/* V4 */
static void test_watch(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    int64_t one = fixture_account(s, "one", 0), two = fixture_account(s, "two", 0);
    atomic_int wakes = 0;
    struct watch *w = view_watch(s, one, 1, count_wake, &wakes);
    struct mailbox_append m = {.account = one, .mailbox = 1}, n = {.account = two, .mailbox = 1};
    assert_int_equal(fixture_append(s, &n, S("x")), DONE);
    assert_int_equal(fixture_append(s, &m, S("x")), DONE);
    while (atomic_load(&wakes) == 0) /* after the answer, so wait for it */
        usleep(100);
    assert_int_equal(fixture_expunge(s, one, (uint32_t[]){5}, 1), 0); /* changes nothing */
    assert_int_equal(fixture_append(s, &n, S("x")), DONE);
    view_unwatch(w);
    assert_int_equal(atomic_load(&wakes), 1);
    assert_int_equal(fixture_append(s, &m, S("x")), DONE);
    assert_int_equal(fixture_append(s, &n, S("x")), DONE);
    assert_int_equal(atomic_load(&wakes), 1);
    store_close(s);
}

static void test_pop3_lock(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    assert_true(mailbox_lock(s, 1, 1));
    assert_false(mailbox_lock(s, 1, 1));
    assert_true(mailbox_lock(s, 2, 1));
    mailbox_unlock(s, 1, 1);
    assert_true(mailbox_lock(s, 1, 1));
    mailbox_unlock(s, 1, 1);
    mailbox_unlock(s, 2, 1);
    store_close(s);
}

static void *overtake_main(void *arg)
{
    struct crowd *c = arg;
    for (int i = 0; i < 150; i++) {
        struct mailbox_append m = {.account = c->account, .mailbox = MAILBOX_INBOX};
        assert_int_equal(fixture_append(c->s, &m, S("x")), DONE);
        atomic_fetch_add(c->done, 1);
    }
    return NULL;
}

/* V2: a view loaded while commits go on is never older than what was answered before. */
static void test_loader_overtaken(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    atomic_int done = 0;
    struct crowd c = {s, fixture_account(s, "one", 0), 0, &done};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, overtake_main, &c), 0);
    for (int before = 0; before < 150;) {
        views_evict(s, 0);
        before = atomic_load(&done);
        assert_true(inbox(s, c.account).count >= (uint32_t)before);
    }
    pthread_join(thread, NULL);
    store_close(s);
}

/* Views nobody holds go, and come back the same. */
static void test_views_are_evicted(void **state)
{
    (void)state;
    struct store *s = fixture_open(fixture_path);
    int64_t one = fixture_account(s, "one", 0);
    struct mailbox_append m = {.account = one, .mailbox = 1};
    assert_int_equal(fixture_append(s, &m, S("x")), DONE);
    struct view *v = view_open(s, one, 1);
    views_evict(s, 0);
    assert_true(views_bytes(s) > 0); /* it is held */
    view_release(v);
    views_evict(s, 0);
    assert_int_equal(views_bytes(s), 0);
    assert_int_equal(inbox(s, one).count, 1);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(test_append_and_read),
        FIXTURE_TEST(test_open_refusals),
        FIXTURE_TEST(test_a_reader_borrows_late),
        FIXTURE_TEST(test_clean_mark_and_readers),
        FIXTURE_TEST(test_failed_call_takes_back_its_own),
        FIXTURE_TEST(test_crowd),
        FIXTURE_TEST(test_interactive_before_bulk),
        FIXTURE_TEST(test_mailbox_names),
        FIXTURE_TEST(test_quota_and_refusals),
        FIXTURE_TEST(test_quota_changed_by_others),
        FIXTURE_TEST(test_delivery_ids),
        FIXTURE_TEST(test_watch),
        FIXTURE_TEST(test_pop3_lock),
        FIXTURE_TEST(test_loader_overtaken),
        FIXTURE_TEST(test_views_are_evicted),
    };
    return TEST_RUN(tests);
}
