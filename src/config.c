/*
 * inih splits lines into section, key and value; everything else is decided by config_rows.  inih
 * stops for nothing and tells one line number, so lines it would misread are refused before.
 */
#include "config.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>

#include "base/command.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/units.h"
#include "base/banned.h"

/* inih cuts a longer line in two, silently; so we look first. */
enum { CONFIG_LINE = 190 };

#define AT(field) offsetof(struct config, field)

const struct config_row config_rows[] = {
    {"node", "hostname", CONFIG_TEXT, AT(hostname), NULL, NULL, 0, "name",
     "The full name of this machine: in greetings, EHLO and Received.",
     "本机全名：出现在欢迎行、EHLO 和 Received 中。"},
    {"node", "listen", CONFIG_LIST, AT(listen), "127.0.0.1", NULL, 0, "addresses",
     "Addresses to listen on; 0.0.0.0 and :: mean all. Loopback alone keeps strangers out.",
     "监听地址；0.0.0.0 与 :: 表示全部。只用回环地址时外人无法连接。"},
    {"node", "port-base", CONFIG_NUMBER, AT(port_base), "0", NULL, 60000, "number",
     "Added to every standard port: 1000 makes 25 into 1025. 0 on a real server.",
     "加到每个标准端口上：1000 使 25 变为 1025。正式服务器用 0。"},
    {"node", "roles", CONFIG_LIST, AT(roles), "smtp submission pop3 imap http", NULL, 0, "words",
     "What this node serves: smtp (25), submission (587, 465), pop3 (110, 995), imap (143, 993), "
     "http (80).",
     "本节点的服务：smtp (25)、submission (587, 465)、pop3 (110, 995)、imap (143, 993)、"
     "http (80)。"},
    {"node", "user", CONFIG_TEXT, AT(user), "", NULL, 0, "user name",
     "The unprivileged user whom the post belongs to and who runs it when root starts it; empty: "
     "the owner of its directory (init gives it to yizhan if there is such a user, else nobody).",
     "驿站所属并在由 root 启动时改用的普通用户；留空：目录的所有者（init 交给 yizhan，没有则 "
     "nobody）。"},
    {"node", "message-size", CONFIG_SIZE, AT(message_size), "50M", NULL, 0, "size",
     "The largest message that is accepted.", "接受的最大邮件。"},
    {"node", "memory", CONFIG_SIZE, AT(memory), "512M", NULL, 0, "size",
     "What strangers' bytes may take in memory at most; beyond it they are asked to come later.",
     "外来数据可占用的内存上限；超过时请对方稍后再来。"},
    {"node", "connections", CONFIG_NUMBER, AT(connections), "16384", NULL, 1000000, "number",
     "Connections open at the same time.", "同时打开的连接数。"},
    {"node", "connections-per-ip", CONFIG_NUMBER, AT(connections_per_ip), "1024", NULL, 1000000,
     "number", "The same from one address; loopback is not counted.",
     "来自同一地址的连接数；回环地址不计。"},
    {"node", "password-without-tls", CONFIG_BOOL, AT(password_without_tls), "no", NULL, 0, "yes/no",
     "Allow passwords over connections without TLS that are not loopback: anybody on the way can "
     "read them.",
     "允许在非回环、无 TLS 的连接上使用密码：途中任何人都能看到。"},
    {"tls", "certificate", CONFIG_TEXT, AT(certificate), "tls/cert.pem", NULL, 0, "path",
     "Certificate with its chain, PEM; relative to the directory of this file. SIGHUP reads it "
     "again.",
     "证书及证书链（PEM）；相对本文件所在目录。SIGHUP 会重新读取。"},
    {"tls", "key", CONFIG_TEXT, AT(key), "tls/key.pem", NULL, 0, "path",
     "The private key of the certificate, PEM.", "证书的私钥（PEM）。"},
    {"dns", "server", CONFIG_TEXT, AT(dns_server), "", NULL, 0, "IPv4 address",
     "The resolver to ask; empty: those of /etc/resolv.conf.",
     "使用的域名解析服务器；留空则用 /etc/resolv.conf。"},
    {"dns", "port", CONFIG_NUMBER, AT(dns_port), "53", NULL, 65535, "number", "Its port.",
     "其端口。"},
    {"dns", "reverse", CONFIG_CHOICE, AT(reverse), "auto", "auto no yes", 0, "word",
     "Look up the names of the addresses that send to port 25, for the Received field; auto: not "
     "of "
     "loopback addresses.",
     "查询向 25 端口投递者地址的反向域名，写入 Received；auto：回环地址除外。"},
    {"submission", "undo", CONFIG_DURATION, AT(undo_ms), "0s", NULL, 0, "duration",
     "Mail of our users waits this long before it leaves, so that it can be recalled surely.",
     "用户的邮件发出前等待的时间，其间必能撤回。"},
    {"submission", "hold-max", CONFIG_DURATION, AT(hold_max_ms), "30d", NULL, 0, "duration",
     "The longest delay a user may ask for (FUTURERELEASE); 0 does not offer it.",
     "用户可要求的最长定时发送时间（FUTURERELEASE）；0 表示不提供。"},
    {"queue", "retry", CONFIG_RETRY, AT(retry), "1m 5m 15m 30m 1h 2h 4h", NULL, 0, "durations",
     "Waits between attempts to reach a destination; the last one repeats.",
     "投递失败后各次重试的间隔；最后一项重复使用。"},
    {"queue", "lifetime", CONFIG_DURATION, AT(lifetime_ms), "5d", NULL, 0, "duration",
     "When an undeliverable message goes back to its sender (after at least three attempts).",
     "无法投递的邮件多久后退回（至少尝试三次之后）。"},
    {"queue", "delay-warning", CONFIG_DURATION, AT(delay_warning_ms), "4h", NULL, 0, "duration",
     "When the sender is told that a message is late; 0: never.",
     "多久后告知发件人邮件延迟；0 表示不告知。"},
    {"queue", "deliveries", CONFIG_NUMBER, AT(deliveries), "200", NULL, 10000, "number",
     "Outgoing connections at the same time.", "同时向外投递的连接数。"},
    {"queue", "per-destination", CONFIG_NUMBER, AT(per_destination), "20", NULL, 1000, "number",
     "The same to one destination.", "对同一目的地的连接数。"},
    {"queue", "per-connection", CONFIG_NUMBER, AT(per_connection), "100", NULL, 10000, "number",
     "Messages sent over one connection before a new one is opened.",
     "一条连接上最多连续发送的邮件数。"},
    {"queue", "mx-port", CONFIG_NUMBER, AT(mx_port), "25", NULL, 65535, "number",
     "The port of servers found by MX.", "经 MX 找到的服务器所用端口。"},
    {"queue", "private-hosts", CONFIG_CHOICE, AT(private_hosts), "auto", "auto no yes", 0, "word",
     "Deliver to MX hosts on loopback and private addresses; auto: only when this node itself "
     "listens on such addresses alone.",
     "投递到回环或内网地址上的 MX 主机；auto：仅当本节点也只监听这类地址时。"},
    {"http", "metrics", CONFIG_CHOICE, AT(metrics), "loopback", "loopback all off", 0, "word",
     "Who may read /metrics.", "谁可读取 /metrics。"},
    {"log", "level", CONFIG_CHOICE, AT(level), "info", "debug info warning error", 0, "word",
     "The least important events that are logged (on standard error).",
     "记录的最低级别事件（写到标准错误）。"},
    {"log", "narrate", CONFIG_BOOL, AT(narrate), "no", NULL, 0, "yes/no",
     "Print one readable line for each step of every dialogue on standard output.",
     "在标准输出上为每段对话的每一步打印一行说明。"},
    {"log", "trace-keep", CONFIG_DURATION, AT(trace_keep_ms), "60d", NULL, 0, "duration",
     "How long the files behind \"yizhan trace\" are kept.", "“yizhan trace”所用文件的保留时间。"},
    {"demo", "catch-all", CONFIG_TEXT, AT(catch_all), "", NULL, 0, "address",
     "Deliver mail to all domains without a route into this address of ours, so that nothing "
     "leaves the machine.",
     "把发往无路由域名的邮件都投入本机这个地址，任何邮件都不离开本机。"},
    {0},
};

enum { CONFIG_ROWS = sizeof(config_rows) / sizeof(config_rows[0]) - 1 };
_Static_assert(CONFIG_ROWS <= sizeof(((struct config *)0)->given), "config.given is too small");

static const char *key_name(const void *section, size_t i)
{
    for (const struct config_row *r = config_rows; r->section; r++)
        if (strcmp(r->section, section) == 0 && i-- == 0)
            return r->key;
    return NULL;
}

static const char *section_name(const void *unused, size_t i)
{
    (void)unused;
    return i < CONFIG_ROWS ? config_rows[i].section : NULL;
}

static bool is_separator(char c)
{
    return c == ' ' || c == '\t' || c == ',';
}

/* The next word of *s, "" at the end. */
static slice next_word(slice *s)
{
    while (s->n && is_separator(s->p[0]))
        *s = slice_skip(*s, 1);
    size_t n = 0;
    while (n < s->n && !is_separator(s->p[n]))
        n++;
    slice word = slice_sub(*s, 0, n);
    *s = slice_skip(*s, n);
    return word;
}

static bool set_list(struct config *c, struct config_list *list, slice value)
{
    size_t capacity = 0;
    *list = (struct config_list){0};
    for (slice word; (word = next_word(&value)).n;) {
        list->items =
            arena_grow(&c->arena, list->items, list->count, &capacity, sizeof(*list->items));
        list->items[list->count++] = arena_cstr(&c->arena, word);
    }
    return list->count > 0;
}

static bool set_retry(struct config *c, slice value)
{
    c->retry.count = 0;
    for (slice word; (word = next_word(&value)).n;) {
        if (c->retry.count == CONFIG_DURATIONS ||
            !units_duration(word, &c->retry.ms[c->retry.count]) || !c->retry.ms[c->retry.count])
            return false;
        c->retry.count++;
    }
    return c->retry.count > 0;
}

static bool set_bool(bool *out, slice value)
{
    static const struct {
        slice word;
        bool value;
    } words[] = {{{"yes", 3}, true},    {{"no", 2}, false}, {{"true", 4}, true},
                 {{"false", 5}, false}, {{"on", 2}, true},  {{"off", 3}, false},
                 {{"1", 1}, true},      {{"0", 1}, false}};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (slice_eq_icase(value, words[i].word)) {
            *out = words[i].value;
            return true;
        }
    return false;
}

static bool set_choice(int *out, slice value, slice choices)
{
    slice word;
    for (int i = 0; (word = next_word(&choices)).n; i++)
        if (slice_eq_icase(value, word)) {
            *out = i;
            return true;
        }
    return false;
}

/* Sets one key; false when the value does not fit its kind. */
static bool set_value(struct config *c, const struct config_row *row, slice value)
{
    void *field = (char *)c + row->offset;
    uint64_t n = 0;
    bool ok = true;
    switch (row->kind) {
    case CONFIG_TEXT:
        *(const char **)field = arena_cstr(&c->arena, value);
        return *(const char **)field && (value.n || (row->value && !*row->value));
    case CONFIG_LIST:
        return set_list(c, field, value);
    case CONFIG_NUMBER:
        ok = slice_u64(value, (uint64_t)row->max, &n);
        *(int64_t *)field = (int64_t)n;
        return ok;
    case CONFIG_SIZE:
        ok = units_size(value, &n);
        *(int64_t *)field = (int64_t)n;
        return ok;
    case CONFIG_DURATION:
        return units_duration(value, field);
    case CONFIG_RETRY:
        return set_retry(c, value);
    case CONFIG_BOOL:
        return set_bool(field, value);
    case CONFIG_CHOICE:
        return set_choice(field, value, slice_c(row->choices));
    }
    return ok;
}

static slice expected(const struct config_row *row, struct arena *a)
{
    switch (row->kind) {
    case CONFIG_TEXT:
        return arena_printf(a, "a %s", row->unit);
    case CONFIG_LIST:
        return arena_printf(a, "%s separated by spaces", row->unit);
    case CONFIG_NUMBER:
        return arena_printf(a, "a number from 0 to %lld", (long long)row->max);
    case CONFIG_SIZE:
        return S("a size like 50M");
    case CONFIG_DURATION:
        return S("a duration like 30s, 5m, 4h or 5d");
    case CONFIG_RETRY:
        return S("durations like 1m 5m 1h");
    case CONFIG_BOOL:
        return S("yes or no");
    case CONFIG_CHOICE:
        return arena_printf(a, "one of %s", row->choices);
    }
    return S("something else");
}

struct reading {
    struct config *config;
    struct buf problem; /* the first one; inih knows the line */
};

static int problem(struct reading *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Notes the first problem; returns inih's word for an error. */
static int problem(struct reading *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!buf_length(&r->problem))
        buf_vprintf(&r->problem, format, args);
    va_end(args);
    return 0;
}

static int unknown_key(struct reading *r, const char *section, const char *key)
{
    bool known = false;
    for (size_t i = 0; i < CONFIG_ROWS; i++)
        known = known || strcmp(config_rows[i].section, section) == 0;
    if (!*section)
        return problem(r, "\"%s\" stands before any [section]", key);
    const char *near = known ? nearest_name(slice_c(key), key_name, section)
                             : nearest_name(slice_c(section), section_name, NULL);
    if (!known)
        return problem(r,
                       near ? "unknown section [%s]; did you mean [%s]?"
                            : "unknown section [%s]; \"yizhan help config\" lists them%s",
                       section, near ? near : "");
    return problem(r,
                   near ? "unknown key \"%s\" in [%s]; did you mean \"%s\"?"
                        : "unknown key \"%s\" in [%s]; \"yizhan help config\" lists them%s",
                   key, section, near ? near : "");
}

static int take_line(void *arg, const char *section, const char *key, const char *value)
{
    struct reading *r = arg;
    for (size_t i = 0; i < CONFIG_ROWS; i++) {
        const struct config_row *row = &config_rows[i];
        if (strcmp(row->section, section) != 0 || strcmp(row->key, key) != 0)
            continue;
        if (r->config->given[i])
            return problem(r, "\"%s\" in [%s] is set twice", key, section);
        r->config->given[i] = true;
        if (set_value(r->config, row, slice_trim(slice_c(value))))
            return 1;
        return problem(r, "\"%s\" must be %.*s, not \"%s\"", key,
                       P(expected(row, &r->config->arena)), value);
    }
    return unknown_key(r, section, key);
}

/* What inih would misread, or say without a reason; NULL: nothing. */
static const char *line_problem(slice line)
{
    if (slice_find(line, '\0') >= 0)
        return "it holds a NUL byte";
    if (line.n > CONFIG_LINE)
        return "it is longer than 190 bytes";
    line = slice_trim(line);
    if (!line.n || line.p[0] == '#' || line.p[0] == ';')
        return NULL;
    bool good = line.p[0] == '[' ? slice_find(line, ']') > 0
                                 : slice_find(line, '=') > 0 || slice_find(line, ':') > 0;
    return good ? NULL : "neither [section] nor key = value";
}

static bool check_lines(slice text, const char *name, struct buf *error)
{
    slice line;
    for (int number = 1; slice_next(&text, '\n', &line); number++) {
        const char *why = line_problem(line);
        if (why) {
            buf_printf(error, "%s:%d: %s", name, number, why);
            return false;
        }
    }
    return true;
}

static void set_defaults(struct config *c)
{
    for (const struct config_row *r = config_rows; r->section; r++)
        if (r->value && *r->value)
            set_value(c, r, slice_c(r->value));
        else if (r->value)
            *(const char **)(void *)((char *)c + r->offset) = "";
}

bool config_parse(struct config *c, slice text, const char *name, struct buf *error)
{
    *c = (struct config){0};
    set_defaults(c);
    if (!check_lines(text, name, error))
        return false;
    struct reading r = {.config = c, .problem = {.max = 1024}};
    c->text = arena_dup(&c->arena, text);
    int line = ini_parse_string(c->text.p, take_line, &r);
    if (line)
        buf_printf(error, "%s:%d: %.*s", name, line, P(buf_slice(&r.problem)));
    else if (!c->hostname)
        buf_printf(error, "%s: \"hostname\" is missing in [node]", name);
    buf_end(&r.problem);
    return line == 0 && c->hostname;
}

bool config_load(struct config *c, const char *path, const char *name, struct buf *error)
{
    struct arena a = {0};
    slice text;
    bool ok = file_read(&a, path, LIMIT_CONFIG_FILE, &text) == 0;
    if (ok) {
        ok = config_parse(c, text, name, error);
    } else {
        *c = (struct config){0};
        buf_printf(error, "%s: %s", name, strerror(errno));
    }
    arena_end(&a);
    return ok;
}

void config_end(struct config *c)
{
    arena_end(&c->arena);
    *c = (struct config){0};
}

const char *config_path(struct arena *a, const char *dir, const char *path)
{
    return *path == '/' ? path : arena_printf(a, "%s/%s", dir, path).p;
}

bool config_list_has(const struct config_list *list, const char *word)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i], word) == 0)
            return true;
    return false;
}

uint16_t config_port(const struct config *c, uint16_t standard)
{
    return (uint16_t)(c->port_base + standard);
}

void config_print_docs(struct buf *out)
{
    const char *section = "";
    buf_printf(out, "%s\n",
               say("DIR/yizhan.conf: every key, its default and its meaning.",
                   "DIR/yizhan.conf：全部配置项、默认值与含义。"));
    for (const struct config_row *r = config_rows; r->section; r++) {
        if (strcmp(section, r->section) != 0)
            buf_printf(out, "\n[%s]\n", r->section);
        section = r->section;
        buf_printf(out, "%s = %s   (%s%s%s)\n    %s\n", r->key, r->value ? r->value : "…",
                   r->choices ? r->choices : r->unit, r->value ? "" : ", ",
                   r->value ? "" : say("must be set", "必填"), say(r->en, r->zh));
    }
}
