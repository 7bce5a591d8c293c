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
/* An attribute's value as it stands (references not decoded); false when it is not there. */
bool html_attribute(slice attributes, slice name, slice *value);

/* Decodes the character reference at the start of *s ("&…"), advancing past it; false: it is none,
 * "&" is itself. */
bool html_reference(slice *s, uint32_t *c);
/* Text with all references decoded. */
slice html_decode(struct arena *a, slice text);

struct html_entity {
    const char *name;
    uint32_t c;
    bool bare; /* also without ";" */
};
extern const struct html_entity html_entities[];
extern const size_t html_entity_count;

#endif
