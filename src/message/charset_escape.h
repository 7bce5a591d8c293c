/*
 * The 7-bit encodings of East Asia rewritten as their 8-bit sisters, which iconv reads more
 * tolerantly: ISO-2022-JP (RFC 1468 and what Windows adds) as EUC-JP, ISO-2022-KR (RFC 1557) as
 * EUC-KR, HZ (RFC 1843) as GB2312.  One pass; nothing is ever refused: what makes no sense is
 * passed on and becomes U+FFFD there.
 */
#ifndef MESSAGE_CHARSET_ESCAPE_H
#define MESSAGE_CHARSET_ESCAPE_H

#include "base/arena.h"

slice charset_jis_to_euc(struct arena *a, slice in);
slice charset_kr_to_euc(struct arena *a, slice in);
slice charset_hz_to_gb(struct arena *a, slice in);

#endif
