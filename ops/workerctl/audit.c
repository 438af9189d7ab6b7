#include "ops/workerctl/audit.h"

#include "proto/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE = 1000 };

/*
 * Each gives a row, subject and finding, for each thing that is wrong, and is told to give no more than it should. What the ledger has of a
 * customer stands on the account receivable:<customer>.
 */
struct check {
    const char *name, *sql;
};

#define LINES_OF                                                                               \
    "(SELECT invoice, SUM(net_minor) AS net, SUM(tax_minor) AS tax, COUNT(*) AS n, "           \
    "MAX(line_no) AS last FROM billing_invoice_lines GROUP BY invoice) l"

#define REFUNDS_BY(column)                                                                     \
    "(SELECT " column ", COUNT(*) AS n, SUM(amount_minor) AS given FROM billing_refunds "      \
    "WHERE state = 'ok' GROUP BY " column ") r"

/* What the ledger has of each charge or refund: its cash, and what it moved on its customer's account. */
#define MOVED_BY(table)                                                                        \
    "(SELECT b.uuid, b.currency, SUM(IF(b.account = 'cash', b.amount_minor, 0)) AS cash, "     \
    "SUM(IF(b.account = CONCAT('receivable:', i.customer), b.amount_minor, 0)) AS receivable " \
    "FROM billing_ledger b JOIN " table " d ON d.uuid = b.uuid JOIN billing_invoices i "       \
    "ON i.uuid = d.invoice GROUP BY b.uuid, b.currency) b"

#define OTHER_CURRENCY(table)                                                                  \
    "SELECT d.uuid, CONCAT('is in ', d.currency, ', its invoice ', i.printed, ' in ', "        \
    "i.currency) FROM " table " d JOIN billing_invoices i ON i.uuid = d.invoice "              \
    "WHERE d.currency <> i.currency"

/* clang-format off */
static const struct check checks[] = {
    {"ledger",
     "SELECT uuid, CONCAT('its rows sum to ', SUM(amount_minor), ' ', currency, ', not to 0') FROM billing_ledger "
     "GROUP BY uuid, currency HAVING SUM(amount_minor) <> 0"},
    {"ledger",
     "SELECT currency, CONCAT('all rows sum to ', SUM(amount_minor), ', not to 0') FROM billing_ledger "
     "GROUP BY currency HAVING SUM(amount_minor) <> 0"},
    {"ledger",
     "SELECT b.uuid, CONCAT('has ', COUNT(*), ' rows, and is no invoice, charge or refund') FROM billing_ledger b "
     "LEFT JOIN billing_invoices i ON i.uuid = b.uuid LEFT JOIN billing_charges c ON c.uuid = b.uuid "
     "LEFT JOIN billing_refunds r ON r.uuid = b.uuid WHERE i.uuid IS NULL AND c.uuid IS NULL AND r.uuid IS NULL GROUP BY b.uuid"},
    {"lines",
     "SELECT i.printed, CONCAT('its lines sum to ', l.net, ' and ', l.tax, ' tax, the invoice says ', i.net_minor, ' and ', i.tax_minor) "
     "FROM billing_invoices i JOIN " LINES_OF " ON l.invoice = i.uuid WHERE l.net <> i.net_minor OR l.tax <> i.tax_minor"},
    {"lines",
     "SELECT i.printed, CONCAT('has ', COALESCE(l.n, 0), ' lines, the last is number ', COALESCE(l.last, 0)) "
     "FROM billing_invoices i LEFT JOIN " LINES_OF " ON l.invoice = i.uuid WHERE l.n IS NULL OR l.n <> l.last"},
    /* Half a unit away is right where the tax is even. */
    {"lines",
     "SELECT i.printed, CONCAT('line ', l.line_no, ': ', l.quantity, ' times ', l.unit_minor, ' at ', l.tax_bp, "
     "' bp tax are not ', l.net_minor, ' and ', l.tax_minor) "
     "FROM billing_invoice_lines l JOIN billing_invoices i ON i.uuid = l.invoice "
     "WHERE CAST(l.net_minor AS DECIMAL(40)) <> CAST(l.quantity AS DECIMAL(40)) * l.unit_minor "
     "OR ABS(CAST(l.tax_minor AS DECIMAL(40)) * 10000 - CAST(l.net_minor AS DECIMAL(40)) * l.tax_bp) > 5000 - ABS(MOD(l.tax_minor, 2))"},
    {"invoice",
     "SELECT printed, CONCAT('its total ', total_minor, ' is not ', net_minor, ' and ', tax_minor, ' tax') "
     "FROM billing_invoices WHERE total_minor <> net_minor + tax_minor"},
    {"invoice",
     "SELECT i.printed, CONCAT('the ledger has ', COALESCE(b.receivable, 0), ' receivable, ', COALESCE(-b.revenue, 0), ' revenue and ', "
     "COALESCE(-b.tax, 0), ' tax of it; it says ', i.total_minor, ', ', i.net_minor, ' and ', i.tax_minor) FROM billing_invoices i "
     "LEFT JOIN (SELECT b.uuid, b.currency, SUM(IF(b.account = CONCAT('receivable:', i.customer), b.amount_minor, 0)) AS receivable, "
     "SUM(IF(b.account = 'revenue', b.amount_minor, 0)) AS revenue, SUM(IF(b.account = 'tax', b.amount_minor, 0)) AS tax "
     "FROM billing_ledger b JOIN billing_invoices i ON i.uuid = b.uuid GROUP BY b.uuid, b.currency) b "
     "ON b.uuid = i.uuid AND b.currency = i.currency "
     "WHERE b.uuid IS NULL OR b.receivable <> i.total_minor OR b.revenue <> -i.net_minor OR b.tax <> -i.tax_minor"},
    {"numbers",
     "SELECT CONCAT(series, IF(year = 0, '', CONCAT(' of ', year))), IF(number = before_it + 2, "
     "CONCAT('number ', number - 1, ' is missing'), CONCAT('numbers ', before_it + 1, ' to ', number - 1, ' are missing')) "
     "FROM (SELECT series, year, number, COALESCE(LAG(number) OVER (PARTITION BY series, year ORDER BY number), 0) AS before_it "
     "FROM billing_invoices) x WHERE number <> before_it + 1"},
    {"numbers",
     "SELECT CONCAT(s.name, IF(s.year = 0, '', CONCAT(' of ', s.year))), CONCAT('billing_series says that ', s.last_number, "
     "' was the last number, the last invoice has ', COALESCE(i.last, 0)) FROM billing_series s LEFT JOIN (SELECT series, year, "
     "MAX(number) AS last FROM billing_invoices GROUP BY series, year) i ON i.series = s.name AND i.year = s.year "
     "WHERE s.last_number <> COALESCE(i.last, 0)"},
    {"charge",
     "SELECT c.uuid, CONCAT('is ok with ', c.amount_minor, ' ', c.currency, ', the ledger has ', COALESCE(b.cash, 0), ' cash of it and ', "
     "COALESCE(-b.receivable, 0), ' paid by ', COALESCE(i.customer, 'nobody')) FROM billing_charges c "
     "LEFT JOIN billing_invoices i ON i.uuid = c.invoice LEFT JOIN " MOVED_BY("billing_charges") " ON b.uuid = c.uuid AND b.currency = c.currency "
     "WHERE c.state = 'ok' AND (COALESCE(b.cash, 0) <> c.amount_minor OR COALESCE(b.receivable, 0) <> -c.amount_minor)"},
    {"charge",
     "SELECT b.uuid, CONCAT('the ledger has ', b.amount_minor, ' ', b.currency, ' cash of it, but no charge of this uuid is ok') "
     "FROM billing_ledger b LEFT JOIN billing_charges c ON c.uuid = b.uuid AND c.state = 'ok' "
     "WHERE b.account = 'cash' AND b.amount_minor > 0 AND c.uuid IS NULL"},
    {"charge",
     "SELECT c.uuid, CONCAT('is for ', c.invoice, ', and there is no such invoice') "
     "FROM billing_charges c LEFT JOIN billing_invoices i ON i.uuid = c.invoice WHERE i.uuid IS NULL"},
    {"charge",
     "SELECT i.printed, CONCAT(c.n, ' charges of ', c.paid, ' ', i.currency, ' are ok, and its total is ', i.total_minor) "
     "FROM billing_invoices i JOIN (SELECT invoice, COUNT(*) AS n, SUM(amount_minor) AS paid FROM billing_charges "
     "WHERE state = 'ok' GROUP BY invoice) c ON c.invoice = i.uuid LEFT JOIN " REFUNDS_BY("invoice") " ON r.invoice = i.uuid "
     "WHERE c.paid - COALESCE(r.given, 0) > i.total_minor"},
    {"charge", OTHER_CURRENCY("billing_charges")},
    {"refund", OTHER_CURRENCY("billing_refunds")},
    {"refund",
     "SELECT r.uuid, CONCAT('is ok with ', r.amount_minor, ' ', r.currency, ', the ledger has ', COALESCE(-b.cash, 0), ' cash of it and ', "
     "COALESCE(b.receivable, 0), ' given back to ', COALESCE(i.customer, 'nobody')) FROM billing_refunds r "
     "LEFT JOIN billing_invoices i ON i.uuid = r.invoice LEFT JOIN " MOVED_BY("billing_refunds") " ON b.uuid = r.uuid AND b.currency = r.currency "
     "WHERE r.state = 'ok' AND (COALESCE(b.cash, 0) <> -r.amount_minor OR COALESCE(b.receivable, 0) <> r.amount_minor)"},
    {"refund",
     "SELECT b.uuid, CONCAT('the ledger has ', b.amount_minor, ' ', b.currency, ' cash of it, but no refund of this uuid is ok') "
     "FROM billing_ledger b LEFT JOIN billing_refunds r ON r.uuid = b.uuid AND r.state = 'ok' "
     "WHERE b.account = 'cash' AND b.amount_minor < 0 AND r.uuid IS NULL"},
    {"refund",
     "SELECT c.uuid, CONCAT(r.n, ' refunds of ', r.given, ' ', c.currency, ' are ok, and the charge is ', c.state, ' with ', c.amount_minor) "
     "FROM billing_charges c JOIN " REFUNDS_BY("charge") " ON r.charge = c.uuid WHERE r.given > IF(c.state = 'ok', c.amount_minor, 0)"},
    {"credit",
     "SELECT i.printed, CONCAT(r.n, ' refunds of ', r.given, ' ', i.currency, ' pay it out, and its total is ', -i.total_minor) "
     "FROM billing_invoices i JOIN " REFUNDS_BY("credit") " ON r.credit = i.uuid WHERE r.given > -i.total_minor"},
    {"credit",
     "SELECT i.printed, CONCAT(c.n, ' credit notes of ', c.net, ' ', i.currency, ' and ', c.tax, ' tax; it has ', i.net_minor, ' and ', i.tax_minor) "
     "FROM billing_invoices i JOIN (SELECT n.invoice, COUNT(*) AS n, -SUM(o.net_minor) AS net, -SUM(o.tax_minor) AS tax "
     "FROM billing_credits n JOIN billing_invoices o ON o.uuid = n.uuid GROUP BY n.invoice) c ON c.invoice = i.uuid "
     "WHERE c.net > i.net_minor OR c.tax > i.tax_minor"},
    {"credit",
     "SELECT n.uuid, CONCAT('is no invoice below 0, and says that it credits ', n.invoice) FROM billing_credits n "
     "LEFT JOIN billing_invoices i ON i.uuid = n.uuid WHERE COALESCE(i.total_minor, 0) >= 0"},
    {"credit",
     "SELECT i.printed, CONCAT('is below 0, ', i.total_minor, ', and says nowhere what it credits') FROM billing_invoices i "
     "LEFT JOIN billing_credits n ON n.uuid = i.uuid WHERE i.total_minor < 0 AND n.uuid IS NULL"},
    {"credit",
     "SELECT n.printed, CONCAT('is for ', n.customer, ' in ', n.currency, ', and credits ', i.printed, ' for ', i.customer, ' in ', i.currency) "
     "FROM billing_credits c JOIN billing_invoices n ON n.uuid = c.uuid JOIN billing_invoices i ON i.uuid = c.invoice "
     "WHERE n.customer <> i.customer OR n.currency <> i.currency"},
    {"period",
     "SELECT p.subscription, CONCAT('period ', p.period_start, ' is paid, and of ', i.printed, ', ', i.total_minor, ' ', i.currency, ', only ', "
     "COALESCE(h.paid, 0) + COALESCE(n.credited, 0), ' were charged or credited') FROM billing_subscription_periods p "
     "JOIN billing_invoices i ON i.uuid = p.invoice LEFT JOIN (SELECT invoice, SUM(amount_minor) AS paid FROM billing_charges "
     "WHERE state = 'ok' GROUP BY invoice) h ON h.invoice = i.uuid LEFT JOIN (SELECT c.invoice, -SUM(o.total_minor) AS credited "
     "FROM billing_credits c JOIN billing_invoices o ON o.uuid = c.uuid GROUP BY c.invoice) n ON n.invoice = i.uuid "
     "WHERE p.state = 'paid' AND COALESCE(h.paid, 0) + COALESCE(n.credited, 0) < i.total_minor"},
    {"period",
     "SELECT i.printed, 'was issued by billing.renew, and is no period''s' FROM millrace_inbox m JOIN billing_invoices i ON i.uuid = m.uuid "
     "LEFT JOIN billing_subscription_periods p ON p.invoice = i.uuid WHERE m.job = 'billing.renew' AND p.invoice IS NULL"},
    {"period",
     "SELECT s.id, CONCAT('its next period begins on ', s.period_end, ', and it is invoiced until ', MAX(p.period_end)) "
     "FROM billing_subscriptions s JOIN billing_subscription_periods p ON p.subscription = s.id WHERE s.state <> 'ended' "
     "GROUP BY s.id, s.period_end HAVING s.period_end < MAX(p.period_end)"},
    {"period",
     "SELECT p.subscription, CONCAT('period ', p.period_start, ' was invoiced as ', p.invoice, ', and there is no such invoice') "
     "FROM billing_subscription_periods p LEFT JOIN billing_invoices i ON i.uuid = p.invoice WHERE i.uuid IS NULL"},
    {"period",
     "SELECT a.subscription, CONCAT('period ', a.period_start, ' to ', a.period_end, ' overlaps the one that begins on ', b.period_start) "
     "FROM billing_subscription_periods a JOIN billing_subscription_periods b ON b.subscription = a.subscription "
     "AND b.period_start > a.period_start AND b.period_start < a.period_end"},
    {"paper",
     "SELECT printed, CONCAT('has no PDF, ', TIMESTAMPDIFF(MINUTE, created_at, CURRENT_TIMESTAMP), ' minutes after it was issued: retry its job ', uuid) "
     "FROM billing_invoices WHERE pdf_at IS NULL AND created_at < CURRENT_TIMESTAMP - INTERVAL 1 HOUR"},
};
/* clang-format on */

static void add(json_t *findings, const char *check, const char *subject, const char *finding)
{
    json_array_append_new(findings, json_pack("{s:s, s:s, s:s}", "check", check, "subject",
                                              subject, "finding", finding));
}

/* False once there were as many as are shown, which is said. */
static bool add_counted(json_t *findings, const char *check, MYSQL_ROW row, unsigned *n)
{
    if (++*n > MR_AUDIT_MOST) {
        add(findings, check, "...", "and more of the same: mend these first");
        return false;
    }
    add(findings, check, row[0] ? row[0] : "?", row[1] ? row[1] : "?");
    return true;
}

static enum mr_code look(struct mr_database *database, const struct check *check,
                         json_t *findings, struct mr_err *err)
{
    char *sql = mr_asprintf("%s LIMIT %d", check->sql, MR_AUDIT_MOST + 1);
    MYSQL_RES *result = NULL;
    unsigned n = 0;
    enum mr_code code = mr_database_ask(database, sql, &result, err);

    free(sql);
    if (code != MR_OK)
        return code;
    for (MYSQL_ROW row; (row = mysql_fetch_row(result));)
        if (!add_counted(findings, check->name, row, &n))
            break;
    mysql_free_result(result);
    return MR_OK;
}

/* ---- the PDFs ---- */

/* row: printed number, key and uuid of an invoice that was drawn. */
static enum mr_code look_for_paper(struct mr_storage *storage, MYSQL_ROW row, json_t *findings,
                                   unsigned *n, struct mr_err *err)
{
    enum mr_code code =
        row[1] ? mr_storage_find(storage, row[1], NULL, NULL, err) : MR_ENOTFOUND;

    if (code != MR_ENOTFOUND)
        return code;
    char *finding = mr_asprintf("its PDF %s is not in %s: push its job %s again",
                                row[1] ? row[1] : "(no key)", mr_storage_name(storage), row[2]);
    add_counted(findings, "paper", (char *[]){row[0], finding}, n);
    free(finding);
    return MR_OK;
}

/* A page of those that were drawn, behind the uuid *after, which moves on; it is NULL behind the last. */
static enum mr_code look_for_papers(struct mr_database *database, struct mr_storage *storage,
                                    char **after, json_t *findings, unsigned *n,
                                    struct mr_err *err)
{
    char *behind = mr_database_quote(database, *after);
    char *sql = mr_asprintf("SELECT printed, pdf_key, uuid FROM billing_invoices WHERE pdf_at "
                            "IS NOT NULL AND uuid > %s ORDER BY uuid LIMIT %d",
                            behind, PAGE);
    MYSQL_RES *result = NULL;
    enum mr_code code = mr_database_ask(database, sql, &result, err);

    free(sql);
    free(behind);
    free(*after);
    *after = NULL;
    if (code != MR_OK)
        return code;
    for (MYSQL_ROW row;
         code == MR_OK && *n <= MR_AUDIT_MOST && (row = mysql_fetch_row(result));) {
        free(*after);
        *after = mr_strdup(row[2]);
        code = look_for_paper(storage, row, findings, n, err);
    }
    mysql_free_result(result);
    return code;
}

static enum mr_code check_papers(struct mr_database *database, struct mr_storage *storage,
                                 json_t *findings, struct mr_err *err)
{
    char *after = mr_strdup("");
    unsigned n = 0;
    enum mr_code code = MR_OK;

    while (code == MR_OK && after && n <= MR_AUDIT_MOST)
        code = look_for_papers(database, storage, &after, findings, &n, err);
    free(after);
    return code;
}

/* ---- the whole ---- */

enum mr_code mr_audit_run(struct mr_database *database, struct mr_storage *storage,
                          json_t *findings, struct mr_err *err)
{
    /* What is between two statements of a job would look like a fault. */
    enum mr_code code = mr_database_do(
        database, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", NULL, err);

    if (code == MR_OK)
        code = mr_database_do(database, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
                              NULL, err);
    for (size_t i = 0; code == MR_OK && i < MR_COUNT(checks); i++)
        code = look(database, &checks[i], findings, err);
    if (code == MR_OK && storage)
        code = check_papers(database, storage, findings, err);
    return code;
}

enum mr_code mr_audit_count(struct mr_database *database, json_t **out, struct mr_err *err)
{
    static const struct {
        const char *name, *sql;
    } counts[] = {
        {"invoices",    "SELECT COUNT(*) FROM billing_invoices"},
        {"charges",     "SELECT COUNT(*) FROM billing_charges" },
        {"ledger_rows", "SELECT COUNT(*) FROM billing_ledger"  },
    };
    json_t *all = json_object();
    enum mr_code code = MR_OK;

    for (size_t i = 0; code == MR_OK && i < MR_COUNT(counts); i++) {
        char *value = NULL;

        code = mr_database_value(database, counts[i].sql, &value, err);
        json_object_set_new(all, counts[i].name, json_integer(value ? atoll(value) : 0));
        free(value);
    }
    if (code == MR_OK)
        *out = all;
    else
        json_decref(all);
    return code;
}
