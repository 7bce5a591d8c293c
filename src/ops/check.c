/* yizhan check [--repair]: proves the store sound, or mends what can be derived. */
#include "ops/ops.h"
#include "base/text.h"
#include "base/banned.h"

enum { REPORT_MAX = 1 << 20 };

const struct option_row check_options[] = {
    CONTROL_DIR_OPTION,
    CONTROL_JSON_OPTION,
    {"repair", NULL, OPTION_FLAG, 0, "rebuild derived data, rescue lost bodies into \"Recovered\"",
     "重建派生数据，把失联的正文收进“Recovered”"},
    {0},
};

json_t *check_op(struct control_env *env, struct arena *a, const json_t *request)
{
    (void)a;
    struct buf report = {.max = REPORT_MAX};
    int problems = store_check(env->store, json_flag_at(request, "repair"), &report);
    slice text = buf_slice(&report), line;
    json_t *lines = json_array();
    while (slice_next(&text, '\n', &line))
        json_array_append_new(lines, json_slice(line));
    buf_end(&report);
    return json_pack("{s:b, s:{s:i, s:o}}", "ok", 1, "show", "problems", problems, "report", lines);
}

int check_run(struct call *c)
{
    json_t *request = json_pack("{s:s, s:b}", "op", "check", "repair", call_flag(c, "repair"));
    json_t *reply = control_call(c, request), *line;
    if (!reply)
        return EXIT_FAILED;
    json_t *show = json_object_get(reply, "show");
    int64_t problems = json_number_at(show, "problems", 1);
    struct buf out = {.max = 2 * REPORT_MAX};
    size_t i;
    if (call_flag(c, "json")) {
        json_print(show);
    } else {
        json_array_foreach(json_object_get(show, "report"), i, line)
        {
            text_add_safe(&out, (slice){json_string_value(line), json_string_length(line)});
            buf_add_byte(&out, '\n');
        }
        if (problems == 0)
            buf_printf(&out, "%s\n", say("The store is sound.", "存储完好。"));
        print_out(&out);
    }
    json_decref(reply);
    if (problems == 0)
        return EXIT_DONE;
    if (call_flag(c, "repair"))
        return call_fail(c, "%lld problems remain; restore from a backup", (long long)problems);
    return call_fail(c, "%lld problems; mend them with: yizhan check --repair --dir %s",
                     (long long)problems, control_dir(c));
}
