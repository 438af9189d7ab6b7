/* sms.send and whatsapp.send against a server with a provider's API: what is sent, what is refused, what is tried again. */
#include "tests/support/mill.h"
#include "tests/support/peer.h"
#include "tests/support/scratch.h"
#include "tests/support/sink.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ACCOUNT "AC5ef8"
#define TOKEN "canary-7kQ3"
#define CONFIGURED                                                                             \
    "account: " ACCOUNT ", token: " TOKEN                                                      \
    ", from: \"+15005550006\", whatsapp_from: \"+15005550010\""
/* An sms.send job whose text may ask the provider for a fault. */
#define SMS(text)                                                                              \
    "{\"uuid\":\"s-1\",\"job\":\"sms.send\",\"data\":{\"to\":\"+12025550187\",\"text\":"       \
    "\"" text "\"}}"
/* The same with so many tries. */
#define SMS_TRIED(tries, text)                                                                 \
    "{\"uuid\":\"s-1\",\"job\":\"sms.send\",\"maxTries\":" tries                               \
    ",\"data\":{\"to\":\"+12025550187\",\"text\":\"" text "\"}}"

static struct mr_mill mill;
static struct mr_peer peer;
static char yaml[1024];
static const char *const guarded[] = {"--account", ACCOUNT, "--token", TOKEN, NULL};

/* A mill whose provider is at scheme://127.0.0.1:port; sms: further options. */
static void dispatch(const char *scheme, const char *sms)
{
    snprintf(yaml, sizeof(yaml),
             "pools: { main: { queues: [main], concurrency: 64, backoff: 50ms..100ms } }\n"
             "log: { level: debug }\n"
             "sms: { url: \"%s://127.0.0.1:%d/\", %s }\n",
             scheme, peer.port, sms);
    mr_mill_dispatch(&mill, 0, 1);
}

static void start(const char *sms)
{
    mr_mill_start(&mill, yaml, NULL);
    mr_peer_start(&peer, mill.redis.dir, guarded);
    dispatch("http", sms);
}

/* A token is in no log, and in nothing that Redis keeps; whom a message goes to is in no log, however much that tells. */
static void expect_discretion(void)
{
    ck_assert(!mr_proc_said(&mill.dispatchers[0], TOKEN));
    ck_assert(!mr_proc_said(&mill.dispatchers[0], "12025550187"));
    ck_assert(!mr_proc_said(&mill.dispatchers[0], "1500555000"));
    redisReply *letters =
        mr_redis_ask(&mill.redis, "HVALS " MR_MILL_PREFIX "queues:main:dead:jobs");
    for (size_t i = 0; i < letters->elements; i++)
        ck_assert_ptr_null(strstr(letters->element[i]->str, TOKEN));
    freeReplyObject(letters);
}

static void stop(void)
{
    expect_discretion();
    mr_mill_stop(&mill);
    mr_peer_stop(&peer);
}

static void push(const char *payload)
{
    mr_mill_push_raw(&mill, "main", payload, strlen(payload));
}

/* Until nothing is left to do, and nothing is dead: the provider sent n messages, each once. */
static void await_sent(size_t n)
{
    mr_wait_for(mr_peer_effects(&peer, "message", NULL) >= n && mr_mill_is_empty(&mill, "main"),
                20000);
    ck_assert_uint_eq(mr_peer_effects(&peer, "message", NULL), n);
    ck_assert_int_eq(mr_mill_dead(&mill, "main"), 0);
}

/* A member of request n, or of an object in it; the array holds it. */
static const char *text_of(json_t *requests, size_t n, const char *object, const char *member)
{
    json_t *request = json_array_get(requests, n);
    json_t *holder = object ? json_object_get(request, object) : request;
    const char *text = json_string_value(json_object_get(holder, member));

    return text ? text : "(none)";
}

/* ---- what is sent ---- */

static const struct {
    const char *payload, *to, *from, *text, *key;
} sent[] = {
    {SMS("Gr\xc3\xbc\xc3\x9f"
         "e & 1+1=2\\n\xf0\x9f\x90\x8e"),
     "+12025550187",                                                    "+15005550006",
     "Gr\xc3\xbc\xc3\x9f"
     "e & 1+1=2\n\xf0\x9f\x90\x8e",                                                                                "s-1"   },
    {"{\"job\":\"sms.send\",\"data\":{\"to\":\"+12025550187\",\"from\":\"Shop "
     "24\",\"text\":\"x\"}}",             "+12025550187",          "Shop 24",               "x",              "(none)"},
    {"{\"uuid\":\"w-1\",\"job\":\"whatsapp.send\",\"data\":{\"to\":\"+12025550187\",\"text\":"
     "\"x\"}}",                           "whatsapp:+12025550187", "whatsapp:+15005550010", "x",              "w-1"   },
    {SMS("fault=dribble1"),                    "+12025550187",          "+15005550006",          "fault=dribble1", "s-1"   },
};

START_TEST(a_message_is_sent_as_it_was_asked_for_and_once)
{
    start(CONFIGURED);
    push(sent[_i].payload);
    await_sent(1);
    json_t *requests = mr_peer_requests(&peer, "message");
    ck_assert_uint_eq(json_array_size(requests), 1);
    ck_assert_str_eq(text_of(requests, 0, NULL, "path"),
                     "/2010-04-01/Accounts/" ACCOUNT "/Messages.json");
    ck_assert_str_eq(text_of(requests, 0, "form", "To"), sent[_i].to);
    ck_assert_str_eq(text_of(requests, 0, "form", "From"), sent[_i].from);
    ck_assert_str_eq(text_of(requests, 0, "form", "Body"), sent[_i].text);
    ck_assert_str_eq(text_of(requests, 0, NULL, "key"), sent[_i].key);
    ck_assert(mr_proc_said(&mill.dispatchers[0], "sid=SM00000000000000000000000000000001"));
    json_decref(requests);
    stop();
}
END_TEST

START_TEST(many_messages_share_few_connections)
{
    enum { MESSAGES = 60, AT_ONCE = 3 };
    char payload[200];

    start(CONFIGURED ", connections: 3");
    mr_mill_pause(&mill, "main");
    for (int n = 0; n < MESSAGES; n++) {
        snprintf(payload, sizeof(payload),
                 "{\"uuid\":\"s-%d\",\"job\":\"sms.send\",\"data\":{\"to\":\"+12025550187\","
                 "\"text\":\"%d fault=slow20\"}}",
                 n, n);
        push(payload);
    }
    mr_mill_resume(&mill, "main");
    await_sent(MESSAGES);
    size_t connections = mr_peer_connections(&peer, "message");
    size_t most_open = mr_peer_most_open(&peer, "message");
    printf("# %d messages over %zu connections, %zu at once\n", MESSAGES, connections,
           most_open);
    ck_assert_uint_le(connections, AT_ONCE);
    ck_assert_uint_eq(most_open, AT_ONCE);
    stop();
}
END_TEST

/* ---- templates ---- */

/* A row: what data says beside `to`, then the text that is sent, or the class and words of the refusal. */
static const struct {
    const char *data, *text, *class, *reason;
} templates[] = {
    {"\"template\":\"reminder\",\"vars\":{\"name\":\"Ann & Bob\",\"at\":[9,17]}",
     "Ann & Bob: 9 o'clock 17 o'clock",                                                 NULL,        NULL                            },
    {"\"template\":\"reminder\",\"vars\":{\"at\":[9]}",                           NULL, "failed",    "name"                          },
    {"\"template\":\"remainder\"",                                                NULL, "exhausted", "reminder"                      },
    {"\"template\":\"../reminder\"",                                              NULL, "failed",    "../reminder"                   },
    {"\"template\":\"nothing\"",                                                  NULL, "failed",    "the text is empty"             },
    {"\"template\":7",                                                            NULL, "failed",    "data.template must be a string"},
    {"\"template\":\"reminder\",\"vars\":[]",                                     NULL, "failed",    "data.vars must be an object"   },
    {"\"template\":\"reminder\",\"text\":\"x\"",                                  NULL, "failed",
     "data.text and data.template: only one of them"                                                                                 },
};

START_TEST(a_template_makes_the_text)
{
    char options[300], payload[300];

    mr_mill_start(&mill, yaml, NULL);
    mr_peer_start(&peer, mill.redis.dir, guarded);
    mr_scratch_put(mill.redis.dir, "reminder.text.mustache",
                   "{{name}}:{{#at}} {{.}} o'clock{{/at}}\r\n");
    mr_scratch_put(mill.redis.dir, "nothing.text.mustache", "\n");
    snprintf(options, sizeof(options), CONFIGURED " }\ntemplates: { dir: %s", mill.redis.dir);
    dispatch("http", options);
    snprintf(payload, sizeof(payload),
             "{\"job\":\"sms.send\",\"data\":{\"to\":\"+12025550187\",%s}}",
             templates[_i].data);
    push(payload);
    if (templates[_i].text) {
        await_sent(1);
        json_t *requests = mr_peer_requests(&peer, "message");
        ck_assert_str_eq(text_of(requests, 0, "form", "Body"), templates[_i].text);
        json_decref(requests);
    } else {
        mr_mill_await_letter(&mill, "main", templates[_i].class, templates[_i].reason);
        ck_assert_uint_eq(mr_peer_count(&peer, "message"), 0);
    }
    stop();
}
END_TEST

/* ---- what is refused ---- */

/* requests: how many reach the provider. */
static const struct {
    const char *payload, *class, *reason;
    size_t requests;
} refused[] = {
    {"{\"job\":\"sms.send\",\"data\":{\"to\":\"+15005550001\",\"text\":\"x\"}}",      "failed",
     "21211: The 'To' number (...) is not a valid",                                                                                                                         1                                                  },
    {"{\"job\":\"sms.send\",\"data\":{\"to\":\"+15005550003\",\"text\":\"x\"}}",      "failed",
     "21408: Permission to send an SMS has not been enabled",                                                                                                               1                                                  },
    {"{\"job\":\"sms.send\",\"data\":{\"to\":\"+15005550004\",\"text\":\"x\"}}",      "failed",
     "21610: The message From/To pair violates",                                                                                                                            1                                                  },
    {"{\"job\":\"sms.send\",\"data\":{\"to\":\"+12025550187\",\"from\":\"+15005550007\","
     "\"text\":\"x\"}}",                                                         "failed",         "21606: The From phone number",                                     1                                                  },
    {"{\"job\":\"whatsapp.send\",\"data\":{\"to\":\"+15005550009\",\"text\":\"x\"}}", "failed",
     "21614: To number: whatsapp:(...), is not a mobile",                                                                                                                   1                                                  },
    {SMS_TRIED("2",                                                                   "fault=fail404"), "exhausted",
     "does not take messages for sms.account: 404",                                                                                                                                                                              2},
    {"{\"job\":\"sms.send\",\"data\":{\"to\":\"0151 12345678\",\"text\":\"x\"}}",                                                                               "failed",
     "data.to must begin with +", 0                                                                                                                                                                                               },
    {"{\"job\":\"sms.send\",\"data\":{\"to\":\"+12025550187\\r\\nX-Evil: 1\",\"text\":\"x\"}}",
     "failed",       "data.to: behind the + only digits",                                                                                                                                                              0                                                                                                                                                                       },
    {"{\"job\":\"sms.send\",\"data\":{\"to\":\"+12025550187\\u0000\",\"text\":\"x\"}}",
     "failed",               "data.to must not hold a NUL",                                                                                                                                                              0                                                                                                                                                                     },
    {"{\"job\":\"sms.send\",\"data\":{\"to\":\"+12025550187\",\"from\":\"a\\r\\nX: y\","
     "\"text\":\"x\"}}",                                                                               "failed",                                                                         "data.from is no sender",                                                     0},
    {"{\"job\":\"sms.send\",\"data\":{\"to\":\"+12025550187\",\"from\":\"a\\u0000\","
     "\"text\":\"x\"}}",                                                                               "failed",                                                                         "data.from must not hold a NUL",                                                     0                                                                                                                                                              },
    {"{\"uuid\":\"s\\r\\nX-Evil: 1\",\"job\":\"sms.send\",\"data\":{\"to\":\"+12025550187\","
     "\"text\":\"x\"}}",                                                                               "failed",                                                                         "uuid: only up to 200 letters",                                                     0},
    {"{\"job\":\"sms.send\"}",                                                                               "failed",                                                                        "data must be an object",                                                    0                                                                                                                                                                    },
};

START_TEST(what_can_never_be_sent_is_dead_with_the_reason)
{
    start(CONFIGURED);
    push(refused[_i].payload);
    mr_mill_await_letter(&mill, "main", refused[_i].class, refused[_i].reason);
    ck_assert_uint_eq(mr_peer_count(&peer, "message"), refused[_i].requests);
    ck_assert_uint_eq(mr_peer_effects(&peer, "message", NULL), 0);
    stop();
}
END_TEST

START_TEST(a_text_over_the_limit_is_dead_before_it_costs)
{
    char payload[400];

    start(CONFIGURED ", max_segments: 1");
    snprintf(payload, sizeof(payload),
             "{\"job\":\"sms.send\",\"data\":{\"to\":\"+12025550187\",\"text\":\"%0161d\"}}",
             0);
    push(payload);
    mr_mill_await_letter(&mill, "main", "failed",
                         "takes 2 segments of 160 characters; sms.max_segments allows 1");
    ck_assert_uint_eq(mr_peer_count(&peer, "message"), 0);
    stop();
}
END_TEST

static const struct {
    const char *sms, *reason;
} unconfigured[] = {
    {"",                                                              "sms.url is not configured"    },
    {"sms: { url: \"http://127.0.0.1:1\" }\n",                        "sms.account is not configured"},
    {"sms: { url: \"http://127.0.0.1:1\", account: AC, token: t }\n",
     "data.from is missing and sms.from is not configured"                                           },
};

START_TEST(without_a_provider_configured_a_message_says_so)
{
    snprintf(yaml, sizeof(yaml),
             "pools: { main: { queues: [main], backoff: 50ms..100ms } }\n%s",
             unconfigured[_i].sms);
    mr_mill_start(&mill, yaml, NULL);
    mr_mill_dispatch(&mill, 0, 1);
    push(SMS("x"));
    mr_mill_await_letter(&mill, "main", _i < 2 ? "exhausted" : "failed",
                         unconfigured[_i].reason);
    mr_mill_stop(&mill);
}
END_TEST

/* ---- what is tried again ---- */

static const char *const busy[] = {"fault=busy1:1", "fault=busy-date1:1"};

/* With one try, an attempt spent would be the end. */
START_TEST(a_busy_provider_costs_no_attempt_and_gets_its_time)
{
    char payload[200];

    start(CONFIGURED);
    snprintf(payload, sizeof(payload), SMS_TRIED("1", "%s"), busy[_i]);
    push(payload);
    await_sent(1);
    json_t *requests = mr_peer_requests(&peer, "message");
    ck_assert_uint_eq(json_array_size(requests), 2);
    ck_assert_int_eq(json_integer_value(json_object_get(json_array_get(requests, 0), "status")),
                     429);
    json_int_t waited_ms =
        json_integer_value(json_object_get(json_array_get(requests, 1), "at_ms")) -
        json_integer_value(json_object_get(json_array_get(requests, 0), "at_ms"));
    printf("# came back after %lld ms\n", (long long)waited_ms);
    ck_assert_int_ge(waited_ms, 900); /* a date has whole seconds: one may be nearly over */
    json_decref(requests);
    stop();
}
END_TEST

/* A row: the fault, how many requests it takes, and what the log says of it. All carry one key, and one message is sent. */
static const struct {
    const char *payload;
    size_t requests;
    const char *said;
} repeated[] = {
    {SMS("fault=fail:2"),               3, "answered 500"                 },
    {SMS("fault=fail503:1"),            2, "answered 503"                 },
    {SMS("fault=fail-after-effect:1"),  2, "nobody knows"                 },
    {SMS("fault=reset:1"),              2, "nobody knows"                 },
    {SMS("fault=reset-after-effect:1"), 2, "nobody knows"                 },
    {SMS("fault=half:1"),               2, "nobody knows"                 },
    {SMS("fault=garbage:1"),            2, "with a body that is no JSON"  },
    {SMS("fault=fail401:1"),            2, "(sms.account, sms.token): 401"},
};

START_TEST(what_nobody_knows_is_asked_for_again_under_the_same_key)
{
    start(CONFIGURED);
    push(repeated[_i].payload);
    await_sent(1);
    json_t *requests = mr_peer_requests(&peer, "message");
    ck_assert_uint_eq(json_array_size(requests), repeated[_i].requests);
    for (size_t n = 0; n < repeated[_i].requests; n++)
        ck_assert_str_eq(text_of(requests, n, NULL, "key"), "s-1");
    ck_assert(mr_proc_said(&mill.dispatchers[0], repeated[_i].said));
    json_decref(requests);
    stop();
}
END_TEST

START_TEST(a_provider_that_hangs_meets_the_configured_timeout)
{
    start(CONFIGURED ", timeout: 500ms");
    uint64_t from_ms = mr_wait_now_ms();
    push(SMS_TRIED("1", "fault=hang-after-effect"));
    mr_mill_await_letter(&mill, "main", "exhausted",
                         "nobody knows whether the message was sent");
    ck_assert_uint_lt(mr_wait_now_ms() - from_ms, 8000);
    stop();
}
END_TEST

START_TEST(a_provider_that_hangs_meets_the_jobs_deadline)
{
    start(CONFIGURED);
    push("{\"uuid\":\"s-1\",\"job\":\"sms.send\",\"timeout\":1,\"maxTries\":1,\"data\":{"
         "\"to\":\"+12025550187\",\"text\":\"fault=hang\"}}");
    uint64_t from_ms = mr_wait_now_ms();
    mr_mill_await_letter(&mill, "main", "timed_out", "ran longer than its 1s");
    ck_assert_uint_lt(mr_wait_now_ms() - from_ms, 8000);
    stop();
}
END_TEST

START_TEST(a_provider_that_hangs_holds_no_leaving_worker)
{
    start(CONFIGURED);
    push(SMS("fault=hang:1"));
    mr_wait_for(mr_peer_count(&peer, "message") == 1, 10000);
    mr_mill_drain(&mill, 0, 40000);
    dispatch("http", CONFIGURED);
    await_sent(1);
    stop();
}
END_TEST

static const struct {
    const char *policy;
    const char *reason; /* of the letter; NULL: it is asked for again */
} kills[] = {
    {CONFIGURED ", unknown: hold",  "an earlier delivery was cut off"},
    {CONFIGURED ", unknown: retry", NULL                             },
};

START_TEST(a_message_whose_worker_was_killed_is_asked_for_again_unless_it_is_to_be_held)
{
    pid_t workers[MR_PROC_LIST];

    start(kills[_i].policy);
    push(SMS("fault=hang-after-effect:1"));
    mr_wait_for(mr_peer_count(&peer, "message") == 1, 10000);
    ck_assert_int_eq(mr_mill_workers(&mill, 0, workers), 1);
    kill(workers[0], SIGKILL);
    if (kills[_i].reason)
        mr_mill_await_letter(&mill, "main", "failed", kills[_i].reason);
    else
        mr_wait_for(mr_peer_count(&peer, "message") == 2 && mr_mill_is_empty(&mill, "main"),
                    20000);
    ck_assert_uint_eq(mr_peer_count(&peer, "message"), kills[_i].reason ? 1 : 2);
    ck_assert_uint_eq(mr_peer_effects(&peer, "message", NULL), 1);
    stop();
}
END_TEST

START_TEST(a_provider_that_is_away_gets_the_message_when_it_comes)
{
    start(CONFIGURED);
    mr_peer_stop(&peer);
    push(SMS_TRIED("200", "x"));
    mr_wait_for(mr_proc_said(&mill.dispatchers[0], "not sent: "), 10000);
    mr_peer_restart(&peer, guarded);
    await_sent(1);
    stop();
}
END_TEST

/* ---- who may see and send it ---- */

static const char *const bad_logins[] = {
    "account: " ACCOUNT ", token: x" TOKEN ", from: Shop",
    "account: AC0, token: " TOKEN ", from: Shop",
};

START_TEST(without_the_right_token_nothing_is_sent)
{
    start(bad_logins[_i]);
    push(SMS("x"));
    mr_mill_await_letter(
        &mill, "main", "exhausted",
        "does not let us in (sms.account, sms.token): 401, 20003: Authenticate");
    ck_assert_uint_eq(mr_peer_effects(&peer, "message", NULL), 0);
    stop();
}
END_TEST

static const struct {
    const char *ca; /* NULL: the system's */
    bool trusted;
} authorities[] = {
    {"good", true },
    {"evil", false},
    {NULL,   false},
};

START_TEST(a_message_goes_to_a_trusted_provider_or_not_at_all)
{
    char key[96], certificate[96], sms[300];
    const char *const args[] = {"--account", ACCOUNT, "--token", TOKEN, "--cert",
                                certificate, "--key", key,       NULL};

    mr_mill_start(&mill, yaml, NULL);
    mr_sink_certify(mill.redis.dir, "good");
    mr_sink_certify(mill.redis.dir, "evil");
    snprintf(key, sizeof(key), "%s/good.key", mill.redis.dir);
    snprintf(certificate, sizeof(certificate), "%s/good.crt", mill.redis.dir);
    mr_peer_start(&peer, mill.redis.dir, args);
    snprintf(sms, sizeof(sms), CONFIGURED "%s%s%s%s%s", authorities[_i].ca ? ", ca_file: " : "",
             authorities[_i].ca ? mill.redis.dir : "", authorities[_i].ca ? "/" : "",
             authorities[_i].ca ? authorities[_i].ca : "", authorities[_i].ca ? ".crt" : "");
    dispatch("https", sms);
    push(SMS("x"));
    if (authorities[_i].trusted) {
        await_sent(1);
    } else {
        mr_mill_await_letter(&mill, "main", "exhausted", "not sent: ");
        ck_assert_uint_eq(mr_peer_count(&peer, "message"), 0);
    }
    stop();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_message_is_sent_as_it_was_asked_for_and_once,                               MR_COUNT(sent)        },
        {many_messages_share_few_connections,                                          0                     },
        {a_template_makes_the_text,                                                    MR_COUNT(templates)   },
        {what_can_never_be_sent_is_dead_with_the_reason,                               MR_COUNT(refused)     },
        {a_text_over_the_limit_is_dead_before_it_costs,                                0                     },
        {without_a_provider_configured_a_message_says_so,                              MR_COUNT(unconfigured)},
        {a_busy_provider_costs_no_attempt_and_gets_its_time,                           MR_COUNT(busy)        },
        {what_nobody_knows_is_asked_for_again_under_the_same_key,                      MR_COUNT(repeated)    },
        {a_provider_that_hangs_meets_the_configured_timeout,                           0                     },
        {a_provider_that_hangs_meets_the_jobs_deadline,                                0                     },
        {a_provider_that_hangs_holds_no_leaving_worker,                                0                     },
        {a_message_whose_worker_was_killed_is_asked_for_again_unless_it_is_to_be_held,
         MR_COUNT(kills)                                                                                     },
        {a_provider_that_is_away_gets_the_message_when_it_comes,                       0                     },
        {without_the_right_token_nothing_is_sent,                                      MR_COUNT(bad_logins)  },
        {a_message_goes_to_a_trusted_provider_or_not_at_all,                           MR_COUNT(authorities) },
    };

    return mr_suite_run_slow("sms", tests, 60);
}
