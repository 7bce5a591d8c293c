/*
 * The header of a message or of a MIME part (RFC 5322 2.2, 3.6, 4.5; RFC 6532): finding its end,
 * its fields, and fields by name.  Any bytes are a header; lines end in CRLF or LF.
 *
 * The header ends at the first empty line.  A first line "From …" (mbox) is skipped.  If the first
 * line is no field, there is no header and everything is body.  Later lines that are no field are
 * skipped; those behind the last field begin the body (their empty line was forgotten), and a line
 * that begins with "--" (a boundary) always ends the header (rule M2).  Where two fields have one
 * name, the first counts (rule M11).
 */
#ifndef MESSAGE_HEADER_H
#define MESSAGE_HEADER_H

#include "base/arena.h"

/* One field as it stands; all slices lie inside the message. */
struct header_field {
    slice name;  /* "Subject": no colon, no white space; "" for a line that begins with the colon */
    slice value; /* trimmed of white space at both ends; folding inside is kept */
    slice raw;   /* everything between the colon and the final line end */
    slice whole; /* name, colon, value and final line end: what is copied, signed or counted */
};

/*
 * How a header lies in bytes, for the MIME parser: like header_length, but a line that begins with
 * "--" also ends it when boundary(ctx, line) says it is one of the open boundaries.  lines counts
 * the line ends in it.
 */
struct header_scan {
    bool (*boundary)(void *ctx, slice line); /* in, may be NULL; line without its end */
    void *ctx;
    size_t length, lines, fields;                                 /* out */
    bool mbox_from, bad_line, no_empty_line, no_header, too_long; /* out */
    bool bare_lf, bare_cr;                                        /* out */
};
size_t header_scan(slice s, struct header_scan *scan);

/* Offset of the body: just behind the empty line; message.n when everything is header. */
size_t header_length(slice message);
/* The header alone: the first header_length() bytes, the empty line included. */
slice header_of(slice message);

/*
 * Takes the next field from the front of *rest, which starts as a message or a header.  False at
 * its end.  for (slice rest = header_of(message); header_next(&rest, &f);) …
 */
bool header_next(slice *rest, struct header_field *f);

/* The value (trimmed, folded) of the first field of that name, any case; false when there is none.
 */
bool header_find(slice header, slice name, slice *value);
/* The same with all of the field. */
bool header_find_field(slice header, slice name, struct header_field *f);
/* How many fields have that name. */
size_t header_count(slice header, slice name);

/* The value in one line: line ends of the folding removed (value itself when there are none). */
slice header_unfold(struct arena *a, slice value);
/* The value for people: unfolded, encoded words decoded, UTF-8 (RFC 8621 4.1.2.2 without NFC). */
slice header_text(struct arena *a, slice value);

/*
 * What an acceptance looks at before it stamps a message (RFC 5321 6.3, RFC 6409 8, RFC 5322 3.6),
 * in one pass over the header.
 */
struct header_facts {
    size_t length;   /* header_length() */
    size_t fields;   /* how many */
    size_t received; /* Received fields: loop check */
    size_t from;     /* From fields: DMARC wants exactly one */
    size_t bcc;      /* Bcc and Resent-Bcc fields: submission removes them */
    bool has_date, has_message_id, has_sender, has_to_or_cc, has_subject;
    bool eight_bit;      /* a byte above 0x7f in the header: SMTPUTF8 is needed */
    bool auto_submitted; /* Auto-Submitted other than "no" (RFC 3834) */
    bool is_list; /* List-Id, List-Post, List-Unsubscribe … or Precedence: bulk, list, junk */
};
void header_facts(slice message, struct header_facts *out);

/*
 * The message without the fields whose name is in names ("Bcc"): a list of slices of message, to be
 * written one after the other.  Returns their count.
 */
size_t header_without(struct arena *a, slice message, const slice *names, size_t name_count,
                      slice **pieces);

/* True when value may be put behind "Name: " as it is: no CR, LF or NUL (rule M11). */
bool header_value_safe(slice value);

#endif
