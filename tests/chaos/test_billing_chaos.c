/*
 * Money exactly once: invoices and charges while workers and the database are killed at random and the payment provider loses answers. In the end
 * every invoice stands once, the numbers have no gap, every charge was taken once, the books balance, and every paper is there; and workerctl billing audit
 * says so too.
 *
 * MILLRACE_SEED=n repeats a run as far as real processes can be repeated.
 */
#include "proto/base/clock.h"
#include "proto/base/random.h"
#include "tests/support/shop.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sanitizers take their time: they see the same, less often. */
#ifdef MR_SANITIZED
enum { PER_SERIES = 500, WORKER_KILLS = 40, DATABASE_KILLS = 5 };
#else
enum { PER_SERIES = 2500, WORKER_KILLS = 120, DATABASE_KILLS = 8 };
#endif

enum {
    SERIES = 2,
    INVOICES = SERIES * PER_SERIES,
    HEALING_MS = 60000, /* once the trouble is over, all must be done within so long */
    TWIN_OF = 20,       /* one job of so many is pushed twice */
    AT_ONCE = 60        /* jobs pushed in one turn, at most */
};

static const char *const series[SERIES] = {"A", "B-26"};
static const char pools[] =
    "lease: 2s\ngrace: 2s\n"
    "pools: { main: { queues: [main], processes: 3, concurrency: 6, tries: 0, max_crashes: 100,"
    " backoff: 10ms..200ms } }";

/* What the provider does to a charge at first; most often nothing. */
static const char *const faults[] = {
    "fail-after-effect:1",
    "reset-after-effect:1",
    "reset:1",
    "hang-after-effect:1",
    "slow300:1",
    "busy1:1",
    "half:1",
    "fail:1",
};

static struct mr_shop shop;
static struct mr_random dice;
static unsigned n_invoices, n_charges, worker_kills, database_kills;
static bool charged[SERIES][PER_SERIES];

static unsigned roll(unsigned below)
{
    return (unsigned)mr_random_below(&dice, below);
}

/* ---- jobs ---- */

static long long total_of(unsigned s, unsigned n)
{
    return 100 + s * 1000 + n;
}

static void push_invoices(void)
{
    for (unsigned i = roll(AT_ONCE); i > 0 && n_invoices < INVOICES; i--, n_invoices++) {
        unsigned s = n_invoices % SERIES, n = n_invoices / SERIES;

        for (unsigned twins = roll(TWIN_OF) ? 1 : 2; twins > 0; twins--)
            mr_shop_push_invoice(&shop, series[s], n, total_of(s, n));
    }
}

static void push_charge(unsigned s, unsigned n)
{
    char uuid[40], invoice[40], source[64] = "pm_ok";

    snprintf(uuid, sizeof(uuid), "charge-%s-%u", series[s], n);
    snprintf(invoice, sizeof(invoice), "%s-job-%u", series[s], n);
    if (roll(3) == 0)
        snprintf(source, sizeof(source), "pm_ok fault=%s", faults[roll(MR_COUNT(faults))]);
    for (unsigned twins = roll(TWIN_OF) ? 1 : 2; twins > 0; twins--)
        mr_shop_push_charge(&shop, uuid, invoice, total_of(s, n), source);
    charged[s][n] = true;
    n_charges++;
}

/* Those that the database has and nobody pays yet. */
static void push_charges(void)
{
    unsigned s = roll(SERIES), n = 0, room = roll(AT_ONCE);
    char query[120];

    snprintf(query, sizeof(query), "SELECT uuid FROM billing_invoices WHERE series = '%s'",
             series[s]);
    ck_assert_int_eq(mysql_query(shop.db.sync, query), 0);
    MYSQL_RES *result = mysql_store_result(shop.db.sync);
    for (MYSQL_ROW row; (row = mysql_fetch_row(result)) && room > 0;) {
        ck_assert_int_eq(sscanf(strrchr(row[0], '-'), "-%u", &n), 1);
        if (charged[s][n])
            continue;
        push_charge(s, n);
        room--;
    }
    mysql_free_result(result);
}

/* ---- trouble ---- */

static void kill_a_worker(void)
{
    pid_t workers[MR_PROC_LIST];
    int n = mr_mill_workers(&shop.mill, 0, workers);

    if (n > 0 && kill(workers[roll((unsigned)n)], SIGKILL) == 0)
        worker_kills++;
}

static void kill_the_database(void)
{
    mr_mariadb_kill(&shop.db);
    for (unsigned n = roll(100); n > 0; n--)
        mr_wait_a_moment();
    mr_mariadb_again(&shop.db, NULL);
    database_kills++;
}

/* The share of the work that is done decides when the next one is due, so that trouble lasts as long as the work does. */
static bool is_due(unsigned kills, unsigned wanted)
{
    return kills < wanted && kills * 2 * INVOICES <= (n_invoices + n_charges) * wanted;
}

static void something_happens(void)
{
    push_invoices();
    push_charges();
    if (is_due(worker_kills, WORKER_KILLS) && roll(4) == 0)
        kill_a_worker();
    if (is_due(database_kills, DATABASE_KILLS) && roll(8) == 0)
        kill_the_database();
}

static bool is_going_on(void)
{
    return n_charges < INVOICES || worker_kills < WORKER_KILLS ||
           database_kills < DATABASE_KILLS;
}

/* ---- what became of it ---- */

static long long count(const char *what)
{
    return mr_mariadb_int(&shop.db, "SELECT COUNT(*) FROM %s", what);
}

static void check_invoices(void)
{
    char key[64];

    ck_assert_int_eq(count("billing_invoices"), INVOICES);
    ck_assert_int_eq(count("billing_invoice_lines"), INVOICES);
    ck_assert_int_eq(count("billing_invoices WHERE pdf_at IS NULL"), 0);
    for (unsigned s = 0; s < SERIES; s++)
        for (unsigned n = 1; n <= PER_SERIES; n++) {
            snprintf(key, sizeof(key), "invoices/%s/%06u.pdf", series[s], n);
            ck_assert_msg(mr_shop_has_pdf(&shop, key), "no paper %s", key);
        }
}

static void check_charges(void)
{
    json_t *requests = mr_peer_requests(&shop.peer, "charge"), *request,
           *effects = json_object();
    const char *key;
    size_t i;

    json_array_foreach(requests, i, request)
    {
        key = json_string_value(json_object_get(request, "key"));
        if (!json_is_true(json_object_get(request, "effect")))
            continue;
        ck_assert_msg(json_object_get(effects, key) == NULL, "%s was charged twice", key);
        json_object_set_new(effects, key, json_true());
    }
    printf("# %zu requests for %zu charges, %zu look-ups\n", json_array_size(requests),
           json_object_size(effects), mr_peer_count(&shop.peer, "lookup"));
    ck_assert_uint_eq(json_object_size(effects), INVOICES);
    ck_assert_int_eq(count("billing_charges"), INVOICES);
    ck_assert_int_eq(count("billing_charges WHERE state = 'ok'"), INVOICES);
    json_decref(effects);
    json_decref(requests);
}

static void check_books(void)
{
    mr_shop_check_books(&shop);
    mr_shop_audit(&shop);
    ck_assert_int_eq(count("billing_ledger"), 3 * INVOICES + 2 * INVOICES);
    ck_assert_int_eq(count("millrace_inbox"), 2 * INVOICES);
    ck_assert_int_eq(mr_mariadb_int(&shop.db, "SELECT SUM(amount_minor) FROM billing_ledger"),
                     0);
    ck_assert_int_eq(mr_mariadb_int(&shop.db, "SELECT SUM(amount_minor) FROM billing_ledger "
                                              "WHERE account = 'receivable:ann'"),
                     0);
}

static uint64_t seed(void)
{
    const char *given = getenv("MILLRACE_SEED");

    return given ? strtoull(given, NULL, 10) : mr_clock_us() % 1000000;
}

START_TEST(every_invoice_and_every_charge_happens_exactly_once)
{
    uint64_t chosen = seed(), from_ms = mr_clock_ms();

    printf("# MILLRACE_SEED=%llu\n", (unsigned long long)chosen);
    fflush(stdout);
    dice.state = chosen * 2 + 1;
    mr_shop_start(&shop, pools, "timeout: 1s", NULL);
    mr_mill_dispatch(&shop.mill, 0, 3);
    while (is_going_on()) {
        something_happens();
        for (unsigned n = roll(20); n > 0; n--)
            mr_wait_a_moment();
    }
    mr_shop_await_done(&shop, HEALING_MS);
    printf("# %d jobs, %u workers and %u databases killed, %d s\n", 2 * INVOICES, worker_kills,
           database_kills, (int)((mr_clock_ms() - from_ms) / 1000));
    check_invoices();
    check_charges();
    check_books();
    mr_shop_stop(&shop);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {every_invoice_and_every_charge_happens_exactly_once, 0},
    };

    return mr_suite_run_slow("billing_chaos", tests, 280);
}
