/*
 * HTML cut into tags and text, as the HTML standard's tokenizer does where it matters for reading:
 * comments, declarations, quoted attributes, raw text in script and style, character references.
 * For text.c and its tests.  One pass, linear, never fails.
 */
#ifndef MESSAGE_HTML_TOKEN_H
#define MESSAGE_HTML_TOKEN_H

#include "message/out.h"

enum html_kind { HTML_TEXT, HTML_START, HTML_END };

enum { HTML_NAME_MAX = 16 };

struct html_token {
    enum html_kind kind;
    slice text;               /* HTML_TEXT: as it stands, references not yet decoded */
    bool references;          /* HTML_TEXT: and they are references here, not text */
    char name[HTML_NAME_MAX]; /* tag in lower case; NUL-terminated, cut when longer */
    slice attributes;         /* HTML_START: everything behind the name */
};

struct html_tokens {
    slice rest;
    slice raw;        /* name of the open raw text element (script, style …), or "" */
    bool no_quote[2]; /* no more " or ' in rest: an open attribute value never ends */
};

/* The next token, skipping comments and declarations; false at the end. */
bool html_next(struct html_tokens *t, struct html_token *out);
/* The next attribute, advancing *attributes past it: its name as it stands (case does not matter)
 * and its value, references not decoded; false at the end. */
bool html_attribute_next(slice *attributes, slice *name, slice *value);
/* The first attribute of that name; false when it is not there. */
bool html_attribute(slice attributes, slice name, slice *value);

/*
 * Takes the character reference at the start of *s ("&…"): *text is what it stands for, or, when
 * that is empty, *c its number.  False when it is none, and "&" itself.  In an attribute a name
 * without ";" before "=" or a letter is none: "?a=1&copy=2" is an address.
 */
bool html_reference(slice *s, bool attribute, slice *text, uint32_t *c);
/* Text, or an attribute's value, with all references decoded. */
slice html_decode(struct arena *a, slice text, bool attribute);

/* The rows of html_entities.c. */
extern const char *const html_entities[];
extern const size_t html_entity_rows;

#endif
