#include "base/blocking.h"

#include <stddef.h>

#include "base/banned.h"

static _Thread_local void (*told)(void *arg);
static _Thread_local void *told_arg;

void blocking_tell(void (*fn)(void *arg), void *arg)
{
    told = fn;
    told_arg = arg;
}

void blocking_ahead(void)
{
    if (told)
        told(told_arg);
}
