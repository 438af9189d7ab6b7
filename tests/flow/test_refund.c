/* billing.refund and billing.credit against a real MariaDB and a real payment provider: never twice, never more than there is. */
#include "proto/base/str.h"
#include "tests/support/shop.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEDGER(uuid)                                                                           \
    "SELECT GROUP_CONCAT(account, ' ', amount_minor ORDER BY account SEPARATOR ', ') FROM "    \
    "billing_ledger WHERE uuid = '" uuid "'"

enum { SOON_MS = MR_SHOP_SOON_MS };

static struct mr_shop shop;

/* An invoice of 10.00 EUR, paid with this card by the charge c-1. */
static void start_paid(const char *source)
{
    mr_shop_open(&shop, "timeout: 1s", NULL);
    mr_shop_push_invoice(&shop, "INV", 1, 1000);
    mr_shop_await_done(&shop, SOON_MS);
    mr_shop_push_charge(&shop, "c-1", "INV-1", 1000, source);
    mr_shop_await_done(&shop, SOON_MS);
}

static void stop(void)
{
    mr_shop_close(&shop);
}

static long long count(const char *what)
{
    return mr_shop_count(&shop, what);
}

static void expect_text(const char *want, const char *sql)
{
    mr_mariadb_expect(&shop.db, want, sql);
}

/* members: of data, besides the reason. */
static void push_refund(const char *uuid, const char *members, const char *reason)
{
    mr_shop_push(&shop,
                 "{\"uuid\":\"%s\",\"job\":\"billing.refund\",\"data\":{%s,\"reason\":\"%s\"}}",
                 uuid, members, reason);
}

static void push_credit(const char *uuid, const char *members)
{
    mr_shop_push(&shop,
                 "{\"uuid\":\"%s\",\"job\":\"billing.credit\",\"data\":{\"invoice\":\"INV-1\","
                 "%s,\"reason\":\"damaged\"}}",
                 uuid, members);
}

#define CREDIT_OF(cents)                                                                       \
    "\"lines\":[{\"text\":\"flour\",\"quantity\":1,\"unit_minor\":" cents ",\"tax_bp\":0}]"

/* ---- refunds ---- */

static const char *const ways[] = {"\"charge\":\"c-1\"", "\"invoice\":\"INV-1\"",
                                   "\"invoice\":\"INV-job-1\",\"amount_minor\":1000"};

START_TEST(a_refund_gives_back_what_a_charge_took)
{
    json_t *requests, *form;

    start_paid("pm_ok");
    push_refund("r-1", ways[_i], "damaged");
    mr_shop_await_done(&shop, SOON_MS);
    expect_text("ok c-1 INV-job-1 1000 EUR damaged",
                "SELECT CONCAT_WS(' ', state, charge, invoice, amount_minor, currency, reason) "
                "FROM billing_refunds WHERE provider_id LIKE 're_%'");
    expect_text("cash -1000, receivable:ann 1000", LEDGER("r-1"));
    expect_text("billing.refund", "SELECT job FROM millrace_inbox WHERE uuid = 'r-1'");
    requests = mr_peer_requests(&shop.peer, "refund");
    ck_assert_uint_eq(json_array_size(requests), 1);
    ck_assert_str_eq(mr_peer_seen(requests, 0, "idempotency-key"), "r-1");
    form = json_object_get(json_array_get(requests, 0), "form");
    ck_assert_str_eq(json_string_value(json_object_get(form, "amount")), "1000");
    ck_assert_str_eq(json_string_value(json_object_get(form, "metadata[reason]")), "damaged");
    json_decref(requests);
    push_refund("r-1", ways[_i], "damaged");
    mr_shop_await_done(&shop, SOON_MS);
    ck_assert_uint_eq(mr_peer_count(&shop.peer, "refund"), 1);
    ck_assert_int_eq(count("billing_ledger WHERE uuid = 'r-1'"), 2);
    stop();
}
END_TEST

START_TEST(parts_are_given_back_until_nothing_is_left)
{
    start_paid("pm_ok");
    push_refund("r-1", "\"charge\":\"c-1\",\"amount_minor\":300", "one");
    mr_shop_await_done(&shop, SOON_MS);
    push_refund("r-2", "\"charge\":\"c-1\",\"amount_minor\":701", "too much");
    mr_shop_await_letter(&shop, "failed",
                         "data.amount_minor: of charge c-1 only 7.00 EUR is left to give back");
    push_refund("r-3", "\"charge\":\"c-1\"", "the rest");
    mr_shop_await_done(&shop, SOON_MS);
    push_refund("r-4", "\"charge\":\"c-1\"", "more");
    mr_shop_await_letter(&shop, "failed", "only 0.00 EUR is left to give back");
    expect_text("300,700", "SELECT GROUP_CONCAT(amount_minor ORDER BY uuid) FROM "
                           "billing_refunds WHERE state = 'ok'");
    stop();
}
END_TEST

START_TEST(many_at_once_never_give_back_more_than_was_paid)
{
    enum { REFUNDS = 20 };
    char uuid[20];

    start_paid("pm_ok");
    mr_mill_pause(&shop.mill, "main");
    for (int n = 0; n < REFUNDS; n++) {
        snprintf(uuid, sizeof(uuid), "r-%d", n);
        push_refund(uuid, "\"charge\":\"c-1\",\"amount_minor\":300", "me too");
    }
    mr_mill_resume(&shop.mill, "main");
    mr_wait_for(mr_mill_is_empty(&shop.mill, "main"), SOON_MS);
    ck_assert_int_eq(mr_mill_dead(&shop.mill, "main"), REFUNDS - 3);
    ck_assert_int_eq(count("billing_refunds"), 3);
    ck_assert_uint_eq(mr_peer_effects(&shop.peer, "refund", NULL), 3);
    stop();
}
END_TEST

static const char *const faults[] = {
    "fail-after-effect:1",
    "reset-after-effect:1",
    "hang-after-effect:1",
    "half:1",
    "garbage:1",
    "reset:1",
    "fail:2",
    "busy1:1",
    "slow1500:1",
};

/* slow: the second request meets the first under way, and hears 409. */
START_TEST(a_lost_answer_gives_nothing_back_twice)
{
    char reason[64];

    start_paid("pm_ok");
    snprintf(reason, sizeof(reason), "damaged fault=%s", faults[_i]);
    push_refund("r-1", "\"charge\":\"c-1\",\"amount_minor\":400", reason);
    mr_shop_await_done(&shop, SOON_MS);
    ck_assert_uint_eq(mr_peer_effects(&shop.peer, "refund", "r-1"), 1);
    ck_assert_uint_eq(mr_peer_effects(&shop.peer, "refund", NULL), 1);
    expect_text("ok", "SELECT state FROM billing_refunds");
    stop();
}
END_TEST

/* One row: the card of the charge, and what becomes of the refund. */
static const struct {
    const char *source, *class, *reason, *state;
} ends[] = {
    {"pm_card_disputed",      "failed",    "charge_disputed: The charge has been charged back",
     "refused"                                                                                           },
    {"pm_card_refundFail",    "failed",    "expired_or_canceled_card",                          "refused"},
    {"pm_card_refundPending", "exhausted", "nobody knows yet whether it was given back",
     "unknown"                                                                                           },
};

START_TEST(what_the_provider_does_not_give_back_is_not_booked)
{
    char sql[100];

    start_paid(ends[_i].source);
    mr_shop_push(&shop, "{\"uuid\":\"r-1\",\"job\":\"billing.refund\",\"maxTries\":3,\"data\":{"
                        "\"charge\":\"c-1\",\"reason\":\"damaged\"}}");
    mr_shop_await_letter(&shop, ends[_i].class, ends[_i].reason);
    snprintf(sql, sizeof(sql), "billing_refunds WHERE state = '%s'", ends[_i].state);
    ck_assert_int_eq(count(sql), 1);
    ck_assert_int_eq(count("billing_ledger WHERE uuid = 'r-1'"), 0);
    stop();
}
END_TEST

static void lose(const char *fault)
{
    mr_shop_push(&shop,
                 "{\"uuid\":\"r-1\",\"job\":\"billing.refund\",\"maxTries\":1,\"data\":{"
                 "\"charge\":\"c-1\",\"amount_minor\":400,\"reason\":\"fault=%s\"}}",
                 fault);
    mr_shop_await_letter(&shop, "exhausted", "nobody knows yet whether it was given back");
    expect_text("unknown", "SELECT state FROM billing_refunds");
}

START_TEST(a_key_that_may_be_forgotten_is_never_used_again)
{
    mr_shop_open(&shop, "timeout: 1s, key_life: 1m", NULL);
    mr_shop_push_invoice(&shop, "INV", 1, 1000);
    mr_shop_await_done(&shop, SOON_MS);
    mr_shop_push_charge(&shop, "c-1", "INV-1", 1000, "pm_ok");
    mr_shop_await_done(&shop, SOON_MS);
    lose("fail:1");
    mr_mariadb_do(&shop.db, "UPDATE billing_refunds SET first_sent_at = first_sent_at - "
                            "INTERVAL 61 SECOND");
    push_refund("r-1", "\"charge\":\"c-1\",\"amount_minor\":400", "fault=fail:1");
    mr_shop_await_letter(&shop, "failed", "held for a person: first asked for 1m");
    expect_text("held", "SELECT state FROM billing_refunds");
    ck_assert_uint_eq(mr_peer_count(&shop.peer, "refund"), 1);
    stop();
}
END_TEST

/* The provider refused to do it under this key, and keeps that answer for what was asked; our row is lost, and the job was edited. */
START_TEST(a_key_that_is_known_with_other_values_waits_for_a_person)
{
    start_paid("pm_ok");
    lose("fail-kept:1");
    mr_mariadb_do(&shop.db, "DELETE FROM billing_refunds");
    push_refund("r-1", "\"charge\":\"c-1\",\"amount_minor\":500", "damaged");
    mr_shop_await_letter(&shop, "failed",
                         "held for a person: the provider knows this uuid with "
                         "other values");
    ck_assert_uint_eq(mr_peer_effects(&shop.peer, "refund", NULL), 0);
    stop();
}
END_TEST

START_TEST(what_is_left_hangs_on_an_undecided_refund)
{
    start_paid("pm_ok");
    lose("fail:1");
    mr_shop_push(&shop, "%s",
                 "{\"uuid\":\"r-2\",\"job\":\"billing.refund\",\"maxTries\":1,\"data\":{"
                 "\"charge\":\"c-1\",\"amount_minor\":601,\"reason\":\"damaged\"}}");
    mr_shop_await_letter(&shop, "exhausted", "another refund of it is not decided");
    push_refund("r-3", "\"charge\":\"c-1\",\"amount_minor\":600", "damaged");
    mr_shop_await_done(&shop, SOON_MS);
    stop();
}
END_TEST

/* ---- credit notes ---- */

START_TEST(a_credit_note_takes_an_invoice_back)
{
    const char *const words[] = {
        "Credit note CN-000001", "INV-000001", "damaged", "10.00 EUR", "1.90 EUR", "11.90 EUR"};

    mr_shop_open(&shop, "timeout: 1s", NULL);
    mr_shop_push(&shop, "%s",
                 "{\"uuid\":\"i-1\",\"job\":\"billing.invoice\",\"data\":{\"customer\":\"ann\","
                 "\"currency\":\"EUR\",\"lines\":[{\"text\":\"flour\",\"quantity\":2,"
                 "\"unit_minor\":500,\"tax_bp\":1900}]}}");
    mr_shop_await_done(&shop, SOON_MS);
    for (int n = 0; n < 2; n++) {
        push_credit("n-1", "\"full\":true");
        mr_shop_await_done(&shop, SOON_MS);
    }
    push_credit("n-1", "\"lines\":[{\"text\":\"rye\",\"quantity\":2,\"unit_minor\":500,"
                       "\"tax_bp\":1900}]");
    mr_shop_await_letter(&shop, "failed",
                         "uuid n-1 has issued CN-000001 already, with other values");
    expect_text("CN 1 -1000 -190 -1190",
                "SELECT CONCAT_WS(' ', series, number, net_minor, tax_minor, total_minor) FROM "
                "billing_invoices WHERE uuid = 'n-1' AND due_on IS NULL");
    expect_text("i-1 damaged", "SELECT CONCAT_WS(' ', invoice, reason) FROM billing_credits");
    expect_text("receivable:ann -1190, revenue 1000, tax 190", LEDGER("n-1"));
    mr_shop_expect_paper(&shop, "invoices/CN/000001.pdf", words, MR_COUNT(words));
    push_credit("n-2", CREDIT_OF("1"));
    mr_shop_await_letter(&shop, "failed",
                         "data.lines: of invoice INV-000001 only 0.00 EUR net and 0.00 EUR tax "
                         "are left to credit");
    ck_assert_int_eq(count("billing_invoices"), 2);
    stop();
}
END_TEST

/* Port 1 answers nobody. */
static void move_the_storage_away(void)
{
    static char rest[sizeof(shop.yaml)];
    char *at = strstr(shop.yaml, "storage: {"), *end = strchr(at, '\n');

    snprintf(rest, sizeof(rest), "%s", end);
    snprintf(at, sizeof(shop.yaml) - (size_t)(at - shop.yaml),
             "storage: { kind: s3, s3: { endpoint: \"http://127.0.0.1:1\", path_style: true, "
             "bucket: papers, region: r, key: k, secret: s } }%s",
             rest);
}

START_TEST(a_storage_that_is_away_costs_a_credit_note_no_attempt)
{
    mr_shop_start(&shop, MR_SHOP_POOLS, "timeout: 1s", NULL);
    mr_mariadb_do(&shop.db, "INSERT INTO billing_series (name, last_number) VALUES ('INV', 1)");
    mr_mariadb_do(&shop.db, "INSERT INTO billing_invoices (uuid, series, number, printed, "
                            "customer, currency, net_minor, tax_minor, total_minor, issued_on) "
                            "VALUES ('i-1', 'INV', 1, 'INV-1', 'ann', 'EUR', 1000, 0, 1000, "
                            "CURDATE())");
    move_the_storage_away();
    mr_mill_dispatch(&shop.mill, 0, 1);
    mr_shop_push(&shop, "{\"uuid\":\"n-1\",\"job\":\"billing.credit\",\"maxTries\":1,\"data\":"
                        "{\"invoice\":\"INV-1\",\"reason\":\"x\"," CREDIT_OF("400") "}}");
    mr_wait_for(mr_mill_delayed(&shop.mill, "main") == 1 || mr_mill_dead(&shop.mill, "main"),
                SOON_MS);
    ck_assert_int_eq(mr_mill_dead(&shop.mill, "main"), 0);
    ck_assert_int_eq(count("billing_credits"), 1);
    mr_shop_stop(&shop);
}
END_TEST

START_TEST(many_at_once_never_credit_more_than_the_invoice)
{
    enum { NOTES = 12 };
    char uuid[20];

    mr_shop_open(&shop, "timeout: 1s", NULL);
    mr_shop_push_invoice(&shop, "INV", 1, 1000);
    mr_shop_await_done(&shop, SOON_MS);
    mr_mill_pause(&shop.mill, "main");
    for (int n = 0; n < NOTES; n++) {
        snprintf(uuid, sizeof(uuid), "n-%d", n);
        push_credit(uuid, CREDIT_OF("300"));
    }
    mr_mill_resume(&shop.mill, "main");
    mr_wait_for(mr_mill_is_empty(&shop.mill, "main"), SOON_MS);
    ck_assert_int_eq(mr_mill_dead(&shop.mill, "main"), NOTES - 3);
    ck_assert_int_eq(count("billing_credits"), 3);
    expect_text("3", "SELECT MAX(number) FROM billing_invoices WHERE series = 'CN'");
    stop();
}
END_TEST

START_TEST(a_charge_takes_what_the_credit_notes_leave)
{
    mr_shop_open(&shop, "timeout: 1s", NULL);
    mr_shop_push_invoice(&shop, "INV", 1, 1000);
    mr_shop_await_done(&shop, SOON_MS);
    push_credit("n-1", CREDIT_OF("400"));
    mr_shop_await_done(&shop, SOON_MS);
    mr_shop_push_charge(&shop, "c-1", "INV-1", 601, "pm_ok");
    mr_shop_await_letter(&shop, "failed", "of invoice INV-000001 only 6.00 EUR is open");
    mr_shop_push_charge(&shop, "c-2", "INV-1", 600, "pm_ok");
    mr_shop_await_done(&shop, SOON_MS);
    mr_shop_push_charge(&shop, "c-3", "CN-1", 400, "pm_ok");
    mr_shop_await_letter(&shop, "failed", "of invoice CN-000001 only -4.00 EUR is open");
    stop();
}
END_TEST

START_TEST(a_refund_pays_a_credit_note_out)
{
    start_paid("pm_ok");
    push_credit("n-1", CREDIT_OF("400"));
    mr_shop_await_done(&shop, SOON_MS);
    push_refund("r-1", "\"invoice\":\"INV-1\",\"credit\":\"CN-1\",\"amount_minor\":401", "x");
    mr_shop_await_letter(&shop, "failed", "of credit note CN-000001 only 4.00 EUR is left");
    push_refund("r-2", "\"invoice\":\"INV-1\",\"credit\":\"CN-1\"", "damaged");
    mr_shop_await_done(&shop, SOON_MS);
    expect_text("400 n-1", "SELECT CONCAT_WS(' ', amount_minor, credit) FROM billing_refunds");
    expect_text("0", "SELECT SUM(amount_minor) FROM billing_ledger WHERE account = "
                     "'receivable:ann'");
    push_refund("r-3", "\"invoice\":\"INV-1\",\"credit\":\"INV-1\"", "damaged");
    mr_shop_await_letter(&shop, "failed", "data.credit: INV-000001 is no credit note of");
    stop();
}
END_TEST

/* ---- what can never be done ---- */

/* clang-format off */
static const struct {
    const char *job, *data, *reason;
} wrong[] = {
    {"refund", "{\"reason\":\"x\"}", "data must say either charge"},
    {"refund", "{\"charge\":\"c-1\",\"invoice\":\"INV-1\",\"reason\":\"x\"}", "data must say either charge"},
    {"refund", "{\"charge\":\"c-1\"}", "data.reason is missing"},
    {"refund", "{\"charge\":\"c-1\",\"reason\":\"x\",\"amount_minor\":0}", "data.amount_minor must be a whole number"},
    {"refund", "{\"charge\":\"c-9\",\"reason\":\"x\"}", "data.charge \"c-9\": there is no such charge"},
    {"refund", "{\"charge\":\"c-2\",\"reason\":\"x\"}", "charge c-2 was refused: it took nothing"},
    {"refund", "{\"invoice\":\"INV-9\",\"reason\":\"x\"}", "data.invoice \"INV-9\": there is no such one"},
    {"refund", "{\"invoice\":\"INV-2\",\"reason\":\"x\"}", "no charge has paid it"},
    {"refund", "{\"invoice\":\"INV-1\",\"credit\":\"CN-1\",\"reason\":\"x\"}", "data.credit \"CN-1\": there is no such one"},
    {"credit", "{\"invoice\":\"INV-1\",\"reason\":\"x\"}", "data must say either full, or lines"},
    {"credit", "{\"invoice\":\"INV-1\",\"full\":1,\"reason\":\"x\"}", "data.full must be true, not a number"},
    {"credit", "{\"invoice\":\"INV-1\",\"full\":true}", "data.reason is missing"},
    {"credit", "{\"invoice\":\"INV-9\",\"full\":true,\"reason\":\"x\"}", "data.invoice \"INV-9\": there is no such invoice"},
    {"credit", "{\"invoice\":\"INV-1\",\"lines\":[],\"reason\":\"x\"}", "data.lines must hold 1 to 1000 lines"},
    {"credit", "{\"invoice\":\"INV-1\",\"reason\":\"x\",\"lines\":[{\"text\":\"t\",\"quantity\":1,\"unit_minor\":0,\"tax_bp\":0}]}", "data.lines: they sum to nothing"},
    {"credit", "{\"invoice\":\"INV-1\",\"full\":true,\"reason\":\"x\",\"series\":\"c n\"}", "data.series must be 1 to 20"},
};
/* clang-format on */

START_TEST(what_can_never_be_done_is_dead_with_the_reason)
{
    start_paid("pm_ok");
    mr_shop_push_invoice(&shop, "INV", 2, 1000);
    mr_shop_await_done(&shop, SOON_MS);
    mr_shop_push_charge(&shop, "c-2", "INV-2", 1000, "pm_card_declined");
    mr_shop_await_letter(&shop, "failed", "card_declined");
    for (size_t i = 0; i < MR_COUNT(wrong); i++) {
        mr_shop_push(&shop, "{\"uuid\":\"x-1\",\"job\":\"billing.%s\",\"data\":%s}",
                     wrong[i].job, wrong[i].data);
        mr_shop_await_letter(&shop, "failed", wrong[i].reason);
    }
    mr_shop_push(&shop, "%s",
                 "{\"job\":\"billing.refund\",\"data\":{\"charge\":\"c-1\",\"reason\":\"x\"}}");
    mr_shop_await_letter(&shop, "failed", "the job has no uuid");
    ck_assert_uint_eq(mr_peer_count(&shop.peer, "refund"), 0);
    stop();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_refund_gives_back_what_a_charge_took,                   MR_COUNT(ways)  },
        {parts_are_given_back_until_nothing_is_left,               0               },
        {many_at_once_never_give_back_more_than_was_paid,          0               },
        {a_lost_answer_gives_nothing_back_twice,                   MR_COUNT(faults)},
        {what_the_provider_does_not_give_back_is_not_booked,       MR_COUNT(ends)  },
        {a_key_that_may_be_forgotten_is_never_used_again,          0               },
        {a_key_that_is_known_with_other_values_waits_for_a_person, 0               },
        {what_is_left_hangs_on_an_undecided_refund,                0               },
        {a_credit_note_takes_an_invoice_back,                      0               },
        {a_storage_that_is_away_costs_a_credit_note_no_attempt,    0               },
        {many_at_once_never_credit_more_than_the_invoice,          0               },
        {a_charge_takes_what_the_credit_notes_leave,               0               },
        {a_refund_pays_a_credit_note_out,                          0               },
        {what_can_never_be_done_is_dead_with_the_reason,           0               },
    };

    return mr_suite_run_slow("refund", tests, 120);
}
