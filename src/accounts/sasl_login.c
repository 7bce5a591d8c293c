/*
 * LOGIN, which no RFC describes (draft-murchison-sasl-login) and old clients need: two challenges.
 * Many send the name as an initial response, although the server speaks first; it is taken.
 */
#include "accounts/sasl_exchange.h"

#include "base/banned.h"

enum { ASK_NAME, TAKE_NAME, TAKE_PASSWORD };

enum sasl_result sasl_login(struct sasl *x, bool has_response, slice response, struct arena *a,
                            slice *reply)
{
    (void)a;
    if (x->step == ASK_NAME && !has_response) {
        x->step = TAKE_NAME;
        *reply = S("Username:");
        return SASL_CHALLENGE;
    }
    if (x->step != TAKE_PASSWORD) {
        x->step = TAKE_PASSWORD;
        x->name = arena_dup(&x->arena, response);
        *reply = S("Password:");
        return SASL_CHALLENGE;
    }
    return sasl_password(x, x->name, response);
}
