#include "store/internal.h"
#include "base/banned.h"
int store_check(struct store *s, bool repair, struct buf *report)
{
    (void)s, (void)repair, (void)report;
    return 0;
}
