/*
 * This program run again as a process of its own, as a person would type it: the demo does
 * everything by the command line it shows.  A child ends when its parent does.
 */
#ifndef OPS_CHILD_H
#define OPS_CHILD_H

#include <sys/types.h>

#include "base/arena.h"

enum { CHILD_WORDS = 64, CHILD_OUTPUT = 1 << 20 };

/*
 * Runs "yizhan words…" (ending with NULL) with input on its standard input, and waits.  Its exit
 * code, or -1 when it could not run; out and error (either may be NULL) in the arena, at most
 * CHILD_OUTPUT bytes.
 */
int child_run(struct arena *a, const char *const *words, slice input, slice *out, slice *error);

/* Starts it; *out reads its standard output.  Standard error goes to the file error_path.  -1:
 * errno. */
pid_t child_start(const char *const *words, const char *error_path, int *out);
/* Waits for its end; its exit code, 128 + the signal that killed it. */
int child_wait(pid_t pid);
/* SIGTERM, and waits for its end; its exit code, 128 + the signal that killed it. */
int child_stop(pid_t pid);

#endif
