/* The control socket's file: DIR/run/control.sock, however long DIR is. */
#ifndef OPS_SOCKET_H
#define OPS_SOCKET_H

#include "base/buf.h"

/* Connected fd, or -1 with errno. */
int socket_connect(const char *dir);
/* Listening fd, mode 0600, non-blocking; a dead server's file is replaced.  -1 with errno. */
int socket_listen(const char *dir);
void socket_remove(const char *dir);

/*
 * The next line of a blocking socket into b (of which *line borrows, without its LF; eaten before
 * the next).  False at the end, after a time-out, or when b's cap is reached.
 */
bool socket_read_line(int fd, struct buf *b, slice *line);

#endif
