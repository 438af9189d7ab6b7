#include "jobs/services/http_guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { V4_AT = 12, V4_BITS = 96 }; /* where IPv4 stands in ::ffff:a.b.c.d */

/*
 * Addresses that are no public host's: IANA's registries of special purposes. What is not unicast in IPv6 (all outside of
 * 2000::/3) needs no row.
 */
static const char *const special[] = {
    "0.0.0.0/8",        /* this host */
    "10.0.0.0/8",       /* private */
    "100.64.0.0/10",    /* carriers' NAT; a cloud's metadata */
    "127.0.0.0/8",      /* loopback */
    "168.63.129.16/32", /* a cloud's metadata, among public addresses */
    "169.254.0.0/16",   /* link; the clouds' metadata */
    "172.16.0.0/12",    /* private */
    "192.0.0.0/24",     /* protocols; a cloud's metadata */
    "192.0.2.0/24",     /* documentation */
    "192.88.99.0/24",   /* 6to4 relays, no more in use */
    "192.168.0.0/16",   /* private */
    "198.18.0.0/15",    /* benchmarks */
    "198.51.100.0/24",  /* documentation */
    "203.0.113.0/24",   /* documentation */
    "224.0.0.0/4",      /* multicast */
    "240.0.0.0/4",      /* reserved, broadcast */
    "2001::/23",        /* protocols: Teredo, ORCHID, benchmarks */
    "2001:db8::/32",    /* documentation */
    "3fff::/20",        /* documentation */
};

/* Where an IPv4 address stands inside of an IPv6 one, beside ::ffff:0:0/96 itself: it is the one that is called. */
static const struct {
    const char *block;
    unsigned at;
} embeddings[] = {
    {"64:ff9b::/96", 12}, /* NAT64 */
    {"2002::/16",    2 }, /* 6to4 */
};

static void put_v4(uint8_t bytes[16], const void *v4)
{
    static const uint8_t mapped[V4_AT] = {[10] = 0xff, [11] = 0xff};
    uint8_t copy[4]; /* it may stand in bytes */

    memcpy(copy, v4, sizeof(copy));
    memcpy(bytes, mapped, sizeof(mapped));
    memcpy(bytes + V4_AT, copy, sizeof(copy));
}

static bool is_inside(const uint8_t bytes[16], const struct mr_http_block *block)
{
    unsigned whole = block->bits / 8, rest = block->bits % 8;

    if (memcmp(bytes, block->bytes, whole) != 0)
        return false;
    return rest == 0 || (bytes[whole] ^ block->bytes[whole]) >> (8 - rest) == 0;
}

/* No bit is set behind the prefix: 10.1.2.3/8 is somebody's slip. */
static bool is_tidy(const struct mr_http_block *block)
{
    for (unsigned bit = block->bits; bit < 128; bit++)
        if (block->bytes[bit / 8] & (0x80u >> bit % 8))
            return false;
    return true;
}

/* "16" out of "10.1.0.0/16"; the most when there is no slash, more than that when it is no number. */
static unsigned read_bits(const char *slash, unsigned most)
{
    size_t digits = slash ? strspn(slash + 1, "0123456789") : 0;

    if (!slash)
        return most;
    if (digits == 0 || digits > 3 || slash[1 + digits] != '\0')
        return most + 1;
    return (unsigned)atoi(slash + 1);
}

enum mr_code mr_http_block_parse(const char *text, struct mr_http_block *out,
                                 struct mr_err *err)
{
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    char address[INET6_ADDRSTRLEN] = "";
    struct mr_http_block block = {0};
    struct in_addr v4;

    if (len < sizeof(address))
        memcpy(address, text, len);
    if (inet_pton(AF_INET, address, &v4) == 1) {
        put_v4(block.bytes, &v4);
        block.bits = V4_BITS + read_bits(slash, 32);
    } else if (inet_pton(AF_INET6, address, block.bytes) == 1) {
        block.bits = read_bits(slash, 128);
    } else {
        return mr_fail(err, MR_EINVAL,
                       "'%.60s' is no address and no block of addresses (10.1.0.0/16, ::1)",
                       text);
    }
    if (block.bits > 128 || !is_tidy(&block))
        return mr_fail(err, MR_EINVAL,
                       "'%.60s': the number behind the slash does not fit the address", text);
    *out = block;
    return MR_OK;
}

static bool is_in(const uint8_t bytes[16], const char *text)
{
    struct mr_http_block block;

    return mr_http_block_parse(text, &block, NULL) == MR_OK && is_inside(bytes, &block);
}

/* The address as 16 bytes, IPv4 taken out of whatever holds it; false for a family that is neither. */
static bool unwrap(const struct sockaddr *address, uint8_t out[16])
{
    if (address->sa_family == AF_INET) {
        put_v4(out, &((const struct sockaddr_in *)(const void *)address)->sin_addr);
        return true;
    }
    if (address->sa_family != AF_INET6)
        return false;
    memcpy(out, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
    for (size_t i = 0; i < sizeof(embeddings) / sizeof(embeddings[0]); i++)
        if (is_in(out, embeddings[i].block)) {
            put_v4(out, out + embeddings[i].at);
            break;
        }
    return true;
}

static bool is_public(const uint8_t bytes[16])
{
    if (!is_in(bytes, "::ffff:0:0/96") && !is_in(bytes, "2000::/3"))
        return false;
    for (size_t i = 0; i < sizeof(special) / sizeof(special[0]); i++)
        if (is_in(bytes, special[i]))
            return false;
    return true;
}

bool mr_http_may_call(const struct sockaddr *address, const char *const *allow)
{
    uint8_t bytes[16];

    if (!unwrap(address, bytes))
        return false;
    for (size_t i = 0; allow && allow[i]; i++)
        if (is_in(bytes, allow[i]))
            return true;
    return is_public(bytes);
}
