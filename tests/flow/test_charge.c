/* billing.charge against a real MariaDB and a real payment provider: once each, whatever answers get lost. */
#include "proto/base/mem.h"
#include "tests/support/shop.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SOON_MS = MR_SHOP_SOON_MS };

static struct mr_shop shop;

static void start(void)
{
    mr_shop_open(&shop, "timeout: 1s", NULL);
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

static void issue_one(long long total_minor)
{
    mr_shop_push_invoice(&shop, "INV", 1, total_minor);
    mr_shop_await_done(&shop, SOON_MS);
}

/* ---- charges ---- */

/* A member of the only request of that kind, as text; the caller's. */
static char *asked(const char *kind, const char *group, const char *member)
{
    json_t *requests = mr_peer_requests(&shop.peer, kind);
    json_t *request = json_array_get(requests, 0);
    const char *text =
        json_string_value(json_object_get(json_object_get(request, group), member));
    char *copy = mr_strdup(text ? text : "(none)");

    ck_assert_uint_eq(json_array_size(requests), 1);
    json_decref(requests);
    return copy;
}

static void expect_asked(const char *group, const char *member, const char *want)
{
    char *text = asked("charge", group, member);

    ck_assert_str_eq(text, want);
    free(text);
}

static const char *const names[] = {"INV-000001", "INV-1", "INV-job-1"};

START_TEST(an_invoice_is_paid_by_its_number_or_its_uuid)
{
    start();
    issue_one(123450);
    mr_shop_push_charge(&shop, "c-1", names[_i], 123450, "pm_card_visa");
    mr_shop_await_done(&shop, SOON_MS);
    expect_asked("headers", "idempotency-key", "c-1");
    expect_asked("headers", "authorization", "Bearer " MR_SHOP_KEY);
    expect_asked("form", "amount", "123450");
    expect_asked("form", "currency", "eur");
    expect_asked("form", "metadata[uuid]", "c-1");
    expect_asked("form", "metadata[invoice]", "INV-000001");
    ck_assert_uint_eq(mr_peer_count(&shop.peer, "lookup"), 0);
    expect_text("ok pi_000000000000000000000001",
                "SELECT CONCAT_WS(' ', state, provider_id) FROM billing_charges WHERE uuid = "
                "'c-1' AND first_sent_at IS NOT NULL");
    expect_text(
        "cash 123450, receivable:ann -123450",
        "SELECT GROUP_CONCAT(account, ' ', amount_minor ORDER BY account SEPARATOR ', ') "
        "FROM billing_ledger WHERE uuid = 'c-1'");
    ck_assert_int_eq(mr_mariadb_int(&shop.db, "SELECT SUM(amount_minor) FROM billing_ledger "
                                              "WHERE account = 'receivable:ann'"),
                     0);
    stop();
}
END_TEST

START_TEST(the_same_charge_again_asks_nobody)
{
    start();
    issue_one(500);
    for (int n = 0; n < 2; n++) {
        mr_shop_push_charge(&shop, "c-1", "INV-1", 500, "pm_card_visa");
        mr_shop_await_done(&shop, SOON_MS);
    }
    ck_assert_uint_eq(mr_peer_count(&shop.peer, NULL), 1);
    ck_assert_int_eq(count("billing_ledger WHERE uuid = 'c-1'"), 2);
    stop();
}
END_TEST

/* Somebody retries a letter that is older than what the inbox remembers. */
START_TEST(a_charge_that_the_inbox_forgot_is_booked_once)
{
    start();
    issue_one(500);
    for (int n = 0; n < 2; n++) {
        mr_shop_push_charge(&shop, "c-1", "INV-1", 500, "pm_card_visa");
        mr_shop_await_done(&shop, SOON_MS);
        mr_mariadb_do(&shop.db, "DELETE FROM millrace_inbox");
    }
    ck_assert_uint_eq(mr_peer_count(&shop.peer, NULL), 1);
    ck_assert_int_eq(count("billing_ledger WHERE uuid = 'c-1'"), 2);
    mr_shop_audit(&shop);
    stop();
}
END_TEST

static const struct {
    const char *source, *reason, *code;
} refusals[] = {
    {"pm_card_declined",       "card_declined: Your card was declined. (generic_decline)",
     "card_declined"                                                                                            },
    {"pm_card_insufficient",   "card_declined: Your card was declined. (insufficient_funds)",
     "card_declined"                                                                                            },
    {"pm_card_expired",        "expired_card: Your card was declined.",                       "expired_card"    },
    {"pm_card_authentication", "requires_action: the customer would have to confirm it",
     "requires_action"                                                                                          },
    {"tok_visa",               "resource_missing: No such PaymentMethod",                     "resource_missing"},
};

START_TEST(a_refused_card_is_dead_with_the_providers_code_and_asked_once)
{
    start();
    issue_one(500);
    for (int n = 0; n < 2; n++) {
        mr_shop_push_charge(&shop, "c-1", "INV-1", 500, refusals[_i].source);
        mr_shop_await_letter(&shop, "failed", refusals[_i].reason);
    }
    ck_assert_uint_eq(mr_peer_count(&shop.peer, NULL), 1);
    ck_assert_uint_eq(mr_peer_effects(&shop.peer, "charge", NULL), 0);
    expect_text("refused", "SELECT state FROM billing_charges WHERE uuid = 'c-1'");
    expect_text(refusals[_i].code, "SELECT code FROM billing_charges WHERE uuid = 'c-1'");
    ck_assert_int_eq(count("billing_ledger WHERE uuid = 'c-1'"), 0);
    mr_shop_push_charge(&shop, "c-2", "INV-1", 500,
                        "pm_card_visa"); /* another card, another job */
    mr_shop_await_done(&shop, SOON_MS);
    stop();
}
END_TEST

/* Faults of the provider, by a charge each; with and without an effect behind the lost answer. */
static const char *const losses[] = {
    "fail:1",
    "fail-after-effect:1",
    "reset:1",
    "reset-after-effect:1",
    "reset-before-body:1",
    "hang:1",
    "hang-after-effect:1",
    "half:1",
    "garbage:1",
    "slow1500:1",
    "fail503:2",
    "fail:1,reset:1",
    "busy1:1",
    "busy-date1:1",
    "busy:1",
    "reset-after-effect:1,busy1:1",
};

START_TEST(a_lost_answer_charges_nobody_twice)
{
    char uuid[16], source[80];

    start();
    issue_one(100 * (long long)MR_COUNT(losses));
    for (unsigned n = 0; n < MR_COUNT(losses); n++) {
        snprintf(uuid, sizeof(uuid), "c-%u", n);
        snprintf(source, sizeof(source), "pm_ok fault=%s", losses[n]);
        mr_shop_push_charge(&shop, uuid, "INV-1", 100, source);
    }
    mr_shop_await_done(&shop, 60000);
    for (unsigned n = 0; n < MR_COUNT(losses); n++) {
        snprintf(uuid, sizeof(uuid), "c-%u", n);
        ck_assert_msg(mr_peer_effects(&shop.peer, "charge", uuid) == 1, "%s: %zu effects",
                      losses[n], mr_peer_effects(&shop.peer, "charge", uuid));
    }
    ck_assert_int_eq(count("billing_charges WHERE state = 'ok'"), MR_COUNT(losses));
    ck_assert_int_eq(count("billing_ledger WHERE account = 'cash' AND amount_minor = 100"),
                     MR_COUNT(losses));
    stop();
}
END_TEST

/* One row: how the provider is started, and what it does to the charge: the look-up fails first, or sees nothing yet. */
static const struct {
    const char *args[3], *source;
} blind[] = {
    {{"--fault", "fail:1"},       "pm_ok"                           },
    {{"--search-lag", "3600000"}, "pm_ok fault=reset-after-effect:1"},
};

START_TEST(a_look_up_that_sees_nothing_charges_nobody_twice)
{
    mr_shop_open(&shop, "timeout: 1s", blind[_i].args);
    issue_one(500);
    mr_shop_push_charge(&shop, "c-1", "INV-1", 500, blind[_i].source);
    mr_shop_await_done(&shop, SOON_MS);
    ck_assert_uint_ge(mr_peer_count(&shop.peer, "lookup"), 1);
    ck_assert_uint_eq(mr_peer_count(&shop.peer, "charge"), 2);
    ck_assert_uint_eq(mr_peer_effects(&shop.peer, "charge", "c-1"), 1);
    expect_text("ok", "SELECT state FROM billing_charges");
    stop();
}
END_TEST

/* Nobody knows what became of it, and its tries are over. */
static void lose(const char *uuid, const char *fault)
{
    mr_shop_push(&shop,
                 "{\"uuid\":\"%s\",\"job\":\"billing.charge\",\"maxTries\":1,\"data\":{"
                 "\"invoice\":\"INV-1\",\"amount_minor\":500,\"currency\":\"EUR\","
                 "\"source\":\"pm_ok fault=%s\"}}",
                 uuid, fault);
    mr_shop_await_letter(&shop, "exhausted",
                         "nobody knows yet whether it was charged: status 500");
    expect_text("unknown", "SELECT state FROM billing_charges");
}

/* Somebody edits the dead letter of a charge whose answer was lost: the provider refuses the key it knows with other values. */
static void charge_with_another_card(const char *const *peer_args)
{
    mr_shop_open(&shop, "timeout: 1s", peer_args);
    issue_one(500);
    lose("c-1", "fail-after-effect:1");
    mr_shop_push_charge(&shop, "c-1", "INV-1", 500, "pm_another");
}

START_TEST(a_changed_charge_whose_first_request_was_heard_is_found_and_booked)
{
    charge_with_another_card(NULL);
    mr_shop_await_done(&shop, SOON_MS);
    ck_assert_uint_eq(mr_peer_effects(&shop.peer, "charge", "c-1"), 1);
    expect_text("ok", "SELECT state FROM billing_charges");
    stop();
}
END_TEST

START_TEST(a_changed_charge_that_nobody_finds_is_held_and_not_dead)
{
    charge_with_another_card((const char *const[]){"--search-lag", "600000", NULL});
    mr_shop_await_letter(&shop, "failed",
                         "held for a person: the provider knows this uuid with other values, "
                         "and the provider finds no charge for this uuid");
    ck_assert_uint_eq(mr_peer_effects(&shop.peer, "charge", "c-1"), 1);
    expect_text("held", "SELECT state FROM billing_charges");
    stop();
}
END_TEST

START_TEST(a_busy_provider_spends_no_attempt)
{
    start();
    issue_one(500);
    mr_shop_push(&shop, "{\"uuid\":\"c-1\",\"job\":\"billing.charge\",\"maxTries\":1,\"data\":{"
                        "\"invoice\":\"INV-1\",\"amount_minor\":500,\"currency\":\"EUR\","
                        "\"source\":\"pm_ok fault=busy1:2\"}}");
    mr_shop_await_done(&shop, SOON_MS);
    ck_assert_uint_eq(mr_peer_effects(&shop.peer, "charge", "c-1"), 1);
    stop();
}
END_TEST

START_TEST(a_key_that_may_be_forgotten_is_never_used_again)
{
    mr_shop_open(&shop, "timeout: 1s, key_life: 1m", NULL);
    issue_one(500);
    lose("c-1", "fail:1");
    mr_mariadb_do(&shop.db, "UPDATE billing_charges SET first_sent_at = first_sent_at - "
                            "INTERVAL 61 SECOND");
    for (int n = 0; n < 2; n++) {
        mr_shop_push_charge(&shop, "c-1", "INV-1", 500, "pm_ok fault=fail:1");
        mr_shop_await_letter(&shop, "failed", "held for a person");
    }
    ck_assert_uint_eq(mr_peer_count(&shop.peer, "charge"), 1);
    expect_text("held", "SELECT state FROM billing_charges");

    /* The person has found it paid, and says so. */
    mr_mariadb_do(&shop.db, "UPDATE billing_charges SET state = 'ok'");
    mr_shop_push_charge(&shop, "c-1", "INV-1", 500, "pm_ok fault=fail:1");
    mr_shop_await_done(&shop, SOON_MS);
    ck_assert_uint_eq(mr_peer_count(&shop.peer, "charge"), 1);
    ck_assert_int_eq(count("billing_ledger WHERE uuid = 'c-1'"), 2);
    stop();
}
END_TEST

START_TEST(what_hangs_on_an_undecided_charge_waits_for_it)
{
    start();
    issue_one(500);
    lose("c-1", "fail:1");
    mr_shop_push(&shop, "{\"uuid\":\"c-2\",\"job\":\"billing.charge\",\"maxTries\":1,\"data\":{"
                        "\"invoice\":\"INV-1\",\"amount_minor\":500,\"currency\":\"EUR\","
                        "\"source\":\"pm_card_visa\"}}");
    mr_shop_await_letter(&shop, "exhausted",
                         "of invoice INV-000001 5.00 EUR is open, but another charge of it is "
                         "not decided");
    ck_assert_uint_eq(mr_peer_effects(&shop.peer, "charge", NULL), 0);
    stop();
}
END_TEST

/* ---- what can never be done ---- */

#define CHARGE(data) "{\"uuid\":\"x-1\",\"job\":\"billing.charge\",\"data\":" data "}"

/* clang-format off */
static const struct {
    const char *payload, *class, *reason;
} hopeless[] = {
    {"{\"job\":\"billing.charge\",\"data\":{}}", "failed", "the job has no uuid"},
    {"{\"uuid\":\"a b\",\"job\":\"billing.charge\",\"data\":{}}", "failed", "uuid: only 1 to 64 letters, digits"},
    {"{\"uuid\":\"INV-job-1\",\"job\":\"billing.charge\",\"data\":{\"invoice\":\"INV-1\",\"amount_minor\":1,\"currency\":\"EUR\",\"source\":\"s\"}}", "failed",
     "uuid INV-job-1: millrace_inbox has it as a billing.invoice already"},
    {CHARGE("[]"), "failed", "data must be an object {invoice, amount_minor, currency, source}, not a list"},
    {CHARGE("{\"invoice\":\"INV-1\"}"), "failed", "data.amount_minor is missing"},
    {CHARGE("{\"invoice\":\"INV-1\",\"amount_minor\":0}"), "failed", "data.amount_minor must be a whole number of minor units (cents), 1 or more, not 0"},
    {CHARGE("{\"invoice\":\"INV-1\",\"amount_minor\":1.5}"), "failed", "1 or more, not a fraction"},
    {CHARGE("{\"invoice\":\"INV-1\",\"amount_minor\":1,\"currency\":\"XXX\",\"source\":\"s\"}"), "failed", "data.currency: \"XXX\" has no minor unit"},
    {CHARGE("{\"invoice\":\"INV-1\",\"amount_minor\":1,\"currency\":\"EUR\",\"source\":\"a\\r\\nb\"}"), "failed", "data.source must not hold control characters"},
    {CHARGE("{\"invoice\":\"INV-9\",\"amount_minor\":1,\"currency\":\"EUR\",\"source\":\"s\"}"), "failed", "data.invoice \"INV-9\": there is no such invoice in billing_invoices"},
    {CHARGE("{\"invoice\":\"\xc3\xbc-9\",\"amount_minor\":1,\"currency\":\"EUR\",\"source\":\"s\"}"), "failed", "data.invoice \"\xc3\xbc-9\": there is no such invoice in billing_invoices"},
    {CHARGE("{\"invoice\":\"INV-1\",\"amount_minor\":1,\"currency\":\"USD\",\"source\":\"s\"}"), "failed", "data.currency \"USD\": invoice INV-000001 is in EUR"},
    {CHARGE("{\"invoice\":\"INV-1\",\"amount_minor\":501,\"currency\":\"EUR\",\"source\":\"s\"}"), "failed", "data.amount_minor 501: of invoice INV-000001 only 5.00 EUR is open"},
    {"{\"uuid\":\"c-0\",\"job\":\"billing.charge\",\"data\":{\"invoice\":\"INV-1\",\"amount_minor\":1,\"currency\":\"EUR\",\"source\":\"pm_x\"}}", "failed",
     "uuid c-0: billing_charges has it with another invoice, amount or currency"},
};
/* clang-format on */

START_TEST(what_can_never_be_done_is_dead_with_the_reason)
{
    start();
    issue_one(502);
    mr_shop_push_charge(&shop, "c-0", "INV-1", 2, "pm_card_visa");
    mr_shop_await_done(&shop, SOON_MS);
    for (size_t i = 0; i < MR_COUNT(hopeless); i++) {
        mr_shop_push(&shop, "%s", hopeless[i].payload);
        mr_shop_await_letter(&shop, hopeless[i].class, hopeless[i].reason);
    }
    ck_assert_int_eq(count("billing_invoices"), 1);
    ck_assert_int_eq(count("millrace_inbox"), 2);
    ck_assert_uint_eq(mr_peer_count(&shop.peer, NULL), 1);
    stop();
}
END_TEST

/* One row: a configuration that lacks something, the job, and what it says. */
/* clang-format off */
#define INVOICE "{\"uuid\":\"x-1\",\"job\":\"billing.invoice\",\"data\":{\"customer\":\"ann\",\"currency\":\"EUR\",\"lines\":[{\"text\":\"t\",\"quantity\":1,\"unit_minor\":1,\"tax_bp\":0}]}}"
#define DATABASE "mysql: { socket: /nowhere, database: d, user: u }\n"
static const struct {
    const char *yaml, *payload, *reason;
} gaps[] = {
    {DATABASE, INVOICE,
     "storage.path is not configured: no folder to keep files in"},
    {DATABASE, CHARGE("{}"), "payment.url is not configured: no provider to charge with"},
    {"payment: { url: \"http://127.0.0.1:9\" }\n", CHARGE("{}"), "payment.key is not configured"},
};
/* clang-format on */

START_TEST(what_is_not_configured_is_said_before_anything_is_done)
{
    static struct mr_mill mill;
    static char yaml[400];

    snprintf(yaml, sizeof(yaml),
             "pools: { main: { queues: [main], tries: 2, backoff: 20ms..50ms } }\n%s",
             gaps[_i].yaml);
    mr_mill_start(&mill, yaml, NULL);
    mr_mill_dispatch(&mill, 0, 1);
    mr_mill_push_raw(&mill, "main", gaps[_i].payload, strlen(gaps[_i].payload));
    mr_mill_await_letter(&mill, "main", "exhausted", gaps[_i].reason);
    mr_mill_stop(&mill);
}
END_TEST

START_TEST(a_wrong_key_waits_for_an_operator)
{
    static const char *const other[] = {"--bearer", "another", NULL};

    mr_shop_open(&shop, "timeout: 1s", other);
    issue_one(500);
    mr_shop_push(&shop, "{\"uuid\":\"c-1\",\"job\":\"billing.charge\",\"maxTries\":2,\"data\":{"
                        "\"invoice\":\"INV-1\",\"amount_minor\":500,\"currency\":\"EUR\","
                        "\"source\":\"pm_card_visa\"}}");
    mr_shop_await_letter(&shop, "exhausted", "does not let us in (401): see payment.key");
    stop();
}
END_TEST
int main(void)
{
    const struct mr_test tests[] = {
        {an_invoice_is_paid_by_its_number_or_its_uuid,                       MR_COUNT(names)   },
        {the_same_charge_again_asks_nobody,                                  0                 },
        {a_charge_that_the_inbox_forgot_is_booked_once,                      0                 },
        {a_refused_card_is_dead_with_the_providers_code_and_asked_once,      MR_COUNT(refusals)},
        {a_lost_answer_charges_nobody_twice,                                 0                 },
        {a_look_up_that_sees_nothing_charges_nobody_twice,                   MR_COUNT(blind)   },
        {a_changed_charge_whose_first_request_was_heard_is_found_and_booked, 0                 },
        {a_changed_charge_that_nobody_finds_is_held_and_not_dead,            0                 },
        {a_busy_provider_spends_no_attempt,                                  0                 },
        {a_key_that_may_be_forgotten_is_never_used_again,                    0                 },
        {what_hangs_on_an_undecided_charge_waits_for_it,                     0                 },
        {what_can_never_be_done_is_dead_with_the_reason,                     0                 },
        {what_is_not_configured_is_said_before_anything_is_done,             MR_COUNT(gaps)    },
        {a_wrong_key_waits_for_an_operator,                                  0                 },
    };

    return mr_suite_run_slow("charge", tests, 120);
}
