/*
 * What SEARCH asks (RFC 9051 6.4.4, RFC 3501 6.4.4; RFC 4731 and 5182: RETURN; RFC 7162 3.1.5:
 * MODSEQ; RFC 5032: OLDER, YOUNGER), read into a tree.  Pure.  A key that is not known is an error,
 * never "all messages".
 *
 *   SEARCH RETURN (COUNT SAVE) CHARSET UTF-8 OR FROM "wang" NOT SEEN 1:100
 *          \_ results ______/  \_ charset _/ \_ root: the keys, all of which must match
 */
#ifndef IMAP_SEARCH_KEY_H
#define IMAP_SEARCH_KEY_H

#include "imap/parse.h"

enum search_kind {
    SEARCH_ALL,
    SEARCH_AND, /* all of its children */
    SEARCH_OR,  /* one of its children */
    /* What an entry says. */
    SEARCH_NUMBERS, /* set */
    SEARCH_UIDS,    /* set */
    SEARCH_SAVED,   /* "$" */
    SEARCH_FLAGS,   /* number: these bits are set */
    SEARCH_KEYWORD, /* name; number: its bit, or 0 when no message has it: search_keywords() */
    SEARCH_RECENT,
    SEARCH_LARGER,  /* number */
    SEARCH_SMALLER, /* number */
    SEARCH_MODSEQ,  /* number or more */
    /* What a message says; number: days since 1970, or seconds. */
    SEARCH_BEFORE,
    SEARCH_ON,
    SEARCH_SINCE,
    SEARCH_OLDER,
    SEARCH_YOUNGER,
    SEARCH_SENTBEFORE,
    SEARCH_SENTON,
    SEARCH_SENTSINCE,
    /* text: folded (base/casefold.h) */
    SEARCH_SUBJECT,
    SEARCH_FROM, /* from here on those an envelope names */
    SEARCH_TO,
    SEARCH_CC,
    SEARCH_BCC,
    SEARCH_HEADER, /* name: of the field */
    SEARCH_BODY,
    SEARCH_TEXT,
};

struct search_key {
    enum search_kind kind;
    bool negate; /* it must not match */
    uint64_t number;
    struct imap_set set;
    slice name, text;
    struct search_key *child, *next; /* of AND and OR; the next sibling */
    struct search_key *older;        /* the one read before */
};

/* RETURN's options. */
enum search_result {
    RESULT_MIN = 1,
    RESULT_MAX = 2,
    RESULT_ALL = 4,
    RESULT_COUNT = 8,
    RESULT_SAVE = 16,
};

struct search {
    bool extended;    /* RETURN was there: the answer is ESEARCH */
    unsigned results; /* enum search_result; RESULT_ALL when none was named */
    bool modseq;      /* a MODSEQ key is in it (it enables CONDSTORE) */
    struct search_key *root;
    struct search_key *newest; /* all keys, by older */
    size_t count, depth;       /* of keys; of parentheses now */
    size_t texts;              /* BODY and TEXT keys */
};

/* What the numbers mean, and who asks. */
struct search_context {
    uint32_t messages, last_uid; /* of the mailbox */
    bool utf8;                   /* UTF8=ACCEPT is enabled: no CHARSET (RFC 9755 section 3) */
};

enum search_reading {
    SEARCH_READ,
    SEARCH_BAD,
    SEARCH_BADCHARSET, /* NO [BADCHARSET] */
    SEARCH_TOO_MUCH,   /* NO [LIMIT]: LIMIT_SEARCH_KEYS, _TEXTS, _DEPTH, _STRING */
};

/* Reads all of args; results are known even when what follows them is wrong. */
enum search_reading search_read(struct arena *a, slice args, const struct search_context *context,
                                struct search *out);
/* Gives every keyword its bit. */
void search_keywords(struct search *s, uint64_t (*bit)(void *ctx, slice name), void *ctx);

#endif
