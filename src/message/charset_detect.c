/* Which charset unlabelled bytes are in. */
#include "message/charset.h"

#include "base/banned.h"

static bool has_escape(slice s)
{
    static const char *const marks[] = {"\x1b$B", "\x1b$@", "\x1b(I", "\x1b$(D"};
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
        if (slice_search(s, slice_c(marks[i])) >= 0)
            return true;
    return false;
}

const char *charset_detect(slice bytes)
{
    if (slice_is_ascii(bytes))
        return has_escape(bytes) ? "ISO-2022-JP" : "US-ASCII";
    if (slice_is_utf8(bytes))
        return "UTF-8";
    return "windows-1252";
}
