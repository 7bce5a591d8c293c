/* The commands and capabilities of IMAP, one row each; CAPABILITY is printed from here. */
#include "imap/command.h"

#include "base/banned.h"

/* clang-format off */
#define NAME(text) .name = {text, sizeof(text) - 1}

const struct imap_command imap_table[] = {
    {.capability = "IMAP4rev1", .offered = imap_offers_always},
    /* Before and at the login: RFC 3501, 4959, 7888, 2971 */
    {NAME("CAPABILITY"), .states = IMAP_ANY, .no_args = true, .run = imap_cmd_capability},
    {NAME("NOOP"), .states = IMAP_ANY, .no_args = true, .run = imap_cmd_noop, .announces = ANNOUNCE_ALL},
    {NAME("LOGOUT"), .states = IMAP_ANY, .no_args = true, .run = imap_cmd_logout},
    {NAME("STARTTLS"), .states = IMAP_EARLY, .no_args = true, .run = imap_cmd_starttls, .capability = "STARTTLS", .offered = imap_offers_starttls},
    {NAME("LOGIN"), .states = IMAP_EARLY, .run = imap_cmd_login, .capability = "LOGINDISABLED", .offered = imap_offers_logindisabled},
    {NAME("AUTHENTICATE"), .states = IMAP_EARLY, .run = imap_cmd_authenticate, .capability = "AUTH=SCRAM-SHA-256", .offered = imap_offers_early},
    {.capability = "AUTH=PLAIN", .offered = imap_offers_plain},
    {.capability = "AUTH=LOGIN", .offered = imap_offers_plain},
    {.capability = "SASL-IR", .offered = imap_offers_early},
    {.capability = "LITERAL+", .offered = imap_offers_always},
    {NAME("ID"), .states = IMAP_ANY, .run = imap_cmd_id, .capability = "ID", .offered = imap_offers_always},
    {NAME("ENABLE"), .states = IMAP_AUTHENTICATED, .run = imap_cmd_enable, .capability = "ENABLE", .offered = imap_offers_always},
    /* The session: RFC 2342, 2177, 4978, 6855 */
    {NAME("NAMESPACE"), .states = IMAP_LOGGED_IN, .no_args = true, .run = imap_cmd_namespace, .capability = "NAMESPACE"},
    {NAME("IDLE"), .states = IMAP_LOGGED_IN, .no_args = true, .run = imap_cmd_idle, .announces = ANNOUNCE_ALL, .capability = "IDLE"},
    {NAME("COMPRESS"), .states = IMAP_LOGGED_IN, .run = imap_cmd_compress, .capability = "COMPRESS=DEFLATE", .offered = imap_offers_compress},
    {.capability = "UTF8=ACCEPT"},
    /* The selected mailbox: RFC 3501, 3691, 7162 */
    {NAME("SELECT"), .states = IMAP_LOGGED_IN, .run = imap_cmd_select, .capability = "CONDSTORE"},
    {NAME("EXAMINE"), .states = IMAP_LOGGED_IN, .run = imap_cmd_examine, .capability = "QRESYNC"},
    {NAME("CHECK"), .states = IMAP_SELECTED, .no_args = true, .run = imap_cmd_noop, .announces = ANNOUNCE_ALL},
    {NAME("CLOSE"), .states = IMAP_SELECTED, .no_args = true, .run = imap_cmd_close},
    {NAME("UNSELECT"), .states = IMAP_SELECTED, .no_args = true, .run = imap_cmd_unselect, .capability = "UNSELECT"},
    /* Mailboxes: RFC 3501, 3348, 5258, 5819, 6154, 8438, 9208 */
    {NAME("CREATE"), .states = IMAP_LOGGED_IN, .run = imap_cmd_create, .announces = ANNOUNCE_ALL, .capability = "CREATE-SPECIAL-USE"},
    {NAME("DELETE"), .states = IMAP_LOGGED_IN, .run = imap_cmd_delete, .announces = ANNOUNCE_ALL},
    {NAME("RENAME"), .states = IMAP_LOGGED_IN, .run = imap_cmd_rename, .announces = ANNOUNCE_ALL},
    {NAME("SUBSCRIBE"), .states = IMAP_LOGGED_IN, .run = imap_cmd_subscribe, .announces = ANNOUNCE_ALL},
    {NAME("UNSUBSCRIBE"), .states = IMAP_LOGGED_IN, .run = imap_cmd_unsubscribe, .announces = ANNOUNCE_ALL},
    {NAME("LIST"), .states = IMAP_LOGGED_IN, .run = imap_cmd_list, .announces = ANNOUNCE_ALL, .capability = "LIST-EXTENDED"},
    {.capability = "LIST-STATUS"},
    {.capability = "CHILDREN"},
    {.capability = "SPECIAL-USE"},
    {NAME("LSUB"), .states = IMAP_LOGGED_IN, .run = imap_cmd_lsub, .announces = ANNOUNCE_ALL},
    {NAME("STATUS"), .states = IMAP_LOGGED_IN, .run = imap_cmd_status, .announces = ANNOUNCE_ALL, .capability = "STATUS=SIZE"},
    {NAME("GETQUOTA"), .states = IMAP_LOGGED_IN, .run = imap_cmd_getquota, .announces = ANNOUNCE_ALL, .capability = "QUOTA"},
    {NAME("GETQUOTAROOT"), .states = IMAP_LOGGED_IN, .run = imap_cmd_getquotaroot, .announces = ANNOUNCE_ALL, .capability = "QUOTA=RES-STORAGE"},
    {NAME("SETQUOTA"), .states = IMAP_LOGGED_IN, .run = imap_cmd_setquota, .announces = ANNOUNCE_ALL, .capability = "QUOTA=RES-MESSAGE"},
    /* Messages: RFC 3501, 3516, 8970 */
    {NAME("FETCH"), .states = IMAP_SELECTED, .uid_form = true, .run = imap_cmd_fetch, .announces = ANNOUNCE_NO_EXPUNGE, .capability = "BINARY"},
    {NAME("STORE"), .states = IMAP_SELECTED, .uid_form = true, .run = imap_cmd_store, .announces = ANNOUNCE_NO_EXPUNGE, .capability = "PREVIEW"},
    /* RFC 3502, 7889; 3501, 6851, 4315; 4731, 5182, 5032, 9585 */
    {NAME("APPEND"), .states = IMAP_LOGGED_IN, .run = imap_cmd_append, .literal = imap_append_literal, .announces = ANNOUNCE_ALL, .capability = "APPENDLIMIT=", .capability_more = imap_append_limit},
    {.capability = "MULTIAPPEND"},
    {NAME("COPY"), .states = IMAP_SELECTED, .uid_form = true, .run = imap_cmd_copy, .announces = ANNOUNCE_ALL, .capability = "UIDPLUS"},
    {NAME("MOVE"), .states = IMAP_SELECTED, .uid_form = true, .run = imap_cmd_move, .announces = ANNOUNCE_ALL, .capability = "MOVE"},
    {NAME("EXPUNGE"), .states = IMAP_SELECTED, .uid_form = true, .run = imap_cmd_expunge, .announces = ANNOUNCE_ALL},
    {NAME("SEARCH"), .states = IMAP_SELECTED, .uid_form = true, .run = imap_cmd_search, .announces = ANNOUNCE_NO_EXPUNGE, .capability = "ESEARCH"},
    {.capability = "SEARCHRES"},
    {.capability = "WITHIN"},
    {.capability = "INPROGRESS"},
};
const size_t imap_table_rows = sizeof(imap_table) / sizeof(imap_table[0]);
