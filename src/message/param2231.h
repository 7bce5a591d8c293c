/*
 * Values with parameters: Content-Type, Content-Disposition (RFC 2045 5.1, RFC 2183, RFC 2231;
 * rules M6, M8).  "attachment; filename*0*=utf-8''%E9%A9; filename*1*=%BF.pdf".
 */
#ifndef MESSAGE_PARAM2231_H
#define MESSAGE_PARAM2231_H

#include "base/arena.h"

struct param {
    slice name;     /* lower case, without "*0*" */
    slice value;    /* decoded to UTF-8: quotes, 2231 sections and charset, 2047 words inside */
    slice raw;      /* in the field: the value of the (first) section, without quotes */
    slice language; /* of RFC 2231, or "" */
    bool encoded;   /* it came with RFC 2231 "*" or RFC 2047 words */
};

struct params {
    slice value;          /* "text/html", "attachment": lower case, comments and spaces removed */
    struct param *params; /* in order of first appearance, each name once */
    size_t count;
    bool damaged; /* something had to be guessed or skipped */
};

/*
 * Parses any bytes; never fails.  Of two parameters with a name the first wins, but name* beats
 * name.  At most LIMIT_PARAMS sections are looked at.  Spaces around "=" and unquoted values with
 * spaces (old senders) are taken.
 */
void params_parse(struct arena *a, slice field, struct params *out);
/* The parameter's value, or "" (name in lower case). */
slice params_get(const struct params *p, slice name);
/* The parameter, or NULL. */
const struct param *params_find(const struct params *p, slice name);

/*
 * A name a file may have here (M8): the last path component only, no controls, no Unicode
 * direction marks, no "..", no leading dot, at most LIMIT_FILENAME bytes with the extension kept;
 * "" stays "".
 */
slice filename_safe(struct arena *a, slice name);

/* How a value that is not ASCII is written; both may be set: the 2047 form comes first. */
enum { PARAM_2231 = 1, PARAM_2047 = 2 };

/*
 * Prints "; name=value" for a field, folding (";" CRLF SP) when *column would pass 78.  ASCII is a
 * token or a quoted string; else RFC 2231 sections in UTF-8 (name*0*=…), encoded words in quotes
 * for old readers, or both.
 */
slice params_print(struct arena *a, slice name, slice utf8, unsigned forms, size_t *column);

#endif
