/* The subcommands of the operator, and the operations behind them (rows of control_rows). */
#ifndef OPS_OPS_H
#define OPS_OPS_H

#include "accounts/directory.h"
#include "base/command.h"
#include "ops/control.h"

/* Rows for the table in main.c: what runs, its options, its verbs. */
int init_run(struct call *c);
int serve_run(struct call *c);
int trace_run(struct call *c);
int check_run(struct call *c);
int parse_run(struct call *c);
int version_run(struct call *c);
int help_run(struct call *c);
extern const struct option_row init_options[], serve_options[], trace_options[], check_options[],
    parse_options[];
extern const struct command domain_verbs[], user_verbs[], alias_verbs[], route_verbs[],
    queue_verbs[];

/*
 * The common subcommand: the operation of the same name ("user add" → "user.add") gets the operands
 * as "words"; its reply is printed, as JSON or for people.  admin_ask takes more fields (the
 * reference of request is taken).
 */
int admin_run(struct call *c);
int admin_ask(struct call *c, json_t *request);
json_t *admin_request(const struct call *c);
extern const struct option_row admin_options[], admin_list_options[];

/* Operand i of a request, "" when it is missing. */
slice request_word(const json_t *request, size_t i);
size_t request_word_count(const json_t *request);

/* A change of the directory, run in a transaction. */
struct change {
    enum outcome (*run)(struct store_tx *tx, struct change *c, slice *why);
    slice word;           /* what is changed: domain, address, alias */
    const slice *targets; /* of an alias */
    size_t target_count;
    const struct route *route;
    uint64_t quota;
    int64_t account; /* out: of user_add */
    char why[512];   /* out: why not, one line; the transaction's memory is gone by then */
};
/* control_done(), or the error that says why not. */
json_t *control_change(struct control_env *env, struct change *c);

/* Writes text on standard output and frees it. */
int print_out(struct buf *text);

json_t *domain_add(struct control_env *env, struct arena *a, const json_t *request);
json_t *domain_list(struct control_env *env, struct arena *a, const json_t *request);
json_t *domain_show(struct control_env *env, struct arena *a, const json_t *request);
json_t *domain_remove(struct control_env *env, struct arena *a, const json_t *request);
json_t *user_add(struct control_env *env, struct arena *a, const json_t *request);
json_t *user_list(struct control_env *env, struct arena *a, const json_t *request);
json_t *user_show(struct control_env *env, struct arena *a, const json_t *request);
json_t *user_remove(struct control_env *env, struct arena *a, const json_t *request);
json_t *user_password(struct control_env *env, struct arena *a, const json_t *request);
json_t *user_quota(struct control_env *env, struct arena *a, const json_t *request);
json_t *user_app_add(struct control_env *env, struct arena *a, const json_t *request);
json_t *user_app_list(struct control_env *env, struct arena *a, const json_t *request);
json_t *user_app_remove(struct control_env *env, struct arena *a, const json_t *request);
json_t *alias_add(struct control_env *env, struct arena *a, const json_t *request);
json_t *alias_list(struct control_env *env, struct arena *a, const json_t *request);
json_t *alias_show(struct control_env *env, struct arena *a, const json_t *request);
json_t *alias_remove(struct control_env *env, struct arena *a, const json_t *request);
json_t *route_add(struct control_env *env, struct arena *a, const json_t *request);
json_t *route_list(struct control_env *env, struct arena *a, const json_t *request);
json_t *route_show(struct control_env *env, struct arena *a, const json_t *request);
json_t *route_remove(struct control_env *env, struct arena *a, const json_t *request);
json_t *queue_op_list(struct control_env *env, struct arena *a, const json_t *request);
json_t *queue_op_show(struct control_env *env, struct arena *a, const json_t *request);
json_t *queue_op_hold(struct control_env *env, struct arena *a, const json_t *request);
json_t *queue_op_release(struct control_env *env, struct arena *a, const json_t *request);
json_t *queue_op_retry(struct control_env *env, struct arena *a, const json_t *request);
json_t *queue_op_recall(struct control_env *env, struct arena *a, const json_t *request);
json_t *trace_op(struct control_env *env, struct arena *a, const json_t *request);
/* Removes the daily trace files in log/ that ended before keep_from_ms. */
void trace_purge(int64_t keep_from_ms);
json_t *check_op(struct control_env *env, struct arena *a, const json_t *request);

#endif
