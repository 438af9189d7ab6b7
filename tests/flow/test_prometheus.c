/* A real Prometheus scrapes a running dispatcher over TCP, and is asked itself what became of each kind of job. */
#include "tests/support/http.h"
#include "tests/support/mill.h"
#include "tests/support/peer.h"
#include "tests/support/sink.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <curl/curl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAILS = 4, MESSAGES = 7, PROGRAMS = 3, RECORDS = 5 };

static struct mr_mill mill;
static struct mr_peer sink;
static struct mr_peer peer;
static struct mr_proc prometheus;
static unsigned prometheus_port;

/* ---- what is scraped ---- */

/* mr_mill_start writes control.socket itself: the rest of that map has to come by the environment. */
static void start_mill(void)
{
    static char yaml[1200];

    setenv("MILLRACE_CONTROL_LISTEN", "127.0.0.1:0", 1);
    mr_mill_start(&mill, yaml, NULL);
    mr_sink_start(&sink, mill.redis.dir, NULL);
    mr_peer_start(&peer, mill.redis.dir, NULL);
    snprintf(yaml, sizeof(yaml),
             "pools: { main: { queues: [high, main], processes: 2, backoff: 50ms..100ms } }\n"
             "jobs: { import.csv: { handler: exec, command: [/bin/true] } }\n"
             "email: { url: \"smtp://127.0.0.1:%d\", tls: off, from: shop@example.org }\n"
             "sms: { url: \"http://127.0.0.1:%d\", account: AC1, token: t, from: Shop,\n"
             "       whatsapp_from: \"+12025550100\" }\n",
             sink.port, peer.port);
    mr_mill_dispatch(&mill, 0, 2);
}

static void push(unsigned n, const char *queue, const char *payload)
{
    for (unsigned i = 0; i < n; i++)
        mr_mill_push_raw(&mill, queue, payload, strlen(payload));
}

static void push_all(void)
{
    push(MAILS, "high",
         "{\"job\":\"email.send\",\"data\":{\"to\":\"a@b.c\",\"subject\":\"s\",\"text\":\"t\"}"
         "}");
    push(MESSAGES, "high",
         "{\"job\":\"sms.send\",\"data\":{\"to\":\"+12025550123\",\"text\":\"x\"}}");
    push(1, "main", "{\"job\":\"sms.send\",\"data\":{\"to\":\"+15005550001\",\"text\":\"x\"}}");
    push(2, "main",
         "{\"job\":\"whatsapp.send\",\"data\":{\"to\":\"+12025550123\",\"text\":\"x\"}}");
    push(PROGRAMS, "main", "{\"job\":\"import.csv\",\"data\":{}}");
    push(1, "main", "{\"job\":\"debug.fail\",\"data\":{\"times\":2}}");
    for (unsigned n = 0; n < RECORDS; n++)
        mr_mill_push_ledger(&mill, "high", n, 0, 0);
}

/* ---- who scrapes ---- */

/* It says in the middle of a line which port it was given. */
static unsigned listening_port(void)
{
    static const char said[] = "msg=\"Listening on\" address=127.0.0.1:";
    FILE *file = fopen(prometheus.log, "re");
    char line[1024];
    unsigned port = 0;

    while (file && port == 0 && fgets(line, sizeof(line), file)) {
        const char *at = strstr(line, said);

        port = at && strchr(line, '\n') ? (unsigned)atoi(at + strlen(said)) : 0;
    }
    if (file)
        fclose(file);
    return port;
}

static void start_prometheus(void)
{
    char config[128], flag[160], store[160], log[128];
    const char *const argv[] = {MR_PROMETHEUS, flag, store, "--web.listen-address=127.0.0.1:0",
                                NULL};

    snprintf(config, sizeof(config), "%s/prometheus.yml", mill.redis.dir);
    snprintf(flag, sizeof(flag), "--config.file=%s", config);
    snprintf(store, sizeof(store), "--storage.tsdb.path=%s/tsdb", mill.redis.dir);
    snprintf(log, sizeof(log), "%s/prometheus.log", mill.redis.dir);
    FILE *file = fopen(config, "we");
    ck_assert_ptr_nonnull(file);
    fprintf(file,
            "global: { scrape_interval: 1s, scrape_timeout: 1s }\n"
            "scrape_configs: [ { job_name: millrace, honor_labels: true, static_configs: "
            "[ { targets: ['127.0.0.1:%u'] } ] } ]\n",
            mr_mill_control_port(&mill));
    fclose(file);
    mr_proc_start(&prometheus, argv, NULL, log);
    mr_wait_for((prometheus_port = listening_port()) != 0, 20000);
}

/* ---- asking ---- */

/* The one value of a query; NAN while there is none, or more than one. */
static double query(const char *promql)
{
    char *escaped = curl_easy_escape(NULL, promql, 0), url[1024];
    struct mr_http_answer answer;
    double value = NAN;

    snprintf(url, sizeof(url), "http://127.0.0.1:%u/api/v1/query?query=%s", prometheus_port,
             escaped);
    mr_http_ask(&(struct mr_http){.url = url}, &answer);
    json_t *root = json_loads(answer.body.at ? answer.body.at : "", 0, NULL);
    json_t *result = json_object_get(json_object_get(root, "data"), "result");

    if (json_array_size(result) == 1) {
        json_t *pair = json_object_get(json_array_get(result, 0), "value");

        value = atof(json_string_value(json_array_get(pair, 1)));
    }
    json_decref(root);
    mr_http_answer_fini(&answer);
    curl_free(escaped);
    return value;
}

static void expect(const char *promql, unsigned value)
{
    uint64_t end_ms = mr_wait_now_ms() + 15000;
    double got;

    while ((got = query(promql)) != value && mr_wait_now_ms() < end_ms)
        mr_wait_a_moment();
    ck_assert_msg(got == value, "%s: %g, not %u", promql, got, value);
}

static const struct {
    const char *promql;
    unsigned value;
} facts[] = {
    {"up{job=\"millrace\"}",                                                  1           },
    {"millrace_jobs_total{job=\"email.send\",verdict=\"done\"}",              MAILS       },
    {"millrace_jobs_total{job=\"sms.send\",verdict=\"done\",queue=\"high\"}", MESSAGES    },
    {"sum(millrace_jobs_total{job=\"sms.send\"})",                            MESSAGES + 1},
    {"millrace_jobs_total{job=\"sms.send\",verdict=\"dead\",queue=\"main\"}", 1           },
    {"millrace_jobs_total{job=\"whatsapp.send\",verdict=\"done\"}",           2           },
    {"millrace_jobs_total{job=\"import.csv\",verdict=\"done\"}",              PROGRAMS    },
    {"millrace_jobs_total{job=\"ledger.write\",verdict=\"done\"}",            RECORDS     },
    {"millrace_jobs_total{job=\"debug.fail\",verdict=\"retry\"}",             2           },
    {"millrace_jobs_total{job=\"debug.fail\",verdict=\"done\"}",              1           },
    {"millrace_job_run_seconds_count{job=\"sms.send\"}",                      MESSAGES + 1},
    {"millrace_handler_events_total{event=\"sms_sent\"}",                     MESSAGES    },
    {"millrace_handler_events_total{event=\"sms_segments_sent\"}",            MESSAGES    },
    {"millrace_handler_events_total{event=\"whatsapp_sent\"}",                2           },
    {"millrace_queue_jobs{queue=\"main\",state=\"dead\"}",                    1           },
    {"millrace_queue_jobs{queue=\"high\",state=\"ready\"}",                   0           },
    {"millrace_pool_processes{pool=\"main\",state=\"serving\"}",              2           },
    {"millrace_redis_up",                                                     1           },
};

START_TEST(prometheus_knows_what_became_of_each_kind_of_job)
{
    start_mill();
    start_prometheus();
    expect(facts[0].promql, 1); /* scraped before anything ran */
    push_all();
    for (size_t i = 0; i < MR_COUNT(facts); i++)
        expect(facts[i].promql, facts[i].value);
    mr_mill_drain(&mill, 0, 20000);
    expect("up{job=\"millrace\"}", 0);
    mr_proc_signal(&prometheus, SIGTERM);
    ck_assert_int_eq(mr_proc_exit_status(&prometheus, 20000), 0);
    mr_mill_stop(&mill);
    mr_peer_stop(&sink);
    mr_peer_stop(&peer);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {prometheus_knows_what_became_of_each_kind_of_job, 0},
    };

    return mr_suite_run_slow("prometheus", tests, 90);
}
