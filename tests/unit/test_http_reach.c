/* Where the HTTP client goes, and where it does not: names, addresses, redirects, certificates. */
#include "jobs/services/http_own.h"
#include "tests/support/http_scene.h"
#include "tests/support/sink.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mr_http_scene scene;

static const char *const loopback[] = {"127.0.0.1", NULL};

/* ---- names ---- */

START_TEST(a_name_is_looked_up_once_for_many_calls)
{
    char url[64];

    mr_http_scene_start(&scene, NULL);
    snprintf(url, sizeof(url), "http://one.test:%d/echo", scene.peer.port);
    struct mr_http_request request = mr_http_scene_request(url);
    for (unsigned n = 0; n < 10; n++)
        mr_http_scene_begin(&scene, n, &request);
    mr_http_scene_await(&scene, 10);
    for (unsigned n = 0; n < 10; n++)
        ck_assert_int_eq(scene.results[n].answer.status, 200);
    ck_assert_uint_eq(mr_http_scene_lookups(), 1);
    json_t *requests = mr_peer_requests(&scene.peer, NULL);
    ck_assert_ptr_nonnull(strstr(mr_peer_seen(requests, 0, "host"), "one.test:"));
    json_decref(requests);
    mr_http_scene_stop(&scene);
}
END_TEST

START_TEST(of_several_addresses_one_that_answers_is_enough)
{
    char url[64];

    mr_http_scene_start(&scene, NULL);
    snprintf(url, sizeof(url), "http://two.test:%d/echo", scene.peer.port);
    struct mr_http_request request = mr_http_scene_request(url);
    ck_assert_int_eq(mr_http_scene_ask(&scene, &request)->status, 200);
    mr_http_scene_stop(&scene);
}
END_TEST

START_TEST(a_name_that_nobody_knows_is_not_sent_to)
{
    mr_http_scene_open(&scene);
    struct mr_http_request request = mr_http_scene_request("http://nowhere.test/");
    mr_http_scene_expect(mr_http_scene_ask(&scene, &request), MR_HTTP_NOT_SENT,
                         "no address of nowhere.test: Name or service");
    mr_http_scene_close(&scene);
}
END_TEST

START_TEST(a_silent_name_server_costs_the_deadline_and_holds_no_end)
{
    mr_http_scene_open(&scene);
    struct mr_http_request request = mr_http_scene_request("http://hung.test/");
    request.timeout_ms = 200;
    mr_http_scene_expect(mr_http_scene_ask(&scene, &request), MR_HTTP_NOT_SENT,
                         "the name server is silent");
    mr_http_scene_close(&scene); /* while a thread still asks */
    mr_http_scene_answer_name();
}
END_TEST

START_TEST(an_answer_of_the_name_server_that_comes_late_serves_those_who_wait)
{
    char url[64];

    mr_http_scene_start(&scene, NULL);
    snprintf(url, sizeof(url), "http://hung.test:%d/echo", scene.peer.port);
    struct mr_http_request request = mr_http_scene_request(url);
    request.timeout_ms = 100;
    mr_http_scene_begin(&scene, 0, &request);
    request.timeout_ms = 10000;
    mr_http_scene_begin(&scene, 1, &request);
    mr_http_scene_await(&scene, 1);
    ck_assert(scene.results[0].over);
    mr_http_scene_answer_name();
    mr_http_scene_await(&scene, 2);
    ck_assert_int_eq(scene.results[1].answer.status, 200);
    mr_http_scene_stop(&scene);
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
    mr_http_scene_open(&scene);
    struct mr_http_request request = mr_http_scene_request(refused[_i].url);
    request.from_payload = !refused[_i].configured;
    const struct mr_http_answer *answer = mr_http_scene_ask(&scene, &request);
    if (*refused[_i].words)
        mr_http_scene_expect(answer, MR_HTTP_REFUSED, refused[_i].words);
    else
        ck_assert_int_ne(answer->end, MR_HTTP_ANSWERED);
    ck_assert_ptr_null(strstr(answer->trouble, "canary"));
    mr_http_scene_close(&scene);
}
END_TEST

static const char *const bad_headers[] = {"X-A: 1\r\nX-B: 2", "X-A: 1\n", "no colon",
                                          ": no name",        "X A: 1",   "X-A: \x7f",
                                          "X-A: \x01"};

START_TEST(a_header_that_would_forge_the_request_refuses_it)
{
    const char *const headers[] = {"X-Good: 1", bad_headers[_i], NULL};

    mr_http_scene_open(&scene);
    struct mr_http_request request = mr_http_scene_request("http://127.0.0.1:1/");
    request.headers = headers;
    mr_http_scene_expect(mr_http_scene_ask(&scene, &request), MR_HTTP_REFUSED, "header");
    mr_http_scene_close(&scene);
}
END_TEST

static const char *const bad_methods[] = {"G ET", "GET\r\n", "", "CONNECT", "G/T"};

START_TEST(a_method_that_is_none_refuses_the_request)
{
    mr_http_scene_open(&scene);
    struct mr_http_request request = mr_http_scene_request("http://127.0.0.1:1/");
    request.method = bad_methods[_i];
    mr_http_scene_expect(mr_http_scene_ask(&scene, &request), MR_HTTP_REFUSED,
                         "no such method");
    mr_http_scene_close(&scene);
}
END_TEST

START_TEST(an_allowed_address_is_called_as_one_name_or_another)
{
    static const char *const hosts[] = {"127.0.0.1", "2130706433", "0x7f.1", "one.test"};
    char url[64];

    mr_http_scene_start(&scene, NULL);
    for (unsigned i = 0; i < MR_COUNT(hosts); i++) {
        snprintf(url, sizeof(url), "http://%s:%d/echo", hosts[i], scene.peer.port);
        struct mr_http_request request = mr_http_scene_request(url);

        request.from_payload = true;
        request.allow = loopback;
        ck_assert_int_eq(mr_http_scene_ask(&scene, &request)->status, 200);
    }
    mr_http_scene_stop(&scene);
}
END_TEST

START_TEST(no_proxy_of_the_environment_is_used)
{
    mr_http_scene_start(&scene, NULL);
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("all_proxy", "http://127.0.0.1:1", 1);
    struct mr_http_request request =
        mr_http_scene_request(mr_http_scene_url(scene.peer.port, "/echo"));
    ck_assert_int_eq(mr_http_scene_ask(&scene, &request)->status, 200);
    mr_http_scene_stop(&scene);
}
END_TEST

/* ---- redirects ---- */

/* A redirect of the peer's to a place of its own. */
static const char *redirect(int status, const char *to)
{
    static char path[300];

    snprintf(path, sizeof(path), "/redirect?status=%d&to=%s", status, to);
    return mr_http_scene_url(scene.peer.port, path);
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

    mr_http_scene_start(&scene, NULL);
    struct mr_http_request request = mr_http_scene_request(redirect(moves[_i].status, "/echo"));
    request.method = moves[_i].method;
    request.body = mr_bytes_of(moves[_i].body);
    request.headers = headers;
    request.redirects_max = 1;
    ck_assert_int_eq(mr_http_scene_ask(&scene, &request)->status, 200);
    json_t *requests = mr_peer_requests(&scene.peer, NULL);
    ck_assert_str_eq(mr_peer_seen(requests, 1, "method"), moves[_i].method_then);
    ck_assert_str_eq(mr_peer_seen(requests, 1, "body"), moves[_i].body_then);
    ck_assert_str_eq(mr_peer_seen(requests, 1, "x-token"), "canary");
    json_decref(requests);
    mr_http_scene_stop(&scene);
}
END_TEST

START_TEST(a_redirect_is_an_answer_where_none_is_wanted)
{
    mr_http_scene_start(&scene, NULL);
    struct mr_http_request request = mr_http_scene_request(redirect(302, "/echo"));
    const struct mr_http_answer *answer = mr_http_scene_ask(&scene, &request);
    mr_http_scene_expect(answer, MR_HTTP_ANSWERED, "");
    ck_assert_int_eq(answer->status, 302);
    ck_assert(mr_bytes_is(mr_http_header(answer, "Location"), "/echo"));
    mr_http_scene_stop(&scene);
}
END_TEST

START_TEST(to_another_origin_go_no_secrets)
{
    static const char *const headers[] = {"X-Token: canary", "Accept: text/plain", NULL};
    static const char *const replies[] = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", NULL};

    mr_http_scene_start(&scene, NULL);
    mr_canned_start(&scene.canned, replies);
    struct mr_http_request request =
        mr_http_scene_request(redirect(307, mr_http_scene_url(scene.canned.port, "/other")));
    request.headers = headers;
    request.username = "canary";
    request.password = "canary";
    request.redirects_max = 3;
    ck_assert_int_eq(mr_http_scene_ask(&scene, &request)->status, 200);
    mr_http_scene_stop(&scene);
    mr_canned_stop(&scene.canned);
    ck_assert_ptr_nonnull(strstr(scene.canned.requests[0], "GET /other HTTP/1.1\r\n"));
    ck_assert_ptr_nonnull(strstr(scene.canned.requests[0], "Accept: text/plain\r\n"));
    ck_assert_ptr_null(strstr(scene.canned.requests[0], "canary"));
    ck_assert_ptr_null(strstr(scene.canned.requests[0], "Authorization"));
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

    mr_http_scene_start(&scene, NULL);
    snprintf(to, sizeof(to), "%s", bad_moves[_i].to);
    if (strcmp(to, "/redirect?to=/redirect") == 0) /* a loop of its own making */
        snprintf(to, sizeof(to),
                 "/redirect?to=%%2Fredirect%%3Fto%%3D%%252Fredirect%%253Fto%%253D%%25252Fecho");
    struct mr_http_request request = mr_http_scene_request(redirect(302, to));
    request.from_payload = true;
    request.allow = loopback;
    request.redirects_max = 2;
    mr_http_scene_expect(mr_http_scene_ask(&scene, &request), MR_HTTP_REFUSED,
                         bad_moves[_i].words);
    mr_http_scene_stop(&scene);
}
END_TEST

/* ---- TLS ---- */

static void start_with_tls(void)
{
    char certificate[64], key[64];
    const char *const args[] = {"--cert", certificate, "--key", key, NULL};

    mr_http_scene_make_dir(&scene);
    mr_sink_certify(scene.dir, "good");
    snprintf(certificate, sizeof(certificate), "%s/good.crt", scene.dir);
    snprintf(key, sizeof(key), "%s/good.key", scene.dir);
    mr_http_scene_start(&scene, args);
}

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
    char url[64], trusted[64];

    start_with_tls();
    mr_sink_certify(scene.dir, "evil");
    snprintf(url, sizeof(url), "https://%s:%d/echo", handshakes[_i].host, scene.peer.port);
    struct mr_http_request request = mr_http_scene_request(url);
    if (handshakes[_i].trusted) {
        snprintf(trusted, sizeof(trusted), "%s/%s.crt", scene.dir, handshakes[_i].trusted);
        request.ca_file = trusted;
    }
    request.body = mr_bytes_of("canary");
    if (handshakes[_i].words)
        mr_http_scene_expect(mr_http_scene_ask(&scene, &request), MR_HTTP_NOT_SENT,
                             handshakes[_i].words);
    else
        ck_assert_int_eq(mr_http_scene_ask(&scene, &request)->status, 200);
    ck_assert_uint_eq(mr_peer_count(&scene.peer, NULL), handshakes[_i].words ? 0 : 1);
    mr_http_scene_stop(&scene);
}
END_TEST

/* What may have been done before is not called refused. */
static const struct {
    int status;
    const char *method;
    enum mr_http_end end;
} downgrades[] = {
    {302, "GET",    MR_HTTP_REFUSED},
    {307, "HEAD",   MR_HTTP_REFUSED},
    {303, "POST",   MR_HTTP_UNKNOWN},
    {308, "POST",   MR_HTTP_UNKNOWN},
    {302, "DELETE", MR_HTTP_UNKNOWN},
};

START_TEST(a_redirect_out_of_https_is_not_followed)
{
    static const char *const replies[] = {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", NULL};
    char trusted[64], url[200];

    start_with_tls();
    mr_canned_start(&scene.canned, replies);
    snprintf(trusted, sizeof(trusted), "%s/good.crt", scene.dir);
    snprintf(url, sizeof(url), "https://127.0.0.1:%d/redirect?status=%d&to=%s", scene.peer.port,
             downgrades[_i].status, mr_http_scene_url(scene.canned.port, "/"));
    struct mr_http_request request = mr_http_scene_request(url);
    request.ca_file = trusted;
    request.method = downgrades[_i].method;
    request.bearer = "canary";
    request.redirects_max = 3;
    mr_http_scene_expect(mr_http_scene_ask(&scene, &request), downgrades[_i].end,
                         "redirected out of https");
    ck_assert_uint_eq(mr_peer_count(&scene.peer, NULL), 1);
    mr_http_scene_stop(&scene);
    mr_canned_stop(&scene.canned);
    ck_assert_uint_eq(scene.canned.n_connections, 0);
}
END_TEST

START_TEST(a_peer_without_tls_is_not_told_in_clear)
{
    char url[64];

    mr_http_scene_start(&scene, NULL);
    snprintf(url, sizeof(url), "https://127.0.0.1:%d/echo", scene.peer.port);
    struct mr_http_request request = mr_http_scene_request(url);
    mr_http_scene_expect(mr_http_scene_ask(&scene, &request), MR_HTTP_NOT_SENT,
                         "no trusted TLS with https://127.0.0.1:");
    mr_http_scene_stop(&scene);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
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
        {a_redirect_out_of_https_is_not_followed,                            MR_COUNT(downgrades) },
        {a_peer_without_tls_is_not_told_in_clear,                            0                    },
    };

    return mr_suite_run("http_reach", tests);
}
