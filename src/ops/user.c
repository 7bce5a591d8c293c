/*
 * yizhan user add|list|show|remove|password|quota: the accounts.  A password comes from the
 * terminal or one line of standard input, never from the command line, where others can see it.
 */
#include <stdio.h>

#include "ops/ops.h"
#include "base/limits.h"
#include "base/prompt.h"
#include "base/units.h"
#include "base/banned.h"

static int run_with_password(struct call *c);
static int run_quota(struct call *c);
static int run_app_add(struct call *c);

static const struct option_row add_options[] = {
    CONTROL_DIR_OPTION,
    {"quota", "SIZE", OPTION_SIZE, 0, "the most the account may hold (else no limit)",
     "账户容量上限（默认不限）"},
    {0},
};

static const struct option_row app_options[] = {
    CONTROL_DIR_OPTION,
    {"scope", "PROTOCOLS", OPTION_TEXT, 0, "what it opens: \"smtp imap\" (else everything)",
     "可用的协议，如“smtp imap”（默认全部）"},
    {0},
};

const struct command user_verbs[] = {
    {"add", "ADDRESS", 1, 1, run_with_password, add_options, NULL,
     "make an account; the password is asked for, or one line of standard input",
     "新建账户；密码从终端询问，或取标准输入的一行", NULL, NULL},
    {"list", NULL, 0, 0, admin_run, admin_list_options, NULL, "list the accounts", "列出账户", NULL,
     NULL},
    {"show", "ADDRESS", 1, 1, admin_run, admin_list_options, NULL, "show an account",
     "显示一个账户", NULL, NULL},
    {"password", "ADDRESS", 1, 1, run_with_password, admin_options, NULL, "set a new password",
     "设置新密码", NULL, NULL},
    {"quota", "ADDRESS SIZE", 2, 2, run_quota, admin_options, NULL,
     "set the most the account may hold; 0: no limit", "设置账户容量上限；0 为不限", NULL, NULL},
    {"app-add", "ADDRESS NAME", 2, 2, run_app_add, app_options, NULL,
     "make an app password for one device; it is shown once", "为一台设备生成专用密码，只显示一次",
     NULL, NULL},
    {"app-list", "ADDRESS", 1, 1, admin_run, admin_list_options, NULL,
     "list the app passwords of an account", "列出账户的专用密码", NULL, NULL},
    {"app-remove", "ADDRESS ID", 2, 2, admin_run, admin_options, NULL, "revoke an app password",
     "吊销专用密码", NULL, NULL},
    {"remove", "ADDRESS", 1, 1, admin_run, admin_options, NULL, "remove an account and its mail",
     "删除账户及其邮件", NULL, NULL},
    {0},
};

static int run_with_password(struct call *c)
{
    struct buf error = {.max = 1024};
    slice password;
    json_t *request = admin_request(c);
    bool ok = prompt_password(c->arena, say("New password: ", "新密码："), true, &password, &error);
    int code = EXIT_FAILED;
    if (ok) {
        json_object_set_new(request, "password", json_slice(password));
        if (c->command->options == add_options)
            json_object_set_new(request, "quota", json_integer(call_number(c, "quota", 0)));
        code = admin_ask(c, request);
    } else {
        json_decref(request);
        call_fail(c, "%.*s", P(buf_slice(&error)));
    }
    buf_end(&error);
    return code;
}

static int run_quota(struct call *c)
{
    uint64_t bytes;
    if (!units_size(slice_c(c->operands[1]), &bytes))
        return call_usage(c, "SIZE is like 500M or 2G, not \"%s\"", c->operands[1]);
    json_t *request = admin_request(c);
    json_object_set_new(request, "quota", json_integer((json_int_t)bytes));
    return admin_ask(c, request);
}

static json_t *set_password(struct control_env *env, int64_t account, slice password)
{
    switch (secrets_set_password(env->secrets, account, password)) {
    case DONE:
        return control_done();
    case PERMFAIL:
        return control_error("that password will not do: it must be UTF-8 text without control "
                             "characters, at most %d bytes",
                             LIMIT_PASSWORD);
    case WAIT:
    case TEMPFAIL:
        break;
    }
    return control_error("the password cannot be stored; is the disk full?");
}

static enum outcome run_remove(struct store_tx *tx, struct change *c, slice *why)
{
    return directory_user_remove(tx, c->word, why);
}

static enum outcome run_add(struct store_tx *tx, struct change *c, slice *why)
{
    return directory_user_add(tx, c->word, c->quota, &c->account, why);
}

json_t *user_add(struct control_env *env, struct arena *a, const json_t *request)
{
    (void)a;
    struct change c = {.run = run_add,
                       .word = request_word(request, 0),
                       .quota = (uint64_t)json_number_at(request, "quota", 0)};
    json_t *reply = control_change(env, &c);
    if (!json_flag_at(reply, "ok"))
        return reply;
    json_decref(reply);
    reply = set_password(env, c.account, json_slice_at(request, "password"));
    if (!json_flag_at(reply, "ok")) { /* no account that nobody can open */
        c.run = run_remove;
        json_decref(control_change(env, &c));
    }
    return reply;
}

static int64_t find_account(struct control_env *env, slice address)
{
    struct db *db = store_read(env->store);
    int64_t account = directory_login(db, address);
    store_read_end(env->store, db);
    return account;
}

static json_t *no_account(slice address)
{
    return control_error("there is no account %.*s; see: yizhan user list", P(address));
}

json_t *user_password(struct control_env *env, struct arena *a, const json_t *request)
{
    (void)a;
    int64_t account = find_account(env, request_word(request, 0));
    if (!account)
        return no_account(request_word(request, 0));
    return set_password(env, account, json_slice_at(request, "password"));
}

json_t *user_remove(struct control_env *env, struct arena *a, const json_t *request)
{
    (void)a;
    struct change c = {.run = run_remove, .word = request_word(request, 0)};
    int64_t account = find_account(env, c.word);
    json_t *reply = control_change(env, &c);
    if (json_flag_at(reply, "ok") && account)
        secrets_forget(env->secrets, account);
    return reply;
}

static enum outcome run_set_quota(struct store_tx *tx, struct change *c, slice *why)
{
    return directory_user_quota(tx, c->word, c->quota, why);
}

json_t *user_quota(struct control_env *env, struct arena *a, const json_t *request)
{
    (void)a;
    return control_change(env,
                          &(struct change){.run = run_set_quota,
                                           .word = request_word(request, 0),
                                           .quota = (uint64_t)json_number_at(request, "quota", 0)});
}

struct listing {
    json_t *list;
    int64_t only; /* 0: all */
};

static void list_user(void *ctx, slice address, int64_t account, uint64_t quota, uint64_t used)
{
    struct listing *l = ctx;
    if (!l->only || l->only == account)
        json_array_append_new(l->list,
                              json_pack("{s:o, s:I, s:I}", "address", json_slice(address), "used",
                                        (json_int_t)used, "quota", (json_int_t)quota));
}

static json_t *list_users(struct control_env *env, int64_t only)
{
    struct listing l = {.list = json_array(), .only = only};
    struct db *db = store_read(env->store);
    directory_users(db, list_user, &l);
    store_read_end(env->store, db);
    return l.list;
}

json_t *user_list(struct control_env *env, struct arena *a, const json_t *request)
{
    (void)a, (void)request;
    return json_pack("{s:b, s:o}", "ok", 1, "list", list_users(env, 0));
}

struct naming {
    slice address;
    json_t *aliases;
};

static void name_alias(void *ctx, slice alias, slice target)
{
    struct naming *n = ctx;
    if (slice_eq_icase(target, n->address))
        json_array_append_new(n->aliases, json_slice(alias));
}

json_t *user_show(struct control_env *env, struct arena *a, const json_t *request)
{
    int64_t account = find_account(env, request_word(request, 0));
    if (!account)
        return no_account(request_word(request, 0));
    json_t *list = list_users(env, account), *show = json_incref(json_array_get(list, 0));
    json_decref(list);
    struct db *db = store_read(env->store);
    struct naming n = {directory_address(db, a, account), json_array()};
    directory_aliases(db, name_alias, &n);
    store_read_end(env->store, db);
    json_object_set_new(show, "aliases", n.aliases);
    return json_pack("{s:b, s:o}", "ok", 1, "show", show);
}

/* ---- App passwords: one for each device, made here, shown once. ---- */

static int run_app_add(struct call *c)
{
    json_t *request = admin_request(c);
    json_object_set_new(request, "scope", json_slice(slice_c(call_text(c, "scope"))));
    json_t *reply = control_call(c, request);
    if (!reply)
        return EXIT_FAILED;
    slice password = json_slice_at(json_object_get(reply, "show"), "password");
    printf("%.*s\n", P(password));
    json_decref(reply);
    return EXIT_DONE;
}

json_t *user_app_add(struct control_env *env, struct arena *a, const json_t *request)
{
    int64_t account = find_account(env, request_word(request, 0));
    slice password;
    if (!account)
        return no_account(request_word(request, 0));
    switch (secrets_app_add(env->secrets, a, account, request_word(request, 1),
                            json_slice_at(request, "scope"), &password)) {
    case DONE:
        return json_pack("{s:b, s:{s:o}}", "ok", 1, "show", "password", json_slice(password));
    case PERMFAIL:
        return control_error("an app password needs a short name, a scope like \"smtp imap\", and "
                             "an account holds at most %d of them",
                             LIMIT_APP_PASSWORDS);
    case WAIT:
    case TEMPFAIL:
        break;
    }
    return control_error("the app password cannot be stored; is the disk full?");
}

static void list_app(void *ctx, int64_t id, slice name, slice scope, int64_t created_ms,
                     int64_t last_used_ms)
{
    struct arena a = {0};
    slice used = last_used_ms ? units_print_utc(&a, last_used_ms) : S("");
    json_array_append_new(ctx, json_pack("{s:I, s:o, s:o, s:o, s:o}", "id", (json_int_t)id, "name",
                                         json_slice(name), "scope", json_slice(scope), "created",
                                         json_slice(units_print_utc(&a, created_ms)), "lastUsed",
                                         json_slice(used)));
    arena_end(&a);
}

json_t *user_app_list(struct control_env *env, struct arena *a, const json_t *request)
{
    (void)a;
    int64_t account = find_account(env, request_word(request, 0));
    json_t *list = json_array();
    if (account && secrets_app_list(env->secrets, account, list_app, list) == DONE)
        return json_pack("{s:b, s:o}", "ok", 1, "list", list);
    json_decref(list);
    return account ? control_error("the secrets cannot be read; run: yizhan check")
                   : no_account(request_word(request, 0));
}

json_t *user_app_remove(struct control_env *env, struct arena *a, const json_t *request)
{
    (void)a;
    int64_t account = find_account(env, request_word(request, 0));
    uint64_t id = 0;
    if (!account)
        return no_account(request_word(request, 0));
    if (slice_u64(request_word(request, 1), INT64_MAX, &id) &&
        secrets_app_remove(env->secrets, account, (int64_t)id) == DONE)
        return control_done();
    return control_error("there is no app password %.*s; see: yizhan user app-list %.*s",
                         P(request_word(request, 1)), P(request_word(request, 0)));
}
