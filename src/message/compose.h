/*
 * Writes mail (RFC 5322, 2045-2049, 2387, 3676; rules M2, M4-M6, M12).  compose_open() decides the
 * structure and every encoding and knows the total size; compose_read() then gives the bytes piece
 * by piece, reading attachments through a callback as it comes to them: a message of 2 GB costs
 * constant memory.  The signature of compose_read fits smtp_message.body.
 *
 * Structure, leaving out what is not needed:
 *   multipart/mixed
 *     multipart/alternative
 *       text/plain
 *       multipart/related
 *         text/html
 *         image/png (inline, Content-ID)
 *     attachment …
 * Everything is 7-bit, except a forwarded message that is itself 8-bit, and addresses whose local
 * part needs UTF-8.  Nothing is allocated outside the arena.
 */
#ifndef MESSAGE_COMPOSE_H
#define MESSAGE_COMPOSE_H

#include "base/arena.h"

/* Bytes that are given, or read when they are needed (read != NULL). */
struct compose_source {
    slice bytes;
    uint64_t size; /* with read: exactly this many bytes will be read */
    /* Up to n bytes at offset; 0 at the end, -1 on error. */
    ssize_t (*read)(void *ctx, uint64_t offset, char *to, size_t n);
    void *ctx;
};

struct compose_address {
    slice name;  /* UTF-8, may be "" */
    slice email; /* local@domain; the domain may be in Unicode, it becomes A-labels */
};

struct compose_addresses {
    const struct compose_address *list;
    size_t count;
};

struct compose_part {
    slice type; /* "image/png"; "message/rfc822" forwards a message; "": application/octet-stream */
    slice name; /* file name, UTF-8; cleaned by filename_safe() */
    slice cid;  /* an inline image of the HTML: its Content-ID without <>; else "" */
    struct compose_source source;
};

struct compose_field {
    slice name, value; /* value UTF-8, unfolded */
};

struct compose {
    struct compose_addresses from, sender, reply_to, to, cc;
    struct compose_addresses bcc; /* envelope only: never printed unless keep_bcc */
    slice subject;                /* UTF-8 */
    int64_t date_ms;
    int zone_minutes;        /* east of UTC */
    slice message_id;        /* without <>; "": made from seed and domain */
    slice domain;            /* right side of a Message-ID made here; "": the domain of from */
    slice in_reply_to;       /* without <>, or "" */
    const slice *references; /* without <> */
    size_t reference_count;
    const struct compose_field *fields; /* more fields: "User-Agent", "Auto-Submitted", … */
    size_t field_count;

    slice text;                       /* UTF-8, LF or CRLF lines; "" with html: made from it */
    slice html;                       /* UTF-8; "": none */
    const struct compose_part *parts; /* inline images (cid) and attachments, in order */
    size_t part_count;

    unsigned char seed[16]; /* random: boundaries and Message-ID come from it */
    bool keep_bcc;          /* for a draft or the sender's own copy */
};

struct composer;

/*
 * Plans the message; c and everything it points to must live as long as the composer, which lives
 * in the arena.  Reads sources only where the encoding depends on it (forwarded messages, small
 * texts). NULL with *error (one line for people) when c holds what must not be sent: CR, LF or NUL
 * in a field, an impossible address, a source that cannot be read.
 */
struct composer *compose_open(struct arena *a, const struct compose *c, slice *error);
/* Total bytes compose_read will give. */
uint64_t compose_size(const struct composer *m);
/* The Message-ID without <>. */
slice compose_message_id(const struct composer *m);
/* True when the message needs BODY=8BITMIME, or SMTPUTF8. */
bool compose_eight_bit(const struct composer *m);
bool compose_utf8(const struct composer *m);
/* The next bytes, CRLF lines; 0 at the end, -1 when a source failed or ended early.  composer is
 * a struct composer *. */
ssize_t compose_read(void *composer, char *to, size_t n);
/* Starts again from the first byte: the same bytes. */
void compose_rewind(struct composer *m);
/* The whole message at once, for small ones; n == 0 on a failed source. */
slice compose_all(struct arena *a, struct composer *m);

/* To, Cc and Bcc as envelope recipients: "local@a-label", each once. */
slice *compose_recipients(struct arena *a, const struct compose *c, size_t *count);
/* The address as it goes into an envelope: domain in lower-case A-labels (RFC 5891).  False when it
 * is none. */
bool compose_envelope_address(struct arena *a, slice email, slice *out);

#endif
