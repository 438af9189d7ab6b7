/* The control API over its socket and over TCP, and workerctl, against a running mill. */
#include "tests/support/http.h"
#include "tests/support/mill.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define TOKEN "0123456789abcdef0123456789abcdef"
#define API "/api/v1"

static const char one_pool[] =
    "pools: { main: { queues: [high, main], processes: 1, concurrency: 4, tries: 1 } }\n";

/* mr_mill_start writes control.socket itself: the rest of that map has to come by the environment. */
static struct mr_mill mill;

static void set_up(void)
{
    setenv("MILLRACE_CONTROL_LISTEN", "127.0.0.1:0", 1);
    setenv("MILLRACE_CONTROL_TOKEN", TOKEN, 1);
    mr_mill_start(&mill, one_pool, NULL);
    mr_mill_dispatch(&mill, 0, 1);
}

static json_t *ask(const char *method, const char *path, const char *body, long status)
{
    return mr_http_json(mill.control, method, path, body, status);
}

static void expect(const char *method, const char *path, const char *body, long status)
{
    json_decref(ask(method, path, body, status));
}

/* ---- TCP ---- */

static long tcp_status(const char *method, const char *path, const char *token)
{
    char url[256];
    struct mr_http_reply answer;

    snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", mr_mill_control_port(&mill), path);
    mr_http_ask(&(struct mr_http){.url = url, .method = method, .token = token}, &answer);
    long status = answer.status;
    mr_http_reply_fini(&answer);
    return status;
}

/* Bytes as they are, to see what a careful client never sends; the status of the answer, 0 when there is none. */
static int raw_status(const char *request, size_t len)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)mr_mill_control_port(&mill)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char answer[64] = "";
    size_t got = 0;
    int status = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct timeval patience = {.tv_sec = 5};

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    ck_assert_int_eq(send(fd, request, len, MSG_NOSIGNAL), (ssize_t)len);
    while (got < sizeof(answer) - 1 && !strchr(answer, '\n')) {
        ssize_t n = recv(fd, answer + got, sizeof(answer) - 1 - got, 0);

        if (n <= 0)
            break;
        got += (size_t)n;
    }
    close(fd);
    if (sscanf(answer, "HTTP/1.%*d %d", &status) != 1)
        status = 0;
    return status;
}

START_TEST(tcp_wants_the_token_for_all_but_the_open_routes)
{
    set_up();
    ck_assert_int_eq(tcp_status(NULL, "/health", NULL), 200);
    ck_assert_int_eq(tcp_status(NULL, "/ready", NULL), 200);
    ck_assert_int_eq(tcp_status(NULL, "/metrics", NULL), 200);
    ck_assert_int_eq(tcp_status(NULL, API "/status", NULL), 401);
    ck_assert_int_eq(tcp_status(NULL, API "/status", "0123456789abcdef"), 401);
    ck_assert_int_eq(tcp_status(NULL, API "/status", TOKEN), 200);
    ck_assert_int_eq(tcp_status("POST", API "/drain", NULL), 401);
    ck_assert_int_eq(tcp_status("POST", API "/queues/main/pause", TOKEN), 200);
    mr_mill_stop(&mill);
}
END_TEST

#define HEAD "Authorization: Bearer " TOKEN "\r\n"
#define OPEN "GET /health HTTP/1.1\r\n"
#define PAUSE "POST " API "/queues/main/pause HTTP/1.1\r\n" HEAD

static const struct {
    const char *request;
    int status;
} raw_requests[] = {
    {OPEN "Host: localhost\r\n\r\n",                                                             200},
    {OPEN "\r\n",                                                                                400},
    {OPEN "Host: evil.test\r\n\r\n",                                                             421},
    {OPEN "Host: localhost\r\nHost: evil.test\r\n\r\n",                                          400},
    {PAUSE "Host: localhost\r\nContent-Length: 2\r\n\r\n{}",                                     200},
    {PAUSE "Host: localhost\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",                400},
    {PAUSE
     "Host: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
    {PAUSE "Host: localhost\r\nSec-Fetch-Site: cross-site\r\nContent-Length: 2\r\n\r\n{}",       403},
    {PAUSE "Host: localhost\r\nOrigin: http://evil.test\r\nContent-Length: 2\r\n\r\n{}",         403},
    {PAUSE "Host: localhost\r\nContent-Length: 99999999\r\n\r\n{}",                              413},
    {"GET " API "/queues/main/dead/a%00b HTTP/1.1\r\n" HEAD "Host: localhost\r\n\r\n",           400},
    {"GET " API "/queues/main/dead?limit=1e9 HTTP/1.1\r\n" HEAD "Host: localhost\r\n\r\n",       422},
    {"nonsense\r\n\r\n",                                                                         0  }, /* closed without a word */
};

START_TEST(odd_requests_are_refused_and_the_server_stays)
{
    set_up();
    for (size_t i = 0; i < MR_COUNT(raw_requests); i++) {
        int status = raw_status(raw_requests[i].request, strlen(raw_requests[i].request));

        ck_assert_msg(status == raw_requests[i].status, "row %zu: got %d, want %d\n%s", i,
                      status, raw_requests[i].status, raw_requests[i].request);
    }
    char *long_line = malloc(100000);
    memset(long_line, 'a', 100000);
    memcpy(long_line, "GET /", 5);
    memcpy(long_line + 99980, " HTTP/1.1\r\n\r\n", 13);
    ck_assert_int_ge(raw_status(long_line, 99993), 400);
    free(long_line);
    expect("GET", "/health", NULL, 200);
    mr_mill_stop(&mill);
}
END_TEST

/* ---- what the routes say and do ---- */

static long long number(const json_t *object, const char *member)
{
    return json_integer_value(json_object_get(object, member));
}

static const char *text(const json_t *object, const char *member)
{
    return json_string_value(json_object_get(object, member));
}

START_TEST(the_socket_is_for_its_owner_alone)
{
    struct stat st;

    set_up();
    ck_assert_int_eq(stat(mill.control, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0600);
    mr_mill_drain(&mill, 0, 10000);
    ck_assert_int_ne(stat(mill.control, &st), 0);
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(the_pictures_agree_with_what_runs)
{
    pid_t pids[MR_PROC_LIST];

    set_up();
    mr_mill_push_ledger(&mill, "main", 0, 60000, 0);
    mr_wait_for(mr_mill_noted(&mill, 's', 0) == 1, 5000);

    json_t *list = ask("GET", API "/pools", NULL, 200);
    const json_t *pool = json_array_get(json_object_get(list, "items"), 0);
    const json_t *worker = json_array_get(json_object_get(pool, "workers"), 0);
    const json_t *job = json_array_get(json_object_get(worker, "jobs"), 0);
    ck_assert_str_eq(text(pool, "pool"), "main");
    ck_assert_int_eq(mr_mill_workers(&mill, 0, pids), 1);
    ck_assert_int_eq(number(worker, "pid"), pids[0]);
    ck_assert_int_eq(number(worker, "places_busy"), 1);
    ck_assert_int_eq(number(worker, "places"), 4);
    ck_assert_str_eq(text(job, "uuid"), "job-0");
    ck_assert_str_eq(text(job, "job"), "ledger.write");
    ck_assert_str_eq(text(job, "queue"), "main");
    ck_assert_str_eq(text(job, "state"), "running");
    json_decref(list);

    json_t *status = ask("GET", API "/status", NULL, 200);
    ck_assert(json_is_true(json_object_get(status, "ready")));
    ck_assert_str_eq(text(json_object_get(status, "redis"), "durability"), "none");
    json_decref(status);
    json_t *config = ask("GET", API "/config", NULL, 200);
    ck_assert_ptr_nonnull(strstr(text(config, "yaml"), "main:"));
    ck_assert_ptr_null(strstr(text(config, "yaml"), TOKEN));
    json_decref(config);
    mr_proc_kill(&mill.dispatchers[0]);
    mr_mill_stop(&mill);
}
END_TEST

static unsigned workers(void)
{
    pid_t pids[MR_PROC_LIST];

    return (unsigned)mr_mill_workers(&mill, 0, pids);
}

START_TEST(scaling_changes_the_number_of_processes)
{
    set_up();
    json_t *answer = ask("PATCH", API "/pools/main", "{\"processes\":3}", 200);
    ck_assert_int_eq(number(answer, "wanted"), 3);
    json_decref(answer);
    mr_wait_for(workers() == 3, 10000);
    answer = ask("PATCH", API "/pools/main", "{\"change\":-2}", 200);
    ck_assert_int_eq(number(answer, "wanted"), 1);
    json_decref(answer);
    mr_wait_for(workers() == 1, 10000);

    expect("PATCH", API "/pools/mian", "{\"processes\":3}", 404);
    expect("PATCH", API "/pools/main", "{\"processes\":-1}", 422);
    expect("PATCH", API "/pools/main", "{\"processes\":\"3\"}", 422);
    expect("PATCH", API "/pools/main", "{\"processes\":3,\"change\":1}", 422);
    expect("PATCH", API "/pools/main", "{}", 422);
    expect("PATCH", API "/pools/main", "[]", 422);
    expect("PATCH", API "/pools/main", "{", 400);
    expect("PUT", API "/pools/main", "{}", 405);
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(a_paused_queue_waits_until_it_is_resumed)
{
    set_up();
    expect("POST", API "/queues/main/pause", "{}", 200);
    mr_mill_push_ledger(&mill, "main", 0, 0, 0);
    mr_mill_push_ledger(&mill, "high", 1, 0, 0);
    mr_wait_for(mr_mill_noted(&mill, 'e', 1) == 1, 10000);
    mr_wait_for(mr_mill_ready(&mill, "main") == 1, 10000);
    ck_assert_uint_eq(mr_mill_noted(&mill, 's', 0), 0);
    expect("POST", API "/queues/main/resume", NULL, 200);
    mr_wait_for(mr_mill_noted(&mill, 'e', 0) == 1, 10000);
    expect("POST", API "/queues/mian/pause", "{}", 404);
    expect("POST", API "/queues/main/pause", "{\"ttl_s\":0}", 422);
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(pushed_jobs_run_and_their_uuids_are_told)
{
    set_up();
    json_t *answer =
        ask("POST", API "/queues/main/jobs",
            "[{\"job\":\"ledger.write\",\"uuid\":\"job-0\"},"
            "{\"job\":\"ledger.write\",\"uuid\":\"job-1\",\"delay_s\":0.2,\"tries\":2,"
            "\"backoff\":[1,2],\"timeout_s\":5}]",
            201);
    const json_t *uuids = json_object_get(answer, "uuids");
    ck_assert_uint_eq(json_array_size(uuids), 2);
    ck_assert_str_eq(json_string_value(json_array_get(uuids, 1)), "job-1");
    json_decref(answer);
    mr_wait_for(mr_mill_noted(&mill, 'e', 0) == 1, 10000);
    mr_wait_for(mr_mill_noted(&mill, 'e', 1) == 1, 10000);

    expect("POST", API "/queues/a:b/jobs", "{\"job\":\"x\"}", 422);
    expect("POST", API "/queues/main/jobs", "{\"job\":\"odd name\"}", 422);
    expect("POST", API "/queues/main/jobs", "{\"jb\":\"x\"}", 422);
    expect("POST", API "/queues/main/jobs", "[]", 422);
    expect("POST", API "/queues/main/jobs", "{\"job\":\"x\",\"delay_s\":-1}", 422);
    expect("POST", API "/queues/main/jobs", "{\"job\":\"x\",\"backoff\":\"1,x\"}", 422);
    expect("POST", API "/queues/main/jobs", "{\"job\":\"x\",\"job\":\"y\"}", 400);
    ck_assert(mr_mill_is_empty(&mill, "main"));
    mr_mill_stop(&mill);
}
END_TEST

/* ---- dead letters ---- */

static void push_dying(unsigned n)
{
    mr_mill_push_ledger(&mill, "main", n, 0, 1);
}

START_TEST(dead_letters_are_listed_shown_retried_and_dropped)
{
    set_up();
    push_dying(0);
    push_dying(1);
    mr_mill_push_raw(&mill, "main", "\xff\xfe", 2);
    mr_wait_for(mr_mill_dead(&mill, "main") == 3, 10000);

    json_t *list = ask("GET", API "/queues/main/dead?limit=2", NULL, 200);
    ck_assert_uint_eq(json_array_size(json_object_get(list, "items")), 2);
    char next[256];
    snprintf(next, sizeof(next), API "/queues/main/dead?limit=2&cursor=%s", text(list, "next"));
    json_decref(list);
    list = ask("GET", next, NULL, 200);
    ck_assert_uint_eq(json_array_size(json_object_get(list, "items")), 1);
    ck_assert(json_is_null(json_object_get(list, "next")));
    json_decref(list);
    list = ask("GET", API "/queues/main/dead?class=refused", NULL, 200);
    const json_t *refused = json_array_get(json_object_get(list, "items"), 0);
    ck_assert_uint_eq(json_array_size(json_object_get(list, "items")), 1);
    snprintf(next, sizeof(next), API "/queues/main/dead/%s", text(refused, "id"));
    json_decref(list);

    json_t *letter = ask("GET", next, NULL, 200);
    ck_assert_str_eq(text(letter, "payload_base64"), "//4=");
    json_decref(letter);
    letter = ask("GET", API "/queues/main/dead/job-0", NULL, 200);
    ck_assert_str_eq(text(json_object_get(letter, "payload"), "job"), "ledger.write");
    ck_assert_str_eq(text(letter, "class"), "exhausted");
    json_decref(letter);
    expect("GET", API "/queues/main/dead/nobody", NULL, 404);

    /* A second life begins with all its tries: this job fails in its first attempt and is dead again. */
    json_t *answer =
        ask("POST", API "/queues/main/dead/retry", "{\"ids\":[\"job-0\",\"nobody\"]}", 200);
    ck_assert_int_eq(number(answer, "done"), 1);
    ck_assert_int_eq(number(answer, "failed"), 1);
    json_decref(answer);
    mr_wait_for(mr_mill_noted(&mill, 's', 0) == 2, 10000);

    answer =
        ask("POST", API "/queues/main/dead/drop", "{\"filter\":{\"class\":\"refused\"}}", 200);
    ck_assert_int_eq(number(answer, "done"), 1);
    json_decref(answer);
    expect("POST", API "/queues/main/dead/drop", "{\"filter\":{}}", 422);
    expect("POST", API "/queues/main/dead/drop", "{}", 422);
    expect("POST", API "/queues/main/dead/drop", "{\"all\":false}", 422);
    mr_wait_for(mr_mill_is_empty(&mill, "main"), 10000);
    answer = ask("POST", API "/queues/main/dead/drop", "{\"all\":true}", 200);
    ck_assert_int_ge(number(answer, "done"), 1);
    json_decref(answer);
    ck_assert_int_eq(mr_mill_dead(&mill, "main"), 0);
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(a_thousand_letters_are_retried_in_one_request)
{
    enum { LETTERS = 1200 };
    json_t *answer = NULL;

    set_up();
    expect("POST", API "/queues/shelf/pause", "{}", 404); /* nobody knows it yet */
    for (unsigned i = 0; i < LETTERS; i++) {
        freeReplyObject(
            mr_redis_ask(&mill.redis,
                         "HSET t_queues:high:dead:jobs d%u "
                         "{\"job\":\"ledger.write\",\"uuid\":\"job-%u\",\"attempts\":3} "
                         "d%u:meta {\"job\":\"ledger.write\"}",
                         i, i, i));
        freeReplyObject(mr_redis_ask(&mill.redis, "ZADD t_queues:high:dead %u d%u", i, i));
    }
    answer = ask("POST", API "/queues/high/dead/retry",
                 "{\"filter\":{\"job\":\"ledger.write\"}}", 200);
    ck_assert_int_eq(number(answer, "done"), LETTERS);
    ck_assert_int_eq(number(answer, "failed"), 0);
    json_decref(answer);
    mr_wait_for(mr_mill_is_empty(&mill, "high"), 20000);
    struct mr_mill_tally ends = mr_mill_count(&mill, 'e', LETTERS);
    ck_assert_uint_eq(ends.least, 1);
    ck_assert_uint_eq(ends.most, 1);
    mr_mill_stop(&mill);
}
END_TEST

/* Runs it with these words, NULL-ended; its exit status. Its output is in ctl.log until the next. */
static struct mr_proc ctl;

static int run(const char *const *words)
{
    char program[4096], log[160];
    const char *argv[16] = {program, "--socket", mill.control};
    size_t n = 3;

    mr_proc_built("ops/workerctl", program, sizeof(program));
    snprintf(log, sizeof(log), "%s/ctl.log", mill.redis.dir);
    unlink(log);
    while (*words && n + 1 < MR_COUNT(argv))
        argv[n++] = *words++;
    argv[n] = NULL;
    mr_proc_start(&ctl, argv, NULL, log);
    return mr_proc_exit_status(&ctl, 20000);
}

#define RUN(...) run((const char *const[]){__VA_ARGS__, NULL})

/* ---- when things go wrong ---- */

START_TEST(without_redis_the_api_says_so_and_goes_on)
{
    struct mr_http_reply answer;

    set_up();
    mr_redis_kill(&mill.redis);
    mr_wait_for(mr_http_status(mill.control, "/ready") == 503, 10000);
    ck_assert_int_eq(RUN("status"), 1);
    ck_assert(mr_proc_said(&ctl, "NOT READY: Redis is away"));
    expect("POST", API "/queues/main/jobs", "{\"job\":\"ledger.write\"}", 503);
    expect("POST", API "/queues/main/pause", "{}", 503);
    expect("PATCH", API "/pools/main", "{\"processes\":2}", 503);
    expect("GET", API "/queues/main/dead", NULL, 503);
    expect("POST", API "/queues/main/dead/retry", "{\"all\":true}", 503);
    expect("GET", "/health", NULL, 200);
    json_t *list = ask("GET", API "/queues", NULL, 200);
    const json_t *queue = json_array_get(json_object_get(list, "items"), 0);
    ck_assert(json_is_null(json_object_get(queue, "ready")));
    json_decref(list);
    mr_http_ask(&(struct mr_http){.socket = mill.control, .url = "http://localhost/metrics"},
                &answer);
    ck_assert_int_eq(answer.status, 200);
    ck_assert_ptr_nonnull(strstr(answer.body.at, "\nmillrace_redis_up 0\n"));
    ck_assert_ptr_null(strstr(answer.body.at, "\nmillrace_queue_jobs{"));
    mr_http_reply_fini(&answer);
    mr_redis_again(&mill.redis, NULL);
    mr_wait_for(mr_http_status(mill.control, "/ready") == 200, 20000);
    expect("POST", API "/queues/main/jobs", "{\"job\":\"ledger.write\",\"uuid\":\"job-0\"}",
           201);
    mr_wait_for(mr_mill_noted(&mill, 'e', 0) == 1, 10000);
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(counters_never_fall_when_a_worker_is_killed)
{
    static const char done[] = "{queue=\"main\",job=\"ledger.write\",verdict=\"done\"} 20\n";
    struct mr_http metrics = {.socket = mill.control, .url = "http://localhost/metrics"};
    pid_t pids[MR_PROC_LIST];
    struct mr_http_reply answer;

    set_up();
    for (unsigned n = 0; n < 20; n++)
        mr_mill_push_ledger(&mill, "main", n, 0, 0);
    mr_wait_for(mr_mill_noted(&mill, 'e', 19) == 1 && mr_mill_is_empty(&mill, "main"), 10000);
    for (unsigned round = 0; round < 2; round++) {
        mr_http_ask(&metrics, &answer);
        ck_assert_msg(strstr(answer.body.at, done) != NULL, "round %u: %s", round,
                      answer.body.at);
        mr_http_reply_fini(&answer);
        ck_assert_int_eq(mr_mill_workers(&mill, 0, pids), 1);
        kill(pids[0], SIGKILL);
        mr_wait_for(!mr_proc_alive(pids[0]), 5000);
        mr_wait_for(mr_http_status(mill.control, "/ready") == 200, 10000);
    }
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(drain_by_the_api_ends_the_dispatcher)
{
    set_up();
    expect("POST", API "/drain", NULL, 202);
    ck_assert_int_eq(mr_proc_exit_status(&mill.dispatchers[0], 20000), 0);
    mr_mill_stop(&mill);
}
END_TEST

/* ---- workerctl ---- */

START_TEST(workerctl_does_what_it_is_told)
{
    set_up();
    ck_assert_int_eq(RUN("status"), 0);
    ck_assert(mr_proc_said(&ctl, "no persistence"));
    ck_assert_int_eq(RUN("scale", "main=2"), 0);
    mr_wait_for(workers() == 2, 10000);
    ck_assert_int_eq(RUN("push", "main", "ledger.write", "{}", "--uuid", "job-0"), 0);
    mr_wait_for(mr_mill_noted(&mill, 'e', 0) == 1, 10000);
    push_dying(1);
    mr_wait_for(mr_mill_dead(&mill, "main") == 1, 10000);
    ck_assert_int_eq(RUN("dead", "list", "main"), 0);
    ck_assert(mr_proc_said(&ctl, "job-1"));
    ck_assert_int_eq(RUN("dead", "show", "main", "job-1"), 0);
    ck_assert_int_eq(RUN("dead", "drop", "main", "nobody"), 1);
    ck_assert_int_eq(RUN("dead", "drop", "main", "--all"), 0);
    ck_assert_int_eq(mr_mill_dead(&mill, "main"), 0);
    ck_assert_int_eq(RUN("push", "main", "debug.sleep", "{\"ms\":60000}", "--uuid", "job-2"),
                     0);
    mr_wait_for(RUN("jobs") == 0 && mr_proc_said(&ctl, "job-2"), 10000);
    ck_assert_int_eq(RUN("cancel", "job-2"), 0);
    mr_wait_for(mr_mill_dead(&mill, "main") == 1, 10000);
    ck_assert_int_eq(RUN("cancel", "job-2"), 1); /* it runs no more */
    ck_assert_int_eq(RUN("pause", "main", "--for", "10m"), 0);
    ck_assert_int_eq(RUN("resume", "main"), 0);
    ck_assert_int_eq(RUN("-o", "json", "queues"), 0);
    ck_assert_int_eq(RUN("pools"), 0);
    ck_assert_int_eq(RUN("reload"), 0);
    ck_assert_int_eq(RUN("config", "check", mill.config), 0);
    ck_assert_int_eq(RUN("doctor", "-c", mill.config), 1);
    ck_assert(mr_proc_said(&ctl, "every job is lost when Redis dies"));
    ck_assert(!mr_proc_said(&ctl, "nobody knows;"));
    freeReplyObject(mr_redis_ask(&mill.redis, "RPUSH t_queues:main:lease:%s:0 {}",
                                 "0123456789abcdef0123456789abcdef-4"));
    ck_assert_int_eq(RUN("doctor", "-c", mill.config), 1);
    ck_assert(mr_proc_said(&ctl, "1 leases of workers that nobody knows;"));
    freeReplyObject(mr_redis_ask(&mill.redis, "DEL t_queues:main:lease:%s:0",
                                 "0123456789abcdef0123456789abcdef-4"));
    ck_assert_int_eq(RUN("drain"), 0);
    ck_assert_int_eq(mr_proc_exit_status(&mill.dispatchers[0], 20000), 0);
    ck_assert_int_eq(RUN("status"), 69);
    ck_assert(mr_proc_said(&ctl, mill.control));
    ck_assert_int_eq(RUN("push", "main", "ledger.write", "--redis", mill.redis.url, "--prefix",
                         MR_MILL_PREFIX),
                     0);
    ck_assert_int_eq(mr_mill_ready(&mill, "main"), 1);
    mr_mill_stop(&mill);
}
END_TEST

static const struct {
    const char *words[6];
} misuses[] = {
    {{"sttus"}},
    {{"dead"}},
    {{"status", "twice"}},
    {{"status", "--tries", "3"}},
    {{"scale", "main"}},
    {{"scale", "main=x"}},
    {{"scale", "=3"}},
    {{"pause"}},
    {{"cancel"}},
    {{"pause", "main", "--for", "soon"}},
    {{"push", "main"}},
    {{"push", "main", "x", "not json"}},
    {{"push", "main", "x", "{}", "--tries", "-1"}},
    {{"push", "main", "x", "{}", "--backoff=1,,2"}},
    {{"dead", "retry", "main"}},
    {{"dead", "retry", "main", "id", "--all"}},
    {{"-o", "xml", "status"}},
    {{"--colour"}},
};

START_TEST(workerctl_refuses_misuse)
{
    mr_mill_start(&mill, one_pool, NULL);
    ck_assert_int_eq(run(misuses[_i].words), 64);
    mr_mill_stop(&mill);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {tcp_wants_the_token_for_all_but_the_open_routes,   0                     },
        {odd_requests_are_refused_and_the_server_stays,     0                     },
        {the_socket_is_for_its_owner_alone,                 0                     },
        {the_pictures_agree_with_what_runs,                 0                     },
        {scaling_changes_the_number_of_processes,           0                     },
        {a_paused_queue_waits_until_it_is_resumed,          0                     },
        {pushed_jobs_run_and_their_uuids_are_told,          0                     },
        {dead_letters_are_listed_shown_retried_and_dropped, 0                     },
        {a_thousand_letters_are_retried_in_one_request,     0                     },
        {without_redis_the_api_says_so_and_goes_on,         0                     },
        {counters_never_fall_when_a_worker_is_killed,       0                     },
        {drain_by_the_api_ends_the_dispatcher,              0                     },
        {workerctl_does_what_it_is_told,                    0                     },
        {workerctl_refuses_misuse,                          (int)MR_COUNT(misuses)},
    };

    return mr_suite_run_slow("control", tests, 60);
}
