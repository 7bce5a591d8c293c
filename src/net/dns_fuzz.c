/*
 * Hostile DNS answers.  The first byte chooses the type asked for; the rest is the packet.  To get
 * past the question check, a packet that is too short for one gets ours in front.  Properties:
 * every record fits its type, names are what dns_lower makes, counts agree with the status.
 */
#include <assert.h>

#include "net/dns_decode.h"
#include "base/banned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct arena *a, enum dns_type type, const struct dns_answer *answer)
{
    assert((answer->status == DNS_OK) == (answer->count > 0));
    for (size_t i = 0; i < answer->count; i++) {
        slice data = answer->records[i].data;
        if (type == DNS_A || type == DNS_AAAA)
            assert(data.n == (type == DNS_A ? 4 : 16));
        if (type == DNS_MX || type == DNS_PTR || type == DNS_CNAME)
            assert(slice_eq(data, S(".")) || slice_eq(dns_lower(a, data), data));
    }
}

static void decode(slice packet, enum dns_type type)
{
    struct arena a = {0};
    struct dns_answer answer;
    slice name = S("a.test");
    slice next = dns_decode(&a, packet, name, type, &answer);
    check(&a, type, &answer);
    assert(!next.n || answer.status == DNS_NODATA);
    assert(!next.n || slice_eq(dns_lower(&a, next), next));
    arena_end(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum dns_type types[] = {DNS_A,   DNS_CNAME, DNS_PTR, DNS_MX,
                                          DNS_TXT, DNS_AAAA,  DNS_TLSA};
    if (size < 2 || size > 65535)
        return 0;
    enum dns_type type = types[data[0] % (sizeof(types) / sizeof(types[0]))];
    slice rest = {(const char *)data + 1, size - 1};
    decode(rest, type);
    /* Flags, counts and records from the input behind a question that is ours. */
    struct arena a = {0};
    char *packet = arena_alloc(&a, 24 + rest.n);
    static const char question[] = "\1a\4test\0\0\0\0\1";
    packet[2] = (char)0x84;
    packet[3] = rest.n > 0 ? rest.p[0] & 0x0f : 0;
    packet[5] = 1;
    packet[7] = rest.n > 1 ? rest.p[1] & 0x1f : 0;
    packet[9] = rest.n > 2 ? rest.p[2] & 0x03 : 0;
    memcpy(packet + 12, question, 12);
    packet[21] = (char)type;
    slice records = slice_skip(rest, 3);
    if (records.n)
        memcpy(packet + 24, records.p, records.n);
    decode((slice){packet, 24 + records.n}, type);
    arena_end(&a);
    return 0;
}
