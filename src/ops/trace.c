/*
 * yizhan trace ID: the twelve stops of one message with their times, from the daily trace files
 * under DIR/log, and where the message is now, from the queue.
 */
#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "ops/ops.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/rand.h"
#include "base/text.h"
#include "base/units.h"
#include "base/banned.h"

enum {
    TRACE_LINE = 8192,
    TRACE_EVENTS = 1000,
    TRACE_DAYS = 366,
    ID_TIME_SHIFT = 21,
    OUTPUT = 1 << 20
};

const struct option_row trace_options[] = {CONTROL_DIR_OPTION, CONTROL_JSON_OPTION, {0}};

/* Adds the events of the message in one daily file to stops[stop]; lines are "ID TIME STOP text".
 */
static void read_day(struct arena *a, const char *dir, int64_t day, slice id, json_t *const *stops,
                     size_t *events)
{
    slice date = slice_sub(units_print_utc(a, day * DAY_MS), 0, 10);
    FILE *f = fopen(arena_printf(a, "%s/log/trace-%.*s", dir, P(date)).p, "re");
    char text[TRACE_LINE];
    while (f && *events < TRACE_EVENTS && fgets(text, sizeof(text), f)) {
        slice line = slice_trim(slice_c(text)), time;
        uint64_t stop;
        if (!slice_eat(&line, id) || !slice_eat(&line, S(" ")) || !slice_next(&line, ' ', &time))
            continue;
        slice_eat_wsp(&line);
        slice number = S("");
        slice_next(&line, ' ', &number);
        if (!slice_u64(number, STOP_LAST - 1, &stop) || stop == 0)
            continue;
        json_array_append_new(
            stops[stop], json_pack("{s:o, s:o}", "at", json_slice(time), "text", json_slice(line)));
        ++*events;
    }
    if (f)
        fclose(f);
}

static json_t *read_stops(struct control_env *env, struct arena *a, int64_t id, slice text)
{
    json_t *list = json_array(), *events[STOP_LAST] = {NULL};
    int64_t first = (id >> ID_TIME_SHIFT) / DAY_MS, today = clock_ms() / DAY_MS;
    size_t count = 0;
    for (int stop = 1; stop < STOP_LAST; stop++) {
        events[stop] = json_array();
        json_array_append_new(list, json_pack("{s:i, s:s, s:s, s:s, s:s, s:o}", "stop", stop,
                                              "event", stop_table[stop].event, "where",
                                              stop_table[stop].where, "what", stop_table[stop].what,
                                              "zh", stop_table[stop].zh, "events", events[stop]));
    }
    for (int64_t day = first; day <= today && day < first + TRACE_DAYS; day++)
        read_day(a, env->dir, day, text, events, &count);
    return list;
}

json_t *trace_op(struct control_env *env, struct arena *a, const json_t *request)
{
    slice text = request_word(request, 0);
    int64_t id;
    char canonical[ID_TEXT];
    if (!id_parse(text, &id))
        return control_error("\"%.*s\" is no message id; it has 13 letters and digits, as in: "
                             "yizhan queue list",
                             P(text));
    id_text(id, canonical);
    log_flush();
    json_t *reply = queue_op_show(env, a, request);
    if (!json_flag_at(reply, "ok"))
        return reply;
    return json_pack("{s:b, s:{s:o, s:O, s:o}}", "ok", 1, "show", "id",
                     json_slice((slice){canonical, ID_TEXT}), "message",
                     json_object_get(reply, "show"), "stops",
                     read_stops(env, a, id, (slice){canonical, ID_TEXT}));
}

void trace_purge(int64_t keep_from_ms)
{
    DIR *log = opendir("log");
    struct dirent *entry;
    int64_t day;
    while (log && (entry = readdir(log))) {
        slice name = slice_c(entry->d_name);
        if (slice_eat(&name, S("trace-")) && units_time(name, 0, &day) &&
            day + 2 * DAY_MS < keep_from_ms) /* dates are read in the local zone */
            unlinkat(dirfd(log), entry->d_name, 0);
    }
    if (log)
        closedir(log);
}

/* "20:15:00.123" in the local zone, with the date in front when it is another day than before. */
static slice local_time(struct arena *a, slice at, slice *day)
{
    int64_t ms;
    if (!units_time(at, 0, &ms))
        return at;
    slice whole = units_print_local(a, ms), date = slice_sub(whole, 0, 10);
    slice fraction = at.n == 24 ? slice_sub(at, 19, 23) : S("");
    bool same = slice_eq(date, *day);
    *day = date;
    return arena_printf(a, "%.*s%.*s", P(same ? slice_skip(whole, 11) : whole), P(fraction));
}

static void print_stops(struct arena *a, const json_t *show, struct buf *out)
{
    const json_t *stop, *event;
    size_t i, k;
    slice day = S("");
    json_array_foreach(json_object_get(show, "stops"), i, stop)
    {
        const json_t *events = json_object_get(stop, "events");
        slice what = json_slice_at(stop, say("what", "zh"));
        buf_printf(out, "%2zu  ", i + 1);
        text_add_column(out, json_slice_at(stop, "event"), 15);
        buf_printf(out, " %.*s%s\n", P(what), json_array_size(events) ? "" : say(": -", "：-"));
        json_array_foreach(events, k, event)
        {
            buf_add(out, S("      "));
            text_add_safe(out, local_time(a, json_slice_at(event, "at"), &day));
            buf_add(out, S("  "));
            text_add_safe(out, json_slice_at(event, "text"));
            buf_add_byte(out, '\n');
        }
    }
}

static void print_place(const json_t *message, struct buf *out)
{
    const json_t *r;
    size_t i;
    json_array_foreach(json_object_get(message, "recipients"), i, r)
    {
        slice reply = json_slice_at(r, "lastReply");
        buf_printf(out, "%s", say("Now: ", "现在："));
        text_add_safe(out, json_slice_at(r, "address"));
        buf_printf(out, " %.*s", P(json_slice_at(r, "state")));
        buf_add(out, reply.n ? S(", ") : S(""));
        text_add_safe(out, reply);
        buf_add_byte(out, '\n');
    }
}

int trace_run(struct call *c)
{
    json_t *reply = control_call(c, admin_request(c));
    if (!reply)
        return EXIT_FAILED;
    json_t *show = json_object_get(reply, "show"), *message = json_object_get(show, "message");
    struct buf out = {.max = OUTPUT};
    if (call_flag(c, "json")) {
        json_print(show);
    } else {
        text_add_safe(&out, json_slice_at(show, "id"));
        buf_add(&out, S("  "));
        text_add_safe(&out, json_slice_at(message, "sender"));
        buf_add(&out, S("  "));
        text_add_safe(&out, json_slice_at(message, "subject"));
        buf_add_byte(&out, '\n');
        print_stops(c->arena, show, &out);
        print_place(message, &out);
    }
    json_decref(reply);
    return print_out(&out);
}
