/* What the HTTP client keeps of one request for the next that is like it, and that nothing else of it stays. */
#include "jobs/services/http_own.h"
#include "tests/support/http_scene.h"
#include "tests/support/suite.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static struct mr_http_scene scene;

static struct mr_http_shape *last_shape(void)
{
    ck_assert_uint_gt(scene.client->n_shapes, 0);
    return mr_list_entry(scene.client->shapes.next, struct mr_http_shape, node);
}

static const char *const one_header[] = {"X-One: 1", NULL};

/* One after the other to the same url, each another thing than the one before. */
static const struct {
    const char *method, *body, *username, *bearer;
    const char *const *headers;
    const char *seen_method, *seen_login, *seen_header;
} steps[] = {
    {NULL,   "first",  NULL,   NULL,     one_header, "POST", "(none)",         "1"     },
    {NULL,   "second", NULL,   NULL,     NULL,       "POST", "(none)",         "(none)"},
    {NULL,   "",       NULL,   NULL,     NULL,       "POST", "(none)",         "(none)"},
    {NULL,   NULL,     NULL,   NULL,     NULL,       "GET",  "(none)",         "(none)"},
    {NULL,   NULL,     "shop", NULL,     one_header, "GET",  "Basic c2hvcDo=", "1"     },
    {NULL,   NULL,     NULL,   "canary", NULL,       "GET",  "Bearer canary",  "(none)"},
    {NULL,   NULL,     NULL,   NULL,     NULL,       "GET",  "(none)",         "(none)"},
    {"HEAD", NULL,     NULL,   NULL,     NULL,       "HEAD", "(none)",         "(none)"},
    {"PUT",  "third",  NULL,   NULL,     NULL,       "PUT",  "(none)",         "(none)"},
    {NULL,   "fourth", NULL,   NULL,     one_header, "POST", "(none)",         "1"     },
};

static void ask_step(const char *url, size_t i)
{
    struct mr_http_request request = mr_http_scene_request(url);

    request.method = steps[i].method;
    request.body = mr_bytes_of(steps[i].body);
    request.username = steps[i].username;
    request.bearer = steps[i].bearer;
    request.headers = steps[i].headers;
    mr_http_scene_begin(&scene, (unsigned)i, &request);
    mr_http_scene_await(&scene, (unsigned)i + 1);
    ck_assert_int_eq(scene.results[i].answer.status, 200);
}

START_TEST(nothing_of_one_request_is_left_in_the_next)
{
    mr_http_scene_start(&scene, NULL);
    const char *url = mr_http_scene_url(scene.peer.port, "/echo");
    for (size_t i = 0; i < MR_COUNT(steps); i++)
        ask_step(url, i);
    json_t *requests = mr_peer_requests(&scene.peer, NULL);
    for (size_t i = 0; i < MR_COUNT(steps); i++) {
        ck_assert_str_eq(mr_peer_seen(requests, i, "method"), steps[i].seen_method);
        ck_assert_str_eq(mr_peer_seen(requests, i, "authorization"), steps[i].seen_login);
        ck_assert_str_eq(mr_peer_seen(requests, i, "x-one"), steps[i].seen_header);
        ck_assert_str_eq(mr_peer_seen(requests, i, "body"), steps[i].body ? steps[i].body : "");
    }
    json_decref(requests);
    mr_http_scene_stop(&scene);
}
END_TEST

START_TEST(requests_that_are_alike_share_what_is_known_and_one_handle)
{
    mr_http_scene_start(&scene, NULL);
    struct mr_http_request request =
        mr_http_scene_request(mr_http_scene_url(scene.peer.port, "/echo"));
    for (unsigned n = 0; n < 5; n++) {
        char body[16];

        snprintf(body, sizeof(body), "body %u", n);
        request.body = mr_bytes_of(body);
        mr_http_scene_begin(&scene, n, &request);
        mr_http_scene_await(&scene, n + 1);
    }
    ck_assert_uint_eq(scene.client->n_shapes, 1);
    ck_assert_uint_eq(last_shape()->n_idle, 1);
    mr_http_scene_stop(&scene);
}
END_TEST

START_TEST(what_many_urls_leave_behind_is_bounded)
{
    mr_http_scene_start(&scene, NULL);
    for (unsigned n = 0; n < 60; n++) {
        char path[32];

        snprintf(path, sizeof(path), "/echo?n=%u", n % 50);
        struct mr_http_request request =
            mr_http_scene_request(mr_http_scene_url(scene.peer.port, path));
        mr_http_scene_begin(&scene, n, &request);
        if (n % 3 == 0) /* others are under way while theirs is forgotten */
            mr_http_scene_await(&scene, n + 1);
    }
    mr_http_scene_await(&scene, 60);
    for (unsigned n = 0; n < 60; n++)
        ck_assert_int_eq(scene.results[n].answer.status, 200);
    ck_assert_uint_eq(scene.client->n_shapes, 16);
    mr_http_scene_stop(&scene);
}
END_TEST

START_TEST(a_redirect_changes_nothing_for_the_next_request)
{
    mr_http_scene_start(&scene, NULL);
    struct mr_http_request request = mr_http_scene_request(
        mr_http_scene_url(scene.peer.port, "/redirect?to=/echo&status=303"));
    request.body = mr_bytes_of("order");
    request.bearer = "canary";
    request.redirects_max = 1;
    for (unsigned n = 0; n < 3; n++) {
        mr_http_scene_begin(&scene, n, &request);
        mr_http_scene_await(&scene, n + 1);
        ck_assert_int_eq(scene.results[n].answer.status, 200);
    }
    json_t *requests = mr_peer_requests(&scene.peer, NULL);
    for (size_t i = 0; i < 6; i += 2) {
        ck_assert_str_eq(mr_peer_seen(requests, i, "method"), "POST");
        ck_assert_str_eq(mr_peer_seen(requests, i, "body"), "order");
        ck_assert_str_eq(mr_peer_seen(requests, i + 1, "method"), "GET");
        ck_assert_str_eq(mr_peer_seen(requests, i + 1, "body"), "");
    }
    json_decref(requests);
    mr_http_scene_stop(&scene);
}
END_TEST

START_TEST(a_handle_that_did_not_come_to_a_good_end_is_not_used_again)
{
    mr_http_scene_start(&scene, NULL);
    struct mr_http_request request =
        mr_http_scene_request(mr_http_scene_url(scene.peer.port, "/bytes/5000"));
    mr_http_scene_begin(&scene, 0, &request);
    mr_http_scene_await(&scene, 1);
    ck_assert_uint_eq(last_shape()->n_idle, 1);
    request.body_max = 10;
    mr_http_scene_begin(&scene, 1, &request);
    mr_http_scene_await(&scene, 2);
    ck_assert(scene.results[1].answer.truncated);
    ck_assert_uint_eq(last_shape()->n_idle, 0);
    request.body_max = 5000;
    mr_http_scene_begin(&scene, 2, &request);
    mr_http_scene_await(&scene, 3);
    ck_assert_uint_eq(scene.results[2].answer.body.len, 5000);
    mr_http_scene_stop(&scene);
}
END_TEST

/* As the name server would, half a minute later. */
static void move_peer(const char *address)
{
    struct mr_http_peer *peer =
        mr_list_entry(scene.client->peers.next, struct mr_http_peer, node);
    struct sockaddr_in *v4 = (void *)&peer->found.at[0];

    ck_assert_int_eq(inet_pton(AF_INET, address, &v4->sin_addr), 1);
    snprintf(peer->alias, sizeof(peer->alias), "peer-at-%s", address);
}

START_TEST(addresses_that_changed_are_those_that_are_called)
{
    char url[64];

    mr_http_scene_start(&scene, NULL);
    snprintf(url, sizeof(url), "http://one.test:%d/echo", scene.peer.port);
    struct mr_http_request request = mr_http_scene_request(url);
    mr_http_scene_begin(&scene, 0, &request);
    mr_http_scene_await(&scene, 1);
    ck_assert_uint_eq(last_shape()->n_idle, 1);
    move_peer("127.0.0.9");
    mr_http_scene_begin(&scene, 1, &request);
    mr_http_scene_await(&scene, 2);
    mr_http_scene_expect(&scene.results[1].answer, MR_HTTP_NOT_SENT, "refused");
    move_peer("127.0.0.1");
    mr_http_scene_begin(&scene, 2, &request);
    mr_http_scene_await(&scene, 3);
    ck_assert_int_eq(scene.results[2].answer.status, 200);
    mr_http_scene_stop(&scene);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {nothing_of_one_request_is_left_in_the_next,                 0},
        {requests_that_are_alike_share_what_is_known_and_one_handle, 0},
        {what_many_urls_leave_behind_is_bounded,                     0},
        {a_redirect_changes_nothing_for_the_next_request,            0},
        {a_handle_that_did_not_come_to_a_good_end_is_not_used_again, 0},
        {addresses_that_changed_are_those_that_are_called,           0},
    };

    return mr_suite_run("http_shape", tests);
}
