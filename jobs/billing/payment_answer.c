#include "jobs/billing/payment_answer.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static void end(struct mr_payment_answer *out, enum mr_payment_end how, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void end(struct mr_payment_answer *out, enum mr_payment_end how, const char *format, ...)
{
    va_list args;

    out->end = how;
    va_start(args, format);
    vsnprintf(out->message, sizeof(out->message), format, args);
    va_end(args);
}

/* A member that is text, "" without one; cut to what out holds, never inside a character: it goes into a database. */
static void copy_text(const json_t *object, const char *name, char *out, size_t room)
{
    const char *text = json_string_value(json_object_get(object, name));

    text = text ? text : "";
    snprintf(out, room, "%.*s", (int)mr_str_cut(text, room - 1), text);
}

/* The same of what goes into a reason. Words that repeat the source stay out, whole: it may be a card's. */
static void copy_words(const json_t *object, const char *name, const struct mr_payment *payment,
                       char *out, size_t room)
{
    const char *text = json_string_value(json_object_get(object, name));

    if (text && payment->source && strstr(text, payment->source))
        *out = '\0';
    else
        copy_text(object, name, out, room);
}

static bool text_is(const json_t *object, const char *name, const char *text)
{
    const char *value = json_string_value(json_object_get(object, name));

    return value && strcasecmp(value, text) == 0;
}

static void refuse(struct mr_payment_answer *out, const char *code, const char *message)
{
    snprintf(out->code, sizeof(out->code), "%s", code);
    end(out, MR_PAYMENT_REFUSED, "%s%s%s", code, *message ? ": " : "", message);
}

/* The provider's own reason, {code, decline_code, message}; status where it has none. */
static void refuse_as(struct mr_payment_answer *out, const json_t *error, const char *status,
                      const struct mr_payment *payment)
{
    char code[sizeof(out->code)], decline[80], message[200], words[300];

    copy_words(error, "code", payment, code, sizeof(code));
    copy_words(error, "decline_code", payment, decline, sizeof(decline));
    copy_words(error, "message", payment, message, sizeof(message));
    snprintf(words, sizeof(words), "%s%s%s%s", message, *decline ? " (" : "", decline,
             *decline ? ")" : "");
    refuse(out, *code ? code : status, words);
}

static bool is_as_asked(const json_t *intent, const struct mr_payment *payment)
{
    const json_t *amount = json_object_get(intent, "amount");

    return json_is_integer(amount) && json_integer_value(amount) == payment->amount_minor &&
           text_is(intent, "currency", payment->currency);
}

static const char *what_of(const struct mr_payment *payment)
{
    return payment->refund_of ? "refund" : "charge";
}

/* Where the customer would have to do something, nothing was taken and a job can do nothing about it; true if that was it. */
static bool read_failed_charge(const json_t *intent, const char *status,
                               const struct mr_payment *payment, struct mr_payment_answer *out)
{
    bool action = strcmp(status, "requires_action") == 0;

    if (action)
        refuse(out, status, "the customer would have to confirm it with the bank");
    else if (strcmp(status, "requires_payment_method") == 0 || strcmp(status, "canceled") == 0)
        refuse_as(out, json_object_get(intent, "last_payment_error"), status, payment);
    else
        return false;
    return true;
}

/* One of a bank account may fail days later; until then it is pending. */
static bool read_failed_refund(const json_t *refund, const char *status,
                               struct mr_payment_answer *out)
{
    char reason[sizeof(out->code)];

    if (strcmp(status, "failed") != 0 && strcmp(status, "canceled") != 0)
        return false;
    copy_text(refund, "failure_reason", reason, sizeof(reason));
    refuse(out, *reason ? reason : status, "the money did not arrive");
    return true;
}

static bool contradicts(const json_t *object, const char *name, const char *want)
{
    const char *text = json_string_value(json_object_get(object, name));

    return text && want && strcmp(text, want) != 0;
}

/* Another's, where the answer says so: a proxy's mix-up, a key of somebody else's. Its id is none of ours; true if that was it. */
static bool read_stranger(const json_t *object, const struct mr_payment *payment,
                          struct mr_payment_answer *out)
{
    if (contradicts(json_object_get(object, "metadata"), "uuid", payment->uuid))
        end(out, MR_PAYMENT_ODD, "the provider's %s %s is another job's, by its metadata",
            what_of(payment), out->id);
    else if (contradicts(object, "payment_intent", payment->refund_of))
        end(out, MR_PAYMENT_ODD, "the provider's refund %s is of charge %.100s, not %.100s",
            out->id, json_string_value(json_object_get(object, "payment_intent")),
            payment->refund_of);
    else
        return false;
    *out->id = '\0';
    return true;
}

/* Not as it was asked for; true if that was it. */
static bool read_oddity(const json_t *object, const struct mr_payment *payment,
                        struct mr_payment_answer *out)
{
    const json_t *received = json_object_get(object, "amount_received");

    if (read_stranger(object, payment, out))
        return true;
    if (!is_as_asked(object, payment))
        end(out, MR_PAYMENT_ODD,
            "the provider's %s %s has another amount or currency than was asked for",
            what_of(payment), out->id);
    else if (text_is(object, "status", "succeeded") && json_is_integer(received) &&
             json_integer_value(received) != payment->amount_minor)
        end(out, MR_PAYMENT_ODD, "the provider's charge %s took %lld of %lld", out->id,
            (long long)json_integer_value(received), (long long)payment->amount_minor);
    else
        return false;
    return true;
}

/* A charge or refund as the provider has it. All states that are not named here may still become either end. */
static void read_object(const json_t *object, const struct mr_payment *payment,
                        struct mr_payment_answer *out)
{
    char status[60];

    copy_text(object, "status", status, sizeof(status));
    copy_text(object, "id", out->id, sizeof(out->id));
    if (*out->id == '\0' || *status == '\0')
        end(out, MR_PAYMENT_UNKNOWN, "the answer is no %s of the provider's API",
            what_of(payment));
    else if (read_oddity(object, payment, out))
        return;
    else if (strcmp(status, "succeeded") == 0)
        out->end = MR_PAYMENT_PAID;
    else if (payment->refund_of ? !read_failed_refund(object, status, out)
                                : !read_failed_charge(object, status, payment, out))
        end(out, MR_PAYMENT_UNKNOWN, "the provider's %s %s is still %s", what_of(payment),
            out->id, status);
}

/* No answer at all; true if that was it. */
static bool read_failure(const struct mr_http_answer *http, struct mr_payment_answer *out)
{
    if (http->end == MR_HTTP_UNKNOWN)
        end(out, MR_PAYMENT_UNKNOWN, "no whole answer: %s", http->trouble);
    else if (http->end == MR_HTTP_HELD) {
        out->after_ms = http->retry_after_ms;
        end(out, MR_PAYMENT_LATER, "not asked: %s", http->trouble);
    } else if (http->end != MR_HTTP_ANSWERED)
        end(out, MR_PAYMENT_UNABLE, "%s (payment.url, payment.ca_file)", http->trouble);
    return http->end != MR_HTTP_ANSWERED;
}

/* A status that says no charge was touched, whoever asked for what; true if that was it. */
static bool read_doorkeeper(const struct mr_http_answer *http, struct mr_payment_answer *out)
{
    if (http->status == 429 || (http->status == 503 && http->retry_after_ms >= 0)) {
        out->after_ms = http->retry_after_ms;
        end(out, MR_PAYMENT_LATER, "the provider is busy (%ld)", http->status);
    } else if (http->status == 401 || http->status == 403) {
        end(out, MR_PAYMENT_UNABLE, "the provider does not let us in (%ld): see payment.key",
            http->status);
    } else if (http->status >= 300 && http->status < 400) {
        end(out, MR_PAYMENT_UNABLE, "the provider is elsewhere (%ld): see payment.url",
            http->status);
    } else {
        return false;
    }
    return true;
}

/* 4xx. A key that was used with other values stands for what they asked for, and that may have been done. */
static void read_no(const struct mr_http_answer *http, const json_t *body,
                    const struct mr_payment *payment, struct mr_payment_answer *out)
{
    const json_t *error = json_object_get(body, "error");
    bool at_it = text_is(error, "code", "idempotency_key_in_use");
    char type[60];

    copy_words(error, "type", payment, type, sizeof(type));
    if (strcmp(type, "idempotency_error") == 0 && !at_it)
        end(out, MR_PAYMENT_CLASH, "the provider knows this uuid with other values");
    else if (http->status == 409 || http->status == 408 || at_it)
        end(out, MR_PAYMENT_UNKNOWN, "the provider is still at it (%ld)", http->status);
    else if (!json_is_object(error))
        end(out, MR_PAYMENT_UNABLE,
            "status %ld without a reason of the provider's API: see "
            "payment.url",
            http->status);
    else
        refuse_as(out, error, *type ? type : "refused", payment);
}

void mr_payment_read(const struct mr_http_answer *http, const struct mr_payment *payment,
                     struct mr_payment_answer *out)
{
    *out = (struct mr_payment_answer){.after_ms = -1};
    if (read_failure(http, out) || read_doorkeeper(http, out))
        return;
    json_t *body = http->truncated || !http->body.at
                       ? NULL
                       : json_loadb(http->body.at, http->body.len, 0, NULL);
    if (http->status >= 200 && http->status < 300)
        read_object(body, payment, out);
    else if (http->status >= 400 && http->status < 500)
        read_no(http, body, payment, out);
    else
        end(out, MR_PAYMENT_UNKNOWN, "status %ld", http->status);
    json_decref(body);
}

/* A search may be of another mind than we of what is equal: Stripe's finds C-1 where c-1 was asked for. */
static bool is_ours(const json_t *intent, const struct mr_payment *payment)
{
    const json_t *metadata = json_object_get(intent, "metadata");
    const char *uuid = json_string_value(json_object_get(metadata, "uuid"));

    return uuid && strcmp(uuid, payment->uuid) == 0;
}

/* More than one under our name that took money is a person's affair; else the one that did, else the latest. */
static const json_t *choose(const json_t *found, const struct mr_payment *payment,
                            unsigned *n_paid)
{
    const json_t *chosen = NULL;
    json_t *intent;
    size_t i;

    *n_paid = 0;
    json_array_foreach(found, i, intent)
    {
        if (!is_ours(intent, payment))
            continue;
        if (!chosen)
            chosen = intent;
        if (!text_is(intent, "status", "succeeded"))
            continue;
        chosen = intent;
        ++*n_paid;
    }
    return chosen;
}

static void read_found(const json_t *body, const struct mr_payment *payment,
                       struct mr_payment_answer *out)
{
    const json_t *found = json_object_get(body, "data");
    bool all = !json_is_true(json_object_get(body, "has_more"));
    unsigned n_paid = 0;
    const json_t *chosen = choose(found, payment, &n_paid);

    if (!json_is_array(found))
        end(out, MR_PAYMENT_UNKNOWN, "the answer is no list of %ss", what_of(payment));
    else if (n_paid > 1)
        end(out, MR_PAYMENT_ODD, "the provider has %u paid %ss for this uuid", n_paid,
            what_of(payment));
    else if (n_paid == 0 && !all)
        end(out, MR_PAYMENT_UNKNOWN, "the provider has more %ss than one answer holds",
            what_of(payment));
    else if (!chosen)
        end(out, MR_PAYMENT_OPEN, "the provider finds no %s for this uuid", what_of(payment));
    else if (text_is(chosen, "status", "requires_confirmation"))
        end(out, MR_PAYMENT_OPEN, "the provider has begun the charge and not confirmed it");
    else
        read_object(chosen, payment, out);
}

void mr_payment_read_search(const struct mr_http_answer *http, const struct mr_payment *payment,
                            struct mr_payment_answer *out)
{
    *out = (struct mr_payment_answer){.after_ms = -1};
    if (read_failure(http, out) || read_doorkeeper(http, out))
        return;
    json_t *body = http->status != 200 || http->truncated || !http->body.at
                       ? NULL
                       : json_loadb(http->body.at, http->body.len, 0, NULL);
    if (body)
        read_found(body, payment, out);
    else
        end(out, MR_PAYMENT_UNKNOWN, "the look-up got status %ld%s", http->status,
            http->status == 200 ? " with a body that is no JSON" : "");
    json_decref(body);
}
