/*
 * yizhan read show: one message for people.  HTML becomes text, attachments are listed and, when
 * asked, saved under names that are safe here.  Showing marks it as read, as every reader does,
 * unless --peek.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/read.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/units.h"
#include "message/address.h"
#include "message/derive.h"
#include "message/flowed.h"
#include "message/text.h"
#include "message/view_json.h"
#include "base/banned.h"

enum { OUTPUT_MAX = 256 << 20, LABEL_COLUMNS = 10, NAMES_TRIED = 1000, PEOPLE_MAX = 64 * 1024 };

const struct option_row read_show_options[] = {
    AGENT_ACCOUNT_OPTIONS,
    READ_MAILBOX_OPTION,
    {"save", "DIR", OPTION_TEXT, 0, "save the attachments in this directory", "把附件存入此目录"},
    {"part", "N", OPTION_TEXT, 0, "print this part only, decoded; with --save, save it",
     "只输出此部分（已解码）；与 --save 合用则保存"},
    {"raw", NULL, OPTION_FLAG, 0, "print the message as it is", "原样输出邮件"},
    {"peek", NULL, OPTION_FLAG, 0, "do not mark it as read", "不标为已读"},
    READ_JSON_OPTION,
    {0},
};

/* A message that is being shown. */
struct showing {
    struct reading reading;
    struct imap_head head;
    struct buf text; /* of the message */
    struct mime mime;
    struct body_lists lists;
    json_t *saved; /* paths */
};

static bool add_run(void *ctx, slice run)
{
    return buf_add(ctx, run);
}

/* The message that was named, or the newest one. */
static int find_head(struct showing *s)
{
    struct reading *r = &s->reading;
    struct arena *a = r->call->arena;
    struct imap_numbers uids = {0};
    struct imap_head *heads = NULL;
    size_t count = 0;
    if (r->call->operand_count) {
        int code = read_named(r, &uids);
        if (code != EXIT_DONE)
            return code;
        if (uids.count > 1)
            return call_usage(r->call, "show takes one UID");
        if (!imap_client_heads(r->client, a, uids.items, 1, &heads, &count, &r->error))
            return read_failed(r);
    } else if (!imap_client_last(r->client, a, 1, &heads, &count, &r->error)) {
        return read_failed(r);
    }
    if (!count)
        return call_fail(r->call, "there is no message in %.*s", P(r->mailbox));
    s->head = heads[0];
    return EXIT_DONE;
}

static int download(struct showing *s)
{
    struct reading *r = &s->reading;
    struct call *c = r->call;
    if (s->head.size > LIMIT_MESSAGE)
        return call_fail(c, "the message has %.*s, more than can be shown; use yizhan fetch",
                         P(units_print_size(c->arena, s->head.size)));
    if (!imap_client_text(r->client, s->head.uid, add_run, &s->text, &r->error))
        return read_failed(r);
    if (!buf_length(&s->text))
        return call_fail(c, "message %u is gone, or empty", s->head.uid);
    if (!call_flag(c, "peek") && !imap_flags_hold(s->head.flags, S("\\Seen")) &&
        !imap_client_store(r->client, &s->head.uid, 1, "+FLAGS", "\\Seen", &r->error))
        return read_failed(r);
    mime_parse(c->arena, buf_slice(&s->text), &s->mime);
    body_lists(c->arena, &s->mime, &s->lists);
    return EXIT_DONE;
}

/* ---- Text ---- */

/* Lines of a stranger: control characters cannot reach the terminal. */
static void add_lines(struct buf *out, slice text)
{
    slice line;
    while (slice_next(&text, '\n', &line)) {
        if (slice_ends(line, S("\r")))
            line.n--;
        for (slice cell; slice_next(&line, '\t', &cell);) {
            text_add_safe(out, cell);
            if (line.n)
                buf_add(out, S("    "));
        }
        buf_add_byte(out, '\n');
    }
}

static void add_field(struct buf *out, const char *label, slice value)
{
    if (!value.n)
        return;
    text_add_column(out, slice_c(label), LABEL_COLUMNS);
    text_add_safe(out, value);
    buf_add_byte(out, '\n');
}

static slice people(struct arena *a, slice header, slice name)
{
    slice value;
    struct address_list l;
    struct buf text = {.max = PEOPLE_MAX};
    if (!header_find(header, name, &value))
        return S("");
    address_parse(a, value, &l);
    for (size_t i = 0; i < l.count; i++) {
        if (l.list[i].kind != ADDRESS_MAILBOX)
            continue;
        slice person = address_name(a, &l.list[i]), email = address_email(a, &l.list[i]);
        buf_add(&text, buf_length(&text) ? S(", ") : S(""));
        buf_printf(&text, person.n ? "%.*s <%.*s>" : "%.*s%.*s", P(person), P(email));
    }
    slice all = arena_dup(a, buf_slice(&text));
    buf_end(&text);
    return all;
}

static void add_head(struct showing *s, struct buf *out)
{
    struct arena *a = s->reading.call->arena;
    slice header = mime_header(&s->mime, 0), value;
    add_field(out, say("From", "发件人"), people(a, header, S("From")));
    add_field(out, say("To", "收件人"), people(a, header, S("To")));
    add_field(out, say("Cc", "抄送"), people(a, header, S("Cc")));
    if (header_find(header, S("Subject"), &value))
        add_field(out, say("Subject", "主题"), header_text(a, value));
    if (header_find(header, S("Date"), &value))
        add_field(out, say("Date", "日期"), header_text(a, value));
    buf_add_byte(out, '\n');
}

static slice part_text(struct arena *a, const struct mime *m, size_t part,
                       const struct mime_content *c)
{
    slice text = mime_text(a, m, part, c, NULL);
    if (slice_eq(c->minor, S("html")))
        return html_to_text(a, text, HTML_LINKS | HTML_QUOTES, SIZE_MAX);
    if (slice_eq_icase(params_get(&c->type, S("format")), S("flowed")))
        return flowed_decode(a, text, slice_eq_icase(params_get(&c->type, S("delsp")), S("yes")));
    return text;
}

static void add_texts(struct showing *s, struct buf *out)
{
    const struct body_lists *l = &s->lists;
    for (size_t i = 0; i < l->text_count; i++) {
        struct arena a = {0};
        size_t part = l->text[i];
        if (slice_eq(l->content[part].major, S("text")))
            add_lines(out, part_text(&a, &s->mime, part, &l->content[part]));
        arena_end(&a);
    }
}

/* ---- Attachments ---- */

static bool is_shown(const struct body_lists *l, size_t part)
{
    for (size_t i = 0; i < l->text_count; i++)
        if (l->text[i] == part)
            return true;
    for (size_t i = 0; i < l->html_count; i++)
        if (l->html[i] == part)
            return true;
    return false;
}

/* The next part after from that is no text of the message; m->count at the end. */
static size_t next_attachment(const struct showing *s, size_t from)
{
    const struct mime *m = &s->mime;
    for (size_t i = from; i < m->count;
         i = m->parts[i].kind == MIME_MESSAGE ? mime_after(m, i) : i + 1) {
        bool text = slice_eq(s->lists.content[i].major, S("text"));
        if (m->parts[i].kind != MIME_MULTIPART && !(text && is_shown(&s->lists, i)))
            return i;
    }
    return m->count;
}

static size_t after_attachment(const struct showing *s, size_t part)
{
    return s->mime.parts[part].kind == MIME_MESSAGE ? mime_after(&s->mime, part) : part + 1;
}

/* The bytes of a part; a message inside as it is. */
static slice part_bytes(struct arena *a, const struct showing *s, size_t part)
{
    if (s->mime.parts[part].kind != MIME_LEAF)
        return mime_body(&s->mime, part);
    return mime_decode(a, &s->mime, part, &s->lists.content[part], NULL);
}

static void add_attachments(struct showing *s, struct buf *out)
{
    for (size_t i = next_attachment(s, 0); i < s->mime.count;
         i = next_attachment(s, after_attachment(s, i))) {
        struct arena a = {0};
        const struct mime_content *c = &s->lists.content[i];
        buf_add(out, S("\n["));
        buf_add(out, mime_number(&a, &s->mime, i));
        buf_add(out, S("] "));
        text_add_safe(out, c->name.n ? c->name : S("-"));
        buf_add(out, S("  "));
        text_add_safe(out, c->type.value);
        buf_printf(out, "  %.*s", P(units_print_size(&a, part_bytes(&a, s, i).n)));
        arena_end(&a);
    }
    if (next_attachment(s, 0) < s->mime.count)
        buf_add_byte(out, '\n');
}

/* A name that nothing has yet in the directory. */
static int create_new(struct arena *a, const char *dir, slice name, slice *path)
{
    ptrdiff_t dot = slice_rfind(name, '.');
    slice stem = dot > 0 ? slice_sub(name, 0, (size_t)dot) : name;
    slice ending = slice_skip(name, stem.n);
    for (int i = 1; i < NAMES_TRIED; i++) {
        *path = i == 1 ? arena_printf(a, "%s/%.*s", dir, P(name))
                       : arena_printf(a, "%s/%.*s-%d%.*s", dir, P(stem), i, P(ending));
        int fd = open(path->p, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

static bool write_bytes(int fd, slice bytes)
{
    while (bytes.n) {
        ssize_t n = write(fd, bytes.p, bytes.n);
        if (n < 0 && errno != EINTR)
            return false;
        bytes = slice_skip(bytes, n > 0 ? (size_t)n : 0);
    }
    return true;
}

static int save_part(struct showing *s, size_t part, const char *dir)
{
    struct arena a = {0};
    struct call *c = s->reading.call;
    slice path, name = filename_safe(&a, s->lists.content[part].name);
    if (!name.n)
        name = arena_printf(&a, "%u-%.*s%s", s->head.uid, P(mime_number(&a, &s->mime, part)),
                            s->mime.parts[part].kind == MIME_MESSAGE ? ".eml" : ".bin");
    int fd = create_new(&a, dir, name, &path);
    bool ok = fd >= 0 && write_bytes(fd, part_bytes(&a, s, part));
    ok = (fd < 0 || close(fd) == 0) && ok;
    int code = ok ? EXIT_DONE : call_fail(c, "%.*s: %s", P(path), strerror(errno));
    if (ok)
        json_array_append_new(s->saved, json_slice(path));
    arena_end(&a);
    return code;
}

static int save_all(struct showing *s, const char *dir)
{
    int code = EXIT_DONE;
    if (file_make_dir(dir, 0755) < 0)
        return call_fail(s->reading.call, "%s: %s", dir, strerror(errno));
    for (size_t i = next_attachment(s, 0); i < s->mime.count && code == EXIT_DONE;
         i = next_attachment(s, after_attachment(s, i)))
        code = save_part(s, i, dir);
    return code;
}

static void print_saved(const struct showing *s)
{
    size_t i;
    const json_t *path;
    json_array_foreach(s->saved, i, path)
        printf(say("saved: %s\n", "已保存：%s\n"), json_string_value(path));
}

/* ---- The whole ---- */

static int show_part(struct showing *s, const char *number, const char *dir)
{
    struct call *c = s->reading.call;
    size_t part;
    if (!mime_by_number(&s->mime, slice_c(number), &part))
        return call_fail(c, "message %u has no part \"%s\"; show lists them", s->head.uid, number);
    if (!dir) {
        slice bytes = part_bytes(c->arena, s, part);
        fwrite(bytes.n ? bytes.p : "", 1, bytes.n, stdout);
        return EXIT_DONE;
    }
    if (file_make_dir(dir, 0755) < 0)
        return call_fail(c, "%s: %s", dir, strerror(errno));
    int code = save_part(s, part, dir);
    print_saved(s);
    return code;
}

static void print_json(struct showing *s)
{
    struct arena *a = s->reading.call->arena;
    slice text = view_json(a, buf_slice(&s->text));
    json_t *o = read_head_json(a, &s->head), *view = json_loadb(text.p, text.n, 0, NULL);
    json_t *arrived = json_incref(json_object_get(o, "date"));
    json_object_update(o, view); /* the message's own date, from, to, subject, size */
    json_object_set_new(o, "arrived", arrived);
    json_object_set_new(o, "mailbox", json_slice(s->reading.mailbox));
    json_object_set(o, "saved", s->saved);
    json_object_del(o, "fromName");
    json_print(o);
    json_decref(view);
    json_decref(o);
}

static void print_text(struct showing *s)
{
    struct buf out = {.max = OUTPUT_MAX};
    add_head(s, &out);
    add_texts(s, &out);
    add_attachments(s, &out);
    fwrite(buf_slice(&out).p, 1, buf_length(&out), stdout);
    buf_end(&out);
    print_saved(s);
}

static int show(struct showing *s)
{
    struct call *c = s->reading.call;
    const char *dir = call_text(c, "save"), *part = call_text(c, "part");
    int code = find_head(s);
    if (code == EXIT_DONE)
        code = download(s);
    if (code != EXIT_DONE)
        return code;
    if (part)
        return show_part(s, part, dir);
    if (dir)
        code = save_all(s, dir);
    if (call_flag(c, "raw"))
        fwrite(buf_slice(&s->text).p, 1, buf_length(&s->text), stdout);
    else if (call_flag(c, "json"))
        print_json(s);
    else
        print_text(s);
    return code;
}

int read_show_run(struct call *c)
{
    struct showing s = {.text = {.max = LIMIT_MESSAGE}, .saved = json_array()};
    int code = read_begin_mailbox(c, &s.reading, call_flag(c, "peek"));
    if (code == EXIT_DONE)
        code = show(&s);
    read_end(&s.reading);
    buf_end(&s.text);
    json_decref(s.saved);
    return code;
}
