#include "jobs/services/http_guard.h"
#include "tests/support/suite.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static struct sockaddr_storage address_of(const char *text)
{
    struct sockaddr_storage address = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;

    address.ss_family = strchr(text, ':') ? AF_INET6 : AF_INET;
    ck_assert_int_eq(
        inet_pton(address.ss_family, text,
                  strchr(text, ':') ? (void *)&v6->sin6_addr : (void *)&v4->sin_addr),
        1);
    return address;
}

static bool may_call(const char *text, const char *const *allow)
{
    struct sockaddr_storage address = address_of(text);

    return mr_http_may_call((const struct sockaddr *)&address, allow);
}

/* The first and the last of each block, and their neighbours. */
static const char *const closed[] = {
    "0.0.0.0",
    "0.255.255.255",
    "10.0.0.0",
    "10.255.255.255",
    "100.64.0.0",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.255",
    "168.63.129.16",
    "169.254.0.0",
    "169.254.169.254",
    "169.254.255.255",
    "172.16.0.0",
    "172.31.255.255",
    "192.0.0.0",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.0",
    "192.168.255.255",
    "198.18.0.0",
    "198.19.255.255",
    "198.51.100.7",
    "203.0.113.255",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",         /* IPv4-compatible 127.0.0.1 */
    "::8.8.8.8",        /* no more in use, public or not */
    "::ffff:127.0.0.1", /* IPv4-mapped */
    "::ffff:10.1.2.3",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1", /* IPv4-translated */
    "64:ff9b::10.0.0.1",  /* NAT64 */
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::1", /* local NAT64 */
    "100::1",       /* discarded */
    "2001::1",      /* Teredo */
    "2001:10::1",   /* ORCHID */
    "2001:1ff:ffff::1",
    "2001:db8::1",
    "2002:7f00:1::1",   /* 6to4 of 127.0.0.1 */
    "2002:a9fe:a9fe::", /* 6to4 of 169.254.169.254 */
    "3fff::1",
    "3fff:fff:ffff::1",
    "4000::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254", /* a cloud's metadata */
    "fdff:ffff::1",
    "fe80::1",
    "febf:ffff::1",
    "fec0::1", /* site-local */
    "ff02::1",
};

START_TEST(what_is_not_public_is_not_called)
{
    ck_assert_msg(!may_call(closed[_i], NULL), "%s was let through", closed[_i]);
}
END_TEST

static const char *const open_ones[] = {
    "1.1.1.1",         "8.8.8.8",
    "9.255.255.255",   "11.0.0.0",
    "100.63.255.255",  "100.128.0.0",
    "126.255.255.255", "128.0.0.0",
    "168.63.129.15",   "168.63.129.17",
    "169.253.255.255", "169.255.0.0",
    "172.15.255.255",  "172.32.0.0",
    "192.0.1.0",       "192.167.255.255",
    "192.169.0.0",     "198.17.255.255",
    "198.20.0.0",      "223.255.255.255",
    "::ffff:8.8.8.8",  "64:ff9b::8.8.8.8",
    "2002:808:808::1", "2000::1",
    "2001:200::1",     "2001:4860:4860::8888",
    "2001:db9::1",     "2606:4700:4700::1111",
    "3fff:1000::1",    "3ffe::1",
};

START_TEST(what_is_public_is_called)
{
    ck_assert_msg(may_call(open_ones[_i], NULL), "%s was refused", open_ones[_i]);
}
END_TEST

/* One row: what is allowed, an address, and whether it may be called then. */
static const struct {
    const char *allow, *address;
    bool may;
} exceptions[] = {
    {"127.0.0.1",          "127.0.0.1",         true },
    {"127.0.0.1",          "127.0.0.2",         false},
    {"127.0.0.1",          "::1",               false},
    {"127.0.0.1",          "::ffff:127.0.0.1",  true },
    {"10.1.0.0/16",        "10.1.255.255",      true },
    {"10.1.0.0/16",        "10.2.0.0",          false},
    {"10.1.2.0/23",        "10.1.3.255",        true },
    {"10.1.2.0/23",        "10.1.4.0",          false},
    {"10.1.2.3/32",        "10.1.2.3",          true },
    {"10.1.2.3/32",        "10.1.2.2",          false},
    {"0.0.0.0/0",          "169.254.169.254",   true },
    {"0.0.0.0/0",          "fe80::1",           false},
    {"::1",                "::1",               true },
    {"::1",                "::2",               false},
    {"fd00::/8",           "fd12:3456::1",      true },
    {"fd00::/8",           "fc00::1",           false},
    {"fd00:0:0:8000::/49", "fd00:0:0:7fff::1",  false},
    {"fd00:0:0:8000::/49", "fd00:0:0:ffff::1",  true },
    {"::/0",               "127.0.0.1",         true },
    {"10.0.0.0/8",         "64:ff9b::10.0.0.1", true },
    {"nonsense",           "127.0.0.1",         false},
    {"10.0.0.0/8",         "8.8.8.8",           true },
};

START_TEST(what_is_allowed_is_called_and_no_more)
{
    const char *const allow[] = {"192.168.77.0/24", exceptions[_i].allow, NULL};

    ck_assert_msg(may_call(exceptions[_i].address, allow) == exceptions[_i].may, "allow %s, %s",
                  exceptions[_i].allow, exceptions[_i].address);
}
END_TEST

START_TEST(another_family_is_never_called)
{
    const char *const allow[] = {"::/0", "0.0.0.0/0", NULL};
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/run/socket"};

    ck_assert(!mr_http_may_call((const struct sockaddr *)&address, allow));
}
END_TEST

static const char *const no_blocks[] = {
    "",          "localhost",   "10.1/16",          "10.0.0.1/8",   "10.0.0.0/33",
    "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x",      "::1/127",      "::/129",
    "010.0.0.0", "1.2.3.4.5",   "10.0.0.0/0000008", "fe80::1%eth0", "0x7f.0.0.1",
};

START_TEST(what_is_no_block_is_refused_by_name)
{
    struct mr_http_block block;
    struct mr_err err = {0};

    ck_assert_int_eq(mr_http_block_parse(no_blocks[_i], &block, &err), MR_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, no_blocks[_i]));
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {what_is_not_public_is_not_called,      MR_COUNT(closed)    },
        {what_is_public_is_called,              MR_COUNT(open_ones) },
        {what_is_allowed_is_called_and_no_more, MR_COUNT(exceptions)},
        {another_family_is_never_called,        0                   },
        {what_is_no_block_is_refused_by_name,   MR_COUNT(no_blocks) },
    };

    return mr_suite_run("http_guard", tests);
}
