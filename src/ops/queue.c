/*
 * yizhan queue list|show|hold|release|retry|recall: what waits, and what to do with it.  The ids
 * are those of messages and stay valid for show and recall after delivery.
 */
#include <stdio.h>

#include "ops/ops.h"
#include "base/rand.h"
#include "base/text.h"
#include "base/units.h"
#include "base/banned.h"

enum { OUTPUT_MAX = 64 << 20, COLUMN_MAX = 40 };

static int run_list(struct call *c);
static int run_show(struct call *c);
static int run_many(struct call *c);
static int run_recall(struct call *c);

#define FILTER_OPTIONS                                                                             \
    CONTROL_DIR_OPTION, CONTROL_JSON_OPTION,                                                       \
        {"all", NULL, OPTION_FLAG, 0, "all that wait", "所有等待的邮件"},                          \
        {"sender", "ADDRESS", OPTION_TEXT, 0, "all of this sender", "该发件人的全部邮件"},         \
        {"domain", "DOMAIN", OPTION_TEXT, 0, "all to this domain", "发往该域的全部邮件"},          \
    {                                                                                              \
        0                                                                                          \
    }

static const struct option_row filter_options[] = {FILTER_OPTIONS};

#define WHICH "ID | --all | --sender A | --domain D"

const struct command queue_verbs[] = {
    {"list", NULL, 0, 1, run_list, filter_options, NULL, "list the messages that wait",
     "列出等待的邮件", NULL, NULL},
    {"show", "ID", 1, 1, run_show, admin_list_options, NULL,
     "show one message, waiting or delivered", "显示一封邮件（等待中或已投递）", NULL, NULL},
    {"hold", WHICH, 0, 1, run_many, filter_options, NULL, "keep messages from leaving",
     "扣住邮件，暂不发出", NULL, NULL},
    {"release", WHICH, 0, 1, run_many, filter_options, NULL, "let held messages go",
     "放行被扣住的邮件", NULL, NULL},
    {"retry", WHICH, 0, 1, run_many, filter_options, NULL, "try to deliver now", "立即重试投递",
     NULL, NULL},
    {"recall", WHICH, 0, 1, run_recall, filter_options, NULL,
     "withdraw messages as far as they still can be", "尽可能撤回邮件", NULL, NULL},
    {0},
};

/* ---- The operations. ---- */

/* The filter of a request; an error reply, or NULL. */
static json_t *read_filter(const json_t *request, struct queue_filter *f)
{
    slice id = request_word(request, 0);
    *f = (struct queue_filter){.sender = json_slice_at(request, "sender"),
                               .domain = json_slice_at(request, "domain")};
    if (id.n && (!id_parse(id, &f->id) || f->id == 0))
        return control_error("there is no message %.*s; see: yizhan queue list", P(id));
    return NULL;
}

static json_t *time_or_null(int64_t at_ms)
{
    struct arena a = {0};
    json_t *value = at_ms ? json_slice(units_print_utc(&a, at_ms)) : json_null();
    arena_end(&a);
    return value;
}

static json_t *id_value(int64_t id)
{
    char text[ID_TEXT];
    id_text(id, text);
    return json_slice((slice){text, ID_TEXT});
}

static void add_row(void *ctx, const struct queue_row *row)
{
    json_t *recipients = json_array();
    for (size_t i = 0; i < row->recipient_count; i++) {
        const struct queue_row_recipient *r = &row->recipients[i];
        json_array_append_new(recipients,
                              json_pack("{s:o, s:s, s:i, s:o}", "address", json_slice(r->address),
                                        "state", r->state, "attempts", r->attempts, "lastReply",
                                        json_slice(r->last_reply)));
    }
    json_array_append_new(
        ctx, json_pack("{s:o, s:o, s:o, s:I, s:o, s:o, s:s, s:o}", "id", id_value(row->id),
                       "sender", json_slice(row->sender), "subject", json_slice(row->subject),
                       "size", (json_int_t)row->size, "created", time_or_null(row->created_ms),
                       "due", time_or_null(row->due_ms), "state", queue_state_name(row->state),
                       "recipients", recipients));
}

json_t *queue_op_list(struct control_env *env, struct arena *a, const json_t *request)
{
    (void)a;
    struct queue_filter f;
    json_t *error = read_filter(request, &f), *list;
    if (error)
        return error;
    list = json_array();
    queue_list(env->queue, &f, add_row, list);
    return json_pack("{s:b, s:o}", "ok", 1, "list", list);
}

json_t *queue_op_show(struct control_env *env, struct arena *a, const json_t *request)
{
    json_t *reply = queue_op_list(env, a, request), *list = json_object_get(reply, "list");
    if (!list)
        return reply;
    json_t *show = json_incref(json_array_get(list, 0));
    json_decref(reply);
    if (!show)
        return control_error("there is no message %.*s; see: yizhan queue list",
                             P(request_word(request, 0)));
    return json_pack("{s:b, s:o}", "ok", 1, "show", show);
}

static void count_row(void *ctx, const struct queue_row *row)
{
    (void)row;
    ++*(int *)ctx;
}

/* Hold, release, retry: which messages, then one call. */
static json_t *change_many(struct control_env *env, const json_t *request,
                           int (*change)(struct queue *q, const struct queue_filter *f))
{
    struct queue_filter f;
    json_t *error = read_filter(request, &f);
    if (error)
        return error;
    int matching = 0;
    queue_list(env->queue, &f, count_row, &matching);
    if (f.id && !matching)
        return control_error("there is no message %.*s; see: yizhan queue list",
                             P(request_word(request, 0)));
    int changed = change(env->queue, &f);
    if (changed < 0)
        return control_error("the store is busy or its disk is full; try again");
    return json_pack("{s:b, s:{s:i, s:i}}", "ok", 1, "show", "matching", matching, "changed",
                     changed);
}

json_t *queue_op_hold(struct control_env *env, struct arena *a, const json_t *request)
{
    (void)a;
    return change_many(env, request, queue_hold);
}

json_t *queue_op_release(struct control_env *env, struct arena *a, const json_t *request)
{
    (void)a;
    return change_many(env, request, queue_release);
}

json_t *queue_op_retry(struct control_env *env, struct arena *a, const json_t *request)
{
    (void)a;
    return change_many(env, request, queue_retry);
}

static json_t *recall_one(struct control_env *env, struct arena *a, int64_t id)
{
    struct recall_row *rows = NULL;
    size_t count = 0;
    char text[ID_TEXT];
    id_text(id, text);
    switch (queue_recall(env->queue, a, id, &rows, &count)) {
    case DONE:
        break;
    case PERMFAIL:
        return control_error("there is no message %.*s; see: yizhan queue list", ID_TEXT, text);
    case WAIT:
    case TEMPFAIL:
        return control_error("nothing is known about the recall of %.*s yet; try again", ID_TEXT,
                             text);
    }
    json_t *recipients = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(
            recipients, json_pack("{s:o, s:s, s:o}", "address", json_slice(rows[i].address),
                                  "result", rows[i].result, "reason", json_slice(rows[i].reason)));
    return json_pack("{s:b, s:{s:o, s:o}}", "ok", 1, "show", "id", id_value(id), "recipients",
                     recipients);
}

struct ids {
    struct arena *arena;
    int64_t *items;
    size_t count, capacity;
};

static void collect_id(void *ctx, const struct queue_row *row)
{
    struct ids *ids = ctx;
    ids->items = arena_grow(ids->arena, ids->items, ids->count, &ids->capacity, sizeof(int64_t));
    ids->items[ids->count++] = row->id;
}

json_t *queue_op_recall(struct control_env *env, struct arena *a, const json_t *request)
{
    struct queue_filter f;
    json_t *error = read_filter(request, &f);
    if (error)
        return error;
    if (f.id)
        return recall_one(env, a, f.id);
    struct ids ids = {.arena = a};
    json_t *list = json_array();
    queue_list(env->queue, &f, collect_id, &ids);
    for (size_t i = 0; i < ids.count; i++) {
        json_t *reply = recall_one(env, a, ids.items[i]);
        if (json_flag_at(reply, "ok"))
            json_array_append(list, json_object_get(reply, "show"));
        json_decref(reply);
    }
    return json_pack("{s:b, s:o}", "ok", 1, "list", list);
}

/* ---- The subcommands. ---- */

/*
 * Sends the operation with its filter; needs says that one must be given.  EXIT_DONE fills *reply.
 */
static int ask(struct call *c, bool needs, json_t **reply)
{
    const char *sender = call_text(c, "sender"), *domain = call_text(c, "domain");
    int given = (c->operand_count > 0) + call_flag(c, "all") + (sender || domain);
    if (given > 1 || (needs && !given))
        return call_usage(c, "say which messages: " WHICH);
    json_t *request = admin_request(c);
    json_object_set_new(request, "sender", json_slice(slice_c(sender)));
    json_object_set_new(request, "domain", json_slice(slice_c(domain)));
    *reply = control_call(c, request);
    return *reply ? EXIT_DONE : EXIT_FAILED;
}

/* "2026-11-23T20:15:00Z" as local time, "" for null. */
static slice local_time(struct arena *a, const json_t *object, const char *key)
{
    int64_t at;
    return units_time(json_slice_at(object, key), 0, &at) ? units_print_local(a, at) : S("");
}

static slice receivers(struct arena *a, const json_t *row)
{
    const json_t *list = json_object_get(row, "recipients");
    size_t n = json_array_size(list);
    slice first = json_slice_at(json_array_get(list, 0), "address");
    return n > 1 ? arena_printf(a, "%.*s +%zu", P(first), n - 1) : first;
}

static void print_table(struct arena *a, const json_t *list, struct buf *out)
{
    enum { COLUMNS = 7 };
    size_t i, rows = json_array_size(list);
    const json_t *row;
    slice *cells = arena_array(a, (rows + 1) * COLUMNS, sizeof(*cells)), *next = cells + COLUMNS;
    const slice titles[COLUMNS] = {slice_c(say("ID", "编号")),       slice_c(say("STATE", "状态")),
                                   slice_c(say("NEXT", "下次动作")), slice_c(say("SIZE", "大小")),
                                   slice_c(say("SENDER", "发件人")), slice_c(say("TO", "收件人")),
                                   slice_c(say("SUBJECT", "主题"))};
    memcpy(cells, titles, sizeof(titles));
    json_array_foreach(list, i, row)
    {
        *next++ = json_slice_at(row, "id");
        *next++ = json_slice_at(row, "state");
        *next++ = local_time(a, row, "due");
        *next++ = units_print_size(a, (uint64_t)json_number_at(row, "size", 0));
        *next++ = json_slice_at(row, "sender").n ? json_slice_at(row, "sender") : S("<>");
        *next++ = receivers(a, row);
        *next++ = json_slice_at(row, "subject");
    }
    text_table(out, cells, COLUMNS, rows + 1, COLUMN_MAX, 1u << 3);
}

static int run_list(struct call *c)
{
    json_t *reply;
    int code = ask(c, false, &reply);
    if (code != EXIT_DONE)
        return code;
    struct buf out = {.max = OUTPUT_MAX};
    json_t *list = json_object_get(reply, "list");
    if (call_flag(c, "json"))
        json_print(list);
    else if (json_array_size(list))
        print_table(c->arena, list, &out);
    else
        buf_printf(&out, "%s\n", say("The queue is empty.", "队列为空。"));
    json_decref(reply);
    return print_out(&out);
}

static void print_field(struct buf *out, const char *name, slice value)
{
    text_add_column(out, slice_c(name), 10);
    buf_add(out, S("  "));
    text_add_safe(out, value);
    buf_add_byte(out, '\n');
}

static int run_show(struct call *c)
{
    json_t *reply = control_call(c, admin_request(c));
    if (!reply)
        return EXIT_FAILED;
    json_t *row = json_object_get(reply, "show"), *r;
    struct buf out = {.max = OUTPUT_MAX};
    size_t i;
    if (call_flag(c, "json")) {
        json_print(row);
    } else {
        print_field(&out, say("Message", "邮件"), json_slice_at(row, "id"));
        print_field(&out, say("State", "状态"), json_slice_at(row, "state"));
        print_field(&out, say("Sender", "发件人"), json_slice_at(row, "sender"));
        print_field(&out, say("Subject", "主题"), json_slice_at(row, "subject"));
        print_field(&out, say("Size", "大小"),
                    units_print_size(c->arena, (uint64_t)json_number_at(row, "size", 0)));
        print_field(&out, say("Created", "创建"), local_time(c->arena, row, "created"));
        print_field(&out, say("Next", "下次动作"), local_time(c->arena, row, "due"));
        json_array_foreach(json_object_get(row, "recipients"), i, r)
        {
            slice reply_text = json_slice_at(r, "lastReply");
            print_field(&out, say("To", "收件人"),
                        arena_printf(c->arena, "%.*s: %.*s, %lld %s%s%.*s",
                                     P(json_slice_at(r, "address")), P(json_slice_at(r, "state")),
                                     (long long)json_number_at(r, "attempts", 0),
                                     say("attempts", "次尝试"), reply_text.n ? ", " : "",
                                     P(reply_text)));
        }
    }
    json_decref(reply);
    return print_out(&out);
}

static int run_many(struct call *c)
{
    json_t *reply;
    int code = ask(c, true, &reply);
    if (code != EXIT_DONE)
        return code;
    json_t *show = json_object_get(reply, "show");
    if (call_flag(c, "json"))
        json_print(show);
    else
        printf(say("%s: %lld of %lld messages changed\n", "%s：%lld 封已改变，共 %lld 封匹配\n"),
               c->command->name, (long long)json_number_at(show, "changed", 0),
               (long long)json_number_at(show, "matching", 0));
    json_decref(reply);
    return EXIT_DONE;
}

static void print_recall(const json_t *one, struct buf *out)
{
    const json_t *r;
    size_t i;
    json_array_foreach(json_object_get(one, "recipients"), i, r)
    {
        slice reason = json_slice_at(r, "reason");
        text_add_safe(out, json_slice_at(one, "id"));
        buf_add(out, S("  "));
        text_add_safe(out, json_slice_at(r, "address"));
        buf_printf(out, ": %.*s%s", P(json_slice_at(r, "result")), reason.n ? ", " : "");
        text_add_safe(out, reason);
        buf_add_byte(out, '\n');
    }
}

static int run_recall(struct call *c)
{
    json_t *reply;
    int code = ask(c, true, &reply);
    if (code != EXIT_DONE)
        return code;
    json_t *show = json_object_get(reply, "show"), *list = json_object_get(reply, "list"), *one;
    struct buf out = {.max = OUTPUT_MAX};
    size_t i;
    if (call_flag(c, "json")) {
        json_print(show ? show : list);
    } else if (show) {
        print_recall(show, &out);
    } else {
        json_array_foreach(list, i, one)
        {
            print_recall(one, &out);
        }
    }
    json_decref(reply);
    return print_out(&out);
}
