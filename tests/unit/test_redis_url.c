#include "proto/redis_url.h"
#include "tests/support/suite.h"

#include <string.h>

static const struct {
    const char *text, *host, *port, *path, *username, *password, *address;
    unsigned db;
} good[] = {
    {"redis://127.0.0.1",          "127.0.0.1", "6379", NULL,        NULL,  NULL,    "127.0.0.1:6379/0", 0},
    {"redis://h:6380/3",           "h",         "6380", NULL,        NULL,  NULL,    "h:6380/3",         3},
    {"redis://h/",                 "h",         "6379", NULL,        NULL,  NULL,    "h:6379/0",         0},
    {"redis://h?db=4",             "h",         "6379", NULL,        NULL,  NULL,    "h:6379/4",         4},
    {"REDIS://:pw@h",              "h",         "6379", NULL,        NULL,  "pw",    "h:6379/0",         0},
    {"redis://ann:p%40s%2Fs@h",    "h",         "6379", NULL,        "ann", "p@s/s", "h:6379/0",         0},
    {"redis://ann:p@ss@h",         "h",         "6379", NULL,        "ann", "p@ss",  "h:6379/0",         0},
    {"redis://ann:p:w@h",          "h",         "6379", NULL,        "ann", "p:w",   "h:6379/0",         0},
    {"redis://ann:@h",             "h",         "6379", NULL,        "ann", "",      "h:6379/0",         0},
    {"redis://ann@h",              "h",         "6379", NULL,        "ann", NULL,    "h:6379/0",         0},
    {"redis://@h",                 "h",         "6379", NULL,        NULL,  NULL,    "h:6379/0",         0},
    {"redis://:@h",                "h",         "6379", NULL,        NULL,  NULL,    "h:6379/0",         0},
    {"redis://[::1]",              "::1",       "6379", NULL,        NULL,  NULL,    "[::1]:6379/0",     0},
    {"redis://:pw@[fe80::1]:70/2", "fe80::1",   "70",   NULL,        NULL,  "pw",    "[fe80::1]:70/2",   2},
    {"redis+unix:///r/s.sock",     NULL,        NULL,   "/r/s.sock", NULL,  NULL,    "/r/s.sock",        0},
    {"redis+unix://:pw@/r/s?db=2", NULL,        NULL,   "/r/s",      NULL,  "pw",    "/r/s?db=2",        2},
    {"unix:/r/s.sock",             NULL,        NULL,   "/r/s.sock", NULL,  NULL,    "/r/s.sock",        0},
    {"unix:///r/s.sock",           NULL,        NULL,   "/r/s.sock", NULL,  NULL,    "/r/s.sock",        0},
    {"unix:/r/a@b/s",              NULL,        NULL,   "/r/a@b/s",  NULL,  NULL,    "/r/a@b/s",         0},
};

static void same(const char *what, const char *got, const char *want)
{
    ck_assert_msg((!got && !want) || (got && want && strcmp(got, want) == 0),
                  "%s: got %s, want %s", what, got ? got : "(none)", want ? want : "(none)");
}

START_TEST(each_form_is_taken_apart)
{
    struct mr_redis_url url;
    struct mr_err err;

    ck_assert_msg(mr_redis_url_parse(good[_i].text, &url, &err) == MR_OK, "%s: %s",
                  good[_i].text, err.text);
    same("host", url.host, good[_i].host);
    same("port", url.port, good[_i].port);
    same("path", url.path, good[_i].path);
    same("username", url.username, good[_i].username);
    same("password", url.password, good[_i].password);
    same("address", url.address, good[_i].address);
    ck_assert_uint_eq(url.db, good[_i].db);
    mr_redis_url_fini(&url);
}
END_TEST

static const struct {
    const char *text, *said;
} bad[] = {
    {"",                                       "must begin with redis://"},
    {"http://:geheim@h",                       "must begin with redis://"},
    {"127.0.0.1:6379",                         "must begin with redis://"},
    {"rediss://:geheim@h",                     "TLS"                     },
    {"redis://",                               "no host"                 },
    {"redis://:geheim@",                       "no host"                 },
    {"redis://:geheim@h:port",                 "port must be a number"   },
    {"redis://:geheim@h:",                     "port must be a number"   },
    {"redis://:geheim@h:65536",                "port must be a number"   },
    {"redis://:geheim@h:99999999999999999999", "port must be a number"   },
    {"redis://:geheim@h:0",                    "port 0"                  },
    {"redis://:geheim@h/abc",                  "database"                },
    {"redis://:geheim@h/-1",                   "database"                },
    {"redis://:geheim@h?db=",                  "db must be a number"     },
    {"redis://:geheim@h?ssl=1",                "only option"             },
    {"redis://:geheim@::1",                    "more than one colon"     },
    {"redis://:geheim@[::1",                   "IPv6"                    },
    {"redis://:geheim@[::1]x",                 "IPv6"                    },
    {"redis://:geheim%@h",                     "%25"                     },
    {"redis://:geheim%4@h",                    "%25"                     },
    {"redis://:geheim%zz@h",                   "%25"                     },
    {"redis://:geheim%00@h",                   "%25"                     },
    {"unix:relative/path",                     "absolute path"           },
    {"redis+unix://:geheim@host/path",         "absolute path"           },
    {"redis+unix://",                          "absolute path"           },
};

START_TEST(each_mistake_is_named_and_the_password_is_not)
{
    struct mr_redis_url url = {.db = 77};
    struct mr_err err;

    ck_assert_int_eq(mr_redis_url_parse(bad[_i].text, &url, &err), MR_EINVAL);
    ck_assert_msg(strstr(err.text, bad[_i].said) != NULL, "%s: %s", bad[_i].text, err.text);
    ck_assert_ptr_null(strstr(err.text, "geheim"));
    ck_assert_uint_eq(url.db, 77);
}
END_TEST

START_TEST(a_path_longer_than_a_socket_may_have_is_refused)
{
    struct mr_redis_url url;
    struct mr_err err;
    char text[200] = "unix:/";

    memset(text + 6, 'x', 107);
    ck_assert_int_eq(mr_redis_url_parse(text, &url, &err), MR_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "108 bytes"));
    text[5 + 107] = '\0';
    ck_assert_int_eq(mr_redis_url_parse(text, &url, &err), MR_OK);
    mr_redis_url_fini(&url);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {each_form_is_taken_apart,                        MR_COUNT(good)},
        {each_mistake_is_named_and_the_password_is_not,   MR_COUNT(bad) },
        {a_path_longer_than_a_socket_may_have_is_refused, 0             },
    };

    return mr_suite_run("redis_url", tests);
}
