/*
 * Media types by file name (IANA registry), for attachments.  A saved mail (.eml) is not sent as
 * message/rfc822: that may not be base64, and attachments must arrive byte for byte.
 */
#ifndef AGENT_MEDIA_H
#define AGENT_MEDIA_H

#include "base/slice.h"

/* "application/octet-stream" when the ending is not known. */
slice media_type(slice name);

#endif
