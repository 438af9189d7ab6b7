/* Jobs that jobs push, and jobs that an operator stops, with real processes. */
#include "proto/compose.h"
#include "tests/support/http.h"
#include "tests/support/mill.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const char one_pool[] =
    "grace: 1s\n"
    "pools: { main: { queues: [main, other], processes: 1, concurrency: 4, tries: 2, "
    "backoff: 50ms..100ms } }\n";

static struct mr_mill mill;

static void push(const char *uuid, const char *job, const char *data)
{
    char payload[512];
    int len = snprintf(payload, sizeof(payload), "{\"uuid\":\"%s\",\"job\":\"%s\",\"data\":%s}",
                       uuid, job, data);

    mr_mill_push_raw(&mill, "main", payload, (size_t)len);
}

static void ask(const char *format, const char *key)
{
    freeReplyObject(mr_redis_ask(&mill.redis, format, key));
}

static bool all_is_empty(void)
{
    return mr_mill_is_empty(&mill, "main") && mr_mill_is_empty(&mill, "other");
}

START_TEST(a_job_pushes_another_under_its_own_name)
{
    mr_mill_start(&mill, one_pool, NULL);
    mr_mill_dispatch(&mill, 0, 1);
    push("job-3", "debug.push",
         "{\"queue\":\"other\",\"job\":\"debug.fail\",\"name\":\"x\",\"data\":{\"reason\":"
         "\"seen\"}}");
    mr_mill_await_letter(&mill, "other", "exhausted", "seen");
    json_t *letter = mr_mill_only_letter(&mill, "other");
    ck_assert_str_eq(json_string_value(json_object_get(letter, "uuid")), "job-3.x0");
    json_decref(letter);
    ck_assert(all_is_empty());
    mr_mill_stop(&mill);
}
END_TEST

static const struct {
    const char *uuid, *names;
} strange[] = {
    {"order:17/a b",                          "order_17_a_b-"                            },
    {"gr\u00fc\u00dfe",                       "gr____e-"                                 },
    {"0123456789012345678901234567890123456789012345678901234567890123456789"
     "01234567890123456789012345678901", "0123456789012345678901234567890123456789-"},
};

/* Under the same name each time, and legal: here its first attempt pushes, and so does its second. */
START_TEST(a_job_of_a_strange_name_pushes_under_a_lasting_one)
{
    static const char data[] = "{\"queue\":\"other\",\"job\":\"debug.fail\",\"name\":\"x\","
                               "\"data\":{\"for_good\":true}}";
    char first[128] = "";

    mr_mill_start(&mill, one_pool, NULL);
    mr_mill_dispatch(&mill, 0, 1);
    for (int i = 0; i < 2; i++) {
        push(strange[_i].uuid, "debug.push", data);
        mr_mill_await_letter(&mill, "other", "failed", "told to fail");
        json_t *letter = mr_mill_only_letter(&mill, "other");
        const char *uuid = json_string_value(json_object_get(letter, "uuid"));
        ck_assert_int_eq(strncmp(uuid, strange[_i].names, strlen(strange[_i].names)), 0);
        if (i > 0)
            ck_assert_str_eq(uuid, first);
        snprintf(first, sizeof(first), "%s", uuid);
        json_decref(letter);
        ask("DEL %s", MR_MILL_PREFIX "queues:other:dead");
        ask("DEL %s", MR_MILL_PREFIX "queues:other:dead:jobs");
    }
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(a_thousand_are_pushed_and_one_more_is_refused)
{
    mr_mill_start(&mill, one_pool, NULL);
    mr_mill_dispatch(&mill, 0, 1);
    mr_mill_pause(&mill, "other");
    push("job-1", "debug.push", "{\"count\":1000,\"queue\":\"other\",\"job\":\"debug.noop\"}");
    mr_wait_for(mr_mill_ready(&mill, "other") == 1000, 10000);
    mr_wait_for(mr_mill_is_empty(&mill, "main"), 5000);
    push("job-2", "debug.push", "{\"count\":1001,\"queue\":\"other\",\"job\":\"debug.noop\"}");
    mr_mill_await_letter(&mill, "main", "failed", "1000");
    ck_assert_int_eq(mr_mill_ready(&mill, "other"), 1000);
    mr_mill_resume(&mill, "other");
    mr_wait_for(all_is_empty(), 10000);
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(a_pushed_job_can_wait)
{
    mr_mill_start(&mill, one_pool, NULL);
    mr_mill_dispatch(&mill, 0, 1);
    push("job-1", "debug.push",
         "{\"queue\":\"other\",\"job\":\"debug.noop\",\"delay_ms\":1500}");
    mr_wait_for(mr_mill_delayed(&mill, "other") == 1, 5000);
    mr_wait_for(mr_mill_is_empty(&mill, "main"), 1000);
    mr_wait_for(all_is_empty(), 6000);
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(a_job_that_fails_after_all_pushes_nothing)
{
    mr_mill_start(&mill, one_pool, NULL);
    mr_mill_dispatch(&mill, 0, 1);
    mr_mill_pause(&mill, "other");
    push("job-1", "debug.push",
         "{\"queue\":\"other\",\"job\":\"debug.noop\",\"reason\":\"thought better of it\"}");
    mr_mill_await_letter(&mill, "main", "failed", "thought better of it");
    ck_assert_int_eq(mr_mill_ready(&mill, "other"), 0);
    mr_mill_stop(&mill);
}
END_TEST

static const struct {
    const char *data, *reason;
} wrong[] = {
    {"{\"queue\":\"no such\\nqueue\",\"job\":\"debug.noop\"}", "queue \""         },
    {"{\"queue\":\"other\",\"job\":\"no spaces\"}",            "job \"no spaces\""},
    {"{\"queue\":\"other\"}",                                  "job \"\""         },
};

START_TEST(what_cannot_be_pushed_is_said_before_the_job_ends)
{
    mr_mill_start(&mill, one_pool, NULL);
    mr_mill_dispatch(&mill, 0, 1);
    push("job-1", "debug.push", wrong[_i].data);
    mr_mill_await_letter(&mill, "main", "failed", wrong[_i].reason);
    mr_mill_stop(&mill);
}
END_TEST

/* Redis refuses the push: the job stays leased, and not even the death of its worker loses what it pushes. */
START_TEST(a_job_is_not_settled_before_its_pushes_were_answered)
{
    pid_t workers[8];

    mr_mill_start(&mill, one_pool, NULL);
    mr_mill_dispatch(&mill, 0, 1);
    mr_mill_pause(&mill, "other");
    ask("SET %s text", MR_MILL_PREFIX "queues:third");
    push("job-1", "debug.push",
         "{\"queue\":\"third\",\"job\":\"debug.noop\",\"name\":\"x\",\"count\":2}");
    ask("CONFIG RESETSTAT%s", "");
    mr_wait_for(mr_mill_calls(&mill, "rpush") > 2, 5000);
    ck_assert_int_eq(mr_mill_leases(&mill, "main"), 1);
    ck_assert_int_eq(mr_mill_workers(&mill, 0, workers), 1);
    ck_assert_int_eq(kill(workers[0], SIGKILL), 0);
    ask("CONFIG RESETSTAT%s", "");
    mr_wait_for(mr_mill_calls(&mill, "rpush") > 2, 20000); /* another worker tries the same */
    ask("DEL %s", MR_MILL_PREFIX "queues:third");
    mr_wait_for(mr_mill_ready(&mill, "third") == 2, 5000);
    mr_wait_for(mr_mill_is_empty(&mill, "main"), 5000);
    ck_assert_int_eq(mr_mill_dead(&mill, "main"), 0);
    mr_mill_stop(&mill);
}
END_TEST

/* After a lost connection nobody knows what Redis still has of them: better twice than never. */
START_TEST(what_may_have_been_lost_is_pushed_again)
{
    mr_mill_start(&mill, one_pool, NULL);
    mr_mill_dispatch(&mill, 0, 1);
    mr_mill_pause(&mill, "other");
    ask("SET %s text", MR_MILL_PREFIX "queues:third");
    push("job-1", "debug.push",
         "{\"queue\":[\"other\",\"third\"],\"job\":\"debug.noop\",\"name\":\"x\",\"count\":2}");
    mr_wait_for(mr_mill_ready(&mill, "other") == 1, 5000);
    ask("CLIENT KILL TYPE normal SKIPME %s", "yes");
    mr_wait_for(mr_mill_ready(&mill, "other") == 2, 10000);
    ask("DEL %s", MR_MILL_PREFIX "queues:third");
    mr_wait_for(mr_mill_ready(&mill, "third") == 1, 5000);
    mr_wait_for(mr_mill_is_empty(&mill, "main"), 5000);
    mr_mill_stop(&mill);
}
END_TEST

/* ---- an operator stops a job ---- */

static json_t *running(void)
{
    json_t *list = mr_http_json(mill.control, "GET", "/api/v1/jobs", NULL, 200);
    json_t *items = json_incref(json_object_get(list, "items"));

    json_decref(list);
    return items;
}

static size_t n_running(void)
{
    json_t *items = running();
    size_t n = json_array_size(items);

    json_decref(items);
    return n;
}

static const char *const lasting[] = {"debug.sleep", "debug.burn"};

START_TEST(a_running_job_is_shown_and_cancelled)
{
    mr_mill_start(&mill, one_pool, NULL);
    mr_mill_dispatch(&mill, 0, 1);
    push("job-1", lasting[_i], "{\"ms\":60000}");
    push("job-2", lasting[_i], "{\"ms\":60000}");
    mr_wait_for(n_running() == 2, 5000);
    json_t *items = running();
    const json_t *job = json_array_get(items, 0);
    ck_assert_str_eq(json_string_value(json_object_get(job, "pool")), "main");
    ck_assert_str_eq(json_string_value(json_object_get(job, "job")), lasting[_i]);
    json_decref(items);
    json_decref(mr_http_json(mill.control, "POST", "/api/v1/jobs/job-1/cancel", NULL, 202));
    mr_wait_for(mr_mill_dead(&mill, "main") == 1, 5000);
    json_t *letter = mr_mill_only_letter(&mill, "main");
    ck_assert_str_eq(json_string_value(json_object_get(letter, "uuid")), "job-1");
    ck_assert_str_eq(json_string_value(json_object_get(letter, "reason")),
                     "cancelled by an operator");
    json_decref(letter);
    ck_assert_uint_eq(n_running(), 1); /* the other goes on */
    mr_mill_stop(&mill);
}
END_TEST

/* One that has just come has no name yet. */
static bool is_text(const json_t *job, const char *member, const char *want)
{
    const char *text = json_string_value(json_object_get(job, member));

    return text && strcmp(text, want) == 0;
}

static bool is_shown(const char *uuid, const char *state)
{
    json_t *items = running(), *job;
    bool found = false;
    size_t i;

    json_array_foreach(items, i, job) found |=
        is_text(job, "uuid", uuid) && is_text(job, "state", state) &&
        json_real_value(json_object_get(job, "running_s")) < 10;
    json_decref(items);
    return found;
}

static const char one_thread[] =
    "grace: 1s\n"
    "pools: { main: { queues: [main], processes: 1, concurrency: 4, threads: 1 } }\n";

START_TEST(a_job_that_waits_for_a_thread_is_shown_and_cancelled)
{
    mr_mill_start(&mill, one_thread, NULL);
    mr_mill_dispatch(&mill, 0, 1);
    push("job-1", "debug.burn", "{\"ms\":60000}");
    mr_wait_for(is_shown("job-1", "running"), 5000);
    push("job-2", "debug.burn", "{\"ms\":60000}");
    mr_wait_for(is_shown("job-2", "waiting"), 5000);
    json_decref(mr_http_json(mill.control, "POST", "/api/v1/jobs/job-2/cancel", NULL, 202));
    mr_wait_for(mr_mill_dead(&mill, "main") == 1, 5000);
    json_t *letter = mr_mill_only_letter(&mill, "main");
    ck_assert_str_eq(json_string_value(json_object_get(letter, "uuid")), "job-2");
    ck_assert_str_eq(json_string_value(json_object_get(letter, "reason")),
                     "cancelled by an operator");
    json_decref(letter);
    json_decref(mr_http_json(mill.control, "POST", "/api/v1/jobs/job-2/cancel", NULL, 404));
    ck_assert(is_shown("job-1", "running"));
    mr_mill_stop(&mill);
}
END_TEST

/* A job that a job pushed bears a longer name than a UUID: what is shown must be enough to stop it. */
START_TEST(a_long_name_is_shown_whole_and_cancelled_by_it)
{
    char name[MR_COMPOSE_UUID_MAX], path[256];

    memset(name, 'a', sizeof(name) - 1);
    memcpy(name + sizeof(name) - 6, ".mail", 6);
    mr_mill_start(&mill, one_pool, NULL);
    mr_mill_dispatch(&mill, 0, 1);
    push(name, "debug.sleep", "{\"ms\":60000}");
    mr_wait_for(is_shown(name, "running"), 5000);
    snprintf(path, sizeof(path), "/api/v1/jobs/%s/cancel", name);
    json_decref(mr_http_json(mill.control, "POST", path, NULL, 202));
    mr_mill_await_letter(&mill, "main", "failed", "cancelled by an operator");
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(a_job_that_does_not_run_cannot_be_cancelled)
{
    mr_mill_start(&mill, one_pool, NULL);
    mr_mill_dispatch(&mill, 0, 1);
    json_decref(mr_http_json(mill.control, "POST", "/api/v1/jobs/job-1/cancel", NULL, 404));
    json_decref(mr_http_json(mill.control, "POST", "/api/v1/jobs/a%0Aq/cancel", NULL, 404));
    mr_mill_stop(&mill);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_job_pushes_another_under_its_own_name,              0                     },
        {a_job_of_a_strange_name_pushes_under_a_lasting_one,   (int)MR_COUNT(strange)},
        {a_thousand_are_pushed_and_one_more_is_refused,        0                     },
        {a_pushed_job_can_wait,                                0                     },
        {a_job_that_fails_after_all_pushes_nothing,            0                     },
        {what_cannot_be_pushed_is_said_before_the_job_ends,    (int)MR_COUNT(wrong)  },
        {a_job_is_not_settled_before_its_pushes_were_answered, 0                     },
        {what_may_have_been_lost_is_pushed_again,              0                     },
        {a_running_job_is_shown_and_cancelled,                 (int)MR_COUNT(lasting)},
        {a_job_that_waits_for_a_thread_is_shown_and_cancelled, 0                     },
        {a_long_name_is_shown_whole_and_cancelled_by_it,       0                     },
        {a_job_that_does_not_run_cannot_be_cancelled,          0                     },
    };

    return mr_suite_run_slow("follow", tests, 60);
}
