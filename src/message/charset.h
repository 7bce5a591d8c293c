/*
 * Any charset to UTF-8: the one function for headers, bodies and parameters (rule M7).  Labels are
 * what glibc's iconv knows plus the aliases mail uses; some are read as their superset, as all
 * readers do: gb2312 and gbk as GB18030, big5 as Big5-HKSCS, iso-8859-1 as windows-1252,
 * ks_c_5601-1987 as windows-949.  Text without a label, with an unknown one or with one that cannot
 * be true is detected (charset_detect.c).  Invalid bytes become U+FFFD, NUL is dropped; never an
 * error.
 */
#ifndef MESSAGE_CHARSET_H
#define MESSAGE_CHARSET_H

#include "base/arena.h"

struct charset_text {
    slice text;          /* UTF-8; inside bytes when they were UTF-8 already, else in the arena */
    const char *charset; /* what it was read as: "UTF-8", "GB18030" ... */
    size_t replaced;     /* how many U+FFFD were put in */
    bool detected;       /* not what the label said */
};

/*
 * bytes in the charset called label ("" when there is none) to UTF-8.  A byte order mark is
 * removed. Linear; the text is at most five times as long as bytes.
 */
void charset_to_utf8(struct arena *a, slice label, slice bytes, struct charset_text *out);

/* The canonical name behind a label ("GBK" and "cn-gb" give "GB18030"), or NULL when it is unknown.
 */
const char *charset_canonical(slice label);

/*
 * The most likely charset of bytes that have no label: "UTF-16" with a byte order mark, "US-ASCII",
 * "UTF-8", "ISO-2022-JP", "GB18030", "Big5-HKSCS", "Shift_JIS", "EUC-JP", "EUC-KR", "windows-1250"
 * … "windows-1258", "KOI8-R"; "windows-1252" when nothing fits.  Looks at the first 16 KiB.
 */
const char *charset_detect(slice bytes);

/*
 * Loads the iconv modules of the charsets of mail (2.5 ms, 0.7 MB), because a sandboxed process may
 * not open them later.  Call once before threads and sandbox.  A charset whose module cannot be
 * loaded is detected as if it had no label.
 */
void charset_preload(void);

#endif
