/*
 * Every cap in the program by name.  A buffer, a list or a wait without a name here is a bug.
 * Bytes unless the name says otherwise.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

/* SMTP (RFC 5321 4.5.3.1; AUTH lines RFC 4954 section 4). */
#define LIMIT_SMTP_LINE          2048
#define LIMIT_SMTP_AUTH_LINE     12288
#define LIMIT_SMTP_TEXT_LINE     (1 << 20) /* longest line taken in a message body */
#define LIMIT_SMTP_REPLY         512
#define LIMIT_LOCAL_PART         64
#define LIMIT_DOMAIN             255
#define LIMIT_PATH               256
#define LIMIT_RECIPIENTS         1000
#define LIMIT_COMMANDS           10000     /* per session without an accepted message, then 421 */
#define LIMIT_COMMAND_ERRORS     20        /* per session, then 421 */
#define LIMIT_AUTH_FAILURES      5         /* per session, then 421 */
#define LIMIT_RECEIVED_FIELDS    100       /* RFC 5321 6.3 */
#define LIMIT_REFUSED_RECIPIENTS 100       /* per session without an accepted message, then 421 */
#define LIMIT_SMTP_SWALLOW       (1 << 30) /* of a message that is refused anyway, then close */
#define LIMIT_SCRAM_ITERATIONS   10000000  /* a server may ask of our client */
#define LIMIT_SMTP_WINDOW        100 /* commands of the client on their way without a reply heard */
#define LIMIT_SMTP_COMMAND_MS    (5 * 60 * 1000) /* RFC 5321 4.5.3.2.7 */
#define LIMIT_SMTP_DATA_MS       (3 * 60 * 1000) /* between blocks: RFC 5321 4.5.3.2.5 */

/* Connections of the SMTP client kept for the next mail (smtp/pool.h). */
#define LIMIT_KEPT_CLIENTS         64
#define LIMIT_KEPT_PER_DESTINATION 20
#define LIMIT_KEPT_MS              10000

/* POP3 (RFC 2449 section 4: 255 a command; AUTH lines as in SMTP). */
#define LIMIT_POP3_LINE     255
#define LIMIT_POP3_MESSAGES (4 << 20) /* of a maildrop, as the agent reads its list */

/* Logins (accounts/). */
#define LIMIT_LOGIN_NAME        (LIMIT_LOCAL_PART + 1 + LIMIT_DOMAIN)
#define LIMIT_PASSWORD          1024
#define LIMIT_SASL_MESSAGE      4096  /* decoded; a longer one is a syntax error */
#define LIMIT_LOGINS_REMEMBERED 4096  /* checked passwords kept as HMACs */
#define LIMIT_LOGIN_PENALTIES   16384 /* (account, IP) pairs and IPs watched for guessing */
#define LIMIT_APP_PASSWORDS     100   /* an account */

/* IMAP (RFC 9051; RFC 7888 for literals). */
#define LIMIT_IMAP_TAG           64
#define LIMIT_IMAP_COMMAND       (256 * 1024) /* a command with its literals, after login */
#define LIMIT_IMAP_COMMAND_EARLY (16 * 1024)  /* before login */
#define LIMIT_IMAP_SILENCE_MS                                                                      \
    (31 * 60 * 1000)                          /* clients come back within 29 minutes (RFC 2177)    \
                                               */
#define LIMIT_IMAP_COMMANDS_EARLY 100         /* before login */
#define LIMIT_IMAP_SWALLOW        (128 << 20) /* of a literal or line that is refused, then close */
#define LIMIT_IMAP_IDLE_TEXT      512         /* of the command's buffer, kept between commands */
#define LIMIT_IMAP_QUOTED         1000        /* a longer string travels as a literal */
#define LIMIT_IMAP_FLAGS          64          /* keywords in one list */
#define LIMIT_IMAP_PATTERNS       100         /* of one LIST */
#define LIMIT_IMAP_MATCHES        1000        /* pairs of QRESYNC that are looked at */
#define LIMIT_IMAP_SET            50000       /* ranges in one set as written */
#define LIMIT_IMAP_FETCH          500         /* items of one FETCH */
#define LIMIT_IMAP_FIELDS         200         /* names in one HEADER.FIELDS */
#define LIMIT_IMAP_LABEL          (16 * 1024) /* of one item: a HEADER.FIELDS with all its names */
#define LIMIT_IMAP_PART           1000        /* bytes of one part number: "1.2.3" */
#define LIMIT_IMAP_INFLATED       (8 * 1024)  /* handed on at a time of what came deflated */
#define LIMIT_IMAP_DEFLATE        (128 * 1024) /* zlib's memory of a connection, both ways */
#define LIMIT_APPEND_MESSAGES     100          /* of one APPEND (RFC 3502) */
#define LIMIT_IMAP_COPYUID        (900 * 1024) /* both sets of one; some clients take lines of 1 MB */
#define LIMIT_SEARCH_KEYS         2000         /* of one SEARCH */
#define LIMIT_SEARCH_DEPTH        100          /* keys in one another */
#define LIMIT_SEARCH_TEXTS        50           /* BODY and TEXT keys of one SEARCH */
#define LIMIT_SEARCH_STRING       (64 * 1024) /* a string to find, folded */
#define LIMIT_IMAP_RESPONSE       (16 << 20) /* our client takes: a response without message texts */
#define LIMIT_IMAP_FOUND          (4 << 20)  /* our client takes: numbers of one search */

/* Sessions. */
#define LIMIT_IN (64 * 1024) /* unread input kept for a session */
#define LIMIT_OUT                                                                                  \
    (256 * 1024)              /* replies waiting for a slow reader; the session pauses above half */
#define LIMIT_THREADS     256 /* protocol threads */
#define LIMIT_CONNECTIONS 16384
#define LIMIT_PER_IP      1024 /* connections from one address, loopback excepted */

/* The queue. */
#define LIMIT_DELIVERY_THREADS 200
#define LIMIT_CLAIM            50 /* items of one claim */
#define LIMIT_ALIAS_DEPTH      10
#define LIMIT_TARGETS          10000 /* recipients of one message after aliases */

/* Connections; milliseconds where the name says so. */
#define LIMIT_TIMEOUT_MS   (300 * 1000) /* without progress, when the session does not say */
#define LIMIT_HANDSHAKE_MS (30 * 1000)  /* TLS, from its first byte to its last */
#define LIMIT_CLOSE_MS     (30 * 1000)  /* without progress while the last reply is sent */
#define LIMIT_LINGER_MS    (2 * 1000)   /* from our end of the connection to the peer's */
#define LIMIT_LINGER       (1 << 20)    /* bytes thrown away meanwhile */
#define LIMIT_QUIET        1024         /* bytes consumed without a reply that are progress */
#define LIMIT_TURN_MS      20           /* then others come first */
#define LIMIT_HASH_QUEUE   256          /* jobs that wait for a thread */
#define LIMIT_DNS_QUEUE    1024
#define LIMIT_DNS_THREADS  64
#define LIMIT_TLS_SESSIONS 1000        /* servers whose last session a client remembers */
#define LIMIT_TLS_MEMORY   (32 * 1024) /* reckoned for the TLS of one connection */

/* The DNS cache; what is kept is asked again after at most so many seconds. */
#define LIMIT_DNS_CACHE          10000 /* answers */
#define LIMIT_DNS_CACHE_BYTES    (8 << 20)
#define LIMIT_DNS_TTL_S          3600
#define LIMIT_DNS_NEGATIVE_TTL_S 300

/* The name of a client's address, for the Received field. */
#define LIMIT_RDNS_MS       2000 /* a mail waits for it at most so long */
#define LIMIT_RDNS_NAMES    4    /* of one address that are tried */
#define LIMIT_RDNS_FAILED_S 30   /* then a name that could not be looked up is asked again */

/* HTTP requests; HEAD is the request line and fields, trailer and chunk extensions too. */
#define LIMIT_HTTP_HEAD   (16 * 1024)
#define LIMIT_HTTP_FIELDS 100
#define LIMIT_HTTP_BODY   (1 << 20)
#define LIMIT_HTTP_REPLY  (16 << 20) /* the body of an answer made in memory */

/* Messages. */
#define LIMIT_MESSAGE        (50 << 20) /* default of the config key message-size */
#define LIMIT_BODY_IN_MEMORY (256 * 1024)
#define LIMIT_PARAMS         256 /* sections of one Content-Type or Content-Disposition */
#define LIMIT_FILENAME       200
#define LIMIT_OWN_SEGMENT    (1 << 20) /* from here on a body becomes a segment of its own */
#define LIMIT_HEADER         (1 << 20) /* fields that begin beyond it belong to the body */
#define LIMIT_MIME_DEPTH     128       /* multiparts and messages in one another */
#define LIMIT_MIME_PARTS     10000
#define LIMIT_ADDRESSES      20000 /* in one field */
#define LIMIT_MSGIDS         1000
#define LIMIT_THREAD_KEYS    64
#define LIMIT_SEARCH_TEXT    (4 << 20)
#define LIMIT_SUBJECT        998
#define LIMIT_PREVIEW        256         /* characters */
#define LIMIT_DISK_RESERVE   (64u << 20) /* less free disk than this: 452 4.3.1 */
#define LIMIT_PREFIX         (16 * 1024) /* trace fields in front of a body */

/* The store. */
#define LIMIT_CHUNK          3900         /* packed entries of one row */
#define LIMIT_BATCH_CALLS    1024         /* transactions in one group commit */
#define LIMIT_BATCH_BYTES    (16 << 20)   /* body bytes in one group commit */
#define LIMIT_STEP           1000         /* entries a bulk transaction touches */
#define LIMIT_SEGMENT        (64 << 20)   /* a new segment begins beyond */
#define LIMIT_BODY_LOG_BATCH (64 * 1024)  /* body bytes of a commit that go into its log, too */
#define LIMIT_BODY_LOG       (512 * 1024) /* then the segment is synced */
#define LIMIT_READ_STEP      (64 * 1024)  /* one pread of a body */
#define LIMIT_READERS        8            /* connections for reading; a reader waits for one */
#define LIMIT_LOG_GATHERED                                                                         \
    (120 * 1024) /* bytes of the log written at once; SQLite wants < 128 KiB */
#define LIMIT_MEMO           (2 << 20) /* bytes of the directory remembered */
#define LIMIT_MEMO_VALUE     4096      /* longer answers are not */
#define LIMIT_SEGMENTS_OPEN  64        /* descriptors kept for reading */
#define LIMIT_WRITER_CACHE   (8 << 20) /* SQLite pages of the writer */
#define LIMIT_READER_CACHE   (1 << 20) /* SQLite pages of one reader */
#define LIMIT_MAILBOX_CACHE  4096      /* mailboxes the writer remembers */
#define LIMIT_ACCOUNT_CACHE  16384     /* accounts the writer remembers */
#define LIMIT_VIEW_CACHE     (4 << 20) /* bytes of views nobody holds */
#define LIMIT_MAILBOX_NAME   1000      /* UTF-8 path */
#define LIMIT_MAILBOX_LEVEL  255       /* UTF-8 between two "/" */
#define LIMIT_MAILBOX_DEPTH  32        /* levels */
#define LIMIT_MAILBOXES      10000     /* of one account */
#define LIMIT_SUBSCRIPTIONS  20000     /* of one account */
#define LIMIT_KEYWORD        128       /* the name of a keyword */
#define LIMIT_CALL_BODIES    100       /* bodies of one transaction (MULTIAPPEND) */
#define LIMIT_WAL_PAGES      4096      /* 16 MiB: then the log is copied back */
#define LIMIT_WAL_PAGES_HARD 32768     /* 128 MiB: then the writer waits for that */
#define LIMIT_FETCHED        65536     /* marks kept in memory before they are written */

/* The process-wide budget of base/budget.h. */
#define LIMIT_MEMORY (512 << 20)

/* Control socket and files. */
#define LIMIT_CONTROL_CLIENTS 16
#define LIMIT_CONTROL_LINE    (8 << 20)
#define LIMIT_CONFIG_FILE     (1 << 20)

#endif
