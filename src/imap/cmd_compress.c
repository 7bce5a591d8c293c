/* COMPRESS DEFLATE (RFC 4978): begins behind this command's own answer. */
#include "imap/command.h"

#include "base/log.h"
#include "imap/compress.h"
#include "base/banned.h"

bool imap_offers_compress(const struct imap *p)
{
    return p->state != IMAP_EARLY && !p->compress;
}

void imap_cmd_compress(struct imap *p, slice args)
{
    if (!slice_eq_icase(args, S("DEFLATE"))) {
        imap_bad(p, "DEFLATE is what there is");
        return;
    }
    if (p->compress) {
        imap_no(p, "[COMPRESSIONACTIVE] Compressed already");
        return;
    }
    struct imap_compress *c = compress_new();
    if (!c) {
        imap_no(p, "[LIMIT] No memory for it now");
        return;
    }
    imap_ok(p, "Compressing");
    p->compress = c;
    p->s.out.max = LIMIT_OUT + LIMIT_OUT / 16; /* what cannot be compressed grows a little */
    log_step(p->s.who, "transaction", "from here on both sides compress");
}
