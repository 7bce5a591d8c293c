/*
 * A dial.h of scripts, for the tests of the client: no socket, no clock, no cuts.
 *   C: text   the client sends text CRLF; the C lines before an S line are exactly what the client
 *             has sent when it begins to wait, so a script shows the groups of PIPELINING
 *   S: text   the server says text CRLF
 *   TLS       the client starts TLS here, and it works;  TLS!  it fails
 *   WAIT n    the client waits for the next line at most n ms
 *   LOST      the connection breaks instead of a line
 *   EOF       the server closes; nothing was asked
 *   DIAL      the client hung up and dials again
 */
#ifndef SMTP_FAKE_DIAL_H
#define SMTP_FAKE_DIAL_H

#include "base/slice.h"

/* Plays text from the next dial_open on. */
void fake_dial_script(slice text);
/* NULL when everything happened as the script says, else what did not.  Frees. */
const char *fake_dial_end(void);
/* What dial_remote says. */
extern const char *fake_dial_remote;

#endif
