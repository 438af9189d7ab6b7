/* Each kind of job brings its own module and libraries into a worker, with its first job, and nobody else's. */
#include "tests/support/scratch.h"
#include "tests/support/shop.h"
#include "tests/support/sink.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <stdio.h>
#include <string.h>

/* As bits of a set. */
enum { CURL = 1, MARIADB = 2, CAIRO = 4, PANGO = 8, XLSX = 16 };

static const struct {
    int bit;
    const char *name,
        *or_else; /* part of the path of its file; Oracle's client has another name */
} libraries[] = {
    {CURL,    "libcurl",    NULL            },
    {MARIADB, "libmariadb", "libmysqlclient"},
    {CAIRO,   "libcairo",   NULL            },
    {PANGO,   "libpango",   NULL            },
    {XLSX,    "libxlsx",    NULL            },
};

static const char *const modules[] = {"billing", "debug",  "email", "exec",
                                      "http",    "report", "sms"};

/* A kind, its module, its libraries, and one job of it; PORT in it is where the web server listens. */
static const struct {
    const char *module;
    int libraries;
    const char *job;
} kinds[] = {
    {"debug",   0,                                     "{\"job\":\"debug.noop\"}"  },
    {"exec",    0,                                     "{\"job\":\"run\"}"         },
    {"email",   CURL,
     "{\"job\":\"email.send\",\"data\":{\"to\":\"a@example.org\",\"subject\":\"s\",\"text\":"
     "\"t\"}}"                                                                     },
    {"sms",     CURL | MARIADB,
     "{\"uuid\":\"s-1\",\"job\":\"sms.send\",\"data\":{\"to\":\"+12025550123\",\"text\":\"t\"}"
     "}"                                                                           },
    {"sms",     CURL | MARIADB,
     "{\"uuid\":\"w-1\",\"job\":\"whatsapp.send\",\"data\":{\"to\":\"+12025550123\",\"text\":"
     "\"t\"}}"                                                                     },
    {"http",    CURL,
     "{\"uuid\":\"h-1\",\"job\":\"http.call\",\"data\":{\"url\":\"http://127.0.0.1:PORT/"
     "echo\"}}"                                                                    },
    {"report",  CURL | MARIADB | CAIRO | PANGO | XLSX,
     "{\"uuid\":\"r-1\",\"job\":\"report.generate\",\"data\":{\"report\":\"one\"}}"},
    {"billing", CURL | MARIADB | CAIRO | PANGO,
     "{\"uuid\":\"i-1\",\"job\":\"billing.invoice\",\"data\":{\"customer\":\"ann\","
     "\"currency\":\"EUR\",\"lines\":[{\"text\":\"flour\",\"quantity\":1,\"unit_minor\":100,"
     "\"tax_bp\":700}]}}"                                                          },
};

static struct mr_shop shop;
static struct mr_peer mails;

/* A worker that could do every kind, and has done none. */
static void start(void)
{
    const char *dir = shop.mill.redis.dir;

    mr_shop_start(&shop, "pools: { main: { queues: [main] } }", "", NULL);
    mr_sink_start(&mails, dir, NULL);
    mr_scratch_put(dir, "one.yaml", "{sql: SELECT 1 AS a, columns: {a: }}");
    size_t len = strlen(shop.yaml);
    snprintf(
        shop.yaml + len, sizeof(shop.yaml) - len,
        "jobs: { run: { handler: exec, command: [/bin/true] } }\n"
        "email: { url: \"smtp://127.0.0.1:%d\", from: shop@example.org, tls: off }\n"
        "sms: { url: \"http://127.0.0.1:%d/\", account: a, token: t, from: \"+15005550006\", "
        "whatsapp_from: \"+15005550010\" }\n"
        "http: { allow: [127.0.0.1] }\n"
        "reports: { dir: %s }\n",
        mails.port, shop.peer.port, dir);
    mr_mill_dispatch(&shop.mill, 0, 1);
}

static void stop(void)
{
    mr_shop_stop(&shop);
    mr_peer_stop(&mails);
}

static pid_t the_worker(void)
{
    pid_t workers[MR_PROC_LIST];

    ck_assert_int_eq(mr_mill_workers(&shop.mill, 0, workers), 1);
    return workers[0];
}

static void expect_libraries(pid_t worker, int wanted)
{
    for (size_t i = 0; i < MR_COUNT(libraries); i++) {
        bool maps = mr_proc_maps(worker, libraries[i].name) ||
                    (libraries[i].or_else && mr_proc_maps(worker, libraries[i].or_else));

        ck_assert_msg(maps == ((wanted & libraries[i].bit) != 0), "%s is %smapped",
                      libraries[i].name, maps ? "" : "not ");
    }
}

/* wanted: its name, or NULL for none. */
static void expect_module(pid_t worker, const char *wanted)
{
    for (size_t i = 0; i < MR_COUNT(modules); i++) {
        char file[40];

        snprintf(file, sizeof(file), "/%s.so", modules[i]);
        bool maps = mr_proc_maps(worker, file);
        ck_assert_msg(maps == (wanted && strcmp(wanted, modules[i]) == 0), "%s is %smapped",
                      file, maps ? "" : "not ");
    }
}

static void push(const char *job)
{
    const char *port = strstr(job, "PORT");

    if (port)
        mr_shop_push(&shop, "%.*s%d%s", (int)(port - job), job, shop.peer.port, port + 4);
    else
        mr_shop_push(&shop, "%s", job);
}

START_TEST(a_kind_brings_its_own_libraries_and_no_others)
{
    start();
    pid_t worker = the_worker();
    expect_libraries(worker, 0);
    expect_module(worker, NULL);
    size_t before = mr_proc_rss_bytes(worker);
    push(kinds[_i].job);
    mr_shop_await_done(&shop, 15000);
    ck_assert_int_eq(the_worker(), worker);
    expect_libraries(worker, kinds[_i].libraries);
    expect_module(worker, kinds[_i].module);
    printf("# %s: resident before its first job %zu KiB, after it %zu KiB\n", kinds[_i].module,
           before / 1024, mr_proc_rss_bytes(worker) / 1024);
    stop();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_kind_brings_its_own_libraries_and_no_others, MR_COUNT(kinds)},
    };

    return mr_suite_run_slow("libraries", tests, 60);
}
