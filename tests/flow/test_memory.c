/* What a worker weighs, and that it carries only what its jobs have needed. */
#include "tests/support/mill.h"
#include "tests/support/sink.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <stdio.h>
#include <string.h>

enum { WORKERS = 10, KIB = 1024, RSS_KIB = 10 * 1024, PSS_KIB = 4 * 1024 };

static struct mr_mill mill;
static struct mr_peer sink;
static char yaml[512];

/* Sanitizers need room of their own: then the figures are only shown. */
static void expect_at_most(const char *what, size_t kib, size_t bound_kib)
{
    printf("# %s: %zu KiB (bound %zu)\n", what, kib, bound_kib);
#ifndef MR_SANITIZED
    ck_assert_msg(kib <= bound_kib, "%s: %zu KiB, more than %zu", what, kib, bound_kib);
#endif
}

START_TEST(ten_idle_workers_weigh_little)
{
    static const char ten[] =
        "pools: { main: { queues: [high, main], processes: 10, concurrency: 20 } }\n";
    pid_t workers[MR_PROC_LIST];
    size_t rss = 0, pss = 0;

    mr_mill_start(&mill, ten, NULL);
    mr_mill_dispatch(&mill, 0, WORKERS);
    ck_assert_int_eq(mr_mill_workers(&mill, 0, workers), WORKERS);
    for (int w = 0; w < WORKERS; w++) {
        size_t its_rss = mr_proc_rss_bytes(workers[w]);

        ck_assert_uint_gt(its_rss, 0);
        rss = its_rss > rss ? its_rss : rss;
        pss += mr_proc_pss_bytes(workers[w]);
    }
    ck_assert_uint_gt(pss, 0);
    expect_at_most("resident, the biggest of 10 idle workers", rss / KIB, RSS_KIB);
    expect_at_most("proportional, mean of 10 idle workers", pss / WORKERS / KIB, PSS_KIB);
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(a_worker_loads_a_mail_library_with_its_first_mail)
{
    static const char mail[] = "{\"job\":\"email.send\",\"data\":{\"to\":\"a@example.org\","
                               "\"subject\":\"s\",\"text\":\"t\"}}";
    pid_t worker[MR_PROC_LIST];

    mr_mill_start(&mill, yaml, NULL);
    mr_sink_start(&sink, mill.redis.dir, NULL);
    snprintf(yaml, sizeof(yaml),
             "pools: { main: { queues: [main] } }\n"
             "jobs: { run: { handler: exec, command: [/bin/true] } }\n"
             "email: { url: \"smtp://127.0.0.1:%d\", from: shop@example.org, tls: off }\n",
             sink.port);
    mr_mill_dispatch(&mill, 0, 1);
    ck_assert_int_eq(mr_mill_workers(&mill, 0, worker), 1);
    mr_mill_push_raw(&mill, "main", "{\"job\":\"run\"}", strlen("{\"job\":\"run\"}"));
    mr_mill_push_ledger(&mill, "main", 0, 0, 0);
    mr_wait_for(mr_mill_noted(&mill, 'e', 0) == 1 && mr_mill_is_empty(&mill, "main"), 10000);
    ck_assert(mr_proc_maps(worker[0], "/exec.so")); /* so this does find what is there */
    ck_assert(!mr_proc_maps(worker[0], "libcurl"));
    ck_assert(!mr_proc_maps(worker[0], "/email.so"));
    expect_at_most("resident before the first mail", mr_proc_rss_bytes(worker[0]) / KIB,
                   RSS_KIB);

    mr_mill_push_raw(&mill, "main", mail, strlen(mail));
    mr_wait_for(mr_sink_count(&sink) == 1 && mr_mill_is_empty(&mill, "main"), 10000);
    ck_assert(mr_proc_maps(worker[0], "libcurl"));
    printf("# resident after it: %zu KiB\n", mr_proc_rss_bytes(worker[0]) / KIB);
    mr_mill_stop(&mill);
    mr_peer_stop(&sink);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {ten_idle_workers_weigh_little,                     0},
        {a_worker_loads_a_mail_library_with_its_first_mail, 0},
    };

    return mr_suite_run_slow("memory", tests, 60);
}
