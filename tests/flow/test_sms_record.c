/* Text messages with a record in a real MariaDB: once each, whatever gets lost, and honest about what nobody knows. */
#include "tests/support/mariadb.h"
#include "tests/support/mill.h"
#include "tests/support/peer.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANN "+12025550187"
#define TWILIO "url: \"http://127.0.0.1:%d\", account: AC1, token: t, from: \"+15005550006\""
/* A message to Ann; its text may ask the provider for a fault. */
#define SMS(uuid, tries, text)                                                                 \
    "{\"uuid\":\"" uuid "\",\"job\":\"sms.send\",\"maxTries\":" tries                          \
    ",\"data\":{\"to\":\"" ANN "\",\"text\":\"" text "\"}}"

static struct mr_mill mill;
static struct mr_mariadb db;
static struct mr_peer first, second;
static char yaml[2000];

/* Two providers, first and second; more: further options of sms. */
static void start(const char *more)
{
    mr_mill_start(&mill, yaml, NULL);
    mr_mariadb_start(&db, NULL);
    mr_mariadb_schema(&db);
    mr_peer_run(&first, "web.py", mill.redis.dir, "first", -1, NULL);
    mr_peer_run(&second, "web.py", mill.redis.dir, "second", -1, NULL);
    snprintf(yaml, sizeof(yaml),
             "pools: { main: { queues: [main], concurrency: 20, backoff: 50ms..100ms } }\n"
             "log: { level: debug }\n%s"
             "sms: { record: true, timeout: 1s, wait: 100ms, whatsapp_from: \"+15005550010\", "
             "secret: key, providers: { first: { " TWILIO " }, second: { " TWILIO " } }%s }\n",
             db.yaml, first.port, second.port, more);
    mr_mill_dispatch(&mill, 0, 1);
}

static void stop(void)
{
    ck_assert(!mr_proc_said(&mill.dispatchers[0], ANN));
    mr_mill_stop(&mill);
    mr_peer_stop(&first);
    mr_peer_stop(&second);
    mr_mariadb_stop(&db);
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

static size_t asked_of(const struct mr_peer *peer)
{
    return mr_peer_count(peer, "message");
}

/* The row of s-1, these columns of it. */
static void expect_row(const char *columns, const char *want)
{
    char *row = mr_mariadb_text(
        &db, "SELECT CONCAT_WS(' ', %s) FROM millrace_notifications WHERE uuid = 's-1'",
        columns);

    ck_assert_msg(row && strcmp(row, want) == 0, "%s: %s", columns, row ? row : "(none)");
    free(row);
}

/* ---- what is written down ---- */

/* The hash is that of `printf +12025550187 | openssl dgst -sha256 -hmac key`. */
START_TEST(each_message_has_a_row_without_its_number_and_its_text)
{
    start("");
    push(SMS("s-1", "1", "it is done"));
    await_done();
    expect_row("channel, receiver, sender, provider, state, segments, asked",
               "sms +1202*****87 +15005550006 first ok 1 1");
    expect_row("provider_id", "SM00000000000000000000000000000001");
    expect_row("receiver_hash",
               "4da9d6a406fb0afd96086d7d4c854547b8a2c86d538b23e89d8422c16d08840c");
    expect_row("code IS NULL AND message IS NULL AND ended_at >= asked_at", "1");
    stop();
}
END_TEST

START_TEST(whatsapp_is_recorded_likewise)
{
    start("");
    push("{\"uuid\":\"s-1\",\"job\":\"whatsapp.send\",\"data\":{\"to\":\"" ANN
         "\",\"text\":\"x\"}}");
    await_done();
    expect_row("channel, sender, state", "whatsapp +15005550010 ok");
    stop();
}
END_TEST

START_TEST(a_job_without_a_name_cannot_be_recorded)
{
    start("");
    push("{\"job\":\"sms.send\",\"data\":{\"to\":\"" ANN "\",\"text\":\"x\"}}");
    mr_mill_await_letter(&mill, "main", "failed", "the job has no uuid");
    ck_assert_uint_eq(asked_of(&first), 0);
    stop();
}
END_TEST

/* ---- once ---- */

START_TEST(a_message_that_was_sent_is_not_sent_again)
{
    start("");
    push(SMS("s-1", "1", "x"));
    await_done();
    push(SMS("s-1", "1", "x"));
    push(SMS("s-1", "1", "x"));
    await_done();
    ck_assert_uint_eq(asked_of(&first), 1);
    ck_assert(mr_proc_said(&mill.dispatchers[0], "sms.sent_before"));
    stop();
}
END_TEST

/* Both are there at once: one of them waits until the other has its answer. */
START_TEST(a_message_that_is_pushed_twice_is_sent_once)
{
    start("");
    mr_mill_pause(&mill, "main");
    push(SMS("s-1", "1", "fault=slow300"));
    push(SMS("s-1", "1", "fault=slow300"));
    mr_mill_resume(&mill, "main");
    await_done();
    ck_assert_uint_eq(asked_of(&first), 1);
    expect_row("state, asked", "ok 1");
    stop();
}
END_TEST

START_TEST(a_uuid_belongs_to_one_message)
{
    start("");
    push(SMS("s-1", "1", "x"));
    await_done();
    push("{\"uuid\":\"s-1\",\"job\":\"sms.send\",\"data\":{\"to\":\"+12025550188\",\"text\":"
         "\"x\"}}");
    mr_mill_await_letter(&mill, "main", "failed", "the uuid is another message's");
    ck_assert_uint_eq(asked_of(&first), 1);
    stop();
}
END_TEST

/* Nothing was sent: whoever has mended what was wrong may try again. */
START_TEST(a_refused_message_may_be_tried_again)
{
    start("");
    push("{\"uuid\":\"s-1\",\"job\":\"sms.send\",\"data\":{\"to\":\"+15005550004\",\"text\":"
         "\"x\"}}");
    mr_mill_await_letter(&mill, "main", "failed",
                         "first: the provider refused it for good: 21610");
    expect_row("state, provider, code, asked", "refused first 21610 1");
    push("{\"uuid\":\"s-1\",\"job\":\"sms.send\",\"data\":{\"to\":\"+15005550004\",\"text\":"
         "\"x\"}}");
    mr_wait_for(mr_mill_dead(&mill, "main") == 2, 10000);
    expect_row("state, asked", "refused 2");
    ck_assert_uint_eq(asked_of(&second), 0);
    stop();
}
END_TEST

/* ---- what nobody knows ---- */

/* Whatever the provider says afterwards, the other one is not asked: the first may have sent it. */
static const char *const doubts[] = {
    "fault=reset-after-effect:1",
    "fault=reset:1,fail401:2",
    "fault=fail-after-effect:1,busy1:1",
    "fault=hang-after-effect:1",
};

START_TEST(what_nobody_knows_is_asked_of_the_same_provider_under_the_same_key)
{
    char payload[300];

    start("");
    snprintf(payload, sizeof(payload), SMS("s-1", "9", "%s"), doubts[_i]);
    push(payload);
    await_done();
    ck_assert_uint_eq(sent_by(&first), 1);
    ck_assert_uint_ge(asked_of(&first), 2);
    ck_assert_uint_eq(asked_of(&second), 0);
    expect_row("state, provider", "ok first");
    stop();
}
END_TEST

/* A person has looked, and says what became of it. */
static const struct {
    const char *said;
    size_t requests;
} decisions[] = {
    {"ok",      1},
    {"refused", 2},
};

START_TEST(what_nobody_knows_is_held_for_a_person)
{
    start(", unknown: hold");
    push(SMS("s-1", "9", "fault=reset:1"));
    mr_mill_await_letter(
        &mill, "main", "failed",
        "held for a person: nobody knows whether the message was sent: first:");
    expect_row("state", "unknown");
    push(SMS("s-1", "9", "fault=reset:1"));
    mr_wait_for(mr_mill_dead(&mill, "main") == 2, 10000);
    ck_assert_uint_eq(asked_of(&first), 1);
    mr_mariadb_do(&db, "UPDATE millrace_notifications SET state = '%s'", decisions[_i].said);
    push(SMS("s-1", "9", "fault=reset:1"));
    mr_wait_for(mr_mill_is_empty(&mill, "main"), 10000);
    ck_assert_int_eq(mr_mill_dead(&mill, "main"), 2);
    ck_assert_uint_eq(asked_of(&first), decisions[_i].requests);
    expect_row("state", "ok");
    stop();
}
END_TEST

/* Its row says that it was asked, and not what came of it. */
START_TEST(a_killed_workers_message_is_asked_for_again_when_it_is_surely_over)
{
    pid_t workers[MR_PROC_LIST];

    start("");
    push(SMS("s-1", "9", "fault=hang-after-effect:1"));
    mr_wait_for(asked_of(&first) == 1, 10000);
    ck_assert_int_eq(mr_mill_workers(&mill, 0, workers), 1);
    kill(workers[0], SIGKILL);
    await_done();
    ck_assert_uint_eq(sent_by(&first), 1);
    ck_assert_uint_eq(asked_of(&first), 2);
    ck_assert_uint_eq(asked_of(&second), 0);
    expect_row("state, provider, asked", "ok first 2");
    ck_assert(mr_proc_said(&mill.dispatchers[0], "another attempt under way"));
    stop();
}
END_TEST

/* ---- the next provider ---- */

START_TEST(the_row_names_the_provider_that_sent_it)
{
    start("");
    push(SMS("s-1", "1", "x"));
    mr_peer_stop(&first);
    await_done();
    mr_peer_run(&first, "web.py", mill.redis.dir, "first", -1, NULL);
    push(SMS("s-2", "1", "x"));
    await_done();
    ck_assert_int_eq(
        mr_mariadb_int(&db, "SELECT COUNT(*) FROM millrace_notifications WHERE state = 'ok'"),
        2);
    ck_assert_int_eq(
        mr_mariadb_int(&db, "SELECT asked FROM millrace_notifications WHERE uuid = 's-2' AND "
                            "provider = 'second'"),
        2);
    stop();
}
END_TEST

/* ---- limits ---- */

static const char *const limits[] = {", per_number: 2/3s", ", per_sender: 2/3s"};

/* Two dispatchers, a worker each: both count the same rows. */
START_TEST(limits_hold_for_all_workers_together)
{
    char payload[300];

    start(limits[_i]);
    mr_mill_dispatch(&mill, 1, 1);
    uint64_t from_ms = mr_wait_now_ms();
    for (int n = 0; n < 5; n++) {
        snprintf(payload, sizeof(payload), SMS("s-%d", "1", "x"), n);
        push(payload);
        mr_wait_for(asked_of(&first) > (size_t)n || mr_mill_delayed(&mill, "main") > 0, 10000);
    }
    await_done();
    ck_assert_uint_eq(sent_by(&first), 5);
    ck_assert_uint_ge(mr_wait_now_ms() - from_ms, 5900); /* 2, after 3 s 2, after 3 s 1 */
    stop();
}
END_TEST

/* ---- the database is away ---- */

START_TEST(without_the_database_a_message_waits_and_spends_no_attempt)
{
    start("");
    mr_mariadb_kill(&db);
    push(SMS("s-1", "1", "x"));
    mr_wait_for(mr_mill_delayed(&mill, "main") == 1, 10000);
    ck_assert_uint_eq(asked_of(&first), 0);
    mr_mariadb_again(&db, NULL);
    await_done();
    ck_assert_uint_eq(sent_by(&first), 1);
    expect_row("state", "ok");
    stop();
}
END_TEST

/* It was sent, so the job is done; that nobody could write so is said. */
START_TEST(a_sent_message_is_done_even_if_the_database_went_away_meanwhile)
{
    start("");
    push(SMS("s-1", "9", "fault=slow700"));
    /* The worker has been told that its row is there. */
    mr_wait_for(mr_mariadb_int(&db,
                               "SELECT COUNT(*) FROM millrace_notifications, "
                               "information_schema.processlist WHERE user = '%s' AND "
                               "command = 'Sleep'",
                               MR_MARIADB_USER) == 1,
                10000);
    mr_mariadb_kill(&db);
    await_done();
    ck_assert_uint_eq(asked_of(&first), 1);
    ck_assert(mr_proc_said(&mill.dispatchers[0], "sms.not_recorded"));
    mr_mariadb_again(&db, NULL);
    expect_row("state", "sending");
    stop();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {each_message_has_a_row_without_its_number_and_its_text,             0                  },
        {whatsapp_is_recorded_likewise,                                      0                  },
        {a_job_without_a_name_cannot_be_recorded,                            0                  },
        {a_message_that_was_sent_is_not_sent_again,                          0                  },
        {a_message_that_is_pushed_twice_is_sent_once,                        0                  },
        {a_uuid_belongs_to_one_message,                                      0                  },
        {a_refused_message_may_be_tried_again,                               0                  },
        {what_nobody_knows_is_asked_of_the_same_provider_under_the_same_key, MR_COUNT(doubts)   },
        {what_nobody_knows_is_held_for_a_person,                             MR_COUNT(decisions)},
        {a_killed_workers_message_is_asked_for_again_when_it_is_surely_over, 0                  },
        {the_row_names_the_provider_that_sent_it,                            0                  },
        {limits_hold_for_all_workers_together,                               MR_COUNT(limits)   },
        {without_the_database_a_message_waits_and_spends_no_attempt,         0                  },
        {a_sent_message_is_done_even_if_the_database_went_away_meanwhile,    0                  },
    };

    return mr_suite_run_slow("sms_record", tests, 60);
}
