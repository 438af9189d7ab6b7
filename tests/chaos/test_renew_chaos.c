/*
 * Subscriptions, each period once: hundreds are renewed, two periods each, while workers and the database are killed at random and the payment provider loses
 * answers; some charges are given back at once. In the end every period has its invoice, every charge and every refund was made once, and whoever's card was
 * refused is being dunned, once.
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

enum {
    SUBSCRIPTIONS = 480,
    PERIODS_EACH = 2, /* one was missed */
    PERIODS = SUBSCRIPTIONS * PERIODS_EACH,
    REFUSED_OF = 8, /* one card of so many is refused */
    REFUNDS = 150,  /* so many charges, at least, are given back */
    AT_ONCE = 12,   /* refunds pushed in one turn, at most */
    WORKER_KILLS = 50,
    DATABASE_KILLS = 3,
    HEALING_MS = 60000 /* once the trouble is over, all must be done within so long */
};

#define TABLE "billing_subscription_periods"

static const char pools[] =
    "lease: 2s\ngrace: 2s\n"
    "pools: { main: { queues: [main], processes: 3, concurrency: 6, tries: 0, max_crashes: 100,"
    " backoff: 10ms..200ms } }";

static struct mr_shop shop;
static struct mr_trouble trouble;
static unsigned n_refused; /* subscriptions */

static long long count(const char *what)
{
    return mr_mariadb_int(&shop.db, "SELECT COUNT(*) FROM %s", what);
}

static void subscribe_all(void)
{
    char card[MR_TROUBLE_CARD];

    for (int n = 0; n < SUBSCRIPTIONS; n++) {
        bool refused = mr_trouble_roll(&trouble, REFUSED_OF) == 0;

        mr_trouble_card(&trouble, card);
        n_refused += refused;
        mr_mariadb_do(&shop.db,
                      "INSERT INTO billing_subscriptions (id, customer, currency, source, "
                      "period_unit, anchor, period_end) VALUES ('s-%d', 'ann', 'EUR', '%s', "
                      "'month', CURDATE() - INTERVAL 1 MONTH, CURDATE() - INTERVAL 1 MONTH)",
                      n, refused ? "pm_card_declined" : card);
        mr_mariadb_do(&shop.db,
                      "INSERT INTO billing_subscription_items (subscription, line_no, text, "
                      "unit_minor) VALUES ('s-%d', 1, 'flour', %d)",
                      n, 1000 + n);
    }
}

/* As a cron would, in pages and much too often. */
static void push_due(void)
{
    mr_shop_push(&shop, "{\"job\":\"billing.renew\",\"data\":{\"due\":true,\"limit\":%u}}",
                 20 + mr_trouble_roll(&trouble, 200));
}

/* Of charges that are not given back yet; the name is the charge's, so a second one is the same. */
static void push_refunds(void)
{
    char card[MR_TROUBLE_CARD], query[200];

    snprintf(query, sizeof(query),
             "SELECT c.uuid FROM billing_charges c LEFT JOIN billing_refunds r ON r.charge = "
             "c.uuid WHERE c.state = 'ok' AND r.uuid IS NULL LIMIT %u",
             mr_trouble_roll(&trouble, AT_ONCE));
    ck_assert_int_eq(mysql_query(shop.db.sync, query), 0);
    MYSQL_RES *result = mysql_store_result(shop.db.sync);
    for (MYSQL_ROW row; (row = mysql_fetch_row(result));) {
        mr_trouble_card(&trouble, card); /* for its fault */
        mr_shop_push(&shop,
                     "{\"uuid\":\"back-%s\",\"job\":\"billing.refund\",\"data\":{"
                     "\"charge\":\"%s\",\"reason\":\"%s\"}}",
                     row[0], row[0], card);
    }
    mysql_free_result(result);
}

static unsigned n_done(void)
{
    return (unsigned)count(TABLE " WHERE state IN ('paid', 'dunned')");
}

static void something_happens(void)
{
    unsigned done = n_done();

    if (mr_trouble_roll(&trouble, 10) == 0)
        push_due();
    if (count("billing_refunds") < REFUNDS)
        push_refunds();
    if (mr_trouble_is_due(trouble.worker_kills, WORKER_KILLS, done, PERIODS))
        mr_trouble_kill_a_worker(&trouble);
    if (mr_trouble_is_due(trouble.database_kills + 1, DATABASE_KILLS + 1, done, PERIODS))
        mr_trouble_kill_the_database(&trouble);
}

static bool is_going_on(void)
{
    return n_done() < PERIODS || count("billing_refunds") < REFUNDS ||
           trouble.worker_kills < WORKER_KILLS || trouble.database_kills < DATABASE_KILLS;
}

/* Nothing is left to do but the dunning of other days. */
static bool is_quiet(void)
{
    redisReply *soon =
        mr_redis_ask(&shop.mill.redis, "ZCOUNT " MR_MILL_PREFIX "queues:main:delayed -inf %llu",
                     (unsigned long long)mr_clock_wall_ms() / 1000 + 86400);
    bool quiet = soon->integer == 0 && mr_mill_ready(&shop.mill, "main") == 0 &&
                 mr_mill_leases(&shop.mill, "main") == 0;

    freeReplyObject(soon);
    return quiet;
}

/* ---- what became of it ---- */

static void check_periods(void)
{
    ck_assert_int_eq(count(TABLE), PERIODS);
    ck_assert_int_eq(count(TABLE " a JOIN " TABLE " b ON b.subscription = a.subscription AND "
                                 "b.period_start = a.period_end"),
                     SUBSCRIPTIONS);
    ck_assert_int_eq(count("billing_subscriptions s JOIN " TABLE " p ON p.subscription = s.id "
                           "AND p.period_end = s.period_end WHERE s.period_end > CURDATE()"),
                     SUBSCRIPTIONS);
    ck_assert_int_eq(count("billing_subscriptions WHERE state = 'past_due'"), n_refused);
    ck_assert_int_eq(count("billing_subscriptions WHERE state = 'active'"),
                     SUBSCRIPTIONS - n_refused);
    ck_assert_int_eq(count(TABLE " WHERE state = 'dunned' AND step = 1"),
                     n_refused * PERIODS_EACH);
}

static void check_invoices(void)
{
    ck_assert_int_eq(count("billing_invoices"), PERIODS);
    ck_assert_int_eq(count("billing_invoices WHERE pdf_at IS NULL"), 0);
    ck_assert_int_eq(count("billing_invoices i JOIN " TABLE " p ON p.invoice = i.uuid"),
                     PERIODS);
}

static void check_charges(void)
{
    unsigned n_paid = PERIODS - n_refused * PERIODS_EACH;

    ck_assert_uint_eq(mr_trouble_check_effects(&shop, "charge"), n_paid);
    ck_assert_int_eq(count("billing_charges"), PERIODS);
    ck_assert_int_eq(count("billing_charges WHERE state = 'ok'"), n_paid);
    ck_assert_int_eq(count("billing_charges WHERE state = 'refused'"),
                     n_refused * PERIODS_EACH);
}

static void check_refunds(void)
{
    long long n = count("billing_refunds");

    ck_assert_int_ge(n, REFUNDS);
    ck_assert_int_eq(count("billing_refunds WHERE state = 'ok'"), n);
    ck_assert_uint_eq(mr_trouble_check_effects(&shop, "refund"), n);
    ck_assert_int_eq(count("billing_refunds r JOIN billing_charges c ON c.uuid = r.charge "
                           "WHERE r.amount_minor = c.amount_minor"),
                     n);
    ck_assert_int_eq(count("millrace_inbox"),
                     PERIODS + count("billing_charges WHERE state = 'ok'") + n);
}

START_TEST(every_period_is_invoiced_and_charged_exactly_once)
{
    uint64_t from_ms = mr_clock_ms();

    mr_trouble_begin(&trouble, &shop);
    mr_shop_start(&shop, pools, "timeout: 1s", NULL);
    subscribe_all();
    mr_mill_dispatch(&shop.mill, 0, 3);
    push_due();
    while (is_going_on()) {
        something_happens();
        for (unsigned n = mr_trouble_roll(&trouble, 20); n > 0; n--)
            mr_wait_a_moment();
    }
    mr_wait_for(is_quiet(), HEALING_MS);
    printf("# %d periods, %u subscriptions refused, %u workers and %u databases killed, %d s\n",
           PERIODS, n_refused, trouble.worker_kills, trouble.database_kills,
           (int)((mr_clock_ms() - from_ms) / 1000));
    ck_assert_int_eq(mr_mill_dead(&shop.mill, "main"), 0);
    check_periods();
    check_invoices();
    check_charges();
    check_refunds();
    mr_shop_audit(&shop);
    mr_shop_stop(&shop);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {every_period_is_invoiced_and_charged_exactly_once, 0},
    };

    return mr_suite_run_slow("renew_chaos", tests, 280);
}
