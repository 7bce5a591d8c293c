/*
 * One pass of tokens over the value.  An item (what stands between commas) is read word by word:
 * the last run of words joined by dots is what a "@" will find in front of it, everything before is
 * a display name, and "<" decides that all of it was.  A quote, a comment or an angle that never
 * ends counts as an ordinary character from then on, so no scan to the end happens twice.
 */
#include "message/address.h"

#include "base/limits.h"

#include "base/banned.h"

enum token_kind { T_END, T_WORD, T_QUOTED, T_COMMENT, T_SPECIAL };

struct token {
    enum token_kind kind;
    char special; /* one of < > @ , ; : . */
    bool space;   /* white space or a comment stood before it */
    slice text;   /* as it stands, quotes and parentheses included */
};

struct lexer {
    slice rest;
    bool no_quotes, no_comments; /* an unterminated one was met */
    bool damaged;
};

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_special(char c)
{
    return c == '<' || c == '>' || c == '@' || c == ',' || c == ';' || c == ':' || c == '.';
}

/* Length of the quoted string at the start of s, or 0 when it does not end. */
static size_t quoted_length(slice s)
{
    for (size_t i = 1; i < s.n; i++) {
        if (s.p[i] == '\\')
            i++;
        else if (s.p[i] == '"')
            return i + 1;
    }
    return 0;
}

/* Length of the comment at the start of s, nested ones included, or 0 when it does not end. */
static size_t comment_length(slice s)
{
    size_t depth = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\')
            i++;
        else if (s.p[i] == '(')
            depth++;
        else if (s.p[i] == ')' && --depth == 0)
            return i + 1;
    }
    return 0;
}

/* Length of the word at the start of s; at least 1, for characters that fit nowhere. */
static size_t word_length(slice s)
{
    size_t i = 0;
    while (i < s.n && !is_space(s.p[i]) && !is_special(s.p[i]) && s.p[i] != '(' && s.p[i] != ')' &&
           s.p[i] != '"')
        i += s.p[i] == '\\' && i + 1 < s.n ? 2 : 1;
    return i ? i : 1;
}

static size_t quoted_or_comment(struct lexer *l, struct token *t)
{
    size_t n = 0;
    if (l->rest.p[0] == '"' && !l->no_quotes) {
        t->kind = T_QUOTED;
        n = quoted_length(l->rest);
        l->no_quotes = n == 0;
    } else if (l->rest.p[0] == '(' && !l->no_comments) {
        t->kind = T_COMMENT;
        n = comment_length(l->rest);
        l->no_comments = n == 0;
    }
    return n;
}

static struct token next_token(struct lexer *l)
{
    struct token t = {0};
    size_t blank = 0;
    while (blank < l->rest.n && is_space(l->rest.p[blank]))
        blank++;
    t.space = blank > 0;
    l->rest = slice_skip(l->rest, blank);
    t.text = slice_sub(l->rest, 0, 0);
    if (!l->rest.n)
        return t;
    char c = l->rest.p[0];
    size_t n = quoted_or_comment(l, &t);
    if (n == 0 && is_special(c)) {
        t.kind = T_SPECIAL;
        t.special = c;
        n = 1;
    } else if (n == 0) {
        t.kind = T_WORD;
        n = word_length(l->rest);
        l->damaged |= c == '"' || c == '(' || c == ')';
    }
    t.text = slice_sub(l->rest, 0, n);
    l->rest = slice_skip(l->rest, n);
    return t;
}

/* The bytes from the start of a to the end of b, both inside one value. */
static slice span(slice a, slice b)
{
    if (!a.n)
        return b;
    return (slice){a.p, (size_t)(b.p + b.n - a.p)};
}

/* Text of a quoted string or comment without its delimiters' backslashes and line ends. */
static void add_unquoted(char *to, size_t *n, slice inner)
{
    for (size_t i = 0; i < inner.n; i++) {
        if (inner.p[i] == '\\' && i + 1 < inner.n)
            i++;
        else if (inner.p[i] == '\r' || inner.p[i] == '\n')
            continue;
        to[(*n)++] = inner.p[i];
    }
}

static slice unquote(struct arena *a, slice quoted)
{
    slice inner = slice_sub(quoted, 1, quoted.n - 1);
    size_t n = 0;
    if (slice_find(inner, '\\') < 0 && slice_find(inner, '\n') < 0 && slice_find(inner, '\r') < 0)
        return inner;
    char *to = arena_alloc(a, inner.n);
    add_unquoted(to, &n, inner);
    return (slice){to, n};
}

/*
 * A phrase or a local part as it stands to plain text: quotes and comments taken away, white space
 * made one space (phrase) or nothing (local part, domain).
 */
static slice plain_text(struct arena *a, slice raw, bool phrase)
{
    struct lexer l = {.rest = raw};
    struct token t = next_token(&l), first = t;
    size_t n = 0;
    bool space = false;
    if (first.kind == T_QUOTED && first.text.n == raw.n)
        return unquote(a, raw);
    char *to = arena_alloc(a, raw.n + 1);
    for (; t.kind != T_END; t = next_token(&l)) {
        space |= t.space;
        if (t.kind == T_COMMENT) {
            space = true;
            continue;
        }
        if (space && n && phrase)
            to[n++] = ' ';
        space = false;
        if (t.kind == T_QUOTED)
            add_unquoted(to, &n, slice_sub(t.text, 1, t.text.n - 1));
        else
            add_unquoted(to, &n, t.text);
    }
    return (slice){to, n};
}

/* Most texts need no change and are given back as they stand. */
static slice clean(struct arena *a, slice raw, bool phrase)
{
    raw = slice_trim(raw);
    bool spaces = false, marks = false;
    for (size_t i = 0; i < raw.n; i++) {
        char c = raw.p[i];
        marks |= c == '"' || c == '(' || c == '\\' || c == '\r' || c == '\n' || c == '\t';
        spaces |= c == ' ' && (!phrase || (i + 1 < raw.n && raw.p[i + 1] == ' '));
    }
    return marks || spaces ? plain_text(a, raw, phrase) : raw;
}

/* What is known of the item that is being read. */
struct item {
    slice phrase;  /* first to last word of it, as it stands */
    slice run;     /* the last run of words joined by dots */
    slice comment; /* the last one, as it stands */
    slice spec;    /* "local@domain" of a bare address, as it stands */
    slice at;      /* its "@" */
    bool words;    /* more words came behind the bare address */
    bool dot;      /* the run ends in a dot */
    bool behind;   /* an address in angles came before, and no comma */
    bool dot_space;
};

struct reader {
    struct arena *arena;
    struct lexer lexer;
    struct token token;
    struct address_list *out;
    size_t capacity;
    struct item item;
    bool group;
};

static void advance(struct reader *r)
{
    r->token = next_token(&r->lexer);
}

static bool is_char(const struct token *t, char c)
{
    return t->kind == T_SPECIAL && t->special == c;
}

static struct address *add(struct reader *r, enum address_kind kind)
{
    struct address_list *out = r->out;
    if (out->count >= LIMIT_ADDRESSES)
        out->count--; /* the last one is overwritten */
    out->list = arena_grow(r->arena, out->list, out->count, &r->capacity, sizeof(*out->list));
    struct address *x = &out->list[out->count++];
    *x = (struct address){kind, S(""), S(""), S(""), S("")};
    return x;
}

/* The display name of an item: the phrase, or the comment when there is none. */
static slice item_name(struct reader *r, slice phrase)
{
    slice name = clean(r->arena, phrase, true);
    if (!name.n && r->item.comment.n)
        name = slice_trim(unquote(r->arena, r->item.comment));
    return name;
}

/* "local@domain" with its "@" at at, both sides as they stand. */
static void set_spec(struct reader *r, struct address *x, slice spec, slice at)
{
    x->local = clean(r->arena, (slice){spec.p, (size_t)(at.p - spec.p)}, false);
    x->domain = clean(r->arena, (slice){at.p + 1, (size_t)(spec.p + spec.n - at.p) - 1}, false);
    while (x->domain.n > 1 && x->domain.p[x->domain.n - 1] == '.')
        x->domain.n--; /* "north.test.": the root is nobody's mail domain */
}

/* Emits a bare address, or a name or word standing alone, and starts a new item. */
static void item_end(struct reader *r)
{
    struct item *it = &r->item;
    if (it->spec.n) {
        struct address *x = add(r, ADDRESS_MAILBOX);
        set_spec(r, x, it->spec, it->at);
        slice before = it->phrase.n && it->phrase.p < it->spec.p
                           ? (slice){it->phrase.p, (size_t)(it->spec.p - it->phrase.p)}
                           : S("");
        x->name = item_name(r, before);
        r->out->damaged |= before.n || it->words;
    } else if (it->phrase.n && it->behind) { /* "<a@b> Name" */
        struct address *x = &r->out->list[r->out->count - 1];
        x->name = x->name.n ? x->name : clean(r->arena, it->phrase, true);
        r->out->damaged = true;
    } else if (it->phrase.n) {
        struct address *x = add(r, ADDRESS_MAILBOX);
        r->out->damaged = true;
        if (it->run.p == it->phrase.p) {
            x->local = clean(r->arena, it->phrase, false);
            x->name = item_name(r, S(""));
        } else {
            x->name = clean(r->arena, it->phrase, true);
        }
    }
    *it = (struct item){0};
}

/* A word, a quoted string or a dot: it goes on with the run or begins a new one. */
static void item_word(struct reader *r)
{
    struct item *it = &r->item;
    const struct token *t = &r->token;
    bool dot = is_char(t, '.');
    bool joined = it->run.n && (!t->space || dot || (it->dot && it->dot_space));
    it->words |= it->spec.n > 0;
    it->run = joined ? span(it->run, t->text) : t->text;
    it->phrase = span(it->phrase, t->text);
    it->dot_space = dot && t->space;
    it->dot = dot;
    advance(r);
}

/* A domain literal that begins with the word just read, "[IPv6:2001:db8::1]", colons and dots. */
static bool domain_goes_on(const struct token *t, slice domain, bool dot)
{
    if (t->kind == T_SPECIAL && domain.n && domain.p[0] == '[' && domain.p[domain.n - 1] != ']')
        return t->special == '.' || t->special == ':';
    if (is_char(t, '.'))
        return true;
    return t->kind == T_WORD && (dot || !domain.n || !t->space);
}

/* Behind "@": the domain.  Returns its range; empty when there is none. */
static slice read_domain(struct reader *r)
{
    slice domain = slice_sub(r->token.text, 0, 0);
    bool dot = false;
    while (r->token.kind == T_COMMENT || domain_goes_on(&r->token, domain, dot)) {
        if (r->token.kind == T_COMMENT) {
            r->item.comment = r->token.text;
            advance(r);
            if (r->token.kind == T_WORD && domain.n && !dot)
                break;
            continue;
        }
        dot = is_char(&r->token, '.') || is_char(&r->token, ':');
        domain = span(domain, r->token.text);
        advance(r);
    }
    return domain;
}

static void item_at(struct reader *r)
{
    struct item *it = &r->item;
    slice at = r->token.text;
    if (it->spec.n && !it->words) { /* "a@b@c": the last "@" counts */
        r->out->damaged = true;
        advance(r);
        slice domain = read_domain(r);
        if (domain.n) {
            it->spec = span(it->spec, domain);
            it->at = at;
        }
        return;
    }
    if (it->spec.n) { /* "a@b c@d": a comma is missing; the run belongs to the second one */
        slice run = it->run;
        it->words = false;
        r->out->damaged = true;
        item_end(r);
        it->run = it->phrase = run;
    }
    slice local = it->run.n ? it->run : slice_sub(at, 0, 0);
    advance(r);
    slice domain = read_domain(r);
    it->spec = (slice){local.p, (size_t)((domain.n ? domain.p + domain.n : at.p + 1) - local.p)};
    it->at = at;
    it->phrase = span(it->phrase, it->spec);
    it->run = slice_sub(at, 0, 0);
}

/* "@a,@b:" in front of an address in angles (RFC 5322 4.4 obs-route). */
static slice take_route(slice *spec)
{
    slice s = *spec;
    if (!s.n || s.p[0] != '@')
        return S("");
    ptrdiff_t colon = slice_rfind(s, ':');
    ptrdiff_t bracket = slice_find(s, '[');
    if (colon < 0 || (bracket >= 0 && bracket < colon))
        return S("");
    *spec = slice_trim(slice_skip(s, (size_t)colon + 1));
    return slice_trim(slice_sub(s, 0, (size_t)colon));
}

/* The last "@" outside quotes and comments; empty when there is none. */
static slice last_at(slice spec)
{
    struct lexer l = {.rest = spec};
    slice at = S("");
    for (struct token t = next_token(&l); t.kind != T_END; t = next_token(&l))
        if (is_char(&t, '@'))
            at = t.text;
    return at;
}

/* From "<" to ">", or to a "<", ";" or comma that cannot be part of a route. */
static slice angle_range(struct reader *r)
{
    advance(r);
    slice range = slice_sub(r->token.text, 0, 0);
    bool route = is_char(&r->token, '@');
    while (r->token.kind != T_END && !is_char(&r->token, '>') && !is_char(&r->token, ';') &&
           !is_char(&r->token, '<') && (route || !is_char(&r->token, ','))) {
        route &= !is_char(&r->token, ':');
        range = span(range, r->token.text);
        advance(r);
    }
    if (is_char(&r->token, '>'))
        advance(r);
    else
        r->out->damaged = true;
    return range;
}

static void item_angle(struct reader *r)
{
    slice spec = angle_range(r);
    while (is_char(&r->token, '<') && !spec.n)
        spec = angle_range(r);
    while (is_char(&r->token, '>'))
        advance(r);
    struct address *x = add(r, ADDRESS_MAILBOX);
    x->route = clean(r->arena, take_route(&spec), false);
    slice_eat_icase(&spec, S("mailto:"));
    slice at = last_at(spec);
    if (at.n)
        set_spec(r, x, spec, at);
    else
        x->local = clean(r->arena, spec, false);
    r->out->damaged |= !at.n;
    while (r->token.kind == T_COMMENT) { /* "<a@b> (Name)" */
        r->item.comment = r->token.text;
        advance(r);
    }
    x->name = item_name(r, r->item.phrase);
    r->item = (struct item){.behind = true};
}

/* "Name:" opens a group; elsewhere the colon is a word like others ("http://…"). */
static void item_colon(struct reader *r)
{
    if (r->group || r->item.spec.n) {
        r->out->damaged = true;
        item_word(r);
        return;
    }
    struct address *x = add(r, ADDRESS_GROUP_START);
    x->name = item_name(r, r->item.phrase);
    r->item = (struct item){0};
    r->group = true;
    advance(r);
}

static void item_semicolon(struct reader *r)
{
    item_end(r);
    if (r->group)
        add(r, ADDRESS_GROUP_END);
    else
        r->out->damaged = true;
    r->group = false;
    advance(r);
}

static void item_token(struct reader *r)
{
    switch (r->token.kind == T_SPECIAL ? r->token.special : 'w') {
    case '<':
        item_angle(r);
        break;
    case '@':
        item_at(r);
        break;
    case ':':
        item_colon(r);
        break;
    case ';':
        item_semicolon(r);
        break;
    case ',':
        item_end(r);
        advance(r);
        break;
    case '>':
        r->out->damaged = true;
        advance(r);
        break;
    default:
        item_word(r);
    }
}

void address_parse(struct arena *a, slice value, struct address_list *out)
{
    *out = (struct address_list){0};
    struct reader r = {.arena = a, .lexer = {.rest = value}, .out = out};
    for (advance(&r); r.token.kind != T_END;) {
        if (r.token.kind == T_COMMENT) {
            r.item.comment = r.token.text;
            advance(&r);
        } else {
            item_token(&r);
        }
    }
    item_end(&r);
    if (r.group)
        add(&r, ADDRESS_GROUP_END);
    out->damaged |= r.group || r.lexer.damaged;
}

bool address_first(struct arena *a, slice value, struct address *out)
{
    struct address_list l;
    address_parse(a, value, &l);
    for (size_t i = 0; i < l.count; i++) {
        *out = l.list[i];
        if (out->kind == ADDRESS_MAILBOX)
            return true;
    }
    return false;
}
