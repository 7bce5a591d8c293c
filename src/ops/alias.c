/* yizhan alias add|list|show|remove: addresses that stand for others; @DOMAIN is the catch-all. */
#include "ops/ops.h"
#include "base/banned.h"

const struct command alias_verbs[] = {
    {"add", "ALIAS ADDRESS...", 2, -1, admin_run, admin_options, NULL,
     "send the mail of ALIAS (or of @DOMAIN, the catch-all) to these addresses",
     "把 ALIAS（或 @DOMAIN，即全收）的邮件转给这些地址", NULL, NULL},
    {"list", NULL, 0, 0, admin_run, admin_list_options, NULL, "list the aliases", "列出别名", NULL,
     NULL},
    {"show", "ALIAS", 1, 1, admin_run, admin_list_options, NULL, "show an alias", "显示一个别名",
     NULL, NULL},
    {"remove", "ALIAS", 1, 1, admin_run, admin_options, NULL, "remove an alias", "删除别名", NULL,
     NULL},
    {0},
};

static enum outcome run_add(struct store_tx *tx, struct change *c, slice *why)
{
    return directory_alias_add(tx, c->word, c->targets, c->target_count, why);
}

json_t *alias_add(struct control_env *env, struct arena *a, const json_t *request)
{
    size_t count = request_word_count(request);
    slice *targets = arena_array(a, count + 1, sizeof(*targets));
    for (size_t i = 1; i < count; i++)
        targets[i - 1] = request_word(request, i);
    if (count < 2)
        return control_error("an alias needs at least one address");
    return control_change(env, &(struct change){.run = run_add,
                                                .word = request_word(request, 0),
                                                .targets = targets,
                                                .target_count = count - 1});
}

static enum outcome run_remove(struct store_tx *tx, struct change *c, slice *why)
{
    return directory_alias_remove(tx, c->word, why);
}

json_t *alias_remove(struct control_env *env, struct arena *a, const json_t *request)
{
    (void)a;
    return control_change(env,
                          &(struct change){.run = run_remove, .word = request_word(request, 0)});
}

struct listing {
    json_t *list;
    slice only; /* "": all */
};

/* Rows come in order of alias: the targets of one follow each other. */
static void list_alias(void *ctx, slice alias, slice target)
{
    struct listing *l = ctx;
    if (l->only.n && !slice_eq_icase(alias, l->only))
        return;
    json_t *last = json_array_get(l->list, json_array_size(l->list) - 1);
    if (!last || !slice_eq_icase(json_slice_at(last, "alias"), alias)) {
        last = json_pack("{s:o, s:[]}", "alias", json_slice(alias), "targets");
        json_array_append_new(l->list, last);
    }
    json_array_append_new(json_object_get(last, "targets"), json_slice(target));
}

static json_t *list_aliases(struct control_env *env, slice only)
{
    struct listing l = {.list = json_array(), .only = only};
    struct db *db = store_read(env->store);
    directory_aliases(db, list_alias, &l);
    store_read_end(env->store, db);
    return l.list;
}

json_t *alias_list(struct control_env *env, struct arena *a, const json_t *request)
{
    (void)a, (void)request;
    return json_pack("{s:b, s:o}", "ok", 1, "list", list_aliases(env, S("")));
}

json_t *alias_show(struct control_env *env, struct arena *a, const json_t *request)
{
    (void)a;
    slice alias = request_word(request, 0);
    json_t *list = list_aliases(env, alias), *show = json_incref(json_array_get(list, 0));
    json_decref(list);
    if (!show)
        return control_error("there is no alias %.*s; see: yizhan alias list", P(alias));
    return json_pack("{s:b, s:o}", "ok", 1, "show", show);
}
