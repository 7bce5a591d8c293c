/*
 * The configuration of a node: DIR/yizhan.conf, INI, read through inih.  Only what belongs to the
 * node is here; domains, accounts, aliases and routes live in the store.  Every key is one row of
 * config_rows: default, unit and documentation; "yizhan help config" prints the rows.
 */
#ifndef CONFIG_H
#define CONFIG_H

#include "base/arena.h"
#include "base/buf.h"

enum { CONFIG_DURATIONS = 32 };

struct config_list {
    const char **items;
    size_t count;
};

struct config {
    struct arena arena;
    slice text;     /* the whole file: to see whether it has changed */
    bool given[64]; /* by row: it stands in the file */

    /* [node] */
    const char *hostname;
    const char *user; /* "": the owner of the directory */
    struct config_list listen;
    int64_t port_base;
    struct config_list roles;
    int64_t memory;
    int64_t message_size;
    int64_t connections;
    int64_t connections_per_ip;
    bool password_without_tls;
    /* [tls]: paths, relative ones are under DIR */
    const char *certificate;
    const char *key;
    /* [dns] */
    const char *dns_server; /* "": /etc/resolv.conf */
    int64_t dns_port;
    int reverse; /* enum config_reverse */
    /* [submission] */
    int64_t undo_ms;
    int64_t hold_max_ms;
    /* [queue] */
    struct {
        int64_t ms[CONFIG_DURATIONS];
        size_t count;
    } retry;
    int64_t lifetime_ms;
    int64_t delay_warning_ms;
    int64_t deliveries;
    int64_t per_destination;
    int64_t per_connection;
    int64_t mx_port;
    int private_hosts; /* enum config_private */
    /* [http] */
    int metrics; /* enum config_metrics */
    /* [log] */
    int level; /* enum log_level */
    bool narrate;
    int64_t trace_keep_ms;
    /* [demo] */
    const char *catch_all; /* "" or an address of ours */
};

enum config_private { PRIVATE_AUTO, PRIVATE_NO, PRIVATE_YES };
enum config_reverse { REVERSE_AUTO, REVERSE_NO, REVERSE_YES };
enum config_metrics { METRICS_LOOPBACK, METRICS_ALL, METRICS_OFF };

enum config_kind {
    CONFIG_TEXT,
    CONFIG_LIST,   /* words separated by spaces or commas */
    CONFIG_NUMBER, /* decimal, at most max */
    CONFIG_SIZE,
    CONFIG_DURATION,
    CONFIG_RETRY, /* a list of durations */
    CONFIG_BOOL,
    CONFIG_CHOICE, /* one of the words in choices; the value is its index */
};

struct config_row {
    const char *section, *key;
    enum config_kind kind;
    size_t offset;     /* in struct config */
    const char *value; /* the default; NULL: must be set */
    const char *choices;
    int64_t max;
    const char *unit; /* as docs show it */
    const char *en, *zh;
};
extern const struct config_row config_rows[]; /* ends with a row without section */

/*
 * Reads the file, or text; name is what errors call it.  False with one line in error that names
 * file and line: what is wrong and what to do.  config_end() in both cases.
 */
bool config_load(struct config *c, const char *path, const char *name, struct buf *error);
bool config_parse(struct config *c, slice text, const char *name, struct buf *error);
void config_end(struct config *c);

/* A path of the configuration: DIR/path, or path itself when it begins with "/". */
const char *config_path(struct arena *a, const char *dir, const char *path);
bool config_list_has(const struct config_list *list, const char *word);
/* The port of a service on this node: port base + standard port. */
uint16_t config_port(const struct config *c, uint16_t standard);

/* The documentation of all keys, in the language of say(). */
void config_print_docs(struct buf *out);

#endif
