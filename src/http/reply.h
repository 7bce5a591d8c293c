/* The head of an answer. */
#ifndef HTTP_REPLY_H
#define HTTP_REPLY_H

#include "base/buf.h"

/* "OK", "Not Found"; "" for a status nobody here uses. */
const char *http_reason(int status);
/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 5.6.7) */
void http_date(int64_t at_ms, char out[30]);
/* Status line and fields, with the empty line. */
void http_head_print(struct buf *out, int status, const char *type, size_t length, slice fields,
                     bool close);

#endif
