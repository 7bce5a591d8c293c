/*
 * SCRAM-SHA-256 (RFC 5802, 7677), without channel binding:
 *
 *   C: n,,n=one@north.test,r=NONCE
 *   S: r=NONCE+OURS,s=SALT,i=65536
 *   C: c=biws,r=NONCE+OURS,p=PROOF
 *   S: v=SIGNATURE
 *
 * The password never travels and costs the client, not us, the iterations.  An unknown name gets
 * a faked salt and fails at the end like a wrong password.
 */
#include "accounts/sasl_exchange.h"

#include "base/rand.h"
#include "message/base64.h"
#include "base/banned.h"

enum { NONCE_BYTES = 18, FIRST = 0, ASKED = 1, FINAL = 2 };

/* Takes "x=value" up to the next comma (skipped). */
static bool eat_attribute(slice *s, char name, slice *value)
{
    if (s->n < 2 || s->p[0] != name || s->p[1] != '=')
        return false;
    *s = slice_skip(*s, 2);
    *value = S("");
    return slice_next(s, ',', value) || s->n == 0;
}

/* "=2C" and "=3D" stand for "," and "=" (5.1); false on any other "=". */
static bool decode_name(struct arena *a, slice in, slice *out)
{
    char *p = arena_alloc(a, in.n + 1);
    size_t n = 0;
    while (in.n) {
        if (slice_eat(&in, S("=2C")))
            p[n++] = ',';
        else if (slice_eat(&in, S("=3D")))
            p[n++] = '=';
        else if (in.p[0] == '=')
            return false;
        else {
            p[n++] = in.p[0];
            in = slice_skip(in, 1);
        }
    }
    *out = (slice){p, n};
    return n > 0;
}

static bool is_nonce(slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x21 || s.p[i] > 0x7e || s.p[i] == ',')
            return false;
    return s.n > 0;
}

/* gs2-header: "n" or "y" (p= needs channel binding), then an authzid, which must be the name. */
static bool eat_gs2(struct arena *a, slice *in, slice *authzid)
{
    *authzid = S("");
    if (!slice_eat(in, S("n,")) && !slice_eat(in, S("y,")))
        return false;
    if (slice_eat(in, S(",")))
        return true;
    slice raw;
    return eat_attribute(in, 'a', &raw) && decode_name(a, raw, authzid);
}

static enum sasl_result first(struct sasl *x, slice message, slice *reply)
{
    struct arena *a = &x->arena;
    slice rest = message = arena_dup(a, message);
    slice authzid, raw, name, nonce;
    if (!eat_gs2(a, &rest, &authzid))
        return SASL_SYNTAX;
    x->scram.gs2 = slice_sub(message, 0, message.n - rest.n);
    x->scram.first_bare = rest;
    if (!eat_attribute(&rest, 'n', &raw) || !decode_name(a, raw, &name) ||
        !eat_attribute(&rest, 'r', &nonce) || !is_nonce(nonce))
        return SASL_SYNTAX;
    if (authzid.n && !slice_eq_icase(authzid, name))
        name = S("-"); /* nobody may act for another */
    if (sasl_name(x, name) != SASL_CHALLENGE)
        return SASL_TEMPFAIL;
    unsigned char salt[SCRAM_SALT], ours[NONCE_BYTES];
    uint32_t iterations;
    if (!secrets_scram_parameters(x->login->secrets, x->account, x->name, salt, &iterations))
        return sasl_decide(x, TEMPFAIL);
    rand_bytes(ours, sizeof(ours));
    slice more = base64_text(a, (slice){(const char *)ours, sizeof(ours)});
    slice salt_text = base64_text(a, (slice){(const char *)salt, sizeof(salt)});
    x->scram.nonce = arena_printf(a, "%.*s%.*s", P(nonce), P(more));
    x->scram.server_first =
        arena_printf(a, "r=%.*s,s=%.*s,i=%u", P(x->scram.nonce), P(salt_text), iterations);
    x->step = FINAL;
    *reply = x->scram.server_first;
    return SASL_CHALLENGE;
}

static enum sasl_result final(struct sasl *x, slice message, struct arena *a, slice *reply)
{
    slice rest = message, binding, nonce, proof_text, gs2, proof;
    if (!eat_attribute(&rest, 'c', &binding) || !eat_attribute(&rest, 'r', &nonce))
        return SASL_SYNTAX;
    ptrdiff_t at = slice_search(message, S(",p="));
    if (at < 0)
        return SASL_SYNTAX;
    rest = slice_skip(message, (size_t)at + 1);
    if (!eat_attribute(&rest, 'p', &proof_text) || rest.n ||
        !base64_decode_strict(a, binding, &gs2) || !base64_decode_strict(a, proof_text, &proof))
        return SASL_SYNTAX;
    uint64_t credential = rand_u64(); /* each proof is new: each counts */
    if (sasl_admit(x, credential) != SASL_CHALLENGE)
        return SASL_TEMPFAIL;
    if (!slice_eq(gs2, x->scram.gs2) || !slice_eq(nonce, x->scram.nonce))
        return sasl_decide(x, PERMFAIL);
    slice auth = arena_printf(a, "%.*s,%.*s,%.*s", P(x->scram.first_bare), P(x->scram.server_first),
                              (int)at, message.p);
    unsigned char signature[SCRAM_KEY];
    enum outcome o = secrets_scram_verify(x->login->secrets, x->account, auth, proof, signature);
    if (o == DONE) {
        slice text = base64_text(a, (slice){(const char *)signature, sizeof(signature)});
        *reply = arena_printf(a, "v=%.*s", P(text));
    }
    return sasl_decide(x, o);
}

enum sasl_result sasl_scram(struct sasl *x, bool has_response, slice response, struct arena *a,
                            slice *reply)
{
    if (x->step == FINAL)
        return final(x, response, a, reply);
    if (!has_response && x->step == FIRST) {
        x->step = ASKED; /* the client speaks first: an empty challenge asks it to */
        return SASL_CHALLENGE;
    }
    return first(x, response, reply);
}
