/* One mail and one server: whatever the server says or does not say, every recipient's fate is known or called unknown. */
#include "jobs/email/mask.h"
#include "jobs/email/relay.h"
#include "jobs/email/token.h"
#include "tests/support/scratch.h"
#include "tests/support/smtp_scene.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mr_smtp_scene scene;
static struct mr_relay *relay;
static const struct mr_relay_rules rules = {
    .timeout_ms = 1200, .connect_timeout_ms = 600, .circuit = {.failures = 2, .open_ms = 300}
};
static const char *const recipients[] = {"ann@example.org", "bob@example.org",
                                         "eve@example.org"};
static const struct mr_smtp_stop never = {0};

/* What became of the last mail. */
static enum mr_relay_turn turn;
static struct mr_smtp_result result;
static struct mr_relay_news news;
static uint64_t after_ms;

static struct mr_relay *new_relay(int port, const char *more)
{
    static json_t *options;
    char text[400];
    struct mr_relay *made;

    snprintf(text, sizeof(text), "{\"url\": \"smtp://127.0.0.1:%d\", %s}", port, more);
    json_decref(options);
    options = json_loads(text, 0, NULL);
    ck_assert_ptr_nonnull(options);
    ck_assert_int_eq(mr_relay_new("r", options, &rules, &made, NULL), MR_OK);
    return made;
}

static void start(const struct mr_smtp_script *script, const char *more)
{
    mr_smtp_scene_start(&scene, script);
    relay = new_relay(scene.port, more);
}

static void stop(void)
{
    mr_smtp_result_fini(&result);
    mr_relay_free(relay);
    mr_smtp_scene_stop(&scene);
}

static void send_to(unsigned n, const struct mr_smtp_stop *told)
{
    static const char message[] = "Subject: s\r\n\r\n.t\r\n";
    const struct mr_smtp_mail mail = {
        .sender = "shop@example.org",
        .recipients = recipients,
        .n_recipients = n,
        .message = {message, strlen(message)},
    };

    mr_smtp_result_fini(&result);
    news = (struct mr_relay_news){0};
    turn = mr_relay_send(relay, &mail, told, 1000, &result, &news, &after_ms);
}

/* "TLR?": a letter for each recipient. */
static const char *fates(void)
{
    static char letters[8];

    for (unsigned i = 0; i < result.n_recipients; i++)
        letters[i] = "LTR?"[result.recipients[i].fate];
    letters[result.n_recipients] = '\0';
    return letters;
}

static const char *end_name(void)
{
    static const char *const names[] = {"answered", "put off", "away",
                                        "stale",    "stopped", "lost"};

    return names[result.end];
}

/* ---- what a server may do, at each step ---- */

#define LATER "451 4.3.0 not now\r\n"
#define NO "550 5.1.1 no such user\r\n"
#define BYE "421 4.3.2 closing\r\n"
#define RCPTS(...) .rcpt = {__VA_ARGS__}

static const struct {
    const char *name;
    struct mr_smtp_script script;
    unsigned n_recipients;
    const char *end, *fates, *reason; /* reason NULL: all is well */
} plays[] = {
    {"all is well",                                {0},                              3, "answered", "TTT", NULL                     },
    {"mute",                                       {.banner = MR_SMTP_SILENCE},      1, "away",     "L",   "could not be reached"   },
    {"hangs up at once",                           {.banner = MR_SMTP_HANG_UP},      1, "away",     "L",   "could not be reached"   },
    {"greets with 421",                            {.banner = BYE},                  1, "away",     "L",   "421 4.3.2 closing"      },
    {"greets with 554",                            {.banner = "554 no service\r\n"}, 1, "away",     "L",   "554 no service"         },
    {"greets without end",                         {.banner = MR_SMTP_ENDLESS},      1, "away",     "L",   "does not end"           },
    {"greets byte by byte",
     {.banner = MR_SMTP_DRIBBLE},
     1,                                                                                 "away",
     "L",                                                                                                  "could not be reached"   },
    {"greets in another tongue",
     {.banner = "SSH-2.0-x\r\n220-\r\n"},
     1,                                                                                 "away",
     "L",                                                                                                  "could not be reached"   },
    {"4xx to EHLO",                                {.ehlo = LATER},                  1, "away",     "L",   "451 4.3.0 not now"      },
    {"5xx to EHLO and HELO",                       {.ehlo = "502 what\r\n"},         1, "away",     "L",   "502 what"               },
    {"EHLO without end",                           {.ehlo = MR_SMTP_ENDLESS},        1, "away",     "L",   "mail server"            },
    {"4xx to MAIL",                                {.mail = LATER},                  2, "put off",  "LL",  "for now: 451 4.3.0 not" },
    {"5xx to MAIL",
     {.mail = "553 5.7.1 not you\r\n"},
     2,                                                                                 "answered",
     "RR",                                                                                                 "for good: 553 5.7.1"    },
    {"421 to MAIL",                                {.mail = BYE},                    1, "away",     "L",   "421 4.3.2 closing"      },
    {"MAIL needs a login",
     {.mail = "530 5.7.0 log in\r\n"},
     1,                                                                                 "away",
     "L",                                                                                                  "does not let us in"     },
    {"mute at MAIL",                               {.mail = MR_SMTP_SILENCE},        1, "away",     "L",   "went away"              },
    {"hangs up at MAIL",                           {.mail = MR_SMTP_HANG_UP},        1, "away",     "L",   "went away"              },
    {"4xx to the only RCPT",                       {RCPTS(LATER)},                   1, "put off",  "L",   "for now: 451"           },
    {"5xx to the only RCPT",                       {RCPTS(NO)},                      1, "answered", "R",   "for good: 550 5.1.1"    },
    {"one of three is no user",                    {RCPTS(NULL, NO)},                3, "answered", "TRT", "for good: 550 5.1.1"    },
    {"each another fate",
     {RCPTS(LATER, NULL, NO)},
     3,                                                                                 "answered",
     "LTR",                                                                                                "for good: 550 5.1.1"    },
    {"now, good and now",
     {RCPTS(LATER, NO, LATER)},
     3,                                                                                 "put off",
     "LRL",                                                                                                "for good: 550 5.1.1"    },
    {"none of three",                              {RCPTS(NO, NO, NO)},              3, "answered", "RRR", "for good: 550 5.1.1"    },
    {"a refusal of many lines",
     {RCPTS("550-5.1.1 no\r\n550 5.1.1 such\r\n")},
     1,                                                                                 "answered",
     "R",                                                                                                  "550 5.1.1 no 5.1.1 such"},
    {"421 in the midst, and goes on all the same",
     {RCPTS(NULL, BYE)},
     2,                                                                                 "answered",
     "TL",                                                                                                 "for now: 421 4.3.2"     },
    {"hangs up in the midst",                      {RCPTS(NULL, MR_SMTP_HANG_UP)},   3, "away",     "LLL", "went away"              },
    {"RCPT without end",                           {RCPTS(NULL, MR_SMTP_ENDLESS)},   2, "away",     "LL",  "does not end"           },
    {"4xx to DATA",
     {RCPTS(NULL, NO), .data = LATER},
     2,                                                                                 "put off",
     "LR",                                                                                                 "for good: 550 5.1.1"    },
    {"5xx to DATA",
     {RCPTS(NULL, LATER), .data = "554 no\r\n"},
     2,                                                                                 "put off",
     "RL",                                                                                                 "for good: 554 no"       },
    {"hangs up at DATA",                           {.data = MR_SMTP_HANG_UP},        1, "away",     "L",   "went away"              },
    {"no message wanted",                          {.data = "250 and then?\r\n"},    1, "put off",  "L",   "250 and then?"          },
    {"4xx to the message",                         {.dot = LATER},                   2, "answered", "LL",  "for now: 451 4.3.0"     },
    {"5xx to the message",
     {RCPTS(NULL, LATER), .dot = "554 spam\r\n"},
     2,                                                                                 "answered",
     "RL",                                                                                                 "for good: 554 spam"     },
    {"421 to the message",                         {.dot = BYE},                     1, "answered", "L",   "for now: 421"           },
    {"hangs up after the dot",
     {RCPTS(NULL, NO), .dot = MR_SMTP_HANG_UP},
     2,                                                                                 "lost",
     "?R",                                                                                                 "is unknown"             },
    {"mute after the dot",                         {.dot = MR_SMTP_SILENCE},         1, "lost",     "?",   "is unknown"             },
    {"no end after the dot",                       {.dot = MR_SMTP_ENDLESS},         1, "lost",     "?",   "is unknown"             },
    {"dribbles after the dot",                     {.dot = MR_SMTP_DRIBBLE},         1, "lost",     "?",   "is unknown"             },
    {"babbles after the dot",                      {.dot = "354 go on\r\n"},         1, "lost",     "?",   "is unknown"             },
    {"251 to the message",                         {.dot = "251 taken\r\n"},         1, "answered", "T",   NULL                     },
    {"mute at QUIT",
     {RCPTS(NO), .quit = MR_SMTP_SILENCE},
     1,                                                                                 "answered",
     "R",                                                                                                  "for good: 550 5.1.1"    },
};

/* The same plays once more with a server that takes commands together. */
START_TEST(every_recipient_has_a_fate)
{
    const size_t row = (size_t)_i % MR_COUNT(plays);
    struct mr_smtp_script script = plays[row].script;
    uint64_t from_ms = mr_wait_now_ms();

    printf("# %s\n", plays[row].name);
    if ((size_t)_i >= MR_COUNT(plays) && !script.ehlo)
        script.ehlo = "250-scene\r\n250-PIPELINING\r\n250 SIZE\r\n";
    start(&script, "\"tls\": \"off\"");
    send_to(plays[row].n_recipients, &never);
    ck_assert_int_eq(turn, MR_RELAY_SENT);
    ck_assert_str_eq(end_name(), plays[row].end);
    ck_assert_str_eq(fates(), plays[row].fates);
    if (!plays[row].reason)
        ck_assert_ptr_null(result.reason);
    else
        ck_assert_msg(result.reason && strstr(result.reason, plays[row].reason), "%s",
                      result.reason);
    ck_assert_uint_lt(mr_wait_now_ms() - from_ms, 4000);
    stop();
    ck_assert_uint_le(scene.n_messages, 1);
}
END_TEST

START_TEST(a_message_arrives_as_it_was_given)
{
    start(&(struct mr_smtp_script){0}, "\"tls\": \"off\"");
    send_to(2, &never);
    stop();
    ck_assert_str_eq(scene.message, "Subject: s\r\n\r\n..t\r\n.\r\n");
}
END_TEST

static const char *const offers[] = {"250 scene\r\n", "250-scene\r\n250 PIPELINING\r\n"};

START_TEST(a_long_mail_to_many_arrives_whole)
{
    enum { RECIPIENTS = 170, LINES = 6000 };
    static char addresses[RECIPIENTS][32];
    const char *to[RECIPIENTS];
    struct mr_buf message = {0}, wanted = {0};

    for (int i = 0; i < RECIPIENTS; i++) {
        snprintf(addresses[i], sizeof(addresses[i]), "guest-%d@example.org", i);
        to[i] = addresses[i];
    }
    for (int i = 0; i < LINES; i++) {
        mr_buf_printf(&message, "%.*s line %d\r\n", i % 4, "...", i);
        mr_buf_printf(&wanted, "%.*s line %d\r\n", i % 4 ? i % 4 + 1 : 0, "....", i);
    }
    mr_buf_text(&message, "no end"); /* which a mail has all the same */
    mr_buf_text(&wanted, "no end\r\n.\r\n");
    start(&(struct mr_smtp_script){.ehlo = offers[_i]}, "\"tls\": \"off\"");
    const struct mr_smtp_mail mail = {
        "shop@example.org", to, RECIPIENTS, {message.at, message.len}
    };
    turn = mr_relay_send(relay, &mail, &never, 1000, &result, &news, &after_ms);
    ck_assert_str_eq(end_name(), "answered");
    for (int i = 0; i < RECIPIENTS; i++)
        ck_assert_int_eq(result.recipients[i].fate, MR_SMTP_TAKEN);
    stop();
    ck_assert_uint_eq(scene.n_rcpts, RECIPIENTS);
    ck_assert(strcmp(scene.message, wanted.at) == 0);
    mr_buf_fini(&message);
    mr_buf_fini(&wanted);
}
END_TEST

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
    start(&(struct mr_smtp_script){.ehlo = ehlo}, options);
    send_to(1, &never);
    ck_assert_str_eq(end_name(), logins[_i].login ? "answered" : "away");
    if (!logins[_i].login)
        ck_assert_msg(strstr(result.reason, "does not let us in"), "%s", result.reason);
    stop();
    ck_assert_str_eq(scene.login, logins[_i].login ? logins[_i].login : "");
    ck_assert_uint_eq(scene.n_messages, logins[_i].login ? 1 : 0);
}
END_TEST

START_TEST(a_wrong_password_is_the_relays_trouble_and_not_the_mails)
{
    start(&(struct mr_smtp_script){.ehlo = "250-scene\r\n250 AUTH PLAIN\r\n",
                                   .auth = "535 5.7.8 bad credentials\r\n"},
          "\"tls\": \"off\", \"username\": \"shop\", \"password\": \"s3cret\"");
    send_to(1, &never);
    ck_assert_str_eq(end_name(), "away");
    ck_assert_ptr_nonnull(strstr(result.reason, "535 5.7.8 bad credentials"));
    ck_assert_ptr_null(strstr(result.reason, "s3cret"));
    stop();
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
    start(&(struct mr_smtp_script){0}, options);
    send_to(1, &never);
    ck_assert_str_eq(end_name(), strips[_i].end);
    stop();
    ck_assert_uint_eq(scene.n_messages, strcmp(strips[_i].end, "answered") == 0);
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
    start(&(struct mr_smtp_script){0}, "\"tls\": \"off\"");
    for (int n = 0; n < 5; n++) {
        send_to(1, &never);
        ck_assert_str_eq(fates(), "T");
        ck_assert_int_eq(result.connected, n == 0);
    }
    stop();
    ck_assert_uint_eq(scene.n_connections, 1);
}
END_TEST

/* What a server says to the next mail on a connection that was idle too long for it. */
static const char *const goodbyes[] = {MR_SMTP_HANG_UP, BYE};

START_TEST(a_connection_that_is_no_more_is_replaced_by_a_fresh_one)
{
    start(&(struct mr_smtp_script){.second_mail = goodbyes[_i]}, "\"tls\": \"off\"");
    for (int n = 0; n < 3; n++) {
        send_to(1, &never);
        ck_assert_str_eq(end_name(), "answered");
        ck_assert_str_eq(fates(), "T");
    }
    ck_assert(!news.changed);
    stop();
    ck_assert_uint_eq(scene.n_messages, 3);
    ck_assert_uint_eq(scene.n_connections, 3);
}
END_TEST

/* ---- a relay that fails is passed over ---- */

START_TEST(a_relay_that_fails_again_is_passed_over_until_one_mail_finds_it_well)
{
    struct mr_smtp_script script = {.banner = BYE};

    start(&script, "\"tls\": \"off\"");
    send_to(1, &never);
    ck_assert(!news.changed);
    send_to(1, &never);
    ck_assert(news.changed && news.away);
    ck_assert_uint_le(news.passed_ms, 300);
    send_to(1, &never);
    ck_assert_int_eq(turn, MR_RELAY_PASSED);
    ck_assert_uint_le(after_ms, 300);
    scene.script = (struct mr_smtp_script){0};
    mr_wait_for((send_to(1, &never), turn == MR_RELAY_SENT), 5000);
    ck_assert_str_eq(fates(), "T");
    ck_assert(news.changed && !news.away);
    stop();
    ck_assert_uint_eq(scene.n_connections, 3);
}
END_TEST

START_TEST(a_refused_mail_is_no_failure_of_the_relay)
{
    start(&(struct mr_smtp_script){RCPTS(NO)}, "\"tls\": \"off\"");
    for (int n = 0; n < 5; n++) {
        send_to(1, &never);
        ck_assert_int_eq(turn, MR_RELAY_SENT);
        ck_assert_str_eq(fates(), "R");
    }
    stop();
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
    struct mr_smtp_stop told = {late ? after_a_message : at_once, &scene, 100};

    start(&stops[_i].script, "\"tls\": \"off\"");
    send_to(1, &told);
    ck_assert_str_eq(end_name(), stops[_i].end);
    ck_assert_str_eq(fates(), stops[_i].fates);
    stop();
}
END_TEST

/* ---- what people may read ---- */

static const struct {
    const char *text, *masked;
} masks[] = {
    {"550 5.1.1 <ann@example.org>: no such user", "550 5.1.1 <a***@example.org>: no such user"},
    {"ann@example.org",                           "a***@example.org"                          },
    {"a@b, longer.name+tag@c.example; x",         "a***@b, l***@c.example; x"                 },
    {"to=<\"odd name\"@example.org>",             "to=<\"o***@example.org>"                   },
    {"@",                                         "***@"                                      },
    {"no address at all",                         "no address at all"                         },
};

START_TEST(addresses_are_masked)
{
    char *masked = mr_mask_addresses(masks[_i].text);

    ck_assert_str_eq(masked, masks[_i].masked);
    free(masked);
}
END_TEST

START_TEST(a_servers_words_show_no_address)
{
    start(&(struct mr_smtp_script){RCPTS("550 <ann@example.org> is unknown\r\n")},
          "\"tls\": \"off\"");
    send_to(2, &never);
    ck_assert_str_eq(result.recipients[0].said, "550 <a***@example.org> is unknown");
    ck_assert_ptr_null(strstr(result.reason, "ann@"));
    stop();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {every_recipient_has_a_fate,                                           2 * MR_COUNT(plays)},
        {a_message_arrives_as_it_was_given,                                    0                  },
        {a_long_mail_to_many_arrives_whole,                                    MR_COUNT(offers)   },
        {it_logs_in_as_configured_or_not_at_all,                               MR_COUNT(logins)   },
        {a_wrong_password_is_the_relays_trouble_and_not_the_mails,             0                  },
        {a_stripped_starttls_sends_nothing_where_it_is_asked_for,              MR_COUNT(strips)   },
        {a_token_is_read_again_when_its_file_has_changed,                      0                  },
        {mails_share_a_connection,                                             0                  },
        {a_connection_that_is_no_more_is_replaced_by_a_fresh_one,              MR_COUNT(goodbyes) },
        {a_relay_that_fails_again_is_passed_over_until_one_mail_finds_it_well, 0                  },
        {a_refused_mail_is_no_failure_of_the_relay,                            0                  },
        {who_is_told_to_stop_stops_and_knows_what_that_means,                  MR_COUNT(stops)    },
        {addresses_are_masked,                                                 MR_COUNT(masks)    },
        {a_servers_words_show_no_address,                                      0                  },
    };

    return mr_suite_run("smtp", tests);
}
