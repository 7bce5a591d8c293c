/*
 * The MIME tree of any bytes (RFC 2045-2046, rules M1-M4): one pass, one flat array, parent before
 * child, every part a range of the message.  It never fails: what is beyond a cap, or broken, stays
 * as text of the part it stands in, and a defect says so.
 *
 *   message  ┌ part.start          the part's header (empty: none)
 *            ├ part.body           behind the empty line
 *            └ part.end            the line end before the next boundary belongs to the boundary
 *
 * Children of a multipart are its parts; the only child of a message/rfc822 is the root of the
 * message inside.  Part numbers are IMAP's (RFC 9051 6.4.5.1).
 */
#ifndef MESSAGE_PARSE_H
#define MESSAGE_PARSE_H

#include "message/cte.h"
#include "message/header.h"
#include "message/param2231.h"

enum mime_kind { MIME_LEAF, MIME_MULTIPART, MIME_MESSAGE };

/* What was wrong and how it was read; the names in defect.c are what `yizhan parse` prints. */
enum mime_defect {
    DEFECT_NO_HEADER = 1 << 0,         /* the first line is no field */
    DEFECT_BAD_FIELD = 1 << 1,         /* lines in the header that are no field */
    DEFECT_NO_EMPTY_LINE = 1 << 2,     /* no empty line behind the header */
    DEFECT_NO_BOUNDARY = 1 << 3,       /* multipart without a boundary: read as text */
    DEFECT_NO_PARTS = 1 << 4,          /* multipart whose boundary never comes: read as text */
    DEFECT_NO_CLOSE = 1 << 5,          /* multipart without its closing boundary */
    DEFECT_BAD_TYPE = 1 << 6,          /* Content-Type that is none: read as text/plain */
    DEFECT_BAD_ENCODING = 1 << 7,      /* unknown Content-Transfer-Encoding: read as octet-stream */
    DEFECT_ENCODED_CONTAINER = 1 << 8, /* multipart or message that says base64 or QP */
    DEFECT_TWICE = 1 << 9,             /* a field that may come once comes twice: first counts */
    DEFECT_DAMAGED_CODE = 1 << 10,     /* base64 or quoted-printable with bytes that are none */
    DEFECT_BAD_CHARSET = 1 << 11,      /* unknown or untrue charset: detected */
    DEFECT_TOO_DEEP = 1 << 12,         /* LIMIT_MIME_DEPTH: not opened */
    DEFECT_TOO_MANY = 1 << 13,         /* LIMIT_MIME_PARTS: the rest stays in this part */
    DEFECT_LONG_HEADER = 1 << 14,      /* LIMIT_HEADER: the rest counts as body */
    DEFECT_BARE_LF = 1 << 15,          /* lines that end in LF alone */
    DEFECT_BARE_CR = 1 << 16,          /* CR inside a line of the header */
    DEFECT_NUL = 1 << 17,              /* NUL in the header */
    DEFECT_LONG_LINE = 1 << 18,        /* a line over 998 bytes */
    DEFECT_MBOX_FROM = 1 << 19,        /* a mbox "From " line in front */
    DEFECT_BAD_ADDRESS = 1 << 20,      /* an address field that had to be guessed */
    DEFECT_BAD_DATE = 1 << 21,         /* a Date that is none */
    DEFECT_RAW_8BIT = 1 << 22,         /* header bytes above 0x7f that are not UTF-8 */
    DEFECT_BAD_PARAMETER = 1 << 23,    /* a parameter that had to be guessed */
    DEFECT_UUENCODED = 1 << 24,        /* a text with uuencoded files in it */
    DEFECT_EMPTY = 1 << 25,            /* no bytes at all */
};
/* The code and the sentence of one defect bit: "no-boundary", "multipart without a boundary …". */
slice defect_code(enum mime_defect bit);
slice defect_text(enum mime_defect bit);

struct mime_part {
    size_t start, body, end; /* offsets in the message */
    uint32_t parent;         /* index; the root is its own parent */
    uint32_t next;           /* index of the next sibling; 0: last one */
    uint32_t children;       /* how many */
    uint32_t index;          /* 1, 2 … among its siblings */
    uint32_t lines;          /* line ends in [body, end) */
    uint32_t defects;
    uint8_t kind;  /* enum mime_kind */
    uint8_t depth; /* 0: root */
    bool digest;   /* stands in a multipart/digest: message/rfc822 by default */
};

struct mime {
    slice message;
    struct mime_part *parts; /* at least one */
    size_t count;
};

/* Any bytes to a tree; linear.  The parts are in the arena, exactly as large as they are, which is
 * at most 64 bytes each; the message is borrowed. */
void mime_parse(struct arena *a, slice message, struct mime *out);

/* The header, the body and both of a part. */
slice mime_header(const struct mime *m, size_t part);
slice mime_body(const struct mime *m, size_t part);
slice mime_whole(const struct mime *m, size_t part);
/* The first child, or 0. */
size_t mime_child(const struct mime *m, size_t part);
/* The part behind all parts inside this one; m->count at the end: skips a subtree. */
size_t mime_after(const struct mime *m, size_t part);

/*
 * The number in IMAP's notation: "1", "2.1"; "TEXT" for a multipart that is the root, "2.TEXT" for
 * one that is the root of the message in part 2.
 */
slice mime_number(struct arena *a, const struct mime *m, size_t part);
/* The part with that number; false when there is none. */
bool mime_by_number(const struct mime *m, slice number, size_t *part);

/*
 * The content fields of a part with their defaults put in: what a reader may act upon.  A multipart
 * without parts is text/plain, a leaf of an unknown encoding application/octet-stream.
 */
struct mime_content {
    struct params type; /* value "text/plain" */
    slice major, minor; /* "text", "plain" */
    slice charset;      /* label of a text; "us-ascii" when none was given */
    bool has_charset;   /* it was given */
    enum cte encoding;
    slice encoding_name;       /* as given, lower case; "7bit" */
    struct params disposition; /* value "" when there is none */
    slice name; /* the file name, decoded, not cleaned (filename_safe); "" when none */
    slice id;   /* Content-ID as it stands, or "" */
    slice description, md5, language, location; /* as they stand, or ""  */
    bool has_id, has_description, has_md5, has_language, has_location;
};
void mime_content(struct arena *a, const struct mime *m, size_t part, struct mime_content *out);

/* The defects of these fields, as bits. */
uint32_t mime_content_defects(const struct mime *m, size_t part, const struct mime_content *c);

/* The bytes of a leaf without their transfer encoding: inside the message for 7bit, 8bit, binary.
 */
slice mime_decode(struct arena *a, const struct mime *m, size_t part, const struct mime_content *c,
                  bool *damaged);
/* The text of a text part in UTF-8: decoded, charset converted or detected; lines as they are. */
slice mime_text(struct arena *a, const struct mime *m, size_t part, const struct mime_content *c,
                uint32_t *defects);
/* The same for bytes that are decoded already. */
slice mime_text_of(struct arena *a, const struct mime_content *c, slice bytes, uint32_t *defects);

#endif
