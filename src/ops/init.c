/*
 * yizhan init: makes a post in an empty directory: yizhan.conf, the store, the secrets, a
 * self-signed certificate, the domain.  As root everything belongs to the unprivileged user from
 * the first byte.  yizhan.conf is written last: a post that has it is whole.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ops/ops.h"
#include "base/file.h"
#include "net/tls.h"
#include "ops/process.h"
#include "store/vfs.h"
#include "base/banned.h"

const struct option_row init_options[] = {
    {"dir", "DIR", OPTION_TEXT, 0, "where (else $YIZHAN_DIR, /var/lib/yizhan)",
     "目录（默认 $YIZHAN_DIR 或 /var/lib/yizhan）"},
    {"domain", "DOMAIN", OPTION_TEXT, 0, "the first domain to take mail for", "接收邮件的第一个域"},
    {"hostname", "NAME", OPTION_TEXT, 0, "the full name of this machine (else the domain)",
     "本机全名（默认同域名）"},
    {"port-base", "N", OPTION_NUMBER, 60000, "added to every port: 1000 makes 25 into 1025",
     "加到每个端口上：1000 使 25 变为 1025"},
    {"listen", "ADDRESS", OPTION_LIST, 0, "listen here (else 127.0.0.1); 0.0.0.0 for all",
     "监听地址（默认 127.0.0.1）；0.0.0.0 为全部"},
    {"user", "NAME", OPTION_TEXT, 0, "the unprivileged user (as root; else yizhan, else nobody)",
     "普通用户（以 root 运行时；默认 yizhan，其次 nobody）"},
    {0},
};

static slice config_text(const struct call *c, const char *hostname)
{
    struct arena *a = c->arena;
    const char *const *addresses;
    slice listen = S("127.0.0.1");
    size_t count = call_list(c, "listen", &addresses);
    for (size_t i = 0; i < count; i++)
        listen = i ? arena_printf(a, "%.*s %s", P(listen), addresses[i]) : slice_c(addresses[0]);
    const char *user = call_text(c, "user");
    return arena_printf(a,
                        "# A Yizhan post.  Domains, users, aliases and routes live in the store;\n"
                        "# here is what belongs to this machine.  All keys: yizhan help config\n"
                        "\n"
                        "[node]\n"
                        "hostname = %s\n"
                        "# Where to listen: 127.0.0.1 keeps strangers out, 0.0.0.0 lets them in.\n"
                        "listen = %.*s\n"
                        "# Added to the standard ports: 1000 makes 25 into 1025.\n"
                        "port-base = %lld\n"
                        "%s%s%s",
                        hostname, P(listen), (long long)call_number(c, "port-base", 0),
                        user ? "user = " : "", user ? user : "", user ? "\n" : "");
}

static bool fail(struct buf *error, const char *what)
{
    buf_printf(error, "%s: %s", what, strerror(errno));
    return false;
}

/* Makes DIR, gives it to the user, goes there and becomes that user. */
static bool enter_new(const struct call *c, const char *dir, struct buf *error)
{
    uid_t uid;
    gid_t gid;
    const char *user = call_text(c, "user");
    if (!process_user(user ? user : "", &uid, &gid, error))
        return false;
    if (file_make_dir(dir, 0755) < 0 || chdir(dir) < 0)
        return fail(error, dir);
    store_relative_paths();
    if (access("yizhan.conf", F_OK) == 0) {
        buf_printf(error, "%s holds a post already (yizhan.conf); choose another directory", dir);
        return false;
    }
    if (access("store.db", F_OK) == 0) {
        buf_printf(error,
                   "%s holds a store but no yizhan.conf; choose another directory, or remove "
                   "it if it holds nothing of value",
                   dir);
        return false;
    }
    if ((geteuid() == 0 && chown(".", uid, gid) < 0) || chmod(".", 0700) < 0)
        return fail(error, dir);
    return process_become(uid, gid, error);
}

static bool make_dirs(struct buf *error)
{
    static const char *const names[] = {"run", "log", "tls", "tmp"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (mkdir(names[i], 0700) < 0 && errno != EEXIST)
            return fail(error, names[i]);
    return true;
}

static enum outcome run_first(struct store_tx *tx, struct change *c, slice *why)
{
    return directory_domain_add(tx, c->word, why);
}

/* Store, secrets and domain, in the current directory. */
static bool make_store(slice domain, struct buf *error)
{
    struct control_env env = {.dir = "."};
    env.store = store_open(&(struct store_options){.dir = ".", .create = true}, error);
    if (!env.store)
        return false;
    struct change first = {.run = run_first, .word = domain};
    json_t *reply = control_change(&env, &first);
    bool ok = json_flag_at(reply, "ok");
    if (!ok)
        buf_printf(error, "%.*s", P(json_slice_at(reply, "error")));
    json_decref(reply);
    struct secrets *secrets = ok ? secrets_open(".", true, error) : NULL;
    if (secrets)
        secrets_close(secrets);
    store_close(env.store);
    return ok && secrets;
}

static bool make_post(const struct call *c, const char *dir, const char *domain,
                      const char *hostname, struct buf *error)
{
    slice text = config_text(c, hostname), name = slice_c(hostname);
    struct config config;
    bool ok = config_parse(&config, text, "yizhan.conf", error);
    config_end(&config);
    return ok && enter_new(c, dir, error) && make_dirs(error) &&
           make_store(slice_c(domain), error) && tls_make_self_signed("tls", &name, 1, error) &&
           (file_write("yizhan.conf", text, 0600) == 0 || fail(error, "yizhan.conf"));
}

int init_run(struct call *c)
{
    struct buf error = {.max = 4096};
    const char *dir = control_dir(c), *domain = call_text(c, "domain");
    const char *hostname = call_text(c, "hostname");
    if (!domain)
        return call_usage(c, "say which domain: yizhan init --dir DIR --domain example.com");
    if (!hostname)
        hostname = domain;
    int code = EXIT_DONE;
    if (make_post(c, dir, domain, hostname, &error))
        printf(say("A post for %s stands in %s.\n"
                   "  Next: yizhan user add someone@%s --dir %s\n"
                   "        yizhan serve --dir %s\n",
                   "%s 的驿站已建在 %s。\n"
                   "  接着：yizhan user add someone@%s --dir %s\n"
                   "        yizhan serve --dir %s\n"),
               domain, dir, domain, dir, dir);
    else
        code = call_fail(c, "%.*s", P(buf_slice(&error)));
    buf_end(&error);
    return code;
}
