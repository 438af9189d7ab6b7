/* The HTTP client against real servers: what leaves, what comes back, and what is known when something breaks. */
#include "jobs/services/http_own.h"
#include "proto/base/clock.h"
#include "tests/support/http_scene.h"
#include "tests/support/suite.h"
#include "worker/delivery.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct mr_http_scene scene;

/* ---- what leaves and what comes back ---- */

START_TEST(a_request_arrives_as_it_was_made)
{
    static const char *const headers[] = {"X-One: 1", "Content-Type: text/plain",
                                          "X-Empty:", NULL};

    mr_http_scene_start(&scene, NULL);
    struct mr_http_request request =
        mr_http_scene_request(mr_http_scene_url(scene.peer.port, "/echo?a=b#c"));
    request.headers = headers;
    request.body = mr_bytes_of("one two");
    request.bearer = "canary";
    const struct mr_http_answer *answer = mr_http_scene_ask(&scene, &request);
    mr_http_scene_expect(answer, MR_HTTP_ANSWERED, "");
    ck_assert_int_eq(answer->status, 200);
    ck_assert(mr_bytes_is(mr_http_header(answer, "content-TYPE"), "application/json"));
    ck_assert_ptr_null(mr_http_header(answer, "Content").at);
    ck_assert_int_eq(answer->retry_after_ms, -1);
    json_t *requests = mr_peer_requests(&scene.peer, NULL);
    ck_assert_str_eq(mr_peer_seen(requests, 0, "method"), "POST");
    ck_assert_str_eq(mr_peer_seen(requests, 0, "path"), "/echo?a=b");
    ck_assert_str_eq(mr_peer_seen(requests, 0, "x-one"), "1");
    ck_assert_str_eq(mr_peer_seen(requests, 0, "x-empty"), "");
    ck_assert_str_eq(mr_peer_seen(requests, 0, "content-type"), "text/plain");
    ck_assert_str_eq(mr_peer_seen(requests, 0, "authorization"), "Bearer canary");
    ck_assert_str_eq(mr_peer_seen(requests, 0, "expect"), "(none)");
    ck_assert_str_eq(mr_peer_seen(requests, 0, "body"), "one two");
    json_decref(requests);
    mr_http_scene_stop(&scene);
}
END_TEST

static const struct {
    const char *method, *body, *seen;
} methods[] = {
    {NULL,      NULL, "GET"    },
    {NULL,      "",   "POST"   },
    {"POST",    NULL, "POST"   },
    {"PUT",     "b",  "PUT"    },
    {"PATCH",   NULL, "PATCH"  },
    {"DELETE",  NULL, "DELETE" },
    {"DELETE",  "b",  "DELETE" },
    {"HEAD",    NULL, "HEAD"   },
    {"OPTIONS", NULL, "OPTIONS"},
    {"GET",     "b",  "GET"    },
};

START_TEST(every_method_goes_with_and_without_a_body)
{
    mr_http_scene_start(&scene, NULL);
    struct mr_http_request request =
        mr_http_scene_request(mr_http_scene_url(scene.peer.port, "/echo"));
    request.method = methods[_i].method;
    request.body = mr_bytes_of(methods[_i].body);
    const struct mr_http_answer *answer = mr_http_scene_ask(&scene, &request);
    mr_http_scene_expect(answer, MR_HTTP_ANSWERED, "");
    ck_assert_int_eq(answer->status, 200);
    json_t *requests = mr_peer_requests(&scene.peer, NULL);
    ck_assert_str_eq(mr_peer_seen(requests, 0, "method"), methods[_i].seen);
    ck_assert_str_eq(mr_peer_seen(requests, 0, "body"),
                     methods[_i].body ? methods[_i].body : "");
    ck_assert_str_eq(mr_peer_seen(requests, 0, "content-type"), "(none)");
    json_decref(requests);
    mr_http_scene_stop(&scene);
}
END_TEST

START_TEST(a_login_of_the_url_or_the_request_is_basic_authentication)
{
    char url[100];

    mr_http_scene_start(&scene, NULL);
    struct mr_http_request request =
        mr_http_scene_request(mr_http_scene_url(scene.peer.port, "/echo"));
    request.username = "shop";
    request.password = "se:cret";
    mr_http_scene_ask(&scene, &request);
    snprintf(url, sizeof(url), "http://shop:se%%3Acret@127.0.0.1:%d/echo", scene.peer.port);
    request = mr_http_scene_request(url);
    mr_http_scene_ask(&scene, &request);
    json_t *requests = mr_peer_requests(&scene.peer, NULL);
    ck_assert_str_eq(mr_peer_seen(requests, 0, "authorization"), "Basic c2hvcDpzZTpjcmV0");
    ck_assert_str_eq(mr_peer_seen(requests, 1, "authorization"), "Basic c2hvcDpzZTpjcmV0");
    json_decref(requests);
    mr_http_scene_stop(&scene);
}
END_TEST

START_TEST(provisional_answers_and_trailers_are_no_headers)
{
    static const char *const replies[] = {
        "HTTP/1.1 100 Continue\r\nX-A: no\r\n\r\n"
        "HTTP/1.1 103 Early Hints\r\nX-A: no\r\n\r\n"
        "HTTP/1.1 200 OK\r\nX-A:  yes \r\nTransfer-Encoding: chunked\r\nTrailer: X-B\r\n\r\n"
        "2\r\nhi\r\n0\r\nX-B: late\r\n\r\n",
        NULL};

    mr_http_scene_start_canned(&scene, replies);
    struct mr_http_request request =
        mr_http_scene_request(mr_http_scene_url(scene.canned.port, "/"));
    const struct mr_http_answer *answer = mr_http_scene_ask(&scene, &request);
    mr_http_scene_expect(answer, MR_HTTP_ANSWERED, "");
    ck_assert(mr_bytes_is(answer->body, "hi"));
    ck_assert(mr_bytes_is(mr_http_header(answer, "X-A"), "yes"));
    ck_assert_ptr_null(mr_http_header(answer, "X-B").at);
    mr_http_scene_stop_canned(&scene);
}
END_TEST

static const struct {
    const char *path;
    size_t max, len;
    bool truncated;
} sizes[] = {
    {"/bytes/5000",             5000, 5000, false},
    {"/bytes/5000",             4999, 4999, true },
    {"/bytes/5000?chunked",     4999, 4999, true },
    {"/bytes/50000000?chunked", 1000, 1000, true },
    {"/bytes/0",                0,    0,    false},
    {"/bytes/1",                0,    0,    true },
};

START_TEST(an_answer_is_read_so_far_and_no_further)
{
    mr_http_scene_start(&scene, NULL);
    struct mr_http_request request =
        mr_http_scene_request(mr_http_scene_url(scene.peer.port, sizes[_i].path));
    request.body_max = sizes[_i].max;
    const struct mr_http_answer *answer = mr_http_scene_ask(&scene, &request);
    mr_http_scene_expect(answer, MR_HTTP_ANSWERED, "");
    ck_assert_int_eq(answer->status, 200);
    ck_assert_ptr_nonnull(answer->body.at);
    ck_assert_uint_eq(answer->body.len, sizes[_i].len);
    ck_assert_int_eq(answer->truncated, sizes[_i].truncated);
    mr_http_scene_stop(&scene);
}
END_TEST

/* ---- connections and turns ---- */

START_TEST(a_connection_is_used_again)
{
    mr_http_scene_start(&scene, NULL);
    for (int n = 0; n < 5; n++) {
        struct mr_http_request request =
            mr_http_scene_request(mr_http_scene_url(scene.peer.port, "/status/200"));

        request.body = mr_bytes_of("x");
        ck_assert_int_eq(mr_http_scene_ask(&scene, &request)->status, 200);
    }
    ck_assert_uint_eq(mr_peer_count(&scene.peer, NULL), 5);
    ck_assert_uint_eq(mr_peer_connections(&scene.peer, NULL), 1);
    mr_http_scene_stop(&scene);
}
END_TEST

START_TEST(a_peer_gets_no_more_at_once_than_it_may)
{
    enum { CALLS = 40, AT_ONCE = 3 };

    mr_http_scene_start(&scene, NULL);
    struct mr_http_request request =
        mr_http_scene_request(mr_http_scene_url(scene.peer.port, "/echo?fault=slow20"));
    request.peer_max = AT_ONCE;
    for (unsigned n = 0; n < CALLS; n++)
        mr_http_scene_begin(&scene, n, &request);
    mr_http_scene_await(&scene, CALLS);
    for (unsigned n = 0; n < CALLS; n++)
        mr_http_scene_expect(&scene.results[n].answer, MR_HTTP_ANSWERED, "");
    ck_assert_uint_eq(mr_peer_most_open(&scene.peer, NULL), AT_ONCE);
    ck_assert_uint_eq(mr_peer_connections(&scene.peer, NULL), AT_ONCE);
    mr_http_scene_stop(&scene);
}
END_TEST

START_TEST(those_who_wait_for_a_turn_get_it_in_order)
{
    mr_http_scene_start(&scene, NULL);
    struct mr_http_request request =
        mr_http_scene_request(mr_http_scene_url(scene.peer.port, "/echo"));
    request.peer_max = 1;
    for (unsigned n = 0; n < 10; n++)
        mr_http_scene_begin(&scene, n, &request);
    mr_http_scene_await(&scene, 10);
    for (unsigned n = 0; n < 10; n++)
        ck_assert_uint_eq(scene.results[n].order, n + 1);
    mr_http_scene_stop(&scene);
}
END_TEST

START_TEST(a_slow_peer_holds_nobody_elses_turn)
{
    static const char *const replies[] = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", NULL};

    mr_http_scene_start(&scene, NULL);
    mr_canned_start(&scene.canned, replies);
    struct mr_http_request slow =
        mr_http_scene_request(mr_http_scene_url(scene.peer.port, "/echo?fault=hang"));
    struct mr_http_request quick =
        mr_http_scene_request(mr_http_scene_url(scene.canned.port, "/"));
    slow.peer_max = quick.peer_max = 1;
    slow.timeout_ms = 1000;
    mr_http_scene_begin(&scene, 0, &slow);
    mr_http_scene_begin(&scene, 1, &slow);
    mr_http_scene_begin(&scene, 2, &quick);
    mr_http_scene_await(&scene, 1);
    ck_assert(scene.results[2].over);
    mr_http_scene_await(&scene, 3);
    mr_http_scene_stop(&scene);
    mr_canned_stop(&scene.canned);
}
END_TEST

/* ---- what is known when something breaks ---- */

static const struct {
    const char *fault;
    const char *words;
} broken[] = {
    {"reset",             "hung up without an answer|no answer of"           },
    {"reset-before-body", "hung up without an answer|no answer of"           },
    {"half",              "broke off behind status 200"                      },
    {"hang",              "no whole answer of http://127.0.0.1:|within 500ms"},
    {"dribble30",         "no whole answer of http://127.0.0.1:|within 500ms"},
};

START_TEST(what_left_and_was_not_answered_is_unknown)
{
    char path[64], words[100];

    mr_http_scene_start(&scene, NULL);
    snprintf(path, sizeof(path), "/bytes/200?fault=%s", broken[_i].fault);
    snprintf(words, sizeof(words), "%s", broken[_i].words);
    struct mr_http_request request =
        mr_http_scene_request(mr_http_scene_url(scene.peer.port, path));
    request.body = mr_bytes_of("x");
    request.timeout_ms = 500;
    const struct mr_http_answer *answer = mr_http_scene_ask(&scene, &request);
    mr_http_scene_expect(answer, MR_HTTP_UNKNOWN, "");
    bool found = false;
    for (char *word = strtok(words, "|"); word; word = strtok(NULL, "|"))
        found |= strstr(answer->trouble, word) != NULL;
    ck_assert_msg(found, "%s", answer->trouble);
    ck_assert_ptr_null(strstr(answer->trouble, "fault"));
    mr_http_scene_stop(&scene);
}
END_TEST

static char flood[400 * 1024];

static const char *const nonsense[] = {
    "hello\r\n\r\n" MR_CANNED_BYE,
    "HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n" MR_CANNED_BYE,
    "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort" MR_CANNED_BYE,
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe" MR_CANNED_BYE,
    "HTTP/1.1 200 OK\r\nX-Half: " MR_CANNED_BYE,
    "",
    "HTTP/1.1 100 Continue\r\n\r\n" MR_CANNED_BYE, /* and then nothing */
    "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 20" MR_CANNED_BYE,
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n" MR_CANNED_BYE,
    "HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n" MR_CANNED_BYE,
    flood,
};

START_TEST(an_answer_that_is_none_is_unknown)
{
    const char *const replies[] = {nonsense[_i], NULL};

    strcpy(flood, "HTTP/1.1 200 OK\r\n");
    for (size_t len = strlen(flood); len < sizeof(flood) - 40; len += 32)
        strcpy(flood + len, "X-Flood: 01234567890123456789\r\n");
    mr_http_scene_start_canned(&scene, replies);
    struct mr_http_request request =
        mr_http_scene_request(mr_http_scene_url(scene.canned.port, "/"));
    request.body = mr_bytes_of("x");
    mr_http_scene_expect(mr_http_scene_ask(&scene, &request), MR_HTTP_UNKNOWN, "");
    mr_http_scene_stop_canned(&scene);
    ck_assert_uint_eq(scene.canned.n_requests, 1);
}
END_TEST

static const struct {
    const char *path;
    uint64_t timeout_ms, within_ms;
} hints[] = {
    {"/echo?fault=provisional",   20000, 10000}, /* as fast as it can: too many bytes */
    {"/echo?fault=provisional20", 300,   5000 }, /* slowly: the exchange's time is over */
};

START_TEST(provisional_answers_without_end_are_cut_off)
{
    mr_http_scene_start(&scene, NULL);
    struct mr_http_request request =
        mr_http_scene_request(mr_http_scene_url(scene.peer.port, hints[_i].path));
    request.body = mr_bytes_of("x");
    request.timeout_ms = hints[_i].timeout_ms;
    uint64_t began_ms = mr_clock_ms();
    const struct mr_http_answer *answer = mr_http_scene_ask(&scene, &request);
    mr_http_scene_expect(answer, MR_HTTP_UNKNOWN, "");
    ck_assert_uint_lt(mr_clock_ms() - began_ms, hints[_i].within_ms);
    ck_assert_uint_eq(answer->headers.len, 0);
    mr_http_scene_stop(&scene);
}
END_TEST

/* Bound and not listening. */
static int closed_port(int *out_fd)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);

    *out_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(*out_fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(getsockname(*out_fd, (struct sockaddr *)&address, &len), 0);
    return ntohs(address.sin_port);
}

START_TEST(where_nobody_listens_nothing_is_sent)
{
    int fd, port = closed_port(&fd);

    mr_http_scene_open(&scene);
    struct mr_http_request request =
        mr_http_scene_request(mr_http_scene_url(port, "/secret?token=canary"));
    const struct mr_http_answer *answer = mr_http_scene_ask(&scene, &request);
    mr_http_scene_expect(answer, MR_HTTP_NOT_SENT, "no connection to http://127.0.0.1:");
    ck_assert_ptr_nonnull(strstr(answer->trouble, "Connection refused"));
    ck_assert_ptr_null(strstr(answer->trouble, "secret"));
    mr_http_scene_close(&scene);
    close(fd);
}
END_TEST

/* The kernel takes no connection beyond a full backlog, and says nothing. */
START_TEST(where_nobody_accepts_nothing_is_sent)
{
    int listener, port = closed_port(&listener), fds[3];
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};

    ck_assert_int_eq(listen(listener, 0), 0);
    for (unsigned i = 0; i < MR_COUNT(fds); i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        connect(fds[i], (struct sockaddr *)&address, sizeof(address));
    }
    mr_http_scene_open(&scene);
    struct mr_http_request request = mr_http_scene_request(mr_http_scene_url(port, "/"));
    request.timeout_ms = 300;
    mr_http_scene_expect(mr_http_scene_ask(&scene, &request), MR_HTTP_NOT_SENT,
                         "no connection to");
    mr_http_scene_close(&scene);
    for (unsigned i = 0; i < MR_COUNT(fds); i++)
        close(fds[i]);
    close(listener);
}
END_TEST

START_TEST(a_cancelled_call_says_whether_it_had_left)
{
    mr_http_scene_start(&scene, NULL);
    struct mr_http_request request =
        mr_http_scene_request(mr_http_scene_url(scene.peer.port, "/echo?fault=hang"));
    request.peer_max = 1;
    struct mr_http_call *first = mr_http_scene_begin(&scene, 0, &request),
                        *second = mr_http_scene_begin(&scene, 1, &request);
    while (mr_peer_count(&scene.peer, NULL) == 0)
        uv_run(&scene.loop, UV_RUN_NOWAIT);
    mr_http_cancel(second);
    ck_assert(!scene.results[1].over);
    mr_http_scene_await(&scene, 1);
    mr_http_scene_expect(&scene.results[1].answer, MR_HTTP_NOT_SENT, "cancelled");
    mr_http_cancel(first);
    mr_http_scene_await(&scene, 2);
    mr_http_scene_expect(&scene.results[0].answer, MR_HTTP_UNKNOWN, "cancelled");
    mr_http_scene_stop(&scene);
}
END_TEST

/*
 * The peer keeps the connection open, reads the second request, and hangs up without a word: it may have done what it says.
 * One row: a method, and how often that peer sees the second request.
 */
static const struct {
    const char *method;
    enum mr_http_end end;
    unsigned seen;
} reused[] = {
    {"POST",  MR_HTTP_UNKNOWN,  1},
    {"PATCH", MR_HTTP_UNKNOWN,  1},
    {"GET",   MR_HTTP_ANSWERED, 2},
    {"PUT",   MR_HTTP_ANSWERED, 2},
};

START_TEST(only_what_may_be_repeated_is_sent_again_by_itself)
{
    static const char *const replies[] = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "",
                                          "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", NULL};

    mr_http_scene_start_canned(&scene, replies);
    struct mr_http_request request =
        mr_http_scene_request(mr_http_scene_url(scene.canned.port, "/first"));
    mr_http_scene_expect(mr_http_scene_ask(&scene, &request), MR_HTTP_ANSWERED, "");
    request = mr_http_scene_request(mr_http_scene_url(scene.canned.port, "/second"));
    request.method = reused[_i].method;
    mr_http_scene_expect(mr_http_scene_ask(&scene, &request), reused[_i].end, "");
    mr_http_scene_stop_canned(&scene);
    ck_assert_uint_eq(scene.canned.n_requests, 1 + reused[_i].seen);
}
END_TEST

START_TEST(an_idle_connection_that_the_peer_has_closed_does_no_harm)
{
    static const char *const replies[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" MR_CANNED_BYE, NULL};

    mr_http_scene_start_canned(&scene, replies);
    for (int n = 0; n < 3; n++) {
        struct mr_http_request request =
            mr_http_scene_request(mr_http_scene_url(scene.canned.port, "/"));

        request.body = mr_bytes_of("x");
        mr_http_scene_expect(mr_http_scene_ask(&scene, &request), MR_HTTP_ANSWERED, "");
        usleep(20000); /* for its good-bye to arrive */
    }
    mr_http_scene_stop_canned(&scene);
    ck_assert_uint_eq(scene.canned.n_requests, 3);
    ck_assert_uint_eq(scene.canned.n_connections, 3);
}
END_TEST

/* ---- Retry-After ---- */

static const struct {
    const char *value;
    int64_t ms;
} waits[] = {
    {"0",                              0       },
    {"120",                            120000  },
    {"86400",                          86400000},
    {"86401",                          86400000},
    {"1000000000",                     86400000},
    {"99999999999999999999999999",     86400000},
    {"Sun, 06 Nov 1994 08:49:47 GMT",  10000   },
    {"Sunday, 06-Nov-94 08:49:47 GMT", 10000   },
    {"Sun Nov  6 08:49:47 1994",       10000   },
    {"Sun, 06 Nov 1994 08:49:30 GMT",  0       },
    {"Sun, 06 Nov 2094 08:49:37 GMT",  86400000},
    {"-1",                             -1      },
    {"1.5",                            -1      },
    {"+3",                             -1      },
    {"soon",                           -1      },
    {"",                               -1      },
    {NULL,                             -1      },
};

START_TEST(retry_after_is_seconds_or_a_date_and_at_most_a_day)
{
    const uint64_t now_ms = 784111777000; /* Sun, 06 Nov 1994 08:49:37 GMT */

    ck_assert_int_eq(mr_http_retry_after_ms(mr_bytes_of(waits[_i].value), now_ms),
                     waits[_i].ms);
}
END_TEST

START_TEST(an_answer_says_when_to_come_back)
{
    mr_http_scene_start(&scene, NULL);
    struct mr_http_request request =
        mr_http_scene_request(mr_http_scene_url(scene.peer.port, "/echo?fault=busy7"));
    const struct mr_http_answer *answer = mr_http_scene_ask(&scene, &request);
    ck_assert_int_eq(answer->status, 429);
    ck_assert_int_eq(answer->retry_after_ms, 7000);
    mr_http_scene_stop(&scene);
}
END_TEST

/* ---- threads ---- */

/* A thread that asks, as a run handler would. */
struct asking {
    const char *url;
    struct mr_delivery delivery; /* whose job may be cancelled */
    struct mr_http_answer answer;
    atomic_bool over;
};

static void *ask_blocking(void *arg)
{
    struct asking *asking = arg;
    struct mr_http_request request = mr_http_scene_request(asking->url);

    mr_http_exchange(scene.client, &request, mr_delivery_job(&asking->delivery),
                     &asking->answer);
    atomic_store(&asking->over, true);
    return NULL;
}

START_TEST(threads_wait_for_their_own_answers)
{
    enum { THREADS = 8 };
    static struct asking all[THREADS];
    pthread_t threads[THREADS];
    char urls[THREADS][64];

    mr_http_scene_start(&scene, NULL);
    for (unsigned i = 0; i < THREADS; i++) {
        snprintf(urls[i], sizeof(urls[i]), "http://127.0.0.1:%d/bytes/%u", scene.peer.port,
                 i * 100);
        all[i].url = urls[i];
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_blocking, &all[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        while (!atomic_load(&all[i].over))
            uv_run(&scene.loop, UV_RUN_NOWAIT);
        pthread_join(threads[i], NULL);
        ck_assert_int_eq(all[i].answer.status, 200);
        ck_assert_uint_eq(all[i].answer.body.len, i * 100);
        ck_assert_ptr_nonnull(mr_http_header(&all[i].answer, "Content-Length").at);
        mr_http_answer_fini(&all[i].answer);
    }
    mr_http_scene_stop(&scene);
}
END_TEST

START_TEST(a_cancelled_job_lets_its_thread_go)
{
    static struct asking one;
    pthread_t thread;

    mr_http_scene_start(&scene, NULL);
    one.url = mr_http_scene_url(scene.peer.port, "/echo?fault=hang");
    ck_assert_int_eq(pthread_create(&thread, NULL, ask_blocking, &one), 0);
    while (mr_peer_count(&scene.peer, NULL) == 0)
        uv_run(&scene.loop, UV_RUN_NOWAIT);
    atomic_store(&one.delivery.cancelled, true);
    while (!atomic_load(&one.over))
        uv_run(&scene.loop, UV_RUN_NOWAIT);
    pthread_join(thread, NULL);
    mr_http_scene_expect(&one.answer, MR_HTTP_UNKNOWN, "cancelled");
    mr_http_answer_fini(&one.answer);
    mr_http_scene_stop(&scene);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_request_arrives_as_it_was_made,                          0                 },
        {every_method_goes_with_and_without_a_body,                 MR_COUNT(methods) },
        {a_login_of_the_url_or_the_request_is_basic_authentication, 0                 },
        {provisional_answers_and_trailers_are_no_headers,           0                 },
        {an_answer_is_read_so_far_and_no_further,                   MR_COUNT(sizes)   },
        {a_connection_is_used_again,                                0                 },
        {a_peer_gets_no_more_at_once_than_it_may,                   0                 },
        {those_who_wait_for_a_turn_get_it_in_order,                 0                 },
        {a_slow_peer_holds_nobody_elses_turn,                       0                 },
        {what_left_and_was_not_answered_is_unknown,                 MR_COUNT(broken)  },
        {an_answer_that_is_none_is_unknown,                         MR_COUNT(nonsense)},
        {provisional_answers_without_end_are_cut_off,               MR_COUNT(hints)   },
        {where_nobody_listens_nothing_is_sent,                      0                 },
        {where_nobody_accepts_nothing_is_sent,                      0                 },
        {a_cancelled_call_says_whether_it_had_left,                 0                 },
        {only_what_may_be_repeated_is_sent_again_by_itself,         MR_COUNT(reused)  },
        {an_idle_connection_that_the_peer_has_closed_does_no_harm,  0                 },
        {retry_after_is_seconds_or_a_date_and_at_most_a_day,        MR_COUNT(waits)   },
        {an_answer_says_when_to_come_back,                          0                 },
        {threads_wait_for_their_own_answers,                        0                 },
        {a_cancelled_job_lets_its_thread_go,                        0                 },
    };

    return mr_suite_run("http_client", tests);
}
