/*
 * A subcommand of the program is a row: name, options, help in English and Chinese, function.  One
 * parser reads the command line by the row, one printer makes the help from it.
 *
 * Exit codes (the contract of the command line): 0 done, 1 failed, 2 wrong usage; each failure is
 * one line on standard error.
 */
#ifndef BASE_COMMAND_H
#define BASE_COMMAND_H

#include "base/arena.h"
#include "base/buf.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

enum option_kind {
    OPTION_FLAG,
    OPTION_TEXT,
    OPTION_LIST,     /* may be given many times */
    OPTION_NUMBER,   /* decimal, at most max */
    OPTION_DURATION, /* 30s 5m 4h 5d */
    OPTION_SIZE,     /* 50M */
};

struct option_row {
    const char *name;  /* "dir" for --dir; NULL ends a table */
    const char *value; /* what help calls the value: "DIR"; NULL with OPTION_FLAG */
    enum option_kind kind;
    uint64_t max; /* OPTION_NUMBER */
    const char *en, *zh;
};

struct call;

struct command {
    const char *name;     /* NULL ends a table */
    const char *operands; /* as help shows them: "ADDRESS TARGET..." */
    int min, max;         /* how many operands; max -1: any number */
    int (*run)(struct call *call);
    const struct option_row *options; /* NULL: none */
    const struct command *verbs;      /* "user add": the rows of the second word, or NULL */
    const char *en, *zh;              /* one line */
    const char *more_en, *more_zh;    /* more lines of help, or NULL */
};

enum { OPTION_ROWS = 32 };

/* A command line that was read. */
struct call {
    struct arena *arena;
    const struct command *commands; /* the whole table */
    const struct command *command;  /* the row that runs */
    const char *name;               /* "user add" */
    const char *const *operands;
    size_t operand_count;
    struct {
        const char **items; /* one but for OPTION_LIST */
        size_t count;
        int64_t number;
    } values[OPTION_ROWS]; /* in order of the command's options */
};

/*
 * Finds the row for the words (the program's name excluded), reads options ("--dir DIR",
 * "--dir=DIR", "--" ends them) and operands, runs it and returns its exit code.  "help", "--help",
 * "-h" after a command print its help; a mistake is one line on standard error and EXIT_USAGE.
 */
int command_run(const struct command *commands, struct arena *a, int count,
                const char *const *words);

/* What an option was given; the name must be in the command's table. */
bool call_flag(const struct call *c, const char *name);
const char *call_text(const struct call *c, const char *name); /* NULL: not given */
size_t call_list(const struct call *c, const char *name, const char *const **items);
int64_t call_number(const struct call *c, const char *name, int64_t otherwise);

/* One line on standard error: "yizhan user add: …".  Return EXIT_FAILED and EXIT_USAGE. */
int call_fail(const struct call *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
int call_usage(const struct call *c, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The list of subcommands; or the help of one (NULL: no such command). */
void command_print_list(const struct command *commands, struct buf *out);
bool command_print_help(const struct command *commands, slice name, struct buf *out);
const struct command *command_find(const struct command *commands, slice name);

/* The one of the two that suits LC_ALL, LC_MESSAGES or LANG (Chinese when it begins with "zh"). */
const char *say(const char *en, const char *zh) __attribute__((format_arg(1), format_arg(2)));

/* The name nearest to what was typed (edit distance at most 2), or NULL. */
const char *nearest_name(slice typed, const char *(*name)(const void *ctx, size_t i),
                         const void *ctx);

#endif
