/*
 * yizhan fetch: downloads mail by POP3 over TLS.  --keep leaves it on the server and remembers what
 * was fetched; --delete deletes what is durable here, and nothing else.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/account.h"
#include "agent/agent.h"
#include "agent/pop3_client.h"
#include "agent/progress.h"
#include "agent/save.h"
#include "agent/seen.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "base/units.h"
#include "message/address.h"
#include "message/header.h"
#include "base/banned.h"

enum { HEADER_MAX = 64 * 1024, REMEMBER_EVERY = 200, LINE_MAX_BYTES = 4096 };

const struct option_row fetch_options[] = {
    AGENT_ACCOUNT_OPTIONS,
    {"keep", NULL, OPTION_FLAG, 0, "leave the mail on the server; next time only what is new",
     "邮件留在服务器上；下次只取新邮件"},
    {"delete", NULL, OPTION_FLAG, 0, "delete on the server what is safe on the disk here",
     "已安全存盘的邮件从服务器删除"},
    {"out", "DIR", OPTION_TEXT, 0, "a file for each mail, UIDL.eml (else the current directory)",
     "每封邮件存为 UIDL.eml（默认当前目录）"},
    {"mbox", "FILE", OPTION_TEXT, 0, "or: append them to an mbox file", "或：追加到 mbox 文件"},
    {"print", NULL, OPTION_FLAG, 0, "or: print them as they are", "或：原样打印"},
    {"progress", NULL, OPTION_FLAG, 0, "show progress even when this is no terminal",
     "即使不在终端也显示进度"},
    {"json", NULL, OPTION_FLAG, 0, "print what was fetched as JSON", "以 JSON 输出结果"},
    {0},
};

static volatile sig_atomic_t interrupted;

static void note_signal(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

struct fetching {
    struct call *call;
    struct agent_account account;
    struct save save;
    struct seen seen;
    struct progress progress;
    struct arena one;  /* of the message being fetched */
    struct buf header; /* its beginning */
    json_t *results;
    size_t saved, refused, unsaved; /* unsaved: ended since the last remember() */
    const struct pop3_item *fresh;  /* the first of them */
    uint64_t bytes;
    struct buf error;
};

/* ---- Where to. ---- */

static slice file_safe(struct arena *a, slice s)
{
    char *p = arena_alloc(a, s.n + 1);
    for (size_t i = 0; i < s.n; i++)
        p[i] = ascii_is_alnum(s.p[i]) || slice_find(S("@.-"), s.p[i]) >= 0 ? s.p[i] : '_';
    return (slice){p, s.n};
}

/* The file that remembers: beside the mail; for --print in the user's state directory. */
static const char *seen_path(struct fetching *f, enum save_kind kind, const char *path)
{
    struct arena *a = f->call->arena;
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    slice account = file_safe(a, arena_printf(a, "%.*s-%.*s-%u", P(f->account.user),
                                              P(f->account.dial.host), f->account.dial.port));
    if (kind == SAVE_DIR)
        return arena_printf(a, "%s/.fetched-%.*s", path, P(account)).p;
    if (kind == SAVE_MBOX)
        return arena_printf(a, "%s.fetched-%.*s", path, P(account)).p;
    slice dir = state && *state ? arena_printf(a, "%s/yizhan", state)
                                : arena_printf(a, "%s/.local/state/yizhan", home ? home : ".");
    file_make_dir(dir.p, 0700);
    return arena_printf(a, "%.*s/fetched-%.*s", P(dir), P(account)).p;
}

static int open_target(struct fetching *f)
{
    struct call *c = f->call;
    const char *out = call_text(c, "out"), *mbox = call_text(c, "mbox");
    bool print = call_flag(c, "print"), keep = call_flag(c, "keep");
    bool delete_them = call_flag(c, "delete");
    if ((out != NULL) + (mbox != NULL) + print > 1)
        return call_usage(c, "give one of --out, --mbox, --print");
    if (keep == delete_them)
        return call_usage(c, "say --keep (leave the mail on the server) or --delete");
    if (print && delete_them)
        return call_usage(c, "--delete needs a safe place: --out DIR or --mbox FILE");
    enum save_kind kind = print ? SAVE_PRINT : mbox ? SAVE_MBOX : SAVE_DIR;
    const char *path = mbox ? mbox : out ? out : ".";
    if (!save_open(&f->save, kind, print ? "standard output" : path, &f->error) ||
        !seen_load(&f->seen, seen_path(f, kind, path), &f->error))
        return call_fail(c, "%.*s", P(buf_slice(&f->error)));
    return EXIT_DONE;
}

/* ---- One message. ---- */

static bool sink_begin(void *ctx, const struct pop3_item *item)
{
    struct fetching *f = ctx;
    (void)item;
    buf_clear(&f->header);
    return !interrupted && save_begin(&f->save);
}

static bool sink_bytes(void *ctx, slice run)
{
    struct fetching *f = ctx;
    if (buf_room(&f->header))
        buf_add(&f->header, slice_sub(run, 0, buf_room(&f->header)));
    progress_add(&f->progress, run.n);
    f->bytes += run.n;
    return save_bytes(&f->save, run);
}

static slice field(struct fetching *f, slice name)
{
    slice value = S("");
    if (!header_find(buf_slice(&f->header), name, &value))
        return S("");
    return header_text(&f->one, value);
}

static void describe(struct fetching *f, const struct pop3_item *item, slice name)
{
    slice raw = S(""), email = S(""), display = S(""), file = name;
    struct address from;
    if (header_find(buf_slice(&f->header), S("From"), &raw) && address_first(&f->one, raw, &from)) {
        email = address_email(&f->one, &from);
        display = address_name(&f->one, &from);
    }
    if (f->save.kind == SAVE_MBOX)
        file = slice_c(f->save.path);
    else if (f->save.kind == SAVE_DIR)
        file = arena_printf(&f->one, "%s/%.*s", f->save.path, P(name));
    json_array_append_new(
        f->results,
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:I, s:o}", "uidl", json_slice(item->uidl), "from",
                  json_slice(email), "fromName", json_slice(display), "subject",
                  json_slice(field(f, S("Subject"))), "date", json_slice(field(f, S("Date"))),
                  "size", (json_int_t)item->size, "file", file.n ? json_slice(file) : json_null()));
}

static void print_line(struct fetching *f)
{
    const json_t *r = json_array_get(f->results, json_array_size(f->results) - 1);
    struct buf line = {.max = LINE_MAX_BYTES};
    slice name = json_slice_at(r, "fromName"), email = json_slice_at(r, "from");
    slice size = units_print_size(&f->one, (uint64_t)json_number_at(r, "size", 0));
    if (call_flag(f->call, "json") || f->save.kind == SAVE_PRINT)
        return;
    text_add_column(&line, name.n ? name : email, 24);
    buf_add(&line, S("  "));
    text_add_column(&line, json_slice_at(r, "subject"), 44);
    buf_printf(&line, "  %9.*s  ", P(size));
    text_add_safe(&line, json_slice_at(r, "file"));
    buf_add_byte(&line, '\n');
    fwrite(buf_slice(&line).p, 1, buf_length(&line), stdout);
    buf_end(&line);
}

/* What has ended becomes durable, then remembered. */
static bool remember(struct fetching *f)
{
    if (!save_sync(&f->save))
        return false;
    for (; f->unsaved; f->unsaved--)
        seen_add(&f->seen, (f->fresh++)->uidl);
    return seen_save(&f->seen, &f->error);
}

static bool sink_end(void *ctx, const struct pop3_item *item)
{
    struct fetching *f = ctx;
    slice name;
    if (!save_end(&f->save, &f->one, item->uidl, &name))
        return false;
    describe(f, item, name);
    print_line(f);
    arena_reset(&f->one);
    f->saved++;
    if (f->unsaved == 0)
        f->fresh = item;
    f->unsaved++;
    return f->unsaved < REMEMBER_EVERY || remember(f);
}

static bool sink_refused(void *ctx, const struct pop3_item *item, slice text)
{
    struct fetching *f = ctx;
    f->refused++;
    call_fail(f->call, "message %u (%.*s) was not given: %.*s", item->number, P(item->uidl),
              P(text));
    return f->unsaved == 0 || remember(f); /* the run of fresh ones is broken here */
}

/* ---- The whole. ---- */

/* Downloads what is new; false after one line in error. */
static bool retrieve_new(struct fetching *f, struct pop3_client *c, const struct pop3_item *items,
                         size_t count)
{
    struct pop3_item *wanted = arena_array(f->call->arena, count + 1, sizeof(*wanted));
    size_t n = 0;
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++)
        if (!seen_has(&f->seen, items[i].uidl)) {
            total += items[i].size;
            wanted[n++] = items[i];
        }
    const struct pop3_sink sink = {f, sink_begin, sink_bytes, sink_end, sink_refused};
    progress_start(&f->progress, say("fetching", "正在收取"), total,
                   call_flag(f->call, "progress"));
    bool ok = pop3_client_retrieve(c, wanted, n, &sink, &f->error);
    progress_end(&f->progress);
    if (!ok)
        save_cancel(&f->save);
    if (f->save.failed)
        buf_printf(&f->error, "%.*s", P(save_error(&f->save, &f->one)));
    else if (interrupted)
        buf_printf(&f->error, "interrupted; the next fetch goes on from here");
    bool kept = !f->save.failed && remember(f);
    return ok && kept && !interrupted;
}

/* Marks what is safe here; QUIT makes it happen. */
static bool delete_saved(struct fetching *f, struct pop3_client *c, struct pop3_item *items,
                         size_t count, size_t *deleted)
{
    size_t n = 0;
    struct pop3_item *gone = arena_array(f->call->arena, count + 1, sizeof(*gone));
    for (size_t i = 0; i < count; i++)
        if (seen_has(&f->seen, items[i].uidl))
            gone[n++] = items[i];
    if (!pop3_client_delete(c, gone, n, deleted, &f->error)) {
        pop3_client_abort(c);
        return false;
    }
    if (!pop3_client_quit(c, &f->error))
        return false;
    for (size_t i = 0; i < n; i++)
        seen_remove(&f->seen, gone[i].uidl);
    return seen_save(&f->seen, &f->error);
}

/* Forgets what the server does not have any more. */
static void forget_gone(struct fetching *f, const struct pop3_item *items, size_t count)
{
    struct map there = {0};
    slice uidl;
    void *value;
    size_t n = 0;
    slice *gone = arena_array(f->call->arena, f->seen.uidls.count + 1, sizeof(*gone));
    for (size_t i = 0; i < count; i++)
        map_set(&there, items[i].uidl, f);
    for (size_t at = 0; map_next(&f->seen.uidls, &at, &uidl, &value);)
        if (!map_get(&there, uidl))
            gone[n++] = arena_dup(f->call->arena, uidl);
    for (size_t i = 0; i < n; i++)
        seen_remove(&f->seen, gone[i]);
    map_end(&there);
}

static void print_summary(struct fetching *f, size_t count, size_t deleted)
{
    if (call_flag(f->call, "json")) {
        json_print(f->results);
        return;
    }
    if (f->save.kind == SAVE_PRINT)
        return;
    if (f->saved == 0)
        printf(say("No new mail (%zu on the server).", "没有新邮件（服务器上有 %zu 封）。"), count);
    else
        printf(say("%zu new, %.*s.", "%zu 封新邮件，%.*s。"), f->saved,
               P(units_print_size(f->call->arena, f->bytes)));
    if (call_flag(f->call, "delete"))
        printf(say(" %zu deleted on the server.", "已从服务器删除 %zu 封。"), deleted);
    putchar('\n');
}

static int fetch(struct fetching *f, slice password)
{
    struct pop3_item *items = NULL;
    size_t count = 0, deleted = 0;
    struct pop3_client *c = pop3_client_open(&f->account, password, &f->error);
    bool ok = c && pop3_client_list(c, f->call->arena, &items, &count, &f->error);
    if (ok) {
        forget_gone(f, items, count);
        ok = retrieve_new(f, c, items, count);
    }
    if (!ok)
        pop3_client_abort(c);
    else if (call_flag(f->call, "delete"))
        ok = delete_saved(f, c, items, count, &deleted);
    else
        ok = pop3_client_quit(c, &f->error);
    if (ok || f->saved)
        print_summary(f, count, deleted);
    if (!ok)
        return call_fail(f->call, "%.*s", P(buf_slice(&f->error)));
    return f->refused ? EXIT_FAILED : EXIT_DONE;
}

int fetch_run(struct call *c)
{
    struct fetching f = {.call = c,
                         .save = {.dir_fd = -1, .fd = -1},
                         .header = {.max = HEADER_MAX},
                         .error = {.max = 2048},
                         .results = json_array()};
    slice password;
    int code = agent_account_find(c, AGENT_POP3, &f.account);
    if (code == EXIT_DONE)
        code = open_target(&f);
    if (code == EXIT_DONE)
        code = agent_account_password(c, &f.account, false, &password);
    if (code == EXIT_DONE) {
        struct sigaction action = {.sa_handler = note_signal};
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
        code = fetch(&f, password);
    }
    save_close(&f.save);
    seen_end(&f.seen);
    arena_end(&f.one);
    buf_end(&f.header);
    buf_end(&f.error);
    json_decref(f.results);
    return code;
}
