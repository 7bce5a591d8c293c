/*
 * The pool of open connections: a small array under a mutex.  Nothing that waits for the network
 * happens under it: what is taken out is probed and closed by the caller's thread.
 */
#include "smtp/pool.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/banned.h"

struct kept {
    struct smtp_client *client; /* NULL: a free place */
    char *destination;
    size_t n;
    int64_t until_ms;
};

struct smtp_pool {
    pthread_mutex_t mutex;
    struct kept kept[LIMIT_KEPT_CLIENTS];
};

struct smtp_pool *smtp_pool_new(void)
{
    struct smtp_pool *p = mem_alloc(sizeof(*p));
    pthread_mutex_init(&p->mutex, NULL);
    return p;
}

/* Takes the client out of its place; the mutex is held. */
static struct smtp_client *take_out(struct kept *k)
{
    struct smtp_client *c = k->client;
    mem_free(k->destination);
    *k = (struct kept){0};
    return c;
}

/* Closes, outside the mutex, every connection that was kept until before now_ms. */
static void close_before(struct smtp_pool *p, int64_t now_ms)
{
    struct smtp_client *old[LIMIT_KEPT_CLIENTS];
    size_t n = 0;
    pthread_mutex_lock(&p->mutex);
    for (size_t i = 0; i < LIMIT_KEPT_CLIENTS; i++)
        if (p->kept[i].client && p->kept[i].until_ms <= now_ms)
            old[n++] = take_out(&p->kept[i]);
    pthread_mutex_unlock(&p->mutex);
    for (size_t i = 0; i < n; i++)
        smtp_client_close(old[i]);
}

void smtp_pool_sweep(struct smtp_pool *p)
{
    close_before(p, clock_mono_ms());
}

void smtp_pool_end(struct smtp_pool *p)
{
    if (!p)
        return;
    close_before(p, INT64_MAX);
    pthread_mutex_destroy(&p->mutex);
    mem_free(p);
}

struct smtp_client *smtp_pool_take(struct smtp_pool *p, slice destination)
{
    struct smtp_client *found = NULL;
    smtp_pool_sweep(p);
    do {
        smtp_client_close(found); /* the other end has closed it meanwhile */
        found = NULL;
        pthread_mutex_lock(&p->mutex);
        for (size_t i = 0; i < LIMIT_KEPT_CLIENTS && !found; i++)
            if (p->kept[i].client &&
                slice_eq((slice){p->kept[i].destination, p->kept[i].n}, destination))
                found = take_out(&p->kept[i]);
        pthread_mutex_unlock(&p->mutex);
    } while (found && !smtp_client_probe(found));
    return found;
}

void smtp_pool_give(struct smtp_pool *p, slice destination, struct smtp_client *c)
{
    struct kept *place = NULL;
    int same = 0;
    pthread_mutex_lock(&p->mutex);
    for (size_t i = 0; i < LIMIT_KEPT_CLIENTS; i++) {
        struct kept *k = &p->kept[i];
        if (!k->client)
            place = place ? place : k;
        else if (slice_eq((slice){k->destination, k->n}, destination))
            same++;
    }
    if (place && same < LIMIT_KEPT_PER_DESTINATION && smtp_client_usable(c)) {
        place->client = c;
        place->destination = mem_alloc(destination.n + 1);
        memcpy(place->destination, destination.p, destination.n);
        place->n = destination.n;
        place->until_ms = clock_mono_ms() + LIMIT_KEPT_MS;
        c = NULL;
    }
    pthread_mutex_unlock(&p->mutex);
    smtp_client_close(c);
}
