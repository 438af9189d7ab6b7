/* Text messages through several providers, of Twilio's and of other shapes: who is asked, when the next one is, and how often. */
#include "tests/support/mill.h"
#include "tests/support/peer.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <stdio.h>
#include <string.h>

#define TOKEN "canary-8kW2"
/* Options of a provider of Twilio's shape and of one of another shape; each takes its port. */
#define TWILIO                                                                                 \
    "url: \"http://127.0.0.1:%d\", account: AC1, token: " TOKEN ", from: \"+15005550006\""
#define OTHER                                                                                  \
    "kind: http, url: \"http://127.0.0.1:%d/sms/send\", from: Shop, "                          \
    "headers: { Authorization: \"Bearer " TOKEN "\", X-Ref: \"{{uuid}}\" }, "                  \
    "ok_when: messages.0.status=0, refused_when: messages.0.status=4, "                        \
    "id: messages.0.id, code: messages.0.error, "
#define AS_JSON                                                                                \
    "body: "                                                                                   \
    "'{\"to\":\"{{to}}\",\"from\":\"{{from}}\",\"text\":\"{{text}}\",\"ref\":\"{{uuid}}\"}'"
#define AS_FORM "format: form, body: 'to={{to}}&from={{from}}&text={{text}}&ref={{uuid}}'"
#define SMS(number, text)                                                                      \
    "{\"uuid\":\"s-1\",\"job\":\"sms.send\",\"maxTries\":2,\"data\":{\"to\":\"" number         \
    "\",\"text\":\"" text "\"}}"
#define ANN "+12025550187"

static struct mr_mill mill;
static struct mr_peer first, second;
static char yaml[3000];

/* Two providers of their own, which misbehave as these faults say; NULL: not at all. */
static void start_peers(const char *first_fault, const char *second_fault)
{
    const char *const firsts[] = {"--fault", first_fault, NULL};
    const char *const seconds[] = {"--fault", second_fault, NULL};

    mr_mill_start(&mill, yaml, NULL);
    mr_peer_run(&first, "web.py", mill.redis.dir, "first", -1, first_fault ? firsts : NULL);
    mr_peer_run(&second, "web.py", mill.redis.dir, "second", -1, second_fault ? seconds : NULL);
}

static void dispatch(const char *sms)
{
    snprintf(yaml, sizeof(yaml),
             "pools: { main: { queues: [main], concurrency: 20, backoff: 50ms..100ms } }\n"
             "log: { level: debug }\nsms: { %s }\n",
             sms);
    mr_mill_dispatch(&mill, 0, 1);
}

/* acme, of another shape, before twilio; more: further options of sms. */
static void start_two(const char *first_fault, const char *second_fault, const char *more)
{
    char sms[2000];

    start_peers(first_fault, second_fault);
    snprintf(sms, sizeof(sms),
             "unknown: hold, order: [acme, twilio], providers: { twilio: { " TWILIO
             " }, acme: { " OTHER AS_JSON " } }, %s",
             second.port, first.port, *more ? more : "timeout: 1s");
    dispatch(sms);
}

static void stop(void)
{
    ck_assert(!mr_proc_said(&mill.dispatchers[0], TOKEN));
    ck_assert(!mr_proc_said(&mill.dispatchers[0], ANN));
    mr_mill_stop(&mill);
    mr_peer_stop(&first);
    mr_peer_stop(&second);
}

static void push(const char *payload)
{
    mr_mill_push_raw(&mill, "main", payload, strlen(payload));
}

static void await_done(void)
{
    mr_wait_for(mr_mill_is_empty(&mill, "main"), 20000);
    ck_assert_int_eq(mr_mill_dead(&mill, "main"), 0);
}

static size_t sent_by(const struct mr_peer *peer)
{
    return mr_peer_effects(peer, "message", NULL);
}

/* ---- another shape ---- */

static const struct {
    const char *body, *part, *type;
} shapes[] = {
    {AS_JSON, "json", "application/json"                 },
    {AS_FORM, "form", "application/x-www-form-urlencoded"},
};

/* Whatever a value holds, it stays within its place. */
START_TEST(a_provider_of_another_shape_gets_what_its_template_says)
{
    char sms[1500];

    start_peers(NULL, NULL);
    snprintf(sms, sizeof(sms), "providers: { acme: { " OTHER "%s } }", first.port,
             shapes[_i].body);
    dispatch(sms);
    push(SMS(ANN, "\\\"}&x=1 Gr\xc3\xbc\xc3\x9f"
                  "e\\n{{uuid}}"));
    await_done();
    json_t *requests = mr_peer_requests(&first, "message");
    const json_t *told = json_object_get(json_array_get(requests, 0), shapes[_i].part);
    ck_assert_uint_eq(json_array_size(requests), 1);
    ck_assert_str_eq(mr_peer_seen(requests, 0, "authorization"), "Bearer " TOKEN);
    ck_assert_str_eq(mr_peer_seen(requests, 0, "x-ref"), "s-1");
    ck_assert_str_eq(mr_peer_seen(requests, 0, "key"), "s-1");
    ck_assert_str_eq(mr_peer_seen(requests, 0, "content-type"), shapes[_i].type);
    ck_assert_uint_eq(json_object_size(told), 4);
    ck_assert_str_eq(json_string_value(json_object_get(told, "to")), ANN);
    ck_assert_str_eq(json_string_value(json_object_get(told, "from")), "Shop");
    ck_assert_str_eq(json_string_value(json_object_get(told, "text")),
                     "\"}&x=1 Gr\xc3\xbc\xc3\x9f"
                     "e\n{{uuid}}");
    ck_assert_str_eq(json_string_value(json_object_get(told, "ref")), "s-1");
    ck_assert(mr_proc_said(&mill.dispatchers[0], "provider=acme sid=m-1"));
    json_decref(requests);
    stop();
}
END_TEST

START_TEST(a_providers_own_rule_says_what_is_refused_for_good)
{
    start_two(NULL, NULL, "");
    push(SMS("+15005550001", "x"));
    mr_mill_await_letter(
        &mill, "main", "failed",
        "acme: the provider refused it for good: 200, no message can go to (...)");
    ck_assert_uint_eq(mr_peer_count(&first, "message"), 1);
    ck_assert_uint_eq(mr_peer_count(&second, "message"), 0);
    stop();
}
END_TEST

/* ---- the next provider ---- */

static const char *const harmless[] = {"busy60",  "busy",    "fail401",
                                       "fail403", "fail404", "fail400"};

START_TEST(the_next_provider_is_asked_where_the_first_has_sent_nothing)
{
    start_two(harmless[_i], NULL, "");
    push(SMS(ANN, "x"));
    await_done();
    ck_assert_uint_eq(mr_peer_count(&first, "message"), 1);
    ck_assert_uint_eq(sent_by(&first), 0);
    ck_assert_uint_eq(sent_by(&second), 1);
    ck_assert(mr_proc_said(&mill.dispatchers[0], "sms.failed_over"));
    stop();
}
END_TEST

START_TEST(the_next_provider_is_asked_where_nobody_listens)
{
    start_two(NULL, NULL, "");
    mr_peer_stop(&first);
    push(SMS(ANN, "x"));
    await_done();
    ck_assert_uint_eq(sent_by(&second), 1);
    mr_peer_run(&first, "web.py", mill.redis.dir, "first", -1, NULL);
    stop();
}
END_TEST

static const char *const dangerous[] = {"reset",
                                        "reset-after-effect",
                                        "half",
                                        "garbage",
                                        "fail500",
                                        "fail-after-effect",
                                        "hang-after-effect"};

START_TEST(nobody_else_is_asked_after_an_unknown)
{
    start_two(dangerous[_i], NULL, "");
    push(SMS(ANN, "x"));
    mr_mill_await_letter(
        &mill, "main", "failed",
        "held for a person: nobody knows whether the message was sent: acme: ");
    ck_assert_uint_eq(mr_peer_count(&first, "message"), 1);
    ck_assert_uint_eq(mr_peer_count(&second, "message"), 0);
    stop();
}
END_TEST

/* Its deadline, or its leaving worker, must not have it tried again. */
START_TEST(an_unknown_is_held_also_by_a_worker_that_leaves)
{
    start_two("hang-after-effect", NULL, "timeout: 20s");
    push(SMS(ANN, "x"));
    mr_wait_for(mr_peer_count(&first, "message") == 1, 10000);
    mr_mill_drain(&mill, 0, 60000);
    mr_mill_await_letter(&mill, "main", "failed", "held for a person: nobody knows");
    ck_assert_uint_eq(mr_peer_count(&second, "message"), 0);
    stop();
}
END_TEST

/* One row: what the two say, and what becomes of it: the one with the best prospects decides. */
static const struct {
    const char *first, *second, *class, *reason;
} none[] = {
    {"fail401", "fail404", "exhausted",
     "acme: the provider does not let us in (sms.providers.acme."},
    {"fail404", "fail401", "exhausted",
     "acme: nothing sent: what answers at sms.providers.acme.url"},
};

START_TEST(if_nobody_takes_it_the_reason_names_a_provider)
{
    start_two(none[_i].first, none[_i].second, "");
    push(SMS(ANN, "x"));
    mr_mill_await_letter(&mill, "main", none[_i].class, none[_i].reason);
    ck_assert_uint_eq(mr_peer_count(&first, "message"), 2);
    ck_assert_uint_eq(mr_peer_count(&second, "message"), 2);
    stop();
}
END_TEST

START_TEST(if_one_of_them_says_later_no_attempt_is_spent)
{
    start_two("busy1:1", "fail401", "");
    push("{\"uuid\":\"s-1\",\"job\":\"sms.send\",\"maxTries\":1,\"data\":{\"to\":\"" ANN
         "\",\"text\":\"x\"}}");
    await_done();
    ck_assert_uint_eq(sent_by(&first), 1);
    stop();
}
END_TEST

/* A dead provider costs the first few messages a second each, and the others nothing. */
START_TEST(the_next_provider_is_asked_at_once_while_the_firsts_circuit_is_open)
{
    enum { MESSAGES = 12 };
    char payload[200];

    start_two("fail503", NULL, "circuit: { failures: 3, open_for: 1h }");
    for (int n = 0; n < MESSAGES; n++) {
        snprintf(payload, sizeof(payload),
                 "{\"uuid\":\"s-%d\",\"job\":\"sms.send\",\"data\":{\"to\":\"" ANN
                 "\",\"text\":\"x\"}}",
                 n);
        push(payload);
        mr_wait_for(mr_mill_is_empty(&mill, "main"), 10000);
    }
    ck_assert_uint_eq(mr_peer_count(&first, "message"), 3);
    ck_assert_uint_eq(sent_by(&second), MESSAGES - 3);
    ck_assert_int_eq(mr_mill_dead(&mill, "main"), 3); /* of these nobody knows */
    stop();
}
END_TEST

/* ---- limits ---- */

/* One row: the limit, and how long three messages take at least: with one try each, so that a wait must cost none. */
static const struct {
    const char *options;
    uint64_t least_ms;
} quotas[] = {
    {"per_number: 2/2s", 900},
    {"per_sender: 2/2s", 900},
    {"",                 0  },
};

START_TEST(a_number_and_a_sender_have_their_limits)
{
    char payload[200];

    start_two(NULL, NULL, quotas[_i].options);
    uint64_t from_ms = mr_wait_now_ms();
    for (int n = 0; n < 3; n++) {
        snprintf(
            payload, sizeof(payload),
            "{\"uuid\":\"s-%d\",\"job\":\"sms.send\",\"maxTries\":1,\"data\":{\"to\":\"" ANN
            "\",\"text\":\"x\"}}",
            n);
        push(payload);
    }
    await_done();
    ck_assert_uint_eq(sent_by(&first), 3);
    ck_assert_uint_ge(mr_wait_now_ms() - from_ms, quotas[_i].least_ms);
    ck_assert_int_eq(mr_proc_said(&mill.dispatchers[0], "sms.per_number or sms.per_sender"),
                     quotas[_i].least_ms > 0);
    stop();
}
END_TEST

/* A provider that is busy or away must not use up what a number may get in an hour. */
START_TEST(what_nobody_took_does_not_count)
{
    start_two("busy1:1", "fail401", "per_number: 1/1h, per_sender: 1/1h");
    push("{\"uuid\":\"s-1\",\"job\":\"sms.send\",\"maxTries\":1,\"data\":{\"to\":\"" ANN
         "\",\"text\":\"x\"}}");
    await_done();
    ck_assert_uint_eq(sent_by(&first), 1);
    stop();
}
END_TEST

START_TEST(only_listed_senders_may_be_named)
{
    start_two(NULL, NULL, "senders: [Shop, \"72345\"]");
    push("{\"job\":\"sms.send\",\"data\":{\"to\":\"" ANN
         "\",\"from\":\"72345\",\"text\":\"x\"}}");
    await_done();
    push("{\"job\":\"sms.send\",\"data\":{\"to\":\"" ANN
         "\",\"from\":\"Bank\",\"text\":\"x\"}}");
    mr_mill_await_letter(&mill, "main", "failed", "data.from is none of sms.senders");
    ck_assert_uint_eq(sent_by(&first), 1);
    stop();
}
END_TEST

/* The signature is that of `printf s-1 | openssl dgst -sha256 -hmac key`. */
START_TEST(a_provider_is_told_where_to_report)
{
    char sms[1500];

    start_peers(NULL, NULL);
    snprintf(sms, sizeof(sms),
             TWILIO ", callback: \"https://shop.example/sms?a=b\", secret: key", second.port);
    dispatch(sms);
    push(SMS(ANN, "x"));
    await_done();
    json_t *requests = mr_peer_requests(&second, "message");
    const json_t *form = json_object_get(json_array_get(requests, 0), "form");
    ck_assert_str_eq(json_string_value(json_object_get(form, "StatusCallback")),
                     "https://shop.example/sms?a=b&uuid=s-1&signature="
                     "90350a95287d8a2acf14cfbf6394f83f2b0993c4e68741b92f74af8f9e132d37");
    json_decref(requests);
    stop();
}
END_TEST

/* ---- the configuration ---- */

START_TEST(a_wrong_template_says_where_it_is_wrong)
{
    char sms[1500];

    start_peers(NULL, NULL);
    snprintf(sms, sizeof(sms), "providers: { acme: { " OTHER "body: '{\"to\":\"{{to\"}' } }",
             first.port);
    dispatch(sms);
    push(SMS(ANN, "x"));
    mr_mill_await_letter(&mill, "main", "exhausted", "sms.providers.acme.body:1:");
    stop();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_provider_of_another_shape_gets_what_its_template_says,             MR_COUNT(shapes)   },
        {a_providers_own_rule_says_what_is_refused_for_good,                  0                  },
        {the_next_provider_is_asked_where_the_first_has_sent_nothing,         MR_COUNT(harmless) },
        {the_next_provider_is_asked_where_nobody_listens,                     0                  },
        {nobody_else_is_asked_after_an_unknown,                               MR_COUNT(dangerous)},
        {an_unknown_is_held_also_by_a_worker_that_leaves,                     0                  },
        {if_nobody_takes_it_the_reason_names_a_provider,                      MR_COUNT(none)     },
        {if_one_of_them_says_later_no_attempt_is_spent,                       0                  },
        {the_next_provider_is_asked_at_once_while_the_firsts_circuit_is_open, 0                  },
        {a_number_and_a_sender_have_their_limits,                             MR_COUNT(quotas)   },
        {what_nobody_took_does_not_count,                                     0                  },
        {only_listed_senders_may_be_named,                                    0                  },
        {a_provider_is_told_where_to_report,                                  0                  },
        {a_wrong_template_says_where_it_is_wrong,                             0                  },
    };

    return mr_suite_run_slow("sms_providers", tests, 60);
}
