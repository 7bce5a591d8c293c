/*
 * The line is written at most ten times a second, and only when the transfer takes longer than half
 * a second or was asked to show it.
 */
#include "agent/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/units.h"
#include "base/banned.h"

enum { SHOW_EVERY_MS = 100, QUIET_MS = 500 };

void progress_start(struct progress *p, const char *what, uint64_t total, bool asked)
{
    *p = (struct progress){.on = asked || isatty(STDERR_FILENO),
                           .what = what,
                           .total = total,
                           .start_ms = clock_mono_ms()};
    if (asked) /* even a short one is shown */
        p->start_ms -= QUIET_MS;
}

static void show(struct progress *p, int64_t now_ms)
{
    struct arena a = {0};
    int64_t ms = now_ms - p->start_ms > 0 ? now_ms - p->start_ms : 1;
    slice done = units_print_size(&a, p->done), total = units_print_size(&a, p->total);
    slice rate = units_print_size(&a, p->done * 1000 / (uint64_t)ms);
    if (p->total)
        fprintf(stderr, "\r%s %.*s of %.*s (%d%%), %.*s/s\x1b[K", p->what, P(done), P(total),
                (int)(p->done * 100 / p->total), P(rate));
    else
        fprintf(stderr, "\r%s %.*s, %.*s/s\x1b[K", p->what, P(done), P(rate));
    fflush(stderr);
    p->shown_ms = now_ms;
    arena_end(&a);
}

void progress_add(struct progress *p, uint64_t bytes)
{
    p->done += bytes;
    int64_t now = clock_mono_ms();
    if (p->on && now - p->start_ms >= QUIET_MS && now - p->shown_ms >= SHOW_EVERY_MS)
        show(p, now);
}

void progress_end(struct progress *p)
{
    if (!p->on || !p->shown_ms)
        return;
    show(p, clock_mono_ms());
    fputc('\n', stderr);
    p->on = false;
}
