/* Issuing in a real database: numbers without gaps whoever is killed and whatever the year, and books that balance. */
#include "jobs/billing/books.h"
#include "jobs/billing/issue.h"
#include "jobs/billing/issued.h"
#include "proto/base/mem.h"
#include "proto/base/random.h"
#include "tests/support/mysql_scene.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 100, EACH = 10, INVOICES = THREADS * EACH, NEW_YEAR_S = 1798758000 };

#define BERLIN                                                                                 \
    "{\"number\":\"{series}-{year}-{number:6}\",\"yearly\":true,\"timezone\":"                 \
    "\"Europe/Berlin\",\"due_ms\":1209600000}"

static struct mr_mysql_scene scene;
static struct mr_terms terms;
static json_t *section;

static void start(const char *billing, const char *mysql)
{
    struct mr_err err = {0};

    mr_mysql_scene_init(&scene, false, (const char *const[]){"--max-connections=250", NULL});
    mr_mariadb_schema(&scene.db);
    mr_mariadb_do(&scene.db, "INSERT INTO billing_customers (id, name) VALUES ('ann', 'Ann')");
    mr_mysql_scene_use(&scene, mysql);
    section = json_loads(billing, 0, NULL);
    ck_assert_msg(mr_terms_read(section, &terms, &err) == MR_OK, "%s", err.text);
}

static void stop(void)
{
    mr_terms_fini(&terms);
    json_decref(section);
    mr_mysql_scene_fini(&scene);
}

static struct mr_invoice invoice_of(const char *more)
{
    struct mr_invoice invoice = {0};
    struct mr_err err = {0};
    char *text = mr_asprintf(
        "{\"customer\":\"ann\",\"currency\":\"EUR\"%s,\"lines\":[{\"text\":\"flour\","
        "\"quantity\":3,\"unit_minor\":333,\"tax_bp\":1900}]}",
        more);
    json_t *data = json_loads(text, 0, NULL);

    ck_assert_msg(mr_invoice_read(data, terms.series, &invoice, &err) == MR_OK, "%s", err.text);
    json_decref(data);
    free(text);
    return invoice;
}

/* Whatever the database answers, it is asked again until the invoice stands, as a worker would. Gives how often it had to. */
static unsigned issue(const char *uuid, const struct mr_invoice *invoice, enum mr_code *out)
{
    struct mr_delivery delivery;
    struct mr_job *job = mr_mysql_scene_job(&delivery, 0);
    struct mr_err err = {0};
    bool began = false;
    unsigned again = 0;

    while ((*out = mr_issue(scene.mysql, job, &terms, uuid, invoice, &began, &err)) ==
               MR_EDOWN ||
           *out == MR_EUNKNOWN || *out == MR_EBUSY)
        again++;
    if (*out != MR_OK)
        fprintf(stderr, "%s: %s\n", uuid, err.text);
    return again;
}

static void issue_one(const char *uuid, const char *more)
{
    struct mr_invoice invoice = invoice_of(more);
    enum mr_code code;

    issue(uuid, &invoice, &code);
    ck_assert_int_eq(code, MR_OK);
    mr_invoice_fini(&invoice);
}

static long long count(const char *what)
{
    return mr_mariadb_int(&scene.db, "SELECT COUNT(*) FROM %s", what);
}

static void expect_text(const char *want, const char *sql)
{
    char *text = mr_mariadb_text(&scene.db, "%s", sql);

    ck_assert_msg(text && strcmp(text, want) == 0, "%s: %s", sql, text ? text : "(none)");
    free(text);
}

static void expect_no_gaps(void)
{
    ck_assert_int_eq(count("(SELECT series FROM billing_invoices GROUP BY series, year HAVING "
                           "COUNT(*) <> MAX(number) OR MIN(number) <> 1) x"),
                     0);
    ck_assert_int_eq(count("billing_series s WHERE last_number <> (SELECT COUNT(*) FROM "
                           "billing_invoices i WHERE i.series = s.name AND i.year = s.year)"),
                     0);
}

/* Sessions that begin from here on have their clock stand at this instant. */
static void set_clock(long long at_s)
{
    mr_mariadb_do(&scene.db, "SET GLOBAL init_connect = 'SET timestamp = %lld'", at_s);
}

/* ---- a hundred at once ---- */

static struct mr_invoice common;
static atomic_uint n_issued, n_again, n_failed, n_busy;

static void *issue_some(void *arg)
{
    char uuid[40];

    for (unsigned i = 0; i < EACH; i++) {
        enum mr_code code;

        snprintf(uuid, sizeof(uuid), "job-%u-%u", *(unsigned *)arg, i);
        atomic_fetch_add(&n_again, issue(uuid, &common, &code));
        atomic_fetch_add(code == MR_OK ? &n_issued : &n_failed, 1);
    }
    atomic_fetch_sub(&n_busy, 1);
    return NULL;
}

/* KILL ends a session at once, in the middle of its transaction; 0 when there was none. */
static unsigned kill_one(struct mr_random *dice)
{
    char ids[4096];
    unsigned n = 0;
    char *list = mr_mariadb_text(
        &scene.db, "SELECT GROUP_CONCAT(id SEPARATOR ' ') FROM information_schema.processlist "
                   "WHERE user = '" MR_MARIADB_USER "'");

    snprintf(ids, sizeof(ids), "%s", list ? list : "");
    free(list);
    for (const char *at = ids; *at; at = strchrnul(at, ' '), at += *at == ' ')
        n++;
    if (n == 0)
        return 0;
    const char *at = ids;
    for (uint64_t skip = mr_random_below(dice, n); skip > 0; skip--)
        at = strchr(at, ' ') + 1;
    char sql[60];
    snprintf(sql, sizeof(sql), "KILL %lu", strtoul(at, NULL, 10));
    return mysql_query(scene.db.sync, sql) == 0; /* it may have gone by itself */
}

START_TEST(a_hundred_at_once_killed_at_random_over_the_new_year_leave_no_gap_and_no_double)
{
    pthread_t threads[THREADS];
    unsigned numbers[THREADS], kills = 0;
    struct mr_random dice;
    bool new_year = false;

    mr_random_seed(&dice);
    printf("# seed %llu\n", (unsigned long long)dice.state);
    start(BERLIN, "{\"pool\":{\"min\":0,\"max\":100}}");
    common = invoice_of("");
    set_clock(NEW_YEAR_S - 1);
    atomic_store(&n_busy, THREADS);
    for (unsigned i = 0; i < THREADS; i++) {
        numbers[i] = i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, issue_some, &numbers[i]), 0);
    }
    while (atomic_load(&n_busy) > 0) {
        if (!new_year && atomic_load(&n_issued) > INVOICES / 4) {
            set_clock(NEW_YEAR_S);
            new_year = true;
        }
        kills += kill_one(&dice);
        mr_wait_a_moment();
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("# %u kills, %u repeats\n", kills, atomic_load(&n_again));
    ck_assert_uint_gt(kills, 20);
    ck_assert_uint_gt(atomic_load(&n_again), 0);
    ck_assert_uint_eq(atomic_load(&n_failed), 0);
    ck_assert_int_eq(count("billing_invoices"), INVOICES);
    ck_assert_int_eq(count("billing_invoice_lines"), INVOICES);
    ck_assert_int_eq(count("billing_ledger"), 3 * INVOICES);
    ck_assert_int_gt(count("billing_invoices WHERE year = 2026 AND issued_on = '2026-12-31'"),
                     0);
    ck_assert_int_gt(count("billing_invoices WHERE year = 2027 AND issued_on = '2027-01-01'"),
                     0);
    expect_no_gaps();
    mr_invoice_fini(&common);
    stop();
}
END_TEST

/* ---- one after the other ---- */

START_TEST(the_date_decides_whose_numbers_an_invoice_takes)
{
    start(BERLIN, NULL);
    set_clock(NEW_YEAR_S);
    issue_one("a", "");
    issue_one("b", ",\"date\":\"2026-12-30\"");
    issue_one("c", ",\"due\":\"2027-01-08\"");
    issue_one("d", ",\"series\":\"B\"");
    issue_one("e", ",\"date\":\"2026-12-31\"");
    expect_text("a INV-2027-000001 2027-01-01 2027-01-15 invoices/INV/2027/000001.pdf; "
                "b INV-2026-000001 2026-12-30 2027-01-13 invoices/INV/2026/000001.pdf; "
                "c INV-2027-000002 2027-01-01 2027-01-08 invoices/INV/2027/000002.pdf; "
                "d B-2027-000001 2027-01-01 2027-01-15 invoices/B/2027/000001.pdf; "
                "e INV-2026-000002 2026-12-31 2027-01-14 invoices/INV/2026/000002.pdf",
                "SELECT GROUP_CONCAT(uuid, ' ', printed, ' ', issued_on, ' ', due_on, ' ', "
                "pdf_key ORDER BY uuid SEPARATOR '; ') FROM billing_invoices");
    expect_no_gaps();
    stop();
}
END_TEST

START_TEST(without_years_the_numbers_go_on)
{
    start("{\"number\":\"{number:4}/{year}/{series}\"}", NULL);
    issue_one("a", ",\"date\":\"2026-12-31\"");
    issue_one("b", ",\"date\":\"2027-01-01\"");
    expect_text("0001/2026/INV 0002/2027/INV",
                "SELECT GROUP_CONCAT(printed ORDER BY number SEPARATOR ' ') FROM "
                "billing_invoices WHERE year = 0 AND due_on IS NULL");
    expect_no_gaps();
    stop();
}
END_TEST

START_TEST(what_is_due_before_it_is_written_is_refused)
{
    struct mr_delivery delivery;
    struct mr_err err = {0};
    bool began = false;

    start("{\"timezone\":\"UTC\"}", NULL);
    set_clock(NEW_YEAR_S);
    struct mr_invoice invoice = invoice_of(",\"due\":\"2026-12-30\"");
    ck_assert_int_eq(mr_issue(scene.mysql, mr_mysql_scene_job(&delivery, 0), &terms, "a",
                              &invoice, &began, &err),
                     MR_EINVAL);
    ck_assert_str_eq(err.text, "data.due 2026-12-30 is before the invoice's date, 2026-12-31");
    ck_assert_int_eq(count("millrace_inbox"), 0);
    mr_invoice_fini(&invoice);
    stop();
}
END_TEST

static const struct {
    const char *name, *uuid; /* NULL: nobody's */
} names[] = {
    {"a",                "a" },
    {"INV-2026-000001",  "a" },
    {"INV-2026-1",       "a" }, /* as far as it goes, it is printed as those of no year are */
    {"INV-1",            NULL},
    {"OLD-000042",       "o" },
    {"OLD-42",           "o" },
    {"OLD-43",           NULL},
    {"no such / number", NULL},
    {"",                 NULL},
};

START_TEST(an_invoice_is_found_by_its_uuid_and_by_its_number_as_printed)
{
    struct mr_delivery delivery;
    struct mr_issued issued = {0};

    start(BERLIN, NULL);
    issue_one("a", ",\"date\":\"2026-06-30\"");
    mr_mariadb_do(&scene.db,
                  "INSERT INTO billing_series (name, last_number) VALUES ('OLD', 42)");
    mr_mariadb_do(&scene.db,
                  "INSERT INTO billing_invoices (uuid, series, number, printed, customer, "
                  "currency, net_minor, tax_minor, total_minor, issued_on) VALUES ('o', 'OLD', "
                  "42, 'OLD-000042', 'ann', 'EUR', 1, 0, 1, '2025-01-01')");
    struct mr_mysql_conn *conn = mr_mysql_scene_take(&scene, mr_mysql_scene_job(&delivery, 0));
    for (size_t i = 0; i < MR_COUNT(names); i++) {
        enum mr_code code = mr_issued_find_named(conn, names[i].name, &issued, NULL);

        ck_assert_msg(code == (names[i].uuid ? MR_OK : MR_ENOTFOUND), "%s", names[i].name);
        if (names[i].uuid)
            ck_assert_str_eq(issued.uuid, names[i].uuid);
        mr_issued_fini(&issued);
    }
    mr_mysql_give(conn);
    stop();
}
END_TEST

/* ---- the ledger ---- */

static enum mr_code enter_unbalanced(void *arg, struct mr_mysql_conn *conn, struct mr_err *err)
{
    const struct mr_booking bookings[] = {
        {"cash",           100},
        {"receivable:ann", -99}
    };

    (void)arg;
    return mr_books_enter(conn, "a", "EUR", bookings, MR_COUNT(bookings), err);
}

START_TEST(an_entry_that_does_not_balance_never_reaches_the_ledger)
{
    struct mr_delivery delivery;
    struct mr_err err = {0};

    start("{}", NULL);
    ck_assert_int_eq(mr_mysql_transact(scene.mysql, mr_mysql_scene_job(&delivery, 0),
                                       enter_unbalanced, NULL, &err),
                     MR_EFAULT);
    ck_assert_str_eq(err.text, "the ledger rows of a do not sum to 0; nothing was written");
    ck_assert_int_eq(count("billing_ledger"), 0);
    stop();
}
END_TEST

static enum mr_code credit(void *arg, struct mr_mysql_conn *conn, struct mr_err *err)
{
    return mr_issue_within(conn, &terms, "credit-a", arg, err);
}

START_TEST(a_credit_note_is_a_part_of_its_jobs_own_transaction)
{
    struct mr_delivery delivery;
    struct mr_err err = {0};

    start("{}", NULL);
    issue_one("a", "");
    struct mr_invoice note = invoice_of(",\"series\":\"CN\"");
    note.lines[0].unit_minor = -note.lines[0].unit_minor;
    ck_assert_int_eq(mr_invoice_sum(&note, &err), MR_OK);
    ck_assert_int_eq(
        mr_mysql_transact(scene.mysql, mr_mysql_scene_job(&delivery, 0), credit, &note, &err),
        MR_OK);
    expect_text("CN-000001 -999 -190 -1189",
                "SELECT CONCAT_WS(' ', printed, net_minor, tax_minor, total_minor) FROM "
                "billing_invoices WHERE uuid = 'credit-a'");
    ck_assert_int_eq(mr_mariadb_int(&scene.db, "SELECT SUM(amount_minor) FROM billing_ledger "
                                               "WHERE account = 'receivable:ann'"),
                     0);
    mr_invoice_fini(&note);
    stop();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_hundred_at_once_killed_at_random_over_the_new_year_leave_no_gap_and_no_double, 0},
        {the_date_decides_whose_numbers_an_invoice_takes,                                 0},
        {without_years_the_numbers_go_on,                                                 0},
        {what_is_due_before_it_is_written_is_refused,                                     0},
        {an_invoice_is_found_by_its_uuid_and_by_its_number_as_printed,                    0},
        {an_entry_that_does_not_balance_never_reaches_the_ledger,                         0},
        {a_credit_note_is_a_part_of_its_jobs_own_transaction,                             0},
    };

    return mr_suite_run_slow("issue", tests, 120);
}
