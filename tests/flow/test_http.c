/* http.call against a real HTTP server: what is called, what is not, and what becomes of the job. */
#include "tests/support/http.h"
#include "tests/support/mill.h"
#include "tests/support/peer.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN "canary-7pQ4"
#define LOOPBACK "allow: [127.0.0.1]"

static struct mr_mill mill;
static struct mr_peer peer;
static char yaml[1024];

/* Copies text to yaml with the peer's port for each "PORT". */
static void write_yaml(const char *text)
{
    struct mr_buf filled = {0};

    for (const char *port; (port = strstr(text, "PORT")); text = port + strlen("PORT")) {
        mr_buf_add(&filled, text, (size_t)(port - text));
        mr_buf_u64(&filled, (uint64_t)peer.port);
    }
    mr_buf_text(&filled, text);
    ck_assert_uint_lt(filled.len, sizeof(yaml));
    memcpy(yaml, filled.at, filled.len + 1);
    mr_buf_fini(&filled);
}

/* A mill with these options of http, and further sections. */
static void start(const char *http, const char *more)
{
    char text[1000];

    mr_mill_start(&mill, yaml, NULL);
    mr_peer_start(&peer, mill.redis.dir, NULL);
    snprintf(text, sizeof(text),
             "pools: { main: { queues: [main], concurrency: 20, backoff: 50ms..100ms } }\n"
             "http: { %s }\n%s",
             http, more);
    write_yaml(text);
    mr_mill_dispatch(&mill, 0, 1);
}

static void stop(void)
{
    ck_assert(!mr_proc_said(&mill.dispatchers[0], TOKEN));
    mr_mill_stop(&mill);
    mr_peer_stop(&peer);
}

/* A call of the peer's path; data, envelope: further members, each behind a comma. */
static void call(const char *path, const char *data, const char *envelope)
{
    char payload[1000];
    int len = snprintf(payload, sizeof(payload),
                       "{\"uuid\":\"h-1\",\"job\":\"http.call\"%s,\"data\":{\"url\":"
                       "\"http://127.0.0.1:%d%s\"%s}}",
                       envelope, peer.port, path, data);

    mr_mill_push_raw(&mill, "main", payload, (size_t)len);
}

static void await_done(size_t n_requests)
{
    mr_wait_for(mr_peer_count(&peer, NULL) >= n_requests && mr_mill_is_empty(&mill, "main"),
                15000);
    ck_assert_int_eq(mr_mill_dead(&mill, "main"), 0);
    ck_assert_uint_eq(mr_peer_count(&peer, NULL), n_requests);
}

/* ---- what is called ---- */

START_TEST(a_call_arrives_as_it_was_asked_for)
{
    start(LOOPBACK, "");
    call("/echo?a=b",
         ",\"headers\":{\"X-One\":\"1\",\"Content-Type\":\"text/json\"},\"json\":{\"x\": 0.10}",
         "");
    await_done(1);
    json_t *requests = mr_peer_requests(&peer, NULL);
    ck_assert_str_eq(mr_peer_seen(requests, 0, "method"), "POST");
    ck_assert_str_eq(mr_peer_seen(requests, 0, "path"), "/echo?a=b");
    ck_assert_str_eq(mr_peer_seen(requests, 0, "x-one"), "1");
    ck_assert_str_eq(mr_peer_seen(requests, 0, "content-type"), "text/json");
    ck_assert_str_eq(mr_peer_seen(requests, 0, "key"), "h-1");
    ck_assert_str_eq(mr_peer_seen(requests, 0, "body"), "{\"x\": 0.10}");
    json_decref(requests);
    stop();
}
END_TEST

static const struct {
    const char *hosts;
    bool gets;
} tokens[] = {
    {"127.0.0.1",                         true },
    {"other.example, \"127.0.0.1:PORT\"", true },
    {"\"127.0.0.1:1\"",                   false},
    {"127.0.0.10",                        false},
    {"other.example",                     false},
};

START_TEST(the_service_token_goes_to_its_hosts_alone)
{
    char http[200];

    snprintf(http, sizeof(http), LOOPBACK ", token: " TOKEN ", token_hosts: [%s]",
             tokens[_i].hosts);
    start(http, "");
    call("/echo", "", "");
    await_done(1);
    json_t *requests = mr_peer_requests(&peer, NULL);
    ck_assert_str_eq(mr_peer_seen(requests, 0, "x-service-token"),
                     tokens[_i].gets ? TOKEN : "(none)");
    json_decref(requests);
    stop();
}
END_TEST

/* One row: a path, what data says more, how the job ends (NULL: done) and for which reason. */
static const struct {
    const char *path, *data, *class, *reason;
} statuses[] = {
    {"/status/204", "",                      NULL,        NULL                             },
    {"/status/404", ",\"expect\":[200,404]", NULL,        NULL                             },
    {"/status/302", ",\"expect\":302",       NULL,        NULL                             },
    {"/status/404", "",                      "failed",    "answered 404: {\"status\": 404}"},
    {"/status/302", "",                      "failed",    "answered 302"                   },
    {"/status/200", ",\"expect\":201",       "failed",    "answered 200"                   },
    {"/status/503", "",                      "exhausted", "answered 503"                   },
    {"/status/408", "",                      "exhausted", "answered 408"                   },
    {"/status/200", ",\"expect\":\"ok\"",    "failed",    "data.expect must be"            },
};

START_TEST(the_status_decides_what_becomes_of_it)
{
    start(LOOPBACK, "");
    call(statuses[_i].path, statuses[_i].data, "");
    if (statuses[_i].class)
        mr_mill_await_letter(&mill, "main", statuses[_i].class, statuses[_i].reason);
    else
        await_done(1);
    stop();
}
END_TEST

static bool metrics_tell(const char *line)
{
    struct mr_http_reply answer;

    mr_http_ask(&(struct mr_http){.socket = mill.control, .url = "http://localhost/metrics"},
                &answer);
    bool found = answer.status == 200 && strstr(answer.body.at, line);
    mr_http_reply_fini(&answer);
    return found;
}

START_TEST(answers_are_counted_by_class)
{
    start(LOOPBACK, "");
    call("/status/200", "", "");
    call("/status/201", "", "");
    call("/status/404", "", "");
    mr_wait_for(
        metrics_tell("millrace_handler_events_total{event=\"http_success\"} 2\n") &&
            metrics_tell("millrace_handler_events_total{event=\"http_client_error\"} 1\n"),
        15000);
    stop();
}
END_TEST

/* Another module of the same process, with a copy of the client's code of its own. */
START_TEST(all_kinds_of_jobs_share_one_client)
{
    static const char message[] = "{\"uuid\":\"s-1\",\"job\":\"sms.send\",\"data\":{\"to\":\"+"
                                  "12025550187\",\"text\":\"t\"}}";

    start(LOOPBACK, "sms: { url: \"http://127.0.0.1:PORT/\", account: AC1, token: t, from: "
                    "\"+15005550006\" }\n");
    mr_mill_push_raw(&mill, "main", message, strlen(message));
    await_done(1);
    call("/echo", "", "");
    await_done(2);
    mr_mill_push_raw(&mill, "main", message, strlen(message));
    await_done(3);
    ck_assert_uint_eq(mr_peer_connections(&peer, NULL), 1);
    mr_mill_drain(&mill, 0, 8000);
    stop();
}
END_TEST

/* ---- what is tried again ---- */

START_TEST(a_server_error_is_tried_again)
{
    start(LOOPBACK, "");
    call("/count/a/2", "", "");
    await_done(3);
    ck_assert(mr_proc_said(&mill.dispatchers[0], "answered 500"));
    stop();
}
END_TEST

START_TEST(to_be_told_to_come_back_spends_no_attempt)
{
    start(LOOPBACK, "");
    call("/echo?fault=busy1:2", "", ",\"maxTries\":1");
    await_done(3);
    ck_assert(mr_proc_said(&mill.dispatchers[0], "not now, answered 429"));
    stop();
}
END_TEST

START_TEST(what_may_have_happened_is_repeated_under_its_key)
{
    start(LOOPBACK, "");
    call("/echo?fault=reset-after-effect:1", ",\"json\":1", "");
    await_done(2);
    json_t *requests = mr_peer_requests(&peer, NULL);
    ck_assert_str_eq(mr_peer_seen(requests, 0, "key"), "h-1");
    ck_assert_str_eq(mr_peer_seen(requests, 1, "key"), "h-1");
    json_decref(requests);
    ck_assert(mr_proc_said(&mill.dispatchers[0], "nobody knows whether it was done"));
    stop();
}
END_TEST

/* ---- deadlines ---- */

static const char *const slow[] = {"hang", "dribble20", "slow5000"};

START_TEST(one_deadline_holds_for_the_whole_exchange)
{
    char path[64];

    start(LOOPBACK ", timeout: 400ms", "");
    snprintf(path, sizeof(path), "/bytes/2000?fault=%s", slow[_i]);
    uint64_t from_ms = mr_wait_now_ms();
    call(path, "", ",\"maxTries\":1");
    mr_mill_await_letter(&mill, "main", "exhausted",
                         "nobody knows whether it was done: no whole answer of "
                         "http://127.0.0.1:");
    ck_assert_uint_lt(mr_wait_now_ms() - from_ms, 4000);
    stop();
}
END_TEST

START_TEST(a_job_may_say_its_own_timeout)
{
    start(LOOPBACK ", timeout: 60s", "");
    call("/echo?fault=hang", ",\"timeout_s\":0.3", ",\"maxTries\":1");
    mr_mill_await_letter(&mill, "main", "exhausted", "within 300ms");
    stop();
}
END_TEST

START_TEST(the_jobs_deadline_ends_a_call_that_hangs)
{
    start(LOOPBACK ", timeout: 60s", "");
    call("/echo?fault=hang", "", ",\"timeout\":1,\"maxTries\":1");
    mr_mill_await_letter(&mill, "main", "timed_out", "ran longer than its 1s");
    call("/echo", "", ""); /* the worker goes on */
    mr_wait_for(mr_peer_count(&peer, NULL) == 2, 10000);
    ck_assert(!mr_proc_said(&mill.dispatchers[0], "job.stuck"));
    stop();
}
END_TEST

START_TEST(a_leaving_worker_gives_a_hanging_call_back)
{
    start(LOOPBACK ", timeout: 60s", "grace: 300ms\n");
    call("/echo?fault=hang", "", "");
    mr_wait_for(mr_peer_count(&peer, NULL) == 1, 10000);
    mr_mill_drain(&mill, 0, 8000);
    ck_assert_int_eq(mr_mill_ready(&mill, "main") + mr_mill_delayed(&mill, "main"), 1);
    ck_assert_int_eq(mr_mill_dead(&mill, "main"), 0);
    stop();
}
END_TEST

/* ---- what is not called ---- */

static const struct {
    const char *http, *url, *class, *reason;
} refused[] = {
    {"timeout: 5s",         "http://127.0.0.1:%d/x?canary",  "failed",    "http://127.0.0.1:"               },
    {"timeout: 5s",         "http://localhost:%d/",          "failed",    "is at an address that is neither"},
    {"timeout: 5s",         "http://2130706433:%d/",         "failed",    "neither public nor in http.allow"},
    {"timeout: 5s",         "http://[::ffff:127.0.0.1]:%d/", "failed",
     "neither public nor in http.allow"                                                                     },
    {LOOPBACK,              "http://169.254.169.254/",       "failed",    "neither public nor in http.allow"},
    {LOOPBACK,              "http://u:canary@127.0.0.1:%d/", "failed",    "it holds a user or a password"   },
    {LOOPBACK,              "ftp://127.0.0.1:%d/",           "failed",    "neither http nor https"          },
    {LOOPBACK,              "https://127.0.0.1:%d/",         "exhausted", "not sent: no trusted TLS with"   },
    {"allow: [10.0.0.1/8]", "http://127.0.0.1:%d/",          "exhausted", "http.allow: '10.0.0.1/8'"        },
};

START_TEST(what_may_not_be_called_is_dead_with_the_reason)
{
    char payload[300], port[16];
    const char *url = refused[_i].url, *hole = strstr(url, "%d");

    start(refused[_i].http, "");
    snprintf(port, sizeof(port), "%d", peer.port);
    int len =
        snprintf(payload, sizeof(payload),
                 "{\"uuid\":\"h-1\",\"job\":\"http.call\",\"data\":{\"url\":\"%.*s%s%s\"}}",
                 (int)(hole ? hole - url : (long)strlen(url)), url, hole ? port : "",
                 hole ? hole + 2 : "");
    mr_mill_push_raw(&mill, "main", payload, (size_t)len);
    mr_mill_await_letter(&mill, "main", refused[_i].class, refused[_i].reason);
    json_t *letter = mr_mill_only_letter(&mill, "main");
    ck_assert_ptr_null(strstr(json_string_value(json_object_get(letter, "reason")), "canary"));
    json_decref(letter);
    ck_assert(!mr_proc_said(&mill.dispatchers[0], "canary"));
    ck_assert_uint_eq(mr_peer_count(&peer, NULL), 0);
    stop();
}
END_TEST

START_TEST(one_server_gets_no_more_requests_at_once_than_configured)
{
    enum { CALLS = 40 };

    start(LOOPBACK ", connections: 3", "");
    mr_mill_pause(&mill, "main");
    for (int n = 0; n < CALLS; n++)
        call("/echo?fault=slow20", "", "");
    mr_mill_resume(&mill, "main");
    await_done(CALLS);
    printf("# %d calls over %zu connections, at most %zu at once\n", CALLS,
           mr_peer_connections(&peer, NULL), mr_peer_most_open(&peer, NULL));
    ck_assert_uint_eq(mr_peer_most_open(&peer, NULL), 3);
    ck_assert_uint_le(mr_peer_connections(&peer, NULL), 3);
    stop();
}
END_TEST

/* ---- how a server is spared: with so few tries that an attempt spent would be the end ---- */

START_TEST(a_server_that_fails_again_and_again_is_left_alone_at_no_cost)
{
    start(LOOPBACK ", circuit: { failures: 3, open_for: 1s }", "");
    call("/echo?fault=fail:3", "", ",\"maxTries\":4");
    await_done(4);
    ck_assert(mr_proc_said(&mill.dispatchers[0], "http.circuit_opened"));
    ck_assert(mr_proc_said(&mill.dispatchers[0], "http.circuit_closed"));
    ck_assert(mr_proc_said(&mill.dispatchers[0], "has failed again and again"));
    ck_assert(metrics_tell("millrace_handler_events_total{event=\"http_circuit_opened\"} 1\n"));
    ck_assert(metrics_tell("millrace_handler_events_total{event=\"http_circuit_closed\"} 1\n"));
    ck_assert(metrics_tell("millrace_handler_events_total{event=\"http_held\"} "));
    stop();
}
END_TEST

/* One good answer and six bad ones, each good when it is asked for again: whatever the order, half of them are bad. */
START_TEST(a_server_that_fails_too_often_is_left_alone_though_never_in_a_row)
{
    char path[32];

    start(LOOPBACK
          ", connections: 1, circuit: { failures: 1000, share: 50, least: 6, window: 1m, "
          "open_for: 2s }",
          "");
    mr_mill_pause(&mill, "main");
    call("/status/200", "", "");
    for (int n = 0; n < 6; n++) {
        snprintf(path, sizeof(path), "/count/c%d/1", n);
        call(path, "", ",\"maxTries\":2");
    }
    mr_mill_resume(&mill, "main");
    mr_wait_for(metrics_tell("millrace_handler_gauge{gauge=\"http_circuits_open\"} 1\n"),
                10000);
    await_done(13);
    ck_assert(mr_proc_said(&mill.dispatchers[0], "why=share"));
    ck_assert(metrics_tell("millrace_handler_events_total{event=\"http_circuit_opened\"} 1\n"));
    ck_assert(metrics_tell("millrace_handler_gauge{gauge=\"http_circuits_open\"} 0\n"));
    stop();
}
END_TEST

static const char *const sparing[] = {
    "rate: 2/s, wait: 1ms",
    "rate: 10/s",
    "connections: 1, wait: 50ms",
};

START_TEST(who_waits_for_a_turn_spends_no_attempt)
{
    enum { CALLS = 6 };
    char http[100];

    snprintf(http, sizeof(http), LOOPBACK ", %s", sparing[_i]);
    start(http, "");
    mr_mill_pause(&mill, "main");
    for (int n = 0; n < CALLS; n++)
        call("/echo?fault=slow100", "", ",\"maxTries\":1");
    mr_mill_resume(&mill, "main");
    await_done(CALLS);
    stop();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_call_arrives_as_it_was_asked_for,                                0                 },
        {the_service_token_goes_to_its_hosts_alone,                         MR_COUNT(tokens)  },
        {the_status_decides_what_becomes_of_it,                             MR_COUNT(statuses)},
        {answers_are_counted_by_class,                                      0                 },
        {all_kinds_of_jobs_share_one_client,                                0                 },
        {a_server_error_is_tried_again,                                     0                 },
        {to_be_told_to_come_back_spends_no_attempt,                         0                 },
        {what_may_have_happened_is_repeated_under_its_key,                  0                 },
        {one_deadline_holds_for_the_whole_exchange,                         MR_COUNT(slow)    },
        {a_job_may_say_its_own_timeout,                                     0                 },
        {the_jobs_deadline_ends_a_call_that_hangs,                          0                 },
        {a_leaving_worker_gives_a_hanging_call_back,                        0                 },
        {what_may_not_be_called_is_dead_with_the_reason,                    MR_COUNT(refused) },
        {one_server_gets_no_more_requests_at_once_than_configured,          0                 },
        {a_server_that_fails_again_and_again_is_left_alone_at_no_cost,      0                 },
        {a_server_that_fails_too_often_is_left_alone_though_never_in_a_row, 0                 },
        {who_waits_for_a_turn_spends_no_attempt,                            MR_COUNT(sparing) },
    };

    return mr_suite_run_slow("http", tests, 60);
}
