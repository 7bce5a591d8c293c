/* A message as one JSON object, everything decoded: what `yizhan parse --json` prints. */
#ifndef MESSAGE_VIEW_JSON_H
#define MESSAGE_VIEW_JSON_H

#include "message/out.h"
#include "message/parse.h"

/*
 * The object (without a line feed behind): size, headers, from … sender, subject, date, messageId,
 * inReplyTo, references, text, html, preview, attachments, parts, defects.  Strings are UTF-8; what
 * is missing is "" or [], a missing date null.  text holds the text/plain parts of RFC 8621's
 * textBody, html the text/html parts of its htmlBody, both with LF lines; uuencoded files in the
 * text are attachments.
 */
slice view_json(struct arena *a, slice message);

/* One JSON string; bytes that are not UTF-8 are detected. */
void view_string(struct out *o, slice s);

/*
 * The defects of a part, those of its bytes included: decodes it.  What mime_parse cannot see.
 */
uint32_t view_defects(const struct mime *m, size_t part);

#endif
