/* How an action ends: mail's own taxonomy, the only one in the project (RFC 5321 4.2.1). */
#ifndef BASE_OUTCOME_H
#define BASE_OUTCOME_H

enum outcome {
    DONE,     /* it happened, durably where the function says so */
    WAIT,     /* it was started; the function named x_done() goes on with it */
    TEMPFAIL, /* it did not happen now and may later: 4yz, NO [UNAVAILABLE], [SYS/TEMP] */
    PERMFAIL, /* it never will: 5yz, NO, [SYS/PERM] */
};

const char *outcome_name(enum outcome o);

#endif
