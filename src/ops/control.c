/* The operations' table and the client's side; control_server.c is the other end of the socket. */
#include "ops/control.h"

#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "ops/env.h"
#include "ops/ops.h"
#include "ops/process.h"
#include "ops/socket.h"
#include "base/banned.h"

const struct control_row control_rows[] = {
    {"domain.add", domain_add},
    {"domain.list", domain_list},
    {"domain.show", domain_show},
    {"domain.remove", domain_remove},
    {"user.add", user_add},
    {"user.list", user_list},
    {"user.show", user_show},
    {"user.remove", user_remove},
    {"user.password", user_password},
    {"user.quota", user_quota},
    {"user.app-add", user_app_add},
    {"user.app-list", user_app_list},
    {"user.app-remove", user_app_remove},
    {"alias.add", alias_add},
    {"alias.list", alias_list},
    {"alias.show", alias_show},
    {"alias.remove", alias_remove},
    {"route.add", route_add},
    {"route.list", route_list},
    {"route.show", route_show},
    {"route.remove", route_remove},
    {"queue.list", queue_op_list},
    {"queue.show", queue_op_show},
    {"queue.hold", queue_op_hold},
    {"queue.release", queue_op_release},
    {"queue.retry", queue_op_retry},
    {"queue.recall", queue_op_recall},
    {"trace", trace_op},
    {"check", check_op},
    {0},
};

json_t *control_done(void)
{
    return json_pack("{s:b}", "ok", 1);
}

json_t *control_error(const char *format, ...)
{
    struct arena a = {0};
    va_list args;
    va_start(args, format);
    slice text = arena_vprintf(&a, format, args);
    va_end(args);
    json_t *reply = json_pack("{s:b, s:o}", "ok", 0, "error", json_slice(text));
    arena_end(&a);
    return reply;
}

json_t *control_answer(struct control_env *env, struct arena *a, const json_t *request)
{
    slice op = json_slice_at(request, "op");
    for (const struct control_row *row = control_rows; row->op; row++)
        if (slice_eq(op, slice_c(row->op)))
            return row->run(env, a, request);
    return control_error("no such operation \"%.*s\"", P(op));
}

const char *control_dir(const struct call *call)
{
    const char *dir = call_text(call, "dir");
    if (!dir)
        dir = getenv("YIZHAN_DIR");
    return dir && *dir ? dir : "/var/lib/yizhan";
}

/* One request and its reply over the socket; NULL with one line in error. */
static json_t *ask_server(int fd, const json_t *request, struct buf *error)
{
    struct buf line = {.max = LIMIT_CONTROL_LINE};
    char *text = json_dumps(request, JSON_COMPACT);
    json_t *reply = NULL;
    bool sent = file_write_all(fd, slice_c(text)) == 0 && file_write_all(fd, S("\n")) == 0;
    mem_free(text);
    slice got;
    if (sent && socket_read_line(fd, &line, &got))
        reply = json_loadb(got.p, got.n, 0, NULL);
    if (!reply)
        buf_printf(error, "the server did not answer; look at its log");
    buf_end(&line);
    return reply;
}

/* No server runs: the same function here. */
static json_t *run_here(const char *dir, const json_t *request, struct buf *error)
{
    struct arena a = {0};
    struct config config = {0};
    struct control_env env = {0};
    json_t *reply = NULL;
    const char *name = arena_printf(&a, "%s/yizhan.conf", dir).p;
    if (process_enter(dir, error) && config_load(&config, "yizhan.conf", name, error) &&
        env_open(&env, &config, error))
        reply = control_answer(&env, &a, request);
    env_close(&env);
    config_end(&config);
    arena_end(&a);
    return reply;
}

json_t *control_call(const struct call *call, json_t *request)
{
    const char *dir = control_dir(call);
    struct buf error = {.max = 4096};
    json_t *reply = NULL;
    int fd = socket_connect(dir);
    if (fd >= 0) {
        reply = ask_server(fd, request, &error);
        close(fd);
    } else if (errno == ENOENT || errno == ECONNREFUSED) {
        reply = run_here(dir, request, &error);
    } else {
        buf_printf(&error, "%s/run/control.sock: %s; run this as the server's user or as root", dir,
                   strerror(errno));
    }
    json_decref(request);
    if (reply && !json_flag_at(reply, "ok")) {
        slice why = json_slice_at(reply, "error");
        buf_add(&error, why.n ? why : S("failed"));
        json_decref(reply);
        reply = NULL;
    }
    if (!reply)
        call_fail(call, "%.*s", P(buf_slice(&error)));
    buf_end(&error);
    return reply;
}
