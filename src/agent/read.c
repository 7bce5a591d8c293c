/*
 * yizhan read: the mailboxes on the server by IMAP.  Each verb is one conversation: log in, open
 * the mailbox, do it, say what was done.  Messages are named by their UID, which never changes.
 */
#include "agent/read.h"

#include <stdio.h>

#include "base/text.h"
#include "base/units.h"
#include "imap/parse.h"
#include "message/date.h"
#include "base/banned.h"

enum {
    OUTPUT_MAX = 64 << 20,
    COLUMN_MAX = 44,
    LIST_DEFAULT = 50,
    LIST_MAX = 1000000,
    ERROR_MAX = 4096,
    WAIT_MS = 24 * 60 * 60 * 1000
};

static int run_mailboxes(struct call *c);
static int run_list(struct call *c);
static int run_flags(struct call *c);
static int run_move(struct call *c);
static int run_delete(struct call *c);
static int run_create(struct call *c);
static int run_wait(struct call *c);

static const struct option_row account_options[] = {AGENT_ACCOUNT_OPTIONS, READ_JSON_OPTION, {0}};
static const struct option_row mailbox_options[] = {
    AGENT_ACCOUNT_OPTIONS, READ_MAILBOX_OPTION, READ_JSON_OPTION, {0}};
static const struct option_row list_options[] = {
    AGENT_ACCOUNT_OPTIONS,
    READ_MAILBOX_OPTION,
    {"search", "TEXT", OPTION_TEXT, 0, "only what holds this text", "只列出含此文字的邮件"},
    {"unseen", NULL, OPTION_FLAG, 0, "only what was not read yet", "只列出未读邮件"},
    {"flagged", NULL, OPTION_FLAG, 0, "only what is flagged", "只列出加旗标的邮件"},
    {"limit", "N", OPTION_NUMBER, LIST_MAX, "the newest N (else 50)", "最新的 N 封（默认 50）"},
    READ_JSON_OPTION,
    {0}};
static const struct option_row move_options[] = {
    AGENT_ACCOUNT_OPTIONS,
    READ_MAILBOX_OPTION,
    {"to", "NAME", OPTION_TEXT, 0, "into this mailbox", "移入此邮箱"},
    READ_JSON_OPTION,
    {0}};
static const struct option_row delete_options[] = {
    AGENT_ACCOUNT_OPTIONS,
    READ_MAILBOX_OPTION,
    {"forever", NULL, OPTION_FLAG, 0, "not into the trash", "不经回收站，直接删除"},
    READ_JSON_OPTION,
    {0}};
static const struct option_row wait_options[] = {AGENT_ACCOUNT_OPTIONS,
                                                 READ_MAILBOX_OPTION,
                                                 {"timeout", "TIME", OPTION_DURATION, 0,
                                                  "how long at most (else a day)",
                                                  "最多等待多久（默认一天）"},
                                                 READ_JSON_OPTION,
                                                 {0}};

#define MORE_EN "UID is a number that list shows; \"4,7:9\" names several."
#define MORE_ZH "UID 是 list 显示的编号；“4,7:9”表示多封。"

const struct command read_verbs[] = {
    {"mailboxes", NULL, 0, 0, run_mailboxes, account_options, NULL,
     "list the mailboxes and what is in them", "列出邮箱及其中的邮件数", NULL, NULL},
    {"list", NULL, 0, 0, run_list, list_options, NULL, "list messages, the newest first",
     "列出邮件，最新的在前",
     "Marks: N new (not read), * flagged, r answered, D deleted but not yet removed.",
     "标记：N 未读，* 旗标，r 已回复，D 已标为删除。"},
    {"show", "[UID]", 0, 1, read_show_run, read_show_options, NULL,
     "show a message as text (else the newest); save attachments",
     "以文本显示一封邮件（默认最新一封）；保存附件", NULL, NULL},
    {"move", "UID...", 1, -1, run_move, move_options, NULL, "move messages to another mailbox",
     "把邮件移到另一邮箱", MORE_EN, MORE_ZH},
    {"flag", "UID...", 1, -1, run_flags, mailbox_options, NULL, "flag messages", "加旗标", MORE_EN,
     MORE_ZH},
    {"unflag", "UID...", 1, -1, run_flags, mailbox_options, NULL, "take the flag away", "去掉旗标",
     MORE_EN, MORE_ZH},
    {"seen", "UID...", 1, -1, run_flags, mailbox_options, NULL, "mark as read", "标为已读", MORE_EN,
     MORE_ZH},
    {"unseen", "UID...", 1, -1, run_flags, mailbox_options, NULL, "mark as not read", "标为未读",
     MORE_EN, MORE_ZH},
    {"delete", "UID...", 1, -1, run_delete, delete_options, NULL,
     "move messages to the trash; from there, delete them", "移入回收站；已在回收站的则删除",
     MORE_EN, MORE_ZH},
    {"create", "MAILBOX", 1, 1, run_create, account_options, NULL, "make a mailbox", "新建邮箱",
     NULL, NULL},
    {"wait", NULL, 0, 0, run_wait, wait_options, NULL, "wait for new mail (IDLE) and list it",
     "等待新邮件（IDLE）并列出", NULL, NULL},
    {0},
};

/* ---- What all share ---- */

int read_failed(struct reading *r)
{
    slice text = buf_slice(&r->error);
    const char *advice = "";
    if (slice_search(text, S("refused to open the mailbox")) >= 0)
        advice = "; see: yizhan read mailboxes";
    else if (slice_search(text, S("[TRYCREATE]")) >= 0)
        advice = "; make it first: yizhan read create";
    return call_fail(r->call, "%.*s%s", P(text), advice);
}

int read_begin(struct call *c, struct reading *r)
{
    slice password;
    *r = (struct reading){.call = c, .error = {.max = ERROR_MAX}};
    int code = agent_account_find(c, AGENT_IMAP, &r->account);
    if (code == EXIT_DONE)
        code = agent_account_password(c, &r->account, false, &password);
    if (code != EXIT_DONE)
        return code;
    r->client = imap_client_open(&r->account, password, &r->error);
    return r->client ? EXIT_DONE : read_failed(r);
}

int read_begin_mailbox(struct call *c, struct reading *r, bool read_only)
{
    const char *name = call_text(c, "mailbox");
    int code = read_begin(c, r);
    if (code != EXIT_DONE)
        return code;
    r->mailbox = name ? slice_c(name) : S("INBOX");
    return imap_client_select(r->client, r->mailbox, read_only, &r->messages, &r->error)
               ? EXIT_DONE
               : read_failed(r);
}

void read_end(struct reading *r)
{
    imap_client_close(r->client);
    r->client = NULL;
    buf_end(&r->error);
}

/* The operands as one set of IMAP. */
static int named_set(struct reading *r, slice *set)
{
    struct call *c = r->call;
    struct imap_set parsed;
    for (size_t i = 0; i < c->operand_count; i++) {
        slice one = slice_c(c->operands[i]), rest = one;
        if (!imap_set(c->arena, &rest, UINT32_MAX, &parsed) || rest.n)
            return call_usage(c, "a UID is a number like 12, or 4,7:9, not \"%s\"", c->operands[i]);
        *set = i ? arena_printf(c->arena, "%.*s,%.*s", P(*set), P(one)) : one;
    }
    return EXIT_DONE;
}

int read_named(struct reading *r, struct imap_numbers *uids)
{
    struct imap_query query = {0};
    int code = named_set(r, &query.set);
    if (code != EXIT_DONE)
        return code;
    if (!imap_client_search(r->client, r->call->arena, &query, uids, &r->error))
        return read_failed(r);
    if (!uids->count)
        return call_fail(r->call, "there is no message %.*s in %.*s; see: yizhan read list",
                         P(query.set), P(r->mailbox));
    return EXIT_DONE;
}

static void print_all(struct buf *out)
{
    if (buf_length(out))
        fwrite(buf_slice(out).p, 1, buf_length(out), stdout);
    buf_end(out);
}

/* ---- Mailboxes ---- */

static json_t *folder_json(const struct imap_folder *f)
{
    json_t *o =
        json_pack("{s:o, s:o, s:b}", "name", json_slice(f->name), "role",
                  f->role.n ? json_slice(f->role) : json_null(), "selectable", f->selectable);
    if (f->counted) {
        json_object_set_new(o, "messages", json_integer((json_int_t)f->messages));
        json_object_set_new(o, "unseen", json_integer((json_int_t)f->unseen));
    }
    return o;
}

static void print_folders(struct arena *a, const struct imap_folder *f, size_t count)
{
    enum { COLUMNS = 4 };
    struct buf out = {.max = OUTPUT_MAX};
    slice *cells = arena_array(a, COLUMNS * (count + 1), sizeof(*cells));
    cells[0] = slice_c(say("MAILBOX", "邮箱"));
    cells[1] = slice_c(say("UNSEEN", "未读"));
    cells[2] = slice_c(say("MESSAGES", "邮件"));
    cells[3] = slice_c(say("ROLE", "用途"));
    for (size_t i = 0; i < count; i++) {
        slice *row = cells + COLUMNS * (i + 1);
        row[0] = f[i].name;
        row[1] = f[i].counted ? arena_printf(a, "%llu", (unsigned long long)f[i].unseen) : S("-");
        row[2] = f[i].counted ? arena_printf(a, "%llu", (unsigned long long)f[i].messages) : S("-");
        row[3] = f[i].role;
    }
    text_table(&out, cells, COLUMNS, count + 1, COLUMN_MAX, 6);
    print_all(&out);
}

static int mailboxes(struct reading *r)
{
    struct imap_folder *folders;
    size_t count;
    if (!imap_client_folders(r->client, r->call->arena, true, &folders, &count, &r->error))
        return read_failed(r);
    if (!call_flag(r->call, "json")) {
        print_folders(r->call->arena, folders, count);
        return EXIT_DONE;
    }
    json_t *all = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(all, folder_json(&folders[i]));
    json_print(all);
    json_decref(all);
    return EXIT_DONE;
}

static int run_mailboxes(struct call *c)
{
    struct reading r;
    int code = read_begin(c, &r);
    if (code == EXIT_DONE)
        code = mailboxes(&r);
    read_end(&r);
    return code;
}

static int run_create(struct call *c)
{
    struct reading r;
    int code = read_begin(c, &r);
    slice name = slice_c(c->operands[0]);
    if (code == EXIT_DONE && !imap_client_create(r.client, name, S(""), &r.error))
        code = read_failed(&r);
    read_end(&r);
    if (code != EXIT_DONE)
        return code;
    if (call_flag(c, "json")) {
        json_t *o = json_pack("{s:o}", "mailbox", json_slice(name));
        json_print(o);
        json_decref(o);
    } else {
        printf(say("The mailbox %.*s is there.\n", "已建邮箱 %.*s。\n"), P(name));
    }
    return EXIT_DONE;
}

/* ---- Lists ---- */

json_t *read_head_json(struct arena *a, const struct imap_head *h)
{
    json_t *flags = json_array();
    slice list = h->flags, flag;
    while (slice_next(&list, ' ', &flag))
        json_array_append_new(flags, json_slice(flag));
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:o}", "uid",
                     (json_int_t)h->uid, "seen",
                     json_boolean(imap_flags_hold(h->flags, S("\\Seen"))), "flags", flags, "date",
                     json_slice(date_print_3339(a, h->date_ms, h->zone_minutes, false)), "from",
                     json_slice(h->from_email), "fromName", json_slice(h->from_name), "to",
                     json_slice(h->to), "subject", json_slice(h->subject), "size",
                     (json_int_t)h->size, "messageId", json_slice(h->message_id));
}

static slice marks(struct arena *a, slice flags)
{
    return arena_printf(a, "%s%s%s%s", imap_flags_hold(flags, S("\\Seen")) ? "" : "N",
                        imap_flags_hold(flags, S("\\Flagged")) ? "*" : "",
                        imap_flags_hold(flags, S("\\Answered")) ? "r" : "",
                        imap_flags_hold(flags, S("\\Deleted")) ? "D" : "");
}

/* The newest first. */
static void print_heads(struct arena *a, const struct imap_head *heads, size_t count)
{
    enum { COLUMNS = 6, MINUTES = sizeof("2026-11-23 21:15") - 1 };
    struct buf out = {.max = OUTPUT_MAX};
    slice *cells = arena_array(a, COLUMNS * (count + 1), sizeof(*cells));
    const char *titles[COLUMNS] = {"UID",
                                   "",
                                   say("ARRIVED", "到达"),
                                   say("SIZE", "大小"),
                                   say("FROM", "发件人"),
                                   say("SUBJECT", "主题")};
    for (int i = 0; i < COLUMNS; i++)
        cells[i] = slice_c(titles[i]);
    for (size_t i = 0; i < count; i++) {
        const struct imap_head *h = &heads[count - 1 - i];
        slice *row = cells + COLUMNS * (i + 1);
        row[0] = arena_printf(a, "%u", h->uid);
        row[1] = marks(a, h->flags);
        row[2] = slice_sub(units_print_local(a, h->date_ms), 0, MINUTES);
        row[3] = units_print_size(a, h->size);
        row[4] = h->from_name.n ? h->from_name : h->from_email;
        row[5] = h->subject;
    }
    text_table(&out, cells, COLUMNS, count + 1, COLUMN_MAX, 1 | 8);
    print_all(&out);
}

static void print_list(struct reading *r, const struct imap_head *heads, size_t count)
{
    struct arena *a = r->call->arena;
    if (!call_flag(r->call, "json")) {
        print_heads(a, heads, count);
        return;
    }
    json_t *all = json_array();
    for (size_t i = count; i-- > 0;)
        json_array_append_new(all, read_head_json(a, &heads[i]));
    json_print(all);
    json_decref(all);
}

static int list(struct reading *r)
{
    struct call *c = r->call;
    struct arena *a = c->arena;
    const char *text = call_text(c, "search");
    const struct imap_query query = {.text = slice_c(text),
                                     .unseen = call_flag(c, "unseen"),
                                     .flagged = call_flag(c, "flagged")};
    bool all = !query.text.n && !query.unseen && !query.flagged;
    size_t limit = (size_t)call_number(c, "limit", LIST_DEFAULT), count, found = r->messages;
    struct imap_numbers uids = {0};
    struct imap_head *heads;
    if (all) {
        if (!imap_client_last(r->client, a, limit, &heads, &count, &r->error))
            return read_failed(r);
    } else {
        if (!imap_client_search(r->client, a, &query, &uids, &r->error))
            return read_failed(r);
        found = uids.count;
        size_t skipped = found > limit ? found - limit : 0;
        if (!imap_client_heads(r->client, a, uids.items + skipped, found - skipped, &heads, &count,
                               &r->error))
            return read_failed(r);
    }
    print_list(r, heads, count);
    if (!call_flag(c, "json"))
        printf(say("%zu of %zu in %.*s\n", "共显示 %zu 封，%zu 封符合，邮箱 %.*s\n"), count, found,
               P(r->mailbox));
    return EXIT_DONE;
}

static int run_list(struct call *c)
{
    struct reading r;
    int code = read_begin_mailbox(c, &r, true);
    if (code == EXIT_DONE)
        code = list(&r);
    read_end(&r);
    return code;
}

static int wait_for_mail(struct reading *r)
{
    struct call *c = r->call;
    uint32_t before = r->messages, now;
    bool arrived;
    struct imap_head *heads;
    size_t count;
    fprintf(call_flag(c, "json") ? stderr : stdout,
            say("Waiting for mail in %.*s.\n", "正在等待 %.*s 的新邮件。\n"), P(r->mailbox));
    fflush(stdout);
    int64_t ms = call_number(c, "timeout", WAIT_MS);
    if (!imap_client_wait(r->client, ms, &arrived, &now, &r->error))
        return read_failed(r);
    if (!arrived)
        return call_fail(c, say("no mail came within %.*s", "%.*s 内没有新邮件"),
                         P(units_print_duration(c->arena, ms)));
    if (!imap_client_last(r->client, c->arena, now > before ? now - before : 1, &heads, &count,
                          &r->error))
        return read_failed(r);
    print_list(r, heads, count);
    return EXIT_DONE;
}

static int run_wait(struct call *c)
{
    struct reading r;
    int code = read_begin_mailbox(c, &r, true);
    if (code == EXIT_DONE)
        code = wait_for_mail(&r);
    read_end(&r);
    return code;
}

/* ---- Changes ---- */

/* What was done to which messages; to and into: where they are now. */
static void print_done(struct reading *r, const char *text, const struct imap_numbers *uids,
                       slice to, slice into)
{
    if (!call_flag(r->call, "json")) {
        printf("%s: %zu\n", text, uids->count);
        return;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < uids->count; i++)
        json_array_append_new(list, json_integer(uids->items[i]));
    json_t *o = json_pack("{s:o, s:o, s:o, s:o}", "mailbox", json_slice(r->mailbox), "uids", list,
                          "to", to.n ? json_slice(to) : json_null(), "newUids",
                          into.n ? json_slice(into) : json_null());
    json_print(o);
    json_decref(o);
}

static int run_flags(struct call *c)
{
    static const struct {
        const char *verb, *how, *flag, *en, *zh;
    } rows[] = {{"flag", "+FLAGS", "\\Flagged", "flagged", "已加旗标"},
                {"unflag", "-FLAGS", "\\Flagged", "not flagged any more", "已去掉旗标"},
                {"seen", "+FLAGS", "\\Seen", "marked as read", "已标为已读"},
                {"unseen", "-FLAGS", "\\Seen", "marked as not read", "已标为未读"}};
    struct reading r;
    struct imap_numbers uids = {0};
    size_t i = 0;
    while (strcmp(rows[i].verb, c->command->name) != 0)
        i++;
    int code = read_begin_mailbox(c, &r, false);
    if (code == EXIT_DONE)
        code = read_named(&r, &uids);
    if (code == EXIT_DONE &&
        !imap_client_store(r.client, uids.items, uids.count, rows[i].how, rows[i].flag, &r.error))
        code = read_failed(&r);
    if (code == EXIT_DONE)
        print_done(&r, say(rows[i].en, rows[i].zh), &uids, S(""), S(""));
    read_end(&r);
    return code;
}

static int run_move(struct call *c)
{
    struct reading r;
    struct imap_numbers uids = {0};
    slice to = slice_c(call_text(c, "to")), into = S("");
    if (!to.n)
        return call_usage(c, "say where to: --to MAILBOX");
    int code = read_begin_mailbox(c, &r, false);
    if (code == EXIT_DONE)
        code = read_named(&r, &uids);
    if (code == EXIT_DONE &&
        !imap_client_move(r.client, c->arena, uids.items, uids.count, to, &into, &r.error))
        code = read_failed(&r);
    if (code == EXIT_DONE)
        print_done(&r, say("moved", "已移动"), &uids, to, into);
    read_end(&r);
    return code;
}

/* Into the trash, unless it lies there already or there is none. */
static int delete_named(struct reading *r, const struct imap_numbers *uids)
{
    struct arena *a = r->call->arena;
    slice trash = S(""), into = S("");
    bool forever = call_flag(r->call, "forever");
    if (!forever && !imap_client_role(r->client, a, S("Trash"), &trash, &r->error))
        return read_failed(r);
    if (trash.n && !slice_eq(trash, r->mailbox)) {
        if (!imap_client_move(r->client, a, uids->items, uids->count, trash, &into, &r->error))
            return read_failed(r);
        print_done(r, say("moved to the trash", "已移入回收站"), uids, trash, into);
        return EXIT_DONE;
    }
    if (!imap_client_expunge(r->client, uids->items, uids->count, &r->error))
        return read_failed(r);
    print_done(r, say("deleted", "已删除"), uids, S(""), S(""));
    return EXIT_DONE;
}

static int run_delete(struct call *c)
{
    struct reading r;
    struct imap_numbers uids = {0};
    int code = read_begin_mailbox(c, &r, false);
    if (code == EXIT_DONE)
        code = read_named(&r, &uids);
    if (code == EXIT_DONE)
        code = delete_named(&r, &uids);
    read_end(&r);
    return code;
}
