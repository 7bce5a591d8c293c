/*
 * A set-associative table of HMACs: four ways a set, the set chosen by the HMAC itself.  The epoch
 * counts changes of credentials, so that a check which began before a change leaves nothing.
 */
#include "accounts/remember.h"

#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <pthread.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/rand.h"
#include "base/banned.h"

enum { WAYS = 4, SETS = LIMIT_LOGINS_REMEMBERED / WAYS, MAC = 32 };

struct remembered {
    int64_t account; /* 0: free */
    int64_t at_ms;
    unsigned char mac[MAC];
};

struct remember {
    pthread_mutex_t lock;
    uint64_t epoch; /* counts changes of credentials */
    unsigned char key[MAC];
    struct remembered sets[SETS][WAYS];
};

struct remember *remember_new(void)
{
    struct remember *r = mem_alloc(sizeof(*r)); /* zero pages: memory comes with use */
    pthread_mutex_init(&r->lock, NULL);
    rand_bytes(r->key, sizeof(r->key));
    return r;
}

void remember_end(struct remember *r)
{
    if (!r)
        return;
    pthread_mutex_destroy(&r->lock);
    OPENSSL_cleanse(r, sizeof(*r));
    mem_free(r);
}

static void mac_of(const struct remember *r, int64_t account, slice password,
                   unsigned char mac[MAC])
{
    unsigned char text[sizeof(account) + LIMIT_PASSWORD];
    size_t n = password.n < LIMIT_PASSWORD ? password.n : LIMIT_PASSWORD;
    memcpy(text, &account, sizeof(account));
    if (n)
        memcpy(text + sizeof(account), password.p, n);
    HMAC(EVP_sha256(), r->key, MAC, text, sizeof(account) + n, mac, NULL);
    OPENSSL_cleanse(text, sizeof(text));
}

static struct remembered *set_of(struct remember *r, const unsigned char mac[MAC])
{
    return r->sets[(mac[0] | mac[1] << 8) % SETS];
}

bool remember_has(struct remember *r, int64_t account, slice password, int64_t now_ms)
{
    unsigned char mac[MAC];
    bool found = false;
    mac_of(r, account, password, mac);
    pthread_mutex_lock(&r->lock);
    struct remembered *set = set_of(r, mac);
    for (int i = 0; i < WAYS; i++)
        found |= set[i].account == account && now_ms - set[i].at_ms < REMEMBER_MS &&
                 CRYPTO_memcmp(set[i].mac, mac, MAC) == 0;
    pthread_mutex_unlock(&r->lock);
    return found && account != 0;
}

uint64_t remember_epoch(struct remember *r)
{
    pthread_mutex_lock(&r->lock);
    uint64_t epoch = r->epoch;
    pthread_mutex_unlock(&r->lock);
    return epoch;
}

/* The way of the same password, else a free one, else the oldest. */
static struct remembered *way_for(struct remembered *set, const unsigned char mac[MAC])
{
    struct remembered *best = &set[0];
    for (int i = 0; i < WAYS; i++) {
        if (set[i].account && CRYPTO_memcmp(set[i].mac, mac, MAC) == 0)
            return &set[i];
        if (best->account && (!set[i].account || set[i].at_ms < best->at_ms))
            best = &set[i];
    }
    return best;
}

void remember_add(struct remember *r, int64_t account, slice password, uint64_t epoch,
                  int64_t now_ms)
{
    unsigned char mac[MAC];
    mac_of(r, account, password, mac);
    pthread_mutex_lock(&r->lock);
    if (r->epoch == epoch && account != 0) {
        struct remembered *way = way_for(set_of(r, mac), mac);
        way->account = account;
        way->at_ms = now_ms;
        memcpy(way->mac, mac, MAC);
    }
    pthread_mutex_unlock(&r->lock);
}

void remember_forget(struct remember *r, int64_t account)
{
    pthread_mutex_lock(&r->lock);
    r->epoch++;
    for (int i = 0; i < SETS; i++)
        for (int k = 0; k < WAYS; k++)
            if (r->sets[i][k].account == account)
                r->sets[i][k] = (struct remembered){0};
    pthread_mutex_unlock(&r->lock);
}
