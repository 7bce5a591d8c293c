/*
 * What the subcommands domain, user, alias and route have in common: words to request, reply to
 * output.  Replies carry "list" (an array of objects), "show" (an object) or nothing; the titles of
 * a table are the keys of its objects.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ops/ops.h"
#include "base/text.h"
#include "base/units.h"
#include "base/banned.h"

enum { OUTPUT_MAX = 64 << 20, COLUMN_MAX = 48 };

const struct option_row admin_options[] = {CONTROL_DIR_OPTION, {0}};
const struct option_row admin_list_options[] = {CONTROL_DIR_OPTION, CONTROL_JSON_OPTION, {0}};

/* Titles in Chinese. */
static const struct {
    const char *en, *zh;
} titles[] = {
    {"quota", "配额"},
    {"domain", "域"},
    {"address", "地址"},
    {"accounts", "账户数"},
    {"used", "已用"},
    {"alias", "别名"},
    {"targets", "目标"},
    {"host", "下一跳"},
    {"port", "端口"},
    {"gatherSeconds", "汇集秒数"},
    {"gatherCount", "汇集封数"},
    {"aliases", "别名"},
};

static const char *in_chinese(const char *en)
{
    for (size_t i = 0; i < sizeof(titles) / sizeof(titles[0]); i++)
        if (strcmp(titles[i].en, en) == 0)
            return titles[i].zh;
    return en;
}

json_t *admin_request(const struct call *c)
{
    struct buf op = {.max = 64};
    json_t *list = json_array();
    for (const char *p = c->name; *p; p++)
        buf_add_byte(&op, *p == ' ' ? '.' : *p);
    for (size_t i = 0; i < c->operand_count; i++)
        json_array_append_new(list, json_slice(slice_c(c->operands[i])));
    json_t *request = json_pack("{s:o, s:o}", "op", json_slice(buf_slice(&op)), "words", list);
    buf_end(&op);
    return request;
}

slice request_word(const json_t *request, size_t i)
{
    const json_t *word = json_array_get(json_object_get(request, "words"), i);
    return (slice){json_string_value(word), json_string_length(word)};
}

size_t request_word_count(const json_t *request)
{
    return json_array_size(json_object_get(request, "words"));
}

static enum outcome run_change(struct store_tx *tx, void *arg)
{
    struct change *c = arg;
    slice why = S("");
    enum outcome o = c->run(tx, c, &why);
    snprintf(c->why, sizeof(c->why), "%.*s", P(why));
    return o;
}

json_t *control_change(struct control_env *env, struct change *c)
{
    enum outcome o = store_write(env->store, &(struct store_call){.fn = run_change, .arg = c});
    if (o == DONE)
        return control_done();
    if (o == TEMPFAIL)
        return control_error("the store is busy or its disk is full; try again");
    return control_error("%s", *c->why ? c->why : "refused");
}

int print_out(struct buf *text)
{
    slice s = buf_slice(text);
    if (s.n)
        fwrite(s.p, 1, s.n, stdout);
    buf_end(text);
    return EXIT_DONE;
}

/* A value as a person reads it, in the arena. */
static slice cell(struct arena *a, const char *key, const json_t *value)
{
    slice text = S("");
    size_t i;
    const json_t *item;
    bool quota = strcmp(key, "quota") == 0; /* 0: no limit */
    if (quota && json_integer_value(value) == 0)
        return S("-");
    if (quota || strcmp(key, "used") == 0)
        return units_print_size(a, (uint64_t)json_integer_value(value));
    if (json_is_string(value))
        return (slice){json_string_value(value), json_string_length(value)};
    if (json_is_integer(value))
        return arena_printf(a, "%lld", (long long)json_integer_value(value));
    if (json_is_boolean(value))
        return json_is_true(value) ? S("yes") : S("no");
    json_array_foreach(value, i, item)
    {
        slice next = cell(a, "", item);
        text = arena_printf(a, "%.*s%s%.*s", P(text), i ? ", " : "", P(next));
    }
    return text;
}

static slice title(struct arena *a, const char *key)
{
    const char *shown = say(key, in_chinese(key));
    slice text = arena_dup(a, slice_c(shown));
    char *upper = arena_alloc(a, text.n + 1);
    for (size_t i = 0; i < text.n; i++)
        upper[i] = ascii_upper(text.p[i]);
    return (slice){upper, text.n};
}

static void print_list(struct arena *a, json_t *list, struct buf *out)
{
    size_t rows = json_array_size(list), i, at = 0;
    json_t *first = json_array_get(list, 0), *object;
    size_t columns = json_object_size(first);
    const char *key;
    json_t *value;
    unsigned right = 0;
    if (!rows)
        return;
    slice *cells = arena_array(a, (rows + 1) * columns, sizeof(*cells));
    json_object_foreach(first, key, value)
    {
        if (json_is_integer(value))
            right |= 1u << at;
        cells[at++] = title(a, key);
    }
    json_array_foreach(list, i, object)
    {
        json_object_foreach(object, key, value) cells[at++] = cell(a, key, value);
    }
    text_table(out, cells, columns, rows + 1, COLUMN_MAX, right);
}

static void print_object(struct arena *a, json_t *object, struct buf *out)
{
    const char *key;
    json_t *value;
    json_object_foreach(object, key, value)
    {
        text_add_column(out, slice_c(say(key, in_chinese(key))), 12);
        text_add_safe(out, cell(a, key, value));
        buf_add_byte(out, '\n');
    }
}

/* "added one@north.test" */
static void print_done(const struct call *c, struct buf *out)
{
    static const struct {
        const char *verb, *en, *zh;
    } done[] = {{"add", "added", "已添加"},
                {"remove", "removed", "已删除"},
                {"app-remove", "app password revoked:", "已吊销专用密码："},
                {"password", "password changed:", "密码已修改："},
                {"quota", "quota changed:", "配额已修改："}};
    for (size_t i = 0; i < sizeof(done) / sizeof(done[0]); i++)
        if (strcmp(done[i].verb, c->command->name) == 0)
            buf_printf(out, "%s %s\n", say(done[i].en, done[i].zh), c->operands[0]);
}

int admin_ask(struct call *c, json_t *request)
{
    json_t *reply = control_call(c, request);
    if (!reply)
        return EXIT_FAILED;
    json_t *list = json_object_get(reply, "list"), *show = json_object_get(reply, "show");
    if ((list || show) && call_flag(c, "json")) {
        json_print(list ? list : show);
    } else {
        struct buf out = {.max = OUTPUT_MAX};
        if (list)
            print_list(c->arena, list, &out);
        else if (show)
            print_object(c->arena, show, &out);
        else
            print_done(c, &out);
        print_out(&out);
    }
    json_decref(reply);
    return EXIT_DONE;
}

int admin_run(struct call *c)
{
    return admin_ask(c, admin_request(c));
}
