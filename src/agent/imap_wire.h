/*
 * The wire under the IMAP client (RFC 9051, RFC 3501): tags, strings and literals out; whole
 * responses in.  One straight blocking conversation over net/dial.h, bounded memory.
 *
 *   wire_begin(w, "UID SEARCH CHARSET UTF-8 TEXT");      a1 UID SEARCH CHARSET UTF-8 TEXT
 *   wire_put_string(w, S("驿站"));                          {6+}␍␊驿站
 *   wire_finish(w, on_data, ctx)                         ␍␊  … * SEARCH 4 7 … a1 OK done
 */
#ifndef AGENT_IMAP_WIRE_H
#define AGENT_IMAP_WIRE_H

#include "agent/account.h"

enum imap_reply { IMAP_OK, IMAP_NO, IMAP_BAD, IMAP_MORE, IMAP_LOST };

enum { IMAP_LAST_MAX = 4096 };

struct imap_wire {
    struct arena arena; /* the connection's */
    struct dial *dial;
    const struct agent_account *account;
    const char *who;         /* "agent -> localhost:1143" in the narration */
    slice capabilities;      /* "IMAP4rev1 IDLE …" as said last */
    bool capabilities_stale; /* they were said to somebody who was not logged in */
    slice last;              /* text of the last tagged response, continuation or BYE */
    char capabilities_text[IMAP_LAST_MAX], last_text[IMAP_LAST_MAX];
    unsigned tag;
    struct buf in;       /* read, not yet understood */
    struct buf response; /* the response read last: without CRLF, its literals in place */
    bool closed;         /* the server ended the connection */
    bool broken;         /* it said what is no IMAP: nothing more is read */
    bool refused;        /* a literal was refused before it was sent: the reply is known */
    enum imap_reply refusal;
    /* Where a literal behind "BODY[] " goes instead of into response; false ends the
     * conversation. NULL: nowhere. */
    bool (*body)(void *ctx, slice run);
    void *body_ctx;
};

/* Safe twice. */
void wire_end(struct imap_wire *w);

/* Whether the server said that it can do this: "IDLE". */
bool wire_offers(const struct imap_wire *w, slice capability);

/* An untagged response without "* "; valid during the call.  False: junk, ends the conversation. */
typedef bool wire_data_fn(void *ctx, slice data);

/* Queues "TAG TEXT"; more may follow. */
void wire_begin(struct imap_wire *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void wire_put(struct imap_wire *w, slice text);
/* SP and a quoted string or, where it must be, a literal. */
void wire_put_string(struct imap_wire *w, slice s);
/*
 * SP and the announcement of a literal of size bytes, which the caller then writes with wire_put;
 * false when the server refused it before (wire_finish says how).
 */
bool wire_put_literal(struct imap_wire *w, uint64_t size);
/* Ends the command and reads to its tagged response, or to "+" where the server asks for more. */
enum imap_reply wire_finish(struct imap_wire *w, wire_data_fn *on_data, void *ctx);
/* One more line of a login exchange, or "DONE" of IDLE. */
enum imap_reply wire_continue(struct imap_wire *w, slice line, wire_data_fn *on_data, void *ctx);
/* All of it, for commands without data. */
enum imap_reply wire_ask(struct imap_wire *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The next response, whatever it is: the greeting, news during IDLE.  False when none comes. */
bool wire_read(struct imap_wire *w, slice *response);
/* Something waits to be read. */
bool wire_has_input(const struct imap_wire *w);

/* Keeps the text of a status as w->last, and the capabilities that may stand in it. */
void wire_note(struct imap_wire *w, slice text);
/* "[COPYUID 7 1:3 4:6] done": the arguments behind that code, or false. */
bool wire_code(slice text, slice name, slice *arguments);

/* One line for people; always false. */
bool wire_fail(struct imap_wire *w, enum imap_reply r, const char *what, struct buf *error);

#endif
