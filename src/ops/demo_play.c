/*
 * The journey by itself (yizhan demo --once): each act is the commands a person would type, and a
 * check that what arrived is what was sent, byte for byte.
 */
#include "ops/demo.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "message/parse.h"
#include "ops/child.h"
#include "base/banned.h"

enum { FILES = 10, SHORT_MAILS = 3, QUEUE_MS = 30000, LOOK_MS = 50, MESSAGES = 64 };

static const char subject[] = "驿站第一封信：马到成功";
static const char text[] =
    "你好，南站！\n\n这封信从北站出发，经过两个驿站。\n.这一行以点开头\n..这一行有两个点\n"
    "From 这一行像信封\n末行";

/* The attachments: a name, a kind of content, a size. */
enum content { CONTENT_TEXT, CONTENT_BYTES, CONTENT_NOISE };
static const struct {
    const char *name;
    enum content content;
    size_t size;
} files[FILES] = {
    {"照片.jpg", CONTENT_NOISE, 120000},  {"报告.pdf", CONTENT_NOISE, 300000},
    {"table.csv", CONTENT_TEXT, 4000},    {"notes.txt", CONTENT_TEXT, 300},
    {"page.html", CONTENT_TEXT, 9000},    {"music.mp3", CONTENT_NOISE, 1500000},
    {"archive.zip", CONTENT_NOISE, 7777}, {"every-byte.bin", CONTENT_BYTES, 5000},
    {"one-byte.bin", CONTENT_BYTES, 1},   {"empty.dat", CONTENT_BYTES, 0},
};

/* The bytes of attachment i, always the same. */
static slice file_content(struct arena *a, size_t i)
{
    size_t n = files[i].size;
    char *p = arena_alloc(a, n + 1);
    uint64_t x = 0x9e3779b97f4a7c15u * (i + 1);
    for (size_t k = 0; k < n; k++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        p[k] = files[i].content == CONTENT_BYTES   ? (char)(k & 0xff)
               : files[i].content == CONTENT_NOISE ? (char)(x >> 32)
               : k % 61 == 60                      ? '\n'
                                                   : (char)('a' + (int)(x % 26));
    }
    return (slice){p, n};
}

static const char *file_path(struct demo *d, size_t i)
{
    return arena_printf(d->arena, "%s/files/%s", d->dir, files[i].name).p;
}

static bool write_files(struct demo *d)
{
    if (file_make_dir(arena_printf(d->arena, "%s/files", d->dir).p, 0755) < 0)
        return false;
    for (size_t i = 0; i < FILES; i++)
        if (file_write(file_path(d, i), file_content(d->arena, i), 0644) < 0)
            return false;
    return true;
}

static void act(struct demo *d, int number, const char *what)
{
    demo_say(d, "\n== %d. %s", number, what);
}

static bool failed(struct demo *d, const char *what)
{
    demo_say(d, "%s: %s", say("FAILED", "失败"), what);
    return false;
}

/* ---- Commands ---- */

/* Runs a command whose answer is JSON and shows it; the answer, or NULL. */
static json_t *ask(struct demo *d, bool show, const char *const *words)
{
    slice out;
    if (demo_command(d, show, S(""), &out, words) != EXIT_DONE)
        return NULL;
    json_t *answer = json_loadb(out.p, out.n, 0, NULL);
    if (!answer)
        failed(d, say("the answer is no JSON", "答复不是 JSON"));
    return answer;
}

/* The post of a user; the password goes into the environment of the commands to come. */
static const struct demo_post *log_in(struct demo *d, const char *address)
{
    for (size_t i = 0; i < DEMO_POSTS; i++)
        for (size_t k = 0; k < DEMO_USERS; k++)
            if (strcmp(d->posts[i].users[k].address, address) == 0) {
                setenv("YIZHAN_PASSWORD", arena_dup(d->arena, d->posts[i].users[k].password).p, 1);
                return &d->posts[i];
            }
    return NULL;
}

/* yizhan send from one@north.test with more words; the queue id of the last mail in *id. */
static bool send_mail(struct demo *d, const char *const *more, slice *id)
{
    const char *from = d->posts[0].users[0].address;
    const char *words[CHILD_WORDS + 1] = {"send",   "--dir", log_in(d, from)->dir,
                                          "--user", from,    "--json"};
    for (size_t n = 6, i = 0; more[i] && n < CHILD_WORDS; i++)
        words[n++] = more[i];
    json_t *mails = ask(d, true, words), *mail;
    size_t i;
    *id = S("");
    json_array_foreach(mails, i, mail)
    {
        *id = arena_dup(d->arena, json_slice_at(mail, "id"));
        demo_say(d, "%s %.*s", say("250, queue id", "250，队列编号"), P(*id));
    }
    json_decref(mails);
    return id->n > 0;
}

/* Waits until nothing waits in north's queue: it has been handed over. */
static bool wait_handed_over(struct demo *d)
{
    int64_t end = clock_mono_ms() + QUEUE_MS;
    while (clock_mono_ms() < end) {
        json_t *rows =
            ask(d, false, DEMO_WORDS("queue", "list", "--json", "--dir", d->posts[0].dir));
        bool empty = rows && json_array_size(rows) == 0;
        json_decref(rows);
        if (empty)
            return true;
        nanosleep(&(struct timespec){.tv_nsec = LOOK_MS * 1000000L}, NULL);
    }
    return failed(d, say("the queue did not empty", "队列没有清空"));
}

/* ---- What arrived ---- */

/* How many messages lie in a directory; the contents of the first MESSAGES of them. */
static size_t read_mails(struct demo *d, const char *dir, slice mails[MESSAGES])
{
    DIR *list = opendir(dir);
    size_t count = 0;
    for (struct dirent *e; list && (e = readdir(list)) && count < MESSAGES;) {
        const char *path = arena_printf(d->arena, "%s/%s", dir, e->d_name).p;
        if (slice_ends(slice_c(e->d_name), S(".eml")) &&
            file_read(d->arena, path, LIMIT_MESSAGE, &mails[count]) == 0)
            count++;
    }
    if (list)
        closedir(list);
    return count;
}

static bool same_file(struct demo *d, const struct mime *m, size_t i)
{
    for (size_t part = 0; part < m->count; part++) {
        struct mime_content c;
        if (m->parts[part].kind != MIME_LEAF)
            continue;
        mime_content(d->arena, m, part, &c);
        if (slice_eq(c.name, slice_c(files[i].name)))
            return slice_eq(mime_decode(d->arena, m, part, &c, NULL), file_content(d->arena, i));
    }
    return false;
}

/* Without CR and without line ends at the end: what a person calls the same text. */
static slice plain_text(struct arena *a, slice s)
{
    char *p = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != '\r')
            p[n++] = s.p[i];
    return slice_trim((slice){p, n});
}

static bool same_text(struct demo *d, const struct mime *m)
{
    for (size_t part = 0; part < m->count; part++) {
        struct mime_content c;
        if (m->parts[part].kind != MIME_LEAF)
            continue;
        mime_content(d->arena, m, part, &c);
        slice got = mime_text(d->arena, m, part, &c, NULL);
        return slice_eq(plain_text(d->arena, got), slice_c(text));
    }
    return false;
}

/* The first letter among the mails: subject, text and ten attachments, byte for byte. */
static bool check_letter(struct demo *d, const slice *mails, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct mime m;
        slice value;
        mime_parse(d->arena, mails[i], &m);
        if (!header_find(mime_header(&m, 0), S("Subject"), &value) ||
            !slice_eq(header_text(d->arena, value), slice_c(subject)))
            continue;
        size_t same = 0;
        for (size_t k = 0; k < FILES; k++)
            same += same_file(d, &m, k);
        bool same_words = same_text(d, &m);
        demo_say(d,
                 say("%.*s: text %s, %zu of %d attachments identical, %zu bytes",
                     "%.*s：正文%s，%zu/%d 个附件完全一致，共 %zu 字节"),
                 P(header_text(d->arena, value)),
                 same_words ? say("identical", "一致") : say("DIFFERS", "不一致"), same, FILES,
                 mails[i].n);
        return same_words && same == FILES;
    }
    return failed(d, say("the letter is not there", "没有找到那封信"));
}

/*
 * yizhan fetch by a client of its own (a directory); how is --keep or --delete.  False unless it
 * then holds want messages.
 */
static bool fetch(struct demo *d, const char *address, const char *client, const char *how,
                  size_t want, slice mails[MESSAGES])
{
    const struct demo_post *post = log_in(d, address);
    const char *dir = arena_printf(d->arena, "%s/%s", d->dir, client).p;
    if (demo_command(d, true, S(""), NULL,
                     DEMO_WORDS("fetch", "--dir", post->dir, "--user", address, how, "--out",
                                dir)) != EXIT_DONE)
        return false;
    size_t count = read_mails(d, dir, mails);
    demo_say(d, say("%s holds %zu mail%s", "%s 中有 %zu 封信%.0s"), client, count,
             count == 1 ? "" : "s");
    if (count == want)
        return true;
    demo_say(d, say("%zu were expected", "应有 %zu 封"), want);
    return failed(d, "fetch");
}

/* ---- IMAP ---- */

/* yizhan read with more words for an address. */
static bool read_mail(struct demo *d, bool show, const char *address, slice *out,
                      const char *const *more)
{
    const char *words[CHILD_WORDS + 1] = {"read",   more[0], "--dir", log_in(d, address)->dir,
                                          "--user", address};
    for (size_t n = 6, i = 1; more[i] && n < CHILD_WORDS; i++)
        words[n++] = more[i];
    return demo_command(d, show, S(""), out, words) == EXIT_DONE;
}

/* The UID of the newest message with that subject, "" when there is none. */
static const char *find_uid(struct demo *d, const char *address, const char *mailbox,
                            const char *wanted)
{
    slice out;
    const char *uid = "";
    if (!read_mail(d, false, address, &out, DEMO_WORDS("list", "--mailbox", mailbox, "--json")))
        return "";
    json_t *mails = json_loadb(out.p, out.n, 0, NULL), *mail;
    size_t i;
    json_array_foreach(mails, i, mail)
    {
        if (!*uid && slice_eq(json_slice_at(mail, "subject"), slice_c(wanted)))
            uid = arena_printf(d->arena, "%lld", (long long)json_number_at(mail, "uid", 0)).p;
    }
    json_decref(mails);
    return uid;
}

/* Reads what a child says up to its end (whole) or its first line. */
static slice hear(struct demo *d, int fd, bool whole)
{
    struct buf b = {.max = CHILD_OUTPUT};
    char *to;
    while ((whole || slice_find(buf_slice(&b), '\n') < 0) && (to = buf_space(&b, 1))) {
        ssize_t n = read(fd, to, 1);
        if (n <= 0)
            break;
        buf_wrote(&b, 1);
    }
    slice all = arena_dup(d->arena, buf_slice(&b));
    buf_end(&b);
    return slice_trim(all);
}

/* One waits in IDLE, the other sends: the mail is pushed. */
static bool push(struct demo *d, const char *two, const char *title)
{
    int fd = -1;
    slice id;
    const struct demo_post *post = log_in(d, two);
    const char *error = arena_printf(d->arena, "%s/wait.errors", d->dir).p;
    demo_say(d, "\n$ yizhan read wait --dir %s --user %s --timeout 1m &", post->dir, two);
    pid_t pid = child_start(
        DEMO_WORDS("read", "wait", "--dir", post->dir, "--user", two, "--timeout", "1m"), error,
        &fd);
    if (pid < 0)
        return failed(d, "read wait");
    slice waiting = hear(d, fd, false);
    demo_say(d, "%.*s", P(waiting));
    bool sent = send_mail(d,
                          DEMO_WORDS("--to", two, "--subject", title, "--text",
                                     say("pushed to you", "推送给你"), "--attach", file_path(d, 2)),
                          &id);
    slice said = sent ? hear(d, fd, true) : S("");
    demo_say(d, "%.*s", P(said));
    close(fd);
    int code = sent ? child_wait(pid) : child_stop(pid);
    return (code == EXIT_DONE && slice_search(said, slice_c(title)) >= 0) || failed(d, "read wait");
}

/* A new Chinese folder, the pushed mail into it, and what is in it: its words, its file. */
static bool file_away(struct demo *d, const char *two, const char *title)
{
    static const char folder[] = "项目/驿站";
    slice shown = S(""), saved;
    const char *uid = find_uid(d, two, "INBOX", title);
    const char *dir = arena_printf(d->arena, "%s/saved", d->dir).p;
    if (!read_mail(d, true, two, NULL, DEMO_WORDS("create", folder)) ||
        !read_mail(d, true, two, NULL, DEMO_WORDS("move", uid, "--to", folder)) ||
        !read_mail(d, true, two, &shown, DEMO_WORDS("mailboxes")))
        return false;
    demo_say(d, "%.*s", P(slice_trim(shown)));
    if (!read_mail(d, true, two, &shown, DEMO_WORDS("show", "--mailbox", folder, "--save", dir)))
        return false;
    demo_say(d, "%.*s", P(slice_trim(shown)));
    bool words = slice_search(shown, slice_c(say("pushed to you", "推送给你"))) >= 0;
    const char *path = arena_printf(d->arena, "%s/%s", dir, files[2].name).p;
    bool same = file_read(d->arena, path, LIMIT_MESSAGE, &saved) == 0 &&
                slice_eq(saved, file_content(d->arena, 2));
    return (words && same) || failed(d, "read show");
}

/* ---- The acts ---- */

static bool act_letter(struct demo *d, slice *id)
{
    act(d, 1,
        say("A letter with ten attachments: user agent, submission with STARTTLS and "
            "SCRAM-SHA-256, "
            "north's queue, south's port 25, a mailbox",
            "一封带十个附件的信：用户代理，STARTTLS 与 SCRAM-SHA-256 提交，北站队列，南站 25 "
            "端口，邮箱"));
    const char *words[2 * FILES + 8] = {
        "--to", d->posts[1].users[0].address, "--subject", subject, "--text", text};
    for (size_t i = 0; i < FILES; i++) {
        words[6 + 2 * i] = "--attach";
        words[7 + 2 * i] = file_path(d, i);
    }
    return write_files(d) && send_mail(d, words, id) && wait_handed_over(d);
}

static bool act_several(struct demo *d)
{
    slice id;
    act(d, 2, say("Three mails over one connection", "一条连接上的三封信"));
    return send_mail(d,
                     DEMO_WORDS("--to", d->posts[1].users[0].address, "--subject",
                                say("a short mail", "一封短信"), "--text", say("short", "短"),
                                "--count", "3"),
                     &id) &&
           wait_handed_over(d);
}

static bool act_recall(struct demo *d)
{
    slice id, shown;
    act(d, 3, say("A mail that is held is withdrawn", "撤回一封被扣留的信"));
    const char *dir = d->posts[0].dir;
    if (!send_mail(d,
                   DEMO_WORDS("--to", d->posts[1].users[0].address, "--subject",
                              say("sent too early", "发早了"), "--text", "…", "--hold", "1h"),
                   &id) ||
        demo_command(d, true, S(""), &shown, DEMO_WORDS("queue", "list", "--dir", dir)) !=
            EXIT_DONE)
        return false;
    demo_say(d, "%.*s", P(slice_trim(shown)));
    json_t *answer = ask(
        d, true, DEMO_WORDS("queue", "recall", arena_dup(d->arena, id).p, "--json", "--dir", dir));
    json_t *row = json_array_get(json_object_get(answer, "recipients"), 0);
    slice result = arena_dup(d->arena, json_slice_at(row, "result"));
    demo_say(d, "%.*s: %.*s", P(json_slice_at(row, "address")), P(result));
    json_decref(answer);
    return slice_eq(result, S("withdrawn")) || failed(d, "recall");
}

static bool act_imap(struct demo *d)
{
    slice shown;
    const char *one = d->posts[0].users[0].address, *two = d->posts[1].users[0].address;
    const char *title = say("a mail that is pushed", "一封推送的信");
    act(d, 4,
        say("IMAP: a mail is pushed, a new folder, moved, read; the sender has a copy",
            "IMAP：推送新信，新建文件夹，移动，阅读；发件人留有副本"));
    if (!push(d, two, title) || !file_away(d, two, title) ||
        !read_mail(d, true, one, &shown, DEMO_WORDS("list", "--mailbox", "Sent", "--limit", "2")))
        return false;
    demo_say(d, "%.*s", P(slice_trim(shown)));
    return slice_search(shown, slice_c(title)) >= 0 || failed(d, "Sent");
}

static bool act_fetch(struct demo *d)
{
    slice mails[MESSAGES];
    const char *two = d->posts[1].users[0].address;
    size_t all = 1 + SHORT_MAILS;
    act(d, 5,
        say("POP3 over TLS: keep, only what is new, a second client, delete",
            "以 TLS 的 POP3 下载：保留，只取新信，第二个客户端，删除"));
    return fetch(d, two, "laptop", "--keep", all, mails) && check_letter(d, mails, all) &&
           fetch(d, two, "laptop", "--keep", all, mails) &&
           fetch(d, two, "phone", "--delete", all, mails) && check_letter(d, mails, all) &&
           fetch(d, two, "tablet", "--keep", 0, mails);
}

static bool act_caught(struct demo *d)
{
    slice id, mails[MESSAGES];
    act(d, 6,
        say("A mail for another domain is caught: nothing leaves the machine",
            "寄往其他域的信被代收：不离开本机"));
    return send_mail(d,
                     DEMO_WORDS("--to", "somebody@elsewhere.test", "--subject",
                                say("to the world", "寄往世界"), "--text", "…"),
                     &id) &&
           wait_handed_over(d) &&
           fetch(d, d->posts[0].users[1].address, "caught", "--delete", 1, mails);
}

static bool act_trace(struct demo *d, slice id)
{
    slice shown;
    act(d, 7, say("Where the letter has been", "那封信走过的路"));
    if (demo_command(d, true, S(""), &shown,
                     DEMO_WORDS("trace", arena_dup(d->arena, id).p, "--dir", d->posts[0].dir)) !=
        EXIT_DONE)
        return false;
    demo_say(d, "%.*s", P(slice_trim(shown)));
    return true;
}

bool demo_play(struct demo *d)
{
    slice id;
    bool ok = act_letter(d, &id) && act_several(d) && act_recall(d) && act_imap(d) &&
              act_fetch(d) && act_caught(d) && act_trace(d, id);
    demo_say(d, "\n%s",
             ok ? say("Every byte arrived.", "每个字节都已送达。")
                : say("The journey failed.", "行程失败。"));
    return ok;
}
