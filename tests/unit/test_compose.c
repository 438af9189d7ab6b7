#include "proto/base/clock.h"
#include "proto/base/uuid.h"
#include "proto/compose.h"
#include "tests/support/suite.h"

#include <jansson.h>
#include <string.h>

static const char *text_of(const json_t *root, const char *member)
{
    return json_string_value(json_object_get(root, member));
}

static json_t *composed(const struct mr_compose *compose)
{
    struct mr_buf out = {0};
    struct mr_err err = {0};
    char uuid[MR_COMPOSE_UUID_MAX];

    ck_assert_msg(mr_compose_envelope(compose, &out, uuid, &err) == MR_OK, "%s", err.text);
    json_t *root = json_loadb(out.at, out.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    ck_assert_ptr_nonnull(root);
    ck_assert_str_eq(text_of(root, "uuid"), uuid);
    mr_buf_fini(&out);
    return root;
}

START_TEST(the_least_is_what_laravel_needs)
{
    struct mr_compose compose = mr_compose_of("email.send", NULL);
    double before_s = (double)mr_clock_wall_ms() / 1000;
    json_t *root = composed(&compose);
    double pushed_s = json_real_value(json_object_get(root, "pushedAt"));

    ck_assert_uint_eq(json_object_size(root), 7);
    ck_assert_uint_eq(strlen(text_of(root, "uuid")), MR_UUID_LEN);
    ck_assert_str_eq(text_of(root, "id"), text_of(root, "uuid"));
    ck_assert_str_eq(text_of(root, "job"), "email.send");
    ck_assert_str_eq(text_of(root, "displayName"), "email.send");
    ck_assert(json_is_null(json_object_get(root, "data")));
    ck_assert_int_eq(json_integer_value(json_object_get(root, "attempts")), 0);
    ck_assert_double_ge_tol(pushed_s, before_s, 0.002);
    ck_assert_double_le(pushed_s, before_s + 60);
    json_decref(root);
}
END_TEST

START_TEST(every_wish_is_written_as_the_scan_reads_it)
{
    static const uint32_t waits[] = {10, 30};
    static const char *const tags[] = {"a\"b", "c"};
    json_t *data = json_pack("{s:s,s:[i,f]}", "to", "zo\xc3\xab", "n", 7, 0.5);
    struct mr_compose compose = mr_compose_of("App\\Mail@send", data);
    struct mr_limits limits = mr_limits_default();
    struct mr_envelope envelope;
    struct mr_buf out = {0};

    compose.uuid = "order-7";
    compose.tries = 0;
    compose.max_exceptions = 2;
    compose.timeout_s = 30;
    compose.retry_until_s = 1795437178;
    compose.expires_at_s = 1795437178.25;
    compose.fail_on_timeout = true;
    compose.backoff_s = waits;
    compose.n_backoff = MR_COUNT(waits);
    compose.tags = tags;
    compose.n_tags = MR_COUNT(tags);
    compose.traceparent = "00-ab-cd-01";
    ck_assert_int_eq(mr_compose_envelope(&compose, &out, NULL, NULL), MR_OK);
    ck_assert_int_eq(mr_envelope_scan(out.at, out.len, &limits, &envelope, NULL), MR_OK);
    ck_assert(mr_bytes_is(envelope.uuid, "order-7"));
    ck_assert(mr_bytes_is(envelope.job, "App\\Mail@send"));
    ck_assert_int_eq(envelope.max_tries, 0);
    ck_assert_int_eq(envelope.max_exceptions, 2);
    ck_assert_int_eq(envelope.timeout_s, 30);
    ck_assert_int_eq(envelope.retry_until_s, 1795437178);
    ck_assert_double_eq(envelope.expires_at_s, 1795437178.25);
    ck_assert(envelope.fail_on_timeout);
    ck_assert_uint_eq(envelope.n_backoff, 2);
    ck_assert_uint_eq(envelope.backoff_s[1], 30);
    ck_assert(mr_bytes_is(envelope.tags, "[\"a\\\"b\",\"c\"]"));
    ck_assert(mr_bytes_is(envelope.traceparent, "00-ab-cd-01"));
    ck_assert(mr_bytes_is(envelope.data, "{\"to\":\"zo\xc3\xab\",\"n\":[7,0.5]}"));
    ck_assert_ptr_nonnull(strstr(out.at, "\"backoff\":\"10,30\"")); /* never an array */
    mr_envelope_fini(&envelope);
    mr_buf_fini(&out);
    json_decref(data);
}
END_TEST

START_TEST(data_as_text_is_taken_as_it_is)
{
    struct mr_compose compose = mr_compose_of("j", NULL);
    struct mr_buf out = {0};

    compose.data_json = mr_bytes_of(" [1.50, \"\\u0000\"] ");
    ck_assert_int_eq(mr_compose_envelope(&compose, &out, NULL, NULL), MR_OK);
    ck_assert_ptr_nonnull(strstr(out.at, "\"data\": [1.50, \"\\u0000\"] ,"));
    mr_buf_fini(&out);
}
END_TEST

static const struct {
    const char *job, *uuid, *data;
    unsigned n_backoff;
    uint64_t payload_bytes;
    const char *says;
} refused[] = {
    {"",    NULL,  NULL,                  0,  0,   "job"              },
    {NULL,  NULL,  NULL,                  0,  0,   "job"              },
    {"a b", NULL,  NULL,                  0,  0,   "job \"a b\""      },
    {"j",   "",    NULL,                  0,  0,   "uuid"             },
    {"j",   "a:b", NULL,                  0,  0,   "uuid \"a:b\""     },
    {"j",   NULL,  "{",                   0,  0,   "data: not JSON"   },
    {"j",   NULL,  "",                    0,  0,   "data: not JSON"   },
    {"j",   NULL,  "1,\"job\":\"other\"", 0,  0,   "data: not JSON"   }, /* no way out of `data` */
    {"j",   NULL,  "1,\"timeout\":5",     0,  0,   "data: not JSON"   },
    {"j",   NULL,  "1,\"mine\":\"x\" ",   0,  0,   "data: not JSON"   },
    {"j",   NULL,  "1 2",                 0,  0,   "data: not JSON"   },
    {"j",   NULL,  "1}",                  0,  0,   "data: not JSON"   },
    {"j",   NULL,  " ",                   0,  0,   "data: not JSON"   },
    {"j",   NULL,  NULL,                  33, 0,   "backoff: 33 waits"},
    {"j",   NULL,  NULL,                  0,  100, "limits.payload"   },
};

START_TEST(what_a_worker_would_refuse_is_refused_here)
{
    static const uint32_t waits[33];
    struct mr_compose compose = mr_compose_of(refused[_i].job, NULL);
    char uuid[MR_COMPOSE_UUID_MAX] = "as it was";
    struct mr_buf out = {0};
    struct mr_err err = {0};

    compose.uuid = refused[_i].uuid;
    compose.data_json = mr_bytes_of(refused[_i].data);
    compose.backoff_s = waits;
    compose.n_backoff = refused[_i].n_backoff;
    if (refused[_i].payload_bytes)
        compose.limits.payload_bytes = refused[_i].payload_bytes;
    mr_buf_text(&out, "before");
    ck_assert_int_eq(mr_compose_envelope(&compose, &out, uuid, &err), MR_EINVAL);
    ck_assert_msg(strstr(err.text, refused[_i].says) != NULL, "%s", err.text);
    ck_assert_str_eq(out.at, "before");
    ck_assert_str_eq(uuid, "as it was");
    mr_buf_fini(&out);
}
END_TEST

START_TEST(data_nested_too_deeply_is_refused)
{
    struct mr_compose compose = mr_compose_of("j", NULL);
    struct mr_buf text = {0}, out = {0};
    struct mr_err err = {0};

    for (int i = 0; i < 64; i++)
        mr_buf_char(&text, '[');
    for (int i = 0; i < 64; i++)
        mr_buf_char(&text, ']');
    compose.data_json = (struct mr_bytes){text.at, text.len};
    ck_assert_int_eq(mr_compose_envelope(&compose, &out, NULL, &err), MR_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "data: nested too deeply"));
    ck_assert_uint_eq(out.len, 0);
    mr_buf_fini(&text);
    mr_buf_fini(&out);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {the_least_is_what_laravel_needs,            0                },
        {every_wish_is_written_as_the_scan_reads_it, 0                },
        {data_as_text_is_taken_as_it_is,             0                },
        {what_a_worker_would_refuse_is_refused_here, MR_COUNT(refused)},
        {data_nested_too_deeply_is_refused,          0                },
    };

    return mr_suite_run("compose", tests);
}
