/*
 * Yizhan: one program, a table of subcommands.  Help is printed from the table, errors are one
 * line, exit codes are 0 done, 1 failed, 2 wrong usage.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "agent/agent.h"
#include "base/json.h"
#include "ops/demo.h"
#include "ops/ops.h"
#include "base/banned.h"

static const struct command commands[] = {
    {"init", NULL, 0, 0, init_run, init_options, NULL, "make a post in a directory",
     "在一个目录中新建驿站", NULL, NULL},
    {"serve", NULL, 0, 0, serve_run, serve_options, NULL, "run the server (in the foreground)",
     "运行服务器（前台）",
     "Prints one line \"ready\" when every port answers.  SIGTERM finishes what runs and stops; "
     "SIGHUP\nreads certificates and configuration again.",
     "每个端口都就绪后打印一行“ready”。SIGTERM 完成手头工作后停止；SIGHUP 重新读取证书与配置。"},
    {"domain", NULL, 0, 0, NULL, NULL, domain_verbs, "the domains whose mail is ours", "本机的域",
     NULL, NULL},
    {"user", NULL, 0, 0, NULL, NULL, user_verbs, "the accounts", "账户", NULL, NULL},
    {"alias", NULL, 0, 0, NULL, NULL, alias_verbs, "addresses that stand for others", "别名", NULL,
     NULL},
    {"route", NULL, 0, 0, NULL, NULL, route_verbs,
     "the next hop for a domain; \".\" is the smart host", "域的下一跳；“.”为中继主机", NULL, NULL},
    {"queue", NULL, 0, 0, NULL, NULL, queue_verbs, "the messages that wait; recall", "队列与撤回",
     "States: held, due, claimed, deferred, quarantined.  An id stays valid for show and recall "
     "after delivery.",
     "状态：held 扣住、due 待发、claimed 投递中、deferred 延迟、quarantined "
     "隔离。投递后编号仍可用于 show 与 recall。"},
    {"trace", "ID", 1, 1, trace_run, trace_options, NULL,
     "where a message is, and how it came there", "一封邮件现在何处、如何到达", NULL, NULL},
    {"check", NULL, 0, 0, check_run, check_options, NULL, "prove the store sound, or repair it",
     "检查或修复存储", NULL, NULL},
    {"parse", "[FILE]", 0, 1, parse_run, parse_options, NULL,
     "show what the MIME parser makes of any bytes", "显示 MIME 解析结果", NULL, NULL},
    {"demo", NULL, 0, 0, demo_run, demo_options, NULL,
     "two posts on this machine that mail each other", "在本机演示两个互相通信的驿站", NULL, NULL},
    {"send", NULL, 0, 0, send_run, send_options, NULL, "write and send mail (SMTP submission)",
     "撰写并发送邮件（SMTP 提交）", NULL, NULL},
    {"fetch", NULL, 0, 0, fetch_run, fetch_options, NULL, "download mail (POP3)",
     "收取邮件（POP3）", NULL, NULL},
    {"read", NULL, 0, 0, NULL, NULL, read_verbs, "read mail where it lies (IMAP)",
     "在服务器上阅读与整理邮件（IMAP）",
     "list shows numbers (UIDs); the other verbs name messages by them.",
     "list 显示编号（UID），其他动词用编号指明邮件。"},
    {"version", NULL, 0, 0, version_run, NULL, NULL, "print the version", "显示版本", NULL, NULL},
    {"help", "[COMMAND...|config]", 0, -1, help_run, NULL, NULL,
     "explain a command or the configuration", "查看命令或配置的说明", NULL, NULL},
    {0},
};

int main(int argc, char **argv)
{
    struct arena a = {0};
    const char **words = arena_array(&a, (size_t)argc + 1, sizeof(*words));
    for (int i = 1; i < argc; i++)
        words[i - 1] = argv[i];
    /* a lost connection is an error of write, not the end of us */
    sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    json_begin();
    int count = argc > 1 ? argc - 1 : 0;
    if (count == 1 && strcmp(words[0], "--version") == 0)
        words[0] = "version";
    int code = command_run(commands, &a, count, words);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "yizhan: standard output: %s\n", strerror(errno));
        code = code ? code : EXIT_FAILED;
    }
    arena_end(&a);
    return code;
}
