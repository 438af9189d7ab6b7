/*
 * What a worker that issues invoices is measured beside: the same statements, prepared by hand, in the same transactions on a connection for each thread,
 * and the same document by the same calls of cairo and pango (jobs/services/pdf) into a file that is synced and renamed. No queue, no
 * checks, no second look at what the database has.
 *
 *     bench-invoices --socket PATH --database NAME --folder DIR --threads T --invoices N
 */
#include "jobs/services/pdf.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"

#include <fcntl.h>
#include <getopt.h>
#include <mysql.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINES = 3, THREADS_MAX = 64, PATH_MAX_BYTES = 256 };

/* The statements of one invoice, in their order. */
enum statement {
    INBOX,
    CUSTOMER,
    LEDGER,
    NUMBER,
    HEAD,
    LINE,
    READ_HEAD,
    READ_LINES,
    DRAWN,
    STATEMENTS
};

static const char *const statements[STATEMENTS] = {
    [INBOX] =
        "INSERT INTO millrace_inbox (uuid, job, result) VALUES (?, 'billing.invoice', '{}')",
    [CUSTOMER] = "SELECT id FROM billing_customers WHERE id = 'ann'",
    [LEDGER] = "INSERT INTO billing_ledger (uuid, account, currency, amount_minor) VALUES (?, "
               "?, 'EUR', ?)",
    [NUMBER] = "INSERT INTO billing_series (name, year, last_number) VALUES ('INV', 0, "
               "LAST_INSERT_ID(1)) ON DUPLICATE KEY UPDATE last_number = "
               "LAST_INSERT_ID(last_number + 1)",
    [HEAD] = "INSERT INTO billing_invoices (uuid, series, number, printed, customer, currency, "
             "net_minor, tax_minor, total_minor, issued_on, pdf_key) VALUES (?, 'INV', ?, ?, "
             "'ann', 'EUR', 3000, 570, 3570, CURRENT_DATE, ?)",
    [LINE] = "INSERT INTO billing_invoice_lines (invoice, line_no, text, quantity, unit_minor, "
             "tax_bp, net_minor, tax_minor) VALUES (?, ?, 'Flour, fine, a sack', 1, 1000, "
             "1900, 1000, 190)",
    [READ_HEAD] = "SELECT i.printed, i.issued_on, c.name, c.address FROM billing_invoices i "
                  "JOIN billing_customers c ON c.id = i.customer WHERE i.uuid = ?",
    [READ_LINES] = "SELECT text, quantity, unit_minor, tax_bp, net_minor FROM "
                   "billing_invoice_lines WHERE invoice = ? ORDER BY line_no",
    [DRAWN] = "UPDATE billing_invoices SET pdf_at = CURRENT_TIMESTAMP(3) WHERE uuid = ?",
};

/* What all threads share. */
struct shop {
    const char *socket, *database, *folder;
    unsigned long threads;
    unsigned long long invoices;
    struct mr_pdf_press *press;
    atomic_ullong next;
};

/* One thread's. */
struct desk {
    struct shop *shop;
    MYSQL *mysql;
    MYSQL_STMT *prepared[STATEMENTS];
};

static void give_up(const char *what, const char *why)
{
    fprintf(stderr, "bench-invoices: %s: %s\n", what, why);
    exit(70);
}

/* ---- the database ---- */

static MYSQL_BIND text(const char *value)
{
    MYSQL_BIND bind = {0};

    bind.buffer_type = MYSQL_TYPE_STRING;
    bind.buffer = (char *)(uintptr_t)value;
    bind.buffer_length = strlen(value);
    return bind;
}

static MYSQL_BIND number(const long long *value)
{
    MYSQL_BIND bind = {0};

    bind.buffer_type = MYSQL_TYPE_LONGLONG;
    bind.buffer = (char *)(uintptr_t)value;
    return bind;
}

static void run(struct desk *desk, enum statement which, MYSQL_BIND *values)
{
    MYSQL_STMT *statement = desk->prepared[which];

    if ((values && mysql_stmt_bind_param(statement, values)) || mysql_stmt_execute(statement))
        give_up(statements[which], mysql_stmt_error(statement));
    if (mysql_stmt_field_count(statement) == 0)
        return;
    while (mysql_stmt_fetch(statement) == 0)
        continue;
    mysql_stmt_free_result(statement);
}

static void say(struct desk *desk, const char *sql)
{
    if (mysql_query(desk->mysql, sql))
        give_up(sql, mysql_error(desk->mysql));
}

static void connect_to(struct desk *desk)
{
    const struct shop *shop = desk->shop;

    desk->mysql = mysql_init(NULL);
    if (!mysql_real_connect(desk->mysql, NULL, "root", NULL, shop->database, 0, shop->socket,
                            0))
        give_up(shop->socket, mysql_error(desk->mysql));
    say(desk, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED");
    for (unsigned i = 0; i < STATEMENTS; i++) {
        desk->prepared[i] = mysql_stmt_init(desk->mysql);
        if (mysql_stmt_prepare(desk->prepared[i], statements[i], strlen(statements[i])))
            give_up(statements[i], mysql_stmt_error(desk->prepared[i]));
    }
}

static void enter(struct desk *desk, const char *uuid, const char *account, long long minor)
{
    MYSQL_BIND values[] = {text(uuid), text(account), number(&minor)};

    run(desk, LEDGER, values);
}

static void issue(struct desk *desk, const char *uuid, char *out_printed, char *out_key)
{
    MYSQL_BIND inbox[] = {text(uuid)};

    say(desk, "START TRANSACTION");
    run(desk, INBOX, inbox);
    run(desk, CUSTOMER, NULL);
    enter(desk, uuid, "receivable:ann", 3570);
    enter(desk, uuid, "revenue", -3000);
    enter(desk, uuid, "tax", -570);
    run(desk, NUMBER, NULL);
    long long given = (long long)mysql_stmt_insert_id(desk->prepared[NUMBER]);
    snprintf(out_printed, 32, "INV-%06lld", given);
    snprintf(out_key, 48, "invoices/INV/%06lld.pdf", given);
    MYSQL_BIND head[] = {text(uuid), number(&given), text(out_printed), text(out_key)};
    run(desk, HEAD, head);
    for (long long no = 1; no <= LINES; no++) {
        MYSQL_BIND line[] = {text(uuid), number(&no)};

        run(desk, LINE, line);
    }
    say(desk, "COMMIT");
}

/* ---- the paper ---- */

static enum mr_code on_bytes(void *arg, const void *bytes, size_t len, struct mr_err *err)
{
    return fwrite(bytes, 1, len, arg) == len ? MR_OK : mr_fail(err, MR_EIO, "cannot write");
}

/* As jobs/billing/paper.c lays it out. */
static void lay_out(struct mr_pdf *pdf, const char *printed)
{
    static const struct mr_pdf_column columns[] = {
        {"No",       28, 0, MR_PDF_RIGHT},
        {"Text",     0,  1, MR_PDF_LEFT },
        {"Quantity", 56, 0, MR_PDF_RIGHT},
        {"Price",    96, 0, MR_PDF_RIGHT},
        {"Tax",      48, 0, MR_PDF_RIGHT},
        {"Net",      96, 0, MR_PDF_RIGHT},
    };
    char title[48];

    snprintf(title, sizeof(title), "Invoice %s", printed);
    mr_pdf_text(pdf, MR_PDF_SMALL, "Bench Shop, Mill Lane 7");
    mr_pdf_gap(pdf, 14);
    mr_pdf_text(pdf, MR_PDF_NORMAL, "Ann");
    mr_pdf_text(pdf, MR_PDF_NORMAL, "Long Street 1\n10115 Berlin");
    mr_pdf_gap(pdf, 14);
    mr_pdf_text(pdf, MR_PDF_TITLE, title);
    mr_pdf_pair(pdf, "Number", printed);
    mr_pdf_pair(pdf, "Date", "2026-11-25");
    mr_pdf_pair(pdf, "Customer", "ann");
    mr_pdf_gap(pdf, 14);
    mr_pdf_table_begin(pdf, columns, MR_COUNT(columns));
    for (unsigned i = 0; i < LINES; i++)
        mr_pdf_row(pdf, MR_PDF_NORMAL,
                   (const char *const[]){"1", "Flour, fine, a sack", "1", "10.00 EUR", "19 %",
                                         "10.00 EUR"});
    for (unsigned i = 0; i < 3; i++)
        mr_pdf_row(pdf, i == 1 ? MR_PDF_NORMAL : MR_PDF_BOLD,
                   (const char *const[]){NULL, "Net", NULL, NULL, NULL, "35.70 EUR"});
    mr_pdf_table_end(pdf);
}

static void draw(struct desk *desk, const char *printed, const char *key)
{
    const struct mr_pdf_about about = {.title = printed, .author = "Bench Shop, Mill Lane 7"};
    char path[PATH_MAX_BYTES], part[PATH_MAX_BYTES + 8];
    struct mr_pdf *pdf = NULL;
    struct mr_err err;

    snprintf(path, sizeof(path), "%s/%s", desk->shop->folder, key);
    snprintf(part, sizeof(part), "%s.part", path);
    FILE *file = fopen(part, "we");
    if (!file)
        give_up("cannot create", part);
    if (mr_pdf_new(desk->shop->press, &about, on_bytes, file, &pdf, &err) != MR_OK)
        give_up("the document", err.text);
    lay_out(pdf, printed);
    if (mr_pdf_finish(pdf, &err) != MR_OK)
        give_up("the document", err.text);
    if (fflush(file) || fsync(fileno(file)) || fclose(file) || rename(part, path))
        give_up("cannot keep", path);
}

/* ---- the threads ---- */

static void *work(void *arg)
{
    struct desk *desk = arg;
    unsigned long long i;
    char uuid[48], printed[32], key[48];

    connect_to(desk);
    while ((i = atomic_fetch_add(&desk->shop->next, 1)) < desk->shop->invoices) {
        snprintf(uuid, sizeof(uuid), "0192f5b0-0000-7000-9000-%012llu", i);
        MYSQL_BIND values[] = {text(uuid)};
        issue(desk, uuid, printed, key);
        run(desk, READ_HEAD, values);
        run(desk, READ_LINES, values);
        draw(desk, printed, key);
        run(desk, DRAWN, values);
    }
    mysql_close(desk->mysql);
    return NULL;
}

static double issue_all(struct shop *shop)
{
    static struct desk desks[THREADS_MAX];
    pthread_t threads[THREADS_MAX];
    uint64_t from_us = mr_clock_us();

    for (unsigned long i = 0; i < shop->threads; i++) {
        desks[i].shop = shop;
        if (pthread_create(&threads[i], NULL, work, &desks[i]) != 0)
            give_up("a thread", "cannot be started");
    }
    for (unsigned long i = 0; i < shop->threads; i++)
        pthread_join(threads[i], NULL);
    return (double)(mr_clock_us() - from_us) / 1e6;
}

static void make_folders(const char *folder)
{
    char path[PATH_MAX_BYTES];

    mkdir(folder, 0750);
    snprintf(path, sizeof(path), "%s/invoices", folder);
    mkdir(path, 0750);
    snprintf(path, sizeof(path), "%s/invoices/INV", folder);
    mkdir(path, 0750);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"socket",           required_argument, NULL, 's'},
        {"database",              required_argument, NULL, 'd'},
        {"folder",                  required_argument, NULL, 'f'},
        {"threads",required_argument, NULL, 't'},
        {"invoices",               required_argument, NULL, 'n'},
        {0          }
    };
    static struct shop shop;

    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 's')
            shop.socket = optarg;
        else if (c == 'd')
            shop.database = optarg;
        else if (c == 'f')
            shop.folder = optarg;
        else if (c == 't')
            shop.threads = strtoul(optarg, NULL, 10);
        else if (c == 'n')
            shop.invoices = strtoull(optarg, NULL, 10);
        else
            return 64;
    }
    if (!shop.socket || !shop.database || !shop.folder || shop.threads < 1 ||
        shop.threads > THREADS_MAX)
        return 64;
    make_folders(shop.folder);
    mysql_library_init(0, NULL, NULL);
    shop.press = mr_pdf_press_new();
    printf("{\"seconds\":%.6f}\n", issue_all(&shop));
    mr_pdf_press_free(shop.press);
    mysql_library_end();
    return 0;
}
