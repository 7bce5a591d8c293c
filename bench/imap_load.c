/*
 * The IMAP load of ./dev bench, the same against any server: straight clients that only look for
 * the end of an answer, so that little of the measured time is theirs.  Many clients are one thread
 * and one epoll; each sends its next command when the answer to the last is whole and was OK.
 *   imap_load create --port P --login A --password W --mailbox M
 *   imap_load fill   --port P --login A --password W --mailbox M --total N   APPENDs, 100 in one
 *   imap_load select …            one SELECT, as the first after a start
 *   imap_load box    … --part N   SELECT, FETCH, STORE, MOVE of a big mailbox; N messages of it
 *   imap_load append … --sessions K --total N     K clients, one message after the other
 *   imap_load login  … --sessions K --total N     connect, LOGIN, SELECT, LOGOUT
 *   imap_load noop   … --sessions K --total N
 *   imap_load idle   … --total N                  from the OK of an APPEND to the EXISTS elsewhere
 * A %d in --login is the number of the client.  It prints rows "name<TAB>number<TAB>unit"; anything
 * but OK ends it with exit 1.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { READ = 1 << 20, TAIL = 2048, BATCH = 100, RUNS = 5, SESSIONS = 256, NAME = 256, HEAD = 512 };

static struct {
    const char *login, *password, *mailbox;
    uint16_t port;
    int sessions, total, size, part;
} options = {.login = "u%d@north.test",
             .password = "",
             .mailbox = "INBOX",
             .sessions = 1,
             .total = 1000,
             .size = 4096,
             .part = 10000};

static void __attribute__((format(printf, 1, 2), noreturn)) die(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("imap_load: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static double quantile(double *v, int n, double q)
{
    qsort(v, (size_t)n, sizeof(*v), compare);
    return v[(int)(q * (n - 1))];
}

/* ---- One connection ---- */

struct conn {
    int fd;
    unsigned tag;
    char tail[TAIL]; /* the end of what has come */
    size_t tail_n;
    uint64_t bytes; /* all that has come */
};

static void begin(struct conn *c)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(options.port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    c->tag = 0;
    c->tail_n = 0;
    c->bytes = 0;
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        die("cannot connect to port %u: %s", options.port, strerror(errno));
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}

static void send_all(struct conn *c, const char *p, size_t n)
{
    while (n) {
        ssize_t sent = write(c->fd, p, n);
        if (sent < 0)
            die("write: %s", strerror(errno));
        p += sent;
        n -= (size_t)sent;
    }
}

/* Keeps the last TAIL bytes. */
static void keep(struct conn *c, const char *p, size_t n)
{
    if (n > TAIL) {
        p += n - TAIL;
        n = TAIL;
    }
    size_t old = c->tail_n + n > TAIL ? TAIL - n : c->tail_n;
    memmove(c->tail, c->tail + c->tail_n - old, old);
    memcpy(c->tail + old, p, n);
    c->tail_n = old + n;
}

static void receive(struct conn *c)
{
    static char in[READ];
    ssize_t n = read(c->fd, in, READ);
    if (n <= 0)
        die("the server closed the connection after: %.*s", (int)c->tail_n, c->tail);
    c->bytes += (uint64_t)n;
    keep(c, in, (size_t)n);
}

/* The last whole line that has come, or NULL while one is under way. */
static const char *last_line(struct conn *c, size_t *length)
{
    if (!c->tail_n || c->tail[c->tail_n - 1] != '\n')
        return NULL;
    const char *end = memrchr(c->tail, '\n', c->tail_n - 1);
    const char *line = end ? end + 1 : c->tail;
    *length = (size_t)(c->tail + c->tail_n - line);
    return line;
}

/* The last line that has come begins with what; another tagged answer ends it all. */
static bool came(struct conn *c, const char *what)
{
    size_t n, length = strlen(what);
    const char *line = last_line(c, &n);
    if (!line)
        return false;
    if (n > length && memcmp(line, what, length) == 0)
        return true;
    if (*what == 'a' && line[0] == 'a')
        die("answered: %.*s", (int)n, line);
    return false;
}

static void await(struct conn *c, const char *what)
{
    while (!came(c, what))
        receive(c);
}

/* The answer to the last command has come. */
static bool finished(struct conn *c)
{
    char want[32];
    snprintf(want, sizeof(want), "a%u OK", c->tag);
    return came(c, want);
}

static void finish(struct conn *c)
{
    while (!finished(c))
        receive(c);
}

static void __attribute__((format(printf, 2, 3))) say(struct conn *c, const char *format, ...)
{
    char text[1024];
    va_list args;
    int n = snprintf(text, sizeof(text), "a%u ", ++c->tag);
    va_start(args, format);
    n += vsnprintf(text + n, sizeof(text) - (size_t)n - 2, format, args);
    va_end(args);
    memcpy(text + n, "\r\n", 2);
    c->tail_n = 0;
    send_all(c, text, (size_t)n + 2);
}

#define ask(c, ...) (say(c, __VA_ARGS__), finish(c))

/* Milliseconds of a command. */
#define timed(c, ...) (start_ = now_ms(), ask(c, __VA_ARGS__), now_ms() - start_)

static void say_login(struct conn *c, int client)
{
    char name[NAME];
    const char *mark = strstr(options.login, "%d");
    snprintf(name, sizeof(name), "%.*s", mark ? (int)(mark - options.login) : NAME - 1,
             options.login);
    if (mark)
        snprintf(name + strlen(name), sizeof(name) - strlen(name), "%d%s", client, mark + 2);
    say(c, "LOGIN \"%s\" \"%s\"", name, options.password);
}

static void log_in(struct conn *c, int client)
{
    begin(c);
    await(c, "* OK");
    say_login(c, client);
    finish(c);
}

static void end(struct conn *c)
{
    ask(c, "LOGOUT");
    close(c->fd);
}

/* ---- Messages ---- */

/* The lines of every message, with the CRLF that ends its APPEND behind them. */
static const char *body_lines(size_t *n)
{
    static const char line[] =
        "The quick brown fox jumps over the lazy dog and the rider of the relay.\r\n";
    static char *lines;
    static size_t length;
    while (!lines || length + sizeof(line) - 1 + HEAD <= (size_t)options.size) {
        if (!lines && !(lines = malloc((size_t)options.size + sizeof(line))))
            die("no memory");
        memcpy(lines + length, line, sizeof(line) - 1);
        length += sizeof(line) - 1;
    }
    memcpy(lines + length, "\r\n", 2);
    *n = length;
    return lines;
}

/* "prefix{n+}" and a message of about options.size bytes that no other one equals. */
static void send_message(struct conn *c, const char *prefix, int number, bool last)
{
    char head[HEAD], announced[NAME + 64];
    size_t n;
    const char *lines = body_lines(&n);
    int h = snprintf(head, sizeof(head),
                     "From: Sender %d <sender%d@load.test>\r\nTo: Reader <reader@north.test>\r\n"
                     "Subject: Message %d of the load generator\r\n"
                     "Date: Mon, 23 Nov 2026 20:00:00 +0000\r\n"
                     "Message-ID: <%d.%d@load.test>\r\nMIME-Version: 1.0\r\n"
                     "Content-Type: text/plain; charset=utf-8\r\n\r\n",
                     number % 97, number % 97, number, number, (int)getpid());
    int a = snprintf(announced, sizeof(announced), "%s{%zu+}\r\n", prefix, (size_t)h + n);
    struct iovec out[] = {
        {announced, (size_t)a}, {head, (size_t)h}, {(char *)(uintptr_t)lines, n + (last ? 2 : 0)}};
    ssize_t sent = writev(c->fd, out, 3); /* all of it: the socket is blocking */
    if (sent != (ssize_t)(out[0].iov_len + out[1].iov_len + out[2].iov_len))
        die("write: %s", strerror(errno));
}

static void say_append(struct conn *c, int number)
{
    char prefix[40 + NAME];
    snprintf(prefix, sizeof(prefix), "a%u APPEND %s ", ++c->tag, options.mailbox);
    c->tail_n = 0;
    send_message(c, prefix, number, true);
}

static void load_fill(void)
{
    struct conn c = {0};
    log_in(&c, 0);
    double start = now_ms();
    for (int done = 0; done < options.total;) {
        char prefix[40 + NAME];
        snprintf(prefix, sizeof(prefix), "a%u APPEND %s", ++c.tag, options.mailbox);
        send_all(&c, prefix, strlen(prefix));
        c.tail_n = 0;
        for (int i = 0; i < BATCH && done < options.total; i++, done++)
            send_message(&c, " ", done, i == BATCH - 1 || done == options.total - 1);
        finish(&c);
    }
    printf("fill\t%.1f\tper s\n", options.total / (now_ms() - start) * 1e3);
    end(&c);
}

/* ---- One big mailbox ---- */

static void create(struct conn *c, const char *name)
{
    char tag[32];
    say(c, "CREATE %s", name);
    snprintf(tag, sizeof(tag), "a%u ", c->tag);
    await(c, tag); /* it may be there already */
}

static void load_create(void)
{
    struct conn c = {0};
    log_in(&c, 0);
    create(&c, options.mailbox);
    end(&c);
}

static void load_select(void)
{
    struct conn c = {0};
    double start_;
    log_in(&c, 0);
    printf("select\t%.3f\tms\n", timed(&c, "SELECT %s", options.mailbox));
    end(&c);
}

/* The median of RUNS runs of a command, as a row if it has a name. */
static double repeat(struct conn *c, const char *name, const char *text)
{
    double took[RUNS], start_;
    for (int i = 0; i < RUNS; i++)
        took[i] = timed(c, "%s", text);
    double median = quantile(took, RUNS, 0.5);
    if (name)
        printf("%s\t%.3f\tms\n", name, median);
    return median;
}

static void load_store(struct conn *c)
{
    double set[RUNS], start_;
    for (int i = 0; i < RUNS; i++) {
        set[i] = timed(c, "STORE 1:* +FLAGS.SILENT (\\Flagged)");
        ask(c, "STORE 1:* -FLAGS.SILENT (\\Flagged)");
    }
    printf("store\t%.3f\tms\n", quantile(set, RUNS, 0.5));
}

/* There and back, so that the box stays whole. */
static void load_move(struct conn *c)
{
    double took[RUNS], start_;
    create(c, "Elsewhere");
    for (int i = 0; i < RUNS; i++) {
        ask(c, "SELECT %s", options.mailbox);
        took[i] = timed(c, "MOVE 1:%d Elsewhere", options.part);
        ask(c, "SELECT Elsewhere");
        ask(c, "MOVE 1:* %s", options.mailbox);
    }
    printf("move\t%.3f\tms\n", quantile(took, RUNS, 0.5));
}

static void load_box(void)
{
    struct conn c = {0};
    char text[128 + NAME];
    double start_;
    log_in(&c, 0);
    snprintf(text, sizeof(text), "SELECT %s", options.mailbox);
    ask(&c, "%s", text);
    repeat(&c, "select", text);
    printf("envelope_first\t%.3f\tms\n", timed(&c, "FETCH 1:* (UID FLAGS ENVELOPE)"));
    repeat(&c, "flags", "FETCH 1:* (FLAGS)");
    repeat(&c, "envelope", "FETCH 1:* (UID FLAGS ENVELOPE)");
    snprintf(text, sizeof(text), "FETCH 1:%d (BODY.PEEK[])", options.part);
    c.bytes = 0;
    double bodies = repeat(&c, NULL, text);
    printf("bodies\t%.1f\tMB/s\n", (double)c.bytes / RUNS / bodies / 1e3);
    load_store(&c);
    load_move(&c);
    end(&c);
}

/* ---- Many clients ---- */

struct client {
    struct conn conn;
    int number, left; /* operations to begin */
    int step;
};

/* Says what comes after the last answer; false when the client has done all it was to do. */
typedef bool next_command(struct client *c);

static int watching;

static void watch(struct client *c)
{
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(watching, EPOLL_CTL_ADD, c->conn.fd, &e) < 0)
        die("epoll_ctl: %s", strerror(errno));
}

static bool next_append(struct client *c)
{
    if (c->left == 0)
        return false;
    say_append(&c->conn, c->number * options.total + c->left--);
    return true;
}

static bool next_noop(struct client *c)
{
    if (c->left == 0)
        return false;
    c->left--;
    say(&c->conn, "NOOP");
    return true;
}

/* Connect, LOGIN, SELECT, LOGOUT, and again. */
static bool next_login(struct client *c)
{
    enum { CONNECT, LOGIN, SELECT, LOGOUT, AGAIN };
    if (c->step == AGAIN) {
        close(c->conn.fd);
        c->step = CONNECT;
    }
    switch (c->step++) {
    case CONNECT:
        if (c->left-- == 0)
            return false;
        begin(&c->conn);
        watch(c);
        break;
    case LOGIN:
        say_login(&c->conn, c->number);
        break;
    case SELECT:
        say(&c->conn, "SELECT %s", options.mailbox);
        break;
    case LOGOUT:
        say(&c->conn, "LOGOUT");
        break;
    }
    return true;
}

/* What client i waits for is there: the greeting, or its answer. */
static bool answered(struct client *c)
{
    return c->conn.tag ? finished(&c->conn) : came(&c->conn, "* OK");
}

static void load_many(next_command *next)
{
    static struct client clients[SESSIONS];
    watching = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < options.sessions; i++) {
        struct client *c = &clients[i];
        *c = (struct client){.number = i, .left = options.total / options.sessions};
        if (next == next_login)
            continue;
        log_in(&c->conn, i);
        ask(&c->conn, "SELECT %s", options.mailbox);
        watch(c);
    }
    double start = now_ms();
    int busy = 0;
    for (int i = 0; i < options.sessions; i++)
        busy += next(&clients[i]);
    while (busy) {
        struct epoll_event events[SESSIONS];
        int n = epoll_wait(watching, events, SESSIONS, 30000);
        if (n <= 0)
            die("nothing came for 30 s");
        for (int i = 0; i < n; i++) {
            struct client *c = events[i].data.ptr;
            receive(&c->conn);
            if (answered(c) && !next(c))
                busy--;
        }
    }
    double took = now_ms() - start;
    printf("rate\t%.1f\tper s\n", options.total / options.sessions * options.sessions / took * 1e3);
}

/* ---- Delivery to IDLE ---- */

/* Sends one message; when the OK and when the EXISTS came. */
static void announce(struct conn *sender, struct conn *idler, int number, double at[2])
{
    char prefix[40 + NAME];
    struct pollfd p[2] = {{.fd = sender->fd, .events = POLLIN},
                          {.fd = idler->fd, .events = POLLIN}};
    snprintf(prefix, sizeof(prefix), "a%u APPEND %s ", ++sender->tag, options.mailbox);
    sender->tail_n = idler->tail_n = 0;
    send_message(sender, prefix, number, true);
    at[0] = at[1] = 0;
    while (at[0] == 0 || at[1] == 0) {
        if (poll(p, 2, 10000) <= 0)
            die("no EXISTS came within 10 s");
        double now = now_ms();
        if (p[0].revents)
            receive(sender);
        if (p[1].revents)
            receive(idler);
        if (at[0] == 0 && memmem(sender->tail, sender->tail_n, " OK", 3))
            at[0] = now;
        if (at[1] == 0 && memmem(idler->tail, idler->tail_n, " EXISTS", 7))
            at[1] = now;
    }
}

static void load_idle(void)
{
    struct conn sender = {0}, idler = {0};
    double *late = calloc((size_t)options.total, sizeof(*late)), at[2];
    if (!late)
        die("no memory");
    log_in(&sender, 0);
    log_in(&idler, 0);
    ask(&idler, "SELECT %s", options.mailbox);
    say(&idler, "IDLE");
    await(&idler, "+");
    for (int i = 0; i < options.total; i++) {
        announce(&sender, &idler, i, at);
        late[i] = at[1] - at[0];
        usleep(20000);
    }
    printf("p50\t%.3f\tms\n", quantile(late, options.total, 0.5));
    printf("p99\t%.3f\tms\n", quantile(late, options.total, 0.99));
    send_all(&idler, "DONE\r\n", 6);
    finish(&idler);
    end(&idler);
    end(&sender);
    free(late);
}

static void read_options(int argc, char **argv)
{
    static const struct option names[] = {
        {"port", 1, NULL, 'p'},    {"login", 1, NULL, 'l'},    {"password", 1, NULL, 'w'},
        {"mailbox", 1, NULL, 'm'}, {"sessions", 1, NULL, 's'}, {"total", 1, NULL, 't'},
        {"size", 1, NULL, 'b'},    {"part", 1, NULL, 'n'},     {NULL, 0, NULL, 0}};
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        int number = (int)strtol(optarg ? optarg : "", NULL, 10);
        const char **texts[128] = {
            ['l'] = &options.login, ['w'] = &options.password, ['m'] = &options.mailbox};
        int *numbers[128] = {['s'] = &options.sessions,
                             ['t'] = &options.total,
                             ['b'] = &options.size,
                             ['n'] = &options.part};
        if (c == 'p')
            options.port = (uint16_t)number;
        else if (texts[c & 127])
            *texts[c & 127] = optarg;
        else if (numbers[c & 127])
            *numbers[c & 127] = number;
        else
            exit(2);
    }
    if (options.sessions < 1 || options.sessions > SESSIONS || options.total < options.sessions ||
        options.size < 512 || options.size > 1 << 20 || options.part < 1)
        die("a number is out of range");
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    const char *mode = optind < argc ? argv[optind] : "";
    if (strcmp(mode, "create") == 0)
        load_create();
    else if (strcmp(mode, "fill") == 0)
        load_fill();
    else if (strcmp(mode, "select") == 0)
        load_select();
    else if (strcmp(mode, "box") == 0)
        load_box();
    else if (strcmp(mode, "append") == 0)
        load_many(next_append);
    else if (strcmp(mode, "login") == 0)
        load_many(next_login);
    else if (strcmp(mode, "noop") == 0)
        load_many(next_noop);
    else if (strcmp(mode, "idle") == 0)
        load_idle();
    else
        die("say create, fill, select, box, append, login, noop or idle");
    return 0;
}
