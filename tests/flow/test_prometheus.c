/* A real Prometheus scrapes a running dispatcher over TCP, and is asked itself what became of each kind of job. */
#include "tests/support/http.h"
#include "tests/support/shop.h"
#include "tests/support/sink.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <curl/curl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAILS = 4,
    MESSAGES = 7,
    INVOICES = 3,
    CHARGES = 2,
    REPORTS = 2,
    CALLS = 6,
    PROGRAMS = 3,
    RECORDS = 5,
    SOON_MS = 20000
};

static struct mr_shop shop;
static struct mr_peer sink;
static struct mr_proc prometheus;
static unsigned prometheus_port;

/* ---- what is scraped ---- */

/* What a shop's mill lacks to run every kind. */
static void configure_more(void)
{
    size_t len = strlen(shop.yaml);

    snprintf(shop.yaml + len, sizeof(shop.yaml) - len,
             "jobs: { import.csv: { handler: exec, command: [/bin/true] } }\n"
             "email: { url: \"smtp://127.0.0.1:%d\", tls: off, from: shop@example.org }\n"
             "sms: { url: \"http://127.0.0.1:%d\", account: AC1, token: t, from: Shop,\n"
             "       whatsapp_from: \"+12025550100\" }\n"
             "http: { allow: [127.0.0.1] }\n"
             "reports: { dir: \"%s\" }\n",
             sink.port, shop.peer.port, shop.mill.redis.dir);
}

static void write_file(const char *name, const char *text)
{
    char path[160];

    snprintf(path, sizeof(path), "%s/%s", shop.mill.redis.dir, name);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
}

/* The mill writes control.socket itself: the rest of that map has to come by the environment. */
static void start_mill(void)
{
    setenv("MILLRACE_CONTROL_LISTEN", "127.0.0.1:0", 1);
    mr_shop_start(
        &shop, "pools: { main: { queues: [high, main], processes: 2, backoff: 50ms..100ms } }",
        "", NULL);
    mr_sink_start(&sink, shop.mill.redis.dir, NULL);
    configure_more();
    write_file("customers.yaml", "title: Customers\n"
                                 "sql: SELECT id, name FROM billing_customers\n"
                                 "columns: { id: , name: }\n");
    mr_mill_dispatch(&shop.mill, 0, 2);
}

static void push(unsigned n, const char *queue, const char *payload)
{
    for (unsigned i = 0; i < n; i++)
        mr_mill_push_raw(&shop.mill, queue, payload, strlen(payload));
}

static void push_messages(void)
{
    push(MAILS, "high",
         "{\"job\":\"email.send\",\"data\":{\"to\":\"a@b.c\",\"subject\":\"s\",\"text\":\"t\"}"
         "}");
    push(MESSAGES, "high",
         "{\"job\":\"sms.send\",\"data\":{\"to\":\"+12025550123\",\"text\":\"x\"}}");
    push(1, "main", "{\"job\":\"sms.send\",\"data\":{\"to\":\"+15005550001\",\"text\":\"x\"}}");
    push(2, "main",
         "{\"job\":\"whatsapp.send\",\"data\":{\"to\":\"+12025550123\",\"text\":\"x\"}}");
}

/* Who pays needs an invoice first. */
static void push_business(void)
{
    for (unsigned n = 0; n < INVOICES; n++)
        mr_shop_push_invoice(&shop, "INV", n, 1000);
    mr_wait_for(mr_mariadb_int(&shop.db, "SELECT COUNT(*) FROM billing_invoices") == INVOICES,
                SOON_MS);
    mr_shop_push_charge(&shop, "c-1", "INV-1", 1000, "pm_card_visa");
    mr_shop_push_charge(&shop, "c-2", "INV-2", 1000, "pm_card_visa");
    mr_shop_push_charge(&shop, "c-3", "INV-3", 1000, "pm_card_declined");
    for (unsigned n = 0; n < REPORTS; n++)
        mr_shop_push(&shop,
                     "{\"uuid\":\"r-%u\",\"job\":\"report.generate\",\"data\":{\"report\":"
                     "\"customers\",\"params\":{}}}",
                     n);
}

static void push_the_rest(void)
{
    for (unsigned n = 0; n < CALLS; n++)
        mr_shop_push(&shop,
                     "{\"job\":\"http.call\",\"data\":{\"url\":\"http://127.0.0.1:%d/echo\"}}",
                     shop.peer.port);
    push(PROGRAMS, "main", "{\"job\":\"import.csv\",\"data\":{}}");
    push(1, "main", "{\"job\":\"debug.fail\",\"data\":{\"times\":2}}");
    for (unsigned n = 0; n < RECORDS; n++)
        mr_mill_push_ledger(&shop.mill, "high", n, 0, 0);
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
    char yaml[256], config[160], store[160], log[128];
    const char *const argv[] = {MR_PROMETHEUS, config, store,
                                "--web.listen-address=127.0.0.1:0", NULL};

    snprintf(config, sizeof(config), "--config.file=%s/prometheus.yml", shop.mill.redis.dir);
    snprintf(store, sizeof(store), "--storage.tsdb.path=%s/tsdb", shop.mill.redis.dir);
    snprintf(log, sizeof(log), "%s/prometheus.log", shop.mill.redis.dir);
    snprintf(yaml, sizeof(yaml),
             "global: { scrape_interval: 1s, scrape_timeout: 1s }\n"
             "scrape_configs: [ { job_name: millrace, honor_labels: true, static_configs: "
             "[ { targets: ['127.0.0.1:%u'] } ] } ]\n",
             mr_mill_control_port(&shop.mill));
    write_file("prometheus.yml", yaml);
    mr_proc_start(&prometheus, argv, NULL, log);
    mr_wait_for((prometheus_port = listening_port()) != 0, SOON_MS);
}

/* ---- asking ---- */

/* The one value of a query; NAN while there is none, or more than one. */
static double query(const char *promql)
{
    char *escaped = curl_easy_escape(NULL, promql, 0), url[1024];
    struct mr_http_reply answer;
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
    mr_http_reply_fini(&answer);
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

#define JOBS(job, verdict) "sum(millrace_jobs_total{job=\"" job "\",verdict=\"" verdict "\"})"
#define EVENTS(event) "sum(millrace_handler_events_total{event=\"" event "\"})"

static const struct {
    const char *promql;
    unsigned value;
} facts[] = {
    {"up{job=\"millrace\"}",                                                  1                      },
    {JOBS("email.send",                                                       "done"),                 MAILS},
    {JOBS("sms.send",                                                                       "done"),                                                                                MESSAGES},
    {JOBS("sms.send",                                                               "dead"),       1},
    {"millrace_jobs_total{job=\"sms.send\",verdict=\"done\",queue=\"high\"}",  MESSAGES                 },
    {"millrace_job_run_seconds_count{job=\"sms.send\"}", MESSAGES + 1              },
    {JOBS("whatsapp.send",                      "done"),                                 2},
    {JOBS("billing.invoice",                                                    "done"),                                               INVOICES},
    {JOBS("billing.charge",                                                                       "done"),                                                                         CHARGES},
    {JOBS("billing.charge",                                                               "dead"),                                        1},
    {JOBS("report.generate","done"),REPORTS},
    {JOBS("http.call",                                                   "done"),     CALLS},
    {JOBS("import.csv",                                                                       "done"),                                                                         PROGRAMS},
    {JOBS("ledger.write",                                                                "done"),                                                                                                                                                      RECORDS},
    {JOBS("debug.fail",              "retry"),                            2},
    {JOBS("debug.fail",                                                       "done"), 1},
    {EVENTS("sms_sent"),                                                                       MESSAGES                                                                           },
    {EVENTS("sms_segments_sent"),                                                                MESSAGES},
    {EVENTS("whatsapp_sent"),                                                  2                                            },
    {EVENTS("charges_paid"),                                                       CHARGES                },
    {EVENTS("charges_refused"),                                                                       1                                                                            },
    {EVENTS("http_success"),                                                                       CALLS},
    {"millrace_queue_jobs{queue=\"main\",state=\"dead\"}",                                                                       2                                                                                                                                      },
    {"millrace_queue_jobs{queue=\"high\",state=\"ready\"}",                                                                       0                            },
    {"millrace_pool_processes{pool=\"main\",state=\"serving\"}",                                                                       2                                                     },
    {"millrace_redis_up",                                                                       1},
};

START_TEST(prometheus_knows_what_became_of_each_kind_of_job)
{
    start_mill();
    start_prometheus();
    expect(facts[0].promql, 1); /* scraped before anything ran */
    push_messages();
    push_business();
    push_the_rest();
    for (size_t i = 0; i < MR_COUNT(facts); i++)
        expect(facts[i].promql, facts[i].value);
    mr_mill_drain(&shop.mill, 0, SOON_MS);
    expect("up{job=\"millrace\"}", 0);
    mr_proc_signal(&prometheus, SIGTERM);
    ck_assert_int_eq(mr_proc_exit_status(&prometheus, SOON_MS), 0);
    mr_shop_stop(&shop);
    mr_peer_stop(&sink);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {prometheus_knows_what_became_of_each_kind_of_job, 0},
    };

    return mr_suite_run_slow("prometheus", tests, 90);
}
