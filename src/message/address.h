/*
 * Addresses in header fields (RFC 5322 3.4 and 4.4, RFC 6532, RFC 6854; rule M10): lists, groups,
 * nested comments, quoted local parts, routes, missing commas, raw UTF-8 and anything else that
 * stands where an address should.  Linear; never fails: what cannot be understood is left out.
 */
#ifndef MESSAGE_ADDRESS_H
#define MESSAGE_ADDRESS_H

#include "base/arena.h"

enum address_kind { ADDRESS_MAILBOX, ADDRESS_GROUP_START, ADDRESS_GROUP_END };

/*
 * Slices lie inside the field where it holds them in one piece, else in the arena (quotes and
 * folding removed).  Encoded words are still encoded: RFC 9051 wants them so in ENVELOPE.
 */
struct address {
    enum address_kind kind;
    slice name;  /* display name, or the group's name; "" when none.  Of "(Name) a@b" the comment */
    slice route; /* "@a,@b" of an obsolete route; usually "" */
    slice local; /* without quotes and backslashes */
    slice domain; /* "north.test", "[192.0.2.1]"; "" when there is no "@" */
};

struct address_list {
    struct address *list;
    size_t count;
    bool damaged; /* something was guessed or left out */
};

/* All addresses of a field's value, in order, groups as start and end markers around members. At
 * most LIMIT_ADDRESSES. */
void address_parse(struct arena *a, slice value, struct address_list *out);
/* The first mailbox (not a group marker) of a value; false when there is none. */
bool address_first(struct arena *a, slice value, struct address *out);

/* The display name in decoded UTF-8; "" when there is none. */
slice address_name(struct arena *a, const struct address *x);
/* "local@domain", the local part quoted when it must be; "local" when there is no domain. */
slice address_email(struct arena *a, const struct address *x);

/*
 * A mailbox as SMTP and configuration want it: exactly local@domain, dot-atom or quoted local part,
 * domain or address literal, no comments, nothing around it (RFC 5321 4.1.2, RFC 6531), local at
 * most 64 bytes, domain 255.  The slices lie inside text; local keeps its quotes.
 */
bool address_is_mailbox(slice text, slice *local, slice *domain);
/* A domain name of letters, digits, hyphens and UTF-8: labels 1-63 bytes, no hyphen at their ends.
 */
bool address_is_domain(slice text);

#endif
