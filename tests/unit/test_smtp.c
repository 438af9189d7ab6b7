/* One mail and one server: whatever the server says or does not say, every recipient's fate is known or called unknown. */
#include "jobs/email/mask.h"
#include "tests/support/smtp_talk.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TLS_OFF "\"tls\": \"off\""

static struct mr_smtp_talk talk;

/* ---- what a server may do, at each step ---- */

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
    {"552 to the first RCPT",
     {RCPTS("552 5.2.2 full\r\n", NULL)},
     2,                                                                                 "answered",
     "RT",                                                                                                 "for good: 552 5.2.2"    },
    {"552 behind one that it took",
     {RCPTS(NULL, "552 5.5.3 too many\r\n", NO)},
     3,                                                                                 "answered",
     "TLR",                                                                                                "for good: 550"          },
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
    mr_smtp_talk_start(&talk, &script, TLS_OFF);
    mr_smtp_talk_send(&talk, plays[row].n_recipients, NULL);
    ck_assert_int_eq(talk.turn, MR_RELAY_SENT);
    ck_assert_str_eq(mr_smtp_talk_end(&talk), plays[row].end);
    ck_assert_str_eq(mr_smtp_talk_fates(&talk), plays[row].fates);
    if (!plays[row].reason)
        ck_assert_ptr_null(talk.result.reason);
    else
        ck_assert_msg(talk.result.reason && strstr(talk.result.reason, plays[row].reason), "%s",
                      talk.result.reason);
    ck_assert_uint_lt(mr_wait_now_ms() - from_ms, 4000);
    mr_smtp_talk_stop(&talk);
    ck_assert_uint_le(talk.scene.n_messages, 1);
}
END_TEST

START_TEST(a_message_arrives_as_it_was_given)
{
    mr_smtp_talk_start(&talk, &(struct mr_smtp_script){0}, TLS_OFF);
    mr_smtp_talk_send(&talk, 2, NULL);
    mr_smtp_talk_stop(&talk);
    ck_assert_str_eq(talk.scene.message, "Subject: s\r\n\r\n..t\r\n.\r\n");
}
END_TEST

/* A message that no socket's buffer holds, so that it cannot be out when the server hangs up. */
static const struct {
    const char *body, *end, *fates, *reason;
} early[] = {
    {"552 5.3.4 too large\r\n", "answered", "R", "for good: 552 5.3.4 too large"},
    {"451 4.3.1 disk full\r\n", "answered", "L", "for now: 451 4.3.1"           },
    {BYE,                       "away",     "L", "421 4.3.2 closing"            },
    {MR_SMTP_HANG_UP,           "away",     "L", "went away"                    },
};

START_TEST(a_no_in_the_midst_of_a_message_is_heard)
{
    static const char *const ann[] = {"ann@example.org"};
    struct mr_buf message = {0};

    while (message.len < 16 << 20)
        mr_buf_text(&message, "a line of a mail that is very long indeed\r\n");
    mr_smtp_talk_start(&talk, &(struct mr_smtp_script){.body = early[_i].body}, TLS_OFF);
    const struct mr_smtp_mail mail = {
        "shop@example.org", ann, 1, {message.at, message.len}
    };
    mr_smtp_talk_post(&talk, &mail, NULL);
    ck_assert_str_eq(mr_smtp_talk_end(&talk), early[_i].end);
    ck_assert_str_eq(mr_smtp_talk_fates(&talk), early[_i].fates);
    ck_assert_msg(strstr(talk.result.reason, early[_i].reason), "%s", talk.result.reason);
    mr_smtp_talk_stop(&talk);
    mr_buf_fini(&message);
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
    mr_smtp_talk_start(&talk, &(struct mr_smtp_script){.ehlo = offers[_i]}, TLS_OFF);
    const struct mr_smtp_mail mail = {
        "shop@example.org", to, RECIPIENTS, {message.at, message.len}
    };
    mr_smtp_talk_post(&talk, &mail, NULL);
    ck_assert_str_eq(mr_smtp_talk_end(&talk), "answered");
    for (int i = 0; i < RECIPIENTS; i++)
        ck_assert_int_eq(talk.result.recipients[i].fate, MR_SMTP_TAKEN);
    mr_smtp_talk_stop(&talk);
    ck_assert_uint_eq(talk.scene.n_rcpts, RECIPIENTS);
    ck_assert(strcmp(talk.scene.message, wanted.at) == 0);
    mr_buf_fini(&message);
    mr_buf_fini(&wanted);
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
    mr_smtp_talk_start(&talk,
                       &(struct mr_smtp_script){RCPTS("550 <ann@example.org> is unknown\r\n")},
                       TLS_OFF);
    mr_smtp_talk_send(&talk, 2, NULL);
    ck_assert_str_eq(talk.result.recipients[0].said, "550 <a***@example.org> is unknown");
    ck_assert_ptr_null(strstr(talk.result.reason, "ann@"));
    mr_smtp_talk_stop(&talk);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {every_recipient_has_a_fate,              2 * MR_COUNT(plays)},
        {a_message_arrives_as_it_was_given,       0                  },
        {a_no_in_the_midst_of_a_message_is_heard, MR_COUNT(early)    },
        {a_long_mail_to_many_arrives_whole,       MR_COUNT(offers)   },
        {addresses_are_masked,                    MR_COUNT(masks)    },
        {a_servers_words_show_no_address,         0                  },
    };

    return mr_suite_run("smtp", tests);
}
