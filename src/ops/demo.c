/*
 * yizhan demo [--dir DIR] [--once]: makes two posts with the commands a person would type, starts
 * them as children, prints accounts, ports and what to try, and from then on every step of every
 * dialogue, as the posts narrate it.  Mail for any other domain is caught in a mailbox.
 */
#include "ops/demo.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/file.h"
#include "base/rand.h"
#include "ops/child.h"

enum { LINE = 8192, PORT_BASE = 1000, READY_S = 30, PASSWORDS = 4096, PATH = 2048 };

const struct option_row demo_options[] = {
    {"dir", "DIR", OPTION_TEXT, 0,
     "keep the two posts here (else in a new directory, removed at the end)",
     "两个驿站放在此处（默认放在新建的临时目录，结束时删除）"},
    {"once", NULL, OPTION_FLAG, 0, "play the journey by itself, exit 0 only if every byte arrived",
     "自动演示一遍；每个字节都送达才以 0 退出"},
    {"port-base", "N", OPTION_NUMBER, 50000,
     "the first post's; the second has 1000 more (else 1000)",
     "第一个驿站的端口基数，第二个再加 1000（默认 1000）"},
    {0},
};

void demo_say(struct demo *d, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    pthread_mutex_lock(&d->mutex);
    vprintf(format, args);
    putchar('\n');
    fflush(stdout);
    pthread_mutex_unlock(&d->mutex);
    va_end(args);
}

/* A word as one would type it, the first line of a long text. */
static slice shown_word(struct arena *a, slice line, slice word)
{
    ptrdiff_t end = slice_find(word, '\n');
    if (end >= 0)
        return arena_printf(a, "%.*s \"%.*s…\"", P(line), P(slice_sub(word, 0, (size_t)end)));
    bool quote = !word.n || slice_find(word, ' ') >= 0;
    return arena_printf(a, quote ? "%.*s \"%.*s\"" : "%.*s %.*s", P(line), P(word));
}

int demo_command(struct demo *d, bool show, slice input, slice *out, const char *const *words)
{
    slice ignored, error = S(""), line = S("$ yizhan");
    for (size_t i = 0; words[i]; i++)
        if (strcmp(words[i], "--json") != 0) /* what is shown here is for people */
            line = shown_word(d->arena, line, slice_c(words[i]));
    if (show)
        demo_say(d, "\n%.*s", P(line));
    int code = child_run(d->arena, words, input, out ? out : &ignored, &error);
    if (code != EXIT_DONE) {
        demo_say(d, "%.*s: %s %d", P(line), say("exit code", "退出码"), code);
        demo_say(d, "%.*s", P(slice_trim(error)));
    }
    return code;
}

/* ---- Setting up ---- */

/* Three groups of four letters and digits that are not mistaken for others. */
static slice new_password(struct arena *a)
{
    char text[ID_TEXT];
    id_text((int64_t)(rand_u64() >> 1), text);
    return arena_printf(a, "%.4s-%.4s-%.4s", text + 1, text + 5, text + 9);
}

static bool add_config(const char *path, const char *catcher)
{
    FILE *f = fopen(path, "ae");
    if (!f)
        return false;
    fprintf(f,
            "\n[log]\nlevel = warning\nnarrate = yes\n"
            "[queue]\nretry = 2s 5s 15s 1m 5m\n"
            "[demo]\ncatch-all = %s\n",
            catcher);
    return fclose(f) == 0;
}

/* The passwords of a post are kept beside it, so that --dir can be used again. */
static bool read_passwords(struct demo *d, struct demo_post *p)
{
    slice text, word;
    if (file_read(d->arena, arena_printf(d->arena, "%s.passwords", p->dir).p, PASSWORDS, &text) < 0)
        return false;
    for (size_t i = 0; i < DEMO_USERS; i++) {
        if (!slice_next(&text, '\n', &word))
            return false;
        p->users[i].password = word;
    }
    return true;
}

static bool add_users(struct demo *d, struct demo_post *p)
{
    slice all = S("");
    for (size_t i = 0; i < DEMO_USERS; i++) {
        struct demo_user *u = &p->users[i];
        u->password = new_password(d->arena);
        slice line = arena_printf(d->arena, "%.*s\n", P(u->password));
        if (demo_command(d, false, line, NULL,
                         DEMO_WORDS("user", "add", u->address, "--dir", p->dir)) != EXIT_DONE)
            return false;
        all = arena_printf(d->arena, "%.*s%.*s", P(all), P(line));
    }
    return file_write(arena_printf(d->arena, "%s.passwords", p->dir).p, all, 0600) == 0;
}

static bool make_post(struct demo *d, struct demo_post *p, const struct demo_post *other)
{
    const char *base = arena_printf(d->arena, "%d", p->port_base).p;
    const char *next = arena_printf(d->arena, "127.0.0.1:%d", other->port_base + 25).p;
    const char *config = arena_printf(d->arena, "%s/yizhan.conf", p->dir).p;
    if (access(config, F_OK) == 0 && read_passwords(d, p))
        return true;
    return demo_command(d, false, S(""), NULL,
                        DEMO_WORDS("init", "--dir", p->dir, "--domain", p->name, "--port-base",
                                   base)) == EXIT_DONE &&
           add_config(config, p->users[1].address) && add_users(d, p) &&
           demo_command(d, false, S(""), NULL,
                        DEMO_WORDS("route", "add", other->name, next, "--dir", p->dir)) ==
               EXIT_DONE;
}

static bool make_dir(struct demo *d, const char *wanted, struct call *c)
{
    if (wanted) {
        if (file_make_dir(wanted, 0755) == 0 &&
            (d->dir = realpath(wanted, arena_alloc(d->arena, PATH))))
            return true;
        call_fail(c, "%s: %s", wanted, strerror(errno));
        return false;
    }
    const char *temp = getenv("TMPDIR");
    char *path = arena_cstr(
        d->arena, arena_printf(d->arena, "%s/yizhan-demo-XXXXXX", temp && *temp ? temp : "/tmp"));
    d->dir = mkdtemp(path);
    if (d->dir && chmod(path, 0755) == 0)
        return true;
    call_fail(c, "%s: %s", path, strerror(errno));
    return false;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

/* ---- The running posts ---- */

struct reader {
    struct demo *demo;
    struct demo_post *post;
};

/* A line of a post: "ready", or a step of a dialogue. */
static void on_line(struct demo *d, struct demo_post *p, slice line)
{
    static const char *const colours[] = {"\033[36m", "\033[33m"};
    pthread_mutex_lock(&d->mutex);
    if (slice_eq(line, S("ready"))) {
        p->ready = true;
        pthread_cond_broadcast(&d->changed);
    } else {
        if (d->colour)
            fputs(colours[p - d->posts], stdout);
        fwrite(line.p, 1, line.n, stdout);
        puts(d->colour ? "\033[0m" : "");
        fflush(stdout);
    }
    pthread_mutex_unlock(&d->mutex);
}

static void *read_post(void *arg)
{
    struct reader *r = arg;
    struct buf b = {.max = 2 * LINE};
    for (;;) {
        ssize_t n = read(r->post->narration, buf_space(&b, LINE), LINE);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        buf_wrote(&b, (size_t)n);
        for (ptrdiff_t at; (at = slice_find(buf_slice(&b), '\n')) >= 0; buf_eat(&b, (size_t)at + 1))
            on_line(r->demo, r->post, slice_sub(buf_slice(&b), 0, (size_t)at));
        if (buf_length(&b) > LINE)
            buf_clear(&b);
    }
    buf_end(&b);
    pthread_mutex_lock(&r->demo->mutex);
    r->post->ended = true;
    pthread_cond_broadcast(&r->demo->changed);
    pthread_mutex_unlock(&r->demo->mutex);
    return NULL;
}

static bool start_post(struct demo *d, struct demo_post *p)
{
    const char *log = arena_printf(d->arena, "%s.log", p->dir).p;
    p->pid = child_start(DEMO_WORDS("serve", "--dir", p->dir), log, &p->narration);
    if (p->pid < 0)
        return false;
    struct reader *r = arena_new(d->arena, struct reader);
    *r = (struct reader){d, p};
    p->reading = pthread_create(&p->reader, NULL, read_post, r) == 0;
    return p->reading;
}

/* Waits until both are ready; false when one ended or takes too long. */
static bool wait_ready(struct demo *d)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += READY_S;
    struct demo_post *a = &d->posts[0], *b = &d->posts[1];
    pthread_mutex_lock(&d->mutex);
    int late = 0;
    while (!(a->ready && b->ready) && !a->ended && !b->ended && late == 0)
        late = pthread_cond_timedwait(&d->changed, &d->mutex, &until);
    bool ok = a->ready && b->ready;
    pthread_mutex_unlock(&d->mutex);
    return ok;
}

/* What a post that did not start said last. */
static void show_errors(struct demo *d, struct demo_post *p)
{
    slice text;
    const char *log = arena_printf(d->arena, "%s.log", p->dir).p;
    if (file_read(d->arena, log, 1 << 20, &text) < 0)
        return;
    text = slice_trim(text);
    slice last = slice_skip(text, text.n > 600 ? text.n - 600 : 0);
    if (last.n)
        call_fail(d->call, "%s: %.*s", p->name, P(last));
}

static void stop_posts(struct demo *d)
{
    for (size_t i = 0; i < DEMO_POSTS; i++) {
        struct demo_post *p = &d->posts[i];
        if (p->pid > 0)
            child_stop(p->pid);
        if (p->reading)
            pthread_join(p->reader, NULL);
        if (p->pid > 0)
            close(p->narration);
    }
}

/* ---- For the person ---- */

static void print_posts(struct demo *d)
{
    demo_say(
        d, "%s\n",
        say("Two posts are running on this machine. Nothing leaves it: mail for other domains is "
            "caught.",
            "本机上运行着两个驿站。任何邮件都不会离开本机：寄往其他域的邮件由“代收”账户收下。"));
    for (size_t i = 0; i < DEMO_POSTS; i++) {
        struct demo_post *p = &d->posts[i];
        int b = p->port_base;
        demo_say(d, "  %s   SMTP %d   %s %d, TLS %d   POP3 %d, TLS %d   IMAP %d, TLS %d   HTTP %d",
                 p->name, b + 25, say("submission", "提交"), b + 587, b + 465, b + 110, b + 995,
                 b + 143, b + 993, b + 80);
        demo_say(d, "    %-20s %s %.*s", p->users[0].address, say("password", "密码"),
                 P(p->users[0].password));
        demo_say(d, "    %-20s %s %.*s   %s", p->users[1].address, say("password", "密码"),
                 P(p->users[1].password), say("(all other domains)", "（代收其他域的邮件）"));
    }
}

static void print_try(struct demo *d)
{
    struct demo_post *n = &d->posts[0], *s = &d->posts[1];
    char program[PATH] = "yizhan";
    ssize_t length = readlink("/proc/self/exe", program, sizeof(program) - 1);
    program[length > 0 ? length : 6] = '\0';
    demo_say(d, "\n%s\n",
             say("Try in another terminal, and watch each step here (passwords are asked for):",
                 "在另一个终端试试，并在这里看每一步（会询问密码）："));
    demo_say(d, "  %s send --dir %s --user %s --to %s --subject \"%s\"", program, n->dir,
             n->users[0].address, s->users[0].address, say("Hello", "你好"));
    demo_say(d, "  %s fetch --dir %s --user %s --keep --out mail", program, s->dir,
             s->users[0].address);
    demo_say(d, "  %s read list --dir %s --user %s", program, s->dir, s->users[0].address);
    demo_say(d, "\n%s\n", say("Stop with Ctrl-C.", "按 Ctrl-C 结束。"));
}

/* Until somebody ends us, or a post ends by itself. */
static void live(struct demo *d)
{
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    for (;;) {
        struct timespec second = {.tv_sec = 1};
        if (sigtimedwait(&ends, NULL, &second) > 0)
            return;
        pthread_mutex_lock(&d->mutex);
        bool ended = d->posts[0].ended || d->posts[1].ended;
        pthread_mutex_unlock(&d->mutex);
        if (ended)
            return;
    }
}

static void block_signals(void)
{
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL); /* before any thread starts */
}

static int run(struct demo *d)
{
    for (size_t i = 0; i < DEMO_POSTS; i++)
        if (!make_post(d, &d->posts[i], &d->posts[1 - i]))
            return EXIT_FAILED;
    for (size_t i = 0; i < DEMO_POSTS; i++)
        if (!start_post(d, &d->posts[i]))
            return call_fail(d->call, "%s: %s", d->posts[i].name, strerror(errno));
    if (!wait_ready(d)) {
        for (size_t i = 0; i < DEMO_POSTS; i++)
            show_errors(d, &d->posts[i]);
        return call_fail(d->call, "%s", say("a post did not start", "有驿站未能启动"));
    }
    print_posts(d);
    if (call_flag(d->call, "once"))
        return demo_play(d) ? EXIT_DONE : EXIT_FAILED;
    print_try(d);
    live(d);
    return EXIT_DONE;
}

int demo_run(struct call *c)
{
    struct demo d = {.arena = c->arena,
                     .call = c,
                     .colour = isatty(1) && !getenv("NO_COLOR"),
                     .mutex = PTHREAD_MUTEX_INITIALIZER,
                     .changed = PTHREAD_COND_INITIALIZER};
    int base = (int)call_number(c, "port-base", PORT_BASE);
    const char *wanted = call_text(c, "dir");
    if (!make_dir(&d, wanted, c))
        return EXIT_FAILED;
    d.posts[0] =
        (struct demo_post){.name = "north.test",
                           .dir = arena_printf(c->arena, "%s/north", d.dir).p,
                           .port_base = base,
                           .users = {{"one@north.test", S("")}, {"caught@north.test", S("")}}};
    d.posts[1] =
        (struct demo_post){.name = "south.test",
                           .dir = arena_printf(c->arena, "%s/south", d.dir).p,
                           .port_base = base + PORT_BASE,
                           .users = {{"two@south.test", S("")}, {"caught@south.test", S("")}}};
    block_signals();
    int code = run(&d);
    stop_posts(&d);
    if (!wanted && code == EXIT_DONE)
        nftw(d.dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    else if (code != EXIT_DONE)
        call_fail(c, say("what happened is kept in %s", "过程保存在 %s"), d.dir);
    return code;
}
