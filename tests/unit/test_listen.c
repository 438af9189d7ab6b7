#include "dispatcher/listen.h"
#include "proto/base/mem.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
    const char *text, *host; /* host NULL: refused */
    bool loopback;
} addresses[] = {
    {"127.0.0.1:9090",  "127.0.0.1", true },
    {"127.9.9.9:0",     "127.9.9.9", true },
    {"[::1]:9090",      "::1",       true },
    {"0.0.0.0:9090",    "0.0.0.0",   false},
    {":9090",           "",          false},
    {"10.0.0.1:9090",   "10.0.0.1",  false},
    {"127.0.0.1",       NULL,        false},
    {"::1:9090",        NULL,        false},
    {"127.0.0.1:70000", NULL,        false},
    {"127.0.0.1:http",  NULL,        false},
    {"127.0.0.1:-1",    NULL,        false},
    {"127.0.0.1:",      NULL,        false},
    {"[::1:9090",       NULL,        false},
};

START_TEST(an_address_is_read_or_refused)
{
    struct mr_listen_address address;
    struct mr_err err;
    enum mr_code code = mr_listen_resolve(addresses[_i].text, &address, &err);

    ck_assert_int_eq(code, addresses[_i].host ? MR_OK : MR_EINVAL);
    if (code == MR_OK) {
        ck_assert_str_eq(address.host, addresses[_i].host);
        ck_assert_int_eq(address.loopback, addresses[_i].loopback);
    }
}
END_TEST

START_TEST(a_port_in_use_is_busy_and_named)
{
    struct mr_listen_address address;
    struct mr_err err;
    char text[32], port_text[8];
    unsigned port = 0, other = 0;
    int fd = -1, second = -1;

    ck_assert_int_eq(mr_listen_resolve("127.0.0.1:0", &address, &err), MR_OK);
    ck_assert_int_eq(mr_listen_tcp(&address, &fd, &port, &err), MR_OK);
    ck_assert_uint_gt(port, 0);
    snprintf(text, sizeof(text), "127.0.0.1:%u", port);
    snprintf(port_text, sizeof(port_text), "%u", port);
    ck_assert_int_eq(mr_listen_resolve(text, &address, &err), MR_OK);
    ck_assert_int_eq(mr_listen_tcp(&address, &second, &other, &err), MR_EBUSY);
    ck_assert_ptr_nonnull(strstr(err.text, port_text));
    close(fd);
}
END_TEST

/* ---- unix sockets ---- */

static char dir[] = "/tmp/mr-listen-XXXXXX";
static char path[64];

static void make_dir(void)
{
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/s", dir);
}

static void remove_dir(void)
{
    unlink(path);
    rmdir(dir);
}

START_TEST(a_living_socket_is_busy_a_dead_one_is_replaced)
{
    struct stat st;
    int fd = -1, other = -1;
    struct mr_err err;

    make_dir();
    ck_assert_int_eq(mr_listen_unix(path, &fd, &err), MR_OK);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    ck_assert_int_eq(mr_listen_unix(path, &other, &err), MR_EBUSY);
    close(fd); /* as a process that was killed: the file stays */
    ck_assert_int_eq(mr_listen_unix(path, &fd, &err), MR_OK);
    close(fd);
    remove_dir();
}
END_TEST

START_TEST(a_file_in_the_way_is_left_alone)
{
    struct mr_err err;
    int fd = -1;

    make_dir();
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    fclose(file);
    ck_assert_int_eq(mr_listen_unix(path, &fd, &err), MR_EINVAL);
    ck_assert_int_eq(access(path, F_OK), 0);
    remove_dir();
}
END_TEST

START_TEST(a_path_too_long_for_a_socket_says_so)
{
    char deep[200];
    struct mr_err err;
    int fd = -1;

    memset(deep, 'x', sizeof(deep));
    deep[0] = '/';
    deep[108] = '\0';
    ck_assert_int_eq(mr_listen_unix(deep, &fd, &err), MR_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "107"));
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {an_address_is_read_or_refused,                  (int)MR_COUNT(addresses)},
        {a_port_in_use_is_busy_and_named,                0                       },
        {a_living_socket_is_busy_a_dead_one_is_replaced, 0                       },
        {a_file_in_the_way_is_left_alone,                0                       },
        {a_path_too_long_for_a_socket_says_so,           0                       },
    };

    return mr_suite_run("listen", tests);
}
