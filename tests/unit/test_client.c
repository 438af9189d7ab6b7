#include "proto/base/str.h"
#include "proto/base/uuid.h"
#include "proto/envelope.h"
#include "proto/millrace.h"
#include "tests/support/redis.h"
#include "tests/support/suite.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define READY "queues:default"
#define DELAYED "queues:default:delayed"
#define NOTIFY "queues:default:notify"

static struct mr_redis redis;
static struct millrace *client;

static struct millrace *open_at(const char *url, const char *password)
{
    struct millrace_options options = {
        .url = url, .password = password, .reply_timeout_ms = 300};
    char error[200];
    struct millrace *opened = millrace_open(&options, error, sizeof(error));

    ck_assert_msg(opened != NULL, "%s", error);
    return opened;
}

static void set_up(void)
{
    mr_redis_start(&redis, NULL);
    client = open_at(redis.url, NULL);
}

static void tear_down(void)
{
    millrace_close(client);
    mr_redis_stop(&redis);
}

static void ck_result(enum millrace_result got, enum millrace_result want)
{
    ck_assert_msg(got == want, "%s, wanted %s: %s", millrace_result_name(got),
                  millrace_result_name(want), millrace_error(client));
}

static enum millrace_result push(const char *job)
{
    return millrace_push(client, "default", &(struct millrace_job){.job = job}, NULL);
}

/* ---- what arrives ---- */

START_TEST(one_push_is_one_job_one_token_and_a_known_queue)
{
    struct millrace_job job = {.job = "email.send", .data = "{\"to\":[\"a\"]}"};
    char uuid[MILLRACE_UUID_SIZE];

    set_up();
    ck_result(millrace_push(client, "default", &job, uuid), MILLRACE_OK);
    ck_assert_uint_eq(strlen(uuid), MR_UUID_LEN);
    ck_assert_str_eq(millrace_error(client), "");
    ck_assert_int_eq(mr_redis_int(&redis, "LLEN " NOTIFY), 1);
    ck_assert_int_eq(mr_redis_int(&redis, "SISMEMBER millrace:queues default"), 1);

    redisReply *payload = mr_redis_ask(&redis, "LPOP " READY);
    json_t *root = json_loadb(payload->str, payload->len, 0, NULL);
    ck_assert_str_eq(json_string_value(json_object_get(root, "uuid")), uuid);
    ck_assert_str_eq(json_string_value(json_object_get(root, "id")), uuid);
    ck_assert_str_eq(json_string_value(json_object_get(root, "job")), "email.send");
    ck_assert_int_eq(json_integer_value(json_object_get(root, "attempts")), 0);
    ck_assert(json_is_real(json_object_get(root, "pushedAt")));
    ck_assert_ptr_nonnull(strstr(payload->str, "\"data\":{\"to\":[\"a\"]},"));
    ck_assert_int_eq(mr_redis_int(&redis, "LLEN " READY), 0);
    json_decref(root);
    freeReplyObject(payload);
    tear_down();
}
END_TEST

START_TEST(what_a_job_wishes_is_in_its_envelope)
{
    static const uint32_t waits[] = {5, 50};
    static const char *const tags[] = {"mail"};
    struct millrace_job job = {
        .job = "email.send",
        .uuid = "order-7",
        .tries = MILLRACE_UNLIMITED,
        .max_exceptions = 4,
        .timeout_s = 30,
        .retry_until_s = 1795437178,
        .expires_at_s = 1795437178.5,
        .fail_on_timeout = 1,
        .backoff_s = waits,
        .n_backoff = MR_COUNT(waits),
        .tags = tags,
        .n_tags = MR_COUNT(tags),
        .traceparent = "00-1-2-01",
    };
    struct mr_limits limits = mr_limits_default();
    struct mr_envelope envelope;

    set_up();
    ck_result(millrace_push(client, "default", &job, NULL), MILLRACE_OK);
    redisReply *payload = mr_redis_ask(&redis, "LPOP " READY);
    ck_assert_int_eq(mr_envelope_scan(payload->str, payload->len, &limits, &envelope, NULL),
                     MR_OK);
    ck_assert(mr_bytes_is(envelope.uuid, "order-7"));
    ck_assert_int_eq(envelope.max_tries, 0);
    ck_assert_int_eq(envelope.max_exceptions, 4);
    ck_assert_int_eq(envelope.timeout_s, 30);
    ck_assert_int_eq(envelope.retry_until_s, 1795437178);
    ck_assert_double_eq(envelope.expires_at_s, 1795437178.5);
    ck_assert(envelope.fail_on_timeout);
    ck_assert_uint_eq(envelope.n_backoff, 2);
    ck_assert(mr_bytes_is(envelope.tags, "[\"mail\"]"));
    ck_assert(mr_bytes_is(envelope.traceparent, "00-1-2-01"));
    mr_envelope_fini(&envelope);
    freeReplyObject(payload);
    tear_down();
}
END_TEST

/* How often Redis has seen a command. */
static long long calls(const char *command)
{
    redisReply *stats = mr_redis_ask(&redis, "INFO commandstats");
    char line[64];
    long long n = 0;

    snprintf(line, sizeof(line), "cmdstat_%s:calls=", command);
    const char *at = strstr(stats->str, line);
    if (at)
        n = atoll(at + strlen(line));
    freeReplyObject(stats);
    return n;
}

START_TEST(many_jobs_leave_in_few_commands_and_in_order)
{
    enum { N = 1234 };
    struct millrace_job *jobs = mr_zalloc_array(N, sizeof(*jobs));
    char(*uuids)[MILLRACE_UUID_SIZE] = mr_zalloc_array(N, sizeof(*uuids));
    size_t pushed = 0;

    set_up();
    for (int i = 0; i < N; i++)
        jobs[i].job = "debug.noop";
    ck_result(millrace_push_many(client, "default", jobs, N, uuids, &pushed), MILLRACE_OK);
    ck_assert_uint_eq(pushed, N);
    ck_assert_int_eq(mr_redis_int(&redis, "LLEN " READY), N);
    ck_assert_int_eq(mr_redis_int(&redis, "LLEN " NOTIFY), N);
    ck_assert_int_eq(calls("rpush"), 2 * 3); /* chunks of 500 */
    for (int i = 0; i < N; i++) {
        redisReply *payload = mr_redis_ask(&redis, "LINDEX " READY " %d", i);

        ck_assert_ptr_nonnull(strstr(payload->str, uuids[i]));
        freeReplyObject(payload);
    }
    tear_down();
    free(jobs);
    free(uuids);
}
END_TEST

START_TEST(large_jobs_leave_in_smaller_companies)
{
    enum { N = 9, DATA_BYTES = 400 << 10 };
    struct millrace_job jobs[N] = {{0}};
    char *data = mr_zalloc(DATA_BYTES + 3);

    set_up();
    memset(data, 'x', DATA_BYTES + 2);
    data[0] = data[DATA_BYTES + 1] = '"';
    for (int i = 0; i < N; i++)
        jobs[i] = (struct millrace_job){.job = "debug.noop", .data = data};
    ck_result(millrace_push_many(client, "default", jobs, N, NULL, NULL), MILLRACE_OK);
    ck_assert_int_eq(mr_redis_int(&redis, "LLEN " READY), N);
    ck_assert_int_eq(calls("rpush"), 2 * 3); /* 1 MiB is reached with the third */
    tear_down();
    free(data);
}
END_TEST

static double now_s(void)
{
    struct timeval now;

    gettimeofday(&now, NULL);
    return (double)now.tv_sec + (double)now.tv_usec / 1e6;
}

START_TEST(a_delayed_job_waits_with_its_due_time)
{
    struct millrace_job job = {.job = "debug.noop", .delay_s = 12.25};

    set_up();
    double before_s = now_s();
    ck_result(millrace_push(client, "default", &job, NULL), MILLRACE_OK);
    double after_s = now_s();
    redisReply *member = mr_redis_ask(&redis, "ZRANGE " DELAYED " 0 -1 WITHSCORES");
    ck_assert_uint_eq(member->elements, 2);
    ck_assert_double_ge(strtod(member->element[1]->str, NULL), before_s + 12.25 - 0.002);
    ck_assert_double_le(strtod(member->element[1]->str, NULL), after_s + 12.25 + 0.002);
    freeReplyObject(member);
    ck_assert_int_eq(mr_redis_int(&redis, "EXISTS " READY " " NOTIFY), 0);
    tear_down();
}
END_TEST

START_TEST(ready_and_delayed_jobs_may_be_pushed_together)
{
    struct millrace_job jobs[5] = {
        {.job = "a"    },
        {.job = "b"    },
        {.job = "c",     .delay_s = 60},
        {.job = "d",              .delay_s = 60},
        {.job = "e"}
    };
    size_t pushed = 0;

    set_up();
    ck_result(millrace_push_many(client, "default", jobs, 5, NULL, &pushed), MILLRACE_OK);
    ck_assert_uint_eq(pushed, 5);
    ck_assert_int_eq(mr_redis_int(&redis, "LLEN " READY), 3);
    ck_assert_int_eq(mr_redis_int(&redis, "ZCARD " DELAYED), 2);
    ck_assert_int_eq(mr_redis_int(&redis, "LLEN " NOTIFY), 3);
    tear_down();
}
END_TEST

START_TEST(a_raw_payload_arrives_byte_for_byte)
{
    static const char payload[] = "not JSON \0\xff at all";

    set_up();
    ck_result(millrace_push_raw(client, "default", payload, sizeof(payload), 0), MILLRACE_OK);
    redisReply *got = mr_redis_ask(&redis, "LPOP " READY);
    ck_assert_uint_eq(got->len, sizeof(payload));
    ck_assert_int_eq(memcmp(got->str, payload, sizeof(payload)), 0);
    freeReplyObject(got);
    ck_result(millrace_push_raw(client, "default", "", 0, 0), MILLRACE_INVALID);
    tear_down();
}
END_TEST

START_TEST(equal_delayed_payloads_stay_as_many_as_they_are)
{
    set_up();
    for (int i = 0; i < 3; i++)
        ck_result(millrace_push_raw(client, "default", "{\"job\":\"x\"}", 11, 60), MILLRACE_OK);
    ck_assert_int_eq(mr_redis_int(&redis, "ZCARD " DELAYED), 3);
    tear_down();
}
END_TEST

/* ---- what is refused here ---- */

static const struct {
    const char *queue;
    struct millrace_job job;
    const char *says;
} invalid[] = {
    {"de:fault", {.job = "j"},                       "queue \"de:fault\""},
    {"",         {.job = "j"},                       "queue \"\""        },
    {NULL,       {.job = "j"},                       "queue \"\""        },
    {"default",  {.job = NULL},                      "job \"\""          },
    {"default",  {.job = "a b"},                     "job \"a b\""       },
    {"default",  {.job = "j", .data = "{"},          "data: not JSON"    },
    {"default",  {.job = "j", .uuid = "a b"},        "uuid \"a b\""      },
    {"default",  {.job = "j", .n_backoff = 33},      "backoff"           },
    {"default",  {.job = "j", .delay_s = 1e11},      "delay"             },
    {"default",  {.job = "j", .expires_at_s = 1e13}, "expires_at"        },
};

START_TEST(a_job_that_cannot_run_never_leaves)
{
    client =
        open_at("redis+unix:///nonexistent/redis.sock", NULL); /* it does not even connect */
    ck_result(millrace_push(client, invalid[_i].queue, &invalid[_i].job, NULL),
              MILLRACE_INVALID);
    ck_assert_msg(strstr(millrace_error(client), invalid[_i].says) != NULL, "%s",
                  millrace_error(client));
    millrace_close(client);
}
END_TEST

START_TEST(the_jobs_before_a_bad_one_are_pushed_and_it_is_named)
{
    struct millrace_job jobs[] = {{.job = "a"}, {.job = "b"}, {.job = "bad one"}, {.job = "d"}};
    char uuids[4][MILLRACE_UUID_SIZE];
    size_t pushed = 0;

    set_up();
    ck_result(millrace_push_many(client, "default", jobs, 4, uuids, &pushed), MILLRACE_INVALID);
    ck_assert_uint_eq(pushed, 2);
    ck_assert_ptr_nonnull(strstr(millrace_error(client), "bad one"));
    ck_assert_int_eq(mr_redis_int(&redis, "LLEN " READY), 2);
    ck_assert_uint_eq(strlen(uuids[1]), MR_UUID_LEN);
    ck_assert_str_eq(uuids[2], "");
    tear_down();
}
END_TEST

static const struct {
    const char *url, *says;
} urls[] = {
    {"http://127.0.0.1",        "redis://"},
    {"redis://",                "host"    },
    {"redis://u:s3cret@host:x", "port"    },
    {"redis+unix://relative",   "absolute"},
};

START_TEST(a_bad_url_is_refused_without_showing_its_password)
{
    struct millrace_options options = {.url = urls[_i].url};
    char error[300] = "";

    ck_assert_ptr_null(millrace_open(&options, error, sizeof(error)));
    ck_assert_msg(strstr(error, urls[_i].says) != NULL, "%s", error);
    ck_assert_ptr_null(strstr(error, "s3cret"));
    ck_assert_ptr_null(millrace_open(&options, NULL, 0));
}
END_TEST

/* ---- what Redis refuses ---- */

START_TEST(a_key_of_another_type_refuses_the_push)
{
    set_up();
    freeReplyObject(mr_redis_ask(&redis, "SET " READY " x"));
    ck_result(push("j"), MILLRACE_REFUSED);
    ck_assert_ptr_nonnull(strstr(millrace_error(client), "WRONGTYPE"));
    freeReplyObject(mr_redis_ask(&redis, "DEL " READY));
    ck_result(push("j"), MILLRACE_OK);
    tear_down();
}
END_TEST

START_TEST(a_broken_token_list_loses_no_job)
{
    set_up();
    freeReplyObject(mr_redis_ask(&redis, "SET " NOTIFY " x"));
    ck_result(push("j"), MILLRACE_OK);
    ck_assert_int_eq(mr_redis_int(&redis, "LLEN " READY), 1);
    tear_down();
}
END_TEST

START_TEST(a_full_redis_refuses_whole_pushes)
{
    struct millrace_job delayed = {.job = "j", .delay_s = 60};

    set_up();
    freeReplyObject(mr_redis_ask(&redis, "CONFIG SET maxmemory 1"));
    ck_result(push("j"), MILLRACE_REFUSED);
    ck_assert_ptr_nonnull(strstr(millrace_error(client), "OOM"));
    ck_result(millrace_push(client, "default", &delayed, NULL), MILLRACE_REFUSED);
    freeReplyObject(mr_redis_ask(&redis, "CONFIG SET maxmemory 0"));
    ck_assert_int_eq(mr_redis_int(&redis, "EXISTS " READY " " NOTIFY " " DELAYED), 0);
    ck_result(push("j"), MILLRACE_OK);
    tear_down();
}
END_TEST

START_TEST(without_permission_for_multi_a_push_is_still_one_push)
{
    set_up();
    freeReplyObject(mr_redis_ask(&redis, "ACL SETUSER producer on >pw ~* -@all +rpush +zadd"));
    struct millrace_options options = {
        .url = redis.url, .username = "producer", .password = "pw"};
    struct millrace *producer = millrace_open(&options, NULL, 0);
    struct millrace_job jobs[] = {
        {.job = "a"    },
        { .job = "b", .delay_s = 60}
    };

    for (int i = 0; i < 2; i++)
        ck_assert_msg(millrace_push(producer, "default", &jobs[i], NULL) == MILLRACE_OK, "%s",
                      millrace_error(producer));
    ck_assert_int_eq(mr_redis_int(&redis, "LLEN " READY), 1);
    ck_assert_int_eq(mr_redis_int(&redis, "ZCARD " DELAYED), 1);
    freeReplyObject(mr_redis_ask(&redis, "ACL SETUSER producer -rpush"));
    ck_assert_int_eq(millrace_push(producer, "default", &jobs[0], NULL), MILLRACE_REFUSED);
    ck_assert_int_eq(mr_redis_int(&redis, "LLEN " READY), 1);
    millrace_close(producer);
    tear_down();
}
END_TEST

START_TEST(the_password_opens_the_door_and_is_never_shown)
{
    char url[200];

    mr_redis_start(&redis, NULL);
    freeReplyObject(mr_redis_ask(&redis, "CONFIG SET requirepass s3cret"));
    client = open_at(redis.url, NULL);
    ck_result(push("j"), MILLRACE_REFUSED);
    millrace_close(client);

    client = open_at(redis.url, "s3cret-wrong");
    ck_result(push("j"), MILLRACE_REFUSED);
    ck_assert_ptr_null(strstr(millrace_error(client), "s3cret"));
    millrace_close(client);

    snprintf(url, sizeof(url), "redis+unix://:s3cret@%s?db=3", redis.socket);
    client = open_at(url, NULL);
    ck_result(push("j"), MILLRACE_OK);
    freeReplyObject(mr_redis_ask(&redis, "SELECT 3"));
    ck_assert_int_eq(mr_redis_int(&redis, "LLEN " READY), 1);
    tear_down();
}
END_TEST

START_TEST(the_environment_says_where_redis_is)
{
    char error[200];

    mr_redis_start(&redis, NULL);
    setenv("MILLRACE_REDIS_URL", redis.url, 1);
    setenv("MILLRACE_REDIS_PREFIX", "shop_", 1);
    client = millrace_open(NULL, error, sizeof(error));
    ck_assert_msg(client != NULL, "%s", error);
    ck_result(push("j"), MILLRACE_OK);
    ck_assert_int_eq(mr_redis_int(&redis, "LLEN shop_" READY), 1);
    ck_assert_int_eq(mr_redis_int(&redis, "SISMEMBER shop_millrace:queues default"), 1);
    tear_down();
}
END_TEST

/* ---- a connection that breaks ---- */

START_TEST(without_redis_nothing_is_sent)
{
    set_up();
    mr_redis_kill(&redis);
    ck_result(push("j"), MILLRACE_DOWN);
    ck_assert_ptr_nonnull(strstr(millrace_error(client), redis.socket));
    mr_redis_again(&redis, NULL);
    ck_result(push("j"), MILLRACE_OK);
    ck_assert_int_eq(mr_redis_int(&redis, "LLEN " READY), 1);
    tear_down();
}
END_TEST

START_TEST(a_restart_between_two_pushes_costs_nothing)
{
    set_up();
    ck_result(push("j"), MILLRACE_OK);
    mr_redis_kill(&redis);
    mr_redis_again(&redis, NULL);
    ck_result(push("j"), MILLRACE_OK);
    ck_assert_int_eq(mr_redis_int(&redis, "LLEN " READY), 1);
    tear_down();
}
END_TEST

START_TEST(a_lost_answer_is_unknown_and_the_push_is_not_repeated)
{
    struct millrace_job job = {.job = "j"};
    char uuid[MILLRACE_UUID_SIZE] = "";

    set_up();
    ck_result(push("first"), MILLRACE_OK);
    ck_assert_int_eq(kill(redis.pid, SIGSTOP), 0);
    ck_result(millrace_push(client, "default", &job, uuid), MILLRACE_UNKNOWN);
    ck_assert_uint_eq(strlen(uuid), MR_UUID_LEN); /* so that the caller can look for it */
    ck_assert_ptr_nonnull(strstr(millrace_error(client), "nobody knows"));
    ck_assert_int_eq(kill(redis.pid, SIGCONT), 0);
    ck_result(push("third"), MILLRACE_OK);
    ck_assert_int_eq(mr_redis_int(&redis, "LLEN " READY), 3); /* it had gone in after all */
    tear_down();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {one_push_is_one_job_one_token_and_a_known_queue,       0                },
        {what_a_job_wishes_is_in_its_envelope,                  0                },
        {many_jobs_leave_in_few_commands_and_in_order,          0                },
        {large_jobs_leave_in_smaller_companies,                 0                },
        {a_delayed_job_waits_with_its_due_time,                 0                },
        {ready_and_delayed_jobs_may_be_pushed_together,         0                },
        {a_raw_payload_arrives_byte_for_byte,                   0                },
        {equal_delayed_payloads_stay_as_many_as_they_are,       0                },
        {a_job_that_cannot_run_never_leaves,                    MR_COUNT(invalid)},
        {the_jobs_before_a_bad_one_are_pushed_and_it_is_named,  0                },
        {a_bad_url_is_refused_without_showing_its_password,     MR_COUNT(urls)   },
        {a_key_of_another_type_refuses_the_push,                0                },
        {a_broken_token_list_loses_no_job,                      0                },
        {a_full_redis_refuses_whole_pushes,                     0                },
        {without_permission_for_multi_a_push_is_still_one_push, 0                },
        {the_password_opens_the_door_and_is_never_shown,        0                },
        {the_environment_says_where_redis_is,                   0                },
        {without_redis_nothing_is_sent,                         0                },
        {a_restart_between_two_pushes_costs_nothing,            0                },
        {a_lost_answer_is_unknown_and_the_push_is_not_repeated, 0                },
    };

    return mr_suite_run("client", tests);
}
