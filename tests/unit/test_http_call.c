#include "jobs/http/call.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mr_err err;

static enum mr_code read_call(const char *text, const char *uuid, struct mr_call *out)
{
    json_t *data = json_loads(text, JSON_ALLOW_NUL | JSON_DECODE_ANY, NULL);

    ck_assert_msg(data != NULL, "the test's own JSON is wrong: %s", text);
    enum mr_code code = mr_call_read(data, mr_bytes_of(text), uuid, 5000, out, &err);
    json_decref(data);
    return code;
}

static const char *header_of(const struct mr_call *call, const char *name)
{
    size_t len = strlen(name);

    for (unsigned i = 0; i < call->n_headers; i++)
        if (strncmp(call->headers[i], name, len) == 0 && call->headers[i][len] == ':')
            return call->headers[i] + len + 2;
    return "(none)";
}

/* ---- what is asked for ---- */

#define URL "{\"url\":\"http://a.test/\""

START_TEST(a_url_alone_is_a_get_that_wants_any_2xx)
{
    struct mr_call call;

    ck_assert_int_eq(read_call(URL "}", "", &call), MR_OK);
    ck_assert_str_eq(call.method, "GET");
    ck_assert_uint_eq(call.n_headers, 0);
    ck_assert_ptr_null(call.body.at);
    ck_assert_uint_eq(call.n_expect, 0);
    ck_assert_uint_eq(call.timeout_ms, 5000);
    mr_call_fini(&call);
}
END_TEST

START_TEST(null_and_phps_empty_array_are_nothing)
{
    struct mr_call call;

    ck_assert_int_eq(read_call(URL ",\"method\":null,\"headers\":[],\"json\":null,"
                                   "\"expect\":null,\"timeout_s\":null}",
                               "", &call),
                     MR_OK);
    ck_assert_str_eq(call.method, "GET");
    ck_assert_ptr_null(call.body.at);
    mr_call_fini(&call);
}
END_TEST

/* One row: the text of data, and the bytes that leave. */
static const struct {
    const char *data, *body;
} bodies[] = {
    {URL ",\"json\":{\"b\": 0.10,\"a\" :[9007199254740993 ,1e2]}}",
     "{\"b\": 0.10,\"a\" :[9007199254740993 ,1e2]}"                                     },
    {"{\"json\":\"first\",\"json\" : \"\\u00fc}\" ,\"url\":\"http://a.test/\"}",
     "\"\\u00fc}\""                                                                     },
    {"{\"\\u006ason\":false,\"url\":\"http://a.test/\"}",                        "false"},
    {" {\"data\":{\"json\":1},\"url\":\"http://a.test/\" , \"json\":[ ] } ",     "[ ]"  },
};

START_TEST(json_leaves_byte_for_byte)
{
    struct mr_call call;

    ck_assert_int_eq(read_call(bodies[_i].data, "", &call), MR_OK);
    ck_assert_str_eq(call.method, "POST");
    ck_assert(mr_bytes_is(call.body, bodies[_i].body));
    ck_assert_str_eq(header_of(&call, "Content-Type"), "application/json");
    mr_call_fini(&call);
}
END_TEST

START_TEST(a_jobs_uuid_goes_along_as_its_key)
{
    struct mr_call call;

    ck_assert_int_eq(read_call(URL "}", "0190-abc", &call), MR_OK);
    ck_assert_str_eq(header_of(&call, "Idempotency-Key"), "0190-abc");
    mr_call_fini(&call);
    ck_assert_int_eq(
        read_call(URL ",\"headers\":{\"idempotency-key\":\"own\"}}", "0190-abc", &call), MR_OK);
    ck_assert_str_eq(header_of(&call, "idempotency-key"), "own");
    ck_assert_uint_eq(call.n_headers, 1);
    mr_call_fini(&call);
    ck_assert_int_eq(read_call(URL "}", "a\r\nb", &call), MR_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "uuid: only visible ASCII"));
}
END_TEST

START_TEST(the_jobs_own_headers_win)
{
    struct mr_call call;

    ck_assert_int_eq(read_call(URL
                               ",\"method\":\"put\",\"json\":1,\"timeout_s\":0.25,\"headers\":{"
                               "\"content-type\":\"application/vnd.api+json\","
                               "\"Authorization\":\"Bearer x\",\"X-\\u00dc\":\"\"}}",
                               "", &call),
                     MR_EINVAL);
    ck_assert_int_eq(
        read_call(URL ",\"method\":\"put\",\"json\":1,\"timeout_s\":0.25,\"headers\":{"
                      "\"content-type\":\"application/vnd.api+json\","
                      "\"Authorization\":\"Bearer x\",\"X-Note\":\"Gr\\u00fc\\u00dfe\"}}",
                  "", &call),
        MR_OK);
    ck_assert_str_eq(call.method, "PUT");
    ck_assert_uint_eq(call.timeout_ms, 250);
    ck_assert_str_eq(header_of(&call, "content-type"), "application/vnd.api+json");
    ck_assert_str_eq(header_of(&call, "Content-Type"), "(none)");
    ck_assert_str_eq(header_of(&call, "Authorization"), "Bearer x");
    mr_call_fini(&call);
}
END_TEST

static const struct {
    const char *data, *words;
} wrong[] = {
    {"[]",                                                    "data must be an object"          },
    {"null",                                                  "data must be an object"          },
    {"{}",                                                    "data.url must be a string"       },
    {"{\"url\":7}",                                           "data.url must be a string"       },
    {"{\"url\":\"\"}",                                        "data.url must be a string"       },
    {"{\"url\":\"http://a/\\u0000b\"}",                       "data.url must be a string"       },
    {URL ",\"method\":\"CONNECT\"}",                          "data.method must be"             },
    {URL ",\"method\":\"GET / HTTP/1.1\"}",                   "data.method must be"             },
    {URL ",\"method\":1}",                                    "data.method must be"             },
    {URL ",\"method\":\"HEAD\",\"json\":1}",                  "data.json cannot go with HEAD"   },
    {URL ",\"headers\":\"X: y\"}",                            "data.headers must be an object"  },
    {URL ",\"headers\":[1]}",                                 "data.headers must be an object"  },
    {URL ",\"headers\":{\"X\":1}}",                           "data.headers.X must be a string" },
    {URL ",\"headers\":{\"X\":\"a\\r\\nY: b\"}}",             "data.headers.X must be a string" },
    {URL ",\"headers\":{\"X\":\"a\\u0000b\"}}",               "data.headers.X must be a string" },
    {URL ",\"headers\":{\"X\":\"\\u007f\"}}",                 "data.headers.X must be a string" },
    {URL ",\"headers\":{\"X Y\":\"a\"}}",                     "'X Y' is no header's name"       },
    {URL ",\"headers\":{\"X\\r\\nY\":\"a\"}}",                "is no header's name"             },
    {URL ",\"headers\":{\"\":\"a\"}}",                        "'' is no header's name"          },
    {URL ",\"headers\":{\"x\":\"a\",\"X\":\"b\"}}",           "is there twice"                  },
    {URL ",\"headers\":{\"host\":\"a\"}}",                    "data.headers.host is not a job's"},
    {URL ",\"headers\":{\"Content-Length\":\"1\"}}",          "is not a job's to set"           },
    {URL ",\"headers\":{\"transfer-encoding\":\"chunked\"}}", "is not a job's to set"           },
    {URL ",\"headers\":{\"Connection\":\"close\"}}",          "is not a job's to set"           },
    {URL ",\"headers\":{\"Proxy-Authorization\":\"a\"}}",     "is not a job's to set"           },
    {URL ",\"headers\":{\"x-service-token\":\"a\"}}",         "it comes from http.token"        },
    {URL ",\"expect\":\"200\"}",                              "data.expect must be a status"    },
    {URL ",\"expect\":[200,99]}",                             "data.expect must be a status"    },
    {URL ",\"expect\":600}",                                  "data.expect must be a status"    },
    {URL ",\"timeout_s\":0}",                                 "data.timeout_s must be a number" },
    {URL ",\"timeout_s\":601}",                               "data.timeout_s must be a number" },
    {URL ",\"timeout_s\":\"5\"}",                             "data.timeout_s must be a number" },
};

START_TEST(what_is_wrong_is_named)
{
    struct mr_call call;

    ck_assert_int_eq(read_call(wrong[_i].data, "", &call), MR_EINVAL);
    ck_assert_msg(strstr(err.text, wrong[_i].words), "%s: %s", wrong[_i].data, err.text);
}
END_TEST

/* ---- what its answer means ---- */

static const struct {
    const char *expect;
    long status;
    int64_t retry_after_ms;
    enum mr_outcome_kind outcome;
    int64_t after_ms; /* with half of the jitter */
} judged[] = {
    {"null",      200, -1,     MR_OUTCOME_DONE,    0     },
    {"null",      204, -1,     MR_OUTCOME_DONE,    0     },
    {"null",      299, 9000,   MR_OUTCOME_DONE,    0     },
    {"404",       404, -1,     MR_OUTCOME_DONE,    0     },
    {"[200,503]", 503, 9000,   MR_OUTCOME_DONE,    0     },
    {"404",       200, -1,     MR_OUTCOME_FAIL,    0     },
    {"201",       500, -1,     MR_OUTCOME_RETRY,   -1    },
    {"null",      301, -1,     MR_OUTCOME_FAIL,    0     },
    {"null",      400, -1,     MR_OUTCOME_FAIL,    0     },
    {"null",      401, 9000,   MR_OUTCOME_FAIL,    0     },
    {"null",      404, -1,     MR_OUTCOME_FAIL,    0     },
    {"null",      408, -1,     MR_OUTCOME_RETRY,   -1    },
    {"null",      425, -1,     MR_OUTCOME_RETRY,   -1    },
    {"null",      429, -1,     MR_OUTCOME_RETRY,   -1    },
    {"null",      429, 20000,  MR_OUTCOME_RELEASE, 21000 },
    {"null",      429, 0,      MR_OUTCOME_RELEASE, 1050  },
    {"null",      503, 100000, MR_OUTCOME_RELEASE, 105000},
    {"null",      503, -1,     MR_OUTCOME_RETRY,   -1    },
    {"null",      500, 20000,  MR_OUTCOME_RETRY,   -1    },
    {"null",      599, -1,     MR_OUTCOME_RETRY,   -1    },
};

START_TEST(a_status_decides_what_becomes_of_the_job)
{
    struct mr_http_answer answer = {.end = MR_HTTP_ANSWERED,
                                    .status = judged[_i].status,
                                    .retry_after_ms = judged[_i].retry_after_ms};
    struct mr_call call;
    char data[100];

    snprintf(data, sizeof(data), URL ",\"expect\":%s}", judged[_i].expect);
    ck_assert_int_eq(read_call(data, "", &call), MR_OK);
    struct mr_outcome outcome = mr_call_outcome(&call, &answer, UINT32_MAX / 2 + 1);
    ck_assert_int_eq(outcome.kind, judged[_i].outcome);
    if (outcome.kind == MR_OUTCOME_RELEASE || outcome.kind == MR_OUTCOME_RETRY)
        ck_assert_int_eq(outcome.after_ms, judged[_i].after_ms);
    mr_outcome_fini(&outcome);
    mr_call_fini(&call);
}
END_TEST

static const struct {
    enum mr_http_end end;
    enum mr_outcome_kind outcome;
    const char *words, *counter;
} ends[] = {
    {MR_HTTP_NOT_SENT, MR_OUTCOME_RETRY,   "not sent: why",                         "http_not_sent"},
    {MR_HTTP_HELD,     MR_OUTCOME_RELEASE, "not sent: why",                         "http_held"    },
    {MR_HTTP_REFUSED,  MR_OUTCOME_FAIL,    "not sent: why",                         "http_refused" },
    {MR_HTTP_UNKNOWN,  MR_OUTCOME_RETRY,   "nobody knows whether it was done: why",
     "http_unknown"                                                                                },
};

START_TEST(without_an_answer_the_reason_says_what_is_known)
{
    struct mr_http_answer answer = {.end = ends[_i].end, .trouble = "why"};
    struct mr_call call = {0};
    struct mr_outcome outcome = mr_call_outcome(&call, &answer, 0);

    ck_assert_int_eq(outcome.kind, ends[_i].outcome);
    ck_assert_str_eq(outcome.reason, ends[_i].words);
    ck_assert_str_eq(mr_call_counter(&answer), ends[_i].counter);
    mr_outcome_fini(&outcome);
}
END_TEST

static const struct {
    const char *body, *reason;
} shown[] = {
    {"",                       "answered 404"                },
    {"no\r\nsuch\tthing",      "answered 404: no  such thing"},
    {"gr\xc3\xbc\x01\xff\x7f", "answered 404: gr\xc3\xbc ??" },
};

START_TEST(the_beginning_of_an_answer_is_shown)
{
    struct mr_http_answer answer = {
        .end = MR_HTTP_ANSWERED, .status = 404, .body = mr_bytes_of(shown[_i].body)};
    struct mr_call call = {0};
    struct mr_outcome outcome = mr_call_outcome(&call, &answer, 0);

    ck_assert_str_eq(outcome.reason, shown[_i].reason);
    mr_outcome_fini(&outcome);
}
END_TEST

START_TEST(a_long_answer_is_cut_behind_a_whole_character)
{
    char body[400] = "";
    struct mr_http_answer answer = {.end = MR_HTTP_ANSWERED, .status = 400};
    struct mr_call call = {0};

    memset(body, 'x', 199);
    strcpy(body + 199, "\xe4\xbd\xa0 and more");
    answer.body = mr_bytes_of(body);
    struct mr_outcome outcome = mr_call_outcome(&call, &answer, 0);
    ck_assert_uint_eq(strlen(outcome.reason), strlen("answered 400: ") + 199 + 3 + 3);
    ck_assert_str_eq(outcome.reason + strlen("answered 400: ") + 199, "\xe4\xbd\xa0...");
    mr_outcome_fini(&outcome);
}
END_TEST

static const struct {
    long status;
    const char *counter;
} counted[] = {
    {200, "http_success"     },
    {302, "http_redirect"    },
    {404, "http_client_error"},
    {503, "http_server_error"}
};

START_TEST(answers_are_counted_by_class)
{
    struct mr_http_answer answer = {.end = MR_HTTP_ANSWERED, .status = counted[_i].status};

    ck_assert_str_eq(mr_call_counter(&answer), counted[_i].counter);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_url_alone_is_a_get_that_wants_any_2xx,         0                },
        {null_and_phps_empty_array_are_nothing,           0                },
        {json_leaves_byte_for_byte,                       MR_COUNT(bodies) },
        {a_jobs_uuid_goes_along_as_its_key,               0                },
        {the_jobs_own_headers_win,                        0                },
        {what_is_wrong_is_named,                          MR_COUNT(wrong)  },
        {a_status_decides_what_becomes_of_the_job,        MR_COUNT(judged) },
        {without_an_answer_the_reason_says_what_is_known, MR_COUNT(ends)   },
        {the_beginning_of_an_answer_is_shown,             MR_COUNT(shown)  },
        {a_long_answer_is_cut_behind_a_whole_character,   0                },
        {answers_are_counted_by_class,                    MR_COUNT(counted)},
    };

    return mr_suite_run("http_call", tests);
}
