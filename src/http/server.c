/*
 * One request after another:
 *   HEAD -> BODY or CHUNKS -> the route -> the answer in pieces (SESSION_ROOM) -> HEAD
 * A request that is refused before its body has been read ends the connection: where the next one
 * would begin is not known for sure.
 */
#include "http/server.h"

#include <stdio.h>

#include "base/budget.h"
#include "base/clock.h"
#include "base/log.h"
#include "http/chunked.h"
#include "http/reply.h"
#include "base/banned.h"

enum {
    HTTP_REQUEST_MS = 30 * 1000, /* for a head; for each KiB of a body */
    HTTP_IDLE_MS = 60 * 1000,    /* between requests */
};

enum state { AT_HEAD, AT_BODY, AT_CHUNKS, AT_ANSWER };

struct http {
    struct session s; /* first: a session is an http */
    const struct http_options *options;
    enum state state;
    bool partial;       /* some bytes of a request have come */
    bool close;         /* after this answer */
    struct arena arena; /* the request's */
    struct http_request request;
    const struct http_route *route;
    struct chunked chunked;
    struct buf body;         /* of the request */
    size_t held;             /* bytes of it taken from the budget */
    struct http_reply reply; /* its body while it is being sent */
};

static struct http *http_of(struct session *s)
{
    return (struct http *)s;
}

/* ---- answering ---- */

static void forget_request(struct http *h)
{
    budget_give(h->held);
    h->held = 0;
    buf_end(&h->body);
    buf_end(&h->reply.body);
    buf_end(&h->reply.fields);
    arena_reset(&h->arena);
    h->request = (struct http_request){0};
    h->partial = false;
}

/* As much of the answer as there is room for. */
static void send_piece(struct http *h)
{
    struct buf *from = &h->reply.body, *out = &h->s.out;
    size_t room = LIMIT_OUT / 2 > buf_length(out) ? LIMIT_OUT / 2 - buf_length(out) : 0;
    slice piece = slice_sub(buf_slice(from), 0, room);
    buf_add(out, piece);
    buf_eat(from, piece.n);
    h->s.want = SESSION_ROOM;
    if (buf_length(from))
        return;
    h->s.want = h->close ? SESSION_CLOSE : SESSION_READ;
    h->s.timeout_ms = HTTP_IDLE_MS;
    h->state = AT_HEAD;
    forget_request(h);
}

static void answer(struct http *h)
{
    struct http_reply *r = &h->reply;
    h->close |= !h->request.keep_alive;
    http_head_print(&h->s.out, r->status, r->type, buf_length(&r->body), buf_slice(&r->fields),
                    h->close);
    log_event(LEVEL_INFO, "http.request", "session=%s method=%s path=%s status=%d bytes=%zu",
              h->s.id, log_quote(h->request.method), log_quote(h->request.path), r->status,
              buf_length(&r->body));
    if (slice_eq(h->request.method, S("HEAD")) || r->status == 204 || r->status == 304)
        buf_clear(&r->body);
    h->state = AT_ANSWER;
    send_piece(h);
}

static void start_reply(struct http *h, int status)
{
    h->reply = (struct http_reply){.status = status,
                                   .type = "text/plain; charset=utf-8",
                                   .body.max = LIMIT_HTTP_REPLY,
                                   .fields.max = LIMIT_HTTP_HEAD};
}

static void answer_status(struct http *h, int status)
{
    start_reply(h, status);
    buf_printf(&h->reply.body, "%s\n", http_reason(status));
    answer(h);
}

/* Answers and closes: the rest of the input is not to be trusted, or will not be read. */
static void refuse(struct http *h, int status)
{
    h->close = true;
    answer_status(h, status);
}

/* ---- routes ---- */

static void health(void *ctx, const struct peer *peer, const struct http_request *request,
                   struct http_reply *reply)
{
    const struct http_options *o = ((struct http *)ctx)->options;
    (void)peer;
    (void)request;
    bool well = !o->health || o->health(o->health_ctx, &reply->body);
    if (well)
        buf_clear(&reply->body);
    reply->status = well ? 200 : 503;
    buf_add(&reply->body, well ? S("ok\n") : S(""));
}

static void metrics(void *ctx, const struct peer *peer, const struct http_request *request,
                    struct http_reply *reply)
{
    const struct http_options *o = ((struct http *)ctx)->options;
    (void)request;
    if (o->metrics == HTTP_METRICS_OFF ||
        (o->metrics == HTTP_METRICS_LOOPBACK && !peer->loopback)) {
        reply->status = 403;
        buf_add(&reply->body,
                S("Metrics are for loopback listeners only, unless the config says otherwise.\n"));
        return;
    }
    reply->type = "text/plain; version=0.0.4; charset=utf-8";
    metric_print(&reply->body);
}

/* Their ctx is the session itself. */
static const struct http_route built_in[] = {
    {"GET", "/healthz", health, NULL},
    {"GET", "/metrics", metrics, NULL},
};

static bool path_matches(slice path, slice route)
{
    if (slice_ends(route, S("/*")))
        return slice_starts(path, slice_sub(route, 0, route.n - 1));
    return slice_eq(path, route);
}

static bool method_matches(slice method, slice route)
{
    return slice_eq(method, route) || (slice_eq(method, S("HEAD")) && slice_eq(route, S("GET")));
}

/* Looks in one table; notes methods that would do in allow. */
static const struct http_route *find_in(const struct http_route *routes, size_t count,
                                        const struct http_request *r, struct buf *allow)
{
    for (size_t i = 0; i < count; i++) {
        if (!path_matches(r->path, slice_c(routes[i].path)))
            continue;
        if (method_matches(r->method, slice_c(routes[i].method)))
            return &routes[i];
        bool get = slice_eq(slice_c(routes[i].method), S("GET"));
        buf_printf(allow, "%s%s%s", buf_length(allow) ? ", " : "", routes[i].method,
                   get ? ", HEAD" : "");
    }
    return NULL;
}

/* The route of the request; NULL when it has been refused. */
static const struct http_route *find_route(struct http *h)
{
    const struct http_options *o = h->options;
    struct buf allow = {.max = 1024};
    const struct http_route *route =
        find_in(built_in, sizeof(built_in) / sizeof(built_in[0]), &h->request, &allow);
    if (!route)
        route = find_in(o->routes, o->route_count, &h->request, &allow);
    if (!route) {
        h->close |= h->request.chunked || h->request.content_length;
        start_reply(h, buf_length(&allow) ? 405 : 404);
        if (buf_length(&allow))
            buf_printf(&h->reply.fields, "Allow: %.*s\r\n", P(buf_slice(&allow)));
        buf_printf(&h->reply.body, "%s\n", http_reason(h->reply.status));
        answer(h);
    }
    buf_end(&allow);
    return route;
}

static void run_route(struct http *h)
{
    const struct http_route *route = h->route;
    bool own = route >= built_in && route < built_in + sizeof(built_in) / sizeof(built_in[0]);
    h->request.body = buf_slice(&h->body);
    start_reply(h, 200);
    route->fn(own ? h : route->ctx, &h->s.peer, &h->request, &h->reply);
    if (h->reply.body.full) {
        buf_end(&h->reply.body);
        answer_status(h, 500);
        return;
    }
    answer(h);
}

/* ---- reading ---- */

static uint64_t body_max(const struct http *h)
{
    return h->options->body_max ? h->options->body_max : LIMIT_HTTP_BODY;
}

/* Keeps a piece of the body; false when it was refused. */
static bool add_body(struct http *h, slice piece)
{
    if (piece.n > buf_room(&h->body)) {
        refuse(h, 413);
        return false;
    }
    size_t need = buf_length(&h->body) + piece.n;
    if (need > h->held) {
        size_t step = need - h->held < LIMIT_IN ? LIMIT_IN : need - h->held;
        if (!budget_take(step)) {
            refuse(h, 503);
            return false;
        }
        h->held += step;
    }
    return buf_add(&h->body, piece);
}

/* The head has been understood: what comes next? */
static void begin_body(struct http *h)
{
    struct http_request *r = &h->request;
    h->route = find_route(h);
    if (!h->route)
        return;
    if (r->content_length > body_max(h)) {
        refuse(h, 413);
        return;
    }
    h->body.max = (size_t)body_max(h);
    h->chunked = (struct chunked){0};
    h->state = r->chunked ? AT_CHUNKS : AT_BODY;
    if (r->expects_continue && (r->chunked || r->content_length))
        buf_add(&h->s.out, S("HTTP/1.1 100 Continue\r\n\r\n"));
    if (!r->chunked && !r->content_length)
        run_route(h);
}

static size_t feed_head(struct http *h, slice in)
{
    int status = 0;
    h->partial = true;
    h->s.timeout_ms = HTTP_REQUEST_MS;
    ssize_t n = http_head_parse(&h->arena, in, &h->request, &status);
    if (n < 0) {
        refuse(h, status);
        return in.n;
    }
    if (n == 0) {
        arena_reset(&h->arena);
        h->request = (struct http_request){0}; /* it borrowed from in */
        return 0;
    }
    /* Again, from a copy that lives until the answer is made. */
    slice head = arena_dup(&h->arena, slice_sub(in, 0, (size_t)n));
    http_head_parse(&h->arena, head, &h->request, &status);
    begin_body(h);
    return (size_t)n;
}

static size_t feed_body(struct http *h, slice in)
{
    size_t left = (size_t)h->request.content_length - buf_length(&h->body);
    slice piece = slice_sub(in, 0, left);
    if (add_body(h, piece) && piece.n == left)
        run_route(h);
    return piece.n;
}

static size_t feed_chunks(struct http *h, slice in)
{
    slice data;
    ssize_t n = chunked_eat(&h->chunked, in, &data);
    if (n < 0) {
        refuse(h, 400);
        return in.n;
    }
    if (data.n && !add_body(h, data))
        return in.n;
    if (h->chunked.at == CHUNK_DONE)
        run_route(h);
    return (size_t)n;
}

/* ---- the session ---- */

static void start(struct session *s)
{
    s->timeout_ms = HTTP_REQUEST_MS;
}

static size_t feed(struct session *s, slice in)
{
    struct http *h = http_of(s);
    switch (h->state) {
    case AT_HEAD:
        return feed_head(h, in);
    case AT_BODY:
        return feed_body(h, in);
    case AT_CHUNKS:
        return feed_chunks(h, in);
    case AT_ANSWER:
        break;
    }
    return 0;
}

static void resume(struct session *s)
{
    send_piece(http_of(s));
}

static void tls_started(struct session *s)
{
    (void)s;
}

/* Between two requests the connection just ends; inside one there is something to say. */
static void expire(struct session *s, enum session_end why)
{
    struct http *h = http_of(s);
    h->close = true;
    if (h->partial || why == END_LIMIT)
        answer_status(h, why == END_TIMEOUT ? 408 : 503);
    s->want = SESSION_CLOSE;
}

static void end(struct session *s)
{
    struct http *h = http_of(s);
    forget_request(h);
    arena_end(&h->arena);
    mem_free(h);
}

struct session *http_server_new(const struct http_options *options)
{
    static const struct session_class class = {
        .name = "http",
        .start = start,
        .feed = feed,
        .resume = resume,
        .tls_started = tls_started,
        .expire = expire,
        .end = end,
    };
    struct http *h = mem_alloc(sizeof(*h));
    h->s.class = &class;
    h->options = options;
    h->s.out.max = LIMIT_OUT;
    return &h->s;
}
