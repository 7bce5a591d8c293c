/*
 * The HTTP/1.1 server session (RFC 9112) over net/session.h: requests in order, one at a time,
 * answered by a table of routes.  /healthz and /metrics are always there.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "base/buf.h"
#include "http/request.h"
#include "net/session.h"

/* What a route answers. */
struct http_reply {
    int status;        /* 200 until the route says otherwise */
    const char *type;  /* "text/plain; charset=utf-8" until the route says otherwise */
    struct buf body;   /* max = LIMIT_HTTP_REPLY */
    struct buf fields; /* further field lines, each with its CRLF */
};

struct http_route {
    const char *method; /* "GET" also answers HEAD */
    const char *path;   /* exactly this, or everything below it when it ends in "/" + "*" */
    /* Runs on the session's thread.  The request lives as long as the call. */
    void (*fn)(void *ctx, const struct peer *peer, const struct http_request *request,
               struct http_reply *reply);
    void *ctx;
};

enum http_metrics { HTTP_METRICS_LOOPBACK, HTTP_METRICS_ALL, HTTP_METRICS_OFF };

struct http_options {
    const struct http_route *routes;
    size_t route_count;
    /* True when all is well; else adds the reasons, a line each.  NULL: always well. */
    bool (*health)(void *ctx, struct buf *reasons);
    void *health_ctx;
    enum http_metrics metrics; /* LOOPBACK: only where the listener is on a loopback address */
    uint64_t body_max;         /* of requests; LIMIT_HTTP_BODY when 0 */
};

/* A new session; options live as long as it. */
struct session *http_server_new(const struct http_options *options);

#endif
