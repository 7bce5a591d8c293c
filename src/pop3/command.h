/*
 * What the commands (cmd_*.c) share: the session, the rows of the table, replies.
 *
 *   AUTHORIZATION --login--> TRANSACTION --QUIT--> update, closed       (RFC 1939 section 3)
 */
#ifndef POP3_COMMAND_H
#define POP3_COMMAND_H

#include "pop3/maildrop.h"
#include "pop3/server.h"
#include "pop3/stuff.h"

enum pop3_state { POP3_AUTHORIZATION = 1, POP3_TRANSACTION = 2, POP3_BOTH = 3 };

/* What the next line is. */
enum pop3_line {
    LINE_COMMAND,
    LINE_RESPONSE, /* the client's next message of a SASL exchange */
    LINE_LAST,     /* its empty answer to the server's last message */
};

enum pop3_language { LANGUAGE_EN, LANGUAGE_ZH, LANGUAGE_LAST };

struct pop3 {
    struct session s;     /* first: a session is a pop3 */
    struct arena arena;   /* the connection's; holds this struct */
    struct arena scratch; /* one command's */
    const struct pop3_options *options;
    enum pop3_state state;
    enum pop3_line line;
    bool skipping; /* the rest of a line that was too long */
    bool utf8;     /* RFC 6856 */
    enum pop3_language language;
    unsigned errors, failures;
    void (*next)(struct pop3 *p); /* what resume() goes on with */

    char user[LIMIT_LOGIN_NAME];
    size_t user_bytes;
    struct sasl *sasl;
    enum sasl_result hashed;

    int64_t account; /* who is logged in */
    struct maildrop drop;
    uint32_t at;            /* LIST, UIDL: the next position */
    struct message message; /* RETR, TOP: under way; its prefix is in drop.ahead */
    uint64_t offset;
    struct stuffing stuffing;
    uint64_t retrieved, retrieved_bytes;
};

enum pop3_argument { ARGUMENT_NONE, ARGUMENT_MAY, ARGUMENT_MUST };

/* A command, or a capability without one. */
struct pop3_command {
    slice name; /* "" when it is only a capability */
    enum pop3_state states;
    enum pop3_argument argument;
    void (*run)(struct pop3 *p, slice argument);
    bool long_line;   /* carries base64 or a password: up to LIMIT_SMTP_AUTH_LINE */
    const char *capa; /* its line in CAPA; NULL: none */
    /* Whether CAPA shows it now; NULL: always.  And what follows on the line; NULL: nothing. */
    bool (*offered)(const struct pop3 *p);
    slice (*capa_more)(const struct pop3 *p);
};
extern const struct pop3_command pop3_table[];
extern const size_t pop3_table_rows;

/* One reply line.  pop3_bad also counts: a client that talks nonsense is cut off. */
void pop3_ok(struct pop3 *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
void pop3_err(struct pop3 *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
void pop3_bad(struct pop3 *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The text in the language the client chose (LANG). */
const char *pop3_say(const struct pop3 *p, const char *en, const char *zh)
    __attribute__((format_arg(2), format_arg(3)));
/* Whether out has room for one more step of an answer; else next goes on when it has drained. */
bool pop3_has_room(struct pop3 *p, void (*next)(struct pop3 *p));
/* The message an argument names: false after the -ERR. */
bool pop3_number(struct pop3 *p, slice argument, uint32_t *position, struct entry *e);

/* May a password travel over this connection? */
bool pop3_is_safe(const struct pop3 *p);
/* The result of a login step, from USER/PASS or AUTH; challenge is raw. */
void pop3_login(struct pop3 *p, enum sasl_result result, slice challenge);
/* A line of a SASL exchange. */
void pop3_auth_line(struct pop3 *p, slice line);
/* The end of an exchange, whatever its state. */
void pop3_auth_end(struct pop3 *p);

/* Opens a message for RETR or TOP (lines: UINT64_MAX for all): false after the -ERR. */
bool pop3_message_open(struct pop3 *p, slice argument, uint64_t lines);
/* Sends it, step by step. */
void pop3_message_send(struct pop3 *p);

/* What the rows of the table run; the argument is trimmed, and there when the row says it must be.
 */
void pop3_cmd_user(struct pop3 *p, slice argument);
void pop3_cmd_pass(struct pop3 *p, slice argument);
void pop3_cmd_auth(struct pop3 *p, slice argument);
void pop3_cmd_stls(struct pop3 *p, slice argument);
void pop3_cmd_capa(struct pop3 *p, slice argument);
void pop3_cmd_utf8(struct pop3 *p, slice argument);
void pop3_cmd_lang(struct pop3 *p, slice argument);
void pop3_cmd_stat(struct pop3 *p, slice argument);
void pop3_cmd_list(struct pop3 *p, slice argument);
void pop3_cmd_uidl(struct pop3 *p, slice argument);
void pop3_cmd_retr(struct pop3 *p, slice argument);
void pop3_cmd_top(struct pop3 *p, slice argument);
void pop3_cmd_dele(struct pop3 *p, slice argument);
void pop3_cmd_noop(struct pop3 *p, slice argument);
void pop3_cmd_rset(struct pop3 *p, slice argument);
void pop3_cmd_quit(struct pop3 *p, slice argument);
/* What CAPA asks. */
bool pop3_offers_user(const struct pop3 *p);
bool pop3_offers_stls(const struct pop3 *p);
slice pop3_capa_sasl(const struct pop3 *p);

#endif
