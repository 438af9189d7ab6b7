#include "jobs/billing/payment_answer.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <string.h>

#define INTENT_OF(uuid, id, amount, currency, status)                                          \
    "{\"id\":\"" id "\",\"amount\":" amount ",\"currency\":\"" currency                        \
    "\",\"status\":\"" status "\",\"metadata\":{\"uuid\":\"" uuid "\"}}"
#define INTENT(id, amount, currency, status) INTENT_OF("c-1", id, amount, currency, status)
#define PAID INTENT("pi_1", "500", "eur", "succeeded")
#define ERROR(type, code, message)                                                             \
    "{\"error\":{\"type\":\"" type "\",\"code\":\"" code "\",\"message\":\"" message "\"}}"
#define FOUND(intents) "{\"data\":[" intents "]}"

static const struct mr_payment payment = {.uuid = "c-1",
                                          .invoice = "INV-000001",
                                          .source = "pm_secret",
                                          .currency = "EUR",
                                          .amount_minor = 500};

static const struct mr_payment refund = {.uuid = "c-1",
                                         .invoice = "INV-000001",
                                         .refund_of = "pi_1",
                                         .reason = "damaged",
                                         .currency = "EUR",
                                         .amount_minor = 500};

static struct mr_http_answer answer_of(long status, const char *body)
{
    return (struct mr_http_answer){.end = MR_HTTP_ANSWERED,
                                   .status = status,
                                   .body = mr_bytes_of(body),
                                   .retry_after_ms = -1};
}

struct meaning {
    long status;
    const char *body;
    enum mr_payment_end end;
    const char *code, *message;
};

/* clang-format off */
static const struct meaning asked[] = {
    {200, PAID, MR_PAYMENT_PAID, "", ""},
    {201, PAID, MR_PAYMENT_PAID, "", ""},
    {200, INTENT("pi_1", "501", "eur", "succeeded"), MR_PAYMENT_ODD, "", "pi_1 has another amount or currency"},
    {200, INTENT("pi_1", "500", "usd", "succeeded"), MR_PAYMENT_ODD, "", "pi_1 has another amount or currency"},
    {200, INTENT_OF("c-2", "pi_1", "500", "eur", "succeeded"), MR_PAYMENT_ODD, "", "charge pi_1 is another job's"},
    {200, "{\"id\":\"pi_1\",\"amount\":500,\"amount_received\":400,\"currency\":\"eur\",\"status\":\"succeeded\"}", MR_PAYMENT_ODD, "", "charge pi_1 took 400 of 500"},
    {200, "{\"id\":\"pi_1\",\"amount\":500,\"amount_received\":500,\"currency\":\"eur\",\"status\":\"succeeded\"}", MR_PAYMENT_PAID, "", ""},
    {200, "{\"id\":\"pi_1\",\"amount\":500,\"amount_received\":0,\"currency\":\"eur\",\"status\":\"processing\"}", MR_PAYMENT_UNKNOWN, "", "still processing"},
    {200, INTENT("pi_1", "500", "eur", "requires_action"), MR_PAYMENT_REFUSED, "requires_action", "the customer would have to confirm"},
    {200, INTENT("pi_1", "500", "eur", "canceled"), MR_PAYMENT_REFUSED, "canceled", "canceled"},
    {200, INTENT("pi_1", "500", "eur", "processing"), MR_PAYMENT_UNKNOWN, "", "pi_1 is still processing"},
    {200, INTENT("pi_1", "500", "eur", "requires_confirmation"), MR_PAYMENT_UNKNOWN, "", "still requires_confirmation"},
    {200, INTENT("pi_1", "500", "eur", "of a later age"), MR_PAYMENT_UNKNOWN, "", "still of a later age"},
    {200, "<html>It works!</html>", MR_PAYMENT_UNKNOWN, "", "no charge of the provider's API"},
    {200, "[]", MR_PAYMENT_UNKNOWN, "", "no charge of the provider's API"},
    {200, NULL, MR_PAYMENT_UNKNOWN, "", "no charge of the provider's API"},
    {402, ERROR("card_error", "card_declined", "Your card was declined."), MR_PAYMENT_REFUSED, "card_declined", "card_declined: Your card was declined."},
    {402, "{\"error\":{\"code\":\"card_declined\",\"decline_code\":\"insufficient_funds\",\"message\":\"No.\"}}", MR_PAYMENT_REFUSED, "card_declined", "card_declined: No. (insufficient_funds)"},
    {400, ERROR("invalid_request_error", "parameter_invalid_integer", "Invalid integer: x"), MR_PAYMENT_REFUSED, "parameter_invalid_integer", "Invalid integer: x"},
    {400, ERROR("invalid_request_error", "resource_missing", "No such PaymentMethod: 'pm_secret'"), MR_PAYMENT_REFUSED, "resource_missing", "resource_missing"},
    {400, ERROR("idempotency_error", "", "Keys ..."), MR_PAYMENT_CLASH, "", "knows this uuid with other values"},
    {409, ERROR("idempotency_error", "", "Keys ..."), MR_PAYMENT_CLASH, "", "knows this uuid with other values"},
    {400, ERROR("idempotency_error", "idempotency_key_in_use", "another"), MR_PAYMENT_UNKNOWN, "", "still at it (400)"},
    {409, ERROR("idempotency_error", "idempotency_key_in_use", "another"), MR_PAYMENT_UNKNOWN, "", "still at it (409)"},
    {404, "<html>not found</html>", MR_PAYMENT_UNABLE, "", "status 404 without a reason of the provider's API: see payment.url"},
    {301, "", MR_PAYMENT_UNABLE, "", "see payment.url"},
    {401, ERROR("invalid_request_error", "", "Invalid API Key provided: sk_test"), MR_PAYMENT_UNABLE, "", "does not let us in (401): see payment.key"},
    {403, "", MR_PAYMENT_UNABLE, "", "does not let us in (403)"},
    {429, ERROR("", "rate_limit", ""), MR_PAYMENT_LATER, "", "busy (429)"},
    {408, "", MR_PAYMENT_UNKNOWN, "", "still at it (408)"},
    {500, ERROR("api_error", "", ""), MR_PAYMENT_UNKNOWN, "", "status 500"},
    {503, "", MR_PAYMENT_UNKNOWN, "", "status 503"},
};

static const struct meaning searched[] = {
    {200, FOUND(""), MR_PAYMENT_OPEN, "", "finds no charge for this uuid"},
    {200, FOUND(PAID), MR_PAYMENT_PAID, "", ""},
    {200, FOUND(INTENT("pi_2", "500", "eur", "canceled") "," PAID), MR_PAYMENT_PAID, "", ""},
    {200, FOUND(PAID "," INTENT("pi_2", "500", "eur", "succeeded")), MR_PAYMENT_ODD, "", "has 2 paid charges for this uuid"},
    {200, FOUND(INTENT("pi_1", "499", "eur", "succeeded")), MR_PAYMENT_ODD, "", "another amount"},
    {200, FOUND(INTENT("pi_1", "500", "eur", "requires_payment_method")), MR_PAYMENT_REFUSED, "requires_payment_method", "requires_payment_method"},
    {200, FOUND("{\"id\":\"pi_1\",\"amount\":500,\"currency\":\"eur\",\"status\":\"requires_payment_method\",\"metadata\":{\"uuid\":\"c-1\"},"
                "\"last_payment_error\":{\"code\":\"card_declined\",\"message\":\"No.\"}}"), MR_PAYMENT_REFUSED, "card_declined", "card_declined: No."},
    {200, FOUND(INTENT("pi_1", "500", "eur", "requires_confirmation")), MR_PAYMENT_OPEN, "", "not confirmed"},
    {200, FOUND(INTENT("pi_1", "500", "eur", "processing")), MR_PAYMENT_UNKNOWN, "", "still processing"},
    {200, FOUND(INTENT_OF("C-1", "pi_1", "500", "eur", "succeeded")), MR_PAYMENT_OPEN, "", "finds no charge for this uuid"},
    {200, FOUND("{\"id\":\"pi_1\",\"amount\":500,\"currency\":\"eur\",\"status\":\"succeeded\"}"), MR_PAYMENT_OPEN, "", "finds no charge for this uuid"},
    {200, FOUND(INTENT_OF("C-1", "pi_1", "500", "eur", "succeeded") "," INTENT("pi_2", "500", "eur", "processing")), MR_PAYMENT_UNKNOWN, "", "pi_2 is still processing"},
    {200, FOUND(INTENT_OF("C-1", "pi_1", "500", "eur", "succeeded") "," PAID), MR_PAYMENT_PAID, "", ""},
    {200, "{}", MR_PAYMENT_UNKNOWN, "", "no list of charges"},
    {200, "<html>", MR_PAYMENT_UNKNOWN, "", "no JSON"},
    {500, "{}", MR_PAYMENT_UNKNOWN, "", "the look-up got status 500"},
    {404, "{}", MR_PAYMENT_UNKNOWN, "", "the look-up got status 404"},
    {401, "{}", MR_PAYMENT_UNABLE, "", "payment.key"},
    {429, "{}", MR_PAYMENT_LATER, "", "busy"},
};
/* clang-format on */

/* clang-format off */
static const struct meaning refunded[] = {
    {200, INTENT("re_1", "500", "eur", "succeeded"), MR_PAYMENT_PAID, "", ""},
    {200, INTENT("re_1", "499", "eur", "succeeded"), MR_PAYMENT_ODD, "", "refund re_1 has another amount or currency"},
    {200, INTENT("re_1", "500", "eur", "pending"), MR_PAYMENT_UNKNOWN, "", "refund re_1 is still pending"},
    {200, "{\"id\":\"re_1\",\"amount\":500,\"currency\":\"eur\",\"status\":\"succeeded\",\"payment_intent\":\"pi_1\"}", MR_PAYMENT_PAID, "", ""},
    {200, "{\"id\":\"re_1\",\"amount\":500,\"currency\":\"eur\",\"status\":\"succeeded\",\"payment_intent\":\"pi_2\"}", MR_PAYMENT_ODD, "", "refund re_1 is of charge pi_2, not pi_1"},
    {200, INTENT_OF("c-2", "re_1", "500", "eur", "succeeded"), MR_PAYMENT_ODD, "", "refund re_1 is another job's"},
    {200, INTENT("re_1", "500", "eur", "requires_action"), MR_PAYMENT_UNKNOWN, "", "still requires_action"},
    {200, INTENT("re_1", "500", "eur", "canceled"), MR_PAYMENT_REFUSED, "canceled", "the money did not arrive"},
    {200, "{\"id\":\"re_1\",\"amount\":500,\"currency\":\"eur\",\"status\":\"failed\",\"failure_reason\":\"lost_or_stolen_card\"}",
     MR_PAYMENT_REFUSED, "lost_or_stolen_card", "lost_or_stolen_card: the money did not arrive"},
    {200, "[]", MR_PAYMENT_UNKNOWN, "", "no refund of the provider's API"},
    {400, ERROR("invalid_request_error", "charge_already_refunded", "No."), MR_PAYMENT_REFUSED, "charge_already_refunded", "No."},
    {400, ERROR("idempotency_error", "", "Keys ..."), MR_PAYMENT_CLASH, "", "knows this uuid with other values"},
    {409, ERROR("idempotency_error", "idempotency_key_in_use", "another"), MR_PAYMENT_UNKNOWN, "", "still at it (409)"},
    {429, ERROR("", "rate_limit", ""), MR_PAYMENT_LATER, "", "busy (429)"},
    {500, "", MR_PAYMENT_UNKNOWN, "", "status 500"},
};

static const struct meaning listed[] = {
    {200, FOUND(""), MR_PAYMENT_OPEN, "", "finds no refund for this uuid"},
    {200, FOUND(INTENT("re_1", "500", "eur", "succeeded")), MR_PAYMENT_PAID, "", ""},
    {200, FOUND(INTENT_OF("c-2", "re_1", "500", "eur", "succeeded")), MR_PAYMENT_OPEN, "", "finds no refund"},
    {200, FOUND(INTENT("re_1", "500", "eur", "succeeded") "," INTENT("re_2", "500", "eur", "succeeded")), MR_PAYMENT_ODD, "", "has 2 paid refunds"},
    {200, "{\"data\":[],\"has_more\":true}", MR_PAYMENT_UNKNOWN, "", "more refunds than one answer holds"},
    {200, "{\"data\":[" INTENT("re_1", "500", "eur", "succeeded") "],\"has_more\":true}", MR_PAYMENT_PAID, "", ""},
    {200, "{\"data\":[" INTENT("re_1", "500", "eur", "failed") "],\"has_more\":true}", MR_PAYMENT_UNKNOWN, "", "more refunds than one answer holds"},
    {200, "{}", MR_PAYMENT_UNKNOWN, "", "no list of refunds"},
    {404, "{}", MR_PAYMENT_UNKNOWN, "", "the look-up got status 404"},
};
/* clang-format on */

typedef void read_fn(const struct mr_http_answer *http, const struct mr_payment *payment,
                     struct mr_payment_answer *out);

static void expect_meaning(read_fn *read, const struct mr_payment *asked_for,
                           const struct meaning *meaning)
{
    struct mr_http_answer http = answer_of(meaning->status, meaning->body);
    struct mr_payment_answer answer;

    read(&http, asked_for, &answer);
    ck_assert_int_eq(answer.end, meaning->end);
    ck_assert_str_eq(answer.code, meaning->code);
    ck_assert_msg(strstr(answer.message, meaning->message) != NULL, "%s", answer.message);
    if (strstr(meaning->message, "another job's"))
        ck_assert_str_eq(answer.id, "");
}

START_TEST(an_answer_says_taken_refused_or_unknown)
{
    expect_meaning(mr_payment_read, &payment, &asked[_i]);
}
END_TEST

START_TEST(a_look_up_says_what_the_provider_has_taken)
{
    expect_meaning(mr_payment_read_search, &payment, &searched[_i]);
}
END_TEST

START_TEST(an_answer_says_given_back_refused_or_unknown)
{
    expect_meaning(mr_payment_read, &refund, &refunded[_i]);
}
END_TEST

START_TEST(a_list_says_what_the_provider_has_given_back)
{
    expect_meaning(mr_payment_read_search, &refund, &listed[_i]);
}
END_TEST

/* The last one ends where the words are cut, in the middle of the source. */
static const char *const repeating[] = {
    ERROR("card_error", "no_such_pm_secret", "No."),
    ERROR("of pm_secret", "", "No."),
    "{\"error\":{\"code\":\"declined\",\"decline_code\":\"pm_secret\"}}",
    ERROR("card_error", "declined",
          "....................................................................."
          "....................................................................."
          "........................................................pm_secret"),
};

START_TEST(no_word_of_the_provider_repeats_the_source)
{
    struct mr_http_answer http = answer_of(402, repeating[_i]);
    struct mr_payment_answer answer;

    mr_payment_read(&http, &payment, &answer);
    ck_assert_int_eq(answer.end, MR_PAYMENT_REFUSED);
    ck_assert_str_ne(answer.code, "");
    ck_assert_msg(!strstr(answer.code, "pm_"), "%s", answer.code);
    ck_assert_msg(!strstr(answer.message, "pm_"), "%s", answer.message);
}
END_TEST

START_TEST(half_an_answer_is_none)
{
    struct mr_http_answer http = answer_of(200, PAID);
    struct mr_payment_answer answer;

    http.truncated = true;
    mr_payment_read(&http, &payment, &answer);
    ck_assert_int_eq(answer.end, MR_PAYMENT_UNKNOWN);
    http.body = mr_bytes_of(FOUND(PAID));
    mr_payment_read_search(&http, &payment, &answer);
    ck_assert_int_eq(answer.end, MR_PAYMENT_UNKNOWN);
}
END_TEST

/* One row: how the exchange ended, and what that means. */
static const struct {
    enum mr_http_end http;
    enum mr_payment_end end;
} exchanges[] = {
    {MR_HTTP_NOT_SENT, MR_PAYMENT_UNABLE },
    {MR_HTTP_HELD,     MR_PAYMENT_LATER  },
    {MR_HTTP_REFUSED,  MR_PAYMENT_UNABLE },
    {MR_HTTP_UNKNOWN,  MR_PAYMENT_UNKNOWN},
};

START_TEST(no_answer_is_unknown_unless_nothing_was_sent)
{
    struct mr_http_answer http = {.end = exchanges[_i].http, .trouble = "it broke"};
    struct mr_payment_answer answer;

    mr_payment_read(&http, &payment, &answer);
    ck_assert_int_eq(answer.end, exchanges[_i].end);
    ck_assert_ptr_nonnull(strstr(answer.message, "it broke"));
    mr_payment_read_search(&http, &payment, &answer);
    ck_assert_int_eq(answer.end, exchanges[_i].end);
}
END_TEST

START_TEST(a_busy_provider_says_when_to_come_back)
{
    static const long statuses[] = {429, 503};
    struct mr_payment_answer answer;

    for (size_t i = 0; i < MR_COUNT(statuses); i++) {
        struct mr_http_answer http = answer_of(statuses[i], "{}");

        http.retry_after_ms = 7000;
        mr_payment_read(&http, &payment, &answer);
        ck_assert_int_eq(answer.end, MR_PAYMENT_LATER);
        ck_assert_int_eq(answer.after_ms, 7000);
    }
}
END_TEST

/* What a database takes is whole characters. */
START_TEST(a_long_word_of_the_provider_is_cut_between_characters)
{
    struct mr_buf body = {0};
    struct mr_payment_answer answer;

    mr_buf_text(&body, "{\"error\":{\"code\":\"x\",\"message\":\"m");
    for (int n = 0; n < 400; n++)
        mr_buf_text(&body, "\xc3\xbc");
    mr_buf_text(&body, "\"}}");
    struct mr_http_answer http = answer_of(402, body.at);

    mr_payment_read(&http, &payment, &answer);
    ck_assert_int_eq(answer.end, MR_PAYMENT_REFUSED);
    for (const char *at = answer.message; *at;) {
        size_t len = mr_str_utf8(at, strlen(at));

        ck_assert_uint_gt(len, 0);
        at += len;
    }
    mr_buf_fini(&body);
}
END_TEST

START_TEST(the_source_is_in_no_words)
{
    for (size_t i = 0; i < MR_COUNT(asked); i++) {
        struct mr_http_answer http = answer_of(asked[i].status, asked[i].body);
        struct mr_payment_answer answer;

        mr_payment_read(&http, &payment, &answer);
        ck_assert_ptr_null(strstr(answer.message, payment.source));
    }
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {an_answer_says_taken_refused_or_unknown,               MR_COUNT(asked)    },
        {a_look_up_says_what_the_provider_has_taken,            MR_COUNT(searched) },
        {an_answer_says_given_back_refused_or_unknown,          MR_COUNT(refunded) },
        {a_list_says_what_the_provider_has_given_back,          MR_COUNT(listed)   },
        {no_word_of_the_provider_repeats_the_source,            MR_COUNT(repeating)},
        {half_an_answer_is_none,                                0                  },
        {no_answer_is_unknown_unless_nothing_was_sent,          MR_COUNT(exchanges)},
        {a_busy_provider_says_when_to_come_back,                0                  },
        {a_long_word_of_the_provider_is_cut_between_characters, 0                  },
        {the_source_is_in_no_words,                             0                  },
    };

    return mr_suite_run("payment", tests);
}
