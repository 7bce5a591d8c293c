/*
 * The process-wide memory budget: whoever is about to keep bytes for a stranger asks first and
 * refuses (421, NO [LIMIT], 503) before an allocation can fail.
 */
#ifndef BASE_BUDGET_H
#define BASE_BUDGET_H

#include <stdbool.h>
#include <stddef.h>

/* Sets the total in bytes; LIMIT_MEMORY until then. */
void budget_set(size_t total);
/* Takes n bytes of it, or false. */
bool budget_take(size_t n);
void budget_give(size_t n);
/* Bytes taken now. */
size_t budget_used(void);

#endif
