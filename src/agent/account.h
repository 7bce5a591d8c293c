/*
 * Which server, which user: from the options, else from the account file, else from a post's
 * directory.  The account file ~/.config/yizhan/agent.conf (or $YIZHAN_AGENT_CONF) saves typing:
 *
 *   [default]
 *   server = mail.north.test
 *   imap-server = imap.north.test      (and pop3-server: where they differ)
 *   user = one@north.test
 *   ca-file = /etc/yizhan/north.pem
 *   password-file = /etc/yizhan/one.secret
 */
#ifndef AGENT_ACCOUNT_H
#define AGENT_ACCOUNT_H

#include "base/command.h"
#include "net/dial.h"

enum agent_service { AGENT_SUBMISSION, AGENT_POP3, AGENT_IMAP };
enum agent_tls { AGENT_STARTTLS, AGENT_IMPLICIT, AGENT_PLAIN };

struct agent_account {
    struct dial_options dial;
    enum agent_tls tls;
    enum dial_tls verify; /* DIAL_OPPORTUNE with --insecure */
    slice user;           /* the login name: a full address */
    const char *password_file;
};

/* Option rows that send, fetch and read share. */
#define AGENT_ACCOUNT_OPTIONS                                                                      \
    {"server",                                                                                     \
     "HOST[:PORT]",                                                                                \
     OPTION_TEXT,                                                                                  \
     0,                                                                                            \
     "the server; a port that ends in 465, 993 or 995 begins with TLS",                            \
     "服务器；以 465、993 或 995 结尾的端口一开始就用 TLS"},                                       \
        {"dir",                                                                                    \
         "DIR",                                                                                    \
         OPTION_TEXT,                                                                              \
         0,                                                                                        \
         "or: the server of this post on this machine",                                            \
         "或：本机上这个驿站的服务器"},                                                            \
        {"account",                                                                                \
         "NAME",                                                                                   \
         OPTION_TEXT,                                                                              \
         0,                                                                                        \
         "a section of ~/.config/yizhan/agent.conf (default)",                                     \
         "~/.config/yizhan/agent.conf 中的一节（default）"},                                       \
        {"user", "ADDRESS", OPTION_TEXT, 0, "who logs in", "登录地址"},                            \
        {"password-file",                                                                          \
         "FILE",                                                                                   \
         OPTION_TEXT,                                                                              \
         0,                                                                                        \
         "its first line is the password (else $YIZHAN_PASSWORD, else it is asked for)",           \
         "首行为密码（否则取 $YIZHAN_PASSWORD，再否则询问）"},                                     \
        {"ca-file",                                                                                \
         "FILE",                                                                                   \
         OPTION_TEXT,                                                                              \
         0,                                                                                        \
         "trust these certificates (PEM), not the system's",                                       \
         "信任此文件中的证书（PEM），而非系统证书"},                                               \
        {"tls",                                                                                    \
         "HOW",                                                                                    \
         OPTION_TEXT,                                                                              \
         0,                                                                                        \
         "starttls, implicit, or none (loopback only)",                                            \
         "starttls、implicit 或 none（仅限回环）"},                                                \
        {"insecure",                                                                               \
         NULL,                                                                                     \
         OPTION_FLAG,                                                                              \
         0,                                                                                        \
         "accept any certificate: anybody may be listening",                                       \
         "接受任何证书：可能被人窃听"},                                                            \
    {                                                                                              \
        "narrate", NULL, OPTION_FLAG, 0, "say every step of the dialogue on standard error",       \
            "在标准错误上讲述对话的每一步"                                           \
    }

/* Fills *account (in the call's arena).  EXIT_DONE, or the code after one line on standard error.
 */
int agent_account_find(struct call *c, enum agent_service service, struct agent_account *account);

/*
 * For a call that submits mail: the same user's IMAP server, of --imap, of the account file, of
 * --dir, or on the host of --server at the port that belongs to the submission's.
 */
int agent_account_imap(struct call *c, struct agent_account *account);

/*
 * The password: of the file, of $YIZHAN_PASSWORD, or asked for.  stdin_taken: standard input holds
 * the mail, so only a terminal may be asked.
 */
int agent_account_password(struct call *c, const struct agent_account *account, bool stdin_taken,
                           slice *password);

/* "HOST:PORT" or "[::1]:PORT"; false when it is neither.  *port stays when none is given. */
bool agent_host_port(struct arena *a, slice text, slice *host, uint16_t *port);

#endif
