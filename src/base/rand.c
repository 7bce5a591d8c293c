#include "base/rand.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/banned.h"
#include "base/clock.h"

void rand_bytes(void *out, size_t n)
{
    char *to = out;
    while (n) {
        ssize_t got = getrandom(to, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            abort();
        to += got;
        n -= (size_t)got;
    }
}

uint64_t rand_u64(void)
{
    uint64_t v;
    rand_bytes(&v, sizeof(v));
    return v;
}

uint64_t rand_below(uint64_t below)
{
    uint64_t limit = UINT64_MAX - UINT64_MAX % below;
    uint64_t v;
    do
        v = rand_u64();
    while (v >= limit);
    return v % below;
}

static const char id_digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

/* The random part of ids, which are no secrets: asked of the kernel a page at a time. */
static uint32_t id_random(void)
{
    static _Thread_local uint32_t some[64];
    static _Thread_local size_t left;
    if (left == 0) {
        rand_bytes(some, sizeof(some));
        left = sizeof(some) / sizeof(some[0]);
    }
    return some[--left];
}

int64_t id_new(void)
{
    uint64_t time = (uint64_t)clock_ms() & ((UINT64_C(1) << 42) - 1);
    return (int64_t)(time << 21 | (id_random() & ((1 << 21) - 1)));
}

void id_text(int64_t id, char out[ID_TEXT])
{
    uint64_t v = (uint64_t)id;
    for (int i = ID_TEXT - 1; i >= 0; i--) {
        out[i] = id_digits[v & 31];
        v >>= 5;
    }
}

bool id_parse(slice text, int64_t *id)
{
    uint64_t v = 0;
    if (text.n != ID_TEXT)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        const char *at = memchr(id_digits, ascii_lower(text.p[i]), sizeof(id_digits) - 1);
        if (!at || (i == 0 && at - id_digits > 7))
            return false;
        v = v << 5 | (uint64_t)(at - id_digits);
    }
    *id = (int64_t)v;
    return v <= INT64_MAX;
}
