/* /metrics of a running dispatcher: Prometheus' own checker accepts it, and it tells what happened. */
#include "tests/support/http.h"
#include "tests/support/mill.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mr_mill mill;

/* The page's text, the caller's. */
static char *scrape(void)
{
    struct mr_http_reply answer;

    mr_http_ask(&(struct mr_http){.socket = mill.control, .url = "http://localhost/metrics"},
                &answer);
    ck_assert_int_eq(answer.status, 200);
    ck_assert_ptr_nonnull(strstr(answer.content_type, "text/plain"));
    char *text = mr_buf_steal(&answer.body);
    mr_http_reply_fini(&answer);
    return text;
}

static bool tells(const char *line)
{
    char *text = scrape();
    bool found = strstr(text, line) != NULL;

    free(text);
    return found;
}

static void expect_accepted(const char *text)
{
    char path[128], command[512];

    snprintf(path, sizeof(path), "%s/metrics", mill.redis.dir);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
    snprintf(command, sizeof(command), "%s check metrics <%s >&2", MR_PROMTOOL, path);
    ck_assert_msg(system(command) == 0, "promtool refuses it (see above)");
}

START_TEST(prometheus_accepts_the_metrics_and_they_are_right)
{
    static const char *const pushed[] = {
        "{\"job\":\"debug.fail\",\"data\":{\"for_good\":true}}",
        "{\"job\":\"debug.fail\",\"data\":{\"times\":1}}",
        "{\"job\":\"debug.crash\",\"data\":{\"times\":1}}",
        "{\"job\":\"a.name.\\\\of@nobodys\",\"maxTries\":1}",
        "no job",
    };

    mr_mill_start(
        &mill,
        "pools: { main: { queues: [high, main], processes: 2, backoff: 50ms..100ms } }\n",
        NULL);
    mr_mill_dispatch(&mill, 0, 2);
    char *text = scrape();
    expect_accepted(text); /* before anything ran, too */
    free(text);
    for (unsigned n = 0; n < 5; n++)
        mr_mill_push_ledger(&mill, "high", n, 0, 0);
    for (size_t i = 0; i < MR_COUNT(pushed); i++)
        mr_mill_push_raw(&mill, "main", pushed[i], strlen(pushed[i]));
    mr_wait_for(mr_mill_is_empty(&mill, "main") && mr_mill_is_empty(&mill, "high") &&
                    mr_mill_dead(&mill, "main") == 3,
                20000);
    mr_wait_for(
        tells("millrace_jobs_total{queue=\"high\",job=\"ledger.write\",verdict=\"done\"} 5\n"),
        5000);
    /* Redis is asked for sizes once a while, not at each scrape. */
    mr_wait_for(tells("millrace_queue_jobs{queue=\"main\",state=\"dead\"} 3\n"), 10000);
    text = scrape();
    expect_accepted(text);
    ck_assert_ptr_nonnull(strstr(
        text, "millrace_jobs_total{queue=\"main\",job=\"debug.fail\",verdict=\"retry\"} 1\n"));
    ck_assert_ptr_nonnull(strstr(
        text, "millrace_jobs_total{queue=\"main\",job=\"debug.fail\",verdict=\"dead\"} 1\n"));
    ck_assert_ptr_nonnull(strstr(text, "millrace_redis_up 1\n"));
    ck_assert_ptr_null(strstr(text, "nobodys")); /* a name from outside makes no label */
    free(text);
    mr_mill_stop(&mill);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {prometheus_accepts_the_metrics_and_they_are_right, 0},
    };

    return mr_suite_run_slow("metrics", tests, 60);
}
