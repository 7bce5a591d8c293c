/*
 * What a cmd_*.c sees: the session of one connection, its states, the way to reply.  Private to
 * smtp/; the outside knows smtp/server.h.
 */
#ifndef SMTP_COMMAND_H
#define SMTP_COMMAND_H

#include "smtp/dot.h"
#include "smtp/params.h"
#include "smtp/path.h"
#include "smtp/server.h"

/* Where the conversation stands; bits, so that a command can name the states it may come in. */
enum smtp_state {
    STATE_START = 1, /* nobody said EHLO or HELO */
    STATE_READY = 2, /* no transaction */
    STATE_MAIL = 4,  /* a sender, no recipient yet */
    STATE_RCPT = 8,  /* at least one recipient */
    STATE_DATA = 16, /* the message is coming in */
    STATE_AUTH = 32, /* each line is a SASL response */
};
enum {
    STATES_IDLE = STATE_START | STATE_READY,
    STATES_TRANSACTION = STATE_MAIL | STATE_RCPT,
    STATES_ANY = STATES_IDLE | STATES_TRANSACTION,
};

struct smtp_session {
    struct session base; /* first: net/ sees only this */
    struct arena life;   /* holds this struct too */
    const struct smtp_options *options;
    enum smtp_state state;

    /* The connection. */
    char helo[LIMIT_DOMAIN + 1]; /* "" before EHLO */
    bool esmtp;                  /* EHLO, not HELO */
    slice login;                 /* "" before AUTH */
    int64_t account;
    unsigned commands;      /* since the last accepted message */
    unsigned errors;        /* commands answered 500-504, 530, 538, 555 */
    unsigned refusals;      /* recipients refused since the last accepted message */
    unsigned auth_failures; /* logins failed */
    unsigned mails;         /* messages accepted */
    slice peer_name;        /* of its address, "unknown", or "" when nobody asked */
    int64_t name_until_ms;  /* while we ask */
    int (*named)(struct smtp_session *s);

    /* A line that is too long: the rest of it is dropped. */
    bool skipping;

    /* The transaction: everything in the arena goes with it. */
    struct arena mail;
    struct envelope envelope;
    size_t recipient_capacity;

    /* DATA. */
    void *body; /* the host's */
    struct dot dot;
    uint64_t body_size;
    bool disk_full;

    /* AUTH. */
    struct arena auth;
    void *sasl; /* the host's */
    slice mechanism;
    bool auth_done; /* the last challenge is out; an empty response makes the login stand */
    enum sasl_result hashed;
    int (*after)(struct smtp_session *s); /* when the job is done */
};

/* A row of the table in server.c. */
struct smtp_command {
    slice verb;
    int (*run)(struct smtp_session *s, slice arg); /* returns the code of its reply, or 0: later */
    unsigned states;                               /* where it may come */
    const char *misplaced;                         /* the reply elsewhere */
    enum smtp_extension extension;
    enum {
        COMMAND_LOGIN = 1, /* on submission only after login: 530 (S17) */
        COMMAND_NO_ARG = 2,
        COMMAND_ARG = 4,  /* needs one */
        COMMAND_UTF8 = 8, /* looks at octets >= 0x80 itself */
    } flags;
    const char *syntax; /* HELP and 501 */
    const char *help;
};
extern const struct smtp_command smtp_commands[];
extern const size_t smtp_command_count;

/* The commands, one file each.  arg is what follows the verb, trimmed; see struct smtp_command. */
int smtp_cmd_ehlo(struct smtp_session *s, slice arg);
int smtp_cmd_helo(struct smtp_session *s, slice arg);
int smtp_cmd_mail(struct smtp_session *s, slice arg);
int smtp_cmd_rcpt(struct smtp_session *s, slice arg);
int smtp_cmd_data(struct smtp_session *s, slice arg);
int smtp_cmd_auth(struct smtp_session *s, slice arg);
int smtp_cmd_starttls(struct smtp_session *s, slice arg);
int smtp_cmd_rset(struct smtp_session *s, slice arg);
int smtp_cmd_noop(struct smtp_session *s, slice arg);
int smtp_cmd_vrfy(struct smtp_session *s, slice arg);
int smtp_cmd_help(struct smtp_session *s, slice arg);
int smtp_cmd_quit(struct smtp_session *s, slice arg);

/* Message bytes in STATE_DATA; returns what it took. */
size_t smtp_data_feed(struct smtp_session *s, slice in);
/* CRLF.CRLF has come: the reply, then READY. */
void smtp_data_end(struct smtp_session *s);
/* Should the name of the peer's address be looked up now?  Then smtp_ask_name does, and goes on. */
bool smtp_wants_name(const struct smtp_session *s);
int smtp_ask_name(struct smtp_session *s, int (*then)(struct smtp_session *s));
/* A SASL response line in STATE_AUTH. */
int smtp_auth_line(struct smtp_session *s, slice line);
/* Ends an exchange that is under way; the login stays what it is. */
void smtp_auth_end(struct smtp_session *s);

/* Enters a state and sets its timeout (RFC 5321 4.5.3.2.7). */
void smtp_enter(struct smtp_session *s, enum smtp_state state);
/* Forgets the transaction (RSET); STATE_READY, or STATE_START before EHLO. */
void smtp_reset(struct smtp_session *s);
/* The reply to a path that is none; code is the enhanced one, "5.1.7" or "5.1.3". */
int smtp_reply_path(struct smtp_session *s, const char *code, enum path_result r);
/* Bits of the extensions offered now. */
unsigned smtp_offered(const struct smtp_session *s);
/* The connection is encrypted, or passwords may go without. */
bool smtp_safe(const struct smtp_session *s);

/* One row of EHLO. */
struct smtp_extension_row {
    slice keyword;
    bool (*offered)(const struct smtp_session *s);              /* NULL: always */
    void (*print)(const struct smtp_session *s, struct buf *b); /* its parameters; may be NULL */
};
extern const struct smtp_extension_row smtp_extension_table[EXT_LAST];

/*
 * Replies (reply.c).  The format begins with the code and, for 2yz, 4yz and 5yz, the enhanced code:
 * "250 2.1.0 Sender ok"; a "\n" begins another line, which gets both again (S23).  Control and
 * 8-bit characters are never sent.  Returns the code.
 */
int smtp_reply(struct smtp_session *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int smtp_reply_answer(struct smtp_session *s, const struct smtp_answer *answer);
/* A reply after which the connection closes. */
int smtp_reply_close(struct smtp_session *s, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The narration of one step for who watches the demo. */
#define smtp_step(s, phase, ...) log_step((s)->base.who, phase, __VA_ARGS__)

#endif
