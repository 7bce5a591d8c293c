/* What the mechanisms (sasl_*.c) share with sasl.c: one exchange and how it is decided. */
#ifndef ACCOUNTS_SASL_EXCHANGE_H
#define ACCOUNTS_SASL_EXCHANGE_H

#include "accounts/sasl.h"

struct sasl_mechanism {
    slice name;
    bool plaintext; /* the password itself travels */
    enum sasl_result (*step)(struct sasl *x, bool has_response, slice response, struct arena *a,
                             slice *reply);
};

/* SCRAM's memory between its two messages; all in the exchange's arena. */
struct sasl_scram {
    slice gs2;          /* "n,," to be repeated in the c= of the final message */
    slice first_bare;   /* client-first-message-bare */
    slice server_first; /* "r=…,s=…,i=…" */
    slice nonce;        /* both halves */
};

struct sasl {
    struct arena arena; /* holds the exchange itself */
    const struct login_service *login;
    const struct sasl_mechanism *mechanism;
    const char *protocol;
    const struct peer *peer;
    int step;        /* messages taken */
    slice name;      /* as given, in lower case; in arena */
    int64_t account; /* 0: nobody has this name */
    char password[LIMIT_PASSWORD];
    size_t password_bytes;
    struct limits_try attempt;
    bool admitted; /* the limits wait for the end of this attempt */
    char reason[80];
    struct sasl_scram scram;
};

/* The step functions of the table. */
enum sasl_result sasl_plain(struct sasl *x, bool has_response, slice response, struct arena *a,
                            slice *reply);
enum sasl_result sasl_login(struct sasl *x, bool has_response, slice response, struct arena *a,
                            slice *reply);
enum sasl_result sasl_scram(struct sasl *x, bool has_response, slice response, struct arena *a,
                            slice *reply);

/* Keeps the name in lower case and finds its account: SASL_CHALLENGE (go on) or SASL_TEMPFAIL. */
enum sasl_result sasl_name(struct sasl *x, slice name);
/* Asks the limits; credential is a keyed hash.  SASL_CHALLENGE: go on; SASL_TEMPFAIL: wait. */
enum sasl_result sasl_admit(struct sasl *x, uint64_t credential);
/* Ends the exchange: tells the limits, logs, counts. */
enum sasl_result sasl_decide(struct sasl *x, enum outcome o);

#endif
