/* Socket addresses to text. */
#include "net/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "base/banned.h"

/* The 4 bytes of an IPv4 address, also of one inside IPv6; NULL when it is neither. */
static const void *as_ipv4(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return &((const struct sockaddr_in *)(const void *)address)->sin_addr;
    const struct sockaddr_in6 *six = (const void *)address;
    if (address->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
        return six->sin6_addr.s6_addr + 12;
    return NULL;
}

bool address_is_loopback(const struct sockaddr *address)
{
    const unsigned char *four = as_ipv4(address);
    if (four)
        return four[0] == 127;
    const struct sockaddr_in6 *six = (const void *)address;
    return address->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&six->sin6_addr);
}

bool address_is_any(const struct sockaddr *address)
{
    const struct sockaddr_in *four = (const void *)address;
    const struct sockaddr_in6 *six = (const void *)address;
    return address->sa_family == AF_INET ? four->sin_addr.s_addr == htonl(INADDR_ANY)
                                         : IN6_IS_ADDR_UNSPECIFIED(&six->sin6_addr);
}

void address_text(const struct sockaddr *address, char ip[46], uint16_t *port)
{
    const void *four = as_ipv4(address);
    const struct sockaddr_in6 *six = (const void *)address;
    ip[0] = '\0';
    *port = 0;
    if (address->sa_family != AF_INET && address->sa_family != AF_INET6)
        return;
    inet_ntop(four ? AF_INET : AF_INET6, four ? four : &six->sin6_addr, ip, 46);
    *port = ntohs(address->sa_family == AF_INET
                      ? ((const struct sockaddr_in *)(const void *)address)->sin_port
                      : six->sin6_port);
}

static void count_key(const struct sockaddr *address, char key[16])
{
    memset(key, 0, 16);
    if (address_is_loopback(address))
        return;
    const void *four = as_ipv4(address);
    if (four) {
        key[15] = 4;
        memcpy(key, four, 4);
    } else if (address->sa_family == AF_INET6) {
        key[15] = 6;
        memcpy(key, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 8);
    }
}

void peer_far(struct peer *p, const struct sockaddr *address, char ip_key[16])
{
    address_text(address, p->ip, &p->port);
    count_key(address, ip_key);
}

void peer_near(struct peer *p, int fd)
{
    struct sockaddr_storage near = {0};
    socklen_t n = sizeof(near);
    getsockname(fd, (struct sockaddr *)&near, &n);
    address_text((struct sockaddr *)&near, p->local_ip, &p->local_port);
}

void peer_who(const struct peer *p, const char *hostname, char *out, size_t n)
{
    bool six = strchr(p->ip, ':');
    snprintf(out, n, "%s:%u <- %s%s%s:%u", hostname, p->local_port, six ? "[" : "", p->ip,
             six ? "]" : "", p->port);
}

void peer_secured(struct peer *p, const SSL *ssl)
{
    p->tls = true;
    snprintf(p->tls_version, sizeof(p->tls_version), "%s", SSL_get_version(ssl));
    snprintf(p->tls_cipher, sizeof(p->tls_cipher), "%s", SSL_get_cipher_name(ssl));
}
