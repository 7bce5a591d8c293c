/* Asking a person. */
#ifndef BASE_PROMPT_H
#define BASE_PROMPT_H

#include "base/arena.h"
#include "base/buf.h"

/*
 * A password: from the terminal without echo (asked twice when it is new and must be typed right),
 * or one line of standard input when that is no terminal.  False with one line in error.
 */
bool prompt_password(struct arena *a, const char *question, bool twice, slice *password,
                     struct buf *error);
/* The same, from the terminal alone: standard input holds something else. */
bool prompt_terminal(struct arena *a, const char *question, bool twice, slice *password,
                     struct buf *error);

#endif
