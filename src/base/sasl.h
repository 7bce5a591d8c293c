/* How one step of a login exchange ends (RFC 4422); SMTP, POP3 and IMAP turn it into their replies.
 */
#ifndef BASE_SASL_H
#define BASE_SASL_H

enum sasl_result {
    SASL_CHALLENGE, /* the reply is the server's challenge (raw, not base64) */
    SASL_OK,       /* done; a reply that is not empty (SCRAM) is sent as one more challenge first */
    SASL_HASH,     /* the step costs a password hash: run the hash as a POOL_HASH job */
    SASL_FAIL,     /* wrong name or password, which one is not said: 535 5.7.8 */
    SASL_TEMPFAIL, /* 454 4.7.0 */
    SASL_SYNTAX,   /* 501 5.5.2 */
};

#endif
