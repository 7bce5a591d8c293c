/*
 * Transcripts: whole dialogues as text, run against a session in memory (net/harness.h).
 */
#ifndef NET_TRANSCRIPT_H
#define NET_TRANSCRIPT_H

#include "net/harness.h"

/*
 * A transcript is text, one event a line; blank lines and lines beginning with # are skipped.
 *   C: text       the client sends text CRLF; \xNN, \r, \n and \\ are escapes, any other backslash
 *                 is one
 *   C> text       the same without the CRLF
 *   C*N text      the text N times (with escapes, no CRLF): "C*3000 a"
 *   S: text       the server says exactly text CRLF (escapes as above)
 *   S:* pattern   one line matching the pattern, in which * stands for any run of bytes
 *   S> text       exactly these bytes, no CRLF implied
 *   S:...         any lines up to the one that the next S line matches
 *   TLS           here a hand-shake happens (the unread input was dropped)
 *   NOTIFY        session_notify()
 *   DO text       act(): something happens elsewhere
 *   TIMEOUT, SHUTDOWN, LIMIT   expire()
 *   EOF           the client closes its side
 *   CLOSED        the session has closed; nothing may follow but EOF
 * Successive C lines are sent as one piece.  Before a C line, and at the end, everything the server
 * said must have been matched.
 */
struct transcript {
    struct session *(*make)(void *ctx); /* a fresh session on fresh state */
    void (*done)(void *ctx);            /* after each run, session ended; may be NULL */
    bool (*act)(void *ctx, slice what); /* for DO; may be NULL; false: it could not be done */
    void *ctx;
    size_t cuts_max; /* most places to cut; 0: 2,000 (evenly spread when there are more) */
};

/*
 * Runs it whole, one byte at a time, and cut once at every byte of the client's input: the result
 * must always be what the transcript says.  False with "line 12 (cut at 40): …" in error.
 */
bool transcript_run(const struct transcript *t, slice text, struct buf *error);
/* The same with the text of a file. */
bool transcript_run_file(const struct transcript *t, const char *path, struct buf *error);

#endif
