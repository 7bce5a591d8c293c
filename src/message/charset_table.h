/* The rows behind charset.c. */
#ifndef MESSAGE_CHARSET_TABLE_H
#define MESSAGE_CHARSET_TABLE_H

#include "base/slice.h"

enum charset_kind {
    CHARSET_UTF8,
    CHARSET_ASCII, /* bytes above 0x7f are detected */
    CHARSET_PLAIN, /* iconv; ASCII bytes are ASCII */
    CHARSET_OTHER, /* iconv; not a superset of ASCII */
    CHARSET_RARE,  /* the same; never seen in mail, not preloaded */
    CHARSET_UTF16, /* byte order by mark or by where the zeros are */
    CHARSET_UTF7,
    CHARSET_JIS, /* ISO-2022-JP: rewritten as EUC-JP */
    CHARSET_KR,  /* ISO-2022-KR: rewritten as EUC-KR */
    CHARSET_HZ,  /* rewritten as GB18030 */
};

struct charset {
    const char *name;  /* as people and logs see it */
    const char *iconv; /* glibc's name, or NULL */
    enum charset_kind kind;
    const char *labels; /* " utf8 csutf8 " */
};

extern const struct charset charset_table[];
extern const size_t charset_count;

/* Row of a canonical name that is in the table. */
const struct charset *charset_row(const char *name);

#endif
