#include "proto/api.h"
#include "tests/support/suite.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *method, *path;
    enum mr_code code;
    enum mr_api_call call;
    const char *first, *second, *allow;
} rows[] = {
    {"GET",    "/health",                            MR_OK,        MR_API_HEALTH,     NULL,      NULL,    ""         },
    {"HEAD",   "/metrics",                           MR_OK,        MR_API_METRICS,    NULL,      NULL,    ""         },
    {"GET",    "/",                                  MR_ENOTFOUND, MR_API_HEALTH,     NULL,      NULL,    ""         },
    {"GET",    "/health/",                           MR_ENOTFOUND, MR_API_HEALTH,     NULL,      NULL,    ""         },
    {"GET",    "",                                   MR_ENOTFOUND, MR_API_HEALTH,     NULL,      NULL,    ""         },
    {"PUT",    "/health",                            MR_EREFUSED,  MR_API_HEALTH,     NULL,      NULL,    "GET, HEAD"},
    {"GET",    "/api/v1/drain",                      MR_EREFUSED,  MR_API_HEALTH,     NULL,      NULL,    "POST"     },
    {"PATCH",  "/api/v1/pools/high",                 MR_OK,        MR_API_SCALE,      "high",    NULL,    ""         },
    {"PATCH",  "/api/v1/pools/",                     MR_ENOTFOUND, MR_API_HEALTH,     NULL,      NULL,    ""         },
    {"POST",   "/api/v1/queues/default/dead/retry",  MR_OK,        MR_API_DEAD_RETRY, "default", NULL,
     ""                                                                                                              },
    {"GET",    "/api/v1/queues/default/dead/retry",  MR_OK,        MR_API_DEAD_SHOW,  "default", "retry",
     ""                                                                                                              },
    {"GET",    "/api/v1/queues/a%7Bb%7D/dead/x%2Fy", MR_OK,        MR_API_DEAD_SHOW,  "a{b}",    "x/y",   ""         },
    {"GET",    "/api/v1/queues/a/dead/b%00c",        MR_EINVAL,    MR_API_HEALTH,     NULL,      NULL,    ""         },
    {"GET",    "/api/v1/queues/a/dead/b%2",          MR_EINVAL,    MR_API_HEALTH,     NULL,      NULL,    ""         },
    {"POST",   "/api/v1/jobs/a.b-1/cancel",          MR_OK,        MR_API_CANCEL,     "a.b-1",   NULL,    ""         },
    {"DELETE", "/api/v1/queues/a/dead/b",            MR_EREFUSED,  MR_API_HEALTH,     NULL,      NULL,    "GET, HEAD"},
};

static void same_text(const char *got, const char *want)
{
    if (want)
        ck_assert_str_eq(got, want);
    else
        ck_assert_ptr_null(got);
}

START_TEST(a_path_finds_its_route)
{
    struct mr_api_match match;

    ck_assert_int_eq(mr_api_match(rows[_i].method, rows[_i].path, &match), rows[_i].code);
    if (rows[_i].code == MR_OK)
        ck_assert_int_eq(match.call, rows[_i].call);
    if (rows[_i].code != MR_EINVAL) {
        same_text(match.params[0], rows[_i].first);
        same_text(match.params[1], rows[_i].second);
        ck_assert_str_eq(match.allow, rows[_i].allow);
        mr_api_match_fini(&match);
    }
}
END_TEST

START_TEST(every_path_we_make_is_the_one_we_find)
{
    const char *const params[MR_API_PARAMS] = {"que{ue}", "an/odd id%\x01\xc3\xa4"};
    struct mr_buf path = {0};
    struct mr_api_match match;

    mr_api_path((enum mr_api_call)_i, params, &path);
    ck_assert_int_eq(mr_api_match(mr_api_route((enum mr_api_call)_i)->method, path.at, &match),
                     MR_OK);
    ck_assert_int_eq(match.call, _i);
    for (unsigned i = 0; i < MR_API_PARAMS; i++)
        if (match.params[i])
            ck_assert_str_eq(match.params[i], params[i]);
    mr_api_match_fini(&match);
    mr_buf_fini(&path);
}
END_TEST

START_TEST(a_problem_is_json_whatever_its_detail_holds)
{
    struct mr_buf text = {0};

    mr_api_problem(404, "no \"queue\"\n\xff here", &text);
    json_t *problem = json_loads(text.at, 0, NULL);
    ck_assert_ptr_nonnull(problem);
    ck_assert_str_eq(json_string_value(json_object_get(problem, "type")), "about:blank");
    ck_assert_str_eq(json_string_value(json_object_get(problem, "title")), "Not Found");
    ck_assert_int_eq(json_integer_value(json_object_get(problem, "status")), 404);
    ck_assert_str_eq(json_string_value(json_object_get(problem, "detail")),
                     "no \"queue\"\n\xef\xbf\xbd here");
    json_decref(problem);
    mr_buf_fini(&text);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_path_finds_its_route,                      (int)MR_COUNT(rows)},
        {every_path_we_make_is_the_one_we_find,       MR_API_CALLS       },
        {a_problem_is_json_whatever_its_detail_holds, 0                  },
    };

    return mr_suite_run("api", tests);
}
