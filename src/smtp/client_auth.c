/* The client's login (RFC 4954): SCRAM-SHA-256, else PLAIN, else LOGIN; a password in the clear
 * only where nobody listens: under TLS, or to this machine itself. */
#include "smtp/client_private.h"

#include "base/log.h"
#include "message/base64.h"
#include "smtp/scram_client.h"
#include "base/banned.h"

struct login {
    struct smtp_client *c;
    slice user, password;
    struct arena *a;
    struct smtp_reply *r;
};

/* Says one line (base64 of raw behind prefix), hears the answer; true when its code is want. */
static bool turn(struct login *l, const char *prefix, slice raw, int want)
{
    client_say(l->c, "%s%.*s", prefix, P(base64_text(l->a, raw)));
    return client_hear(l->c, l->a, WAIT_COMMAND_MS, l->r) && l->r->code == want;
}

static bool decode_challenge(struct login *l, slice *raw)
{
    return base64_decode_strict(l->a, slice_trim(l->r->text), raw);
}

/* The server's fault: nothing it said counts as an answer. */
static bool disown(struct login *l, const char *why)
{
    client_lose(l->c, why);
    *l->r = (struct smtp_reply){.text = arena_dup(l->a, slice_c(why))};
    return false;
}

static bool login_scram(struct login *l)
{
    struct scram_client x = {0};
    slice challenge, answer;
    if (!turn(l, "AUTH SCRAM-SHA-256 ", scram_client_first(&x, l->a, l->user, l->password), 334))
        return false;
    if (!decode_challenge(l, &challenge) || !scram_client_final(&x, l->a, challenge, &answer))
        return disown(l, "the server's SCRAM-SHA-256 challenge makes no sense");
    if (!turn(l, "", answer, 334))
        return l->r->code == 235 ? disown(l, "the server did not prove that it knows the password")
                                 : false;
    if (!decode_challenge(l, &challenge) || !scram_client_verify(&x, l->a, challenge))
        return disown(l, "the server does not know the password: it may be an impostor");
    return turn(l, "", S(""), 235);
}

static bool login_plain(struct login *l)
{
    char *p = arena_alloc(l->a, l->user.n + l->password.n + 2);
    memcpy(p + 1, l->user.p, l->user.n);
    memcpy(p + 2 + l->user.n, l->password.p, l->password.n);
    return turn(l, "AUTH PLAIN ", (slice){p, l->user.n + l->password.n + 2}, 235);
}

static bool login_login(struct login *l)
{
    client_say(l->c, "AUTH LOGIN");
    return client_hear(l->c, l->a, WAIT_COMMAND_MS, l->r) && l->r->code == 334 &&
           turn(l, "", l->user, 334) && turn(l, "", l->password, 235);
}

static const struct {
    const char *name;
    bool clear; /* sends the password itself */
    bool (*run)(struct login *l);
} mechanisms[] = {
    {"SCRAM-SHA-256", false, login_scram},
    {"PLAIN", true, login_plain},
    {"LOGIN", true, login_login},
};
enum { MECHANISMS = sizeof(mechanisms) / sizeof(mechanisms[0]) };

/* Is the word in the AUTH line of EHLO ("AUTH=PLAIN LOGIN" of old servers too)? */
static bool is_offered(const struct smtp_client *c, slice name)
{
    slice rest = c->keywords, line, word;
    while (slice_next(&rest, '\n', &line)) {
        if (!slice_eat_icase(&line, S("AUTH ")) && !slice_eat_icase(&line, S("AUTH=")))
            continue;
        while (slice_next(&line, ' ', &word))
            if (slice_eq_icase(word, name))
                return true;
    }
    return false;
}

static bool is_safe(const struct smtp_client *c)
{
    slice remote = slice_c(dial_remote(c->dial));
    return dial_is_tls(c->dial) || slice_starts(remote, S("127.")) ||
           slice_starts(remote, S("[::1]")) || slice_starts(remote, S("::1:"));
}

bool client_login(struct smtp_client *c, slice user, slice password, struct arena *a,
                  struct smtp_reply *r)
{
    struct login l = {c, user, password, a, r};
    for (size_t i = 0; i < MECHANISMS; i++) {
        if (!is_offered(c, slice_c(mechanisms[i].name)) || (mechanisms[i].clear && !is_safe(c)))
            continue;
        bool in = mechanisms[i].run(&l);
        log_step(c->who, "authentication", "%.*s by %s: %d %.*s", P(user), mechanisms[i].name,
                 r->code, P(r->text));
        return in;
    }
    *r = (struct smtp_reply){
        .code = 538,
        .enhanced = S("5.7.11"),
        .text = S("the server offers no login that is safe on this connection"),
    };
    return false;
}
