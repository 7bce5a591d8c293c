/*
 * BODY[section] of a message (RFC 9051 6.4.5.1; rules I12, I14): reading the specification, and
 * which bytes of the message it means.  A section is a run of the message's own bytes, or (for
 * HEADER.FIELDS) some fields of such a run; a part's number leads through the tree that
 * message/parse.h made, the one parser there is.
 *
 *   ""          the whole message            "2"         the body of part 2
 *   HEADER      its header, empty line too   2.HEADER    the header of the message in part 2
 *   TEXT        its body                     2.MIME      the header of part 2 itself
 */
#ifndef IMAP_SECTION_H
#define IMAP_SECTION_H

#include "message/parse.h"

enum section_text {
    SECTION_ALL, /* everything: of a part, its body */
    SECTION_HEADER,
    SECTION_FIELDS,     /* HEADER.FIELDS (names) */
    SECTION_FIELDS_NOT, /* HEADER.FIELDS.NOT (names) */
    SECTION_TEXT,
    SECTION_MIME,
};

struct section {
    slice part; /* "1.2"; "" for the message itself; inside the command */
    enum section_text text;
    slice *names;
    size_t name_count;
};

/*
 * Reads "[…]" from the front of *in; of BINARY only part numbers may stand there.  False: it is
 * none, or too large (LIMIT_IMAP_PART, LIMIT_IMAP_FIELDS).
 */
bool section_parse(struct arena *a, slice *in, bool binary, struct section *out);
/* The same in the form that is answered: "[2.HEADER.FIELDS (Subject Date)]". */
slice section_print(struct arena *a, const struct section *s);

/* What must be known of a message before a section is found in it. */
enum section_need { SECTION_NEEDS_NOTHING, SECTION_NEEDS_HEADER, SECTION_NEEDS_TREE };
enum section_need section_need(const struct section *s);

/* Bytes [from, to) of a message. */
struct section_range {
    uint64_t from, to;
};

/* A section of the message itself (no part number), whose header has header_bytes. */
struct section_range section_of_message(const struct section *s, uint64_t header_bytes,
                                        uint64_t message_bytes);
/*
 * A section of a part; the bytes of m->message are not looked at.  False when there is no such part
 * (or it is no message and the section wants one).  For fields: the header they stand in.
 */
bool section_of_part(const struct mime *m, const struct section *s, struct section_range *out);

/*
 * The fields chosen from a header, in their order, then the empty line (left out only where the
 * header has none and nothing follows it).
 */
slice section_fields(struct arena *a, const struct section *s, slice header, bool body_follows);

#endif
