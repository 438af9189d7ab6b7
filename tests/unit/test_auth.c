#include "dispatcher/auth.h"
#include "proto/base/mem.h"
#include "tests/support/suite.h"

#include <sys/socket.h>
#include <unistd.h>

static char token[] = "0123456789abcdef0123456789abcdef";
static char listen_host[] = "queue.example.net";
static char own_host[] = "box7";
static const struct mr_access access_with_token = {token, listen_host, own_host};
static const struct mr_access access_without = {NULL, NULL, own_host};

#define RIGHT "Bearer 0123456789abcdef0123456789abcdef"

static const struct {
    int want;
    struct mr_claim claim;
} rows[] = {
  /* hosts: an address cannot be rebound to another machine's page, a name can */
    {0,   {.method = "GET", .host = "127.0.0.1:9090", .authorization = RIGHT}                  },
    {0,   {.method = "GET", .host = "localhost", .authorization = RIGHT}                       },
    {0,   {.method = "GET", .host = "[::1]:9090", .authorization = RIGHT}                      },
    {0,   {.method = "GET", .host = "10.1.2.3:9090", .open = true}                             },
    {0,   {.method = "GET", .host = "Queue.example.net:9090", .authorization = RIGHT}          },
    {0,   {.method = "GET", .host = "box7:9090", .open = true}                                 },
    {421, {.method = "GET", .host = "evil.test", .authorization = RIGHT}                       },
    {421, {.method = "GET", .host = "evil.test", .open = true}                                 },
    {421, {.method = "GET", .host = "127.0.0.1.evil.test", .open = true}                       },
    {421, {.method = "GET", .host = "[::1", .open = true}                                      },
    {421, {.method = "GET", .host = NULL, .open = true}                                        },
    {0,   {.method = "GET", .host = "whatever", .local = true}                                 },
 /* token */
    {401, {.method = "GET", .host = "localhost"}                                               },
    {401, {.method = "GET", .host = "localhost", .authorization = "Bearer "}                   },
    {401, {.method = "GET", .host = "localhost", .authorization = "Bearer 0123"}               },
    {401, {.method = "GET", .host = "localhost", .authorization = RIGHT "0"}                   },
    {401, {.method = "GET", .host = "localhost", .authorization = "Basic abc"}                 },
    {401,
     {.method = "POST",
      .host = "localhost",
      .authorization = "Bearer 1"
                       "123456789abcdef0123456789abcdef"}                                      },
    {0,
     {.method = "GET",
      .host = "localhost",
      .authorization = "bearer 0123456789abcdef0123456789abcdef"}                              },
    {0,   {.method = "POST", .host = "x", .local = true}                                       },
 /* a browser's page of another site */
    {0,
     {.method = "POST",
      .host = "localhost",
      .authorization = RIGHT,
      .fetch_site = "same-origin"}                                                             },
    {0,   {.method = "POST", .host = "localhost", .authorization = RIGHT, .fetch_site = "none"}},
    {403,
     {.method = "POST",
      .host = "localhost",
      .authorization = RIGHT,
      .fetch_site = "cross-site"}                                                              },
    {403,
     {.method = "PATCH",
      .host = "localhost",
      .authorization = RIGHT,
      .fetch_site = "same-site"}                                                               },
    {0,
     {.method = "GET",
      .host = "localhost",
      .authorization = RIGHT,
      .fetch_site = "cross-site"}                                                              },
    {0,
     {.method = "POST",
      .host = "localhost:9090",
      .authorization = RIGHT,
      .origin = "http://localhost:9090"}                                                       },
    {403,
     {.method = "POST",
      .host = "localhost:9090",
      .authorization = RIGHT,
      .origin = "http://evil.test"}                                                            },
    {403,
     {.method = "POST",
      .host = "localhost:9090",
      .authorization = RIGHT,
      .origin = "http://localhost:80"}                                                         },
    {403, {.method = "POST", .host = "localhost", .authorization = RIGHT, .origin = "null"}    },
    {403, {.method = "POST", .host = "x", .local = true, .fetch_site = "cross-site"}           },
 /* two readings of one request */
    {400, {.method = "POST", .host = "x", .local = true, .n_content_lengths = 2}               },
    {400,
     {.method = "POST",
      .host = "x",
      .local = true,
      .n_content_lengths = 1,
      .has_transfer_encoding = true}                                                           },
    {400, {.method = "GET", .host = "x", .local = true, .n_hosts = 2}                          },
    {0,   {.method = "POST", .host = "x", .local = true, .n_content_lengths = 1, .n_hosts = 1} },
};

START_TEST(a_request_is_let_in_or_refused)
{
    struct mr_err why = {0};
    int status = mr_access_check(&access_with_token, &rows[_i].claim, &why);

    ck_assert_msg(status == rows[_i].want, "got %d (%s), want %d", status, why.text,
                  rows[_i].want);
    ck_assert_msg((status == 0) == (why.text[0] == '\0'), "a refusal says why");
    ck_assert_ptr_null(strstr(why.text, token));
}
END_TEST

START_TEST(without_a_token_tcp_serves_the_open_routes_alone)
{
    struct mr_claim claim = {.method = "GET", .host = "localhost", .authorization = "Bearer "};

    ck_assert_int_eq(mr_access_check(&access_without, &claim, NULL), 401);
    claim.open = true;
    ck_assert_int_eq(mr_access_check(&access_without, &claim, NULL), 0);
}
END_TEST

START_TEST(an_empty_token_opens_nothing)
{
    ck_assert(!mr_access_same_token("", ""));
    ck_assert(!mr_access_same_token("", "x"));
    ck_assert(!mr_access_same_token("x", ""));
    ck_assert(!mr_access_same_token("xy", "xyxy"));
    ck_assert(mr_access_same_token("xy", "xy"));
}
END_TEST

START_TEST(our_own_process_is_an_allowed_peer)
{
    int ends[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    ck_assert(mr_access_peer_allowed(ends[0]));
    close(ends[0]);
    close(ends[1]);
    ck_assert(!mr_access_peer_allowed(ends[0]));
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_request_is_let_in_or_refused,                   (int)MR_COUNT(rows)},
        {without_a_token_tcp_serves_the_open_routes_alone, 0                  },
        {an_empty_token_opens_nothing,                     0                  },
        {our_own_process_is_an_allowed_peer,               0                  },
    };

    return mr_suite_run("auth", tests);
}
