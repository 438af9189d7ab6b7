/* workerctl billing: the audit finds what is wrong with the books, whatever it is, and a person decides about held charges. */
#include "tests/support/shop.h"
#include "tests/support/suite.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POOLS                                                                                  \
    "pools: { main: { queues: [main], concurrency: 5, tries: 20, backoff: 20ms..100ms } }"

enum { SOON_MS = MR_SHOP_SOON_MS };

static struct mr_shop shop;
static struct mr_proc ctl;

#define RUN(...) mr_shop_ctl(&shop, &ctl, (const char *const[]){__VA_ARGS__, NULL})

static void says(const char *text)
{
    bool said = mr_proc_said(&ctl, text);

    if (!said)
        mr_proc_show(&ctl);
    ck_assert_msg(said, "it never said: %s", text);
}

static long long count(const char *what)
{
    return mr_shop_count(&shop, what);
}

/* Three invoices, two of them paid. */
static void start(void)
{
    mr_shop_start(&shop, POOLS, "timeout: 1s", NULL);
    mr_mill_dispatch(&shop.mill, 0, 1);
    for (unsigned n = 1; n <= 3; n++) {
        mr_shop_push_invoice(&shop, "INV", n, 100 * n);
        mr_shop_await_done(&shop, SOON_MS); /* one after the other: n is its number */
    }
    mr_shop_push_charge(&shop, "c-1", "INV-1", 100, "pm_card_visa");
    mr_shop_push_charge(&shop, "c-2", "INV-2", 150, "pm_card_visa");
    mr_shop_await_done(&shop, SOON_MS);
}

static void stop(void)
{
    mr_shop_stop(&shop);
}

/* ---- audit ---- */

START_TEST(books_in_order_have_no_findings)
{
    start();
    ck_assert_int_eq(RUN("billing", "audit"), 0);
    says("audited 3 invoices, 2 charges, 13 rows of the ledger: 0 findings");
    ck_assert_int_eq(RUN("-o", "json", "billing", "audit"), 0);
    says(
        "{\"items\":[],\"next\":null,\"audited\":{\"invoices\":3,\"charges\":2,\"ledger_rows\":"
        "13}}");
    stop();
}
END_TEST

/* What somebody does to the tables, what is found, and how it is put right again. */
/* clang-format off */
static const struct {
    const char *fault, *finding, *mend;
} faults[] = {
    {"UPDATE billing_ledger SET amount_minor = 99 WHERE uuid = 'c-1' AND account = 'cash'",
     "\"check\":\"ledger\",\"subject\":\"c-1\",\"finding\":\"its rows sum to -1 EUR, not to 0\"",
     "UPDATE billing_ledger SET amount_minor = 100 WHERE uuid = 'c-1' AND account = 'cash'"},
    {"INSERT INTO billing_ledger (uuid, account, currency, amount_minor) VALUES ('x', 'cash', 'USD', -5)",
     "\"check\":\"ledger\",\"subject\":\"USD\",\"finding\":\"all rows sum to -5, not to 0\"",
     "DELETE FROM billing_ledger WHERE uuid = 'x'"},
    {"DELETE FROM billing_ledger WHERE uuid = 'INV-job-3'",
     "\"check\":\"invoice\",\"subject\":\"INV-000003\",\"finding\":\"the ledger has 0 receivable, 0 revenue and 0 tax of it; it says 300, 300 and 0\"",
     "INSERT INTO billing_ledger (uuid, account, currency, amount_minor) VALUES ('INV-job-3', 'receivable:ann', 'EUR', 300), ('INV-job-3', 'revenue', 'EUR', -300)"},
    {"UPDATE billing_ledger SET account = 'receivable:bob' WHERE uuid = 'INV-job-2' AND account = 'receivable:ann'",
     "\"check\":\"invoice\",\"subject\":\"INV-000002\",\"finding\":\"the ledger has 0 receivable, 200 revenue",
     "UPDATE billing_ledger SET account = 'receivable:ann' WHERE uuid = 'INV-job-2' AND account = 'receivable:bob'"},
    {"DELETE FROM billing_invoice_lines WHERE invoice = 'INV-job-2'",
     "\"check\":\"lines\",\"subject\":\"INV-000002\",\"finding\":\"has 0 lines",
     "INSERT INTO billing_invoice_lines VALUES ('INV-job-2', 1, 'flour', 1, 200, 0, 200, 0)"},
    {"UPDATE billing_invoice_lines SET line_no = 2 WHERE invoice = 'INV-job-2'",
     "\"check\":\"lines\",\"subject\":\"INV-000002\",\"finding\":\"has 1 lines, the last is number 2\"",
     "UPDATE billing_invoice_lines SET line_no = 1 WHERE invoice = 'INV-job-2'"},
    {"UPDATE billing_invoice_lines SET quantity = 2, net_minor = 400 WHERE invoice = 'INV-job-2'",
     "\"check\":\"lines\",\"subject\":\"INV-000002\",\"finding\":\"its lines sum to 400 and 0 tax, the invoice says 200 and 0\"",
     "UPDATE billing_invoice_lines SET quantity = 1, net_minor = 200 WHERE invoice = 'INV-job-2'"},
    {"UPDATE billing_invoice_lines SET tax_minor = 1 WHERE invoice = 'INV-job-1'",
     "\"check\":\"lines\",\"subject\":\"INV-000001\",\"finding\":\"line 1: 1 times 100 at 0 bp tax are not 100 and 1\"",
     "UPDATE billing_invoice_lines SET tax_minor = 0 WHERE invoice = 'INV-job-1'"},
    {"UPDATE billing_invoices SET total_minor = 201 WHERE uuid = 'INV-job-2'",
     "\"check\":\"invoice\",\"subject\":\"INV-000002\",\"finding\":\"its total 201 is not 200 and 0 tax\"",
     "UPDATE billing_invoices SET total_minor = 200 WHERE uuid = 'INV-job-2'"},
    {"UPDATE billing_invoices SET number = 7 WHERE uuid = 'INV-job-2'",
     "\"check\":\"numbers\",\"subject\":\"INV\",\"finding\":\"number 2 is missing\"",
     "UPDATE billing_invoices SET number = 2 WHERE uuid = 'INV-job-2'"},
    {"UPDATE billing_invoices SET number = number + 10",
     "\"check\":\"numbers\",\"subject\":\"INV\",\"finding\":\"numbers 1 to 10 are missing\"",
     "UPDATE billing_invoices SET number = number - 10 ORDER BY number"},
    {"UPDATE billing_series SET last_number = 4 WHERE name = 'INV'",
     "\"check\":\"numbers\",\"subject\":\"INV\",\"finding\":\"billing_series says that 4 was the last number, the last invoice has 3\"",
     "UPDATE billing_series SET last_number = 3 WHERE name = 'INV'"},
    {"UPDATE billing_charges SET state = 'refused' WHERE uuid = 'c-1'",
     "\"check\":\"charge\",\"subject\":\"c-1\",\"finding\":\"the ledger has 100 EUR cash of it, but no charge of this uuid is ok\"",
     "UPDATE billing_charges SET state = 'ok' WHERE uuid = 'c-1'"},
    {"INSERT INTO billing_charges (uuid, invoice, amount_minor, currency, state) VALUES ('c-9', 'INV-job-3', 50, 'EUR', 'ok')",
     "\"check\":\"charge\",\"subject\":\"c-9\",\"finding\":\"is ok with 50 EUR, the ledger has 0 cash of it and 0 paid by ann\"",
     "DELETE FROM billing_charges WHERE uuid = 'c-9'"},
    {"INSERT INTO billing_charges (uuid, invoice, amount_minor, currency, state) VALUES ('c-9', 'INV-job-2', 51, 'EUR', 'ok')",
     "\"check\":\"charge\",\"subject\":\"INV-000002\",\"finding\":\"2 charges of 201 EUR are ok, and its total is 200\"",
     "DELETE FROM billing_charges WHERE uuid = 'c-9'"},
    {"INSERT INTO billing_charges (uuid, invoice, amount_minor, currency, state) VALUES ('c-9', 'INV-job-9', 50, 'EUR', 'refused')",
     "\"check\":\"charge\",\"subject\":\"c-9\",\"finding\":\"is for INV-job-9, and there is no such invoice\"",
     "DELETE FROM billing_charges WHERE uuid = 'c-9'"},
    {"INSERT INTO billing_refunds (uuid, charge, invoice, amount_minor, currency, reason, state) VALUES ('r-9', 'c-1', 'INV-job-1', 50, 'EUR', 'x', 'ok')",
     "\"check\":\"refund\",\"subject\":\"r-9\",\"finding\":\"is ok with 50 EUR, the ledger has 0 cash of it and 0 given back to ann\"",
     "DELETE FROM billing_refunds"},
    {"INSERT INTO billing_refunds (uuid, charge, invoice, amount_minor, currency, reason, state) VALUES ('r-9', 'c-1', 'INV-job-1', 101, 'EUR', 'x', 'ok')",
     "\"check\":\"refund\",\"subject\":\"c-1\",\"finding\":\"1 refunds of 101 EUR are ok, and the charge is ok with 100\"",
     "DELETE FROM billing_refunds"},
    {"INSERT INTO billing_ledger (uuid, account, currency, amount_minor) VALUES ('r-9', 'cash', 'EUR', -5), ('r-9', 'receivable:ann', 'EUR', 5)",
     "\"check\":\"refund\",\"subject\":\"r-9\",\"finding\":\"the ledger has -5 EUR cash of it, but no refund of this uuid is ok\"",
     "DELETE FROM billing_ledger WHERE uuid = 'r-9'"},
    {"INSERT INTO billing_credits (uuid, invoice, reason) VALUES ('INV-job-2', 'INV-job-1', 'x')",
     "\"check\":\"credit\",\"subject\":\"INV-job-2\",\"finding\":\"is no invoice below 0, and says that it credits INV-job-1\"",
     "DELETE FROM billing_credits WHERE uuid = 'INV-job-2'"},
    {"UPDATE billing_invoices SET customer = 'bob' WHERE uuid = 'n-1'",
     "\"check\":\"credit\",\"subject\":\"CN-000001\",\"finding\":\"is for bob in EUR, and credits INV-000003 for ann in EUR\"",
     "UPDATE billing_invoices SET customer = 'ann' WHERE uuid = 'n-1'"},
    {"UPDATE billing_invoices SET net_minor = -300, total_minor = -300 WHERE uuid = 'INV-job-3'",
     "\"check\":\"credit\",\"subject\":\"INV-000003\",\"finding\":\"is below 0, -300, and says nowhere what it credits\"",
     "UPDATE billing_invoices SET net_minor = 300, total_minor = 300 WHERE uuid = 'INV-job-3'"},
    {"INSERT INTO billing_refunds (uuid, charge, invoice, amount_minor, currency, reason, state) VALUES ('r-9', 'c-1', 'INV-job-1', 50, 'USD', 'x', 'refused')",
     "\"check\":\"refund\",\"subject\":\"r-9\",\"finding\":\"is in USD, its invoice INV-000001 in EUR\"",
     "DELETE FROM billing_refunds"},
    {"INSERT INTO billing_subscription_periods (subscription, period_start, period_end, invoice, state) VALUES ('s', '2026-01-01', '2026-02-01', 'gone', 'paid')",
     "\"check\":\"period\",\"subject\":\"s\",\"finding\":\"period 2026-01-01 was invoiced as gone, and there is no such invoice\"",
     "DELETE FROM billing_subscription_periods"},
    {"INSERT INTO billing_subscription_periods (subscription, period_start, period_end, invoice, state) VALUES "
     "('s', '2026-01-01', '2026-02-01', 'INV-job-1', 'paid'), ('s', '2026-01-31', '2026-02-28', 'INV-job-2', 'paid')",
     "\"check\":\"period\",\"subject\":\"s\",\"finding\":\"period 2026-01-01 to 2026-02-01 overlaps the one that begins on 2026-01-31\"",
     "DELETE FROM billing_subscription_periods"},
    {"UPDATE billing_ledger SET account = 'receivable:bob' WHERE uuid = 'c-1' AND account = 'receivable:ann'",
     "\"check\":\"charge\",\"subject\":\"c-1\",\"finding\":\"is ok with 100 EUR, the ledger has 100 cash of it and 0 paid by ann\"",
     "UPDATE billing_ledger SET account = 'receivable:ann' WHERE uuid = 'c-1' AND account = 'receivable:bob'"},
    {"INSERT INTO billing_ledger (uuid, account, currency, amount_minor) VALUES ('x', 'receivable:ann', 'EUR', 7), ('x', 'revenue', 'EUR', -7)",
     "\"check\":\"ledger\",\"subject\":\"x\",\"finding\":\"has 2 rows, and is no invoice, charge or refund\"",
     "DELETE FROM billing_ledger WHERE uuid = 'x'"},
    {"UPDATE billing_invoice_lines SET quantity = 10, unit_minor = 5, net_minor = 50, tax_bp = 1500, tax_minor = 7 WHERE invoice = 'INV-job-1'",
     "\"check\":\"lines\",\"subject\":\"INV-000001\",\"finding\":\"line 1: 10 times 5 at 1500 bp tax are not 50 and 7\"",
     "UPDATE billing_invoice_lines SET quantity = 1, unit_minor = 100, net_minor = 100, tax_bp = 0, tax_minor = 0 WHERE invoice = 'INV-job-1'"},
    {"UPDATE billing_charges SET currency = 'USD' WHERE uuid = 'c-1'",
     "\"check\":\"charge\",\"subject\":\"c-1\",\"finding\":\"is in USD, its invoice INV-000001 in EUR\"",
     "UPDATE billing_charges SET currency = 'EUR' WHERE uuid = 'c-1'"},
    {"INSERT INTO billing_subscription_periods (subscription, period_start, period_end, invoice, state) VALUES ('s', '2026-01-01', '2026-02-01', 'INV-job-2', 'paid')",
     "\"check\":\"period\",\"subject\":\"s\",\"finding\":\"period 2026-01-01 is paid, and of INV-000002, 200 EUR, only 150 were charged or credited\"",
     "DELETE FROM billing_subscription_periods"},
    {"INSERT INTO billing_subscription_periods (subscription, period_start, period_end, invoice, state) VALUES ('s', '2026-01-01', '2026-02-01', 'INV-job-1', 'paid')",
     "\"check\":\"period\",\"subject\":\"s\",\"finding\":\"its next period begins on 2026-01-01, and it is invoiced until 2026-02-01\"",
     "DELETE FROM billing_subscription_periods"},
    {"UPDATE millrace_inbox SET job = 'billing.renew' WHERE uuid = 'INV-job-2'",
     "\"check\":\"period\",\"subject\":\"INV-000002\",\"finding\":\"was issued by billing.renew, and is no period's\"",
     "UPDATE millrace_inbox SET job = 'billing.invoice' WHERE uuid = 'INV-job-2'"},
    {"UPDATE billing_invoices SET pdf_at = NULL, created_at = created_at - INTERVAL 2 HOUR WHERE uuid = 'INV-job-1'",
     "\"check\":\"paper\",\"subject\":\"INV-000001\",\"finding\":\"has no PDF, ",
     "UPDATE billing_invoices SET pdf_at = created_at WHERE uuid = 'INV-job-1'"},
};
/* clang-format on */

/* The server would refuse some of it: that is what root is for. */
START_TEST(each_fault_in_the_tables_is_found_and_gone_when_it_is_mended)
{
    start();
    mr_shop_push(&shop, "%s",
                 "{\"uuid\":\"n-1\",\"job\":\"billing.credit\",\"data\":{\"invoice\":"
                 "\"INV-3\",\"full\":true,\"reason\":\"x\"}}");
    mr_shop_await_done(&shop, SOON_MS);
    mr_mariadb_do(&shop.db, "SET check_constraint_checks = 0");
    mr_mariadb_do(&shop.db, "SET foreign_key_checks = 0");
    mr_mariadb_do(&shop.db, "DELETE FROM billing_ledger WHERE amount_minor = 0");
    mr_mariadb_do(&shop.db, "INSERT INTO billing_subscriptions (id, customer, currency, "
                            "period_unit, anchor, period_end, state) VALUES ('s', 'ann', "
                            "'EUR', 'month', '2026-01-01', '2026-01-01', 'active')");
    for (size_t i = 0; i < MR_COUNT(faults); i++) {
        mr_mariadb_do(&shop.db, "%s", faults[i].fault);
        ck_assert_int_eq(RUN("-o", "json", "billing", "audit"), 1);
        says(faults[i].finding);
        mr_mariadb_do(&shop.db, "%s", faults[i].mend);
        mr_shop_audit(&shop);
    }
    stop();
}
END_TEST

START_TEST(a_lost_paper_is_found_and_its_job_brings_it_back)
{
    char path[PATH_MAX];

    start();
    snprintf(path, sizeof(path), "%s/invoices/INV/000002.pdf", shop.files);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(RUN("billing", "audit"), 1);
    says("INV-000002");
    says("its PDF invoices/INV/000002.pdf is not in");
    says("push its job INV-job-2 again");
    mr_shop_push_invoice(&shop, "INV", 2, 200);
    mr_shop_await_done(&shop, SOON_MS);
    mr_shop_audit(&shop);
    stop();
}
END_TEST

START_TEST(a_flood_of_findings_is_cut_and_said_to_be)
{
    start();
    mr_mariadb_do(&shop.db,
                  "INSERT INTO billing_charges (uuid, invoice, amount_minor, currency, state) "
                  "SELECT CONCAT('x-', seq), 'nobody', 1, 'EUR', 'refused' FROM seq_1_to_150");
    ck_assert_int_eq(RUN("billing", "audit"), 1);
    says("and more of the same: mend these first");
    says("101 findings");
    stop();
}
END_TEST

/* ---- unknown and resolve ---- */

static void hold(const char *uuid, const char *state)
{
    mr_mariadb_do(&shop.db,
                  "INSERT INTO billing_charges (uuid, invoice, amount_minor, currency, state, "
                  "message, first_sent_at, updated_at) VALUES ('%s', 'INV-job-3', 100, 'EUR', "
                  "'%s', 'nobody answered', CURRENT_TIMESTAMP - INTERVAL 25 HOUR, "
                  "CURRENT_TIMESTAMP - INTERVAL 1 HOUR)",
                  uuid, state);
}

START_TEST(what_nobody_knows_is_listed_with_what_to_do)
{
    start();
    ck_assert_int_eq(RUN("billing", "unknown"), 0);
    says("nothing is unknown");
    hold("c-7", "held");
    hold("c-8", "unknown");
    hold("c-9", "sending");
    ck_assert_int_eq(RUN("billing", "unknown"), 0);
    says("workerctl billing resolve UUID ok|refused");
    says("its job finds out by itself; if it is dead: workerctl dead retry");
    ck_assert_int_eq(RUN("-o", "json", "billing", "unknown"), 0);
    says("{\"kind\":\"charge\",\"uuid\":\"c-7\",\"invoice\":\"INV-000003\",\"state\":\"held\","
         "\"amount_minor\":100,\"currency\":\"EUR\",\"provider_id\":null,\"age_s\":9");
    says("\"uuid\":\"c-8\"");
    says("\"uuid\":\"c-9\"");
    ck_assert(!mr_proc_said(&ctl, "\"uuid\":\"c-1\""));
    stop();
}
END_TEST

START_TEST(a_person_says_that_a_held_charge_was_made_and_it_is_in_the_books)
{
    start();
    hold("c-9", "held");
    ck_assert_int_eq(RUN("billing", "resolve", "c-9", "ok", "--id", "pi_'7"), 0);
    says("charge c-9 is ok and in the books, by ");
    mr_shop_audit(&shop);
    ck_assert_int_eq(count("billing_charges WHERE uuid = 'c-9' AND state = 'ok' AND "
                           "provider_id = 'pi_\\'7' AND message IS NULL"),
                     1);
    ck_assert_int_eq(count("billing_decisions WHERE uuid = 'c-9' AND decision = 'ok' AND "
                           "reason = 'nobody answered' AND decided_by LIKE '%@%'"),
                     1);
    ck_assert_int_eq(mr_mariadb_int(&shop.db, "SELECT SUM(amount_minor) FROM billing_ledger "
                                              "WHERE uuid = 'c-9' AND account = 'cash'"),
                     100);
    /* Its job comes to the same end, and asks nobody. */
    size_t asked = mr_peer_count(&shop.peer, NULL);
    mr_shop_push_charge(&shop, "c-9", "INV-3", 100, "pm_card_visa");
    mr_shop_await_done(&shop, SOON_MS);
    ck_assert_uint_eq(mr_peer_count(&shop.peer, NULL), asked);
    mr_shop_audit(&shop);
    stop();
}
END_TEST

START_TEST(a_person_says_that_a_held_charge_was_not_made_and_another_may_be)
{
    start();
    hold("c-9", "held");
    ck_assert_int_eq(RUN("billing", "resolve", "c-9", "refused"), 0);
    ck_assert_int_eq(count("billing_charges WHERE uuid = 'c-9' AND state = 'refused' AND "
                           "message LIKE 'decided by %@%; it had been held: nobody answered'"),
                     1);
    ck_assert_int_eq(count("billing_ledger WHERE uuid = 'c-9'"), 0);
    mr_shop_push_charge(&shop, "c-10", "INV-3", 300, "pm_card_visa");
    mr_shop_await_done(&shop, SOON_MS);
    mr_shop_audit(&shop);
    stop();
}
END_TEST

START_TEST(a_person_says_that_a_held_refund_was_made_and_it_is_in_the_books)
{
    start();
    mr_mariadb_do(&shop.db,
                  "INSERT INTO billing_refunds (uuid, charge, invoice, amount_minor, currency, "
                  "reason, state, message) VALUES ('r-9', 'c-1', 'INV-job-1', 40, 'EUR', 'x', "
                  "'held', 'nobody answered')");
    ck_assert_int_eq(RUN("-o", "json", "billing", "unknown"), 0);
    says("{\"kind\":\"refund\",\"uuid\":\"r-9\",\"invoice\":\"INV-000001\"");
    ck_assert_int_eq(RUN("billing", "resolve", "r-9", "ok", "--id", "re_7"), 0);
    says("refund r-9 is ok and in the books, by ");
    mr_shop_audit(&shop);
    ck_assert_int_eq(count("billing_decisions WHERE uuid = 'r-9' AND kind = 'refund'"), 1);
    ck_assert_int_eq(count("millrace_inbox WHERE uuid = 'r-9' AND job = 'billing.refund'"), 1);
    /* Its job comes to the same end, and asks nobody. */
    size_t asked = mr_peer_count(&shop.peer, NULL);
    mr_shop_push(&shop, "{\"uuid\":\"r-9\",\"job\":\"billing.refund\",\"data\":{\"charge\":"
                        "\"c-1\",\"amount_minor\":40,\"reason\":\"x\"}}");
    mr_shop_await_done(&shop, SOON_MS);
    ck_assert_uint_eq(mr_peer_count(&shop.peer, NULL), asked);
    mr_shop_audit(&shop);
    stop();
}
END_TEST

START_TEST(only_what_is_held_can_be_decided)
{
    start();
    hold("c-9", "unknown");
    ck_assert_int_eq(RUN("billing", "resolve", "c-1", "refused"), 1);
    says("charge c-1 is ok, and only what is held waits for a person");
    ck_assert_int_eq(RUN("billing", "resolve", "c-9", "ok"), 1);
    says("charge c-9 is unknown, and only what is held waits for a person: its job finds out");
    ck_assert_int_eq(RUN("billing", "resolve", "c-0", "ok"), 1);
    says("there is no charge c-0 in billing_charges");
    ck_assert_int_eq(RUN("billing", "resolve", "c-9", "maybe"), 64);
    says("a decision is ok or refused, not 'maybe'");
    ck_assert_int_eq(count("billing_decisions"), 0);
    mr_shop_audit(&shop);
    mr_mariadb_do(&shop.db,
                  "INSERT INTO millrace_inbox (uuid, job, result) VALUES ('c-9', 'x', '')");
    mr_mariadb_do(&shop.db, "UPDATE billing_charges SET state = 'held' WHERE uuid = 'c-9'");
    ck_assert_int_eq(RUN("billing", "resolve", "c-9", "ok"), 1);
    says("millrace_inbox has c-9 already");
    ck_assert_int_eq(count("billing_decisions"), 0);
    stop();
}
END_TEST

START_TEST(without_a_database_there_is_nothing_to_audit)
{
    start();
    mr_mariadb_kill(&shop.db);
    ck_assert_int_eq(RUN("billing", "audit"), 69);
    ck_assert_int_eq(RUN("billing", "unknown"), 69);
    ck_assert_int_eq(RUN("billing", "resolve", "c-1", "ok"), 69);
    ck_assert_int_eq(RUN("billing"), 64);
    says("workerctl billing audit");
    stop();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {books_in_order_have_no_findings,                                  0},
        {each_fault_in_the_tables_is_found_and_gone_when_it_is_mended,     0},
        {a_lost_paper_is_found_and_its_job_brings_it_back,                 0},
        {a_flood_of_findings_is_cut_and_said_to_be,                        0},
        {what_nobody_knows_is_listed_with_what_to_do,                      0},
        {a_person_says_that_a_held_charge_was_made_and_it_is_in_the_books, 0},
        {a_person_says_that_a_held_charge_was_not_made_and_another_may_be, 0},
        {a_person_says_that_a_held_refund_was_made_and_it_is_in_the_books, 0},
        {only_what_is_held_can_be_decided,                                 0},
        {without_a_database_there_is_nothing_to_audit,                     0},
    };

    return mr_suite_run_slow("books", tests, 120);
}
