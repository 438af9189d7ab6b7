#include "jobs/billing/payment.h"

#include "jobs/services/form.h"

#include <stdio.h>

enum { ANSWER_MAX = 1024 * 1024, HEADER_MAX = 128 };

static void write_charge(const struct mr_payment *payment, struct mr_buf *form)
{
    char currency[8];
    size_t len = 0;

    for (; payment->currency[len] && len < sizeof(currency) - 1; len++)
        currency[len] = (char)(payment->currency[len] | 0x20);
    currency[len] = '\0';
    mr_form_add_i64(form, "amount", payment->amount_minor);
    mr_form_add(form, "currency", currency);
    mr_form_add(form, "payment_method", payment->source);
    mr_form_add(form, "confirm", "true");
}

/* Its currency is the charge's. */
static void write_refund(const struct mr_payment *payment, struct mr_buf *form)
{
    mr_form_add_i64(form, "amount", payment->amount_minor);
    mr_form_add(form, "payment_intent", payment->refund_of);
    mr_form_add(form, "metadata[reason]", payment->reason);
}

static void write_form(const struct mr_payment *payment, struct mr_buf *form)
{
    if (payment->refund_of)
        write_refund(payment, form);
    else
        write_charge(payment, form);
    mr_form_add(form, "metadata[uuid]", payment->uuid);
    mr_form_add(form, "metadata[invoice]", payment->invoice);
}

static struct mr_http_request request_to(const struct mr_payment_provider *provider,
                                         const char *url, const struct mr_job *job)
{
    return (struct mr_http_request){
        .url = url,
        .bearer = provider->key,
        .ca_file = provider->ca_file,
        .peer_max = provider->connections,
        .limits = mr_http_limits_within(&provider->limits, provider->timeout_ms, job),
        .timeout_ms = provider->timeout_ms,
        .body_max = ANSWER_MAX};
}

void mr_payment_ask(const struct mr_payment_provider *provider,
                    const struct mr_payment *payment, struct mr_job *job,
                    struct mr_payment_answer *out)
{
    struct mr_buf url = {0}, form = {0};
    struct mr_http_answer answer;
    char key[HEADER_MAX];
    const char *const headers[] = {MR_FORM_TYPE, key, NULL};

    mr_buf_printf(&url, "%s/%s", provider->url,
                  payment->refund_of ? "refunds" : "payment_intents");
    snprintf(key, sizeof(key), "Idempotency-Key: %s", payment->uuid);
    write_form(payment, &form);
    struct mr_http_request request = request_to(provider, url.at, job);
    request.method = "POST";
    request.headers = headers;
    request.body = (struct mr_bytes){form.at, form.len};
    mr_http_exchange(provider->http, &request, job, &answer);
    mr_payment_read(&answer, payment, out);
    mr_http_answer_fini(&answer);
    mr_buf_fini(&form);
    mr_buf_fini(&url);
}

/* Charges are searched for by our name; of refunds there is only a list of those of one charge. */
static void print_place(const struct mr_payment_provider *provider,
                        const struct mr_payment *payment, struct mr_buf *url)
{
    struct mr_buf query = {0};

    if (payment->refund_of) {
        mr_buf_printf(url, "%s/refunds?limit=100&payment_intent=", provider->url);
        mr_form_escape(url, payment->refund_of);
        return;
    }
    mr_buf_printf(&query, "metadata['uuid']:'%s'", payment->uuid);
    mr_buf_printf(url, "%s/payment_intents/search?query=", provider->url);
    mr_form_escape(url, query.at);
    mr_buf_fini(&query);
}

void mr_payment_look_up(const struct mr_payment_provider *provider,
                        const struct mr_payment *payment, struct mr_job *job,
                        struct mr_payment_answer *out)
{
    struct mr_http_answer answer;
    struct mr_buf url = {0};

    print_place(provider, payment, &url);
    struct mr_http_request request = request_to(provider, url.at, job);
    mr_http_exchange(provider->http, &request, job, &answer);
    mr_payment_read_search(&answer, payment, out);
    mr_http_answer_fini(&answer);
    mr_buf_fini(&url);
}
