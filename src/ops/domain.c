/* yizhan domain add|list|show|remove: the domains whose mail is ours. */
#include "ops/ops.h"
#include "base/limits.h"
#include "base/banned.h"

const struct command domain_verbs[] = {
    {"add", "DOMAIN", 1, 1, admin_run, admin_options, NULL, "take mail for a domain",
     "接收一个域的邮件", NULL, NULL},
    {"list", NULL, 0, 0, admin_run, admin_list_options, NULL, "list our domains", "列出本机的域",
     NULL, NULL},
    {"show", "DOMAIN", 1, 1, admin_run, admin_list_options, NULL, "say what a domain holds",
     "显示一个域", NULL, NULL},
    {"remove", "DOMAIN", 1, 1, admin_run, admin_options, NULL,
     "take no more mail for a domain (remove its users and aliases first)",
     "不再接收一个域的邮件（须先删除其用户和别名）", NULL, NULL},
    {0},
};

static enum outcome run_add(struct store_tx *tx, struct change *c, slice *why)
{
    return directory_domain_add(tx, c->word, why);
}

json_t *domain_add(struct control_env *env, struct arena *a, const json_t *request)
{
    (void)a;
    return control_change(env, &(struct change){.run = run_add, .word = request_word(request, 0)});
}

static enum outcome run_remove(struct store_tx *tx, struct change *c, slice *why)
{
    return directory_domain_remove(tx, c->word, why);
}

json_t *domain_remove(struct control_env *env, struct arena *a, const json_t *request)
{
    (void)a;
    return control_change(env,
                          &(struct change){.run = run_remove, .word = request_word(request, 0)});
}

static void list_domain(void *ctx, slice domain)
{
    json_array_append_new(ctx, json_pack("{s:o}", "domain", json_slice(domain)));
}

json_t *domain_list(struct control_env *env, struct arena *a, const json_t *request)
{
    (void)a, (void)request;
    json_t *reply = control_done(), *list = json_array();
    struct db *db = store_read(env->store);
    directory_domains(db, list_domain, list);
    store_read_end(env->store, db);
    json_object_set_new(reply, "list", list);
    return reply;
}

struct counting {
    slice domain;
    int accounts, aliases;
    char last[LIMIT_PATH]; /* alias seen last */
    size_t last_n;
    uint64_t used;
};

static bool in_domain(slice address, slice domain)
{
    ptrdiff_t at = slice_rfind(address, '@');
    return at >= 0 && slice_eq_icase(slice_skip(address, (size_t)at + 1), domain);
}

static void count_user(void *ctx, slice address, int64_t account, uint64_t quota, uint64_t used)
{
    struct counting *c = ctx;
    (void)account, (void)quota;
    if (!in_domain(address, c->domain))
        return;
    c->accounts++;
    c->used += used;
}

static void count_alias(void *ctx, slice alias, slice target)
{
    struct counting *c = ctx;
    (void)target;
    bool same = slice_eq(alias, (slice){c->last, c->last_n}); /* one row a target, in order */
    c->aliases += in_domain(alias, c->domain) && !same;
    c->last_n = alias.n < sizeof(c->last) ? alias.n : 0;
    memcpy(c->last, alias.p, c->last_n);
}

json_t *domain_show(struct control_env *env, struct arena *a, const json_t *request)
{
    (void)a;
    struct counting c = {.domain = request_word(request, 0)};
    struct db *db = store_read(env->store);
    bool ours = directory_domain_is_local(db, c.domain);
    directory_users(db, count_user, &c);
    directory_aliases(db, count_alias, &c);
    store_read_end(env->store, db);
    if (!ours)
        return control_error("%.*s is not one of our domains; see: yizhan domain list",
                             P(c.domain));
    return json_pack("{s:b, s:{s:o, s:i, s:i, s:I}}", "ok", 1, "show", "domain",
                     json_slice(c.domain), "accounts", c.accounts, "aliases", c.aliases, "used",
                     (json_int_t)c.used);
}
