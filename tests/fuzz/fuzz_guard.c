/* Any text as a block of addresses, and any address as one to call: judged alike however it is written. */
#include "jobs/services/http_guard.h"
#include "proto/base/mem.h"
#include "tests/fuzz/must.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* What is no public host's, a second time: a network and how many bits of it count. */
static const struct {
    uint32_t network;
    unsigned bits;
} closed[] = {
    {0x00000000, 8 },
    {0x0a000000, 8 },
    {0x64400000, 10},
    {0x7f000000, 8 },
    {0xa83f8110, 32},
    {0xa9fe0000, 16},
    {0xac100000, 12},
    {0xc0000000, 24},
    {0xc0000200, 24},
    {0xc0586300, 24},
    {0xc0a80000, 16},
    {0xc6120000, 15},
    {0xc6336400, 24},
    {0xcb007100, 24},
    {0xe0000000, 3 },
};

static bool is_closed(uint32_t v4)
{
    for (size_t i = 0; i < MR_COUNT(closed); i++)
        if ((v4 ^ closed[i].network) >> (32 - closed[i].bits) == 0)
            return true;
    return false;
}

static bool may_call(const uint8_t bytes[16], const char *const *allow)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6};

    memcpy(&address.sin6_addr, bytes, 16);
    return mr_http_may_call((const struct sockaddr *)(const void *)&address, allow);
}

/* Alone, mapped, and inside of NAT64 and 6to4. */
static void check_v4(const uint8_t v4[4])
{
    uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff}, nat64[16] = {0, 0x64, 0xff, 0x9b},
            six_to_four[16] = {0x20, 0x02};
    struct sockaddr_in address = {.sin_family = AF_INET};
    uint32_t number;

    memcpy(&address.sin_addr, v4, 4);
    memcpy(mapped + 12, v4, 4);
    memcpy(nat64 + 12, v4, 4);
    memcpy(six_to_four + 2, v4, 4);
    memcpy(&number, v4, 4);
    bool open = !is_closed(ntohl(number));
    must(mr_http_may_call((const struct sockaddr *)(const void *)&address, NULL) == open);
    must(may_call(mapped, NULL) == open);
    must(may_call(nat64, NULL) == open);
    must(may_call(six_to_four, NULL) == open);
}

static void check_v6(const uint8_t bytes[16])
{
    if (bytes[0] >> 5 != 1 && memcmp(bytes, (uint8_t[12]){[10] = 0xff, [11] = 0xff}, 12) != 0 &&
        memcmp(bytes, (uint8_t[12]){0, 0x64, 0xff, 0x9b}, 12) != 0)
        must(!may_call(bytes, NULL)); /* no unicast */
}

static void check_block(const char *text)
{
    struct mr_http_block block, again;
    char address[INET6_ADDRSTRLEN], printed[INET6_ADDRSTRLEN + 8];
    const char *allow[] = {text, NULL};
    struct mr_err err = {0};

    if (mr_http_block_parse(text, &block, &err) != MR_OK) {
        must(err.text[0]);
        return;
    }
    inet_ntop(AF_INET6, block.bytes, address, sizeof(address));
    snprintf(printed, sizeof(printed), "%s/%u", address, block.bits);
    must(block.bits <= 128 && mr_http_block_parse(printed, &again, NULL) == MR_OK);
    must(memcmp(block.bytes, again.bytes, 16) == 0 && block.bits == again.bits);
    bool embeds = memcmp(block.bytes, (uint8_t[12]){0, 0x64, 0xff, 0x9b}, 12) == 0 ||
                  memcmp(block.bytes, (uint8_t[2]){0x20, 0x02}, 2) == 0;
    must(embeds || may_call(block.bytes, allow)); /* it is in itself */
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char *text = mr_strndup((const char *)bytes, len);

    if (len >= 16) {
        check_v4(bytes);
        check_v6(bytes);
    }
    check_block(text);
    free(text);
    return 0;
}
