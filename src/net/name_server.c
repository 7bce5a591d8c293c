#include "net/name_server.h"

#include "base/test.h"

#include <ftw.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/rand.h"
#include "net/dns.h"
#include "base/banned.h"

#define NSD "/usr/sbin/nsd"

struct name_server {
    pid_t pid;
    uint16_t port;
    char dir[64];
};

static FILE *create(const struct name_server *s, const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", s->dir, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    return f;
}

static bool binds(int type, uint16_t port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, type, 0);
    bool ok = bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0;
    close(fd);
    return ok;
}

/* Free for UDP and TCP, and below the ports that the kernel gives to anybody at any moment. */
static uint16_t free_port(void)
{
    for (;;) {
        uint16_t port = (uint16_t)(20000 + rand_below(12000));
        if (binds(SOCK_DGRAM, port) && binds(SOCK_STREAM, port))
            return port;
    }
}

static bool answers(const char *name)
{
    struct arena a = {0};
    struct dns_answer answer;
    dns_query(&a, arena_printf(&a, "ns.%s", name), DNS_A, clock_mono_ms() + 1000, &answer);
    arena_end(&a);
    return answer.status == DNS_OK;
}

static void write_config(const struct name_server *s, const struct name_server_zone *zones,
                         size_t count)
{
    FILE *f = create(s, "nsd.conf");
    fprintf(f,
            "server:\n  ip-address: 127.0.0.1@%u\n  username: \"\"\n  zonesdir: \"%s\"\n"
            "  chroot: \"\"\n  pidfile: \"%s/pid\"\n  xfrdfile: \"%s/xfrd\"\n  xfrdir: \"%s\"\n"
            "  zonelistfile: \"%s/zonelist\"\n  server-count: 1\n  rrl-ratelimit: 0\n"
            "  ipv4-edns-size: 1232\n  logfile: \"%s/log\"\nremote-control:\n"
            "  control-enable: no\n",
            s->port, s->dir, s->dir, s->dir, s->dir, s->dir, s->dir);
    for (size_t i = 0; i < count; i++)
        fprintf(f, "zone:\n  name: %s\n  zonefile: %s\n", zones[i].name, zones[i].name);
    fclose(f);
}

void name_server_kill(struct name_server *s)
{
    if (s->pid <= 0)
        return;
    kill(s->pid, SIGTERM);
    waitpid(s->pid, NULL, 0);
    s->pid = 0;
}

/* Runs nsd; false when it ends again instead of answering. */
static bool run(struct name_server *s, const struct name_server_zone *zones, size_t count)
{
    char config[128];
    s->port = free_port();
    write_config(s, zones, count);
    snprintf(config, sizeof(config), "%s/nsd.conf", s->dir);
    s->pid = fork();
    if (s->pid == 0) {
        setpgid(0, 0);
        execl(NSD, NSD, "-d", "-c", config, (char *)NULL);
        _exit(127);
    }
    dns_configure(&(struct dns_options){.server = "127.0.0.1", .port = s->port});
    int64_t end = clock_mono_ms() + 20000;
    while (clock_mono_ms() < end) {
        if (answers(zones[0].name))
            return true;
        if (waitpid(s->pid, NULL, WNOHANG) == s->pid) {
            s->pid = 0;
            break;
        }
        usleep(20000);
    }
    name_server_kill(s);
    return false;
}

struct name_server *name_server_start(const struct name_server_zone *zones, size_t count)
{
    if (access(NSD, X_OK)) {
        print_message("no %s here: install nsd to run this test\n", NSD);
        return NULL;
    }
    struct name_server *s = mem_alloc(sizeof(*s));
    snprintf(s->dir, sizeof(s->dir), "/tmp/yizhan-dns-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    for (size_t i = 0; i < count; i++) {
        FILE *f = create(s, zones[i].name);
        fprintf(
            f,
            "$ORIGIN %s.\n$TTL 60\n@ SOA ns.%s. hostmaster 1 3600 600 86400 30\n@ NS ns.%s.\n%s%s",
            zones[i].name, zones[0].name, zones[0].name, i ? "" : "ns A 127.0.0.1\n",
            zones[i].text);
        fclose(f);
    }
    for (int i = 0; i < 5; i++) /* somebody may take the port first */
        if (run(s, zones, count))
            return s;
    fail_msg("nsd does not answer: see %s/log", s->dir);
    return NULL;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
    (void)st, (void)flag, (void)f;
    return remove(path);
}

void name_server_stop(struct name_server *s)
{
    if (!s)
        return;
    name_server_kill(s);
    nftw(s->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    dns_configure(&(struct dns_options){.server = "127.0.0.1"});
    mem_free(s);
}
