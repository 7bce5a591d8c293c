/* What deliver/ is made of, and the functions it hands to the queue. */
#include "deliver/deliver.h"

#include <assert.h>

#include "accounts/directory.h"
#include "base/log.h"
#include "deliver/internal.h"

#include "base/banned.h"

struct deliver *deliver_new(const struct deliver_options *options)
{
    struct deliver *d = mem_alloc(sizeof(*d));
    d->options = *options;
    d->pool = smtp_pool_new();
    return d;
}

void deliver_end(struct deliver *d)
{
    if (!d)
        return;
    smtp_pool_end(d->pool);
    mem_free(d);
}

static void deliver_batch(void *ctx, struct batch *b)
{
    struct deliver *d = ctx;
    if (slice_eq(b->destination, DESTINATION_LOCAL))
        deliver_local_batch(d, b);
    else
        deliver_remote(d, b);
}

static enum outcome resolve(void *ctx, struct arena *a, slice address, struct target **targets,
                            size_t *count)
{
    struct deliver *d = ctx;
    struct db *db = store_read(d->options.store);
    route_find(d, db, a, address, targets, count);
    bool failed = sql_failed(db);
    store_read_end(d->options.store, db);
    return failed ? TEMPFAIL : DONE;
}

static void gather(void *ctx, slice destination, int64_t *ms, int *count)
{
    struct deliver *d = ctx;
    struct arena a = {0};
    struct route r;
    struct db *db = store_read(d->options.store);
    bool routed = directory_route(db, &a, destination, &r);
    *ms = routed ? r.gather_ms : 0;
    *count = routed ? r.gather_count : 0;
    store_read_end(d->options.store, db);
    arena_end(&a);
}

static void idle(void *ctx)
{
    struct deliver *d = ctx;
    smtp_pool_sweep(d->pool);
}

struct queue_deliverer deliver_functions(struct deliver *d)
{
    return (struct queue_deliverer){
        .ctx = d,
        .local = deliver_local,
        .local_done = deliver_local_trace,
        .deliver = deliver_batch,
        .resolve = resolve,
        .gather = gather,
        .idle = idle,
    };
}
