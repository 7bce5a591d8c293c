/*
 * The parser and the printer of the table of subcommands.  Values are kept by the index of their
 * option row, so an option that is not in the table cannot be asked for.
 */
#include "base/command.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "base/units.h"
#include "base/banned.h"

enum { HELP_MAX = 64 * 1024, NAME_MAX_TYPED = 40 };

const char *say(const char *en, const char *zh)
{
    static const char *const names[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    for (size_t i = 0; i < 3; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return strncmp(value, "zh", 2) == 0 ? zh : en;
    }
    return en;
}

/* Levenshtein's distance, for short words; SIZE_MAX for long ones. */
static size_t edit_distance(slice a, slice b)
{
    size_t row[NAME_MAX_TYPED + 1];
    if (a.n > NAME_MAX_TYPED || b.n > NAME_MAX_TYPED)
        return SIZE_MAX;
    for (size_t j = 0; j <= b.n; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.n; j++) {
            size_t best = diagonal + (ascii_lower(a.p[i - 1]) != ascii_lower(b.p[j - 1]));
            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[b.n];
}

const char *nearest_name(slice typed, const char *(*name)(const void *ctx, size_t i),
                         const void *ctx)
{
    const char *best = NULL;
    size_t best_distance = typed.n > 3 ? 3 : 2;
    for (size_t i = 0; name(ctx, i); i++) {
        size_t distance = edit_distance(typed, slice_c(name(ctx, i)));
        if (distance < best_distance) {
            best_distance = distance;
            best = name(ctx, i);
        }
    }
    return best;
}

static const char *command_name(const void *ctx, size_t i)
{
    return ((const struct command *)ctx)[i].name;
}

static const char *option_name(const void *ctx, size_t i)
{
    return ((const struct option_row *)ctx)[i].name;
}

static const struct command *find(const struct command *commands, slice name)
{
    for (; commands && commands->name; commands++)
        if (slice_eq(name, slice_c(commands->name)))
            return commands;
    return NULL;
}

const struct command *command_find(const struct command *commands, slice name)
{
    slice word;
    const struct command *c = NULL;
    while (slice_next(&name, ' ', &word)) {
        c = find(commands, word);
        commands = c ? c->verbs : NULL;
    }
    return c;
}

static void print_error(const struct call *c, const char *format, va_list args, const char *hint)
{
    struct buf b = {.max = HELP_MAX}, safe = {.max = 2 * HELP_MAX};
    buf_vprintf(&b, format, args);
    text_add_safe(&safe, buf_slice(&b));
    fprintf(stderr, "yizhan%s%s: %.*s%s\n", *c->name ? " " : "", c->name, P(buf_slice(&safe)),
            hint);
    buf_end(&b);
    buf_end(&safe);
}

int call_fail(const struct call *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    print_error(c, format, args, "");
    va_end(args);
    return EXIT_FAILED;
}

int call_usage(const struct call *c, const char *format, ...)
{
    char hint[128];
    snprintf(hint, sizeof(hint), "; see \"yizhan help%s%s\"", *c->name ? " " : "", c->name);
    va_list args;
    va_start(args, format);
    print_error(c, format, args, hint);
    va_end(args);
    return EXIT_USAGE;
}

static size_t option_index(const struct call *c, const char *name)
{
    const struct option_row *rows = c->command->options;
    size_t i = 0;
    while (rows && rows[i].name && strcmp(rows[i].name, name) != 0)
        i++;
    assert(rows && rows[i].name);
    return i;
}

bool call_flag(const struct call *c, const char *name)
{
    return c->values[option_index(c, name)].count > 0;
}

const char *call_text(const struct call *c, const char *name)
{
    size_t i = option_index(c, name);
    return c->values[i].count ? c->values[i].items[0] : NULL;
}

size_t call_list(const struct call *c, const char *name, const char *const **items)
{
    size_t i = option_index(c, name);
    *items = c->values[i].items;
    return c->values[i].count;
}

int64_t call_number(const struct call *c, const char *name, int64_t otherwise)
{
    size_t i = option_index(c, name);
    return c->values[i].count ? c->values[i].number : otherwise;
}

/* Checks a value by its kind; EXIT_DONE or EXIT_USAGE. */
static int read_value(struct call *c, const struct option_row *row, const char *value, size_t at)
{
    int64_t *number = &c->values[at].number;
    uint64_t n = 0;
    switch (row->kind) {
    case OPTION_NUMBER:
        if (!slice_u64(slice_c(value), row->max, &n))
            return call_usage(c, "--%s takes a number from 0 to %llu, not \"%s\"", row->name,
                              (unsigned long long)row->max, value);
        *number = (int64_t)n;
        return EXIT_DONE;
    case OPTION_DURATION:
        if (!units_duration(slice_c(value), number))
            return call_usage(c, "--%s takes a duration like 30s, 5m, 4h or 5d, not \"%s\"",
                              row->name, value);
        return EXIT_DONE;
    case OPTION_SIZE:
        if (!units_size(slice_c(value), &n))
            return call_usage(c, "--%s takes a size like 500K or 50M, not \"%s\"", row->name,
                              value);
        *number = (int64_t)n;
        return EXIT_DONE;
    case OPTION_FLAG:
    case OPTION_TEXT:
    case OPTION_LIST:
        break;
    }
    return EXIT_DONE;
}

static int unknown_option(const struct call *c, slice name)
{
    const struct option_row *rows = c->command->options;
    const char *near = rows ? nearest_name(name, option_name, rows) : NULL;
    if (near)
        return call_usage(c, "unknown option --%.*s; did you mean --%s?", P(name), near);
    return call_usage(c, "unknown option --%.*s", P(name));
}

/* Reads the option words[*at]; *at moves to the last word used. */
static int read_option(struct call *c, const char *const *words, int count, int *at)
{
    slice word = slice_c(words[*at] + 2);
    ptrdiff_t equals = slice_find(word, '=');
    slice name = equals < 0 ? word : slice_sub(word, 0, (size_t)equals);
    const char *value = equals < 0 ? NULL : words[*at] + 2 + equals + 1;
    const struct option_row *rows = c->command->options;
    size_t i = 0;
    while (rows && rows[i].name && !slice_eq(name, slice_c(rows[i].name)))
        i++;
    if (!rows || !rows[i].name)
        return unknown_option(c, name);
    if (rows[i].kind == OPTION_FLAG) {
        if (value)
            return call_usage(c, "--%s takes no value", rows[i].name);
        value = "";
    } else if (!value) {
        if (*at + 1 >= count)
            return call_usage(c, "--%s needs a value: --%s %s", rows[i].name, rows[i].name,
                              rows[i].value);
        value = words[++*at];
    }
    size_t n = c->values[i].count;
    if (n && rows[i].kind != OPTION_LIST && rows[i].kind != OPTION_FLAG)
        return call_usage(c, "--%s was given twice", rows[i].name);
    const char **items = arena_array(c->arena, n + 1, sizeof(*items));
    if (n)
        memcpy(items, c->values[i].items, n * sizeof(*items));
    items[n] = value;
    c->values[i].items = items;
    c->values[i].count = n + 1;
    return read_value(c, &rows[i], value, i);
}

static int read_words(struct call *c, const char *const *words, int count, bool *help)
{
    const char **operands = arena_array(c->arena, (size_t)count + 1, sizeof(*operands));
    bool options = true;
    c->operands = operands;
    for (int i = 0; i < count; i++) {
        slice word = slice_c(words[i]);
        if (options && slice_eq(word, S("--"))) {
            options = false;
        } else if (options && (slice_eq(word, S("--help")) || slice_eq(word, S("-h")))) {
            *help = true;
            return EXIT_DONE;
        } else if (options && slice_starts(word, S("--"))) {
            int code = read_option(c, words, count, &i);
            if (code != EXIT_DONE)
                return code;
        } else if (options && word.n > 1 && word.p[0] == '-') {
            return call_usage(c, "options are written with two dashes, not \"%s\"", words[i]);
        } else {
            operands[c->operand_count++] = words[i];
        }
    }
    return EXIT_DONE;
}

static int check_operands(const struct call *c)
{
    const struct command *command = c->command;
    if ((int)c->operand_count < command->min)
        return call_usage(c, "too few words: yizhan %s %s", c->name, command->operands);
    if (command->max >= 0 && (int)c->operand_count > command->max)
        return call_usage(c, "\"%s\" is one word too many", c->operands[command->max]);
    return EXIT_DONE;
}

static int print_out(struct buf *b)
{
    fwrite(buf_slice(b).p ? buf_slice(b).p : "", 1, buf_length(b), stdout);
    buf_end(b);
    return EXIT_DONE;
}

static int unknown_command(const struct call *c, const struct command *rows, const char *word)
{
    const char *near = nearest_name(slice_c(word), command_name, rows);
    if (near)
        return call_usage(c, "no such command \"%s\"; did you mean \"%s\"?", word, near);
    return call_usage(c, "no such command \"%s\"", word);
}

/* "add, list, show or remove" */
static slice list_names(struct arena *a, const struct command *rows)
{
    slice text = S("");
    for (const struct command *r = rows; r->name; r++)
        text = arena_printf(a, "%.*s%s%s", P(text),
                            r == rows   ? ""
                            : r[1].name ? ", "
                                        : " or ",
                            r->name);
    return text;
}

int command_run(const struct command *commands, struct arena *a, int count,
                const char *const *words)
{
    struct call c = {.arena = a, .commands = commands, .name = ""};
    const struct command *rows = commands;
    while (rows && count > 0 && words[0][0] != '-') {
        const struct command *row = find(rows, slice_c(words[0]));
        if (!row)
            return unknown_command(&c, rows, words[0]);
        c.command = row;
        c.name = *c.name ? arena_printf(a, "%s %s", c.name, row->name).p : row->name;
        rows = row->verbs;
        words++;
        count--;
    }
    bool help = count > 0 && (strcmp(words[0], "--help") == 0 || strcmp(words[0], "-h") == 0);
    if (!c.command && !help)
        return call_usage(&c, "say what to do");
    if (!help && rows)
        return call_usage(&c, "say what to do: %.*s", P(list_names(a, rows)));
    int code = help ? EXIT_DONE : read_words(&c, words, count, &help);
    if (help) {
        struct buf b = {.max = HELP_MAX};
        if (c.command)
            command_print_help(commands, slice_c(c.name), &b);
        else
            command_print_list(commands, &b);
        return print_out(&b);
    }
    if (code == EXIT_DONE)
        code = check_operands(&c);
    return code == EXIT_DONE ? c.command->run(&c) : code;
}

void command_print_list(const struct command *commands, struct buf *out)
{
    buf_printf(out, say("Yizhan, a complete mail system.\n\nUsage: yizhan COMMAND [OPTIONS]\n\n",
                        "驿站：完整的电子邮件系统。\n\n用法：yizhan 命令 [选项]\n\n"));
    for (const struct command *c = commands; c->name; c++) {
        buf_add(out, S("  "));
        text_add_column(out, slice_c(c->name), 10);
        buf_printf(out, "  %s\n", say(c->en, c->zh));
    }
    buf_printf(out, "\n%s\n",
               say("\"yizhan help COMMAND\" says more; \"yizhan help config\" lists every key of "
                   "the configuration.",
                   "“yizhan help 命令”查看详细说明；“yizhan help config”列出全部配置项。"));
}

static void print_options(const struct option_row *rows, struct buf *out)
{
    size_t widest = 0;
    for (const struct option_row *r = rows; r->name; r++) {
        size_t width = strlen(r->name) + (r->value ? strlen(r->value) + 1 : 0);
        if (width > widest)
            widest = width;
    }
    buf_printf(out, "\n%s\n", say("Options:", "选项："));
    for (const struct option_row *r = rows; r->name; r++) {
        struct buf left = {.max = HELP_MAX};
        buf_printf(&left, "%s%s%s", r->name, r->value ? " " : "", r->value ? r->value : "");
        buf_add(out, S("  --"));
        text_add_column(out, buf_slice(&left), widest);
        buf_printf(out, "  %s\n", say(r->en, r->zh));
        buf_end(&left);
    }
}

static void print_usage(const struct command *c, slice name, struct buf *out)
{
    buf_printf(out, "%s%.*s%s%s%s\n", say("Usage: yizhan ", "用法：yizhan "), P(name),
               c->operands ? " " : "", c->operands ? c->operands : "",
               c->options ? say(" [OPTIONS]", " [选项]") : "");
}

static void print_verbs(const struct command *c, slice name, struct buf *out)
{
    size_t widest = 0;
    for (const struct command *v = c->verbs; v->name; v++) {
        size_t width = strlen(v->name) + (v->operands ? strlen(v->operands) + 1 : 0);
        if (width > widest)
            widest = width;
    }
    for (const struct command *v = c->verbs; v->name; v++) {
        struct buf line = {.max = HELP_MAX};
        buf_printf(&line, "%s%s%s", v->name, v->operands ? " " : "",
                   v->operands ? v->operands : "");
        buf_printf(out, "  yizhan %.*s ", P(name));
        text_add_column(out, buf_slice(&line), widest);
        buf_printf(out, "  %s\n", say(v->en, v->zh));
        buf_end(&line);
    }
}

bool command_print_help(const struct command *commands, slice name, struct buf *out)
{
    const struct command *c = command_find(commands, name);
    if (!c)
        return false;
    if (c->verbs) {
        buf_printf(out, "%s\n\n", say(c->en, c->zh));
        print_verbs(c, name, out);
    } else {
        print_usage(c, name, out);
        buf_printf(out, "\n%s\n", say(c->en, c->zh));
    }
    if (c->more_en)
        buf_printf(out, "\n%s\n", say(c->more_en, c->more_zh));
    if (c->options)
        print_options(c->options, out);
    return true;
}
