#include "dispatcher/metrics.h"
#include "dispatcher/snapshot.h"
#include "dispatcher/totals.h"
#include "proto/base/mem.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORKER "0123456789abcdef0123456789abcdef-4"

static struct mr_page make_page(void)
{
    const struct mr_page_shape shape = {
        .n_queues = 2, .n_names = 4, .n_places = 3, .n_threads = 1};
    const char *const queues[] = {"critical", "high"};
    struct mr_page page;

    ck_assert_int_eq(mr_page_create_private(&shape, WORKER, "high", queues, &page, NULL),
                     MR_OK);
    return page;
}

/* A worker that has sent two mails from high, and is sending a third. */
static struct mr_page busy_page(void)
{
    struct mr_page page = make_page();
    uint32_t job = mr_page_job(&page, "email.send");

    *mr_page_verdict_of(&page, 1, job, MR_PAGE_DONE) = 2;
    mr_histogram_add(&page.header->run[job], 1500);
    mr_histogram_add(&page.header->run[job], 300000);
    mr_histogram_add(&page.waits[1], 80);
    page.header->fetched = 3;
    strcpy(page.header->counter_names[0], "smtp.sent");
    page.header->counters[0] = 2;
    strcpy(page.header->gauge_names[0], "smtp_circuits_open");
    page.header->gauges[0] = 1;
    page.places[2].queue = 1;
    page.places[2].job = job;
    page.places[2].attempt = 1;
    page.places[2].started_at_ms = 900;
    strcpy(page.places[2].uuid, "u-1");
    page.places[2].state = MR_PLACE_RUNNING;
    return page;
}

static struct mr_snapshot picture_of(struct mr_totals *totals)
{
    return (struct mr_snapshot){.version = "1.2.3",
                                .redis_version = "7.0.15",
                                .durability = "always",
                                .totals = totals,
                                .redis_up = true};
}

static char *print(const struct mr_snapshot *snapshot)
{
    struct mr_buf text = {0};

    mr_metrics_print(snapshot, &text);
    return mr_buf_steal(&text);
}

#define has(text, line)                                                                        \
    ck_assert_msg(strstr(text, "\n" line "\n") != NULL, "no line '%s' in\n%s", line, text)

START_TEST(a_page_becomes_counters)
{
    struct mr_page page = busy_page();
    struct mr_totals *totals = mr_totals_new();
    mr_totals_add(totals, &page);
    struct mr_snapshot snapshot = picture_of(totals);
    char *text = print(&snapshot);

    has(text, "millrace_jobs_total{queue=\"high\",job=\"email.send\",verdict=\"done\"} 2");
    has(text, "millrace_job_run_seconds_bucket{job=\"email.send\",le=\"0.00128\"} 0");
    has(text, "millrace_job_run_seconds_bucket{job=\"email.send\",le=\"0.00256\"} 1");
    has(text, "millrace_job_run_seconds_bucket{job=\"email.send\",le=\"+Inf\"} 2");
    has(text, "millrace_job_run_seconds_sum{job=\"email.send\"} 0.3015");
    has(text, "millrace_job_run_seconds_count{job=\"email.send\"} 2");
    has(text, "millrace_job_wait_seconds_count{queue=\"high\"} 1");
    has(text, "millrace_jobs_fetched_total{pool=\"high\"} 3");
    has(text, "millrace_handler_events_total{event=\"smtp.sent\"} 2");
    ck_assert_ptr_null(strstr(text, "u-1"));
    free(text);
    mr_totals_free(totals);
    mr_page_unmap(&page);
}
END_TEST

START_TEST(a_counter_does_not_fall_when_its_worker_goes)
{
    struct mr_page page = busy_page();
    struct mr_totals *gone = mr_totals_new();
    struct mr_totals *living = mr_totals_copy(gone);
    mr_totals_add(living, &page);
    struct mr_snapshot before = picture_of(living);
    char *text_before = print(&before);

    mr_totals_add(gone, &page);
    struct mr_totals *after_it = mr_totals_copy(gone);
    struct mr_snapshot after = picture_of(after_it);
    char *text_after = print(&after);

    ck_assert_str_eq(text_before, text_after);
    free(text_before);
    free(text_after);
    mr_totals_free(after_it);
    mr_totals_free(living);
    mr_totals_free(gone);
    mr_page_unmap(&page);
}
END_TEST

START_TEST(what_is_so_now_ends_with_its_worker)
{
    struct mr_page page = busy_page();
    struct mr_totals *gone = mr_totals_new();
    mr_totals_add(gone, &page);
    mr_totals_add_gauges(gone, &page);
    struct mr_totals *after_it = mr_totals_copy(gone);
    struct mr_snapshot after = picture_of(after_it);
    char *text = print(&after);

    has(text, "millrace_handler_events_total{event=\"smtp.sent\"} 2");
    ck_assert_ptr_null(strstr(text, "smtp_circuits_open"));
    free(text);
    mr_totals_free(after_it);
    mr_totals_free(gone);
    mr_page_unmap(&page);
}
END_TEST

START_TEST(two_workers_of_a_pool_are_summed)
{
    struct mr_page one = busy_page(), two = busy_page(), wild = busy_page();
    struct mr_totals *totals = mr_totals_new();
    mr_totals_add(totals, &one);
    mr_totals_add(totals, &two);
    mr_totals_add_gauges(totals, &one);
    mr_totals_add_gauges(totals, &two);
    wild.header->gauges[0] = -5;
    mr_totals_add_gauges(totals, &wild);
    struct mr_snapshot snapshot = picture_of(totals);
    char *text = print(&snapshot);

    has(text, "millrace_jobs_total{queue=\"high\",job=\"email.send\",verdict=\"done\"} 4");
    has(text, "millrace_job_run_seconds_count{job=\"email.send\"} 4");
    has(text, "millrace_handler_gauge{gauge=\"smtp_circuits_open\"} 2");
    free(text);
    mr_totals_free(totals);
    mr_page_unmap(&one);
    mr_page_unmap(&two);
    mr_page_unmap(&wild);
}
END_TEST

/* A worker that ran wild wrote 0xff over all that follows the page's shape. */
START_TEST(nonsense_in_a_page_is_left_out)
{
    struct mr_page page = busy_page();
    struct mr_totals *totals = mr_totals_new();
    struct mr_snapshot_worker worker = {0};

    memset(page.header->job_names, 0xff, sizeof(page.header->job_names));
    memset(page.header->pool, 0xff, sizeof(page.header->pool));
    memset(page.header->counter_names, 0xff, sizeof(page.header->counter_names));
    memset(page.header->gauge_names, 0xff, sizeof(page.header->gauge_names));
    memset(page.queue_names, 0xff, sizeof(*page.queue_names));
    memset(page.places, 0xff, 2 * sizeof(*page.places));
    page.places[1].state = MR_PLACE_RUNNING; /* queue, job, uuid: wild */
    page.header->n_jobs = UINT32_MAX;
    page.header->shape.n_places = UINT32_MAX;
    page.header->shape.n_queues = UINT32_MAX;

    mr_totals_add(totals, &page);
    mr_totals_add_gauges(totals, &page);
    mr_snapshot_read_page(&page, 1000, &worker);
    ck_assert_uint_eq(worker.places, 3);
    ck_assert_uint_eq(worker.n_jobs, 2);
    ck_assert_str_eq(worker.jobs[0].uuid, "");
    ck_assert_str_eq(worker.jobs[0].job, "");
    ck_assert_str_eq(worker.jobs[0].queue, "");
    ck_assert_str_eq(worker.jobs[1].queue, "high");
    ck_assert_uint_eq(worker.jobs[1].running_ms, 100);

    struct mr_snapshot snapshot = picture_of(totals);
    char *text = print(&snapshot);
    ck_assert_ptr_null(strchr(text, '\xff'));
    has(text, "millrace_jobs_total{queue=\"high\",job=\"other\",verdict=\"done\"} 2");
    free(text);
    free(worker.jobs);
    mr_totals_free(totals);
    mr_page_unmap(&page);
}
END_TEST

START_TEST(a_label_cannot_break_the_format)
{
    struct mr_totals *totals = mr_totals_new();
    struct mr_snapshot snapshot = picture_of(totals);
    snapshot.redis_version = "7\"\\\n8";
    char *text = print(&snapshot);

    has(text,
        "millrace_build_info{version=\"1.2.3\",redis_version=\"7\\\"\\\\\\n8\",durability="
        "\"always\"} 1");
    free(text);
    mr_totals_free(totals);
}
END_TEST

START_TEST(what_redis_does_not_say_is_absent)
{
    struct mr_totals *totals = mr_totals_new();
    struct mr_snapshot_queue queue = {
        .name = "q", .ready = -1, .delayed = 0, .reserved = -1, .dead = 7};
    struct mr_snapshot snapshot = picture_of(totals);
    snapshot.queues = &queue;
    snapshot.n_queues = 1;
    char *text = print(&snapshot);

    ck_assert_ptr_null(strstr(text, "state=\"ready\"} "));
    has(text, "millrace_queue_jobs{queue=\"q\",state=\"delayed\"} 0");
    has(text, "millrace_queue_jobs{queue=\"q\",state=\"dead\"} 7");
    free(text);
    mr_totals_free(totals);
}
END_TEST

START_TEST(job_names_without_bound_end_in_other)
{
    struct mr_totals *totals = mr_totals_new();

    for (unsigned p = 0; p < 2 * MR_TOTALS_JOBS / (MR_PAGE_JOBS - 1) + 1; p++) {
        struct mr_page page = make_page();

        for (unsigned j = 1; j < MR_PAGE_JOBS; j++) {
            char name[32];

            snprintf(name, sizeof(name), "job.%u.%u", p, j);
            mr_histogram_add(&page.header->run[mr_page_job(&page, name)], 10);
        }
        mr_totals_add(totals, &page);
        mr_page_unmap(&page);
    }
    ck_assert_uint_le(totals->n_runs, MR_TOTALS_JOBS + 1);
    ck_assert_str_eq(totals->runs[totals->n_runs - 1].job, "other");
    mr_totals_free(totals);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_page_becomes_counters,                      0},
        {a_counter_does_not_fall_when_its_worker_goes, 0},
        {what_is_so_now_ends_with_its_worker,          0},
        {two_workers_of_a_pool_are_summed,             0},
        {nonsense_in_a_page_is_left_out,               0},
        {a_label_cannot_break_the_format,              0},
        {what_redis_does_not_say_is_absent,            0},
        {job_names_without_bound_end_in_other,         0},
    };

    return mr_suite_run("metrics", tests);
}
