/*
 * HTML to readable text, for previews, search and the text alternative of an HTML-only mail.  A
 * tolerant tokenizer (the states of the HTML standard that matter for text), one pass, linear,
 * never fails: entities, block elements, lists, quotes, tables, links; scripts, styles, comments
 * and what is hidden are left out.
 */
#ifndef MESSAGE_TEXT_H
#define MESSAGE_TEXT_H

#include "base/arena.h"

enum {
    HTML_LINKS = 1,  /* print the target after a link's text: "here <https://north.test/>" */
    HTML_QUOTES = 2, /* "> " before the lines of a blockquote */
};

/* The text of html (UTF-8), lines ended by LF, at most max bytes (SIZE_MAX: all; stops reading
 * early). */
slice html_to_text(struct arena *a, slice html, unsigned flags, size_t max);

/* The charset an HTML page says in <meta>, or by its mark, within the first 16 KiB (programs put
 * long comments in front); "" when it says none that is known. */
slice html_charset(slice html);

/* Plain text as HTML: escaped, paragraphs and line breaks kept, links made clickable. */
slice text_to_html(struct arena *a, slice text);

#endif
