/*
 * yizhan route add|list|show|remove: the next hop for a domain instead of its MX; "." is the smart
 * host, for every domain without a route of its own.
 */
#include "ops/ops.h"
#include "base/banned.h"

static int run_add_route(struct call *c);

static const struct option_row add_options[] = {
    CONTROL_DIR_OPTION,
    {"gather", "TIME", OPTION_DURATION, 0, "gather mail up to so long, then send it in one burst",
     "汇集邮件至多这么久，再一次发出"},
    {"gather-count", "N", OPTION_NUMBER, 10000, "… or until so many wait", "……或等到这么多封"},
    {0},
};

const struct command route_verbs[] = {
    {"add", "DOMAIN HOST[:PORT]", 2, 2, run_add_route, add_options, NULL,
     "send the mail of a domain (\".\": of all others) to this host",
     "把一个域（“.”：其余所有域）的邮件交给这台主机", NULL, NULL},
    {"list", NULL, 0, 0, admin_run, admin_list_options, NULL, "list the routes", "列出路由", NULL,
     NULL},
    {"show", "DOMAIN", 1, 1, admin_run, admin_list_options, NULL,
     "show the route that mail of a domain takes", "显示一个域的路由", NULL, NULL},
    {"remove", "DOMAIN", 1, 1, admin_run, admin_options, NULL, "remove a route", "删除路由", NULL,
     NULL},
    {0},
};

static int run_add_route(struct call *c)
{
    json_t *request = admin_request(c);
    json_object_set_new(request, "gather", json_integer(call_number(c, "gather", 0)));
    json_object_set_new(request, "gatherCount", json_integer(call_number(c, "gather-count", 0)));
    return admin_ask(c, request);
}

/* "127.0.0.1:2025", "mx.south.test", "[::1]:2025". */
static bool read_host(slice text, slice *host, uint16_t *port)
{
    uint64_t n = 25;
    slice rest = S("");
    *host = text;
    if (slice_eat(&text, S("["))) {
        ptrdiff_t end = slice_find(text, ']');
        if (end < 0)
            return false;
        *host = slice_sub(text, 0, (size_t)end);
        rest = slice_skip(text, (size_t)end + 1);
        if (rest.n && !slice_eat(&rest, S(":")))
            return false;
    } else {
        ptrdiff_t colon = slice_find(text, ':');
        if (colon >= 0 &&
            colon == slice_rfind(text, ':')) { /* more than one: a bare IPv6 address */
            *host = slice_sub(text, 0, (size_t)colon);
            rest = slice_skip(text, (size_t)colon + 1);
            if (!rest.n)
                return false;
        }
    }
    if (rest.n && (!slice_u64(rest, 65535, &n) || n == 0))
        return false;
    *port = (uint16_t)n;
    return host->n > 0;
}

static enum outcome run_add(struct store_tx *tx, struct change *c, slice *why)
{
    return directory_route_add(tx, c->route, why);
}

json_t *route_add(struct control_env *env, struct arena *a, const json_t *request)
{
    (void)a;
    struct route r = {.domain = request_word(request, 0),
                      .gather_ms = (int)json_number_at(request, "gather", 0),
                      .gather_count = (int)json_number_at(request, "gatherCount", 0)};
    slice hop = request_word(request, 1);
    if (!read_host(hop, &r.host, &r.port))
        return control_error("\"%.*s\" is not HOST or HOST:PORT", P(hop));
    json_t *reply = control_change(env, &(struct change){.run = run_add, .route = &r});
    queue_routes_changed(env->queue);
    return reply;
}

static enum outcome run_remove(struct store_tx *tx, struct change *c, slice *why)
{
    return directory_route_remove(tx, c->word, why);
}

json_t *route_remove(struct control_env *env, struct arena *a, const json_t *request)
{
    (void)a;
    struct change c = {.run = run_remove, .word = request_word(request, 0)};
    json_t *reply = control_change(env, &c);
    queue_routes_changed(env->queue);
    return reply;
}

static json_t *describe(const struct route *r)
{
    return json_pack("{s:o, s:o, s:i, s:i, s:i}", "domain", json_slice(r->domain), "host",
                     json_slice(r->host), "port", (int)r->port, "gatherSeconds",
                     r->gather_ms / 1000, "gatherCount", r->gather_count);
}

static void list_route(void *ctx, const struct route *r)
{
    json_array_append_new(ctx, describe(r));
}

json_t *route_list(struct control_env *env, struct arena *a, const json_t *request)
{
    (void)a, (void)request;
    json_t *list = json_array();
    struct db *db = store_read(env->store);
    directory_routes(db, list_route, list);
    store_read_end(env->store, db);
    return json_pack("{s:b, s:o}", "ok", 1, "list", list);
}

json_t *route_show(struct control_env *env, struct arena *a, const json_t *request)
{
    struct route r;
    slice domain = request_word(request, 0);
    struct db *db = store_read(env->store);
    bool found = directory_route(db, a, domain, &r);
    store_read_end(env->store, db);
    if (!found)
        return control_error("%.*s has no route and there is no smart host: its MX records decide",
                             P(domain));
    return json_pack("{s:b, s:o}", "ok", 1, "show", describe(&r));
}
