/* The HTTP client against real servers: what leaves, what comes back, and what is known when something breaks. */
#include "jobs/services/http_own.h"
#include "tests/support/canned.h"
#include "tests/support/peer.h"
#include "tests/support/sink.h"
#include "tests/support/suite.h"
#include "worker/delivery.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { CALLS_MAX = 64, BODY_MAX = 1 << 20 };

static uv_loop_t loop;
static struct mr_http_client *client;
static struct mr_peer peer;
static struct mr_canned canned;
static char dir[] = "/tmp/mr-http-XXXXXX";
static const char *const loopback[] = {"127.0.0.1", NULL};

/* What became of each call, by its number. */
static struct outcome {
    bool over;
    unsigned order; /* from 1 */
    struct mr_http_answer answer;
} outcomes[CALLS_MAX];
static unsigned n_over;

/* ---- names ---- */

static atomic_uint n_lookups;
static sem_t name_server; /* lets those go who ask for hung.test */

static struct addrinfo *numeric(const char *text)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *list = NULL;

    ck_assert_int_eq(getaddrinfo(text, NULL, &hints, &list), 0);
    return list;
}

static int find(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **out)
{
    (void)service, (void)hints;
    atomic_fetch_add(&n_lookups, 1);
    if (strcasecmp(node, "hung.test") == 0) {
        sem_wait(&name_server);
        *out = numeric("127.0.0.1");
    } else if (strcasecmp(node, "one.test") == 0) {
        *out = numeric("127.0.0.1");
    } else if (strcasecmp(node, "two.test") == 0) {
        /* Nobody listens at the first. */
        *out = numeric("127.0.0.9");
        (*out)->ai_next = numeric("127.0.0.1");
    } else if (strcasecmp(node, "mixed.test") == 0) {
        *out = numeric("127.0.0.1");
        (*out)->ai_next = numeric("10.0.0.1");
    } else {
        return EAI_NONAME;
    }
    return 0;
}

/* ---- the scene ---- */

static void open_client(void)
{
    struct mr_err err = {0};

    signal(SIGPIPE, SIG_IGN);
    sem_init(&name_server, 0, 0);
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    ck_assert_int_eq(mr_http_client_new(&loop, find, &client, &err), MR_OK);
}

static void close_client(void)
{
    mr_http_client_close(client);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    for (unsigned i = 0; i < CALLS_MAX; i++) {
        free((char *)outcomes[i].answer.body.at);
        mr_buf_fini(&outcomes[i].answer.headers);
    }
}

static void start(const char *const *args)
{
    ck_assert_ptr_nonnull(mkdtemp(dir));
    mr_peer_start(&peer, dir, args);
    open_client();
}

static void stop(void)
{
    char command[64];

    close_client();
    mr_peer_stop(&peer);
    snprintf(command, sizeof(command), "rm -r -- %s", dir);
    ck_assert_int_eq(system(command), 0);
}

static void start_canned(const char *const *replies)
{
    mr_canned_start(&canned, replies);
    open_client();
}

static void stop_canned(void)
{
    close_client();
    mr_canned_stop(&canned);
}

static void on_done(void *arg, const struct mr_http_answer *answer)
{
    struct outcome *o = arg;

    ck_assert(!o->over);
    o->over = true;
    o->order = ++n_over;
    o->answer = *answer;
    o->answer.body.at = answer->body.at ? mr_strndup(answer->body.at, answer->body.len) : NULL;
    o->answer.headers = (struct mr_buf){0};
    mr_buf_add(&o->answer.headers, answer->headers.at, answer->headers.len);
}

/* A url of the peer's; a handful of them is valid at once. */
static const char *at(int port, const char *path)
{
    static char urls[8][400];
    static unsigned n;
    char *url = urls[n++ % 8];

    snprintf(url, sizeof(urls[0]), "http://127.0.0.1:%d%s", port, path);
    return url;
}

static struct mr_http_request request_to(const char *url)
{
    return (struct mr_http_request){.url = url, .timeout_ms = 10000, .body_max = BODY_MAX};
}

static struct mr_http_call *begin(unsigned n, const struct mr_http_request *request)
{
    return mr_http_send(client, request, on_done, &outcomes[n]);
}

static void await(unsigned n)
{
    while (n_over < n)
        uv_run(&loop, UV_RUN_ONCE);
}

static const struct mr_http_answer *ask(const struct mr_http_request *request)
{
    static unsigned n;

    begin(n, request);
    await(n_over + 1);
    return &outcomes[n++].answer;
}

static void expect(const struct mr_http_answer *answer, enum mr_http_end end, const char *words)
{
    ck_assert_msg(answer->end == end, "end %d, status %ld: %s", answer->end, answer->status,
                  answer->trouble);
    ck_assert_msg(strstr(answer->trouble, words), "'%s' is not in '%s'", words,
                  answer->trouble);
    ck_assert(end == MR_HTTP_ANSWERED || answer->status == 0);
}

static struct mr_bytes text(const char *bytes)
{
    return mr_bytes_of(bytes);
}

/* ---- what leaves and what comes back ---- */

/* A member of what the peer saw of its n-th request, or of its headers. */
static const char *seen(json_t *requests, size_t n, const char *name)
{
    json_t *line = json_array_get(requests, n);
    const char *value = json_string_value(json_object_get(line, name));

    if (!value)
        value = json_string_value(json_object_get(json_object_get(line, "headers"), name));
    return value ? value : "(none)";
}

START_TEST(a_request_arrives_as_it_was_made)
{
    static const char *const headers[] = {"X-One: 1", "Content-Type: text/plain",
                                          "X-Empty:", NULL};

    start(NULL);
    struct mr_http_request request = request_to(at(peer.port, "/echo?a=b#c"));
    request.headers = headers;
    request.body = text("one two");
    request.bearer = "canary";
    const struct mr_http_answer *answer = ask(&request);
    expect(answer, MR_HTTP_ANSWERED, "");
    ck_assert_int_eq(answer->status, 200);
    ck_assert(mr_bytes_is(mr_http_header(answer, "content-TYPE"), "application/json"));
    ck_assert_ptr_null(mr_http_header(answer, "Content").at);
    ck_assert_int_eq(answer->retry_after_ms, -1);
    json_t *requests = mr_peer_requests(&peer, NULL);
    ck_assert_str_eq(seen(requests, 0, "method"), "POST");
    ck_assert_str_eq(seen(requests, 0, "path"), "/echo?a=b");
    ck_assert_str_eq(seen(requests, 0, "x-one"), "1");
    ck_assert_str_eq(seen(requests, 0, "x-empty"), "");
    ck_assert_str_eq(seen(requests, 0, "content-type"), "text/plain");
    ck_assert_str_eq(seen(requests, 0, "authorization"), "Bearer canary");
    ck_assert_str_eq(seen(requests, 0, "expect"), "(none)");
    ck_assert_str_eq(seen(requests, 0, "body"), "one two");
    json_decref(requests);
    stop();
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
    start(NULL);
    struct mr_http_request request = request_to(at(peer.port, "/echo"));
    request.method = methods[_i].method;
    request.body = text(methods[_i].body);
    const struct mr_http_answer *answer = ask(&request);
    expect(answer, MR_HTTP_ANSWERED, "");
    ck_assert_int_eq(answer->status, 200);
    json_t *requests = mr_peer_requests(&peer, NULL);
    ck_assert_str_eq(seen(requests, 0, "method"), methods[_i].seen);
    ck_assert_str_eq(seen(requests, 0, "body"), methods[_i].body ? methods[_i].body : "");
    ck_assert_str_eq(seen(requests, 0, "content-type"), "(none)");
    json_decref(requests);
    stop();
}
END_TEST

START_TEST(a_login_of_the_url_or_the_request_is_basic_authentication)
{
    char url[100];

    start(NULL);
    struct mr_http_request request = request_to(at(peer.port, "/echo"));
    request.username = "shop";
    request.password = "se:cret";
    ask(&request);
    snprintf(url, sizeof(url), "http://shop:se%%3Acret@127.0.0.1:%d/echo", peer.port);
    request = request_to(url);
    ask(&request);
    json_t *requests = mr_peer_requests(&peer, NULL);
    ck_assert_str_eq(seen(requests, 0, "authorization"), "Basic c2hvcDpzZTpjcmV0");
    ck_assert_str_eq(seen(requests, 1, "authorization"), "Basic c2hvcDpzZTpjcmV0");
    json_decref(requests);
    stop();
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

    start_canned(replies);
    struct mr_http_request request = request_to(at(canned.port, "/"));
    const struct mr_http_answer *answer = ask(&request);
    expect(answer, MR_HTTP_ANSWERED, "");
    ck_assert(mr_bytes_is(answer->body, "hi"));
    ck_assert(mr_bytes_is(mr_http_header(answer, "X-A"), "yes"));
    ck_assert_ptr_null(mr_http_header(answer, "X-B").at);
    stop_canned();
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
    start(NULL);
    struct mr_http_request request = request_to(at(peer.port, sizes[_i].path));
    request.body_max = sizes[_i].max;
    const struct mr_http_answer *answer = ask(&request);
    expect(answer, MR_HTTP_ANSWERED, "");
    ck_assert_int_eq(answer->status, 200);
    ck_assert_ptr_nonnull(answer->body.at);
    ck_assert_uint_eq(answer->body.len, sizes[_i].len);
    ck_assert_int_eq(answer->truncated, sizes[_i].truncated);
    stop();
}
END_TEST

/* ---- connections and turns ---- */

START_TEST(a_connection_is_used_again)
{
    start(NULL);
    for (int n = 0; n < 5; n++) {
        struct mr_http_request request = request_to(at(peer.port, "/status/200"));

        request.body = text("x");
        ck_assert_int_eq(ask(&request)->status, 200);
    }
    ck_assert_uint_eq(mr_peer_count(&peer, NULL), 5);
    ck_assert_uint_eq(mr_peer_connections(&peer, NULL), 1);
    stop();
}
END_TEST

START_TEST(a_peer_gets_no_more_at_once_than_it_may)
{
    enum { CALLS = 40, AT_ONCE = 3 };

    start(NULL);
    struct mr_http_request request = request_to(at(peer.port, "/echo?fault=slow20"));
    request.peer_max = AT_ONCE;
    for (unsigned n = 0; n < CALLS; n++)
        begin(n, &request);
    await(CALLS);
    for (unsigned n = 0; n < CALLS; n++)
        expect(&outcomes[n].answer, MR_HTTP_ANSWERED, "");
    ck_assert_uint_eq(mr_peer_most_open(&peer, NULL), AT_ONCE);
    ck_assert_uint_eq(mr_peer_connections(&peer, NULL), AT_ONCE);
    stop();
}
END_TEST

START_TEST(those_who_wait_for_a_turn_get_it_in_order)
{
    start(NULL);
    struct mr_http_request request = request_to(at(peer.port, "/echo"));
    request.peer_max = 1;
    for (unsigned n = 0; n < 10; n++)
        begin(n, &request);
    await(10);
    for (unsigned n = 0; n < 10; n++)
        ck_assert_uint_eq(outcomes[n].order, n + 1);
    stop();
}
END_TEST

START_TEST(a_slow_peer_holds_nobody_elses_turn)
{
    static const char *const replies[] = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", NULL};

    start(NULL);
    mr_canned_start(&canned, replies);
    struct mr_http_request slow = request_to(at(peer.port, "/echo?fault=hang"));
    struct mr_http_request quick = request_to(at(canned.port, "/"));
    slow.peer_max = quick.peer_max = 1;
    slow.timeout_ms = 1000;
    begin(0, &slow);
    begin(1, &slow);
    begin(2, &quick);
    await(1);
    ck_assert(outcomes[2].over);
    await(3);
    stop();
    mr_canned_stop(&canned);
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

    start(NULL);
    snprintf(path, sizeof(path), "/bytes/200?fault=%s", broken[_i].fault);
    snprintf(words, sizeof(words), "%s", broken[_i].words);
    struct mr_http_request request = request_to(at(peer.port, path));
    request.body = text("x");
    request.timeout_ms = 500;
    const struct mr_http_answer *answer = ask(&request);
    expect(answer, MR_HTTP_UNKNOWN, "");
    bool found = false;
    for (char *word = strtok(words, "|"); word; word = strtok(NULL, "|"))
        found |= strstr(answer->trouble, word) != NULL;
    ck_assert_msg(found, "%s", answer->trouble);
    ck_assert_ptr_null(strstr(answer->trouble, "fault"));
    stop();
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
    flood,
};

START_TEST(an_answer_that_is_none_is_unknown)
{
    const char *const replies[] = {nonsense[_i], NULL};

    strcpy(flood, "HTTP/1.1 200 OK\r\n");
    for (size_t len = strlen(flood); len < sizeof(flood) - 40; len += 32)
        strcpy(flood + len, "X-Flood: 01234567890123456789\r\n");
    start_canned(replies);
    struct mr_http_request request = request_to(at(canned.port, "/"));
    request.body = text("x");
    expect(ask(&request), MR_HTTP_UNKNOWN, "");
    stop_canned();
    ck_assert_uint_eq(canned.n_requests, 1);
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

    open_client();
    struct mr_http_request request = request_to(at(port, "/secret?token=canary"));
    const struct mr_http_answer *answer = ask(&request);
    expect(answer, MR_HTTP_NOT_SENT, "no connection to http://127.0.0.1:");
    ck_assert_ptr_nonnull(strstr(answer->trouble, "Connection refused"));
    ck_assert_ptr_null(strstr(answer->trouble, "secret"));
    close_client();
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
    open_client();
    struct mr_http_request request = request_to(at(port, "/"));
    request.timeout_ms = 300;
    expect(ask(&request), MR_HTTP_NOT_SENT, "no connection to");
    close_client();
    for (unsigned i = 0; i < MR_COUNT(fds); i++)
        close(fds[i]);
    close(listener);
}
END_TEST

START_TEST(a_turn_that_does_not_come_in_time_sends_nothing)
{
    start(NULL);
    struct mr_http_request request = request_to(at(peer.port, "/echo?fault=hang"));
    request.peer_max = 1;
    request.timeout_ms = 2000;
    begin(0, &request);
    request.timeout_ms = 200;
    begin(1, &request);
    await(1);
    expect(&outcomes[1].answer, MR_HTTP_NOT_SENT, "no turn at http://127.0.0.1:");
    await(2);
    ck_assert_uint_eq(mr_peer_count(&peer, NULL), 1);
    stop();
}
END_TEST

START_TEST(a_cancelled_call_says_whether_it_had_left)
{
    start(NULL);
    struct mr_http_request request = request_to(at(peer.port, "/echo?fault=hang"));
    request.peer_max = 1;
    struct mr_http_call *first = begin(0, &request), *second = begin(1, &request);
    while (mr_peer_count(&peer, NULL) == 0)
        uv_run(&loop, UV_RUN_NOWAIT);
    mr_http_cancel(second);
    ck_assert(!outcomes[1].over);
    await(1);
    expect(&outcomes[1].answer, MR_HTTP_NOT_SENT, "cancelled");
    mr_http_cancel(first);
    await(2);
    expect(&outcomes[0].answer, MR_HTTP_UNKNOWN, "cancelled");
    stop();
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

    start_canned(replies);
    struct mr_http_request request = request_to(at(canned.port, "/first"));
    expect(ask(&request), MR_HTTP_ANSWERED, "");
    request = request_to(at(canned.port, "/second"));
    request.method = reused[_i].method;
    expect(ask(&request), reused[_i].end, "");
    stop_canned();
    ck_assert_uint_eq(canned.n_requests, 1 + reused[_i].seen);
}
END_TEST

START_TEST(an_idle_connection_that_the_peer_has_closed_does_no_harm)
{
    static const char *const replies[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" MR_CANNED_BYE, NULL};

    start_canned(replies);
    for (int n = 0; n < 3; n++) {
        struct mr_http_request request = request_to(at(canned.port, "/"));

        request.body = text("x");
        expect(ask(&request), MR_HTTP_ANSWERED, "");
        usleep(20000); /* for its good-bye to arrive */
    }
    stop_canned();
    ck_assert_uint_eq(canned.n_requests, 3);
    ck_assert_uint_eq(canned.n_connections, 3);
}
END_TEST

/* ---- names ---- */

START_TEST(a_name_is_looked_up_once_for_many_calls)
{
    char url[64];

    start(NULL);
    snprintf(url, sizeof(url), "http://one.test:%d/echo", peer.port);
    struct mr_http_request request = request_to(url);
    for (unsigned n = 0; n < 10; n++)
        begin(n, &request);
    await(10);
    for (unsigned n = 0; n < 10; n++)
        ck_assert_int_eq(outcomes[n].answer.status, 200);
    ck_assert_uint_eq(n_lookups, 1);
    json_t *requests = mr_peer_requests(&peer, NULL);
    ck_assert_ptr_nonnull(strstr(seen(requests, 0, "host"), "one.test:"));
    json_decref(requests);
    stop();
}
END_TEST

START_TEST(of_several_addresses_one_that_answers_is_enough)
{
    char url[64];

    start(NULL);
    snprintf(url, sizeof(url), "http://two.test:%d/echo", peer.port);
    struct mr_http_request request = request_to(url);
    ck_assert_int_eq(ask(&request)->status, 200);
    stop();
}
END_TEST

START_TEST(a_name_that_nobody_knows_is_not_sent_to)
{
    open_client();
    struct mr_http_request request = request_to("http://nowhere.test/");
    expect(ask(&request), MR_HTTP_NOT_SENT, "no address of nowhere.test: Name or service");
    close_client();
}
END_TEST

START_TEST(a_silent_name_server_costs_the_deadline_and_holds_no_end)
{
    open_client();
    struct mr_http_request request = request_to("http://hung.test/");
    request.timeout_ms = 200;
    expect(ask(&request), MR_HTTP_NOT_SENT, "the name server is silent");
    close_client(); /* while a thread still asks */
    sem_post(&name_server);
}
END_TEST

START_TEST(an_answer_of_the_name_server_that_comes_late_serves_those_who_wait)
{
    char url[64];

    start(NULL);
    snprintf(url, sizeof(url), "http://hung.test:%d/echo", peer.port);
    struct mr_http_request request = request_to(url);
    request.timeout_ms = 100;
    begin(0, &request);
    request.timeout_ms = 10000;
    begin(1, &request);
    await(1);
    ck_assert(outcomes[0].over);
    sem_post(&name_server);
    await(2);
    ck_assert_int_eq(outcomes[1].answer.status, 200);
    stop();
}
END_TEST

/* ---- what is refused ---- */

static const struct {
    const char *url, *words;
    bool configured; /* not from a payload, and refused all the same */
} refused[] = {
    {"ftp://127.0.0.1/",                         "neither http nor https",           true },
    {"file:///etc/passwd",                       "neither http nor https",           true },
    {"gopher://127.0.0.1:6379/_FLUSHALL",        "neither http nor https",           true },
    {"127.0.0.1/",                               "the url is refused",               true },
    {"",                                         "the url is refused",               true },
    {"http://",                                  "the url is refused",               true },
    {"http://127.0.0.1:99999/",                  "the url is refused",               true },
    {"http://a b/",                              "the url is refused",               true },
    {"http://a\r\nX: y/",                        "the url is refused",               true },
    {"http://[fe80::1%25eth0]/",                 "its host is none",                 true },
    {"http://u:canary@127.0.0.1/",               "it holds a user",                  false},
    {"http://u@127.0.0.1/",                      "it holds a user",                  false},
    {"http://127.0.0.1/?canary",                 "neither public nor in http.allow", false},
    {"https://127.0.0.1/",                       "neither public nor in http.allow", false},
    {"http://2130706433/",                       "neither public nor in http.allow", false},
    {"http://0x7f.1/",                           "neither public nor in http.allow", false},
    {"http://0x7f000001/",                       "neither public nor in http.allow", false},
    {"http://0177.0.0.1/",                       "neither public nor in http.allow", false},
    {"http://127.1/",                            "neither public nor in http.allow", false},
    {"http://0/",                                "neither public nor in http.allow", false},
    {"http://127.0.0.1./",                       "",                                 false},
    {"http://[::1]/",                            "neither public nor in http.allow", false},
    {"http://[::]/",                             "neither public nor in http.allow", false},
    {"http://[::ffff:127.0.0.1]/",               "neither public nor in http.allow", false},
    {"http://[::ffff:7f00:1]/",                  "neither public nor in http.allow", false},
    {"http://[64:ff9b::7f00:1]/",                "neither public nor in http.allow", false},
    {"http://169.254.169.254/latest/meta-data/", "neither public nor in http.allow", false},
    {"http://[fd00:ec2::254]/",                  "neither public nor in http.allow", false},
    {"http://one.test/",                         "neither public nor in http.allow", false},
    {"http://mixed.test/",                       "neither public nor in http.allow", false},
    {"http://ONE.test:6379/",                    "neither public nor in http.allow", false},
};

START_TEST(what_may_not_be_called_is_refused_for_good)
{
    open_client();
    struct mr_http_request request = request_to(refused[_i].url);
    request.from_payload = !refused[_i].configured;
    const struct mr_http_answer *answer = ask(&request);
    if (*refused[_i].words)
        expect(answer, MR_HTTP_REFUSED, refused[_i].words);
    else
        ck_assert_int_ne(answer->end, MR_HTTP_ANSWERED);
    ck_assert_ptr_null(strstr(answer->trouble, "canary"));
    close_client();
}
END_TEST

static const char *const bad_headers[] = {"X-A: 1\r\nX-B: 2", "X-A: 1\n", "no colon",
                                          ": no name",        "X A: 1",   "X-A: \x7f",
                                          "X-A: \x01"};

START_TEST(a_header_that_would_forge_the_request_refuses_it)
{
    const char *const headers[] = {"X-Good: 1", bad_headers[_i], NULL};

    open_client();
    struct mr_http_request request = request_to("http://127.0.0.1:1/");
    request.headers = headers;
    expect(ask(&request), MR_HTTP_REFUSED, "header");
    close_client();
}
END_TEST

static const char *const bad_methods[] = {"G ET", "GET\r\n", "", "CONNECT", "G/T"};

START_TEST(a_method_that_is_none_refuses_the_request)
{
    open_client();
    struct mr_http_request request = request_to("http://127.0.0.1:1/");
    request.method = bad_methods[_i];
    expect(ask(&request), MR_HTTP_REFUSED, "no such method");
    close_client();
}
END_TEST

START_TEST(an_allowed_address_is_called_as_one_name_or_another)
{
    static const char *const hosts[] = {"127.0.0.1", "2130706433", "0x7f.1", "one.test"};
    char url[64];

    start(NULL);
    for (unsigned i = 0; i < MR_COUNT(hosts); i++) {
        snprintf(url, sizeof(url), "http://%s:%d/echo", hosts[i], peer.port);
        struct mr_http_request request = request_to(url);

        request.from_payload = true;
        request.allow = loopback;
        ck_assert_int_eq(ask(&request)->status, 200);
    }
    stop();
}
END_TEST

START_TEST(no_proxy_of_the_environment_is_used)
{
    start(NULL);
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    struct mr_http_request request = request_to(at(peer.port, "/echo"));
    ck_assert_int_eq(ask(&request)->status, 200);
    stop();
}
END_TEST

/* ---- redirects ---- */

/* A redirect of the peer's to a place of its own. */
static const char *redirect(int status, const char *to)
{
    static char path[300];

    snprintf(path, sizeof(path), "/redirect?status=%d&to=%s", status, to);
    return at(peer.port, path);
}

static const struct {
    int status;
    const char *method, *body, *method_then, *body_then;
} moves[] = {
    {301, "POST", "b",  "GET",  "" },
    {302, "POST", "b",  "GET",  "" },
    {303, "PUT",  "b",  "GET",  "" },
    {307, "POST", "b",  "POST", "b"},
    {308, "PUT",  "b",  "PUT",  "b"},
    {302, "GET",  NULL, "GET",  "" },
    {303, "HEAD", NULL, "HEAD", "" },
};

START_TEST(a_redirect_is_followed_as_its_status_says)
{
    static const char *const headers[] = {"Content-Type: text/plain", "X-Token: canary", NULL};

    start(NULL);
    struct mr_http_request request = request_to(redirect(moves[_i].status, "/echo"));
    request.method = moves[_i].method;
    request.body = text(moves[_i].body);
    request.headers = headers;
    request.redirects_max = 1;
    ck_assert_int_eq(ask(&request)->status, 200);
    json_t *requests = mr_peer_requests(&peer, NULL);
    ck_assert_str_eq(seen(requests, 1, "method"), moves[_i].method_then);
    ck_assert_str_eq(seen(requests, 1, "body"), moves[_i].body_then);
    ck_assert_str_eq(seen(requests, 1, "x-token"), "canary");
    json_decref(requests);
    stop();
}
END_TEST

START_TEST(a_redirect_is_an_answer_where_none_is_wanted)
{
    start(NULL);
    struct mr_http_request request = request_to(redirect(302, "/echo"));
    const struct mr_http_answer *answer = ask(&request);
    expect(answer, MR_HTTP_ANSWERED, "");
    ck_assert_int_eq(answer->status, 302);
    ck_assert(mr_bytes_is(mr_http_header(answer, "Location"), "/echo"));
    stop();
}
END_TEST

START_TEST(to_another_origin_go_no_secrets)
{
    static const char *const headers[] = {"X-Token: canary", "Accept: text/plain", NULL};
    static const char *const replies[] = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", NULL};

    start(NULL);
    mr_canned_start(&canned, replies);
    struct mr_http_request request = request_to(redirect(307, at(canned.port, "/other")));
    request.headers = headers;
    request.username = "canary";
    request.password = "canary";
    request.redirects_max = 3;
    ck_assert_int_eq(ask(&request)->status, 200);
    stop();
    mr_canned_stop(&canned);
    ck_assert_ptr_nonnull(strstr(canned.requests[0], "GET /other HTTP/1.1\r\n"));
    ck_assert_ptr_nonnull(strstr(canned.requests[0], "Accept: text/plain\r\n"));
    ck_assert_ptr_null(strstr(canned.requests[0], "canary"));
    ck_assert_ptr_null(strstr(canned.requests[0], "Authorization"));
}
END_TEST

static const struct {
    const char *to, *words;
} bad_moves[] = {
    {"http://127.0.0.2:1/",      "neither public nor in http.allow"},
    {"http://169.254.169.254/x", "neither public nor in http.allow"},
    {"http://mixed.test/",       "neither public nor in http.allow"},
    {"file:///etc/passwd",       "refused"                         },
    {"http://u:p@127.0.0.1/",    "a user or a password"            },
    {"/redirect?to=/redirect",   "redirects more than 2"           },
};

START_TEST(a_redirect_to_where_jobs_may_not_go_is_refused)
{
    char to[200];

    start(NULL);
    snprintf(to, sizeof(to), "%s", bad_moves[_i].to);
    if (strcmp(to, "/redirect?to=/redirect") == 0) /* a loop of its own making */
        snprintf(to, sizeof(to),
                 "/redirect?to=%%2Fredirect%%3Fto%%3D%%252Fredirect%%253Fto%%253D%%25252Fecho");
    struct mr_http_request request = request_to(redirect(302, to));
    request.from_payload = true;
    request.allow = loopback;
    request.redirects_max = 2;
    expect(ask(&request), MR_HTTP_REFUSED, bad_moves[_i].words);
    stop();
}
END_TEST

/* ---- TLS ---- */

/* One row: the host that is called, whose certificate is trusted, the words of the refusal; NULL: it is served. */
static const struct {
    const char *host, *trusted, *words;
} handshakes[] = {
    {"127.0.0.1", "good", NULL            },
    {"127.0.0.1", "evil", "no trusted TLS"},
    {"127.0.0.1", NULL,   "no trusted TLS"},
    {"one.test",  "good", "no trusted TLS"},
    {"127.0.0.1", "none", "no trusted TLS"},
};

START_TEST(only_a_peer_that_proves_its_name_is_told_anything)
{
    char certificate[64], key[64], url[64], trusted[64];
    const char *const args[] = {"--cert", certificate, "--key", key, NULL};

    ck_assert_ptr_nonnull(mkdtemp(dir));
    mr_sink_certify(dir, "good");
    mr_sink_certify(dir, "evil");
    snprintf(certificate, sizeof(certificate), "%s/good.crt", dir);
    snprintf(key, sizeof(key), "%s/good.key", dir);
    mr_peer_start(&peer, dir, args);
    open_client();
    snprintf(url, sizeof(url), "https://%s:%d/echo", handshakes[_i].host, peer.port);
    struct mr_http_request request = request_to(url);
    if (handshakes[_i].trusted) {
        snprintf(trusted, sizeof(trusted), "%s/%s.crt", dir, handshakes[_i].trusted);
        request.ca_file = trusted;
    }
    request.body = text("canary");
    if (handshakes[_i].words)
        expect(ask(&request), MR_HTTP_NOT_SENT, handshakes[_i].words);
    else
        ck_assert_int_eq(ask(&request)->status, 200);
    ck_assert_uint_eq(mr_peer_count(&peer, NULL), handshakes[_i].words ? 0 : 1);
    stop();
}
END_TEST

START_TEST(a_peer_without_tls_is_not_told_in_clear)
{
    char url[64];

    start(NULL);
    snprintf(url, sizeof(url), "https://127.0.0.1:%d/echo", peer.port);
    struct mr_http_request request = request_to(url);
    expect(ask(&request), MR_HTTP_NOT_SENT, "no trusted TLS with https://127.0.0.1:");
    stop();
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
    start(NULL);
    struct mr_http_request request = request_to(at(peer.port, "/echo?fault=busy7"));
    const struct mr_http_answer *answer = ask(&request);
    ck_assert_int_eq(answer->status, 429);
    ck_assert_int_eq(answer->retry_after_ms, 7000);
    stop();
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
    struct mr_http_request request = request_to(asking->url);

    mr_http_exchange(client, &request, mr_delivery_job(&asking->delivery), &asking->answer);
    atomic_store(&asking->over, true);
    return NULL;
}

START_TEST(threads_wait_for_their_own_answers)
{
    enum { THREADS = 8 };
    static struct asking all[THREADS];
    pthread_t threads[THREADS];
    char urls[THREADS][64];

    start(NULL);
    for (unsigned i = 0; i < THREADS; i++) {
        snprintf(urls[i], sizeof(urls[i]), "http://127.0.0.1:%d/bytes/%u", peer.port, i * 100);
        all[i].url = urls[i];
        ck_assert_int_eq(pthread_create(&threads[i], NULL, ask_blocking, &all[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        while (!atomic_load(&all[i].over))
            uv_run(&loop, UV_RUN_NOWAIT);
        pthread_join(threads[i], NULL);
        ck_assert_int_eq(all[i].answer.status, 200);
        ck_assert_uint_eq(all[i].answer.body.len, i * 100);
        ck_assert_ptr_nonnull(mr_http_header(&all[i].answer, "Content-Length").at);
        mr_http_answer_fini(&all[i].answer);
    }
    stop();
}
END_TEST

START_TEST(a_cancelled_job_lets_its_thread_go)
{
    static struct asking one;
    pthread_t thread;

    start(NULL);
    one.url = at(peer.port, "/echo?fault=hang");
    ck_assert_int_eq(pthread_create(&thread, NULL, ask_blocking, &one), 0);
    while (mr_peer_count(&peer, NULL) == 0)
        uv_run(&loop, UV_RUN_NOWAIT);
    atomic_store(&one.delivery.cancelled, true);
    while (!atomic_load(&one.over))
        uv_run(&loop, UV_RUN_NOWAIT);
    pthread_join(thread, NULL);
    expect(&one.answer, MR_HTTP_UNKNOWN, "cancelled");
    mr_http_answer_fini(&one.answer);
    stop();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_request_arrives_as_it_was_made,                                   0                    },
        {every_method_goes_with_and_without_a_body,                          MR_COUNT(methods)    },
        {a_login_of_the_url_or_the_request_is_basic_authentication,          0                    },
        {provisional_answers_and_trailers_are_no_headers,                    0                    },
        {an_answer_is_read_so_far_and_no_further,                            MR_COUNT(sizes)      },
        {a_connection_is_used_again,                                         0                    },
        {a_peer_gets_no_more_at_once_than_it_may,                            0                    },
        {those_who_wait_for_a_turn_get_it_in_order,                          0                    },
        {a_slow_peer_holds_nobody_elses_turn,                                0                    },
        {what_left_and_was_not_answered_is_unknown,                          MR_COUNT(broken)     },
        {an_answer_that_is_none_is_unknown,                                  MR_COUNT(nonsense)   },
        {where_nobody_listens_nothing_is_sent,                               0                    },
        {where_nobody_accepts_nothing_is_sent,                               0                    },
        {a_turn_that_does_not_come_in_time_sends_nothing,                    0                    },
        {a_cancelled_call_says_whether_it_had_left,                          0                    },
        {only_what_may_be_repeated_is_sent_again_by_itself,                  MR_COUNT(reused)     },
        {an_idle_connection_that_the_peer_has_closed_does_no_harm,           0                    },
        {a_name_is_looked_up_once_for_many_calls,                            0                    },
        {of_several_addresses_one_that_answers_is_enough,                    0                    },
        {a_name_that_nobody_knows_is_not_sent_to,                            0                    },
        {a_silent_name_server_costs_the_deadline_and_holds_no_end,           0                    },
        {an_answer_of_the_name_server_that_comes_late_serves_those_who_wait, 0                    },
        {what_may_not_be_called_is_refused_for_good,                         MR_COUNT(refused)    },
        {a_header_that_would_forge_the_request_refuses_it,                   MR_COUNT(bad_headers)},
        {a_method_that_is_none_refuses_the_request,                          MR_COUNT(bad_methods)},
        {an_allowed_address_is_called_as_one_name_or_another,                0                    },
        {no_proxy_of_the_environment_is_used,                                0                    },
        {a_redirect_is_followed_as_its_status_says,                          MR_COUNT(moves)      },
        {a_redirect_is_an_answer_where_none_is_wanted,                       0                    },
        {to_another_origin_go_no_secrets,                                    0                    },
        {a_redirect_to_where_jobs_may_not_go_is_refused,                     MR_COUNT(bad_moves)  },
        {only_a_peer_that_proves_its_name_is_told_anything,                  MR_COUNT(handshakes) },
        {a_peer_without_tls_is_not_told_in_clear,                            0                    },
        {retry_after_is_seconds_or_a_date_and_at_most_a_day,                 MR_COUNT(waits)      },
        {an_answer_says_when_to_come_back,                                   0                    },
        {threads_wait_for_their_own_answers,                                 0                    },
        {a_cancelled_job_lets_its_thread_go,                                 0                    },
    };

    return mr_suite_run("http_client", tests);
}
