/* Subscriptions against a real MariaDB, payment provider and mail server: each period once, each refusal with its consequences. */
#include "proto/base/str.h"
#include "tests/support/shop.h"
#include "tests/support/sink.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define POOLS                                                                                  \
    "pools: { main: { queues: [main, mails], concurrency: 20, tries: 20, backoff: "            \
    "20ms..100ms } }"
#define TODAY "CURDATE()"
#define PERIODS "billing_subscription_periods"

enum { SOON_MS = MR_SHOP_SOON_MS };

static struct mr_shop shop;
static struct mr_peer sink;

/* More members of the section billing. */
static void configure(const char *members)
{
    static char rest[sizeof(shop.yaml)];
    char *at = strstr(shop.yaml, "billing: { ") + strlen("billing: { ");
    size_t room = sizeof(shop.yaml) - (size_t)(at - shop.yaml);

    snprintf(rest, sizeof(rest), "%s", at);
    ck_assert_uint_lt((size_t)snprintf(at, room, "%s, %s", members, rest), room);
}

static void write_template(const char *dir, const char *name, const char *text)
{
    char path[200];

    snprintf(path, sizeof(path), "%s/%s.mustache", dir, name);
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
}

static void configure_mails(void)
{
    size_t len = strlen(shop.yaml);
    char dir[120];

    snprintf(dir, sizeof(dir), "%s/templates", shop.mill.redis.dir);
    ck_assert_int_eq(mkdir(dir, 0700), 0);
    write_template(dir, "renewed.subject", "{{number}} for {{subscription}}");
    write_template(dir, "renewed.text",
                   "{{customer.name}}: {{total}}, {{period_start}} to {{period_end}}");
    write_template(dir, "refused.subject", "{{invoice}} was not paid");
    write_template(dir, "refused.text",
                   "{{name}}: {{amount}} for {{subscription}} ({{period_start}} to "
                   "{{period_end}}), charge {{charge}}; the next on {{next_on}}");
    write_template(dir, "suspended.subject", "{{subscription}} is suspended");
    write_template(dir, "suspended.text", "{{name}}: {{invoice}}, {{amount}}");
    mr_sink_start(&sink, shop.mill.redis.dir, NULL);
    snprintf(shop.yaml + len, sizeof(shop.yaml) - len,
             "email: { url: \"smtp://127.0.0.1:%d\", tls: off, from: \"shop@example.org\" }\n"
             "templates: { dir: \"%s\" }\n",
             sink.port, dir);
    configure("dunning: [3, 7], dunning_mail: refused, suspended_mail: suspended");
}

static void start_with(const char *members, const char *const *peer_args)
{
    mr_shop_start(&shop, POOLS, "timeout: 10s", peer_args);
    if (*members)
        configure(members);
    mr_mill_dispatch(&shop.mill, 0, 1);
}

static void stop(void)
{
    mr_shop_close(&shop);
}

/* A monthly subscription of ann, 10.00 EUR without tax; days are SQL. */
static void subscribe(const char *id, const char *anchor, const char *period_end,
                      const char *source)
{
    mr_mariadb_do(&shop.db,
                  "INSERT INTO billing_subscriptions (id, customer, currency, source, "
                  "period_unit, anchor, period_end) VALUES ('%s', 'ann', 'EUR', %s%s%s, "
                  "'month', %s, %s)",
                  id, source ? "'" : "", source ? source : "NULL", source ? "'" : "", anchor,
                  period_end);
    mr_mariadb_do(&shop.db,
                  "INSERT INTO billing_subscription_items (subscription, line_no, text, "
                  "unit_minor) VALUES ('%s', 1, 'Flour, monthly', 1000)",
                  id);
}

static void push_due(void)
{
    mr_shop_push(&shop, "%s", "{\"job\":\"billing.renew\",\"data\":{\"due\":true}}");
}

static void push_renew(const char *id)
{
    mr_shop_push(&shop, "{\"job\":\"billing.renew\",\"data\":{\"subscription\":\"%s\"}}", id);
}

static void push_dun(const char *id, unsigned step)
{
    char *start = mr_mariadb_text(
        &shop.db, "SELECT MIN(period_start) FROM " PERIODS " WHERE subscription = '%s'", id);

    mr_shop_push(&shop,
                 "{\"job\":\"billing.dun\",\"data\":{\"subscription\":\"%s\",\"period\":"
                 "\"%s\",\"step\":%u}}",
                 id, start, step);
    free(start);
}

static void expect_text(const char *want, const char *sql)
{
    mr_mariadb_expect(&shop.db, want, sql);
}

static bool is_text(const char *want, const char *sql)
{
    char *text = mr_mariadb_text(&shop.db, "%s", sql);
    bool is = text && strcmp(text, want) == 0;

    free(text);
    return is;
}

static long long count(const char *what)
{
    return mr_shop_count(&shop, what);
}

static void await_state(const char *state)
{
    mr_wait_for(is_text(state, "SELECT state FROM billing_subscriptions"), SOON_MS);
}

static bool nothing_runs(void)
{
    return mr_mill_ready(&shop.mill, "main") == 0 && mr_mill_leases(&shop.mill, "main") == 0 &&
           mr_mill_ready(&shop.mill, "mails") == 0 && mr_mill_leases(&shop.mill, "mails") == 0;
}

/* ---- renewing ---- */

START_TEST(what_is_due_is_invoiced_charged_and_moved_on)
{
    start_with("", NULL);
    subscribe("flour", TODAY, TODAY, "pm_ok");
    push_due();
    mr_shop_await_done(&shop, SOON_MS);
    expect_text("active 1 1",
                "SELECT CONCAT_WS(' ', state, period_start = CURDATE(), period_end = "
                "next_action_at AND period_end > CURDATE()) FROM billing_subscriptions");
    expect_text("1 paid 0", "SELECT CONCAT_WS(' ', invoice = CONCAT('renew-flour-', "
                            "DATE_FORMAT(CURDATE(), '%Y%m%d')), state, step) FROM " PERIODS
                            " WHERE next_action_at IS NULL");
    expect_text("1000 INV 1", "SELECT CONCAT_WS(' ', total_minor, series, number) FROM "
                              "billing_invoices WHERE pdf_at IS NOT NULL");
    ck_assert_int_eq(count("billing_invoice_lines WHERE text = CONCAT('Flour, monthly (', "
                           "CURDATE(), ' \xe2\x80\x93 ', (SELECT period_end - INTERVAL 1 DAY "
                           "FROM billing_subscriptions), ')')"),
                     1);
    ck_assert_int_eq(
        count("billing_charges WHERE state = 'ok' AND amount_minor = 1000 AND uuid "
              "= CONCAT('dun-flour-', DATE_FORMAT(CURDATE(), '%Y%m%d'), '-0')"),
        1);
    ck_assert_uint_eq(mr_peer_effects(&shop.peer, "charge", NULL), 1);
    stop();
}
END_TEST

START_TEST(the_same_period_again_is_invoiced_once)
{
    char *today;

    start_with("", NULL);
    subscribe("flour", TODAY, TODAY, "pm_ok");
    today = mr_mariadb_text(&shop.db, "SELECT CURDATE()");
    for (int n = 0; n < 3; n++) {
        push_due();
        push_renew("flour");
        mr_shop_push(&shop,
                     "{\"job\":\"billing.renew\",\"data\":{\"subscription\":\"flour\","
                     "\"period\":\"%s\"}}",
                     today);
        mr_shop_await_done(&shop, SOON_MS);
        push_dun("flour", 0);
        mr_shop_await_done(&shop, SOON_MS);
    }
    ck_assert_int_eq(count("billing_invoices"), 1);
    ck_assert_int_eq(count("billing_charges"), 1);
    ck_assert_int_eq(count("millrace_inbox"), 2);
    ck_assert_uint_eq(mr_peer_effects(&shop.peer, "charge", NULL), 1);
    free(today);
    stop();
}
END_TEST

START_TEST(missed_periods_are_invoiced_one_by_one)
{
    start_with("", NULL);
    subscribe("flour", TODAY " - INTERVAL 3 MONTH", TODAY " - INTERVAL 3 MONTH", "pm_ok");
    push_renew("flour");
    mr_shop_await_done(&shop, SOON_MS);
    ck_assert_int_eq(count("billing_invoices"), 4);
    ck_assert_int_eq(count(PERIODS " WHERE state = 'paid'"), 4);
    ck_assert_int_eq(count(PERIODS " a JOIN " PERIODS " b ON a.period_end = b.period_start"),
                     3);
    ck_assert_uint_eq(mr_peer_effects(&shop.peer, "charge", NULL), 4);
    stop();
}
END_TEST

START_TEST(missed_periods_can_be_skipped)
{
    start_with("catch_up: skip", NULL);
    subscribe("flour", TODAY " - INTERVAL 3 MONTH - INTERVAL 5 DAY",
              TODAY " - INTERVAL 3 MONTH - INTERVAL 5 DAY", "pm_ok");
    push_renew("flour");
    mr_shop_await_done(&shop, SOON_MS);
    ck_assert_int_eq(
        count(PERIODS " WHERE CURDATE() BETWEEN period_start AND period_end - INTERVAL 1 DAY"),
        1);
    ck_assert_int_eq(count("billing_invoices"), 1);
    stop();
}
END_TEST

START_TEST(a_trial_is_invoiced_when_it_is_over_and_not_before)
{
    start_with("", NULL);
    subscribe("flour", TODAY " + INTERVAL 1 DAY", TODAY " + INTERVAL 1 DAY", "pm_ok");
    push_due();
    mr_shop_await_done(&shop, SOON_MS);
    expect_text("trialing 1", "SELECT CONCAT_WS(' ', state, next_action_at = period_end) FROM "
                              "billing_subscriptions");
    ck_assert_int_eq(count("billing_invoices"), 0);
    stop();
}
END_TEST

START_TEST(what_was_cancelled_ends_instead)
{
    start_with("", NULL);
    subscribe("flour", TODAY " - INTERVAL 1 MONTH", TODAY, "pm_ok");
    mr_mariadb_do(&shop.db, "UPDATE billing_subscriptions SET cancel_at_period_end = TRUE");
    push_due();
    mr_shop_await_done(&shop, SOON_MS);
    expect_text("ended 1", "SELECT CONCAT_WS(' ', state, next_action_at IS NULL) FROM "
                           "billing_subscriptions");
    push_renew("flour");
    mr_shop_await_done(&shop, SOON_MS);
    ck_assert_int_eq(count("billing_invoices"), 0);
    stop();
}
END_TEST

START_TEST(without_a_source_it_is_invoiced_and_not_charged)
{
    start_with("", NULL);
    subscribe("flour", TODAY, TODAY, NULL);
    push_due();
    mr_shop_await_done(&shop, SOON_MS);
    expect_text("billed 1", "SELECT CONCAT_WS(' ', state, next_action_at IS NULL) FROM "
                            "" PERIODS);
    ck_assert_uint_eq(mr_peer_count(&shop.peer, NULL), 0);
    stop();
}
END_TEST

START_TEST(what_costs_nothing_is_paid)
{
    start_with("", NULL);
    subscribe("flour", TODAY, TODAY, "pm_ok");
    mr_mariadb_do(&shop.db, "UPDATE billing_subscription_items SET unit_minor = 0");
    push_due();
    mr_shop_await_done(&shop, SOON_MS);
    expect_text("paid", "SELECT state FROM " PERIODS);
    ck_assert_uint_eq(mr_peer_count(&shop.peer, NULL), 0);
    stop();
}
END_TEST

START_TEST(many_are_found_page_by_page)
{
    enum { SUBSCRIPTIONS = 25 };
    char id[20];

    start_with("", NULL);
    for (int n = 0; n < SUBSCRIPTIONS; n++) {
        snprintf(id, sizeof(id), "s-%02d", n);
        subscribe(id, TODAY, TODAY, NULL);
    }
    mr_shop_push(&shop, "%s",
                 "{\"job\":\"billing.renew\",\"data\":{\"due\":true,\"limit\":1}}");
    mr_shop_await_done(&shop, SOON_MS);
    ck_assert_int_eq(count("billing_invoices"), SUBSCRIPTIONS);
    stop();
}
END_TEST

/* ---- dunning ---- */

/* By SQL, since the delayed job waits for days. */
START_TEST(a_refused_charge_is_tried_again_on_the_days_of_dunning)
{
    start_with("", NULL);
    subscribe("flour", TODAY, TODAY, "pm_card_declined");
    push_due();
    await_state("past_due");
    mr_wait_for(mr_mill_delayed(&shop.mill, "main") == 1 && nothing_runs(), SOON_MS);
    expect_text("dunned 1 3", "SELECT CONCAT_WS(' ', state, step, TIMESTAMPDIFF(DAY, "
                              "first_refused_at, next_action_at)) FROM " PERIODS);
    for (unsigned step = 1; step <= 3; step++) {
        push_dun("flour", step);
        mr_wait_for(mr_peer_count(&shop.peer, "charge") == step + 1 && nothing_runs(), SOON_MS);
    }
    await_state("suspended");
    expect_text("unpaid 3 1", "SELECT CONCAT_WS(' ', state, step, next_action_at IS NULL) FROM "
                              "" PERIODS);
    ck_assert_int_eq(count("billing_charges WHERE state = 'refused'"), 4);
    ck_assert_int_eq(count("billing_invoices"), 1);
    ck_assert_int_eq(mr_mill_dead(&shop.mill, "main"), 0);
    stop();
}
END_TEST

START_TEST(each_refusal_is_told_by_mail_once)
{
    mr_shop_start(&shop, POOLS, "timeout: 10s", NULL);
    configure_mails();
    mr_mill_dispatch(&shop.mill, 0, 1);
    subscribe("flour", TODAY, TODAY, "pm_card_declined");
    push_due();
    mr_wait_for(mr_sink_count(&sink) == 1 && nothing_runs(), SOON_MS);
    push_dun("flour", 1);
    mr_wait_for(mr_sink_count(&sink) == 2 && nothing_runs(), SOON_MS);
    push_dun("flour", 2);
    mr_wait_for(mr_sink_count(&sink) == 3 && nothing_runs(), SOON_MS);
    json_t *mails = mr_peer_lines(&sink);
    char *all = json_dumps(mails, 0);
    char *next = mr_mariadb_text(&shop.db, "SELECT CONCAT('the next on ', CURDATE() + INTERVAL "
                                           "7 DAY)");
    const char *const words[] = {"INV-000001 was not paid", "10.00 EUR for flour", "charge 1",
                                 "flour is suspended", next};

    for (size_t i = 0; i < MR_COUNT(words); i++)
        ck_assert_msg(strstr(all, words[i]) != NULL, "no \"%s\" in %s", words[i], all);
    free(all);
    free(next);
    json_decref(mails);
    stop();
    mr_peer_stop(&sink);
}
END_TEST

/* Of the three jobs one issues it, and none of the others tells. */
START_TEST(the_invoice_of_a_period_is_mailed_once)
{
    char *today;

    mr_shop_start(&shop, POOLS, "timeout: 10s", NULL);
    configure_mails();
    configure("renewal_mail: renewed");
    mr_mill_dispatch(&shop.mill, 0, 1);
    subscribe("flour", TODAY, TODAY, "pm_ok");
    today = mr_mariadb_text(&shop.db, "SELECT CURDATE()");
    mr_mill_pause(&shop.mill, "main");
    for (int n = 0; n < 3; n++)
        mr_shop_push(&shop,
                     "{\"uuid\":\"r-%d\",\"job\":\"billing.renew\",\"data\":{"
                     "\"subscription\":\"flour\",\"period\":\"%s\"}}",
                     n, today);
    mr_mill_resume(&shop.mill, "main");
    mr_wait_for(mr_sink_count(&sink) >= 1 && nothing_runs(), SOON_MS);
    ck_assert_uint_eq(mr_sink_count(&sink), 1);
    json_t *mails = mr_peer_lines(&sink);
    char *mail = json_dumps(mails, 0);
    const char *const words[] = {"INV-000001 for flour", "10.00 EUR", today, "INV-000001.pdf",
                                 "renew-flour-"};

    for (size_t i = 0; i < MR_COUNT(words); i++)
        ck_assert_msg(strstr(mail, words[i]) != NULL, "no \"%s\" in %s", words[i], mail);
    free(mail);
    free(today);
    json_decref(mails);
    stop();
    mr_peer_stop(&sink);
}
END_TEST

START_TEST(who_has_no_address_is_renewed_without_a_mail)
{
    mr_shop_start(&shop, POOLS, "timeout: 10s", NULL);
    configure_mails();
    configure("renewal_mail: renewed");
    mr_mill_dispatch(&shop.mill, 0, 1);
    mr_mariadb_do(&shop.db, "UPDATE billing_customers SET email = NULL");
    subscribe("flour", TODAY, TODAY, "pm_ok");
    push_due();
    mr_shop_await_done(&shop, SOON_MS);
    expect_text("paid", "SELECT state FROM " PERIODS);
    ck_assert(mr_proc_said(&shop.mill.dispatchers[0], "invoice.no_address"));
    ck_assert_uint_eq(mr_sink_count(&sink), 0);
    stop();
    mr_peer_stop(&sink);
}
END_TEST

/* A cron that runs while nobody serves the queue pushes a job each time. */
START_TEST(a_step_that_was_pushed_often_is_told_once)
{
    mr_shop_start(&shop, POOLS, "timeout: 10s", NULL);
    configure_mails();
    mr_mill_dispatch(&shop.mill, 0, 1);
    subscribe("flour", TODAY, TODAY, "pm_card_declined");
    push_due();
    mr_wait_for(mr_sink_count(&sink) == 1 && nothing_runs(), SOON_MS);
    for (int n = 0; n < 3; n++)
        push_dun("flour", 0);
    mr_wait_for(nothing_runs(), SOON_MS);
    ck_assert_uint_eq(mr_sink_count(&sink), 1);
    stop();
    mr_peer_stop(&sink);
}
END_TEST

START_TEST(a_new_card_is_asked_at_the_next_step)
{
    start_with("", NULL);
    subscribe("flour", TODAY, TODAY, "pm_card_declined");
    push_due();
    await_state("past_due");
    mr_mariadb_do(&shop.db, "UPDATE billing_subscriptions SET source = 'pm_new'");
    push_dun("flour", 1);
    await_state("active");
    expect_text("paid", "SELECT state FROM " PERIODS);
    mr_wait_for(nothing_runs(), SOON_MS);
    push_dun("flour", 0); /* over: it asks nobody */
    mr_wait_for(nothing_runs(), SOON_MS);
    ck_assert_uint_eq(mr_peer_count(&shop.peer, "charge"), 2);
    ck_assert_uint_eq(mr_peer_effects(&shop.peer, "charge", NULL), 1);
    stop();
}
END_TEST

/* The provider wants to hear the same under the same key, so the card of a step stays. */
START_TEST(an_unknown_charge_is_asked_for_again_as_it_was)
{
    start_with("", NULL);
    subscribe("flour", TODAY, TODAY, "pm_ok fault=fail-after-effect:1,fail:3");
    push_due();
    mr_wait_for(mr_peer_count(&shop.peer, "charge") >= 1, SOON_MS);
    mr_mariadb_do(&shop.db, "UPDATE billing_subscriptions SET source = 'pm_new'");
    mr_shop_await_done(&shop, SOON_MS);
    expect_text("paid 0", "SELECT CONCAT_WS(' ', state, step) FROM " PERIODS);
    ck_assert_int_eq(count("billing_charges"), 1);
    ck_assert_uint_eq(mr_peer_effects(&shop.peer, "charge", NULL), 1);
    stop();
}
END_TEST

START_TEST(who_pays_in_another_way_is_not_suspended_any_more)
{
    start_with("dunning: []", NULL);
    subscribe("flour", TODAY " - INTERVAL 1 MONTH", TODAY " - INTERVAL 1 MONTH",
              "pm_card_declined");
    push_renew("flour");
    await_state("suspended");
    mr_shop_await_done(&shop, SOON_MS);
    push_renew("flour");
    mr_shop_await_done(&shop, SOON_MS);
    await_state("suspended");
    long long open = count(PERIODS " WHERE state = 'unpaid'");
    mr_mariadb_do(&shop.db, "UPDATE billing_subscriptions SET source = 'pm_new'");
    for (long long n = 1; n <= open; n++) {
        char uuid[32], invoice[32];

        snprintf(uuid, sizeof(uuid), "pay-%lld", n);
        snprintf(invoice, sizeof(invoice), "INV-%lld", n);
        mr_shop_push_charge(&shop, uuid, invoice, 1000, "pm_new");
    }
    mr_shop_await_done(&shop, SOON_MS);
    push_renew("flour");
    mr_shop_await_done(&shop, SOON_MS);
    await_state("active");
    ck_assert_int_eq(count(PERIODS " WHERE state = 'paid'"), 2);
    stop();
}
END_TEST

/* Redis was emptied: the database remembers. */
START_TEST(a_lost_step_is_found_again)
{
    start_with("", NULL);
    subscribe("flour", TODAY, TODAY, "pm_card_declined");
    push_due();
    mr_wait_for(mr_mill_delayed(&shop.mill, "main") == 1 && nothing_runs(), SOON_MS);
    mr_redis_do(&shop.mill.redis, "DEL " MR_MILL_PREFIX "queues:main:delayed");
    mr_mariadb_do(&shop.db, "UPDATE " PERIODS " SET next_action_at = '2026-01-01'");
    push_due();
    mr_wait_for(is_text("dunned 2", "SELECT CONCAT_WS(' ', state, step) FROM " PERIODS),
                SOON_MS);
    stop();
}
END_TEST

/* ---- what is wrong ---- */

static const struct {
    const char *job, *data, *reason;
} wrong[] = {
    {"renew", "{}",                                                                 "data.subscription is missing"        },
    {"renew", "{\"subscription\":\"a b\"}",                                         "data.subscription must be 1 to 40"   },
    {"renew", "{\"subscription\":\"rye\"}",                                         "there is no such subscription"       },
    {"renew", "{\"subscription\":\"rye\",\"period\":\"2026-01-01\"}",
     "there is no such subscription"                                                                                      },
    {"renew", "{\"subscription\":\"flour\",\"period\":\"2026-02-30\"}",
     "data.period must be the day"                                                                                        },
    {"renew", "{\"due\":false}",                                                    "data.due must be true, not a boolean"},
    {"renew", "{\"due\":true,\"limit\":1000}",                                      "data.limit must be a whole number"   },
    {"renew", "{\"due\":true,\"subscription\":\"flour\"}",                          "it is all that are due, or one"      },
    {"dun",   "{\"subscription\":\"flour\",\"period\":\"2026-01-01\",\"step\":0}",
     "no such period was invoiced"                                                                                        },
    {"dun",   "{\"subscription\":\"flour\",\"period\":\"2026-01-01\",\"step\":21}",
     "data.step must be a whole number"                                                                                   },
    {"dun",   "{\"subscription\":\"flour\",\"step\":0}",                            "data.period must be the day"         },
};

START_TEST(what_can_never_be_done_is_dead_with_the_reason)
{
    start_with("", NULL);
    subscribe("flour", TODAY, TODAY, "pm_ok");
    for (size_t i = 0; i < MR_COUNT(wrong); i++) {
        mr_shop_push(&shop, "{\"job\":\"billing.%s\",\"data\":%s}", wrong[i].job,
                     wrong[i].data);
        mr_shop_await_letter(&shop, "failed", wrong[i].reason);
    }
    mr_mariadb_do(&shop.db, "UPDATE billing_subscription_items SET tax_bp = 10001");
    push_due();
    mr_shop_await_letter(&shop, "failed",
                         "subscription flour and its items make no invoice: "
                         "data.lines[0].tax_bp must be");
    ck_assert_int_eq(count("billing_invoices"), 0);
    stop();
}
END_TEST

START_TEST(a_template_that_is_not_there_is_said_before_anybody_is_charged)
{
    mr_shop_start(&shop, POOLS, "timeout: 10s", NULL);
    configure_mails();
    char *name = strstr(shop.yaml, "suspended_mail: suspended");
    memcpy(name, "suspended_mail: not_there", strlen("suspended_mail: not_there"));
    mr_mill_dispatch(&shop.mill, 0, 1);
    subscribe("flour", TODAY, TODAY, "pm_ok");
    push_due();
    mr_wait_for(mr_proc_said(&shop.mill.dispatchers[0],
                             "billing.suspended_mail is \\\"not_there\\\", but there is no"),
                SOON_MS);
    ck_assert_uint_eq(mr_peer_count(&shop.peer, NULL), 0);
    stop();
    mr_peer_stop(&sink);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {what_is_due_is_invoiced_charged_and_moved_on,                   0},
        {the_same_period_again_is_invoiced_once,                         0},
        {missed_periods_are_invoiced_one_by_one,                         0},
        {missed_periods_can_be_skipped,                                  0},
        {a_trial_is_invoiced_when_it_is_over_and_not_before,             0},
        {what_was_cancelled_ends_instead,                                0},
        {without_a_source_it_is_invoiced_and_not_charged,                0},
        {what_costs_nothing_is_paid,                                     0},
        {many_are_found_page_by_page,                                    0},
        {a_refused_charge_is_tried_again_on_the_days_of_dunning,         0},
        {each_refusal_is_told_by_mail_once,                              0},
        {the_invoice_of_a_period_is_mailed_once,                         0},
        {who_has_no_address_is_renewed_without_a_mail,                   0},
        {a_step_that_was_pushed_often_is_told_once,                      0},
        {a_new_card_is_asked_at_the_next_step,                           0},
        {an_unknown_charge_is_asked_for_again_as_it_was,                 0},
        {who_pays_in_another_way_is_not_suspended_any_more,              0},
        {a_lost_step_is_found_again,                                     0},
        {what_can_never_be_done_is_dead_with_the_reason,                 0},
        {a_template_that_is_not_there_is_said_before_anybody_is_charged, 0},
    };

    return mr_suite_run_slow("renew", tests, 120);
}
