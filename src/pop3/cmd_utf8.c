/* UTF8 and LANG (RFC 6856 sections 2 and 3). */
#include "pop3/command.h"

#include "base/banned.h"

void pop3_cmd_utf8(struct pop3 *p, slice argument)
{
    (void)argument;
    p->utf8 = true;
    pop3_ok(p, "%s", pop3_say(p, "UTF-8 from here on", "已启用 UTF-8"));
}

static const struct {
    slice tag;
    const char *name;
} languages[LANGUAGE_LAST] = {
    [LANGUAGE_EN] = {{"en", 2}, "English"},
    [LANGUAGE_ZH] = {{"zh-CN", 5}, "简体中文"},
};

static void list(struct pop3 *p)
{
    pop3_ok(p, "%s", pop3_say(p, "Languages follow", "语言列表如下"));
    for (size_t i = 0; i < LANGUAGE_LAST; i++)
        buf_printf(&p->s.out, "%.*s %s\r\n", P(languages[i].tag), languages[i].name);
    buf_add(&p->s.out, S(".\r\n"));
}

/* The language of a range: "zh", "zh-CN", "zh-Hans" and "*" find one; LANGUAGE_LAST: none does. */
static enum pop3_language match(slice range)
{
    ptrdiff_t dash = slice_find(range, '-');
    slice primary = dash < 0 ? range : slice_sub(range, 0, (size_t)dash);
    if (slice_eq(range, S("*")))
        return LANGUAGE_EN;
    for (enum pop3_language i = 0; i < LANGUAGE_LAST; i++)
        if (slice_eq_icase(primary, slice_sub(languages[i].tag, 0, 2)))
            return i;
    return LANGUAGE_LAST;
}

void pop3_cmd_lang(struct pop3 *p, slice argument)
{
    if (argument.n == 0) {
        list(p);
        return;
    }
    enum pop3_language found = match(argument);
    if (found == LANGUAGE_LAST) {
        pop3_err(p, "%s", pop3_say(p, "No such language here", "不支持此语言"));
        return;
    }
    p->language = found;
    pop3_ok(p, "%.*s %s", P(languages[found].tag), pop3_say(p, "Language chosen", "已切换语言"));
}
