/*
 * The head of an HTTP/1.1 request (RFC 9112), pure and strict: whatever two servers could read in
 * two ways (request smuggling) is refused.
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include "base/arena.h"

struct http_field {
    slice name, value; /* value without the space around it */
};

struct http_request {
    slice method;      /* "GET" */
    slice target;      /* as sent */
    slice path, query; /* of the target, not decoded; query without its "?" */
    slice host;        /* of the target when it is absolute, else of the Host field; may be "" */
    int minor;         /* 1.0 or 1.1 */
    struct http_field *fields;
    size_t field_count;
    bool keep_alive;
    bool chunked;            /* the body is in chunks; else content_length bytes */
    uint64_t content_length; /* 0: no body */
    bool expects_continue;
    slice body; /* filled in by the server before a route is called */
};

/*
 * Parses request line and fields, up to and with the empty line.  The slices borrow from in, fields
 * are in the arena.  Returns the bytes consumed, 0 when more are needed, -1 when the request must
 * be refused and the connection closed: *status is then 400, 414, 417, 431, 501 or 505.
 */
ssize_t http_head_parse(struct arena *a, slice in, struct http_request *out, int *status);

/* The value of a field, "" when it is not there; the first of several. */
slice http_field(const struct http_request *r, slice name);

/* One field line or the empty line at the start of in, with its CRLF: bytes consumed, 0, or -1.
 * name is "" at the empty line.  For heads and for trailers. */
ssize_t http_field_parse(slice in, struct http_field *out);

/* RFC 9110 5.6.2. */
bool http_is_token(slice s);

#endif
