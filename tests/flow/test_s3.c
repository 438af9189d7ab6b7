/* Reports and invoices that go into a bucket: a real MariaDB, real workers, and a server that checks every signature. */
#include "proto/base/str.h"
#include "tests/support/http.h"
#include "tests/support/mariadb.h"
#include "tests/support/mill.h"
#include "tests/support/s3.h"
#include "tests/support/scratch.h"
#include "tests/support/sink.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DONE_MS = 60000, WORKERS_MAX = 8 };

static struct mr_mill mill;
static struct mr_mariadb db;
static struct mr_s3_peer s3;
static char yaml[3072];

/* ---- the scene ---- */

/* storage: the options of storage.s3; NULL: the right ones. */
static void configure(const char *storage)
{
    snprintf(
        yaml, sizeof(yaml),
        "pools: { main: { queues: [main], concurrency: 2, tries: 2, backoff: 50ms..100ms } }\n"
        "lease: 2s\n"
        "storage: { kind: s3, s3: %s }\n"
        "reports: { dir: %s/reports }\n"
        "%s",
        storage ? storage : s3.options, mill.redis.dir, db.yaml);
}

/* fault: of the server, "put=slowdown:1"; NULL: none. */
static void start(const char *fault)
{
    const char *const args[] = {fault ? "--fault" : NULL, fault, NULL};
    char reports[160];

    mr_mill_start(&mill, yaml, NULL);
    mr_mariadb_start(&db, NULL);
    mr_mariadb_schema(&db);
    mr_mariadb_do(&db, "INSERT INTO billing_customers (id, name, email, address) VALUES "
                       "('ann', 'Ann', 'ann@example.org', 'Lane 1')");
    mr_s3_start(&s3, mill.redis.dir, args);
    snprintf(reports, sizeof(reports), "%s/reports", mill.redis.dir);
    ck_assert_int_eq(mkdir(reports, 0700), 0);
    mr_scratch_put(reports, "rows.yaml",
                   "sql: SELECT seq AS n, REPEAT('x', 100) AS a FROM seq_1_to_300000 LIMIT :n\n"
                   "params: { n: { type: integer } }\n"
                   "columns: { n: { type: integer }, a: }\n");
    configure(NULL);
}

static void stop(void)
{
    mr_mill_stop(&mill);
    mr_s3_stop(&s3);
    mr_mariadb_stop(&db);
}

static void push(const char *payload)
{
    mr_mill_push_raw(&mill, "main", payload, strlen(payload));
}

static void push_report(const char *uuid, unsigned rows)
{
    char payload[256];

    snprintf(payload, sizeof(payload),
             "{\"uuid\":\"%s\",\"job\":\"report.generate\",\"data\":{\"report\":\"rows\","
             "\"params\":{\"n\":%u}}}",
             uuid, rows);
    push(payload);
}

static void push_invoice(void)
{
    push("{\"uuid\":\"inv-1\",\"job\":\"billing.invoice\",\"data\":{\"customer\":\"ann\","
         "\"currency\":\"EUR\",\"lines\":[{\"text\":\"flour\",\"quantity\":1,\"unit_minor\":"
         "100,\"tax_bp\":0}]}}");
}

static void await_done(void)
{
    mr_wait_for(mr_mill_is_empty(&mill, "main"), DONE_MS);
    if (mr_mill_dead(&mill, "main") > 0)
        mr_proc_show(&mill.dispatchers[0]);
    ck_assert_int_eq(mr_mill_dead(&mill, "main"), 0);
}

/* Lines of the object, each of which must be whole and in its turn: the titles, then n from 1 on. */
static unsigned count_rows(const char *name)
{
    char path[512], line[256], want[16];
    unsigned n = 0;

    mr_s3_object(&s3, name, path, sizeof(path));
    FILE *file = fopen(path, "re");
    ck_assert_msg(file != NULL, "no object %s", name);
    ck_assert_ptr_nonnull(fgets(line, sizeof(line), file));
    ck_assert_str_eq(line, "n,a\r\n");
    for (; fgets(line, sizeof(line), file); n++) {
        int len = snprintf(want, sizeof(want), "%u,x", n + 1);

        ck_assert_int_eq(strncmp(line, want, (size_t)len), 0);
        ck_assert_uint_eq(strlen(line), (size_t)len + 99 + 2);
    }
    fclose(file);
    return n;
}

static void expect_bucket(size_t objects)
{
    ck_assert_uint_eq(mr_s3_objects(&s3), objects);
    ck_assert_uint_eq(mr_s3_parts(&s3), 0);
    ck_assert_uint_eq(mr_s3_refusals(&s3, NULL, "SignatureDoesNotMatch"), 0);
}

/* ---- reports ---- */

/* Of one request, and of several parts. */
static const unsigned sizes[] = {10, 150000};

START_TEST(a_report_goes_into_the_bucket)
{
    start(NULL);
    mr_mill_dispatch(&mill, 0, 1);
    push_report("r-1", sizes[_i]);
    await_done();
    ck_assert_uint_eq(count_rows("reports/rows-r-1.csv"), sizes[_i]);
    expect_bucket(1);
    char *place = mr_mariadb_text(&db, "SELECT place FROM report_runs WHERE uuid = 'r-1' AND "
                                       "state = 'done'");
    ck_assert_str_eq(place, "reports/rows-r-1.csv");
    free(place);
    stop();
}
END_TEST

/* The worker dies with one part in the bucket and the next on its way. */
START_TEST(killed_in_mid_upload_the_job_runs_again_and_the_file_is_whole)
{
    pid_t workers[WORKERS_MAX];

    start("part2=hang:1");
    mr_mill_dispatch(&mill, 0, 1);
    push_report("r-1", 150000);
    mr_wait_for(mr_s3_count(&s3, "part") == 2, DONE_MS);
    ck_assert_uint_eq(mr_s3_objects(&s3), 0);
    ck_assert_int_eq(mr_mill_workers(&mill, 0, workers), 1);
    ck_assert_int_eq(kill(workers[0], SIGKILL), 0);
    await_done();
    ck_assert_uint_eq(mr_s3_effects(&s3, "initiate"), 2);
    ck_assert_uint_eq(mr_s3_effects(&s3, "abort"), 1);
    ck_assert_uint_eq(count_rows("reports/rows-r-1.csv"), 150000);
    expect_bucket(1);
    stop();
}
END_TEST

START_TEST(a_report_whose_upload_fails_leaves_nothing_and_is_told)
{
    start("part2=denied");
    mr_mill_dispatch(&mill, 0, 1);
    push_report("r-1", 150000);
    mr_mill_await_letter(&mill, "main", "exhausted",
                         "403 AccessDenied: the key has no right to do that in this bucket");
    expect_bucket(0);
    char *state = mr_mariadb_text(&db, "SELECT state FROM report_runs WHERE uuid = 'r-1'");
    ck_assert_str_eq(state, "failed");
    free(state);
    stop();
}
END_TEST

/* ---- links ---- */

/* What the command prints, up to a blank; fails the test unless it ends well. */
__attribute__((format(printf, 2, 3))) static void read_word(char out[80], const char *format,
                                                            ...)
{
    char command[2400];
    va_list args;

    va_start(args, format);
    ck_assert_int_lt(vsnprintf(command, sizeof(command), format, args), sizeof(command));
    va_end(args);
    FILE *pipe = popen(command, "re");
    ck_assert_ptr_nonnull(pipe);
    ck_assert_int_eq(fscanf(pipe, "%79s", out), 1);
    ck_assert_int_eq(pclose(pipe), 0);
}

/* The text of the only mail, as another library decodes it; the caller's. */
static char *only_text(const struct mr_peer *sink)
{
    json_t *mails = mr_peer_lines(sink);

    ck_assert_uint_eq(json_array_size(mails), 1);
    const json_t *part = json_array_get(json_object_get(json_array_get(mails, 0), "parts"), 0);
    char *text = mr_strdup(json_string_value(json_array_get(part, 1)));
    json_decref(mails);
    return text;
}

/* What anybody gets by the link has the sum that the mail tells and the database holds, and is the object byte for byte. */
static void expect_link(const char *link, const char *text, const char *name)
{
    char object[512], sum[80];

    mr_s3_object(&s3, name, object, sizeof(object));
    read_word(sum, "curl -sf -o %s/got '%s' && cmp %s %s/got && sha256sum %s/got",
              mill.redis.dir, link, object, mill.redis.dir, mill.redis.dir);
    char *kept = mr_mariadb_text(&db, "SELECT sha256 FROM report_runs WHERE uuid = 'r-1'");
    ck_assert_str_eq(sum, kept);
    ck_assert_ptr_nonnull(strstr(text, sum));
    free(kept);
}

/* Whoever changes it, or would do more with it than read, gets nothing. */
static void expect_only_that(const char *link)
{
    const char *at = strstr(link, "r-1");
    char status[80];

    read_word(status, "curl -s -o %s/no -w '%%{http_code}' '%.*sr-2%s'", mill.redis.dir,
              (int)(at - link), link, at + 3);
    ck_assert_str_eq(status, "403");
    read_word(status, "curl -s -o %s/no -w '%%{http_code}' -X DELETE '%s'", mill.redis.dir,
              link);
    ck_assert_str_eq(status, "403");
}

static bool metrics_tell(const char *line)
{
    const struct mr_http metrics = {.socket = mill.control, .url = "http://localhost/metrics"};
    struct mr_http_reply reply;

    mr_http_ask(&metrics, &reply);
    bool found = strstr(reply.body.at, line) != NULL;
    mr_http_reply_fini(&reply);
    return found;
}

START_TEST(the_link_in_the_mail_gives_the_report)
{
    char reports[160];
    struct mr_peer sink;

    start("put=slowdown:2");
    mr_sink_start(&sink, mill.redis.dir, NULL);
    snprintf(reports, sizeof(reports), "%s/reports", mill.redis.dir);
    mr_scratch_put(reports, "linked.yaml",
                   "title: Linked\n"
                   "sql: SELECT seq AS n, 'Z\xc3\xbcrich' AS city FROM seq_1_to_1000\n"
                   "columns: { n: { type: integer }, city: }\n"
                   "format: [csv, xlsx]\n"
                   "mail: { to: ann@example.org, as: link, expires: 1h }\n");
    snprintf(yaml + strlen(yaml), sizeof(yaml) - strlen(yaml),
             "email: { url: \"smtp://127.0.0.1:%d\", from: \"shop@example.org\", tls: off }\n",
             sink.port);
    mr_mill_dispatch(&mill, 0, 1);
    push("{\"uuid\":\"r-1\",\"job\":\"report.generate\",\"data\":{\"report\":\"linked\","
         "\"format\":\"xlsx\"}}");
    mr_wait_for(mr_sink_count(&sink) == 1, DONE_MS);
    await_done();
    char *text = only_text(&sink), *link = strstr(text, "http://");
    ck_assert_msg(link != NULL, "%s", text);
    char *whole = mr_strndup(link, strcspn(link, "\r\n"));
    ck_assert_ptr_null(strstr(text, MR_S3_SECRET));
    ck_assert_ptr_nonnull(strstr(whole, "X-Amz-Expires=3600"));
    expect_link(whole, text, "reports/linked-r-1.xlsx");
    json_t *line = mr_s3_last(&s3, "get");
    ck_assert_str_eq(json_string_value(json_object_get(line, "signed")), "link");
    json_decref(line);
    expect_only_that(whole);
    mr_wait_for(metrics_tell("{event=\"storage_ok\"} 1\n") &&
                    metrics_tell("{event=\"storage_retries\"} 2\n"),
                5000);
    free(whole);
    free(text);
    mr_peer_stop(&sink);
    stop();
}
END_TEST

/* ---- invoices ---- */

static void expect_invoice(void)
{
    char path[512], head[5] = "";
    char *key = mr_mariadb_text(&db, "SELECT pdf_key FROM billing_invoices WHERE pdf_at IS NOT "
                                     "NULL");

    ck_assert_ptr_nonnull(key);
    mr_s3_object(&s3, key, path, sizeof(path));
    FILE *file = fopen(path, "re");
    ck_assert_msg(file != NULL, "no object %s", key);
    ck_assert_uint_eq(fread(head, 1, 4, file), 4);
    ck_assert_str_eq(head, "%PDF");
    fclose(file);
    free(key);
    expect_bucket(1);
}

START_TEST(an_invoice_goes_into_the_bucket)
{
    start(NULL);
    mr_mill_dispatch(&mill, 0, 1);
    push_invoice();
    await_done();
    expect_invoice();
    json_t *line = mr_s3_last(&s3, "put");
    ck_assert_str_eq(json_string_value(json_object_get(line, "type")), "application/pdf");
    json_decref(line);
    stop();
}
END_TEST

/* More refusals than two attempts outlast, of which the pool allows no more: those that wait spend none. */
START_TEST(an_invoice_waits_for_a_server_that_says_slow_down)
{
    start("put=slowdown:11");
    mr_mill_dispatch(&mill, 0, 1);
    push_invoice();
    await_done();
    expect_invoice();
    ck_assert_uint_eq(mr_s3_count(&s3, "put"), 12);
    ck_assert(mr_proc_said(&mill.dispatchers[0], "billing.peer_away"));
    ck_assert_int_eq(mr_mariadb_int(&db, "SELECT COUNT(*) FROM billing_invoices"), 1);
    stop();
}
END_TEST

/* ---- what is wrong ---- */

#define WRONG "wrong-CANARY-x4"

/* The right options, but for the secret. */
static void give_wrong_secret(void)
{
    char *right = mr_strdup(s3.options), *at = strstr(right, MR_S3_SECRET);
    char *wrong =
        mr_asprintf("%.*s" WRONG "%s", (int)(at - right), right, at + strlen(MR_S3_SECRET));

    configure(wrong);
    free(right);
    free(wrong);
}

START_TEST(a_wrong_secret_is_told_and_shown_nowhere)
{
    start(NULL);
    give_wrong_secret();
    mr_mill_dispatch(&mill, 0, 1);
    push_invoice();
    mr_mill_await_letter(&mill, "main", "exhausted",
                         "403 SignatureDoesNotMatch: check storage.s3.secret");
    json_t *letter = mr_mill_only_letter(&mill, "main");
    char *text = json_dumps(letter, 0);
    ck_assert_ptr_null(strstr(text, WRONG));
    ck_assert(!mr_proc_said(&mill.dispatchers[0], WRONG));
    free(text);
    json_decref(letter);
    ck_assert_uint_eq(mr_s3_objects(&s3), 0);
    stop();
}
END_TEST

/* ---- workerctl ---- */

/* workerctl's answer to a command of one word or two has these words. */
static void says(const char *command, const char *sub, const char *words)
{
    const char *const argv[] = {"ops/workerctl", "-c", mill.config, command, sub, NULL};
    struct mr_proc ctl;
    char log[160];

    snprintf(log, sizeof(log), "%s/ctl", mill.redis.dir);
    unlink(log);
    mr_proc_start(&ctl, argv, NULL, log);
    mr_proc_exit_status(&ctl, DONE_MS);
    if (!mr_proc_said(&ctl, words))
        mr_proc_show(&ctl);
    ck_assert_msg(mr_proc_said(&ctl, words), "%s does not say: %s", command, words);
    ck_assert(!mr_proc_said(&ctl, MR_S3_SECRET));
}

START_TEST(doctor_tries_the_bucket)
{
    start(NULL);
    mr_mill_dispatch(&mill, 0, 1);
    says("doctor", NULL, "/shop: a file was put there, read and removed");
    ck_assert_uint_eq(mr_s3_effects(&s3, "put"), 1);
    ck_assert_uint_eq(mr_s3_effects(&s3, "delete"), 1);
    expect_bucket(0);
    mr_s3_stop(&s3);
    says("doctor", NULL, "PUT millrace-probe-");
    mr_s3_start(&s3, mill.redis.dir, NULL);
    stop();
}
END_TEST

START_TEST(the_audit_looks_into_the_bucket)
{
    start(NULL);
    mr_mill_dispatch(&mill, 0, 1);
    push_invoice();
    await_done();
    says("billing", "audit", "audited 1 invoices");
    says("billing", "audit", ": 0 findings");
    mr_mill_drain(&mill, 0, DONE_MS);
    mr_s3_stop(&s3); /* and with it all objects */
    mr_s3_start(&s3, mill.redis.dir, NULL);
    configure(NULL);
    mr_mill_dispatch(&mill, 0, 1);
    says("billing", "audit", "is not in storage.s3 http://127.0.0.1");
    says("billing", "audit", "push its job inv-1 again");
    push_invoice();
    await_done();
    says("billing", "audit", ": 0 findings");
    stop();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_report_goes_into_the_bucket,                                 MR_COUNT(sizes)},
        {killed_in_mid_upload_the_job_runs_again_and_the_file_is_whole, 0              },
        {a_report_whose_upload_fails_leaves_nothing_and_is_told,        0              },
        {the_link_in_the_mail_gives_the_report,                         0              },
        {an_invoice_goes_into_the_bucket,                               0              },
        {an_invoice_waits_for_a_server_that_says_slow_down,             0              },
        {a_wrong_secret_is_told_and_shown_nowhere,                      0              },
        {the_audit_looks_into_the_bucket,                               0              },
        {doctor_tries_the_bucket,                                       0              },
    };

    return mr_suite_run_slow("s3", tests, 120);
}
