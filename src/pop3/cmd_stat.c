/* STAT (RFC 1939 section 5): from the view's counters, never a scan. */
#include "pop3/command.h"

#include "base/banned.h"

void pop3_cmd_stat(struct pop3 *p, slice argument)
{
    (void)argument;
    const struct maildrop *d = &p->drop;
    pop3_ok(p, "%u %llu", d->info.count - d->deleted_count,
            (unsigned long long)(d->info.size - d->deleted_bytes));
}
