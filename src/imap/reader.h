/*
 * The command reader: bytes in any pieces become commands (RFC 9051 section 2.2 and 4.3; RFC 7888).
 * It always takes what it is given, so that a command of any size costs its text once; literals are
 * kept in place, or go to the command's sink while they come.
 */
#ifndef IMAP_READER_H
#define IMAP_READER_H

#include "imap/command.h"

enum imap_reading {
    READING_LINE,
    READING_LITERAL, /* in place */
    READING_STREAM,  /* to the sink */
    READING_SWALLOW, /* thrown away: its command has been answered */
};

/* Takes bytes up to the end of a command, or of a piece of it; returns how many (at least 1). */
size_t imap_read(struct imap *p, slice in);
/* The command is over: its text may go. */
void imap_reader_done(struct imap *p);
/* Gives all memory back. */
void imap_reader_end(struct imap *p);

#endif
