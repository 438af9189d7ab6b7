#include "jobs/billing/mailing.h"
#include "tests/support/suite.h"

#include <stdlib.h>
#include <string.h>

static json_t *json_of(const char *text)
{
    json_error_t where;
    json_t *value = json_loads(text, 0, &where);

    ck_assert_msg(value != NULL, "%s: %s", where.text, text);
    return value;
}

/* clang-format off */
static const struct {
    const char *data;
    bool wanted;
    const char *to, *template, *queue;
} good[] = {
    {"{}",                                         false, NULL,      NULL,  NULL},
    {"{\"mail\":false}",                           false, NULL,      NULL,  NULL},
    {"{\"mail\":true}",                            true,  NULL,      NULL,  NULL},
    {"{\"then\":{\"email\":{}}}",                  true,  NULL,      NULL,  NULL},
    {"{\"then\":{\"email\":{\"to\":\"b@x.org\",\"template\":\"thanks\",\"queue\":\"low\",\"vars\":{\"a\":1}}}}",
                                                   true,  "b@x.org", "thanks", "low"},
};

static const struct {
    const char *data, *reason;
} bad[] = {
    {"{\"mail\":\"yes\"}",                          "data.mail must be true or false, not a string"},
    {"{\"then\":true}",                             "data.then must be an object {email}, not a boolean"},
    {"{\"then\":{}}",                               "data.then must hold email and nothing else"},
    {"{\"then\":{\"email\":{},\"sms\":{}}}",        "data.then must hold email and nothing else"},
    {"{\"then\":{\"email\":true}}",                 "data.then.email must be an object {to, template, queue, vars}, not a boolean"},
    {"{\"then\":{\"email\":{\"to\":\"a\\nb\"}}}",   "data.then.email.to must not hold control characters"},
    {"{\"then\":{\"email\":{\"template\":7}}}",     "data.then.email.template must be a string, not a number"},
    {"{\"then\":{\"email\":{\"queue\":\"\"}}}",     "data.then.email.queue must be 1 to 100 bytes long, not 0"},
    {"{\"then\":{\"email\":{\"vars\":[]}}}",        "data.then.email.vars must be an object of values, not a list"},
};
/* clang-format on */

static void expect_text(const char *text, const char *want)
{
    ck_assert((text == NULL) == (want == NULL));
    if (want)
        ck_assert_str_eq(text, want);
}

START_TEST(a_mail_is_wanted_as_the_job_says)
{
    struct mr_mailing mailing = {0};
    json_t *data = json_of(good[_i].data);

    ck_assert_int_eq(mr_mailing_read(data, &mailing, NULL), MR_OK);
    ck_assert_int_eq(mailing.wanted, good[_i].wanted);
    expect_text(mailing.to, good[_i].to);
    expect_text(mailing.template, good[_i].template);
    expect_text(mailing.queue, good[_i].queue);
    json_decref(data);
}
END_TEST

START_TEST(what_is_no_mail_is_refused_with_its_place)
{
    struct mr_mailing mailing = {0};
    struct mr_err err = {0};
    json_t *data = json_of(bad[_i].data);

    ck_assert_int_eq(mr_mailing_read(data, &mailing, &err), MR_EINVAL);
    ck_assert_msg(strstr(err.text, bad[_i].reason) == err.text, "%s", err.text);
    ck_assert(!mailing.wanted);
    json_decref(data);
}
END_TEST

/* ---- composing ---- */

static struct mr_invoice_line line = {.text = (char *)(uintptr_t) "Flour",
                                      .quantity = 2,
                                      .unit_minor = 50000,
                                      .tax_bp = 775,
                                      .net_minor = 100000,
                                      .tax_minor = 7750};

static struct mr_issued issued_to(const char *email)
{
    struct mr_issued issued = {
        .uuid = (char *)(uintptr_t) "i-1",
        .printed = (char *)(uintptr_t) "INV/2026/7",
        .pdf_key = (char *)(uintptr_t) "invoices/INV/2026/000007.pdf",
        .name = (char *)(uintptr_t) "Ann",
        .address = (char *)(uintptr_t) "",
        .email = (char *)(uintptr_t)email,
        .invoice = {.customer = (char *)(uintptr_t) "ann",
                    .lines = &line,
                    .n_lines = 1,
                    .date = "2026-12-31",
                    .net_minor = 100000,
                    .tax_minor = 7750,
                    .total_minor = 107750}
    };

    ck_assert_int_eq(mr_currency_find("EUR", &issued.invoice.currency, NULL), MR_OK);
    return issued;
}

static const struct mr_terms terms = {.mail_template = "invoice", .seller = "Mill Shop"};

static void expect_mail(const struct mr_mailing *mailing, const char *want_text)
{
    struct mr_issued issued = issued_to("ann@example.org");
    json_t *data = NULL, *want = json_of(want_text);

    ck_assert_int_eq(mr_mailing_compose(mailing, &terms, &issued, &data, NULL), MR_OK);
    char *text = json_dumps(data, JSON_SORT_KEYS);
    ck_assert_msg(json_equal(data, want), "%s", text);
    free(text);
    json_decref(data);
    json_decref(want);
}

#define VARS                                                                                   \
    "\"number\":\"INV/2026/7\",\"date\":\"2026-12-31\",\"due\":null,\"seller\":\"Mill Shop\"," \
    "\"notes\":null,\"currency\":\"EUR\",\"net\":\"1,000.00 EUR\",\"tax\":\"77.50 EUR\","      \
    "\"total\":\"1,077.50 EUR\",\"total_minor\":107750,\"customer\":{\"id\":\"ann\",\"name\":" \
    "\"Ann\",\"email\":\"ann@example.org\",\"address\":\"\"},\"lines\":[{\"text\":\"Flour\","  \
    "\"quantity\":2,\"unit\":\"500.00 EUR\",\"tax\":\"7.75 %\",\"net\":\"1,000.00 EUR\"}]"
#define FILES                                                                                  \
    "\"attachments\":[{\"name\":\"INV-2026-7.pdf\",\"storage\":"                               \
    "\"invoices/INV/2026/000007.pdf\"}]"

START_TEST(the_mail_goes_to_the_customer_with_the_pdf_and_all_that_is_printed)
{
    const struct mr_mailing mailing = {.wanted = true};

    expect_mail(&mailing, "{\"to\":\"ann@example.org\",\"template\":\"invoice\",\"vars\":{" VARS
                          "}," FILES "}");
}
END_TEST

START_TEST(the_job_may_name_another_address_and_template_and_more_variables)
{
    json_t *vars = json_of("{\"greeting\":\"Hello\"}");
    const struct mr_mailing mailing = {
        .wanted = true, .to = "books@example.org", .template = "thanks", .vars = vars};

    expect_mail(&mailing,
                "{\"to\":\"books@example.org\",\"template\":\"thanks\",\"vars\":{" VARS
                ",\"greeting\":\"Hello\"}," FILES "}");
    json_decref(vars);
}
END_TEST

START_TEST(without_an_address_it_says_whose_is_missing)
{
    const struct mr_mailing mailing = {.wanted = true};
    struct mr_issued issued = issued_to("");
    struct mr_err err = {0};
    json_t *data = NULL;

    ck_assert_int_eq(mr_mailing_compose(&mailing, &terms, &issued, &data, &err), MR_EINVAL);
    ck_assert_str_eq(err.text,
                     "invoice INV/2026/7 is issued, but not mailed: customer ann has no email "
                     "in billing_customers; set it and retry this job");
    ck_assert_ptr_null(data);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_mail_is_wanted_as_the_job_says,                                   MR_COUNT(good)},
        {what_is_no_mail_is_refused_with_its_place,                          MR_COUNT(bad) },
        {the_mail_goes_to_the_customer_with_the_pdf_and_all_that_is_printed, 0             },
        {the_job_may_name_another_address_and_template_and_more_variables,   0             },
        {without_an_address_it_says_whose_is_missing,                        0             },
    };

    return mr_suite_run("mailing", tests);
}
