/*
 * The worker: the unprivileged process that has the store and speaks all protocols.  The parent
 * (serve.c) binds the ports and forks it.
 */
#ifndef OPS_WORKER_H
#define OPS_WORKER_H

#include "config.h"

/* A service on a standard port. */
struct service_row {
    const char *role; /* of [node] roles */
    const char *name; /* in the log */
    uint16_t port;
    bool implicit_tls;
};
extern const struct service_row service_rows[]; /* ends with a row without role */

/* A port the parent has bound. */
struct port {
    const struct service_row *service;
    const char *ip; /* as configured */
    uint16_t port;
    int fd;
};

enum {
    WORKER_STOPPED = 0,
    WORKER_FAILED = 1,  /* it said why */
    WORKER_CHANGED = 3, /* the configuration has changed: start another */
};

/*
 * Runs in the post's directory as its unprivileged user until SIGTERM; SIGTERM, SIGINT and SIGHUP
 * are blocked.  Writes one byte to ready_fd when every port answers.  Returns how it ended.
 */
int worker_run(const struct config *config, const struct port *ports, size_t count, int ready_fd);

#endif
