#include "dispatcher/json_body.h"
#include "proto/base/mem.h"
#include "tests/support/suite.h"

#include <string.h>

struct fields {
    long long count;
    double span;
    const char *name;
    bool all;
    json_t *list, *any;
};

static const struct mr_member members[] = {
    {"count", MR_MEMBER_INTEGER, offsetof(struct fields, count), -5, 10, false},
    {"span",  MR_MEMBER_NUMBER,  offsetof(struct fields, span),  0,  1,  false},
    {"name",  MR_MEMBER_TEXT,    offsetof(struct fields, name),  0,  0,  true },
    {"all",   MR_MEMBER_TRUE,    offsetof(struct fields, all),   0,  0,  false},
    {"list",  MR_MEMBER_ARRAY,   offsetof(struct fields, list),  0,  0,  false},
    {"any",   MR_MEMBER_ANY,     offsetof(struct fields, any),   0,  0,  false},
};

START_TEST(members_land_in_their_fields)
{
    struct fields fields = {.span = 7};
    json_t *body = mr_body_parse(
        mr_bytes_of("{\"count\":-5,\"name\":\"x\",\"all\":true,\"list\":[1],\"any\":null,"
                    "\"span\":null}"),
        NULL);

    ck_assert_int_eq(mr_body_read(body, "", members, MR_COUNT(members), &fields, NULL), MR_OK);
    ck_assert_int_eq(fields.count, -5);
    ck_assert_double_eq(fields.span, 7); /* null says nothing */
    ck_assert_str_eq(fields.name, "x");
    ck_assert(fields.all);
    ck_assert_uint_eq(json_array_size(fields.list), 1);
    ck_assert(json_is_null(fields.any));
    json_decref(body);
}
END_TEST

static const struct {
    const char *body, *says; /* words that the error holds */
} refused[] = {
    {"{}",                             "name is missing"             },
    {"[]",                             "a JSON object is needed"     },
    {"{\"name\":1}",                   "name must be a string"       },
    {"{\"name\":\"a\\u0000b\"}",       "name must be a string"       },
    {"{\"name\":\"x\",\"count\":1.5}", "count must be a whole number"},
    {"{\"name\":\"x\",\"count\":11}",  "count must be -5 to 10"      },
    {"{\"name\":\"x\",\"span\":-0.1}", "span must be 0 to 1"         },
    {"{\"name\":\"x\",\"all\":false}", "all must be true"            },
    {"{\"name\":\"x\",\"list\":{}}",   "list must be an array"       },
    {"{\"name\":\"x\",\"cuont\":1}",   "did you mean 'count'"        },
    {"{\"name\":\"x\",\"zebra\":1}",   "'zebra' is not known here"   },
};

START_TEST(what_does_not_fit_is_refused_by_name)
{
    struct fields fields = {0};
    struct mr_err err = {0};
    json_t *body = mr_body_parse(mr_bytes_of(refused[_i].body), &err);

    ck_assert_int_eq(mr_body_read(body, "job 3: ", members, MR_COUNT(members), &fields, &err),
                     MR_EINVAL);
    ck_assert_msg(strstr(err.text, refused[_i].says) != NULL, "said: %s", err.text);
    ck_assert_int_eq(strncmp(err.text, "job 3: ", 7), 0);
    json_decref(body);
}
END_TEST

static const char *const no_json[] = {"{", "nonsense", "{\"a\":1,\"a\":2}", "{} {}", "\xff"};

START_TEST(a_body_that_is_no_json_says_where)
{
    struct mr_err err = {0};

    ck_assert_ptr_null(mr_body_parse(mr_bytes_of(no_json[_i]), &err));
    ck_assert_ptr_nonnull(strstr(err.text, "line 1"));
}
END_TEST

START_TEST(an_empty_body_says_nothing)
{
    json_t *body = mr_body_parse((struct mr_bytes){"", 0}, NULL);

    ck_assert(json_is_object(body));
    ck_assert_uint_eq(json_object_size(body), 0);
    json_decref(body);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {members_land_in_their_fields,         0                     },
        {what_does_not_fit_is_refused_by_name, (int)MR_COUNT(refused)},
        {a_body_that_is_no_json_says_where,    (int)MR_COUNT(no_json)},
        {an_empty_body_says_nothing,           0                     },
    };

    return mr_suite_run("json_body", tests);
}
