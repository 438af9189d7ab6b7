/* One relay and mail after mail: who is let in, what is kept open, when it is passed over, and when somebody has to stop. */
#include "jobs/email/token.h"
#include "tests/support/scratch.h"
#include "tests/support/smtp_talk.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TLS_OFF "\"tls\": \"off\""

static struct mr_smtp_talk talk;

/* ---- logging in ---- */

/* Of "shop" and "s3cret". */
static const struct {
    const char *offer, *auth, *login; /* login NULL: none */
} logins[] = {
    {"PLAIN LOGIN",         "plain",   "AUTH PLAIN AHNob3AAczNjcmV0"                          },
    {"PLAIN LOGIN XOAUTH2", "xoauth2", "AUTH XOAUTH2 dXNlcj1zaG9wAWF1dGg9QmVhcmVyIHMzY3JldAEB"},
    {"PLAIN",               "auto",    "AUTH PLAIN AHNob3AAczNjcmV0"                          },
    {"PLAIN LOGIN",         "login",   "AUTH LOGIN c2hvcA== czNjcmV0"                         },
    {"PLAIN",               "login",   NULL                                                   },
    {"LOGIN",               "xoauth2", NULL                                                   },
};

START_TEST(it_logs_in_as_configured_or_not_at_all)
{
    char ehlo[100], options[200];

    snprintf(ehlo, sizeof(ehlo), "250-scene\r\n250 AUTH %s\r\n", logins[_i].offer);
    snprintf(options, sizeof(options),
             "\"tls\": \"off\", \"username\": \"shop\", \"password\": \"s3cret\", \"auth\": "
             "\"%s\"",
             logins[_i].auth);
    mr_smtp_talk_start(&talk, &(struct mr_smtp_script){.ehlo = ehlo}, options);
    mr_smtp_talk_send(&talk, 1, NULL);
    ck_assert_str_eq(mr_smtp_talk_end(&talk), logins[_i].login ? "answered" : "away");
    if (!logins[_i].login)
        ck_assert_msg(strstr(talk.result.reason, "does not let us in"), "%s",
                      talk.result.reason);
    mr_smtp_talk_stop(&talk);
    ck_assert_str_eq(talk.scene.login, logins[_i].login ? logins[_i].login : "");
    ck_assert_uint_eq(talk.scene.n_messages, logins[_i].login ? 1 : 0);
}
END_TEST

START_TEST(a_wrong_password_is_the_relays_trouble_and_not_the_mails)
{
    mr_smtp_talk_start(&talk,
                       &(struct mr_smtp_script){.ehlo = "250-scene\r\n250 AUTH PLAIN\r\n",
                                                .auth = "535 5.7.8 bad credentials\r\n"},
                       "\"tls\": \"off\", \"username\": \"shop\", \"password\": \"s3cret\"");
    mr_smtp_talk_send(&talk, 1, NULL);
    ck_assert_str_eq(mr_smtp_talk_end(&talk), "away");
    ck_assert_ptr_nonnull(strstr(talk.result.reason, "535 5.7.8 bad credentials"));
    ck_assert_ptr_null(strstr(talk.result.reason, "s3cret"));
    mr_smtp_talk_stop(&talk);
}
END_TEST

/* A man in the middle takes the offer of STARTTLS away. */
static const struct {
    const char *tls, *end;
} strips[] = {
    {"starttls",      "away"    },
    {"opportunistic", "answered"},
    {"tls",           "away"    },
};

START_TEST(a_stripped_starttls_sends_nothing_where_it_is_asked_for)
{
    char options[64];

    snprintf(options, sizeof(options), "\"tls\": \"%s\"", strips[_i].tls);
    mr_smtp_talk_start(&talk, &(struct mr_smtp_script){0}, options);
    mr_smtp_talk_send(&talk, 1, NULL);
    ck_assert_str_eq(mr_smtp_talk_end(&talk), strips[_i].end);
    mr_smtp_talk_stop(&talk);
    ck_assert_uint_eq(talk.scene.n_messages, strcmp(strips[_i].end, "answered") == 0);
}
END_TEST

START_TEST(a_token_is_read_again_when_its_file_has_changed)
{
    char dir[32], path[64];

    mr_scratch_folder(dir);
    snprintf(path, sizeof(path), "%s/token", dir);
    struct mr_token *token = mr_token_new(path);
    ck_assert_ptr_null(mr_token_read(token));
    mr_scratch_put(dir, "token", "one\n");
    char *text = mr_token_read(token);
    ck_assert_str_eq(text, "one");
    free(text);
    mr_scratch_put(dir, "token", "another\n");
    text = mr_token_read(token);
    ck_assert_str_eq(text, "another");
    free(text);
    mr_token_free(token);
    mr_scratch_remove(dir);
}
END_TEST

/* ---- connections ---- */

START_TEST(mails_share_a_connection)
{
    mr_smtp_talk_start(&talk, &(struct mr_smtp_script){0}, TLS_OFF);
    for (int n = 0; n < 5; n++) {
        mr_smtp_talk_send(&talk, 1, NULL);
        ck_assert_str_eq(mr_smtp_talk_fates(&talk), "T");
        ck_assert_int_eq(talk.result.connected, n == 0);
    }
    mr_smtp_talk_stop(&talk);
    ck_assert_uint_eq(talk.scene.n_connections, 1);
}
END_TEST

/* What a server says to the next mail on a connection that was idle too long for it, or for something on the way to it. */
static const char *const goodbyes[] = {MR_SMTP_HANG_UP, BYE, MR_SMTP_SILENCE};

START_TEST(a_connection_that_is_no_more_is_replaced_by_a_fresh_one)
{
    mr_smtp_talk_start(&talk, &(struct mr_smtp_script){.second_mail = goodbyes[_i]}, TLS_OFF);
    for (int n = 0; n < 3; n++) {
        uint64_t from_ms = mr_wait_now_ms();

        mr_smtp_talk_send(&talk, 1, NULL);
        ck_assert_uint_lt(mr_wait_now_ms() - from_ms, MR_SMTP_TALK_TIMEOUT_MS);
        ck_assert_str_eq(mr_smtp_talk_end(&talk), "answered");
        ck_assert_str_eq(mr_smtp_talk_fates(&talk), "T");
    }
    ck_assert(!talk.news.changed);
    mr_smtp_talk_stop(&talk);
    ck_assert_uint_eq(talk.scene.n_messages, 3);
    ck_assert_uint_eq(talk.scene.n_connections, 3);
}
END_TEST

/* ---- a relay that fails is passed over ---- */

START_TEST(a_relay_that_fails_again_is_passed_over_until_one_mail_finds_it_well)
{
    struct mr_smtp_script script = {.banner = BYE};

    mr_smtp_talk_start(&talk, &script, TLS_OFF);
    mr_smtp_talk_send(&talk, 1, NULL);
    ck_assert(!talk.news.changed);
    mr_smtp_talk_send(&talk, 1, NULL);
    ck_assert(talk.news.changed && talk.news.away);
    ck_assert_uint_le(talk.news.passed_ms, 300);
    mr_smtp_talk_send(&talk, 1, NULL);
    ck_assert_int_eq(talk.turn, MR_RELAY_PASSED);
    ck_assert_uint_le(talk.after_ms, 300);
    talk.scene.script = (struct mr_smtp_script){0};
    mr_wait_for((mr_smtp_talk_send(&talk, 1, NULL), talk.turn == MR_RELAY_SENT), 5000);
    ck_assert_str_eq(mr_smtp_talk_fates(&talk), "T");
    ck_assert(talk.news.changed && !talk.news.away);
    mr_smtp_talk_stop(&talk);
    ck_assert_uint_eq(talk.scene.n_connections, 3);
}
END_TEST

/* What a server does with a message, so that nobody knows whether it took it. */
static const char *const silences[] = {MR_SMTP_SILENCE, MR_SMTP_HANG_UP, MR_SMTP_DRIBBLE};

START_TEST(a_relay_that_takes_messages_and_does_not_answer_is_passed_over)
{
    mr_smtp_talk_start(&talk, &(struct mr_smtp_script){.dot = silences[_i]}, TLS_OFF);
    mr_smtp_talk_send(&talk, 1, NULL);
    ck_assert_str_eq(mr_smtp_talk_end(&talk), "lost");
    ck_assert(!talk.news.changed);
    mr_smtp_talk_send(&talk, 1, NULL);
    ck_assert(talk.news.changed && talk.news.away);
    mr_smtp_talk_send(&talk, 1, NULL);
    ck_assert_int_eq(talk.turn, MR_RELAY_PASSED);
    mr_smtp_talk_stop(&talk);
    ck_assert_uint_eq(talk.scene.n_messages, 2);
}
END_TEST

START_TEST(a_refused_mail_is_no_failure_of_the_relay)
{
    mr_smtp_talk_start(&talk, &(struct mr_smtp_script){RCPTS(NO)}, TLS_OFF);
    for (int n = 0; n < 5; n++) {
        mr_smtp_talk_send(&talk, 1, NULL);
        ck_assert_int_eq(talk.turn, MR_RELAY_SENT);
        ck_assert_str_eq(mr_smtp_talk_fates(&talk), "R");
    }
    mr_smtp_talk_stop(&talk);
}
END_TEST

/* ---- told to stop ---- */

static bool at_once(const void *arg)
{
    (void)arg;
    return true;
}

static const struct {
    struct mr_smtp_script script;
    const char *end, *fates;
} stops[] = {
    {{.banner = MR_SMTP_SILENCE}, "stopped", "L"},
    {{.mail = MR_SMTP_SILENCE},   "stopped", "L"},
    {{.dot = MR_SMTP_SILENCE},    "lost",    "?"},
};

static bool after_a_message(const void *arg)
{
    const struct mr_smtp_scene *playing = arg;

    return playing->n_messages > 0;
}

START_TEST(who_is_told_to_stop_stops_and_knows_what_that_means)
{
    bool late = strcmp(stops[_i].end, "lost") == 0;
    struct mr_smtp_watch told = {
        .asked = late ? after_a_message : at_once, .arg = &talk.scene, .patience_ms = 100};

    mr_smtp_talk_start(&talk, &stops[_i].script, TLS_OFF);
    mr_smtp_talk_send(&talk, 1, &told);
    ck_assert_str_eq(mr_smtp_talk_end(&talk), stops[_i].end);
    ck_assert_str_eq(mr_smtp_talk_fates(&talk), stops[_i].fates);
    mr_smtp_talk_stop(&talk);
}
END_TEST

/* The n-th message is out. */
struct patience {
    const struct mr_smtp_scene *scene;
    unsigned n;
};

static bool once_it_is_out(const void *arg)
{
    const struct patience *patience = arg;

    return patience->scene->n_messages >= patience->n;
}

START_TEST(who_stops_by_himself_says_nothing_of_the_relay)
{
    struct patience patience = {&talk.scene, 0};
    const struct mr_smtp_watch told = {
        .asked = once_it_is_out, .arg = &patience, .patience_ms = 50};

    mr_smtp_talk_start(&talk, &(struct mr_smtp_script){.dot = MR_SMTP_SILENCE}, TLS_OFF);
    while (++patience.n <= 4) {
        mr_smtp_talk_send(&talk, 1, &told);
        ck_assert_str_eq(mr_smtp_talk_end(&talk), "lost");
        ck_assert(!talk.news.changed);
    }
    mr_smtp_talk_stop(&talk);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {it_logs_in_as_configured_or_not_at_all,                               MR_COUNT(logins)  },
        {a_wrong_password_is_the_relays_trouble_and_not_the_mails,             0                 },
        {a_stripped_starttls_sends_nothing_where_it_is_asked_for,              MR_COUNT(strips)  },
        {a_token_is_read_again_when_its_file_has_changed,                      0                 },
        {mails_share_a_connection,                                             0                 },
        {a_connection_that_is_no_more_is_replaced_by_a_fresh_one,              MR_COUNT(goodbyes)},
        {a_relay_that_fails_again_is_passed_over_until_one_mail_finds_it_well, 0                 },
        {a_relay_that_takes_messages_and_does_not_answer_is_passed_over,       MR_COUNT(silences)},
        {a_refused_mail_is_no_failure_of_the_relay,                            0                 },
        {who_is_told_to_stop_stops_and_knows_what_that_means,                  MR_COUNT(stops)   },
        {who_stops_by_himself_says_nothing_of_the_relay,                       0                 },
    };

    return mr_suite_run("relay", tests);
}
