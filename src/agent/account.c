/*
 * Finding the server: options win over the account file's section, which wins over nothing.  --dir
 * reads the ports and the certificate from a post's own yizhan.conf.
 */
#include "agent/account.h"

#include <errno.h>
#include <ini.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/prompt.h"
#include "config.h"
#include "base/banned.h"

static const struct {
    uint16_t port, implicit_port;
} services[] = {
    [AGENT_SUBMISSION] = {587, 465}, [AGENT_POP3] = {110, 995}, [AGENT_IMAP] = {143, 993}};

enum { CONNECT_MS = 30000, SPEAK_MS = 1500 };

/* What may be said in the account file. */
struct account_file {
    struct arena *arena;
    const char *section;
    bool found;
    const char *server, *pop3, *imap, *user, *ca_file, *password_file, *dir;
    const char *bad_key;
};

static int take_key(void *arg, const char *section, const char *key, const char *value)
{
    struct account_file *f = arg;
    const struct {
        const char *key, **to;
    } rows[] = {{"server", &f->server},
                {"pop3-server", &f->pop3},
                {"imap-server", &f->imap},
                {"user", &f->user},
                {"ca-file", &f->ca_file},
                {"dir", &f->dir},
                {"password-file", &f->password_file}};
    f->found = f->found || strcmp(section, f->section) == 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(rows[i].key, key) == 0) {
            if (strcmp(section, f->section) == 0)
                *rows[i].to = arena_dup(f->arena, slice_c(value)).p;
            return 1;
        }
    if (!f->bad_key)
        f->bad_key = arena_dup(f->arena, slice_c(key)).p;
    return 0;
}

static const char *account_file_path(struct arena *a)
{
    const char *path = getenv("YIZHAN_AGENT_CONF"), *home = getenv("HOME");
    const char *config = getenv("XDG_CONFIG_HOME");
    if (path && *path)
        return path;
    if (config && *config)
        return arena_printf(a, "%s/yizhan/agent.conf", config).p;
    return home && *home ? arena_printf(a, "%s/.config/yizhan/agent.conf", home).p : NULL;
}

/* Reads the section; a missing file is fine unless an account was named. */
static int read_account_file(struct call *c, struct account_file *f)
{
    const char *named = call_text(c, "account"), *path = account_file_path(c->arena);
    slice text = S("");
    *f = (struct account_file){.arena = c->arena, .section = named ? named : "default"};
    if (!path || file_read(c->arena, path, LIMIT_CONFIG_FILE, &text) < 0) {
        if (named)
            return call_fail(c, "no account \"%s\": %s: %s", named, path ? path : "agent.conf",
                             strerror(errno));
        return EXIT_DONE;
    }
    int line = ini_parse_string(arena_dup(c->arena, text).p, take_key, f);
    if (line)
        return call_fail(c, "%s:%d: %s%s%s", path, line,
                         f->bad_key ? "unknown key \"" : "not key = value",
                         f->bad_key ? f->bad_key : "",
                         f->bad_key ? "\"; known are server, pop3-server, imap-server, "
                                      "user, ca-file, password-file, dir"
                                    : "");
    if (named && !f->found)
        return call_fail(c, "%s has no section [%s]", path, named);
    return EXIT_DONE;
}

bool agent_host_port(struct arena *a, slice text, slice *host, uint16_t *port)
{
    slice rest = S("");
    uint64_t n;
    *host = text;
    ptrdiff_t colon = slice_rfind(text, ':');
    if (slice_eat(&text, S("["))) {
        ptrdiff_t end = slice_find(text, ']');
        if (end < 0)
            return false;
        *host = slice_sub(text, 0, (size_t)end);
        rest = slice_skip(text, (size_t)end + 1);
    } else if (colon >= 0 && colon == slice_find(text, ':')) {
        *host = slice_sub(text, 0, (size_t)colon);
        rest = slice_skip(text, (size_t)colon);
    }
    if (!host->n || (rest.n && (!slice_eat(&rest, S(":")) || !slice_u64(rest, 65535, &n) || !n)))
        return false;
    if (rest.n)
        *port = (uint16_t)n;
    *host = arena_dup(a, *host);
    return true;
}

/*
 * On a port that tells nothing: a server that speaks at once begins in plain text; one that waits
 * for us wants TLS.
 */
static bool speaks_first(const struct agent_account *x)
{
    struct buf error = {.max = 1024};
    struct dial *d = dial_open(&x->dial, &error);
    char byte;
    bool speaks = true; /* and if it cannot be reached, the next one to try says why */
    if (d) {
        dial_timeout(d, SPEAK_MS);
        speaks = dial_read(d, &byte, 1) == 1;
        dial_end(d);
    }
    buf_end(&error);
    return speaks;
}

/* --tls, else what the port says (whatever the port base), else what the server does. */
static int choose_tls(struct call *c, enum agent_service service, struct agent_account *x)
{
    static const char *const names[] = {
        [AGENT_STARTTLS] = "starttls", [AGENT_IMPLICIT] = "implicit", [AGENT_PLAIN] = "none"};
    const char *how = call_text(c, "tls");
    for (int i = AGENT_STARTTLS; how && i <= AGENT_PLAIN; i++)
        if (strcmp(how, names[i]) == 0) {
            x->tls = (enum agent_tls)i;
            return EXIT_DONE;
        }
    if (how)
        return call_usage(c, "--tls is starttls, implicit or none, not \"%s\"", how);
    uint16_t port = x->dial.port % 1000;
    if (port == services[service].implicit_port)
        x->tls = AGENT_IMPLICIT;
    else if (port == services[service].port || speaks_first(x))
        x->tls = AGENT_STARTTLS;
    else
        x->tls = AGENT_IMPLICIT;
    return EXIT_DONE;
}

/* The server of a post on this machine, from its yizhan.conf; the port is the standard one so far.
 */
static int use_dir(struct call *c, const char *dir, struct agent_account *x)
{
    struct config config;
    struct buf error = {.max = 1024};
    int code = EXIT_DONE;
    const char *path = arena_printf(c->arena, "%s/yizhan.conf", dir).p;
    if (config_load(&config, path, path, &error)) {
        const char *listen = config.listen.items[0];
        bool all = strcmp(listen, "0.0.0.0") == 0 || strcmp(listen, "::") == 0;
        const char *certificate = config_path(c->arena, dir, config.certificate);
        x->dial.host = S("localhost");
        x->dial.address = arena_dup(c->arena, slice_c(all ? "127.0.0.1" : listen));
        x->dial.port = config_port(&config, x->dial.port);
        if (!x->dial.ca_file)
            x->dial.ca_file = arena_dup(c->arena, slice_c(certificate)).p;
    } else {
        code = call_fail(c, "%.*s", P(buf_slice(&error)));
    }
    config_end(&config);
    buf_end(&error);
    return code;
}

static const char *either(const char *option, const char *from_file)
{
    return option ? option : from_file;
}

/* An agent that says every step: nothing else is logged. */
static void start_narration(struct call *c)
{
    if (call_flag(c, "narrate"))
        log_start(
            &(struct log_options){.fd = 2, .least = LEVEL_ERROR, .node = "agent", .narrate_fd = 2});
}

/* Where no option names a server, the account file does. */
static int name_server(struct call *c, enum agent_service service, const struct account_file *file,
                       const char **server, const char **dir)
{
    if (*server && *dir)
        return call_usage(c, "give --server or --dir, not both");
    if (!*server && !*dir) {
        *server = service == AGENT_POP3   ? either(file->pop3, file->server)
                  : service == AGENT_IMAP ? either(file->imap, file->server)
                                          : file->server;
        *dir = *server ? NULL : file->dir;
    }
    if (!*server && !*dir)
        return call_usage(c, "say which server: --server HOST:PORT, or --dir DIR of a post here");
    return EXIT_DONE;
}

static int find(struct call *c, enum agent_service service, const char *server, const char *dir,
                struct agent_account *x)
{
    struct account_file file;
    const char *tls = call_text(c, "tls");
    int code = read_account_file(c, &file);
    if (code == EXIT_DONE)
        code = name_server(c, service, &file, &server, &dir);
    if (code != EXIT_DONE)
        return code;
    const char *user = either(call_text(c, "user"), file.user);
    bool implicit = tls && strcmp(tls, "implicit") == 0;
    if (!user)
        return call_usage(c, "say who you are: --user one@north.test");
    *x = (struct agent_account){
        .dial = {.port = implicit ? services[service].implicit_port : services[service].port,
                 .ca_file = either(call_text(c, "ca-file"), file.ca_file),
                 .connect_ms = CONNECT_MS},
        .verify = call_flag(c, "insecure") ? DIAL_OPPORTUNE : DIAL_VERIFY,
        .user = slice_c(user),
        .password_file = either(call_text(c, "password-file"), file.password_file),
    };
    if (server && !agent_host_port(c->arena, slice_c(server), &x->dial.host, &x->dial.port))
        return call_usage(c, "the server is HOST or HOST:PORT, not \"%s\"", server);
    if (dir)
        code = use_dir(c, dir, x);
    if (code == EXIT_DONE && dir && !tls)
        return EXIT_DONE; /* we know our own port: it begins with STARTTLS or STLS */
    return code == EXIT_DONE ? choose_tls(c, service, x) : code;
}

int agent_account_find(struct call *c, enum agent_service service, struct agent_account *x)
{
    int code = find(c, service, call_text(c, "server"), call_text(c, "dir"), x);
    start_narration(c);
    return code;
}

/* "mail.north.test:1465" is "mail.north.test:1993" to IMAP; a port that tells nothing falls away.
 */
static const char *imap_beside(struct arena *a, const char *submission)
{
    slice host;
    uint16_t port = 0;
    if (!submission || !agent_host_port(a, slice_c(submission), &host, &port))
        return submission;
    bool implicit = port % 1000 == services[AGENT_SUBMISSION].implicit_port;
    bool known = implicit || port % 1000 == services[AGENT_SUBMISSION].port;
    const uint16_t to = implicit ? services[AGENT_IMAP].implicit_port : services[AGENT_IMAP].port;
    bool six = slice_find(host, ':') >= 0; /* an IPv6 address */
    return known ? arena_printf(a, "%s%.*s%s:%d", six ? "[" : "", P(host), six ? "]" : "",
                                port / 1000 * 1000 + to)
                       .p
                 : host.p;
}

int agent_account_imap(struct call *c, struct agent_account *x)
{
    const char *named = call_text(c, "imap"), *server = call_text(c, "server");
    if (named)
        return find(c, AGENT_IMAP, named, NULL, x);
    return find(c, AGENT_IMAP, imap_beside(c->arena, server), call_text(c, "dir"), x);
}

int agent_account_password(struct call *c, const struct agent_account *x, bool stdin_taken,
                           slice *password)
{
    struct buf error = {.max = 1024};
    const char *from = getenv("YIZHAN_PASSWORD");
    slice text, question;
    int code = EXIT_DONE;
    if (x->password_file) {
        if (file_read(c->arena, x->password_file, LIMIT_CONFIG_FILE, &text) < 0)
            return call_fail(c, "%s: %s", x->password_file, strerror(errno));
        *password = S("");
        slice_next(&text, '\n', password);
        if (slice_ends(*password, S("\r")))
            password->n--;
        return password->n ? EXIT_DONE
                           : call_fail(c, "%s: its first line is empty", x->password_file);
    }
    if (from && *from) {
        *password = slice_c(from);
        return EXIT_DONE;
    }
    question = arena_printf(c->arena, say("Password of %.*s: ", "%.*s 的密码："), P(x->user));
    bool ok = stdin_taken ? prompt_terminal(c->arena, question.p, false, password, &error)
                          : prompt_password(c->arena, question.p, false, password, &error);
    if (!ok)
        code = call_fail(c, "%.*s; or use --password-file", P(buf_slice(&error)));
    buf_end(&error);
    return code;
}
