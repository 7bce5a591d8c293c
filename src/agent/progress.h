/* One line on standard error that shows how far a long transfer is; silent for short ones. */
#ifndef AGENT_PROGRESS_H
#define AGENT_PROGRESS_H

#include "base/slice.h"

struct progress {
    bool on;          /* a terminal, or asked for */
    const char *what; /* "sending" */
    uint64_t total;   /* 0: unknown */
    uint64_t done;
    int64_t start_ms, shown_ms; /* clock_mono_ms */
};

/* asked: --progress; else only a terminal sees it. */
void progress_start(struct progress *p, const char *what, uint64_t total, bool asked);
void progress_add(struct progress *p, uint64_t bytes);
/* Ends the line, if there was one. */
void progress_end(struct progress *p);

#endif
