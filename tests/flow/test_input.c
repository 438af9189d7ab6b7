/* Bad input from all sides: producers, operators, configurations, Redis. Each says so where a person sees it, and nothing else stops. */
#include "tests/support/http.h"
#include "tests/support/mill.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUEUE MR_MILL_PREFIX "queues:main"

static const char one_worker[] =
    "pools: { main: { queues: [high, main], concurrency: 4, backoff: 50ms..100ms } }\n"
    "lease: 3s\n";
/* The payload and its decoded form must not both be in memory many times over. */
enum { DEPTH = 10000, BIG = 100 * 1024 * 1024 };

static struct mr_mill mill;

static void push_bytes(const char *bytes, size_t len)
{
    mr_mill_push_raw(&mill, "main", bytes, len);
}

static void push(const char *payload)
{
    push_bytes(payload, strlen(payload));
}

/* Another job goes its way. */
static void expect_others_run(unsigned n)
{
    mr_mill_push_ledger(&mill, "main", n, 0, 0);
    mr_mill_push_ledger(&mill, "high", n + 1, 0, 0);
    mr_wait_for(mr_mill_noted(&mill, 'e', n) == 1 && mr_mill_noted(&mill, 'e', n + 1) == 1,
                20000);
}

/* ---- payloads ---- */

static void expect_kept(const char *bytes, size_t len)
{
    json_t *letter = mr_mill_only_letter(&mill, "main");
    redisReply *kept = mr_redis_ask(&mill.redis, "HGET " QUEUE ":dead:jobs %s",
                                    json_string_value(json_object_get(letter, "id")));

    ck_assert_int_eq(kept->type, REDIS_REPLY_STRING);
    ck_assert_uint_eq(kept->len, len);
    ck_assert_int_eq(memcmp(kept->str, bytes, len), 0);
    freeReplyObject(kept);
    json_decref(letter);
}

#define BYTES(text) text, sizeof(text) - 1

static const struct {
    const char *bytes;
    size_t len;
    const char *reason;
} unreadable[] = {
    {BYTES("{\"job\":\"ledger.write\",\"data\":\"\0\"}"),            ""        },
    {BYTES("\0\0\0\0"),                                              ""        },
    {BYTES("\xef\xbb\xbf{\"job\":\"ledger.write\"}"),                ""        },
    {BYTES("{\"job\":\"ledger.write\",\"data\":{\"a\\u0000b\":1}}"), ""        },
    {BYTES("{\"job\":\"ledger.write\",\"data\":\"\\ud800\"}"),       ""        },
    {BYTES("{\"job\":\"ledger.write\",\"data\":1e999}"),             ""        },
    {BYTES("{\"job\":\"ledger.write\"} and more"),                   ""        },
    {BYTES("{\"job\":7}"),                                           "job"     },
    {BYTES("{\"job\":\"\"}"),                                        "job"     },
    {BYTES("{\"job\":\"a:b\"}"),                                     "job"     },
    {BYTES("{\"job\":\"ledger.write\",\"timeout\":\"1s\"}"),         "timeout" },
    {BYTES("{\"job\":\"ledger.write\",\"backoff\":[1,\"x\"]}"),      "backoff" },
    {BYTES("{\"job\":\"ledger.write\",\"maxTries\":-1}"),            "maxTries"},
};

START_TEST(bytes_that_are_no_job_are_kept_as_they_came)
{
    mr_mill_start(&mill, one_worker, NULL);
    mr_mill_dispatch(&mill, 0, 1);
    push_bytes(unreadable[_i].bytes, unreadable[_i].len);
    mr_mill_await_letter(&mill, "main", "refused", unreadable[_i].reason);
    expect_kept(unreadable[_i].bytes, unreadable[_i].len);
    expect_others_run(0);
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(ten_thousand_brackets_are_refused)
{
    static const char head[] = "{\"uuid\":\"job-9\",\"job\":\"ledger.write\",\"data\":";
    size_t len = strlen(head);
    char *payload = malloc(len + 2 * DEPTH + 2);

    memcpy(payload, head, len);
    memset(payload + len, '[', DEPTH);
    memset(payload + len + DEPTH, ']', DEPTH);
    memcpy(payload + len + 2 * DEPTH, "}", 2);
    mr_mill_start(&mill, one_worker, NULL);
    mr_mill_dispatch(&mill, 0, 1);
    push(payload);
    mr_mill_await_letter(&mill, "main", "refused", "deep");
    expect_kept(payload, len + 2 * DEPTH + 1);
    ck_assert_uint_eq(mr_mill_noted(&mill, 's', 9), 0);
    expect_others_run(0);
    mr_mill_stop(&mill);
    free(payload);
}
END_TEST

START_TEST(retries_change_no_number_and_no_nul_of_the_data)
{
    static const char data[] =
        "\"data\":{\"n\":[9007199254740993,-9223372036854775808,0.10,1E2],"
        "\"s\":\"O:8:\\\"stdClass\\\":1:{s:4:\\\"\\u0000*\\u0000x\\\";}\","
        "\"e\":[],\"o\":{}}";
    char payload[400];

    mr_mill_start(&mill, one_worker, NULL);
    mr_mill_dispatch(&mill, 0, 1);
    snprintf(payload, sizeof(payload), "{\"job\":\"debug.fail\",%s,\"id\":\"x\"}", data);
    push(payload);
    mr_mill_await_letter(&mill, "main", "exhausted", "told to fail");
    json_t *letter = mr_mill_only_letter(&mill, "main");
    const char *id = json_string_value(json_object_get(letter, "id"));
    redisReply *kept = mr_redis_ask(&mill.redis, "HGET " QUEUE ":dead:jobs %s", id);
    ck_assert_ptr_nonnull(strstr(kept->str, data));
    /* It had no uuid: it was given one, which names the letter too. */
    ck_assert_uint_eq(strlen(id), 36);
    ck_assert_ptr_nonnull(strstr(kept->str, id));
    freeReplyObject(kept);
    json_decref(letter);
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(a_hundred_megabytes_are_kept_whole_while_others_run)
{
    static const char head[] = "{\"uuid\":\"huge\",\"job\":\"ledger.write\",\"data\":\"";
    size_t n_head = strlen(head);
    char *payload = malloc(BIG);
    pid_t workers[MR_PROC_LIST];

    memcpy(payload, head, n_head);
    for (size_t i = n_head; i < BIG - 2; i++)
        payload[i] = (char)('a' + i % 26);
    memcpy(payload + BIG - 2, "\"}", 2);
    mr_mill_start(&mill, one_worker, NULL);
    mr_mill_dispatch(&mill, 0, 1);
    for (unsigned n = 0; n < 50; n++)
        mr_mill_push_ledger(&mill, "main", n, 1, 0);
    push_bytes(payload, BIG);
    for (unsigned n = 50; n < 100; n++)
        mr_mill_push_ledger(&mill, "main", n, 1, 0);
    mr_mill_await_letter(&mill, "main", "refused", "8");
    struct mr_mill_tally ends = mr_mill_count(&mill, 'e', 100);
    ck_assert_uint_eq(ends.least, 1);
    ck_assert_uint_eq(ends.most, 1);
    json_t *letter = mr_mill_only_letter(&mill, "main");
    ck_assert(json_is_true(json_object_get(letter, "big")));
    redisReply *kept = mr_redis_ask(&mill.redis, "LINDEX " QUEUE ":dead:big:%s 0",
                                    json_string_value(json_object_get(letter, "id")));
    ck_assert_int_eq(kept->type, REDIS_REPLY_STRING);
    ck_assert_uint_eq(kept->len, BIG);
    ck_assert_int_eq(memcmp(kept->str, payload, BIG), 0);
    freeReplyObject(kept);
    json_decref(letter);
    free(payload);
    expect_others_run(100);
    ck_assert_int_eq(mr_mill_workers(&mill, 0, workers), 1);
    printf("# worker after 100 MiB: %zu KiB resident\n", mr_proc_rss_bytes(workers[0]) / 1024);
    mr_mill_stop(&mill);
}
END_TEST

/* ---- Redis ---- */

START_TEST(a_queues_key_of_a_wrong_type_stops_that_queue_alone)
{
    mr_mill_start(&mill, one_worker, NULL);
    freeReplyObject(mr_redis_ask(&mill.redis, "SET " QUEUE " oops"));
    mr_mill_dispatch(&mill, 0, 1);
    mr_mill_push_ledger(&mill, "high", 0, 0, 0);
    mr_wait_for(mr_mill_noted(&mill, 'e', 0) == 1, 10000);
    mr_wait_for(mr_proc_said(&mill.dispatchers[0], QUEUE), 10000); /* named in the log */
    freeReplyObject(mr_redis_ask(&mill.redis, "DEL " QUEUE));
    expect_others_run(1);
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(a_redis_that_may_only_be_read_is_waited_for)
{
    pid_t before[MR_PROC_LIST], after[MR_PROC_LIST];

    mr_mill_start(&mill, one_worker, NULL);
    mr_mill_dispatch(&mill, 0, 1);
    ck_assert_int_eq(mr_mill_workers(&mill, 0, before), 1);
    for (unsigned n = 0; n < 4; n++)
        mr_mill_push_ledger(&mill, "main", n, 500, 0);
    mr_wait_for(mr_mill_count(&mill, 's', 4).total == 4, 5000);
    /* A replica of nobody: it keeps what it has, and refuses every write. */
    freeReplyObject(mr_redis_ask(&mill.redis, "REPLICAOF 127.0.0.1 1"));
    mr_wait_for(mr_mill_count(&mill, 'e', 4).total == 4, 5000);
    mr_wait_for(mr_proc_said(&mill.dispatchers[0], "READONLY") ||
                    mr_proc_said(&mill.dispatchers[0], "replica"),
                10000);
    mr_wait_for(mr_http_status(mill.control, "/ready") == 503, 10000);
    ck_assert_int_gt(mr_mill_leases(&mill, "main"), 0); /* not settled, not lost */
    freeReplyObject(mr_redis_ask(&mill.redis, "REPLICAOF NO ONE"));
    mr_wait_for(mr_mill_is_empty(&mill, "main"), 15000);
    expect_others_run(4);
    ck_assert_uint_eq(mr_mill_count(&mill, 's', 4).most, 1);
    ck_assert_int_eq(mr_mill_workers(&mill, 0, after), 1);
    ck_assert_int_eq(before[0], after[0]); /* the same worker all the time */
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(a_redis_that_loads_is_waited_for)
{
    enum { KEYS = 3000 };
    /* A millisecond a key, and it answers meanwhile. */
    static const char *const slowly[] = {
        "--save", "",  "--key-load-delay", "1000", "--loading-process-events-interval-bytes",
        "1024",   NULL};
    pid_t before[MR_PROC_LIST], after[MR_PROC_LIST];

    mr_mill_start(&mill, one_worker, NULL);
    freeReplyObject(mr_redis_ask(
        &mill.redis, "EVAL %s 0",
        "for i = 1, 3000 do redis.call('SET', 'ballast:' .. i, string.rep('x', 100)) end"));
    mr_mill_dispatch(&mill, 0, 1);
    ck_assert_int_eq(mr_mill_workers(&mill, 0, before), 1);
    mr_mill_push_ledger(&mill, "main", 0, 1500, 0);
    mr_wait_for(mr_mill_noted(&mill, 's', 0) == 1, 5000);
    freeReplyObject(mr_redis_ask(&mill.redis, "SAVE"));
    mr_redis_kill(&mill.redis);
    mr_redis_again(&mill.redis, slowly);
    mr_wait_for(mr_proc_said(&mill.dispatchers[0], "LOADING") ||
                    mr_proc_said(&mill.dispatchers[0], "loading"),
                5000);
    mr_wait_for(mr_mill_is_empty(&mill, "main"), 15000);
    expect_others_run(1);
    ck_assert_uint_eq(mr_mill_noted(&mill, 'e', 0), 1);
    ck_assert_int_eq(mr_mill_workers(&mill, 0, after), 1);
    ck_assert_int_eq(before[0], after[0]);
    mr_mill_stop(&mill);
}
END_TEST

/* ---- operators ---- */

static const struct {
    const char *method, *path, *body;
    long status;
    const char *says;
} requests[] = {
    {"POST",  "/api/v1/queues/mian/pause",    "{}",                       404, "main"     },
    {"POST",  "/api/v1/queues/a%3Ab/pause",   "{}",                       404, "a:b"      },
    {"POST",  "/api/v1/queues/..%2F../pause", "{}",                       404, ""         },
    {"POST",  "/api/v1/queues/main%00/pause", "{}",                       400, ""         },
    {"POST",  "/api/v1/queues/main/jobs",     "{\"job\":",                400, ""         },
    {"POST",  "/api/v1/queues/main/jobs",     "{\"job\":\"no blanks\"}",  422, "job"      },
    {"POST",  "/api/v1/queues/main/jobs",     "{\"jbo\":\"debug.noop\"}", 422, "job"      },
    {"PATCH", "/api/v1/pools/main",           "{\"processes\":-1}",       422, "processes"},
    {"PATCH", "/api/v1/pools/main",           "{\"processes\":\"many\"}", 422, "processes"},
    {"PATCH", "/api/v1/pools/nobody",         "{\"processes\":1}",        404, "nobody"   },
    {"GET",   "/api/v1/nothing",              NULL,                       404, ""         },
};

START_TEST(a_wrong_request_is_answered_with_the_reason)
{
    char url[200];
    struct mr_http_reply answer;

    mr_mill_start(&mill, one_worker, NULL);
    mr_mill_dispatch(&mill, 0, 1);
    snprintf(url, sizeof(url), "http://localhost%s", requests[_i].path);
    mr_http_ask(&(struct mr_http){.socket = mill.control,
                                  .url = url,
                                  .method = requests[_i].method,
                                  .body = requests[_i].body},
                &answer);
    ck_assert_msg(answer.status == requests[_i].status, "%ld: %s", answer.status,
                  answer.body.at);
    ck_assert_str_eq(answer.content_type, "application/problem+json");
    ck_assert_msg(strstr(answer.body.at, requests[_i].says) != NULL, "%s", answer.body.at);
    mr_http_reply_fini(&answer);
    ck_assert_int_eq(mr_http_status(mill.control, "/health"), 200);
    mr_mill_stop(&mill);
}
END_TEST

/* ---- configurations and command lines ---- */

/* A program's exit status; what it said is in proc until the next call. */
static int status_of(struct mr_proc *proc, const char *program, const char *first,
                     const char *second)
{
    static char log[64];
    const char *const argv[] = {program, first, second, NULL};
    const char *const env[] = {"MILLRACE_CONFIG=", NULL};

    snprintf(log, sizeof(log), "/tmp/mr-input-%d.log", (int)getpid());
    unlink(log);
    mr_proc_start(proc, argv, env, log);
    int status = mr_proc_exit_status(proc, 20000);
    return status;
}

static const char *const programs[] = {"dispatcher/millrace-dispatcher",
                                       "worker/millrace-worker"};

START_TEST(an_unknown_option_is_misuse)
{
    struct mr_proc proc;

    ck_assert_int_eq(status_of(&proc, programs[_i], "--colour", "red"), 64);
    ck_assert(mr_proc_said(&proc, "--colour"));
    ck_assert(mr_proc_said(&proc, "--config"));
    unlink(proc.log);
}
END_TEST

static const struct {
    const char *yaml;
    const char *says[2];
} typos[] = {
    {"pools:\n  main: { proceses: 3 }\n",         {":2:11: ", "did you mean \"processes\""}},
    {"poools: {}\n",                              {":1:1: ", "did you mean \"pools\""}     },
    {"lease: ten\n",                              {":1:8: ", "lease"}                      },
    {"pools: { main: { queues: [\"a:b\"] } }\n",  {":1:27: ", "a:b"}                       },
    {"pools: { \"a b\": { } }\n",                 {":1:10: ", "a b"}                       },
    {"email: { tls: sometimes }\n",               {":1:15: ", "starttls"}                  },
    {"a: [1\n",                                   {":2:1: ", ""}                           },
    {"redis: { url: \"${NOT_SET_ANYWHERE}\" }\n", {":1:15: ", "NOT_SET_ANYWHERE"}          },
    {"lease: 10s\nlease: 11s\n",                  {":2:1: ", "lease"}                      },
};

START_TEST(a_typo_in_the_configuration_is_shown_where_it_is)
{
    char path[] = "/tmp/mr-input-XXXXXX";
    struct mr_proc proc;
    int fd = mkstemp(path);

    ck_assert_int_eq(write(fd, typos[_i].yaml, strlen(typos[_i].yaml)), strlen(typos[_i].yaml));
    close(fd);
    for (size_t p = 0; p < MR_COUNT(programs); p++) {
        ck_assert_int_eq(status_of(&proc, programs[p], "--config", path), 78);
        if (!mr_proc_said(&proc, path) || !mr_proc_said(&proc, typos[_i].says[0]) ||
            !mr_proc_said(&proc, typos[_i].says[1])) {
            mr_proc_show(&proc);
            ck_abort_msg("it did not say %s and %s", typos[_i].says[0], typos[_i].says[1]);
        }
        unlink(proc.log);
    }
    unlink(path);
}
END_TEST

START_TEST(a_port_in_use_is_a_reason_to_try_later)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char listen_at[80], runtime[80], dir[] = "/tmp/mr-input-XXXXXX";
    const char *const env[] = {listen_at, runtime, "MILLRACE_CONFIG=", NULL};
    const char *const argv[] = {programs[0], NULL};
    struct mr_proc proc;
    char log[64];

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(listen_at, sizeof(listen_at), "MILLRACE_CONTROL_LISTEN=127.0.0.1:%d",
             ntohs(address.sin_port));
    snprintf(runtime, sizeof(runtime), "MILLRACE_RUNTIME_DIR=%s/run", dir);
    snprintf(log, sizeof(log), "%s/log", dir);
    mr_proc_start(&proc, argv, env, log);
    ck_assert_int_eq(mr_proc_exit_status(&proc, 20000), 75);
    char words[64];
    snprintf(words, sizeof(words), "port %d: Address already in use", ntohs(address.sin_port));
    ck_assert(mr_proc_said(&proc, words));
    close(fd);
    char command[64];
    snprintf(command, sizeof(command), "rm -rf %s", dir);
    ck_assert_int_eq(system(command), 0);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {bytes_that_are_no_job_are_kept_as_they_came,         MR_COUNT(unreadable)},
        {ten_thousand_brackets_are_refused,                   0                   },
        {retries_change_no_number_and_no_nul_of_the_data,     0                   },
        {a_hundred_megabytes_are_kept_whole_while_others_run, 0                   },
        {a_queues_key_of_a_wrong_type_stops_that_queue_alone, 0                   },
        {a_redis_that_may_only_be_read_is_waited_for,         0                   },
        {a_redis_that_loads_is_waited_for,                    0                   },
        {a_wrong_request_is_answered_with_the_reason,         MR_COUNT(requests)  },
        {an_unknown_option_is_misuse,                         MR_COUNT(programs)  },
        {a_typo_in_the_configuration_is_shown_where_it_is,    MR_COUNT(typos)     },
        {a_port_in_use_is_a_reason_to_try_later,              0                   },
    };

    return mr_suite_run_slow("input", tests, 60);
}
