/*
 * The queue over a real store in a temporary directory and a deliverer that does what the test
 * says: design rules of docs/queue.md, RFC 5321 4.5.4 (retries), RFC 3464 (bounces), RFC 4865
 * (holding).
 */
#include "base/test.h"

#include <dirent.h>
#include <ftw.h>
#include <pthread.h>
#include <time.h>

#include <openssl/evp.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "queue/internal.h"
#include "store/view.h"

/* ---- The stage: a store, two accounts, a scripted deliverer ---- */

struct stage {
    char dir[64];
    struct store *store;
    struct queue *queue;
    struct arena arena;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int batches, items; /* seen by the deliverer */
    int largest_batch;
    /* What the deliverer does, per call. */
    enum outcome result;
    slice reply;
    bool unreachable, cut;
    bool block_before, block_after; /* around the point of no return, until let go */
    bool before, after;             /* it is there */
    int64_t accounts[2];
};

static struct stage stage;

static int remove_one(const char *path, const struct stat *s, int flag, struct FTW *f)
{
    (void)s, (void)flag, (void)f;
    return remove(path);
}

static enum outcome make_accounts(struct store_tx *tx, void *arg)
{
    (void)arg;
    for (int i = 0; i < 2; i++) {
        stage.accounts[i] = i + 101;
        sql_exec(tx->db,
                 "INSERT INTO account(id,domain,address,quota,used,modseq,created) "
                 "VALUES(?,1,?,0,0,0,?)",
                 "iti", stage.accounts[i], i ? S("two@south.test") : S("one@north.test"),
                 tx->now_ms);
        if (mailbox_create_defaults(tx, stage.accounts[i]) != DONE)
            return TEMPFAIL;
    }
    return DONE;
}

static enum outcome fake_local(struct store_tx *tx, struct local_delivery *l)
{
    struct mailbox_append m = {
        .account = l->target->account,
        .mailbox = mailbox_by_role(tx->db, l->target->account, ROLE_INBOX),
        .body = l->body,
        .body_bytes = l->body_bytes,
        .prefix = l->prefix,
        .internaldate_ms = l->received_ms,
        .subject = l->derived ? l->derived->subject : S(""),
        .delivery_id = l->delivery_id,
        .queue_id = l->queue_id,
    };
    enum outcome o = mailbox_append(tx, &m);
    l->mailbox = m.mailbox;
    l->message = m.message;
    l->uid = m.uid;
    l->duplicate = m.duplicate;
    return o;
}

static void signal_stage(void)
{
    pthread_cond_broadcast(&stage.changed);
    pthread_mutex_unlock(&stage.mutex);
}

static void wait_while(bool *flag)
{
    pthread_mutex_lock(&stage.mutex);
    while (*flag)
        pthread_cond_wait(&stage.changed, &stage.mutex);
    pthread_mutex_unlock(&stage.mutex);
}

static enum outcome fake_local_tx(struct store_tx *tx, void *arg)
{
    void **args = arg;
    enum outcome o = fake_local(tx, args[2]);
    return o == DONE && !batch_local_done(tx, args[0], args[1], args[2]) ? TEMPFAIL : o;
}

static void deliver_item(struct batch_item *item)
{
    pthread_mutex_lock(&stage.mutex);
    stage.before = true;
    signal_stage();
    wait_while(&stage.block_before);
    if (!point_of_no_return(item))
        return;
    pthread_mutex_lock(&stage.mutex);
    stage.after = true;
    signal_stage();
    wait_while(&stage.block_after);
    item->maybe_sent = stage.cut;
    for (size_t i = 0; i < item->recipient_count; i++) {
        struct batch_recipient *r = &item->recipients[i];
        r->result = stage.result;
        r->reply = stage.reply;
        if (r->account) {
            struct target t = {.address = r->to.address, .account = r->account};
            struct local_delivery l = {.target = &t,
                                       .sender = item->envelope.sender,
                                       .prefix = item->prefix,
                                       .body = item->body,
                                       .body_bytes = item->body_bytes,
                                       .queue_id = item->message};
            void *args[] = {item, r, &l};
            struct store_call call = {.account = r->account, .fn = fake_local_tx, .arg = args};
            r->result = store_write(stage.store, &call);
        }
    }
}

static void fake_deliver(void *ctx, struct batch *b)
{
    (void)ctx;
    if (stage.unreachable) {
        b->unreachable = true;
        b->reply = S("451 4.4.1 connection refused");
    } else {
        for (size_t i = 0; i < b->count; i++)
            deliver_item(&b->items[i]);
    }
    pthread_mutex_lock(&stage.mutex);
    stage.batches++;
    stage.items += (int)b->count;
    if ((int)b->count > stage.largest_batch)
        stage.largest_batch = (int)b->count;
    signal_stage();
}

static enum outcome fake_resolve(void *ctx, struct arena *a, slice address, struct target **targets,
                                 size_t *count)
{
    (void)ctx;
    *targets = arena_new(a, struct target);
    **targets = (struct target){
        .address = address, .destination = DESTINATION_LOCAL, .account = stage.accounts[0]};
    *count = slice_eq(address, S("one@north.test"));
    return DONE;
}

static const int64_t retry_ms[] = {20};

static void open_queue(void)
{
    struct queue_options o = {
        .store = stage.store,
        .hostname = S("mail.north.test"),
        .retry_ms = retry_ms,
        .retry_count = 1,
        .deliverer = {.local = fake_local, .deliver = fake_deliver, .resolve = fake_resolve},
    };
    stage.queue = queue_open(&o);
}

static int set_up(void **state)
{
    (void)state;
    struct buf error = {.max = 1000};
    memset(&stage, 0, sizeof(stage));
    snprintf(stage.dir, sizeof(stage.dir), "/tmp/yizhan-queue-XXXXXX");
    if (!mkdtemp(stage.dir))
        return -1;
    pthread_mutex_init(&stage.mutex, NULL);
    pthread_cond_init(&stage.changed, NULL);
    struct store_options o = {.dir = stage.dir, .create = true};
    stage.store = store_open(&o, &error);
    if (!stage.store)
        fail_msg("%.*s", P(buf_slice(&error)));
    struct store_call call = {.fn = make_accounts};
    assert_int_equal(store_write(stage.store, &call), DONE);
    stage.result = DONE;
    stage.reply = S("250 2.0.0 ok");
    open_queue();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    queue_close(stage.queue, 5000);
    store_close(stage.store);
    arena_end(&stage.arena);
    return nftw(stage.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Crash: the store goes away under the queue as if the process had died; what is durable stays. */
static void reopen(void)
{
    struct buf error = {.max = 1000};
    queue_close(stage.queue, 5000);
    store_close(stage.store);
    struct store_options o = {.dir = stage.dir};
    stage.store = store_open(&o, &error);
    assert_non_null(stage.store);
    open_queue();
}

static struct target local(int i)
{
    return (struct target){.address = i ? S("two@south.test") : S("one@north.test"),
                           .destination = DESTINATION_LOCAL,
                           .account = stage.accounts[i]};
}

static struct target remote(const char *address)
{
    slice s = slice_c(address);
    return (struct target){.address = s,
                           .destination = slice_skip(s, (size_t)slice_find(s, '@') + 1)};
}

static int64_t commit(slice text, slice sender, struct target *targets, size_t n,
                      int64_t hold_until, struct queue_mail *out)
{
    struct envelope e = {.sender = sender, .hold_until_ms = hold_until};
    struct derived d = {.subject = S("hello"), .message_id = S("1@north.test")};
    struct store_body body = {.pieces = {text}, .piece_count = 1, .fd = -1, .date_ms = clock_ms()};
    struct queue_mail m = {.id = id_new(),
                           .envelope = &e,
                           .targets = targets,
                           .target_count = n,
                           .body = &body,
                           .body_bytes = text.n,
                           .has_message_id = true,
                           .prefix = S("Received: by mail.north.test\r\n"),
                           .derived = &d,
                           .now_ms = clock_ms()};
    EVP_Digest(text.p, text.n, m.received_sha256, NULL, EVP_sha256(), NULL);
    memcpy(body.sha256, m.received_sha256, 32);
    assert_int_equal(queue_commit(stage.queue, &m), DONE);
    if (out)
        *out = m;
    return m.id;
}

#define TEXT S("Message-ID: <1@north.test>\r\nSubject: hello\r\n\r\nhi\r\n")

static uint32_t inbox_count(int i)
{
    struct db *db = store_read(stage.store);
    int64_t box = mailbox_by_role(db, stage.accounts[i], ROLE_INBOX);
    store_read_end(stage.store, db);
    struct view *v = view_open(stage.store, stage.accounts[i], box);
    uint32_t n = view_info(v).count;
    view_release(v);
    return n;
}

/* The listing of one message as text: "state address:state …", in the stage's arena. */
static void print_row(void *ctx, const struct queue_row *row)
{
    slice *out = ctx;
    slice text = slice_c(queue_state_name(row->state));
    for (size_t i = 0; i < row->recipient_count; i++)
        text = arena_printf(&stage.arena, "%.*s %.*s:%s", P(text), P(row->recipients[i].address),
                            row->recipients[i].state);
    *out = text;
}

static slice show(int64_t id)
{
    slice text = S("unknown");
    struct queue_filter f = {.id = id};
    queue_list(stage.queue, &f, print_row, &text);
    return text;
}

/* Waits until the listing says so; commits and results wake it. */
static void wait_show(int64_t id, slice want)
{
    int64_t until = clock_mono_ms() + 20000;
    slice got = S("");
    while (clock_mono_ms() < until && !slice_eq(got, want)) {
        struct timespec t = {.tv_nsec = 2000000};
        got = show(id);
        nanosleep(&t, NULL);
    }
    assert_slice(got, want);
}

static void wait_flag(bool *flag)
{
    pthread_mutex_lock(&stage.mutex);
    while (!*flag)
        pthread_cond_wait(&stage.changed, &stage.mutex);
    pthread_mutex_unlock(&stage.mutex);
}

static void let_go(bool *flag)
{
    pthread_mutex_lock(&stage.mutex);
    *flag = false;
    signal_stage();
}

static slice recall(int64_t id)
{
    struct recall_row *rows = NULL;
    size_t n = 0;
    enum outcome o = queue_recall(stage.queue, &stage.arena, id, &rows, &n);
    if (o != DONE)
        return slice_c(outcome_name(o));
    slice text = S("");
    for (size_t i = 0; i < n; i++)
        text = arena_printf(&stage.arena, "%.*s%s%.*s:%s", P(text), i ? " " : "",
                            P(rows[i].address), rows[i].result);
    return text;
}

/* ---- Tests ---- */

/* Design section 3, stop 6: exactly one local recipient and nothing holds it: born done. */
static void test_born_done(void **state)
{
    (void)state;
    struct target t = local(1);
    int64_t id = commit(TEXT, S("one@north.test"), &t, 1, 0, NULL);
    assert_int_equal(inbox_count(1), 1);
    assert_slice(show(id), S("done two@south.test:delivered"));
}

/* Design section 1: a retransmission (same recipient, sender, bytes, with Message-ID) makes no
 * second copy. */
static void test_retransmission(void **state)
{
    (void)state;
    struct queue_mail m;
    struct target t = local(1), r = remote("x@far.test");
    int64_t first = commit(TEXT, S("one@north.test"), &t, 1, 0, NULL);
    commit(TEXT, S("one@north.test"), &t, 1, 0, &m);
    assert_true(m.duplicate && m.id == first);
    assert_int_equal(inbox_count(1), 1);
    commit(TEXT, S("other@north.test"), &t, 1, 0, &m); /* another sender: another mail */
    assert_false(m.duplicate);
    first = commit(TEXT, S("one@north.test"), &r, 1, 0, &m);
    assert_false(m.duplicate);
    commit(TEXT, S("one@north.test"), &r, 1, 0, &m);
    assert_true(m.duplicate && m.id == first);
    assert_int_equal(queue_list(stage.queue, &(struct queue_filter){0}, NULL, NULL), 1);
}

/* An item is one message for one destination; each recipient has its own state. */
static void test_split_and_deliver(void **state)
{
    (void)state;
    struct target t[] = {local(0), remote("a@far.test"), remote("b@far.test"),
                         remote("c@near.test")};
    int64_t id = commit(TEXT, S("one@north.test"), t, 4, 0, NULL);
    struct db *db = store_read(stage.store);
    assert_int_equal(sql_number(db, 0, "SELECT count(*) FROM q_item", ""), 3);
    store_read_end(stage.store, db);
    assert_slice(show(id), S("due one@north.test:waiting a@far.test:waiting b@far.test:waiting "
                             "c@near.test:waiting"));
    queue_run(stage.queue);
    wait_show(id, S("done one@north.test:delivered a@far.test:relayed b@far.test:relayed "
                    "c@near.test:relayed"));
    assert_int_equal(inbox_count(0), 1);
}

/* RFC 5321 4.2.1: 4yz is tried again, 5yz is returned; the bounce reaches the sender's mailbox (RFC
 * 3464). */
static void test_defer_then_bounce(void **state)
{
    (void)state;
    struct target t = remote("a@far.test");
    stage.result = TEMPFAIL;
    stage.reply = S("450 4.2.1 busy");
    int64_t id = commit(TEXT, S("one@north.test"), &t, 1, 0, NULL);
    queue_run(stage.queue);
    pthread_mutex_lock(&stage.mutex);
    while (stage.batches < 3)
        pthread_cond_wait(&stage.changed, &stage.mutex);
    stage.result = PERMFAIL;
    stage.reply = S("550 5.1.1 no such user");
    pthread_mutex_unlock(&stage.mutex);
    wait_show(id, S("done a@far.test:bounced"));
    assert_int_equal(inbox_count(0), 1);
}

/* RFC 5321 6.1: no bounce answers a null sender. */
static void test_null_sender(void **state)
{
    (void)state;
    struct target t = remote("a@far.test");
    stage.result = PERMFAIL;
    stage.reply = S("550 5.1.1 no such user");
    int64_t id = commit(TEXT, S(""), &t, 1, 0, NULL);
    queue_run(stage.queue);
    wait_show(id, S("done a@far.test:bounced"));
    assert_int_equal(inbox_count(0), 0);
    struct db *db = store_read(stage.store);
    assert_int_equal(sql_number(db, 0, "SELECT count(*) FROM q_message", ""), 1);
    store_read_end(stage.store, db);
}

/* RFC 4865 4.2: never released early; recall of what is held is exact, and said again the same. */
static void test_hold_and_recall(void **state)
{
    (void)state;
    struct target t = local(1);
    int64_t id = commit(TEXT, S("one@north.test"), &t, 1, clock_ms() + HOUR_MS, NULL);
    queue_run(stage.queue);
    assert_slice(show(id), S("held two@south.test:waiting"));
    assert_int_equal(queue_retry(stage.queue, &(struct queue_filter){.id = id}), 0);
    assert_slice(recall(id), S("two@south.test:withdrawn"));
    assert_slice(recall(id), S("two@south.test:withdrawn"));
    assert_slice(show(id), S("done two@south.test:recalled"));
    assert_int_equal(inbox_count(1), 0);
    assert_slice(recall(12345), S("permfail"));
}

/* Held by a person, then released at once. */
static void test_hold_release(void **state)
{
    (void)state;
    struct target t[] = {local(1), local(0)};
    int64_t id = commit(TEXT, S("one@north.test"), t, 2, 0, NULL);
    assert_int_equal(queue_hold(stage.queue, &(struct queue_filter){.id = id}), 1);
    assert_slice(show(id), S("held two@south.test:waiting one@north.test:waiting"));
    queue_run(stage.queue);
    assert_int_equal(
        queue_release(stage.queue, &(struct queue_filter){.sender = S("one@north.test")}), 1);
    wait_show(id, S("done two@south.test:delivered one@north.test:delivered"));
    assert_int_equal(inbox_count(1), 1);
}

/* Design section 7: recall of an open attempt wins only before the point of no return. */
static void test_recall_race(void **state)
{
    (void)state;
    struct target t = remote("a@far.test"), u = remote("b@far.test");
    stage.block_before = true;
    int64_t id = commit(TEXT, S("one@north.test"), &t, 1, 0, NULL);
    queue_run(stage.queue);
    wait_flag(&stage.before);
    assert_slice(recall(id), S("a@far.test:withdrawn"));
    let_go(&stage.block_before);
    wait_show(id, S("done a@far.test:recalled"));
    stage.block_after = true;
    stage.after = false;
    id = commit(TEXT, S("one@north.test"), &u, 1, 0, NULL);
    wait_flag(&stage.after);
    assert_slice(recall(id), S("b@far.test:tooLate"));
    let_go(&stage.block_after);
    wait_show(id, S("done b@far.test:relayed"));
    assert_slice(recall(id), S("b@far.test:tooLate"));
}

/* The connection broke after the dot (RFC 5321 4.5.3.2.6): a copy may be there, so recall cannot
 * promise. */
static void test_recall_after_cut(void **state)
{
    (void)state;
    struct target t = remote("a@far.test");
    stage.cut = true;
    stage.result = TEMPFAIL;
    stage.reply = S("451 4.4.2 connection lost");
    int64_t id = commit(TEXT, S("one@north.test"), &t, 1, 0, NULL);
    queue_run(stage.queue);
    pthread_mutex_lock(&stage.mutex);
    while (stage.batches < 2)
        pthread_cond_wait(&stage.changed, &stage.mutex);
    pthread_mutex_unlock(&stage.mutex);
    assert_slice(recall(id), S("a@far.test:tooLate"));
    /* The next attempt, still before its own point of no return, changes nothing about that. */
    pthread_mutex_lock(&stage.mutex);
    stage.block_before = true;
    stage.before = false;
    pthread_mutex_unlock(&stage.mutex);
    wait_flag(&stage.before);
    assert_slice(recall(id), S("a@far.test:tooLate"));
    let_go(&stage.block_before);
}

/* Design section 7: delivered to us, unread: removed; fetched: too late. */
static void test_recall_delivered(void **state)
{
    (void)state;
    struct target t = local(1);
    int64_t id = commit(TEXT, S("one@north.test"), &t, 1, 0, NULL);
    assert_slice(recall(id), S("two@south.test:removed"));
    assert_int_equal(inbox_count(1), 0);
    assert_slice(recall(id), S("two@south.test:removed"));
    id = commit(S("Message-ID: <2@x>\r\n\r\nb\r\n"), S("one@north.test"), &t, 1, 0, NULL);
    struct db *db = store_read(stage.store);
    int64_t box = mailbox_by_role(db, stage.accounts[1], ROLE_INBOX);
    store_read_end(stage.store, db);
    struct view *v = view_open(stage.store, stage.accounts[1], box);
    struct entry e;
    assert_true(view_at(v, 0, &e));
    view_release(v);
    message_fetched(stage.store, stage.accounts[1], e.message);
    assert_slice(recall(id), S("two@south.test:tooLate"));
    assert_int_equal(inbox_count(1), 1);
}

static enum outcome leave_claimed(struct store_tx *tx, void *arg)
{
    (void)arg;
    sql_exec(tx->db, "UPDATE q_item SET state=?, due=?", "ii", (int64_t)ITEM_CLAIMED, tx->now_ms);
    return DONE;
}

/* Attempts cut by a crash: recall cannot promise any more; after three the item is quarantined. */
static void test_crashes(void **state)
{
    (void)state;
    struct target t = remote("a@far.test");
    int64_t id = commit(TEXT, S("one@north.test"), &t, 1, 0, NULL);
    struct store_call call = {.fn = leave_claimed};
    for (int i = 1; i <= CRASHES_TO_QUARANTINE; i++) {
        assert_int_equal(store_write(stage.store, &call), DONE);
        reopen();
        assert_slice(show(id), i < CRASHES_TO_QUARANTINE ? S("due a@far.test:waiting")
                                                         : S("quarantined a@far.test:waiting"));
        assert_slice(recall(id), S("a@far.test:tooLate"));
    }
    queue_run(stage.queue);
    assert_int_equal(queue_release(stage.queue, &(struct queue_filter){.id = id}), 1);
    wait_show(id, S("done a@far.test:relayed"));
}

/* Rule S32: back-off belongs to the destination and survives a restart. */
static void test_unreachable(void **state)
{
    (void)state;
    struct target t = remote("a@far.test");
    stage.unreachable = true;
    int64_t id = commit(TEXT, S("one@north.test"), &t, 1, 0, NULL);
    queue_run(stage.queue);
    pthread_mutex_lock(&stage.mutex);
    while (stage.batches < 2)
        pthread_cond_wait(&stage.changed, &stage.mutex);
    pthread_mutex_unlock(&stage.mutex);
    reopen();
    struct destination *d = map_get(&stage.queue->destinations, S("far.test"));
    assert_non_null(d);
    assert_true(d->failures >= 1 && d->next_attempt_ms > 0);
    stage.unreachable = false;
    queue_run(stage.queue);
    wait_show(id, S("done a@far.test:relayed"));
}

static enum outcome make_old(struct store_tx *tx, void *arg)
{
    (void)arg;
    sql_exec(tx->db, "UPDATE q_message SET created=created-?, expires=expires-?", "ii", 6 * DAY_MS,
             6 * DAY_MS);
    return DONE;
}

/* Design section 6: expiry needs age and at least three attempts; a clock jump bounces nothing. */
static void test_expiry(void **state)
{
    (void)state;
    struct target t = remote("a@far.test");
    stage.result = TEMPFAIL;
    stage.reply = S("450 4.2.1 busy");
    int64_t id = commit(TEXT, S("one@north.test"), &t, 1, 0, NULL);
    struct store_call call = {.fn = make_old};
    assert_int_equal(store_write(stage.store, &call), DONE);
    queue_run(stage.queue);
    wait_show(id, S("done a@far.test:bounced"));
    assert_true(stage.batches >= ATTEMPTS_TO_EXPIRE);
    wait_show(id, S("done a@far.test:bounced"));
    /* The delay notice and the failure. */
    int64_t until = clock_mono_ms() + 10000;
    while (inbox_count(0) < 2 && clock_mono_ms() < until)
        ;
    assert_int_equal(inbox_count(0), 2);
}

/* Items of one destination go in batches (RFC 5321 4.5.4.1: several messages over one connection).
 */
static void test_batching(void **state)
{
    (void)state;
    struct target t = remote("a@far.test");
    for (int i = 0; i < 60; i++) {
        slice text = arena_printf(&stage.arena, "Message-ID: <%d@x>\r\n\r\nb\r\n", i);
        commit(text, S("one@north.test"), &t, 1, 0, NULL);
    }
    queue_run(stage.queue);
    pthread_mutex_lock(&stage.mutex);
    while (stage.items < 60)
        pthread_cond_wait(&stage.changed, &stage.mutex);
    assert_true(stage.largest_batch > 1 && stage.batches < 60);
    pthread_mutex_unlock(&stage.mutex);
    int64_t until = clock_mono_ms() + 10000;
    while (queue_list(stage.queue, &(struct queue_filter){0}, NULL, NULL) > 0 &&
           clock_mono_ms() < until)
        ;
    assert_int_equal(queue_list(stage.queue, &(struct queue_filter){0}, NULL, NULL), 0);
    assert_int_equal(stage.items, 60);
}

int main(void)
{
#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ROW(test_born_done),
        ROW(test_retransmission),
        ROW(test_split_and_deliver),
        ROW(test_defer_then_bounce),
        ROW(test_null_sender),
        ROW(test_hold_and_recall),
        ROW(test_hold_release),
        ROW(test_recall_race),
        ROW(test_recall_after_cut),
        ROW(test_recall_delivered),
        ROW(test_crashes),
        ROW(test_unreachable),
        ROW(test_expiry),
        ROW(test_batching),
    };
    return TEST_RUN(tests);
}
