/*
 * The loops quoted-printable spends its time in, for qp.c and its tests and benchmark only.  The
 * first three may write as many bytes to out as in has.
 */
#ifndef MESSAGE_QP_KERNEL_H
#define MESSAGE_QP_KERNEL_H

#include "base/slice.h"

struct qp_kernel {
    /* Copies up to the first "=" or LF; returns how many. */
    size_t (*copy)(slice in, char *out);
    /* Decodes a run of "=XY" with good digits; returns the bytes written, a third of those used. */
    size_t (*signs)(slice in, char *out);
    /* Copies the bytes at the start that may stand for themselves in an encoded line: TAB and
     * 32-126 but "="; returns how many. */
    size_t (*plain)(slice in, char *out);
    /* Writes each byte as "=XY", and up to a byte more. */
    void (*encode)(slice in, char *out);
};

/* The one in portable C, and the best this processor can run. */
extern const struct qp_kernel qp_portable;
const struct qp_kernel *qp_fastest(void);

#endif
