/*
 * yizhan parse [FILE] [--json] [--part N]: what the one MIME parser makes of any bytes, for people,
 * for programs, or one part decoded.  Needs no server.
 */
#include <errno.h>
#include <stdio.h>

#include "base/text.h"
#include "base/units.h"
#include "message/address.h"
#include "message/derive.h"
#include "message/view_json.h"
#include "ops/ops.h"
#include "base/banned.h"

enum { INPUT_MAX = 1 << 30, LINE_COLUMNS = 100, LABEL_COLUMNS = 9, TYPE_COLUMNS = 34 };

const struct option_row parse_options[] = {
    {"json", NULL, OPTION_FLAG, 0, "the whole decoded structure as JSON",
     "以 JSON 输出完整的解码结构"},
    {"part", "NUMBER", OPTION_TEXT, 0, "write this part (\"2.1\"), decoded, to standard output",
     "把这一部分（如“2.1”）解码后写到标准输出"},
    {0},
};

/* All of a stream; false with errno set. */
static bool read_stream(FILE *f, struct buf *to)
{
    for (;;) {
        size_t want = buf_length(to) < 64 * 1024 ? 64 * 1024 : buf_length(to);
        char *p = buf_space(to, want);
        if (!p) {
            errno = EFBIG;
            return false;
        }
        size_t n = fread(p, 1, want, f);
        buf_wrote(to, n);
        if (n < want)
            return !ferror(f);
    }
}

static bool read_input(const char *path, struct buf *to)
{
    if (!path || strcmp(path, "-") == 0)
        return read_stream(stdin, to);
    FILE *f = fopen(path, "rbe");
    if (!f)
        return false;
    bool ok = read_stream(f, to);
    fclose(f);
    return ok;
}

static bool write_all(slice s)
{
    return fwrite(s.p ? s.p : "", 1, s.n, stdout) == s.n && fflush(stdout) == 0;
}

/* Text for people: what does not fit is flushed in pieces. */
static void print_line(struct buf *line, slice label, slice value)
{
    text_add_column(line, label, LABEL_COLUMNS);
    text_add_safe(line, value);
    buf_add_byte(line, '\n');
    write_all(buf_slice(line));
    buf_clear(line);
}

static void print_people(struct arena *a, struct buf *line, slice header, slice name)
{
    slice value;
    struct address_list l;
    struct buf text = {.max = 64 * 1024};
    if (!header_find(header, name, &value))
        return;
    address_parse(a, value, &l);
    for (size_t i = 0, shown = 0; i < l.count; i++) {
        slice person = address_name(a, &l.list[i]), email = address_email(a, &l.list[i]);
        if (l.list[i].kind != ADDRESS_MAILBOX)
            continue;
        buf_add(&text, shown++ ? S(", ") : S(""));
        buf_printf(&text, person.n ? "%.*s <%.*s>" : "%.*s%.*s", P(person), P(email));
    }
    print_line(line, name, buf_slice(&text));
    buf_end(&text);
}

static void print_head(struct arena *a, struct buf *line, slice header)
{
    static const slice people[] = {{"From", 4}, {"To", 2}, {"Cc", 2}};
    static const slice texts[] = {{"Subject", 7}, {"Date", 4}};
    slice value;
    for (size_t i = 0; i < sizeof(people) / sizeof(*people); i++)
        print_people(a, line, header, people[i]);
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        if (header_find(header, texts[i], &value))
            print_line(line, texts[i], header_text(a, value));
}

static void add_size(struct arena *a, struct buf *line, const struct mime *m, size_t part,
                     const struct mime_content *c)
{
    const struct mime_part *p = &m->parts[part];
    if (p->children && p->kind == MIME_MULTIPART) {
        buf_printf(line, "%u %s", p->children, p->children == 1 ? "part" : "parts");
        return;
    }
    slice size = units_print_size(a, mime_decode(a, m, part, c, NULL).n);
    buf_add(line, size);
    if (c->encoding == CTE_BASE64 || c->encoding == CTE_QP || c->encoding == CTE_UUENCODE)
        buf_printf(line, " %s %.*s", say("as", "编码"), P(c->encoding_name));
}

static void print_defects(struct buf *line, const struct mime *m, size_t part, size_t indent)
{
    uint32_t d = view_defects(m, part);
    for (uint32_t bit = 1; bit && bit <= d; bit <<= 1) {
        if (!(d & bit))
            continue;
        slice code = defect_code((enum mime_defect)bit), text = defect_text((enum mime_defect)bit);
        text_add_column(line, S(""), indent);
        buf_printf(line, "! %.*s: %.*s\n", P(code), P(text));
    }
}

static void print_part(const struct mime *m, size_t part, struct buf *line)
{
    struct arena a = {0};
    struct mime_content c;
    size_t indent = 2 * (size_t)m->parts[part].depth;
    mime_content(&a, m, part, &c);
    text_add_column(line, S(""), indent);
    text_add_column(line, mime_number(&a, m, part), LABEL_COLUMNS);
    text_add_column(line, c.type.value, TYPE_COLUMNS > indent ? TYPE_COLUMNS - indent : 1);
    buf_add_byte(line, ' ');
    add_size(&a, line, m, part, &c);
    if (slice_eq(c.major, S("text"))) {
        buf_add(line, S(", "));
        text_add_safe(line, c.charset);
    }
    if (c.disposition.value.n) {
        buf_add(line, S(", "));
        text_add_safe(line, c.disposition.value);
    }
    if (c.name.n) {
        buf_add(line, S(", \""));
        text_add_safe(line, c.name);
        buf_add(line, S("\""));
    }
    buf_add_byte(line, '\n');
    print_defects(line, m, part, indent + LABEL_COLUMNS);
    write_all(buf_slice(line));
    buf_clear(line);
    arena_end(&a);
}

static void print_tree(slice message)
{
    struct arena a = {0};
    struct mime m;
    struct derived d;
    struct buf line = {.max = 1 << 20};
    mime_parse(&a, message, &m);
    mime_derive(&a, &m, &d);
    print_head(&a, &line, mime_header(&m, 0));
    buf_add_byte(&line, '\n');
    for (size_t i = 0; i < m.count; i++)
        print_part(&m, i, &line);
    if (d.preview.n) {
        buf_add_byte(&line, '\n');
        text_add_safe(&line, d.preview);
        buf_add_byte(&line, '\n');
    }
    write_all(buf_slice(&line));
    buf_end(&line);
    arena_end(&a);
}

static int print_decoded(struct call *c, slice message, slice number)
{
    struct mime m;
    struct mime_content content;
    size_t part;
    mime_parse(c->arena, message, &m);
    if (!mime_by_number(&m, number, &part))
        return call_fail(c, "there is no part \"%.*s\"; the numbers are shown by: yizhan parse",
                         P(number));
    mime_content(c->arena, &m, part, &content);
    if (!write_all(mime_decode(c->arena, &m, part, &content, NULL)))
        return call_fail(c, "cannot write: %s", strerror(errno));
    return EXIT_DONE;
}

int parse_run(struct call *c)
{
    struct buf input = {.max = INPUT_MAX};
    const char *path = c->operand_count ? c->operands[0] : NULL;
    int code = EXIT_DONE;
    if (!read_input(path, &input)) {
        code = call_fail(c, "cannot read %s: %s", path ? path : "standard input", strerror(errno));
    } else if (call_text(c, "part")) {
        code = print_decoded(c, buf_slice(&input), slice_c(call_text(c, "part")));
    } else if (call_flag(c, "json")) {
        slice json = view_json(c->arena, buf_slice(&input));
        if (!write_all(json) || !write_all(S("\n")))
            code = call_fail(c, "cannot write: %s", strerror(errno));
    } else {
        print_tree(buf_slice(&input));
    }
    buf_end(&input);
    return code;
}
