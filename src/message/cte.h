/* Content-Transfer-Encoding (RFC 2045 section 6): names, decoding by name, and the encoder's
 * choice. */
#ifndef MESSAGE_CTE_H
#define MESSAGE_CTE_H

#include "base/arena.h"

enum cte { CTE_7BIT, CTE_8BIT, CTE_BINARY, CTE_QP, CTE_BASE64, CTE_UUENCODE, CTE_UNKNOWN };

/* From the field's value (comments, case, spaces and old x- names tolerated); "" is 7bit. */
enum cte cte_parse(slice value);
/* "quoted-printable" */
const char *cte_name(enum cte e);
/* The decoded bytes: inside body for 7bit, 8bit, binary and unknown; else in the arena. */
slice cte_decode(struct arena *a, enum cte e, slice body, bool *damaged);

/*
 * The smallest encoding that survives every relay: 7bit for short-lined ASCII text with CRLF or LF
 * lines, else quoted-printable or base64, whichever is shorter (text only; other content is
 * base64).
 */
enum cte cte_choose(slice content, bool text);

#endif
