#include "base/budget.h"

#include <assert.h>
#include <stdatomic.h>

#include "base/banned.h"
#include "base/limits.h"

static atomic_size_t budget_total = LIMIT_MEMORY;
static atomic_size_t budget_taken;

void budget_set(size_t total)
{
    atomic_store(&budget_total, total);
}

bool budget_take(size_t n)
{
    size_t total = atomic_load(&budget_total);
    size_t now = atomic_load(&budget_taken);
    do {
        if (now > total || n > total - now)
            return false;
    } while (!atomic_compare_exchange_weak(&budget_taken, &now, now + n));
    return true;
}

void budget_give(size_t n)
{
    size_t before = atomic_fetch_sub(&budget_taken, n);
    assert(before >= n);
}

size_t budget_used(void)
{
    return atomic_load(&budget_taken);
}
