/* The names of what was wrong: one row a defect. */
#include "message/parse.h"

#include "base/banned.h"

static const struct {
    enum mime_defect bit;
    slice code, text;
} DEFECTS[] = {
#define ROW(bit, code, text)                                                                       \
    {                                                                                              \
        bit, {code, sizeof(code) - 1},                                                             \
        {                                                                                          \
            text, sizeof(text) - 1                                                                 \
        }                                                                                          \
    }
    ROW(DEFECT_EMPTY, "empty", "there are no bytes at all"),
    ROW(DEFECT_MBOX_FROM, "mbox-from", "a mbox \"From \" line stands in front: skipped"),
    ROW(DEFECT_NO_HEADER, "no-header", "the first line is no field: everything is body"),
    ROW(DEFECT_BAD_FIELD, "bad-field", "lines in the header are no field: skipped"),
    ROW(DEFECT_NO_EMPTY_LINE, "no-empty-line", "no empty line ends the header"),
    ROW(DEFECT_LONG_HEADER, "long-header", "the header is too long: its rest counts as body"),
    ROW(DEFECT_TWICE, "twice", "a field that may come once comes twice: the first counts"),
    ROW(DEFECT_RAW_8BIT, "raw-8bit",
        "the header has bytes above 0x7f that are not UTF-8: detected"),
    ROW(DEFECT_BARE_CR, "bare-cr", "a CR stands inside a line of the header"),
    ROW(DEFECT_NUL, "nul", "a NUL stands in the header: dropped"),
    ROW(DEFECT_BARE_LF, "bare-lf", "lines end in LF alone"),
    ROW(DEFECT_LONG_LINE, "long-line", "a line is longer than 998 bytes"),
    ROW(DEFECT_BAD_ADDRESS, "bad-address", "an address field is not well formed: guessed"),
    ROW(DEFECT_BAD_DATE, "bad-date", "the Date field is no date: there is none"),
    ROW(DEFECT_BAD_TYPE, "bad-type", "the Content-Type is none: read as text/plain"),
    ROW(DEFECT_BAD_PARAMETER, "bad-parameter", "a parameter is not well formed: guessed"),
    ROW(DEFECT_NO_BOUNDARY, "no-boundary", "a multipart without a boundary: read as text"),
    ROW(DEFECT_NO_PARTS, "no-parts", "the boundary of the multipart never comes: read as text"),
    ROW(DEFECT_NO_CLOSE, "no-close", "the closing boundary is missing: the end of the part counts"),
    ROW(DEFECT_ENCODED_CONTAINER, "encoded-container",
        "a multipart or message says it is encoded, which it must not be"),
    ROW(DEFECT_TOO_DEEP, "too-deep", "too many parts in one another: not opened"),
    ROW(DEFECT_TOO_MANY, "too-many", "too many parts: the rest stays in this one"),
    ROW(DEFECT_BAD_ENCODING, "bad-encoding",
        "an unknown Content-Transfer-Encoding: read as application/octet-stream"),
    ROW(DEFECT_DAMAGED_CODE, "damaged-code", "the base64 or quoted-printable is damaged: skipped"),
    ROW(DEFECT_BAD_CHARSET, "bad-charset", "the charset is unknown or not true: detected"),
    ROW(DEFECT_UUENCODED, "uuencoded", "the text has uuencoded files in it"),
#undef ROW
};

slice defect_code(enum mime_defect bit)
{
    for (size_t i = 0; i < sizeof(DEFECTS) / sizeof(*DEFECTS); i++)
        if (DEFECTS[i].bit == bit)
            return DEFECTS[i].code;
    return S("unknown");
}

slice defect_text(enum mime_defect bit)
{
    for (size_t i = 0; i < sizeof(DEFECTS) / sizeof(*DEFECTS); i++)
        if (DEFECTS[i].bit == bit)
            return DEFECTS[i].text;
    return S("");
}
