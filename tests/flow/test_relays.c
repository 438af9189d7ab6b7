/* email.send and its servers: who of the recipients has it, which of several relays sends it, and what nobody knows. */
#include "proto/base/str.h"
#include "tests/support/mill.h"
#include "tests/support/scratch.h"
#include "tests/support/sink.h"
#include "tests/support/smtp_scene.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct mr_mill mill;
static struct mr_peer sink;
static char yaml[1024];

/* options with the sink's port for each SINK. */
static void add_options(struct mr_buf *out, const char *options)
{
    for (const char *at; (at = strstr(options, "SINK")); options = at + strlen("SINK"))
        mr_buf_printf(out, "%.*s%d", (int)(at - options), options, sink.port);
    mr_buf_text(out, options);
}

/* A mill with these options of email, in which the sink's port is called SINK. */
static void dispatch(const char *options)
{
    struct mr_buf email = {0};

    add_options(&email, options);
    snprintf(
        yaml, sizeof(yaml),
        "pools: { main: { queues: [main, careful], concurrency: 20, backoff: 50ms..100ms } }\n"
        "email: { from: shop@example.org, %s }\n",
        email.at);
    mr_buf_fini(&email);
    mr_mill_dispatch(&mill, 0, 1);
}

static void start(const char *options)
{
    mr_mill_start(&mill, yaml, NULL);
    mr_sink_start(&sink, mill.redis.dir, NULL);
    dispatch(options);
}

static void stop(void)
{
    mr_mill_stop(&mill);
    mr_peer_stop(&sink);
}

/* to: a JSON value; more: further members of data, each with a comma before it. */
static void push(const char *queue, const char *to, const char *more)
{
    char payload[500];

    snprintf(payload, sizeof(payload),
             "{\"uuid\":\"m-1\",\"job\":\"email.send\",\"data\":{\"to\":%s,\"subject\":\"s\","
             "\"text\":\"t\"%s}}",
             to, more);
    mr_mill_push_raw(&mill, queue, payload, strlen(payload));
}

static void await_mails(size_t n)
{
    mr_wait_for(mr_sink_count(&sink) >= n && mr_mill_is_empty(&mill, "main"), 15000);
    ck_assert_uint_eq(mr_sink_count(&sink), n);
}

/* Who was given in RCPT for mail n, and under which name. */
static void expect_mail(size_t n, const char *recipients, const char *message_id)
{
    json_t *mails = mr_peer_lines(&sink), *mail = json_array_get(mails, n);
    char *to = json_dumps(json_object_get(mail, "to"), JSON_COMPACT);

    ck_assert_str_eq(to, recipients);
    ck_assert_str_eq(json_string_value(json_object_get(mail, "message_id")), message_id);
    free(to);
    json_decref(mails);
}

/* ---- each recipient ---- */

#define ONE_SERVER "url: \"smtp://127.0.0.1:SINK\", tls: off, again: 50ms"

START_TEST(a_bad_recipient_keeps_the_mail_from_no_good_one)
{
    start(ONE_SERVER);
    push("main", "[\"ann@example.org\",\"reject-me@example.org\",\"bob@example.org\"]", "");
    mr_mill_await_letter(&mill, "main", "failed", "550 5.1.1 no such user here");
    await_mails(1);
    expect_mail(0, "[\"ann@example.org\",\"bob@example.org\"]", "<m-1@example.org>");
    json_t *letter = mr_mill_only_letter(&mill, "main");
    ck_assert_str_eq(json_string_value(json_object_get(letter, "uuid")), "m-1.refused");
    json_decref(letter);
    ck_assert(mr_proc_said(&mill.dispatchers[0],
                           "recipient=r***@example.org said=\"550 5.1.1 no such user here\""));
    ck_assert(!mr_proc_said(&mill.dispatchers[0], "reject-me@"));
    stop();
}
END_TEST

START_TEST(a_recipient_refused_for_now_is_asked_again_alone)
{
    start(ONE_SERVER);
    push("main", "[\"ann@example.org\",\"defer2-bob@example.org\"]",
         ",\"bcc\":\"defer1-eve@example.org\"");
    await_mails(3);
    expect_mail(0, "[\"ann@example.org\"]", "<m-1@example.org>");
    expect_mail(1, "[\"defer1-eve@example.org\"]", "<m-1@example.org>");
    expect_mail(2, "[\"defer2-bob@example.org\"]", "<m-1@example.org>");
    ck_assert_int_eq(mr_mill_dead(&mill, "main"), 0);
    stop();
}
END_TEST

START_TEST(refused_for_now_and_for_good_part_ways)
{
    start(ONE_SERVER);
    push("main", "[\"defer1-bob@example.org\",\"reject@example.org\"]", "");
    mr_mill_await_letter(&mill, "main", "failed", "550 5.1.1 no such user here");
    await_mails(1);
    expect_mail(0, "[\"defer1-bob@example.org\"]", "<m-1@example.org>");
    stop();
}
END_TEST

START_TEST(a_recipient_that_is_always_refused_for_now_is_dead_alone)
{
    start(ONE_SERVER);
    push("main", "[\"ann@example.org\",\"defer@example.org\"]", "");
    mr_mill_await_letter(&mill, "main", "exhausted", "451 4.3.0 come back later");
    await_mails(1);
    stop();
}
END_TEST

/* ---- what nobody knows ---- */

/* One row: options, queue and data of a mail whose server hangs up once after the message; how often it arrives. */
static const struct {
    const char *options, *queue, *more;
    size_t n_mails;
} unknowns[] = {
    {"",                                                        "main",    "",                          2},
    {"unknown: retry,",                                         "main",    "",                          2},
    {"unknown: hold,",                                          "main",    "",                          1},
    {"queues: { careful: { unknown: hold } },",                 "careful", "",                          1},
    {"queues: { careful: { unknown: hold } },",                 "main",    "",                          2},
    {"unknown: hold, queues: { careful: { unknown: retry } },", "careful", "",                          2},
    {"",                                                        "main",    ",\"on_unknown\":\"hold\"",  1},
    {"unknown: hold,",                                          "main",    ",\"on_unknown\":\"retry\"", 2},
};

START_TEST(what_nobody_knows_is_sent_again_or_held_as_configured)
{
    char options[200];

    snprintf(options, sizeof(options), "%s " ONE_SERVER, unknowns[_i].options);
    start(options);
    push(unknowns[_i].queue, "\"drop1-ann@example.org\"", unknowns[_i].more);
    if (unknowns[_i].n_mails == 1) {
        mr_mill_await_letter(&mill, unknowns[_i].queue, "failed",
                             "held, as email.unknown says");
    } else {
        mr_wait_for(mr_sink_count(&sink) == 2, 15000);
        expect_mail(1, "[\"drop1-ann@example.org\"]", "<m-1@example.org>");
    }
    expect_mail(0, "[\"drop1-ann@example.org\"]", "<m-1@example.org>");
    ck_assert_uint_eq(mr_sink_count(&sink), unknowns[_i].n_mails);
    stop();
}
END_TEST

/* A person who drops the letter because the message is in the server's log must know who is not meant. */
START_TEST(who_was_refused_is_told_where_the_others_are_unknown)
{
    start("unknown: hold, " ONE_SERVER);
    push("main",
         "[\"drop1-ann@example.org\",\"defer9-bob@example.org\",\"reject@example.org\"]", "");
    mr_mill_await_letter(&mill, "main", "failed", "were refused before, and do not have it");
    ck_assert(mr_proc_said(&mill.dispatchers[0], "email.recipient_refused"));
    ck_assert(mr_proc_said(&mill.dispatchers[0], "email.recipient_deferred"));
    stop();
}
END_TEST

/* The job's own deadline would call it timed out, and have it sent again. */
START_TEST(an_answer_that_comes_after_the_deadline_is_held_as_well)
{
    start("unknown: hold, " ONE_SERVER);
    static const char payload[] =
        "{\"uuid\":\"m-1\",\"job\":\"email.send\",\"timeout\":2,\"data\":{\"to\":\"slow20000-"
        "ann@example.org\",\"subject\":\"s\",\"text\":\"t\"}}";
    mr_mill_push_raw(&mill, "main", payload, strlen(payload));
    mr_mill_await_letter(&mill, "main", "failed", "held, as email.unknown says");
    stop();
}
END_TEST

/* ---- several relays ---- */

static struct mr_smtp_scene first;

/* The first of two relays plays script, the second is the sink. */
static void start_two(const struct mr_smtp_script *script)
{
    char options[400];

    mr_smtp_scene_start(&first, script);
    snprintf(options, sizeof(options),
             "connect_timeout: 500ms, timeout: 2s, circuit: { failures: 2, open_for: 1h }, "
             "relays: { first: { url: \"smtp://127.0.0.1:%d\", tls: off, connections: 1 }, "
             "backup: { url: \"smtp://127.0.0.1:SINK\", tls: off } }",
             first.port);
    start(options);
}

static void stop_two(void)
{
    stop();
    mr_smtp_scene_stop(&first);
}

static const struct mr_smtp_script before_the_message[] = {
    {.banner = MR_SMTP_HANG_UP},     {.banner = MR_SMTP_SILENCE},   {.banner = "421 busy\r\n"},
    {.banner = "554 not today\r\n"}, {.mail = "451 disk full\r\n"}, {.rcpt = {"450 grey\r\n"}},
    {.data = "451 not now\r\n"},
};

START_TEST(the_next_relay_sends_what_the_first_did_not_take)
{
    start_two(&before_the_message[_i]);
    push("main", "\"ann@example.org\"", "");
    await_mails(1);
    expect_mail(0, "[\"ann@example.org\"]", "<m-1@example.org>");
    stop_two();
    ck_assert_uint_eq(first.n_messages, 0);
    ck_assert_uint_ge(first.n_connections, 1);
}
END_TEST

START_TEST(a_relay_that_works_is_the_only_one_asked)
{
    start_two(&(struct mr_smtp_script){0});
    push("main", "\"ann@example.org\"", "");
    mr_wait_for(first.n_messages == 1 && mr_mill_is_empty(&mill, "main"), 10000);
    ck_assert_uint_eq(mr_sink_count(&sink), 0);
    stop_two();
}
END_TEST

static const struct {
    struct mr_smtp_script script;
    const char *class, *reason;
} no_further[] = {
    {{.mail = "553 not you\r\n"},
     "failed",                                  "relay first: the mail server refused it for good: 553"},
    {{.rcpt = {"550 nobody\r\n"}}, "failed",    "550 nobody"                                           },
    {{.dot = "451 later\r\n"},     "exhausted", "451 later"                                            },
    {{.dot = MR_SMTP_HANG_UP},     "failed",    "relay first: the mail server has got the message"     },
};

START_TEST(what_the_first_relay_has_decided_or_may_have_taken_no_other_gets)
{
    start_two(&no_further[_i].script);
    push("main", "\"ann@example.org\"", ",\"on_unknown\":\"hold\"");
    mr_mill_await_letter(&mill, "main", no_further[_i].class, no_further[_i].reason);
    ck_assert_uint_eq(mr_sink_count(&sink), 0);
    stop_two();
}
END_TEST

START_TEST(a_relay_that_is_away_is_passed_over_and_said_to_be)
{
    start_two(&(struct mr_smtp_script){.banner = "421 busy\r\n"});
    for (size_t n = 1; n <= 6; n++) {
        push("main", "\"ann@example.org\"", "");
        await_mails(n);
    }
    ck_assert(mr_proc_said(&mill.dispatchers[0], "email.circuit_opened relay=first"));
    stop_two();
    ck_assert_uint_eq(first.n_connections, 2);
}
END_TEST

/* The one mail that waited for it twice goes to the next as well; no other waits at all. */
START_TEST(a_relay_that_takes_messages_and_never_answers_is_passed_over)
{
    start_two(&(struct mr_smtp_script){.dot = MR_SMTP_SILENCE});
    push("main", "\"ann@example.org\"", "");
    await_mails(1);
    ck_assert(mr_proc_said(&mill.dispatchers[0], "email.circuit_opened relay=first"));
    uint64_t from_ms = mr_wait_now_ms();
    for (size_t n = 2; n <= 6; n++) {
        push("main", "\"ann@example.org\"", "");
        await_mails(n);
    }
    ck_assert_uint_lt(mr_wait_now_ms() - from_ms, 2000); /* the timeout of one mail */
    stop_two();
    ck_assert_uint_eq(first.n_messages, 2);
}
END_TEST

START_TEST(a_mail_waits_for_relays_that_are_away_and_spends_no_attempt)
{
    char options[300], job[] = "{\"uuid\":\"m-1\",\"job\":\"email.send\",\"maxTries\":1,"
                               "\"data\":{\"to\":\"ann@example.org\",\"subject\":\"s\","
                               "\"text\":\"t\"}}";
    struct mr_smtp_script script = {.banner = "421 busy\r\n"};

    mr_smtp_scene_start(&first, &script);
    snprintf(options, sizeof(options),
             "url: \"smtp://127.0.0.1:%d\", tls: off, circuit: { failures: 1, open_for: 2s }",
             first.port);
    start(options);
    mr_mill_push_raw(&mill, "main", job, strlen(job));
    mr_mill_await_letter(&mill, "main", "exhausted", "421 busy");
    mr_mill_push_raw(&mill, "main", job, strlen(job));
    mr_wait_for(mr_proc_said(&mill.dispatchers[0], "no mail server answers"), 5000);
    first.script = (struct mr_smtp_script){0};
    mr_wait_for(first.n_messages == 1 && mr_mill_is_empty(&mill, "main"), 10000);
    ck_assert_int_eq(mr_mill_dead(&mill, "main"), 1);
    ck_assert(mr_proc_said(&mill.dispatchers[0], "email.circuit_closed relay=default"));
    stop_two();
}
END_TEST

/* The worker leaves while nobody knows. */
START_TEST(what_is_to_be_held_is_held_by_a_leaving_worker_as_well)
{
    start_two(&(struct mr_smtp_script){.dot = MR_SMTP_SILENCE});
    push("main", "\"ann@example.org\"", ",\"on_unknown\":\"hold\"");
    mr_wait_for(first.n_messages == 1, 10000);
    mr_mill_drain(&mill, 0, 20000);
    mr_mill_await_letter(&mill, "main", "failed", "held, as email.unknown says");
    stop_two();
}
END_TEST

/* ---- a worker is killed ---- */

static const struct {
    struct mr_smtp_script script; /* of a relay that lets us wait */
    const char *policy;
    bool out;           /* it has the message by then */
    const char *reason; /* of the letter; NULL: it is sent again */
} kills[] = {
    {{.dot = MR_SMTP_SILENCE},  "hold",  true,  "held, as email.unknown says"},
    {{.dot = MR_SMTP_SILENCE},  "retry", true,  NULL                         },
    {{.mail = MR_SMTP_SILENCE}, "hold",  false, NULL                         },
};

static void kill_the_worker(void)
{
    pid_t workers[MR_PROC_LIST];

    ck_assert_int_eq(mr_mill_workers(&mill, 0, workers), 1);
    kill(workers[0], SIGKILL);
}

START_TEST(a_mail_whose_worker_was_killed_is_sent_again_unless_it_is_to_be_held)
{
    char more[64];

    snprintf(more, sizeof(more), ",\"on_unknown\":\"%s\"", kills[_i].policy);
    start_two(&kills[_i].script);
    push("main", "\"ann@example.org\"", more);
    if (kills[_i].out)
        mr_wait_for(first.n_messages == 1, 10000);
    else
        mr_wait_for(first.n_connections == 1, 10000);
    first.script = (struct mr_smtp_script){0};
    kill_the_worker();
    if (kills[_i].reason)
        mr_mill_await_letter(&mill, "main", "failed", kills[_i].reason);
    else
        mr_wait_for(first.n_messages == 1u + kills[_i].out && mr_mill_is_empty(&mill, "main"),
                    20000);
    ck_assert_int_eq(mr_mill_dead(&mill, "main"), kills[_i].reason != NULL);
    stop_two();
    ck_assert_uint_eq(first.n_messages, kills[_i].reason || !kills[_i].out ? 1 : 2);
    ck_assert_uint_eq(mr_sink_count(&sink), 0);
}
END_TEST

/* ---- logging in ---- */

static const char *const logins[] = {"auto", "plain", "login", "xoauth2"};

START_TEST(a_token_that_was_renewed_opens_the_door)
{
    static const char *const wants[] = {"--user", "shop", "--password", "t-2", NULL};
    char options[300];

    mr_mill_start(&mill, yaml, NULL);
    mr_sink_start(&sink, mill.redis.dir, wants);
    mr_scratch_put(mill.redis.dir, "token", "t-1\n");
    snprintf(options, sizeof(options),
             ONE_SERVER ", circuit: { failures: 0 }, username: shop, auth: %s, token_file: "
                        "\"%s/token\"",
             logins[_i], mill.redis.dir);
    dispatch(options);
    static const char payload[] =
        "{\"uuid\":\"m-1\",\"job\":\"email.send\",\"maxTries\":500,\"data\":{\"to\":"
        "\"ann@example.org\",\"subject\":\"s\",\"text\":\"t\"}}";
    mr_mill_push_raw(&mill, "main", payload, strlen(payload));
    mr_wait_for(mr_proc_said(&mill.dispatchers[0], "does not let us in"), 10000);
    mr_scratch_put(mill.redis.dir, "token", "t-2\n");
    await_mails(1);
    stop();
}
END_TEST

/* ---- connections ---- */

static const unsigned most[] = {1, 3};

START_TEST(no_more_connections_are_open_than_configured)
{
    enum { MAILS = 200 };
    char options[100];

    snprintf(options, sizeof(options), "connections: %u, " ONE_SERVER, most[_i]);
    start(options);
    for (int n = 0; n < MAILS; n++)
        push("main", "\"ann@example.org\"", "");
    await_mails(MAILS);
    ck_assert_uint_le(mr_sink_connections(&sink), most[_i]);
    stop();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_bad_recipient_keeps_the_mail_from_no_good_one,                      0                           },
        {a_recipient_refused_for_now_is_asked_again_alone,                     0                           },
        {refused_for_now_and_for_good_part_ways,                               0                           },
        {a_recipient_that_is_always_refused_for_now_is_dead_alone,             0                           },
        {what_nobody_knows_is_sent_again_or_held_as_configured,                MR_COUNT(unknowns)          },
        {who_was_refused_is_told_where_the_others_are_unknown,                 0                           },
        {an_answer_that_comes_after_the_deadline_is_held_as_well,              0                           },
        {the_next_relay_sends_what_the_first_did_not_take,                     MR_COUNT(before_the_message)},
        {a_relay_that_works_is_the_only_one_asked,                             0                           },
        {what_the_first_relay_has_decided_or_may_have_taken_no_other_gets,
         MR_COUNT(no_further)                                                                              },
        {a_relay_that_is_away_is_passed_over_and_said_to_be,                   0                           },
        {a_relay_that_takes_messages_and_never_answers_is_passed_over,         0                           },
        {a_mail_waits_for_relays_that_are_away_and_spends_no_attempt,          0                           },
        {what_is_to_be_held_is_held_by_a_leaving_worker_as_well,               0                           },
        {a_mail_whose_worker_was_killed_is_sent_again_unless_it_is_to_be_held, MR_COUNT(kills)             },
        {a_token_that_was_renewed_opens_the_door,                              MR_COUNT(logins)            },
        {no_more_connections_are_open_than_configured,                         MR_COUNT(most)              },
    };

    return mr_suite_run_slow("relays", tests, 60);
}
