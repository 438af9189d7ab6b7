/* How the HTTP client spares its peers: turns, rates and circuits, against real servers. */
#include "jobs/services/http_own.h"
#include "tests/support/http_scene.h"
#include "tests/support/suite.h"

#include <string.h>
#include <time.h>

enum { S = 1000 };

static struct mr_http_scene scene;

static struct mr_http_request request_for(const char *path)
{
    struct mr_http_request request =
        mr_http_scene_request(mr_http_scene_url(scene.peer.port, path));

    request.body = mr_bytes_of("x");
    return request;
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- turns ---- */

START_TEST(waiting_for_a_turn_costs_no_time_of_the_exchange)
{
    mr_http_scene_start(&scene, NULL);
    struct mr_http_request request = request_for("/echo?fault=slow300");
    request.peer_max = 1;
    request.timeout_ms = 1 * S;
    request.limits.wait_ms = 20 * S;
    for (unsigned n = 0; n < 6; n++) /* the last waits for longer than it may take itself */
        mr_http_scene_begin(&scene, n, &request);
    mr_http_scene_await(&scene, 6);
    for (unsigned n = 0; n < 6; n++)
        mr_http_scene_expect(&scene.results[n].answer, MR_HTTP_ANSWERED, "");
    mr_http_scene_stop(&scene);
}
END_TEST

START_TEST(a_turn_that_does_not_come_in_time_is_told_to_come_back)
{
    mr_http_scene_start(&scene, NULL);
    struct mr_http_request request = request_for("/echo?fault=hang");
    request.peer_max = 1;
    request.timeout_ms = 2 * S;
    mr_http_scene_begin(&scene, 0, &request);
    request.limits.wait_ms = 200;
    mr_http_scene_begin(&scene, 1, &request);
    mr_http_scene_await(&scene, 1);
    mr_http_scene_expect(&scene.results[1].answer, MR_HTTP_HELD,
                         "no turn at http://127.0.0.1:");
    ck_assert_int_gt(scene.results[1].answer.retry_after_ms, 0);
    mr_http_scene_await(&scene, 2);
    ck_assert_uint_eq(mr_peer_count(&scene.peer, NULL), 1);
    mr_http_scene_stop(&scene);
}
END_TEST

START_TEST(who_is_cancelled_while_it_waits_gets_no_turn_any_more)
{
    mr_http_scene_start(&scene, NULL);
    struct mr_http_request request = request_for("/echo");
    request.peer_max = 1;
    mr_http_scene_begin(&scene, 0, &request);
    struct mr_http_call *second = mr_http_scene_begin(&scene, 1, &request);
    mr_http_scene_begin(&scene, 2, &request);
    mr_http_cancel(second);
    mr_http_scene_await(&scene, 3);
    mr_http_scene_expect(&scene.results[1].answer, MR_HTTP_NOT_SENT, "cancelled");
    mr_http_scene_expect(&scene.results[2].answer, MR_HTTP_ANSWERED, "");
    ck_assert_uint_eq(mr_peer_count(&scene.peer, NULL), 2);
    mr_http_scene_stop(&scene);
}
END_TEST

/* ---- rates ---- */

START_TEST(a_peer_is_asked_no_more_often_than_it_may)
{
    enum { CALLS = 30 };

    mr_http_scene_start(&scene, NULL);
    struct mr_http_request request = request_for("/echo");
    request.limits.rate = (struct mr_rate){.n = 10, .per_ms = 500};
    uint64_t began_ms = now_ms();
    for (unsigned n = 0; n < CALLS; n++)
        mr_http_scene_begin(&scene, n, &request);
    mr_http_scene_await(&scene, CALLS);
    /* 10 at once, the other 20 each 50 ms after the one before. */
    ck_assert_uint_ge(now_ms() - began_ms, 990);
    for (unsigned n = 0; n < CALLS; n++) {
        mr_http_scene_expect(&scene.results[n].answer, MR_HTTP_ANSWERED, "");
        ck_assert(n < 10 || scene.results[n].order == n + 1);
    }
    mr_http_scene_stop(&scene);
}
END_TEST

START_TEST(who_would_wait_too_long_is_told_at_once_each_another_time)
{
    int64_t last_ms = 0;

    mr_http_scene_start(&scene, NULL);
    struct mr_http_request request = request_for("/echo");
    request.limits.rate = (struct mr_rate){.n = 2, .per_ms = 20 * S};
    request.limits.wait_ms = 1 * S;
    for (unsigned n = 0; n < 5; n++)
        mr_http_scene_begin(&scene, n, &request);
    mr_http_scene_await(&scene, 5);
    ck_assert_uint_eq(mr_peer_count(&scene.peer, NULL), 2);
    for (unsigned n = 2; n < 5; n++) {
        const struct mr_http_answer *answer = &scene.results[n].answer;

        mr_http_scene_expect(answer, MR_HTTP_HELD, "is asked 2/20s and no more");
        ck_assert_int_ge(answer->retry_after_ms - last_ms, 9 * S);
        last_ms = answer->retry_after_ms;
    }
    ck_assert_int_le(last_ms, 30 * S);
    mr_http_scene_stop(&scene);
}
END_TEST

/* ---- circuits ---- */

static const struct mr_circuit_rule three = {.failures = 3, .open_ms = 400};

static const char *const broken[] = {
    "/status/500", "/status/503", "/echo?fault=reset", "/echo?fault=half", "/echo?fault=hang",
};

/* Whatever way it fails, the next are not sent until one has tried again. */
START_TEST(a_peer_that_fails_again_and_again_is_left_alone_until_one_gets_through)
{
    mr_http_scene_start(&scene, NULL);
    struct mr_http_request bad = request_for(broken[_i]), good = request_for("/status/200");
    bad.timeout_ms = 100;
    bad.limits.circuit = good.limits.circuit = three;
    for (int n = 0; n < 3; n++)
        mr_http_scene_ask(&scene, &bad);
    uint64_t opened_ms = now_ms();
    const struct mr_http_answer *held = mr_http_scene_ask(&scene, &good);
    mr_http_scene_expect(held, MR_HTTP_HELD, "has failed again and again");
    ck_assert_int_ge(held->retry_after_ms, 1);
    ck_assert_int_le(held->retry_after_ms, 400);
    ck_assert_uint_eq(mr_peer_count(&scene.peer, NULL), 3);
    do
        held = mr_http_scene_ask(&scene, &good);
    while (held->end == MR_HTTP_HELD && scene.n_asked < 60 && (uv_sleep(20), true));
    mr_http_scene_expect(held, MR_HTTP_ANSWERED, "");
    ck_assert_uint_ge(now_ms() - opened_ms, 350);
    ck_assert_int_eq(mr_http_scene_ask(&scene, &good)->status, 200);
    mr_http_scene_stop(&scene);
}
END_TEST

static const char *const alive[] = {"/status/200", "/status/302", "/status/404",
                                    "/echo?fault=busy3"};

START_TEST(a_peer_that_answers_anything_sensible_is_asked_on)
{
    mr_http_scene_start(&scene, NULL);
    struct mr_http_request request = request_for(alive[_i]);
    request.limits.circuit = three;
    for (int n = 0; n < 10; n++)
        mr_http_scene_expect(mr_http_scene_ask(&scene, &request), MR_HTTP_ANSWERED, "");
    mr_http_scene_stop(&scene);
}
END_TEST

/* Those who wait for a turn when it opens would only find out the same. */
START_TEST(who_waits_when_it_opens_is_sent_away_and_only_one_tries_again)
{
    mr_http_scene_start(&scene, NULL);
    struct mr_http_request bad = request_for("/echo?fault=reset");
    bad.peer_max = 1;
    bad.limits.circuit = three;
    for (unsigned n = 0; n < 10; n++)
        mr_http_scene_begin(&scene, n, &bad);
    mr_http_scene_await(&scene, 10);
    ck_assert_uint_eq(mr_peer_count(&scene.peer, NULL), 3);
    for (unsigned n = 3; n < 10; n++)
        mr_http_scene_expect(&scene.results[n].answer, MR_HTTP_HELD, "");
    uv_sleep(450);
    bad.peer_max = 20;
    for (unsigned n = 10; n < 20; n++)
        mr_http_scene_begin(&scene, n, &bad);
    mr_http_scene_await(&scene, 20);
    ck_assert_uint_eq(mr_peer_count(&scene.peer, NULL), 4);
    mr_http_scene_expect(&scene.results[10].answer, MR_HTTP_UNKNOWN, "");
    for (unsigned n = 11; n < 20; n++)
        mr_http_scene_expect(&scene.results[n].answer, MR_HTTP_HELD, "");
    mr_http_scene_stop(&scene);
}
END_TEST

START_TEST(if_the_one_that_tries_again_is_cancelled_another_one_does)
{
    mr_http_scene_start(&scene, NULL);
    struct mr_http_request bad = request_for("/echo?fault=reset"),
                           slow = request_for("/echo?fault=hang"),
                           good = request_for("/status/200");
    bad.limits.circuit = slow.limits.circuit = good.limits.circuit = three;
    for (unsigned n = 0; n < 3; n++)
        mr_http_scene_begin(&scene, n, &bad);
    mr_http_scene_await(&scene, 3);
    uv_sleep(450);
    struct mr_http_call *probe = mr_http_scene_begin(&scene, 3, &slow);
    mr_http_scene_begin(&scene, 4, &good);
    while (mr_peer_count(&scene.peer, NULL) < 4)
        uv_run(&scene.loop, UV_RUN_NOWAIT);
    ck_assert(!scene.results[4].over);
    mr_http_cancel(probe);
    mr_http_scene_await(&scene, 5);
    mr_http_scene_expect(&scene.results[4].answer, MR_HTTP_ANSWERED, "");
    mr_http_scene_stop(&scene);
}
END_TEST

START_TEST(one_peers_circuit_is_nobody_elses)
{
    static const char *const replies[] = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", NULL};

    mr_http_scene_start(&scene, NULL);
    mr_canned_start(&scene.canned, replies);
    struct mr_http_request bad = request_for("/echo?fault=reset");
    struct mr_http_request other =
        mr_http_scene_request(mr_http_scene_url(scene.canned.port, "/"));
    bad.limits.circuit = other.limits.circuit = three;
    for (int n = 0; n < 4; n++)
        mr_http_scene_ask(&scene, &bad);
    mr_http_scene_expect(mr_http_scene_ask(&scene, &bad), MR_HTTP_HELD, "");
    mr_http_scene_expect(mr_http_scene_ask(&scene, &other), MR_HTTP_ANSWERED, "");
    mr_http_scene_stop(&scene);
    mr_canned_stop(&scene.canned);
}
END_TEST

/* ---- the configuration ---- */

START_TEST(a_section_says_what_the_limits_are)
{
    json_t *section = json_pack("{s:s,s:i,s:{s:i,s:i,s:i,s:i,s:i}}", "rate", "5/m", "wait_ms",
                                250, "circuit", "failures", 7, "open_for_ms", 900, "share", 40,
                                "least", 12, "window_ms", 5000);
    struct mr_http_limits limits;

    mr_http_limits_read(section, "sms", &limits);
    ck_assert_str_eq(limits.name, "sms");
    ck_assert_uint_eq(limits.rate.n, 5);
    ck_assert_uint_eq(limits.rate.per_ms, 60000);
    ck_assert_uint_eq(limits.wait_ms, 250);
    ck_assert_uint_eq(limits.circuit.failures, 7);
    ck_assert_uint_eq(limits.circuit.open_ms, 900);
    ck_assert_uint_eq(limits.circuit.share_pct, 40);
    ck_assert_uint_eq(limits.circuit.least, 12);
    ck_assert_uint_eq(limits.circuit.window_ms, 5000);
    mr_http_limits_read(NULL, "sms", &limits);
    ck_assert_uint_eq(limits.rate.n + limits.wait_ms + limits.circuit.failures, 0);
    json_decref(section);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {waiting_for_a_turn_costs_no_time_of_the_exchange,                       0              },
        {a_turn_that_does_not_come_in_time_is_told_to_come_back,                 0              },
        {who_is_cancelled_while_it_waits_gets_no_turn_any_more,                  0              },
        {a_peer_is_asked_no_more_often_than_it_may,                              0              },
        {who_would_wait_too_long_is_told_at_once_each_another_time,              0              },
        {a_peer_that_fails_again_and_again_is_left_alone_until_one_gets_through,
         MR_COUNT(broken)                                                                       },
        {a_peer_that_answers_anything_sensible_is_asked_on,                      MR_COUNT(alive)},
        {who_waits_when_it_opens_is_sent_away_and_only_one_tries_again,          0              },
        {if_the_one_that_tries_again_is_cancelled_another_one_does,              0              },
        {one_peers_circuit_is_nobody_elses,                                      0              },
        {a_section_says_what_the_limits_are,                                     0              },
    };

    return mr_suite_run("http_limits", tests);
}
