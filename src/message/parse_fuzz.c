/*
 * Whole messages: the parts lie inside one another and in order, their numbers lead back to them,
 * the IMAP structure is balanced, JMAP's lists name each leaf, all derived text is UTF-8.
 */
#include "message/parse.h"

#include <assert.h>
#include <stdlib.h>

#include "base/limits.h"
#include "message/bodystructure.h"
#include "message/derive.h"
#include "message/report.h"
#include "message/view_json.h"

#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tree(struct arena *a, const struct mime *m)
{
    assert(m->count >= 1 && m->count <= LIMIT_MIME_PARTS);
    assert(m->parts[0].start == 0 && m->parts[0].end == m->message.n);
    for (size_t i = 0; i < m->count; i++) {
        const struct mime_part *p = &m->parts[i], *parent = &m->parts[p->parent];
        size_t found;
        assert(p->start <= p->body && p->body <= p->end && p->end <= m->message.n);
        assert(p->depth <= LIMIT_MIME_DEPTH && (p->kind == MIME_LEAF) == (p->children == 0));
        assert(mime_by_number(m, mime_number(a, m, i), &found) && found == i);
        assert(p->lines <= p->end - p->body);
        if (i == 0)
            continue;
        assert(p->parent < i && p->start >= parent->body && p->end <= parent->end);
        assert(!p->next || (p->next > i && m->parts[p->next].start >= p->end));
        assert(mime_after(m, i) > i && mime_after(m, i) <= m->count);
    }
}

/* Parentheses outside strings and literals are balanced; a literal's length is true. */
static void check_balanced(slice s)
{
    size_t depth = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '"') {
            for (i++; i < s.n && s.p[i] != '"'; i++) {
                assert((unsigned char)s.p[i] < 0x80 && s.p[i] != '\r' && s.p[i] != '\n' && s.p[i]);
                i += s.p[i] == '\\';
            }
            assert(i < s.n);
        } else if (s.p[i] == '{') {
            ptrdiff_t end = slice_find(slice_skip(s, i), '}');
            uint64_t n;
            assert(end > 0 && slice_u64(slice_sub(s, i + 1, i + (size_t)end), s.n, &n));
            i += (size_t)end + 2 + n;
            assert(i < s.n);
        } else if (s.p[i] == '(') {
            depth++;
        } else if (s.p[i] == ')') {
            assert(depth-- > 0);
        }
    }
    assert(depth == 0 && s.n && s.p[0] == '(');
}

static void check_lists(struct arena *a, const struct mime *m)
{
    struct body_lists l;
    body_lists(a, m, &l);
    for (size_t i = 0; i < l.attachment_count; i++)
        assert(m->parts[l.attachments[i]].kind != MIME_MULTIPART);
    for (size_t i = 0; i < l.text_count; i++)
        assert(m->parts[l.text[i]].kind == MIME_LEAF);
    assert(l.text_count + l.html_count + l.attachment_count > 0 || m->count > 1);
}

static size_t characters(slice s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    struct mime m;
    struct derived d;
    struct report r;
    slice in = {(const char *)data, size};
    mime_parse(&a, in, &m);
    check_tree(&a, &m);
    check_lists(&a, &m);
    mime_derive(&a, &m, &d);
    check_balanced(d.envelope);
    check_balanced(d.bodystructure);
    check_balanced(bodystructure_print(&a, &m, 0, false));
    assert(slice_is_utf8(d.preview) && characters(d.preview) <= LIMIT_PREVIEW);
    assert(slice_is_utf8(d.search) && slice_is_utf8(d.subject) && d.subject.n <= LIMIT_SUBJECT);
    assert(d.header_bytes == header_length(in));
    report_parse(&a, &m, &r);
    slice json = view_json(&a, in);
    assert(slice_is_utf8(json) && json.p[0] == '{' && json.p[json.n - 1] == '}');
    arena_end(&a);
    return 0;
}
