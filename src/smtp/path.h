/*
 * Addresses on the wire (RFC 5321 4.1.2, 4.1.3, 4.5.3.1; RFC 6531 3.3): paths in <>, mailboxes,
 * domains and address literals, and the one normal form everybody else uses: "local@domain", the
 * case of the local part kept, quoted only where it must be, the domain in lower case, U-labels as
 * A-labels.
 */
#ifndef SMTP_PATH_H
#define SMTP_PATH_H

#include "base/arena.h"
#include "base/limits.h"

/* What is allowed beside plain ASCII mailboxes. */
enum path_allow {
    PATH_UTF8 = 1,       /* UTF-8 local parts, U-labels */
    PATH_NULL = 2,       /* "<>", the null reverse-path: address "" */
    PATH_POSTMASTER = 4, /* "<postmaster>" without a domain, any case: address "postmaster" */
};

enum path_result {
    PATH_OK,
    PATH_SYNTAX,      /* not a path */
    PATH_EIGHT_BIT,   /* an octet >= 0x80 that is not allowed, or not UTF-8 (S7) */
    PATH_LONG_LOCAL,  /* local part over 64 octets */
    PATH_LONG_DOMAIN, /* domain over 255 octets, or the whole over 256 */
};
/* In a few words for the reply: "the local part is longer than 64 octets". */
const char *path_problem(enum path_result r);

/* Takes a path "<...>" from the front of *in.  A source route is checked and forgotten (S6). */
enum path_result smtp_path_parse(struct arena *a, slice *in, unsigned allow, slice *address);
/* The whole of in is a mailbox, without <>. */
enum path_result smtp_mailbox_parse(struct arena *a, slice in, unsigned allow, slice *address);
/* The whole of in is a domain or an address literal. */
enum path_result smtp_domain_parse(struct arena *a, slice in, unsigned allow, slice *domain);
/* The name in EHLO and HELO: as a domain or literal, and "_" and a last dot are forgiven. */
bool smtp_helo_valid(slice in);

/* The two sides of a normal address (the domain may be a literal; "" when there is none). */
slice smtp_address_local(slice address);
slice smtp_address_domain(slice address);
/* "192.0.2.1" or "2001:db8::1" of a literal domain "[...]"; "" of any other domain. */
slice smtp_literal_ip(slice domain);

#endif
