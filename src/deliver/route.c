/*
 * Stop 8: where an address goes.  Ours: through aliases, +tags and the catch-all to mailboxes;
 * elsewhere: the route of its domain, the smart host (destination "."), or its MX.  The
 * destination's servers are looked up when it is delivered, so a route added later helps mail that
 * waits.
 */
#include <assert.h>

#include "accounts/directory.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "deliver/internal.h"

#include "base/banned.h"

static slice domain_of(slice address)
{
    ptrdiff_t at = slice_rfind(address, '@');
    return at < 0 ? S("") : slice_skip(address, (size_t)at + 1);
}

/* The destination of an address that is not ours: its domain, or "." when only the smart host has a
 * route. */
static struct target foreign_target(struct db *db, struct arena *a, slice address)
{
    struct route r;
    slice domain = domain_of(address);
    bool smart = directory_route(db, a, domain, &r) && slice_eq(r.domain, S("."));
    return (struct target){.address = address, .destination = smart ? S(".") : domain};
}

/* Demo and tests: what would leave the machine is caught in a visible mailbox instead. */
static bool catch (struct deliver *d, struct db *db, struct arena *a, slice address,
                   struct target *out)
{
    struct route r;
    int64_t account = d->options.catch_all.n ? directory_login(db, d->options.catch_all) : 0;
    if (!account || directory_route(db, a, domain_of(address), &r))
        return false;
    *out =
        (struct target){.address = address, .destination = DESTINATION_LOCAL, .account = account};
    return true;
}

/* RFC 5321 4.5.1: postmaster@ our host name, whether or not that is a domain of ours. */
static bool is_own_postmaster(const struct deliver *d, slice address)
{
    return slice_eat_icase(&address, S("postmaster@")) &&
           slice_eq_icase(address, d->options.hostname);
}

enum route_kind route_find(struct deliver *d, struct db *db, struct arena *a, slice address,
                           struct target **targets, size_t *count)
{
    struct directory_target *found = NULL;
    size_t n = 0;
    enum directory_kind kind = directory_resolve(db, a, address, &found, &n);
    if (kind == DIRECTORY_FOREIGN && is_own_postmaster(d, address))
        kind = directory_postmaster(db, a, d->options.hostname, &found, &n);
    *count = 0;
    if (kind == DIRECTORY_UNKNOWN)
        return ROUTE_UNKNOWN;
    if (kind == DIRECTORY_FOREIGN) {
        *targets = arena_new(a, struct target);
        *count = 1;
        if (catch (d, db, a, address, *targets))
            return ROUTE_LOCAL;
        **targets = foreign_target(db, a, address);
        return ROUTE_REMOTE;
    }
    *targets = arena_array(a, n, sizeof(**targets));
    for (size_t i = 0; i < n; i++) {
        struct target *t = &(*targets)[(*count)++];
        if (found[i].account)
            *t = (struct target){.address = found[i].address,
                                 .destination = DESTINATION_LOCAL,
                                 .account = found[i].account};
        else if (!catch (d, db, a, found[i].address, t))
            *t = foreign_target(db, a, found[i].address);
        if (!slice_eq(t->address, address))
            t->orcpt = address;
    }
    return ROUTE_LOCAL;
}

enum outcome hops_find(struct deliver *d, struct arena *a, slice destination, int64_t deadline_ms,
                       struct hop **hops, size_t *count, slice *reply)
{
    struct mx_options options = {
        .hostname = d->options.hostname,
        .port = d->options.port ? d->options.port : 25,
        .allow_private = d->options.allow_private,
    };
    struct route r;
    struct db *db = store_read(d->options.store);
    bool routed = directory_route(db, a, destination, &r), failed = sql_failed(db);
    store_read_end(d->options.store, db);
    *hops = NULL;
    *count = 0;
    if (failed) { /* there may be a route: who has one must not be looked for by MX */
        *reply = S("451 4.3.0 the routes cannot be read now");
        return TEMPFAIL;
    }
    if (routed) { /* who writes a route means it: any address will do */
        options.port = r.port;
        options.allow_private = true;
        return mx_addresses(a, r.host, &options, deadline_ms, hops, count, reply);
    }
    if (slice_eq(destination, S("."))) {
        *reply = S("451 4.4.4 no smart host is set any more: yizhan route add . HOST:PORT");
        return TEMPFAIL;
    }
    return mx_find(a, destination, &options, deadline_ms, hops, count, reply);
}

enum outcome route_batch(struct deliver *d, struct batch *b, struct hop **hops, size_t *count)
{
    bool local = slice_eq(b->destination, DESTINATION_LOCAL);
    enum outcome o = local ? DONE
                           : hops_find(d, &b->arena, b->destination,
                                       clock_mono_ms() + DNS_DEADLINE_MS, hops, count, &b->reply);
    for (size_t i = 0; i < b->count; i++)
        trace_stop(STOP_ROUTE, b->items[i].message, "destination=%.*s servers=%zu%s%.*s",
                   P(b->destination), *count,
                   o == DONE ? "" : " reply=", P(o == DONE ? S("") : b->reply));
    return o;
}
