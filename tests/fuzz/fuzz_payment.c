/* Any answer of the payment provider: paid only where it says so of this very charge or refund; never a word of the card. */
#include "jobs/billing/payment_answer.h"
#include "proto/base/mem.h"
#include "tests/fuzz/must.h"

#include <jansson.h>
#include <string.h>
#include <strings.h>

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
static const long statuses[] = {200, 201, 299, 301, 400, 401, 402,
                                403, 404, 408, 409, 429, 500, 503};

static bool is_paid(json_t *intent)
{
    const char *status = NULL, *currency = NULL, *id = NULL;
    json_int_t amount = 0;

    return json_unpack(intent, "{s:s,s:s,s:s,s:I}", "id", &id, "status", &status, "currency",
                       &currency, "amount", &amount) == 0 &&
           *id && strcmp(status, "succeeded") == 0 && strcasecmp(currency, "eur") == 0 &&
           amount == 500;
}

/* Whether any charge of a search is paid. */
static bool any_paid(json_t *body)
{
    json_t *intent;
    size_t i;

    json_array_foreach(json_object_get(body, "data"), i,
                       intent) if (is_paid(intent)) return true;
    return false;
}

static bool is_utf8(const char *text)
{
    json_t *string = json_string(text);
    bool good = string != NULL;

    json_decref(string);
    return good;
}

static void check(const struct mr_http_answer *http, const struct mr_payment *asked,
                  const struct mr_payment_answer *answer, bool paid)
{
    bool decided = answer->end == MR_PAYMENT_PAID || answer->end == MR_PAYMENT_REFUSED ||
                   answer->end == MR_PAYMENT_OPEN;

    must(answer->end != MR_PAYMENT_PAID || (paid && http->status / 100 == 2));
    must(!(decided && http->truncated));
    must(answer->end != MR_PAYMENT_REFUSED || answer->code[0]);
    must(answer->end != MR_PAYMENT_LATER || http->status == 429 || http->status == 503);
    must(answer->end == MR_PAYMENT_PAID || answer->message[0]);
    must(!asked->source || answer->end != MR_PAYMENT_REFUSED ||
         !strstr(answer->message, asked->source));
    must(!asked->source || !strstr(answer->code, asked->source));
    must(is_utf8(answer->message) && is_utf8(answer->code) && is_utf8(answer->id));
}

/* As what was asked for, and as what was looked up. */
static void read_as(const struct mr_http_answer *http, const struct mr_payment *asked,
                    json_t *body)
{
    struct mr_payment_answer answer;

    mr_payment_read(http, asked, &answer);
    check(http, asked, &answer, is_paid(body));
    must(answer.end != MR_PAYMENT_OPEN);
    mr_payment_read_search(http, asked, &answer);
    check(http, asked, &answer, any_paid(body));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct mr_http_answer http = {.end = MR_HTTP_ANSWERED, .retry_after_ms = -1};

    if (len < 1)
        return 0;
    http.status = statuses[(bytes[0] & 0x1f) % MR_COUNT(statuses)];
    http.truncated = bytes[0] & 0x80;
    http.retry_after_ms = bytes[0] & 0x40 ? 1000 : -1;
    http.body = (struct mr_bytes){(const char *)bytes + 1, len - 1};
    json_t *body = json_loadb(http.body.at, http.body.len, 0, NULL);
    read_as(&http, &payment, body);
    read_as(&http, &refund, body);
    json_decref(body);
    return 0;
}
