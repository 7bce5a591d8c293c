/*
 * The tests' way to the parser without the rest of the program.
 *   message_view FILE...          each message becomes one line of JSON (none: standard input)
 *   message_view --imap FILE...   the same with its BODYSTRUCTURE beside it
 *   message_view --field KIND     values on standard input, each ended by NUL, become JSON, a line
 *                                 each: mailbox (is it one?), received, type, authres, html (the
 *                                 tokens of a page; before it the open raw element and LF),
 *                                 page-charset (what a page says of itself)
 */
#include <stdio.h>

#include "base/file.h"
#include "message/address.h"
#include "message/authres.h"
#include "message/bodystructure.h"
#include "message/charset.h"
#include "message/date.h"
#include "message/html_token.h"
#include "message/received.h"
#include "message/text.h"
#include "message/view_json.h"

#include "base/banned.h"

enum { INPUT_MAX = 1 << 30 };

static void add(struct out *o, const char *name, slice value)
{
    out_printf(o, "%s\"%s\": ", o->p[o->n - 1] == '{' ? "" : ", ", name);
    view_string(o, value);
}

static void show_mailbox(struct out *o, slice value)
{
    slice local, domain;
    out_printf(o, "{\"valid\": %s", address_is_mailbox(value, &local, &domain) ? "true" : "false");
}

static void show_received(struct out *o, slice value)
{
    struct received r;
    out_byte(o, '{');
    received_parse(value, &r);
    add(o, "from", r.from);
    add(o, "ip", r.ip);
    add(o, "by", r.by);
    add(o, "via", r.via);
    add(o, "with", r.with);
    add(o, "id", r.id);
    add(o, "for", r.for_);
    add(o, "date",
        r.has_date ? date_print_3339(o->arena, r.date_ms, r.zone_minutes, false) : S(""));
}

static void show_type(struct out *o, slice value)
{
    struct params p;
    params_parse(o->arena, value, &p);
    out_byte(o, '{');
    add(o, "value", p.value);
    for (size_t i = 0; i < p.count; i++) {
        slice name = arena_printf(o->arena, "param:%.*s", P(p.params[i].name));
        out_add(o, S(", "));
        view_string(o, name);
        out_add(o, S(": "));
        view_string(o, p.params[i].value);
    }
}

static void show_authres(struct out *o, slice value)
{
    struct authres r;
    bool valid = authres_parse(o->arena, value, &r);
    out_printf(o, "{\"valid\": %s, \"results\": %zu", valid ? "true" : "false", r.result_count);
    add(o, "id", r.id);
}

static void show_html(struct out *o, slice value)
{
    static const char *const kinds[] = {"text", "start", "end"};
    struct html_tokens tokens = {0};
    struct html_token t;
    slice name, text;
    slice_next(&value, '\n', &tokens.raw);
    tokens.rest = value;
    out_add(o, S("{\"tokens\": ["));
    while (html_next(&tokens, &t)) {
        out_printf(o, "%s[\"%s\", ", o->p[o->n - 1] == '[' ? "" : ", ", kinds[t.kind]);
        text = t.references ? html_decode(o->arena, t.text, false) : t.text;
        view_string(o, t.kind == HTML_TEXT ? text : slice_c(t.name));
        while (html_attribute_next(&t.attributes, &name, &text)) {
            out_add(o, S(", ["));
            view_string(o, name);
            out_add(o, S(", "));
            view_string(o, html_decode(o->arena, text, true));
            out_add(o, S("]"));
        }
        out_add(o, S("]"));
    }
    out_add(o, S("]"));
}

static void show_page_charset(struct out *o, slice value)
{
    const char *name = charset_canonical(html_charset(value));
    out_byte(o, '{');
    add(o, "charset", slice_c(name));
}

static int show_fields(const char *kind)
{
    static const struct {
        const char *kind;
        void (*show)(struct out *o, slice value);
    } kinds[] = {{"mailbox", show_mailbox}, {"received", show_received},
                 {"type", show_type},       {"authres", show_authres},
                 {"html", show_html},       {"page-charset", show_page_charset}};
    struct arena input = {0};
    slice all, value;
    if (file_read(&input, "/dev/stdin", INPUT_MAX, &all) != 0)
        return 1;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        while (strcmp(kind, kinds[i].kind) == 0 && slice_next(&all, '\0', &value)) {
            struct arena a = {0};
            struct out o = {.arena = &a};
            kinds[i].show(&o, value);
            out_byte(&o, '}');
            printf("%.*s\n", P(out_slice(&o)));
            arena_end(&a);
        }
    arena_end(&input);
    return 0;
}

static void show_imap(struct arena *a, slice message)
{
    struct out o = {.arena = a};
    struct mime m;
    mime_parse(a, message, &m);
    out_add(&o, S("{\"bodystructure\": "));
    view_string(&o, bodystructure_print(a, &m, 0, true));
    out_add(&o, S(", \"view\": "));
    fwrite(o.p, 1, o.n, stdout);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--field") == 0)
        return show_fields(argv[2]);
    bool imap = argc > 2 && strcmp(argv[1], "--imap") == 0;
    for (int i = 1 + imap; i < (argc > 1 ? argc : 2); i++) {
        struct arena a = {0};
        slice message;
        const char *path = argc > 1 ? argv[i] : "/dev/stdin";
        if (file_read(&a, path, INPUT_MAX, &message) != 0) {
            perror(path);
            return 1;
        }
        slice json = view_json(&a, message);
        if (imap)
            show_imap(&a, message);
        fwrite(json.p, 1, json.n, stdout);
        puts(imap ? "}" : "");
        arena_end(&a);
    }
    return 0;
}
