/* The commands and capabilities of POP3, one row each; CAPA is printed from here. */
#include "pop3/command.h"

#include "base/banned.h"

#define NAME(text) .name = {text, sizeof(text) - 1}

const struct pop3_command pop3_table[] = {
    /* RFC 1939 */
    {NAME("USER"), .states = POP3_AUTHORIZATION, .argument = ARGUMENT_MUST, .run = pop3_cmd_user,
     .long_line = true, .capa = "USER", .offered = pop3_offers_user},
    {NAME("PASS"), .states = POP3_AUTHORIZATION, .argument = ARGUMENT_MUST, .run = pop3_cmd_pass,
     .long_line = true},
    {NAME("STAT"), .states = POP3_TRANSACTION, .run = pop3_cmd_stat},
    {NAME("LIST"), .states = POP3_TRANSACTION, .argument = ARGUMENT_MAY, .run = pop3_cmd_list},
    {NAME("RETR"), .states = POP3_TRANSACTION, .argument = ARGUMENT_MUST, .run = pop3_cmd_retr},
    {NAME("DELE"), .states = POP3_TRANSACTION, .argument = ARGUMENT_MUST, .run = pop3_cmd_dele},
    {NAME("NOOP"), .states = POP3_TRANSACTION, .run = pop3_cmd_noop},
    {NAME("RSET"), .states = POP3_TRANSACTION, .run = pop3_cmd_rset},
    {NAME("QUIT"), .states = POP3_BOTH, .run = pop3_cmd_quit},
    {NAME("TOP"), .states = POP3_TRANSACTION, .argument = ARGUMENT_MUST, .run = pop3_cmd_top,
     .capa = "TOP"},
    {NAME("UIDL"), .states = POP3_TRANSACTION, .argument = ARGUMENT_MAY, .run = pop3_cmd_uidl,
     .capa = "UIDL"},
    /* RFC 2449 */
    {NAME("CAPA"), .states = POP3_BOTH, .run = pop3_cmd_capa},
    {.capa = "RESP-CODES"},
    {.capa = "AUTH-RESP-CODE"}, /* RFC 3206 */
    {.capa = "PIPELINING"},
    {.capa = "EXPIRE NEVER"},
    {.capa = "IMPLEMENTATION Yizhan"},
    /* RFC 2595, 5034, 6856 */
    {NAME("STLS"), .states = POP3_AUTHORIZATION, .run = pop3_cmd_stls, .capa = "STLS",
     .offered = pop3_offers_stls},
    {NAME("AUTH"), .states = POP3_AUTHORIZATION, .argument = ARGUMENT_MAY, .run = pop3_cmd_auth,
     .long_line = true, .capa = "SASL ", .capa_more = pop3_capa_sasl},
    {NAME("UTF8"), .states = POP3_AUTHORIZATION, .run = pop3_cmd_utf8, .capa = "UTF8 USER"},
    {NAME("LANG"), .states = POP3_BOTH, .argument = ARGUMENT_MAY, .run = pop3_cmd_lang,
     .capa = "LANG"},
};
const size_t pop3_table_rows = sizeof(pop3_table) / sizeof(pop3_table[0]);
