/* Threads of the network: detached, small stacks, no signals (those are the main thread's). */
#ifndef NET_THREAD_H
#define NET_THREAD_H

#include <stdbool.h>

enum { THREAD_STACK = 1 << 20, THREAD_IDLE_S = 10 /* a surplus thread exits after that */ };

/* name: at most 15 characters, seen in ps and gdb.  False when the kernel has no more. */
bool thread_start(void *(*run)(void *), void *arg, const char *name);

#endif
