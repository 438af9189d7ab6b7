/* billing.invoice against a real MariaDB: numbered, booked, printed and mailed once each, whatever gets lost. */
#include "proto/base/str.h"
#include "tests/support/scratch.h"
#include "tests/support/shop.h"
#include "tests/support/sink.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY "invoices/INV/000001.pdf"

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

/* ---- invoices ---- */

static const struct {
    const char *currency, *sums, *unit, *net, *tax, *total;
} currencies[] = {
    {"EUR", "246912 46913 293825", "1,234.56 EUR", "2,469.12 EUR", "469.13 EUR",
     "2,938.25 EUR"                                                                           },
    {"JPY", "246912 46913 293825", "123,456 JPY",  "246,912 JPY",  "46,913 JPY", "293,825 JPY"},
    {"KWD", "246912 46913 293825", "123.456 KWD",  "246.912 KWD",  "46.913 KWD", "293.825 KWD"},
};

START_TEST(an_invoice_is_numbered_booked_and_printed)
{
    const char *const words[] = {"Mill Shop, Mill Lane 7",
                                 "M. M\xc3\xbcller",
                                 "10115 Berlin",
                                 "INV-000001",
                                 "Flour \xe2\x80\x93 fine",
                                 "19 %",
                                 currencies[_i].unit,
                                 currencies[_i].net,
                                 currencies[_i].tax,
                                 currencies[_i].total};

    start();
    mr_shop_push(&shop,
                 "{\"uuid\":\"i-1\",\"job\":\"billing.invoice\",\"data\":{\"customer\":\"ann\","
                 "\"currency\":\"%s\",\"lines\":[{\"text\":\"Flour \xe2\x80\x93 fine\","
                 "\"quantity\":2,\"unit_minor\":123456,\"tax_bp\":1900}]}}",
                 currencies[_i].currency);
    mr_shop_await_done(&shop, SOON_MS);
    expect_text(currencies[_i].sums, "SELECT CONCAT_WS(' ', net_minor, tax_minor, total_minor) "
                                     "FROM billing_invoices WHERE uuid = 'i-1' AND series = "
                                     "'INV' AND number = 1 AND pdf_at IS NOT NULL");
    expect_text(
        "receivable:ann 293825, revenue -246912, tax -46913",
        "SELECT GROUP_CONCAT(account, ' ', amount_minor ORDER BY account SEPARATOR ', ') "
        "FROM billing_ledger WHERE uuid = 'i-1'");
    expect_text("1 2 123456 1900 246912 46913",
                "SELECT CONCAT_WS(' ', line_no, quantity, unit_minor, tax_bp, net_minor, "
                "tax_minor) FROM billing_invoice_lines WHERE invoice = 'i-1'");
    expect_text("billing.invoice", "SELECT job FROM millrace_inbox WHERE uuid = 'i-1'");
    mr_shop_expect_paper(&shop, KEY, words, MR_COUNT(words));
    stop();
}
END_TEST

START_TEST(days_and_notes_are_printed)
{
    const char *const words[] = {"2026-12-31", "Due", "2027-01-14", "Reverse charge",
                                 "Thank you."};

    start();
    mr_shop_push(&shop,
                 "{\"uuid\":\"i-1\",\"job\":\"billing.invoice\",\"data\":{\"customer\":"
                 "\"ann\",\"currency\":\"EUR\",\"date\":\"2026-12-31\",\"due\":"
                 "\"2027-01-14\",\"notes\":\"Reverse charge:\\nyou owe the tax.\",\"lines\":["
                 "{\"text\":\"Flour\",\"quantity\":1,\"unit_minor\":1000,\"tax_bp\":0},"
                 "{\"text\":\"Discount\",\"quantity\":1,\"unit_minor\":-100,\"tax_bp\":0}]}}");
    mr_shop_await_done(&shop, SOON_MS);
    mr_shop_expect_paper(&shop, KEY, words, MR_COUNT(words));
    stop();
}
END_TEST

/* The jobs on the queue of the mails, which nobody serves here. */
static json_t *mail(size_t i, size_t want)
{
    redisReply *all =
        mr_redis_ask(&shop.mill.redis, "LRANGE " MR_MILL_PREFIX "queues:mails 0 -1");

    ck_assert_uint_eq(all->elements, want);
    json_t *envelope = json_loads(all->element[i]->str, 0, NULL);
    ck_assert_ptr_nonnull(envelope);
    freeReplyObject(all);
    return envelope;
}

#define MAILED(uuid, customer, more)                                                           \
    "{\"uuid\":\"" uuid "\",\"job\":\"billing.invoice\",\"data\":{\"customer\":\"" customer    \
    "\",\"currency\":\"EUR\",\"mail\":true," more                                              \
    "\"lines\":[{\"text\":\"Flour\",\"quantity\":1,"                                           \
    "\"unit_minor\":1000,\"tax_bp\":0}]}}"

START_TEST(an_invoice_is_followed_by_its_mail_under_one_name)
{
    const char *number, *to;

    start();
    for (size_t n = 0; n < 2; n++) {
        mr_shop_push(&shop, MAILED("i-1", "ann", ""));
        mr_shop_await_done(&shop, SOON_MS);
        json_t *envelope = mail(n, n + 1), *data = json_object_get(envelope, "data");
        ck_assert_str_eq(json_string_value(json_object_get(envelope, "job")), "email.send");
        ck_assert_str_eq(json_string_value(json_object_get(envelope, "uuid")), "i-1.mail");
        ck_assert_int_eq(
            json_unpack(data, "{s:s, s:{s:s}}", "to", &to, "vars", "number", &number), 0);
        ck_assert_str_eq(to, "ann@example.org");
        ck_assert_str_eq(number, "INV-000001");
        json_decref(envelope);
    }
    ck_assert_int_eq(count("billing_invoices"), 1);
    stop();
}
END_TEST

/* The whole way: templates of the house, an SMTP server, and a queue of mails that is served. */
static void start_with_mail(struct mr_peer *sink)
{
    static const char served[] =
        "pools: { main: { queues: [main, mails], concurrency: 5, backoff: 20ms..100ms } }";
    const char *dir = shop.mill.redis.dir;

    mr_shop_start(&shop, served, "timeout: 1s", NULL);
    mr_sink_start(sink, dir, NULL);
    mr_scratch_put(dir, "invoice.subject.mustache", "Invoice {{number}} of {{date}}");
    mr_scratch_put(dir, "invoice.text.mustache",
                   "Dear {{customer.name}}, {{total}}{{#due}} until {{due}}{{/due}}.");
    size_t len = strlen(shop.yaml);
    snprintf(shop.yaml + len, sizeof(shop.yaml) - len,
             "email: { url: \"smtp://127.0.0.1:%d\", from: shop@example.org, tls: off }\n"
             "templates: { dir: \"%s\" }\n",
             sink->port, dir);
    mr_mill_dispatch(&shop.mill, 0, 1);
}

static void says(const json_t *mail, const char *words)
{
    char *text = json_dumps(mail, 0);

    ck_assert_msg(strstr(text, words) != NULL, "no \"%s\": %s", words, text);
    free(text);
}

static void carries_the_paper(json_t *mail)
{
    const char *uuid, *name, *type;
    char path[PATH_MAX];
    struct stat paper;
    json_int_t bytes;

    snprintf(path, sizeof(path), "%s/" KEY, shop.files);
    ck_assert_int_eq(stat(path, &paper), 0);
    ck_assert_int_eq(json_unpack(mail, "{s:s, s:[{s:s, s:s, s:I}!]}", "uuid", &uuid, "files",
                                 "name", &name, "type", &type, "bytes", &bytes),
                     0);
    ck_assert_str_eq(uuid, "i-1.mail");
    ck_assert_str_eq(name, "INV-000001.pdf");
    ck_assert_str_eq(type, "application/pdf");
    ck_assert_int_eq(bytes, paper.st_size);
}

START_TEST(the_mail_brings_the_paper_itself)
{
    struct mr_peer sink;

    start_with_mail(&sink);
    mr_shop_push(&shop,
                 MAILED("i-1", "ann", "\"date\":\"2026-12-31\",\"due\":\"2027-01-14\","));
    mr_wait_for(mr_sink_count(&sink) == 1, SOON_MS);
    json_t *mails = mr_peer_lines(&sink);
    says(json_array_get(mails, 0), "Invoice INV-000001 of 2026-12-31");
    says(json_array_get(mails, 0), "10.00 EUR until 2027-01-14.");
    carries_the_paper(json_array_get(mails, 0));
    json_decref(mails);
    mr_peer_stop(&sink);
    stop();
}
END_TEST

START_TEST(a_customer_without_an_address_leaves_the_invoice_and_says_so)
{
    start();
    mr_mariadb_do(&shop.db, "INSERT INTO billing_customers (id, name) VALUES ('bob', 'Bob')");
    mr_shop_push(&shop, MAILED("i-1", "bob", ""));
    mr_shop_await_letter(&shop, "failed",
                         "invoice INV-000001 is issued, but not mailed: customer bob has no "
                         "email in billing_customers");
    mr_mariadb_do(&shop.db, "UPDATE billing_customers SET email = 'b@x.org' WHERE id = 'bob'");
    mr_shop_push(&shop, MAILED("i-1", "bob", ""));
    mr_shop_await_done(&shop, SOON_MS);
    json_decref(mail(0, 1));
    ck_assert_int_eq(count("billing_invoices WHERE pdf_at IS NOT NULL"), 1);
    stop();
}
END_TEST

START_TEST(a_thousand_lines_make_one_invoice_of_many_pages)
{
    struct mr_buf lines = {0};
    const char *const words[] = {"line 1 ", "line 1000 ", "1,000.00 EUR"};

    start();
    for (int n = 1; n <= 1000; n++)
        mr_buf_printf(
            &lines, "%s{\"text\":\"line %d .\",\"quantity\":1,\"unit_minor\":100,\"tax_bp\":0}",
            n > 1 ? "," : "", n);
    mr_buf_text(&lines, "]}}");
    char *payload =
        mr_asprintf("{\"uuid\":\"i-1\",\"job\":\"billing.invoice\",\"data\":{\"customer\":"
                    "\"ann\",\"currency\":\"EUR\",\"lines\":[%s",
                    lines.at);
    mr_mill_push_raw(&shop.mill, "main", payload, strlen(payload));
    mr_shop_await_done(&shop, SOON_MS);
    expect_text("1000 100000", "SELECT CONCAT_WS(' ', MAX(line_no), SUM(net_minor)) FROM "
                               "billing_invoice_lines WHERE invoice = 'i-1'");
    mr_shop_expect_paper(&shop, KEY, words, MR_COUNT(words));
    free(payload);
    mr_buf_fini(&lines);
    stop();
}
END_TEST

/* All bytes of a stored file, the caller's. */
static struct mr_buf bytes_of(const char *key)
{
    char path[PATH_MAX], piece[4096];
    struct mr_buf bytes = {0};
    size_t n;

    snprintf(path, sizeof(path), "%s/%s", shop.files, key);
    FILE *file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    while ((n = fread(piece, 1, sizeof(piece), file)) > 0)
        mr_buf_add(&bytes, piece, n);
    fclose(file);
    return bytes;
}

static void remove_paper(const char *key)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/%s", shop.files, key);
    ck_assert_int_eq(unlink(path), 0);
}

START_TEST(the_same_invoice_again_issues_nothing_and_mends_the_paper)
{
    start();
    issue_one(500);
    struct mr_buf first = bytes_of(KEY);
    remove_paper(KEY);
    issue_one(500);
    ck_assert_int_eq(count("billing_invoices"), 1);
    ck_assert_int_eq(count("billing_ledger"), 3);
    ck_assert(mr_shop_has_pdf(&shop, KEY));
    struct mr_buf second = bytes_of(KEY);
    ck_assert_uint_eq(first.len, second.len);
    ck_assert_mem_eq(first.at, second.at, first.len);
    mr_buf_fini(&first);
    mr_buf_fini(&second);
    stop();
}
END_TEST

START_TEST(what_a_killed_worker_left_half_drawn_is_swept_later)
{
    static const char left[] = "invoices/INV/.000009.pdf.0123456789abcdef.part";
    char path[PATH_MAX], command[2 * PATH_MAX];

    start();
    snprintf(path, sizeof(path), "%s/%s", shop.files, left);
    snprintf(command, sizeof(command),
             "mkdir -p %s/invoices/INV && touch -d '2 hours ago' '%s'", shop.files, path);
    ck_assert_int_eq(system(command), 0);
    issue_one(500);
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert(mr_shop_has_pdf(&shop, KEY));
    stop();
}
END_TEST

START_TEST(a_paper_that_is_there_is_left_alone)
{
    struct stat before, after;
    char path[PATH_MAX];

    start();
    issue_one(500);
    snprintf(path, sizeof(path), "%s/" KEY, shop.files);
    ck_assert_int_eq(stat(path, &before), 0);
    issue_one(500);
    ck_assert_int_eq(stat(path, &after), 0);
    ck_assert_uint_eq(before.st_ino, after.st_ino);
    stop();
}
END_TEST

/* A database that began anew counts from 1 again, and the folder remembers. */
START_TEST(a_paper_of_another_invoice_is_none_of_this_one)
{
    char command[2 * PATH_MAX];

    start();
    snprintf(command, sizeof(command), "mkdir -p %s/invoices/INV && echo another > %s/" KEY,
             shop.files, shop.files);
    ck_assert_int_eq(system(command), 0);
    issue_one(500);
    ck_assert(mr_shop_has_pdf(&shop, KEY));
    stop();
}
END_TEST

START_TEST(many_first_invoices_of_a_series_at_once_leave_no_gap)
{
    enum { INVOICES = 200 };

    start();
    mr_mill_pause(&shop.mill, "main");
    for (unsigned n = 1; n <= INVOICES; n++)
        mr_shop_push_invoice(&shop, n % 2 ? "A-1" : "B", n, n);
    mr_mill_resume(&shop.mill, "main");
    mr_shop_await_done(&shop, 60000);
    ck_assert_int_eq(count("billing_invoices WHERE series = 'A-1'"), INVOICES / 2);
    ck_assert_int_eq(count("billing_invoices WHERE series = 'B'"), INVOICES / 2);
    ck_assert_int_eq(count("billing_invoices WHERE pdf_at IS NOT NULL"), INVOICES);
    stop();
}
END_TEST

/* ---- what can never be done ---- */

#define INVOICE(data) "{\"uuid\":\"x-1\",\"job\":\"billing.invoice\",\"data\":" data "}"
#define ONE_LINE "\"lines\":[{\"text\":\"t\",\"quantity\":1,\"unit_minor\":1,\"tax_bp\":0}]"

/* clang-format off */
static const struct {
    const char *payload, *class, *reason;
} hopeless[] = {
    {"{\"job\":\"billing.invoice\",\"data\":{}}", "failed", "the job has no uuid"},
    {"{\"uuid\":\"x-1\",\"job\":\"billing.invoice\"}", "failed", "data must be an object {customer, currency, lines}, not null"},
    {INVOICE("{\"customer\":\"ann\",\"currency\":\"EUR\"}"), "failed", "data.lines is missing: it must be a list"},
    {INVOICE("{\"customer\":\"ann\",\"currency\":\"EUR\",\"lines\":[{\"text\":\"t\",\"quantity\":1,\"unit_minor\":\"12\",\"tax_bp\":0}]}"), "failed",
     "data.lines[0].unit_minor must be a whole number of minor units (cents), not a string"},
    {INVOICE("{\"customer\":\"ann\",\"currency\":\"XAU\"," ONE_LINE "}"), "failed", "data.currency: \"XAU\" has no minor unit"},
    {INVOICE("{\"customer\":\"eve\",\"currency\":\"EUR\"," ONE_LINE "}"), "failed",
     "data.customer \"eve\": there is no such customer in billing_customers"},
    {INVOICE("{\"customer\":\"ann \",\"currency\":\"EUR\"," ONE_LINE "}"), "failed",
     "data.customer \"ann \": there is no such customer in billing_customers"},
    {INVOICE("{\"customer\":\"ann\",\"currency\":\"EUR\",\"lines\":[{\"text\":\"t\",\"quantity\":9,\"unit_minor\":9223372036854775807,\"tax_bp\":0}]}"), "failed",
     "data.lines[0]: 9 times 9223372036854775807 is beyond int64"},
    {INVOICE("{\"customer\":\"ann\",\"currency\":\"EUR\",\"lines\":[{\"text\":\"t\",\"quantity\":1,\"unit_minor\":9223372036854775808,\"tax_bp\":0}]}"), "refused",
     "integer"},
    {"{\"uuid\":\"INV-job-1\",\"job\":\"billing.invoice\",\"data\":{\"customer\":\"ann\",\"currency\":\"EUR\"," ONE_LINE "}}", "failed",
     "uuid INV-job-1 has issued INV-000001 already, with other values"},
    {"{\"uuid\":\"INV-job-1\",\"job\":\"billing.invoice\",\"data\":{\"customer\":\"ann\",\"currency\":\"EUR\",\"lines\":[{\"text\":\"rye\",\"quantity\":1,\"unit_minor\":502,\"tax_bp\":0}]}}", "failed",
     "uuid INV-job-1 has issued INV-000001 already, with other values"},
};
/* clang-format on */

START_TEST(what_can_never_be_done_is_dead_with_the_reason)
{
    start();
    issue_one(502);
    for (size_t i = 0; i < MR_COUNT(hopeless); i++) {
        mr_shop_push(&shop, "%s", hopeless[i].payload);
        mr_shop_await_letter(&shop, hopeless[i].class, hopeless[i].reason);
    }
    ck_assert_int_eq(count("billing_invoices"), 1);
    ck_assert_int_eq(count("millrace_inbox"), 1);
    stop();
}
END_TEST

/* ---- what goes away ---- */

START_TEST(a_database_that_is_away_costs_no_attempt)
{
    mr_shop_start(&shop, MR_SHOP_POOLS, "", NULL);
    mr_mariadb_kill(&shop.db);
    mr_mill_dispatch(&shop.mill, 0, 1);
    mr_shop_push(&shop,
                 "{\"uuid\":\"i-1\",\"job\":\"billing.invoice\",\"maxTries\":1,\"data\":{"
                 "\"customer\":\"ann\",\"currency\":\"EUR\"," ONE_LINE "}}");
    mr_wait_for(mr_proc_said(&shop.mill.dispatchers[0], "billing.peer_away"), SOON_MS);
    ck_assert(mr_proc_said(&shop.mill.dispatchers[0], shop.db.socket));
    mr_mariadb_again(&shop.db, NULL);
    mr_shop_await_done(&shop, SOON_MS);
    ck_assert_int_eq(count("billing_invoices"), 1);
    stop();
}
END_TEST

START_TEST(a_database_killed_in_the_middle_loses_and_doubles_nothing)
{
    enum { INVOICES = 300 };

    start();
    for (unsigned n = 1; n <= INVOICES; n++)
        mr_shop_push_invoice(&shop, "INV", n, n);
    mr_wait_for(count("billing_invoices") > INVOICES / 10, SOON_MS);
    mr_mariadb_kill(&shop.db);
    mr_mariadb_again(&shop.db, NULL);
    mr_shop_await_done(&shop, 60000);
    ck_assert_int_eq(count("billing_invoices"), INVOICES);
    ck_assert_int_eq(count("billing_ledger"), 3 * INVOICES);
    ck_assert_int_eq(count("billing_invoices WHERE pdf_at IS NULL"), 0);
    stop();
}
END_TEST

/* A disk of its own under storage.path, seen by this test and what it starts; false where mounting is not allowed. */
static bool mount_small_disk(void)
{
    if (mkdir(shop.files, 0700) != 0 || unshare(CLONE_NEWNS) != 0 ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return false;
    return mount("none", shop.files, "tmpfs", 0, "size=256k") == 0;
}

static void fill_disk(const char *path)
{
    static const char zeros[4096];
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    ck_assert_int_ge(fd, 0);
    while (write(fd, zeros, sizeof(zeros)) > 0)
        ;
    close(fd);
}

START_TEST(a_full_disk_keeps_the_number_and_the_paper_follows)
{
    char filler[PATH_MAX];

    mr_shop_start(&shop, MR_SHOP_POOLS, "", NULL);
    if (!mount_small_disk()) {
        printf("# no mount here: a full disk is not tried\n");
        mr_shop_stop(&shop);
        return;
    }
    mr_mill_dispatch(&shop.mill, 0, 1);
    snprintf(filler, sizeof(filler), "%s/filler", shop.files);
    fill_disk(filler);
    mr_shop_push(&shop,
                 "{\"uuid\":\"i-1\",\"job\":\"billing.invoice\",\"maxTries\":2,\"data\":{"
                 "\"customer\":\"ann\",\"currency\":\"EUR\"," ONE_LINE "}}");
    mr_shop_await_letter(&shop, "exhausted",
                         "invoice INV-000001 is issued, but its PDF is not stored");
    ck_assert(!mr_shop_has_pdf(&shop, KEY));
    ck_assert_int_eq(count("billing_invoices WHERE pdf_at IS NULL"), 1);
    ck_assert_int_eq(unlink(filler), 0);
    mr_shop_push(&shop, "%s",
                 "{\"uuid\":\"i-1\",\"job\":\"billing.invoice\",\"data\":{"
                 "\"customer\":\"ann\",\"currency\":\"EUR\"," ONE_LINE "}}");
    mr_shop_await_done(&shop, SOON_MS);
    ck_assert(mr_shop_has_pdf(&shop, KEY));
    ck_assert_int_eq(count("billing_invoices WHERE pdf_at IS NOT NULL"), 1);
    mr_mill_drain(&shop.mill, 0, SOON_MS);
    umount2(shop.files, MNT_DETACH); /* and with it the paper that an audit would look for */
    mr_shop_check_books(&shop);
    mr_shop_stop(&shop);
}
END_TEST
int main(void)
{
    const struct mr_test tests[] = {
        {an_invoice_is_numbered_booked_and_printed,                    MR_COUNT(currencies)},
        {a_thousand_lines_make_one_invoice_of_many_pages,              0                   },
        {an_invoice_is_followed_by_its_mail_under_one_name,            0                   },
        {the_mail_brings_the_paper_itself,                             0                   },
        {a_customer_without_an_address_leaves_the_invoice_and_says_so, 0                   },
        {days_and_notes_are_printed,                                   0                   },
        {the_same_invoice_again_issues_nothing_and_mends_the_paper,    0                   },
        {what_a_killed_worker_left_half_drawn_is_swept_later,          0                   },
        {a_paper_that_is_there_is_left_alone,                          0                   },
        {a_paper_of_another_invoice_is_none_of_this_one,               0                   },
        {many_first_invoices_of_a_series_at_once_leave_no_gap,         0                   },
        {what_can_never_be_done_is_dead_with_the_reason,               0                   },
        {a_database_that_is_away_costs_no_attempt,                     0                   },
        {a_database_killed_in_the_middle_loses_and_doubles_nothing,    0                   },
        {a_full_disk_keeps_the_number_and_the_paper_follows,           0                   },
    };

    return mr_suite_run_slow("billing", tests, 120);
}
