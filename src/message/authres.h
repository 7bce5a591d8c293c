/* Authentication-Results, read (RFC 8601 2.2).  trust/authres.h writes them. */
#ifndef MESSAGE_AUTHRES_H
#define MESSAGE_AUTHRES_H

#include "base/arena.h"

struct authres_property {
    slice type, property, value; /* "smtp", "mailfrom", "one@north.test": unquoted */
};

struct authres_result {
    slice method, version; /* "dkim", "1"; lower case as given */
    slice result;          /* "pass" */
    slice reason;          /* or "" */
    struct authres_property *properties;
    size_t property_count;
};

struct authres {
    slice id;      /* authserv-id */
    slice version; /* "" or "1" */
    struct authres_result *results;
    size_t result_count; /* 0: "none" */
};

/* False when it is not one (D11: such a field is ignored); comments are skipped. */
bool authres_parse(struct arena *a, slice value, struct authres *out);

#endif
