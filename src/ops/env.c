/* Store, secrets, queue: opened in this order, closed in the opposite one. */
#include "ops/env.h"
#include "base/banned.h"

struct queue *env_open_queue(struct control_env *env, const struct queue_deliverer *deliverer,
                             struct buf *error)
{
    const struct config *c = env->config;
    struct queue_options options = {
        .store = env->store,
        .hostname = slice_c(c->hostname),
        .retry_ms = c->retry.ms,
        .retry_count = c->retry.count,
        .life_ms = c->lifetime_ms,
        .warn_ms = c->delay_warning_ms,
        .threads = (int)c->deliveries,
        .per_destination = (int)c->per_destination,
    };
    if (deliverer)
        options.deliverer = *deliverer;
    struct queue *q = queue_open(&options);
    if (!q)
        buf_printf(error, "the queue cannot be opened; run: yizhan check");
    return q;
}

bool env_open(struct control_env *env, const struct config *config, struct buf *error)
{
    *env = (struct control_env){.dir = ".", .config = config};
    env->store = store_open(&(struct store_options){.dir = env->dir}, error);
    if (!env->store)
        return false;
    env->secrets = secrets_open(env->dir, false, error);
    if (!env->secrets)
        return false;
    env->queue = env_open_queue(env, NULL, error);
    return env->queue != NULL;
}

void env_close(struct control_env *env)
{
    if (env->queue)
        queue_close(env->queue, 0);
    if (env->secrets)
        secrets_close(env->secrets);
    if (env->store)
        store_close(env->store);
    *env = (struct control_env){0};
}
