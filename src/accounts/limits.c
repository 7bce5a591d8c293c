/*
 * Two tables of bounded size, eight ways a set: rows for (name, IP) and rows for IPs (IPv6: the
 * /64, which is one customer).  A row counts different credentials; beyond the free ones each
 * further one doubles the delay.  A row is forgotten an hour after its last count; a full set
 * forgets its oldest.
 */
#include "accounts/limits.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/banned.h"

#define FORGET_MS HOUR_MS

enum { WAYS = 8, SETS = LIMIT_LOGIN_PENALTIES / 2 / WAYS, CREDENTIALS = 6, DOUBLINGS = 16 };

/* What is free, and how long a wait can get. */
struct schedule {
    uint32_t free;
    int64_t most_ms;
};
static const struct schedule for_pair = {.free = 5, .most_ms = 5 * MINUTE_MS};
static const struct schedule for_place = {.free = 20, .most_ms = MINUTE_MS};

struct watched {
    uint64_t key;   /* 0: free */
    uint64_t place; /* the IP's part of the key */
    int64_t at_ms, until_ms;
    uint32_t count;
    bool good;                         /* this pair has logged in */
    uint64_t credentials[CREDENTIALS]; /* the last ones counted, a ring */
};

struct table {
    struct watched sets[SETS][WAYS];
};

struct limits {
    pthread_mutex_t lock;
    struct table pairs, places;
};

struct limits *limits_new(void)
{
    struct limits *l = mem_alloc(sizeof(*l)); /* zero pages: memory comes with use */
    pthread_mutex_init(&l->lock, NULL);
    return l;
}

void limits_end(struct limits *l)
{
    if (!l)
        return;
    pthread_mutex_destroy(&l->lock);
    mem_free(l);
}

/* ---- rows ---- */

/* What counts as one place: an IPv4 address, or the first 64 bits of an IPv6 address. */
static uint64_t place_of(slice ip)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr v6;
    snprintf(text, sizeof(text), "%.*s", P(slice_sub(ip, 0, sizeof(text) - 1)));
    if (inet_pton(AF_INET6, text, &v6) != 1)
        return hash_keyed(ip);
    return hash_keyed((slice){(const char *)&v6, IN6_IS_ADDR_V4MAPPED(&v6) ? 16 : 8});
}

static uint64_t pair_of(slice name, uint64_t place)
{
    uint64_t key = hash_keyed(name) ^ place;
    return key ? key : 1;
}

static struct watched *find(struct table *t, uint64_t key)
{
    struct watched *set = t->sets[key % SETS];
    for (int i = 0; i < WAYS; i++)
        if (set[i].key == key)
            return &set[i];
    return NULL;
}

/* The row of a key, made when there is none; one that is due to be forgotten starts anew. */
static struct watched *row_of(struct table *t, uint64_t key, uint64_t place, int64_t now_ms)
{
    struct watched *w = find(t, key);
    if (!w) {
        struct watched *set = t->sets[key % SETS];
        w = &set[0];
        for (int i = 1; i < WAYS && w->key; i++)
            if (!set[i].key || set[i].at_ms < w->at_ms)
                w = &set[i];
        *w = (struct watched){.key = key, .place = place, .at_ms = now_ms};
    } else if (now_ms - w->at_ms > FORGET_MS) {
        *w = (struct watched){.key = key, .place = place, .at_ms = now_ms, .good = w->good};
    }
    return w;
}

static uint64_t *slot_of(struct watched *w, uint64_t credential)
{
    for (int i = 0; i < CREDENTIALS; i++)
        if (w->credentials[i] == credential)
            return &w->credentials[i];
    return NULL;
}

static void count(struct watched *w, const struct schedule *schedule, uint64_t credential,
                  int64_t now_ms)
{
    if (slot_of(w, credential))
        return;
    w->credentials[w->count % CREDENTIALS] = credential;
    w->count++;
    w->at_ms = now_ms;
    if (w->count <= schedule->free)
        return;
    uint32_t beyond = w->count - schedule->free - 1;
    int64_t delay_ms = SECOND_MS << (beyond < DOUBLINGS ? beyond : DOUBLINGS);
    w->until_ms = now_ms + (delay_ms < schedule->most_ms ? delay_ms : schedule->most_ms);
}

static void uncount(struct watched *w, uint64_t credential)
{
    uint64_t *slot = w ? slot_of(w, credential) : NULL;
    if (!slot || w->count == 0)
        return;
    *slot = 0;
    w->count--;
    w->until_ms = 0;
}

/* ---- the questions ---- */

/* A place counts (name, credential), so that one password tried on all names counts each time. */
static uint64_t credential_at_place(const struct limits_try *t)
{
    return t->credential ^ hash_keyed(t->name);
}

int64_t limits_wait(struct limits *l, const struct limits_try *t)
{
    uint64_t at = place_of(t->ip);
    pthread_mutex_lock(&l->lock);
    struct watched *pair = row_of(&l->pairs, pair_of(t->name, at), at, t->now_ms);
    struct watched *place = row_of(&l->places, at, at, t->now_ms);
    int64_t until = pair->until_ms;
    if (!pair->good && place->until_ms > until)
        until = place->until_ms;
    if (until <= t->now_ms) {
        until = t->now_ms;
        count(pair, &for_pair, t->credential, t->now_ms);
        if (!pair->good)
            count(place, &for_place, credential_at_place(t), t->now_ms);
    }
    pthread_mutex_unlock(&l->lock);
    return until - t->now_ms;
}

static void take_back(struct limits *l, const struct limits_try *t, bool good)
{
    uint64_t at = place_of(t->ip);
    pthread_mutex_lock(&l->lock);
    struct watched *pair = find(&l->pairs, pair_of(t->name, at));
    uncount(pair, t->credential);
    uncount(find(&l->places, at), credential_at_place(t));
    if (pair && good)
        *pair = (struct watched){.key = pair->key, .place = at, .at_ms = t->now_ms, .good = true};
    pthread_mutex_unlock(&l->lock);
}

void limits_passed(struct limits *l, const struct limits_try *t)
{
    take_back(l, t, true);
}

void limits_undecided(struct limits *l, const struct limits_try *t)
{
    take_back(l, t, false);
}

static void forgive(struct table *t, uint64_t place)
{
    for (int i = 0; i < SETS; i++)
        for (int k = 0; k < WAYS; k++)
            if (t->sets[i][k].place == place)
                t->sets[i][k] = (struct watched){0};
}

void limits_forgive(struct limits *l, slice ip)
{
    uint64_t at = place_of(ip);
    pthread_mutex_lock(&l->lock);
    forgive(&l->pairs, at);
    forgive(&l->places, at);
    pthread_mutex_unlock(&l->lock);
}
