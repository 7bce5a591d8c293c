/*
 * The one writer: takes every waiting call, appends all bodies, one fdatasync, one transaction with
 * a savepoint a call, COMMIT, publishes the views, answers.
 *
 * Invariants
 *   T1  A call is answered DONE only after its COMMIT was synced.
 *   T2  A call that fails takes back its own savepoint and nothing else.
 *   T3  When the engine fails, the whole batch answers TEMPFAIL and memory is as before it.
 *   T4  Interactive calls go before bulk ones; a batch takes at most one bulk call.
 *   T5  Views are published before the answer: who is answered reads its own write.
 *   T6  Bodies that could not be written fail their calls only.
 * A call is waiting -> in the batch -> answered.
 */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/blocking.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/internal.h"
#include "base/banned.h"

static void futex_wait(atomic_uint *word, unsigned seen)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void futex_wake(atomic_uint *word)
{
    atomic_fetch_add(word, 1);
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* ---- the callers' side ---- */

static void list_push(struct waiter_list *list, struct waiter *x)
{
    if (!list->first)
        list->last = &list->first;
    *list->last = x;
    list->last = &x->next;
}

static struct waiter *list_pop(struct waiter_list *list)
{
    struct waiter *x = list->first;
    if (x)
        list->first = x->next;
    return x;
}

/* Readies the bodies of a call; more than one in an array of their own. */
static enum outcome waiter_prepare(struct store *s, struct waiter *x)
{
    size_t count = 0;
    for (struct store_body *b = x->call->body; b; b = b->next)
        count++;
    assert(count <= LIMIT_CALL_BODIES);
    x->bodies = count <= 1 ? &x->one : mem_alloc(count * sizeof(*x->bodies));
    enum outcome o = DONE;
    for (struct store_body *b = x->call->body; b && o == DONE; b = b->next) {
        if (b->file_bytes) /* it is synced here */
            blocking_ahead();
        x->bodies[x->body_count] = (struct body_write){0};
        o = body_prepare(&s->segments, b, &x->bodies[x->body_count++]);
    }
    return o;
}

static enum outcome waiter_end(struct waiter *x, enum outcome result)
{
    if (x->bodies != &x->one)
        mem_free(x->bodies);
    return result;
}

enum outcome store_write(struct store *s, const struct store_call *call)
{
    struct writer *w = &s->writer;
    struct waiter x = {.call = call};
    enum outcome prepared = waiter_prepare(s, &x);
    if (prepared != DONE)
        return waiter_end(&x, prepared);
    pthread_mutex_lock(&w->lock);
    if (w->stop) {
        pthread_mutex_unlock(&w->lock);
        return waiter_end(&x, TEMPFAIL);
    }
    x.gate = w->pending_gate;
    list_push(&w->waiting[call->bulk], &x);
    if (w->asleep)
        pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    blocking_ahead();
    for (;;) {
        unsigned seen = atomic_load(&w->gates[x.gate]);
        if (atomic_load(&x.answered))
            return waiter_end(&x, x.result);
        futex_wait(&w->gates[x.gate], seen);
    }
}

/* ---- a batch ---- */

struct batch {
    struct waiter *calls[LIMIT_BATCH_CALLS];
    struct body_write *bodies[LIMIT_BATCH_CALLS + LIMIT_CALL_BODIES];
    size_t count, body_count;
    uint64_t bytes;
    uint64_t live;        /* bytes of shared records that got a row */
    int64_t highest_body; /* with a row */
};

static void batch_push(struct batch *b, struct waiter *x)
{
    b->calls[b->count++] = x;
    for (size_t i = 0; i < x->body_count; i++) {
        b->bodies[b->body_count++] = &x->bodies[i];
        b->bytes += x->bodies[i].own ? 0 : x->bodies[i].length;
    }
}

/* Takes what waits: the interactive ones as far as the limits go, then one bulk call (T4). */
static void batch_take(struct writer *w, struct batch *b)
{
    for (int kind = 0; kind < 2; kind++) {
        struct waiter_list *list = &w->waiting[kind];
        size_t most = kind == 0 ? LIMIT_BATCH_CALLS - 1 : b->count + 1;
        while (list->first && b->count < most && b->bytes < LIMIT_BATCH_BYTES &&
               b->body_count < LIMIT_BATCH_CALLS)
            batch_push(b, list_pop(list));
    }
    w->pending_gate ^= 1;
}

static void batch_append(struct store *s, struct batch *b)
{
    if (!b->body_count || bodies_append(&s->segments, b->bodies, b->body_count) == DONE)
        return;
    for (size_t i = 0; i < b->count; i++) /* T6 */
        if (b->calls[i]->call->body)
            b->calls[i]->result = TEMPFAIL;
    b->body_count = 0;
}

/* A body nobody took (a duplicate, say) is put in doubt, for the purger. */
static void body_doubt_unnamed(struct db *db, const struct body_write *body)
{
    if (!body->named)
        sql_exec(db,
                 "INSERT INTO body_doubt SELECT ?1 WHERE NOT EXISTS"
                 " (SELECT 1 FROM q_message WHERE body = ?1 AND body > 0)"
                 " AND NOT EXISTS (SELECT 1 FROM message WHERE body = ?1)",
                 "i", body->body->id);
}

static void call_run(struct store *s, struct batch *b, struct waiter *x)
{
    struct writer *w = &s->writer;
    struct db *db = w->db;
    size_t recalls = s->fetches.pending_count;
    w->current = x;
    working_call(&w->working);
    sql_exec(db, "SAVEPOINT call", "");
    bool ready = true;
    for (size_t i = 0; i < x->body_count && ready; i++)
        ready = body_insert(db, &x->bodies[i]);
    x->result = ready && !sql_failed(db) ? x->call->fn(&w->tx, x->call->arg) : TEMPFAIL;
    if (x->result == DONE) {
        for (size_t i = 0; i < x->body_count; i++) {
            const struct body_write *body = &x->bodies[i];
            body_doubt_unnamed(db, body);
            b->live += body->own ? 0 : BODY_HEADER + body->length;
            b->highest_body = body->body->id > b->highest_body ? body->body->id : b->highest_body;
        }
    } else { /* T2 */
        working_undo(&w->working);
        recalls_undo(s, recalls);
        sql_exec(db, "ROLLBACK TO call", "");
    }
    sql_exec(db, "RELEASE call", "");
    w->current = NULL;
}

/* One transaction; false when the engine failed. */
static bool batch_commit(struct store *s, struct batch *b)
{
    struct writer *w = &s->writer;
    if (!db_begin(w->db))
        return false;
    for (size_t i = 0; i < b->count && !sql_failed(w->db); i++)
        if (b->calls[i]->result == DONE)
            call_run(s, b, b->calls[i]);
    working_flush(&w->tx);
    segments_flush(&s->segments, w->db, b->live, b->highest_body);
    return db_commit(w->db);
}

static void batch_answer(struct writer *w, struct batch *b)
{
    bool wake[2] = {false};
    for (size_t i = 0; i < b->count; i++) {
        wake[b->calls[i]->gate] = true;
        atomic_store(&b->calls[i]->answered, true); /* the waiter may be gone from here on */
    }
    for (int gate = 0; gate < 2; gate++)
        if (wake[gate])
            futex_wake(&w->gates[gate]);
}

static void batch_kept(struct store *s, struct batch *b)
{
    segments_keep(&s->segments);
    working_keep(&s->writer.tx);
    if (s->writer.directory_told != s->writer.working.directory_version)
        memo_forget(s->memo);
    s->writer.directory_told = s->writer.working.directory_version;
    recalls_keep(s);
    for (size_t i = 0; i < b->body_count; i++)
        metric_add(METRIC_STORE_BYTES, (int64_t)b->bodies[i]->length);
    for (size_t i = 0; i < b->count; i++)
        for (size_t k = 0; k < b->calls[i]->body_count && b->calls[i]->result != DONE; k++)
            body_unlink(&s->segments, &b->calls[i]->bodies[k]);
    metric_add(METRIC_STORE_COMMITS, 1);
    metric_add(METRIC_STORE_WRITES, (int64_t)b->count);
}

static void batch_lost(struct store *s, struct batch *b)
{
    log_event(LEVEL_WARNING, "store.batch", "calls=%zu result=tempfail", b->count);
    db_rollback(s->writer.db);
    segments_forget(&s->segments);
    working_forget(&s->writer.working);
    recalls_undo(s, 0);
    recalls_keep(s);
    for (size_t i = 0; i < b->body_count; i++)
        body_unlink(&s->segments, b->bodies[i]);
    for (size_t i = 0; i < b->count; i++)
        b->calls[i]->result = TEMPFAIL;
    metric_add(METRIC_STORE_FAILURES, 1);
}

static void batch_run(struct store *s, struct batch *b)
{
    struct writer *w = &s->writer;
    w->tx.now_ms = clock_ms();
    w->working.changed_count = 0;
    batch_append(s, b);
    if (batch_commit(s, b))
        batch_kept(s, b);
    else
        batch_lost(s, b);
    db_tidy(w->db);
    batch_answer(w, b);
    for (size_t i = 0; i < w->working.changed_count; i++)
        view_wake(s, w->working.changed[i].account, w->working.changed[i].mailbox);
    w->working.changed_count = 0;
    arena_reset(&w->arena);
    atomic_store(&w->last_ms, clock_mono_ms());
}

/* Copies the log back itself when that is short, or when it has grown beyond all measure. */
static void writer_checkpoint(struct store *s)
{
    struct writer *w = &s->writer;
    int pages = db_wal_pages(w->db), left;
    if (pages >= LIMIT_WAL_PAGES_HARD || atomic_exchange(&w->finish_checkpoint, false))
        db_checkpoint(w->db, &left);
    else if (pages >= LIMIT_WAL_PAGES)
        keeper_checkpoint(s);
}

/* A commit costs the same for one call and for fifty; a lone caller never waits. */
enum { GATHER_CALLS = 4, GATHER_US = 1000 };

static void *writer_main(void *arg)
{
    struct store *s = arg;
    struct writer *w = &s->writer;
    static _Thread_local struct batch batch;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        batch = (struct batch){0};
        batch_take(w, &batch);
        bool shrink = w->shrink, stop = w->stop;
        w->shrink = false;
        if (!batch.count && !shrink) {
            if (stop)
                break;
            w->asleep = true;
            pthread_cond_wait(&w->wake, &w->lock);
            w->asleep = false;
            continue;
        }
        pthread_mutex_unlock(&w->lock);
        if (batch.count) {
            batch_run(s, &batch);
            writer_checkpoint(s);
            if (batch.count >= GATHER_CALLS) /* many come at once: let more of them come along */
                usleep(GATHER_US);
        } else {
            working_end(&w->working);
            arena_end(&w->arena);
            db_shrink(w->db);
        }
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

void writer_shrink(struct store *s)
{
    pthread_mutex_lock(&s->writer.lock);
    s->writer.shrink = true;
    pthread_cond_signal(&s->writer.wake);
    pthread_mutex_unlock(&s->writer.lock);
}

/* Whose rows accounts/ reads over and over (memo.h). */
static const char *const directory_tables[] = {"domain", "account", "address",
                                               "alias",  "route",   NULL};

bool writer_open(struct store *s, struct buf *error)
{
    struct writer *w = &s->writer;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->wake, NULL);
    const char *path = arena_printf(&s->arena, "%s/store.db", s->options.dir).p;
    size_t cache = s->options.cache_bytes ? s->options.cache_bytes : LIMIT_WRITER_CACHE;
    w->db = db_open(&(struct db_options){path, s->options.create, false, cache}, error);
    w->tx = (struct store_tx){.db = w->db, .arena = &w->arena, .store = s};
    if (w->db)
        db_on_change(w->db, directory_tables, working_directory_changed, &w->working);
    return w->db != NULL;
}

bool writer_start(struct store *s)
{
    s->writer.started = pthread_create(&s->writer.thread, NULL, writer_main, s) == 0;
    return s->writer.started;
}

void writer_stop(struct store *s)
{
    struct writer *w = &s->writer;
    if (!w->started)
        return;
    pthread_mutex_lock(&w->lock);
    w->stop = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    w->started = false;
}

void writer_close(struct store *s)
{
    struct writer *w = &s->writer;
    working_end(&w->working);
    arena_end(&w->arena);
    db_close(w->db);
    w->db = NULL;
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->wake);
}
