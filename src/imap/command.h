/*
 * What the commands (cmd_*.c) share: the session, the rows of the table, replies, arguments.
 *
 *   EARLY --LOGIN, AUTHENTICATE--> AUTHENTICATED --SELECT--> SELECTED      (RFC 9051 section 3)
 *                                        ^-----CLOSE, UNSELECT----+
 *
 * A command is read whole (reader.c), with its literals in place, then its row's run() is called.
 * It ends by exactly one of imap_ok, imap_no, imap_bad: they first write what the row allows to
 * announce (announce.c), in steps as the client takes them, then the tagged line.  After that call
 * the command's function returns and touches nothing.  A long answer is written in steps:
 *
 *   static void more(struct imap *p)
 *   {
 *       while (…) {
 *           if (!imap_has_room(p, more))
 *               return;
 *           … imap_out(p) …
 *       }
 *       imap_ok(p, "Done");
 *   }
 */
#ifndef IMAP_COMMAND_H
#define IMAP_COMMAND_H

#include "imap/parse.h"
#include "imap/selected.h"
#include "imap/server.h"
#include "store/folder.h"

enum imap_states {
    IMAP_EARLY = 1,
    IMAP_AUTHENTICATED = 2,
    IMAP_SELECTED = 4,
    IMAP_LOGGED_IN = IMAP_AUTHENTICATED | IMAP_SELECTED,
    IMAP_ANY = 7
};

/* What ENABLE (RFC 5161) or a command that implies it switched on. */
enum imap_enabled {
    ENABLED_CONDSTORE = 1, /* every FETCH carries MODSEQ (and UID) */
    ENABLED_QRESYNC = 2,   /* VANISHED instead of EXPUNGE; CONDSTORE too */
    ENABLED_UTF8 = 4,      /* UTF8=ACCEPT: names and quoted strings are UTF-8 */
};

/* What may be told at the end of a command (rule I3).  A UID form may tell all. */
enum imap_announces { ANNOUNCE_NOTHING, ANNOUNCE_NO_EXPUNGE, ANNOUNCE_ALL };

/* What becomes of a literal. */
enum imap_taking {
    TAKE_IN_PLACE, /* into args, as imap_astring and imap_string read it */
    TAKE_STREAM,   /* to p->sink; args begin anew behind it */
    TAKE_REFUSED,  /* imap_no or imap_bad has been called; sent anyway, it is thrown away */
};

struct imap_compress; /* compress.h */

struct imap {
    struct session s;     /* first: a session is an imap */
    struct arena arena;   /* the connection's; holds this struct */
    struct arena scratch; /* one command's, resume steps included; empty before the next */
    const struct imap_options *options;
    enum imap_states state; /* one bit */
    unsigned enabled;       /* enum imap_enabled */
    unsigned errors, failures, commands;

    /* The running command. */
    const struct imap_command *command; /* NULL: none */
    slice tag;                          /* "" while none runs */
    bool uid;                           /* its UID form */
    void (*next)(struct imap *p);       /* what resume() goes on with */
    void *work;                         /* its own state, in scratch */
    slice code;                         /* a long response code for its tagged line, in scratch */
    /* Called once when the command is over or cut off, for what scratch does not free. */
    void (*release)(struct imap *p);
    /* The next line is not a command but goes here (AUTHENTICATE, IDLE). */
    void (*line)(struct imap *p, slice line);
    /* Where a streamed literal goes, piece by piece; set by literal(). */
    void (*sink)(struct imap *p, slice bytes);

    int64_t account; /* who is logged in */
    struct imap_selected *selected;
    slice *keywords;       /* names[bit] of the account, in keyword_arena; NULL: none known */
    uint64_t keyword_mask; /* the bits that have names */
    struct arena keyword_arena;

    /* The rest is reader.c's, reply.c's, cmd_login.c's and cmd_compress.c's. */
    struct imap_reader {
        int mode;        /* enum imap_reading */
        bool skipping;   /* the command was answered before its end */
        bool has_nul;    /* a NUL stood in a literal */
        struct buf text; /* the command so far; "\r\n" behind each announcement of a literal */
        size_t args_from, line_from; /* in text: its arguments, the line being read */
        uint64_t literal;            /* bytes still to come */
        uint64_t swallowed;          /* bytes of the line being skipped */
        size_t held;                 /* taken from the budget */
    } reader;
    slice reply;                    /* what is left of the tagged line, in scratch */
    struct imap_expected *expected; /* announce.c, in scratch */
    struct sasl *sasl;
    enum sasl_result hashed;
    bool idling;           /* IDLE: notices wake it */
    int64_t idle_until_ms; /* clock_mono_ms: longer is nobody there */
    struct watch *watch;
    struct imap_compress *compress;
    struct fetch_tree *tree; /* fetch_body.h; NULL: no FETCH yet */
};

/* ---- The table ---- */

struct imap_command {
    slice name; /* "" when it is only a capability */
    enum imap_states states;
    bool uid_form; /* "UID FETCH" */
    bool no_args;  /* anything behind the name is BAD */
    void (*run)(struct imap *p, slice args);
    enum imap_announces announces;
    /*
     * A literal is announced at the end of so_far (the arguments up to it).  NULL: taken in place
     * up to LIMIT_IMAP_COMMAND.  May set p->sink and p->release.
     */
    enum imap_taking (*literal)(struct imap *p, slice so_far, const struct imap_literal *announced);
    const char *capability; /* what it adds to CAPABILITY; NULL: nothing */
    /* Whether CAPABILITY shows it now; NULL: whenever the client has logged in.  And what follows
     * at once behind it; NULL: nothing. */
    bool (*offered)(const struct imap *p);
    slice (*capability_more)(struct imap *p);
};
extern const struct imap_command imap_table[];
extern const size_t imap_table_rows;

/* ---- Replies ---- */

/* The end of the command: "[CODE] text".  imap_bad also counts: who talks nonsense is cut off. */
void imap_ok(struct imap *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
void imap_no(struct imap *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
void imap_bad(struct imap *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* imap_no for an action of the store that was not DONE: its response code and a sentence. */
void imap_refused(struct imap *p, enum outcome outcome, enum refusal why);
/* imap_bad for arguments that cannot be read. */
void imap_syntax(struct imap *p);
/* Says "* BYE text" and closes. */
void imap_bye(struct imap *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "* " + text + CRLF. */
void imap_untagged(struct imap *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "+ " + text + CRLF. */
void imap_continue(struct imap *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Where to write; at least LIMIT_OUT / 2 fit after imap_has_room said so. */
struct buf *imap_out(struct imap *p);
/* Whether out has room for one more step of an answer; else next goes on when it has drained. */
bool imap_has_room(struct imap *p, void (*next)(struct imap *p));
/* A string as quoted or literal, whichever can hold it; UTF-8 stays so in quotes when enabled. */
void imap_put_string(struct imap *p, slice s);
/* As imap_put_string; an atom stays bare. */
void imap_put_astring(struct imap *p, slice s);

/* ---- Arguments: each eats from *args; false after the command was ended by BAD or NO ---- */

/*
 * A mailbox name: astring in modified UTF-7 (UTF-8 after ENABLE UTF8=ACCEPT), turned to the one
 * spelling the store knows (store/folder.h): UTF-8, NFC, INBOX in capitals.
 */
bool imap_mailbox_name(struct imap *p, slice *args, slice *name);
/* The same where the name is all there may be. */
bool imap_only_mailbox_name(struct imap *p, slice args, slice *name);
/* The same from an astring already read; a pattern of LIST keeps its * and %. */
bool imap_mailbox_decode(struct imap *p, slice spelled, slice *name);
/* A name as this client reads it: an astring in modified UTF-7, or UTF-8 when enabled. */
void imap_put_mailbox(struct imap *p, slice name);
/*
 * A sequence-set, a uid-set (when p->uid) or "$" of the selected mailbox: the positions of those
 * that exist, an imap_set of 0-based numbers.  Unknown uids are passed over, numbers out of range
 * are BAD (RFC 9051 6.4.9, rule I6).
 */
bool imap_messages(struct imap *p, slice *args, struct imap_set *positions);
/* "(\Seen Work)" or, with bare, also "\Seen Work": system flags as bits, keywords by name. */
struct imap_flags {
    uint64_t flags;
    slice *keywords;
    size_t keyword_count;
};
bool imap_flag_list(struct imap *p, slice *args, bool bare, struct imap_flags *out);

/* The uids of positions, ascending, in scratch. */
uint32_t *imap_uids(struct imap *p, const struct imap_set *positions, size_t *count);
/* The same by their ends: what lies in between and is not meant is in no view of the mailbox. */
struct uid_range *imap_uid_ranges(struct imap *p, const struct imap_set *positions, size_t *count);

/* ---- Flags ---- */

/* "(\Seen \Recent $Work)" of an entry of the selected mailbox to a place with IMAP_FLAGS_MAX bytes;
 * returns its end. */
enum { IMAP_FLAGS_MAX = 64 + (KEYWORD_END - KEYWORD_FIRST) * (LIMIT_KEYWORD + 1) };
char *imap_print_flags(struct imap *p, const struct entry *e, char *to);
/* Decimal digits to a place with IMAP_NUMBER_MAX bytes; returns their end.  There may be a hundred
 * thousand of them in one answer. */
enum { IMAP_NUMBER_MAX = 20 };
char *imap_print_number(uint64_t n, char *to);
/*
 * The whole unasked line: "* 3 FETCH (UID 7 FLAGS (\Seen) MODSEQ (9))"; UID and MODSEQ as enabled.
 */
void imap_put_fetch_flags(struct imap *p, uint32_t position, const struct entry *e);
/* The bit of a keyword of the account, or 0: nobody has it. */
uint64_t imap_keyword_bit(struct imap *p, slice name);
/* Loads the names anew; false: the store could not be read. */
bool imap_keywords_load(struct imap *p);

/*
 * For STORE, after its commit: at the end of this command the entries of the change x are told only
 * if their flags are not what the client must think they are: (known & ~remove) | add.  With
 * CONDSTORE their new MODSEQ is told in any case, without FLAGS (RFC 7162 3.1.3).
 */
void imap_expect(struct imap *p, const struct flags_change *x, uint64_t remove, uint64_t add);
/* The same for what the command's own FETCH lines have told whole: FLAGS and MODSEQ of e, which is
 * newer than the client's view.  Nothing is said again unless it has changed once more. */
void imap_told(struct imap *p, const struct entry *e);

/* ---- What the rows run; args is the rest of the command behind "NAME " ---- */

void imap_cmd_capability(struct imap *p, slice args);
void imap_cmd_noop(struct imap *p, slice args);
void imap_cmd_logout(struct imap *p, slice args);
void imap_cmd_id(struct imap *p, slice args);
void imap_cmd_starttls(struct imap *p, slice args);
void imap_cmd_login(struct imap *p, slice args);
void imap_cmd_authenticate(struct imap *p, slice args);
void imap_cmd_enable(struct imap *p, slice args);
void imap_cmd_namespace(struct imap *p, slice args);
void imap_cmd_compress(struct imap *p, slice args);
void imap_cmd_idle(struct imap *p, slice args);
void imap_cmd_select(struct imap *p, slice args);
void imap_cmd_examine(struct imap *p, slice args);
void imap_cmd_unselect(struct imap *p, slice args);
void imap_cmd_close(struct imap *p, slice args);
void imap_cmd_create(struct imap *p, slice args);
void imap_cmd_delete(struct imap *p, slice args);
void imap_cmd_rename(struct imap *p, slice args);
void imap_cmd_subscribe(struct imap *p, slice args);
void imap_cmd_unsubscribe(struct imap *p, slice args);
void imap_cmd_list(struct imap *p, slice args);
void imap_cmd_lsub(struct imap *p, slice args);
void imap_cmd_status(struct imap *p, slice args);
void imap_cmd_getquota(struct imap *p, slice args);
void imap_cmd_getquotaroot(struct imap *p, slice args);
void imap_cmd_setquota(struct imap *p, slice args);
void imap_cmd_append(struct imap *p, slice args);
enum imap_taking imap_append_literal(struct imap *p, slice so_far,
                                     const struct imap_literal *announced);
slice imap_append_limit(struct imap *p);
void imap_cmd_expunge(struct imap *p, slice args);
void imap_cmd_copy(struct imap *p, slice args);
void imap_cmd_move(struct imap *p, slice args);
void imap_cmd_fetch(struct imap *p, slice args);
void imap_cmd_store(struct imap *p, slice args);
void imap_cmd_search(struct imap *p, slice args);

/* May a password travel over this connection? */
bool imap_is_safe(const struct imap *p);
/* The result of a login step, from LOGIN or AUTHENTICATE; challenge is raw. */
void imap_login(struct imap *p, enum sasl_result result, slice challenge);
/* A challenge of an exchange, and what takes the client's answer. */
void imap_challenge(struct imap *p, slice raw, void (*answer)(struct imap *p, slice line));
void imap_auth_answer(struct imap *p, slice line);
/* What both set as p->release: the exchange is over, whatever its state. */
void imap_auth_end(struct imap *p);
/* The words of CAPABILITY as it applies now, without "CAPABILITY". */
slice imap_capabilities(struct imap *p);
/* Nothing is selected any more. */
void imap_unselect(struct imap *p);
/* A notice came in IDLE. */
void imap_idle_noticed(struct imap *p);
/* Nothing was said or heard in IDLE for a while: true when it goes on. */
bool imap_idle_goes_on(struct imap *p);
/* "* VANISHED 3:5,7", with "(EARLIER)" in SELECT and UID FETCH: uids are told in steps and lines of
 * a bounded length, *at is where it stands; true when all are told. */
bool imap_put_vanished(struct imap *p, slice earlier, const struct uid_range *uids, size_t count,
                       size_t *at);
/* Switches CONDSTORE on (a command that implies it); tells HIGHESTMODSEQ when that is new. */
void imap_enable_condstore(struct imap *p);

/* What CAPABILITY asks. */
bool imap_offers_always(const struct imap *p);
bool imap_offers_early(const struct imap *p);
bool imap_offers_starttls(const struct imap *p);
bool imap_offers_compress(const struct imap *p);
bool imap_offers_logindisabled(const struct imap *p);
bool imap_offers_plain(const struct imap *p);

#endif
