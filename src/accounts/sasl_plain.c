/* PLAIN (RFC 4616): one message, authzid NUL authcid NUL password. */
#include "accounts/sasl_exchange.h"

#include "base/banned.h"

enum sasl_result sasl_plain(struct sasl *x, bool has_response, slice response, struct arena *a,
                            slice *reply)
{
    (void)a, (void)reply;
    if (!has_response && x->step++ == 0)
        return SASL_CHALLENGE;
    ptrdiff_t first = slice_find(response, 0);
    if (first < 0)
        return SASL_SYNTAX;
    slice authzid = slice_sub(response, 0, (size_t)first);
    slice rest = slice_skip(response, (size_t)first + 1);
    ptrdiff_t second = slice_find(rest, 0);
    if (second < 0)
        return SASL_SYNTAX;
    slice name = slice_sub(rest, 0, (size_t)second);
    slice password = slice_skip(rest, (size_t)second + 1);
    if (name.n == 0 || password.n == 0 || slice_find(password, 0) >= 0)
        return SASL_SYNTAX;
    /* Nobody may act for another. */
    if (authzid.n && !slice_eq_icase(authzid, name))
        name = S("-");
    return sasl_password(x, name, password);
}
