/*
 * Money exactly once: invoices and charges while workers and the database are killed at random and the payment provider loses answers. In the end
 * every invoice stands once, the numbers have no gap, every charge was taken once, the books balance, and every paper is there; and workerctl billing audit
 * says so too.
 *
 * MILLRACE_SEED=n repeats a run as far as real processes can be repeated.
 */
#include "proto/base/clock.h"
#include "tests/support/suite.h"
#include "tests/support/trouble.h"
#include "tests/support/wait.h"

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

static struct mr_shop shop;
static struct mr_trouble trouble;
static unsigned n_invoices, n_charges;
static bool charged[SERIES][PER_SERIES];

static unsigned roll(unsigned below)
{
    return mr_trouble_roll(&trouble, below);
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
    char uuid[40], invoice[40], source[MR_TROUBLE_CARD];

    snprintf(uuid, sizeof(uuid), "charge-%s-%u", series[s], n);
    snprintf(invoice, sizeof(invoice), "%s-job-%u", series[s], n);
    mr_trouble_card(&trouble, source);
    for (unsigned twins = roll(TWIN_OF) ? 1 : 2; twins > 0; twins--)
        mr_shop_push_charge(&shop, uuid, invoice, total_of(s, n), source);
    charged[s][n] = true;
    n_charges++;
}

/*
 * Those that nobody pays yet. A server shows a row before its COMMIT is on the disk, and killed in between it forgets the row again (its job, which never heard
 * of that COMMIT, issues it anew): what is drawn was committed before.
 */
static void push_charges(void)
{
    unsigned s = roll(SERIES), n = 0, room = roll(AT_ONCE);
    char query[120];

    snprintf(query, sizeof(query),
             "SELECT uuid FROM billing_invoices WHERE series = '%s' AND pdf_at IS NOT NULL",
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

static void something_happens(void)
{
    push_invoices();
    push_charges();
    unsigned done = n_invoices + n_charges;
    if (mr_trouble_is_due(trouble.worker_kills, WORKER_KILLS, done, 2 * INVOICES) &&
        roll(4) == 0)
        mr_trouble_kill_a_worker(&trouble);
    if (mr_trouble_is_due(trouble.database_kills, DATABASE_KILLS, done, 2 * INVOICES) &&
        roll(8) == 0)
        mr_trouble_kill_the_database(&trouble);
}

static bool is_going_on(void)
{
    return n_charges < INVOICES || trouble.worker_kills < WORKER_KILLS ||
           trouble.database_kills < DATABASE_KILLS;
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
    ck_assert_uint_eq(mr_trouble_check_effects(&shop, "charge"), INVOICES);
    ck_assert_int_eq(count("billing_charges"), INVOICES);
    ck_assert_int_eq(count("billing_charges WHERE state = 'ok'"), INVOICES);
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

START_TEST(every_invoice_and_every_charge_happens_exactly_once)
{
    uint64_t from_ms = mr_clock_ms();

    mr_trouble_begin(&trouble, &shop);
    mr_shop_start(&shop, pools, "timeout: 1s", NULL);
    mr_mill_dispatch(&shop.mill, 0, 3);
    while (is_going_on()) {
        something_happens();
        for (unsigned n = roll(20); n > 0; n--)
            mr_wait_a_moment();
    }
    mr_shop_await_done(&shop, HEALING_MS);
    printf("# %d jobs, %u workers and %u databases killed, %d s\n", 2 * INVOICES,
           trouble.worker_kills, trouble.database_kills,
           (int)((mr_clock_ms() - from_ms) / 1000));
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
