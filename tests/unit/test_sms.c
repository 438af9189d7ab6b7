/* What sms.send makes of its data, of a text's length, of the providers' replies and of its own limits. */
#include "jobs/services/form.h"
#include "jobs/sms/callback.h"
#include "jobs/sms/message.h"
#include "jobs/sms/quota.h"
#include "jobs/sms/reply.h"
#include "jobs/sms/segments.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EURO "\xe2\x82\xac"
#define UMLAUT "\xc3\xbc"          /* in the GSM alphabet */
#define CEDILLA "\xc3\xa7"         /* the small one is not */
#define HORSE "\xf0\x9f\x90\x8e"   /* a surrogate pair */
#define NOT_A_CHARACTER "\xc3\x28" /* half of one */

static const struct mr_message_channel by_sms = {
    .name = "sms",
    .from = "+15005550006",
    .from_option = "sms.from",
    .max_segments = 2,
};
static const struct mr_message_channel by_whatsapp = {
    .name = "whatsapp",
    .numbers_only = true,
    .from = "+15005550007",
    .from_option = "sms.whatsapp_from",
};
static struct mr_err err;

/* ---- messages ---- */

static enum mr_code read_message(const char *text, const struct mr_message_channel *channel,
                                 struct mr_message *out)
{
    json_t *data = json_loads(text, JSON_ALLOW_NUL, NULL);

    ck_assert_msg(data != NULL, "the test's own JSON is wrong: %s", text);
    enum mr_code code = mr_message_read(data, NULL, channel, out, &err);
    json_decref(data);
    return code;
}

static const struct {
    const char *data;
    const struct mr_message_channel *channel;
    const char *to, *from, *text;
    bool chosen;
} messages[] = {
    {"{\"to\":\"+4915112345678\",\"text\":\"Hi & bye\"}",                         &by_sms,      "+4915112345678",
     "+15005550006",                                                                                                               "Hi & bye", false},
    {"{\"to\":\"+4915112345678\",\"from\":\"+491721234567\",\"text\":\"a\\nb\"}", &by_sms,
     "+4915112345678",                                                                                            "+491721234567", "a\nb",     true },
    {"{\"to\":\"+4915112345678\",\"from\":\"The Shop 24\",\"text\":\"a\"}",       &by_sms,
     "+4915112345678",                                                                                            "The Shop 24",   "a",        true },
    {"{\"to\":\"+1234567\",\"from\":\"72345\",\"text\":\"a\"}",                   &by_sms,      "+1234567",       "72345",
     "a",                                                                                                                                      true },
    {"{\"to\":\"+123456789012345\",\"from\":null,\"text\":\"" UMLAUT "\"}",       &by_sms,
     "+123456789012345",                                                                                          "+15005550006",  UMLAUT,     false},
    {"{\"to\":\"+4915112345678\",\"text\":\"a\",\"more\":1}",                     &by_whatsapp, "+4915112345678",
     "+15005550007",                                                                                                               "a",        false},
};

START_TEST(a_message_is_read_as_it_was_asked_for)
{
    struct mr_message message;

    ck_assert_msg(read_message(messages[_i].data, messages[_i].channel, &message) == MR_OK,
                  "%s", err.text);
    ck_assert_str_eq(message.to, messages[_i].to);
    ck_assert_str_eq(message.from, messages[_i].from);
    ck_assert_str_eq(message.text, messages[_i].text);
    ck_assert_int_eq(message.chosen, messages[_i].chosen);
    mr_message_fini(&message);
}
END_TEST

#define TO(number) "{\"to\":\"" number "\",\"text\":\"t\"}"
#define FROM(sender) "{\"to\":\"+4915112345678\",\"from\":\"" sender "\",\"text\":\"t\"}"
#define TEXT(text) "{\"to\":\"+4915112345678\",\"text\":" text "}"

static const struct {
    const char *data, *want;
} refused[] = {
    {"[]",                                     "data must be an object"                   },
    {"{\"text\":\"t\"}",                       "data.to is missing"                       },
    {"{\"to\":5,\"text\":\"t\"}",              "data.to must be a string"                 },
    {TO(""),                                   "data.to must begin with +"                },
    {TO("015112345678"),                       "data.to must begin with + and the country"},
    {TO("whatsapp:+4915112345678"),            "data.to must begin with +"                },
    {TO("+49 151 12345678"),                   "nothing between them: character 4 is none"},
    {TO("+49-15112345678"),                    "character 4 is none"                      },
    {TO("+4915112345678\\r\\nX-Evil: 1"),      "character 15 is none"                     },
    {TO("+4915112345678\\n"),                  "character 15 is none"                     },
    {TO("+4915112345678\\u0000"),              "data.to must not hold a NUL"              },
    {TO("+4915112345678\\u0000+49"),           "data.to must not hold a NUL"              },
    {TO("+04915112345678"),                    "no country begins with 0"                 },
    {TO("+123456"),                            "data.to has 6 digits"                     },
    {TO("+1234567890123456"),                  "data.to has 16 digits"                    },
    {TO("+"),                                  "data.to has 0 digits"                     },
    {FROM("+4917 1"),                          "data.from: behind the + only digits"      },
    {FROM("Shop\\r\\nX: y"),                   "data.from is no sender"                   },
    {FROM("Shop\\u0000"),                      "data.from must not hold a NUL"            },
    {FROM("A Shop of Ours"),                   "data.from is no sender"                   },
    {FROM("12"),                               "data.from is no sender"                   },
    {FROM("123456789"),                        "data.from is no sender"                   },
    {FROM(""),                                 "data.from is no sender"                   },
    {FROM(" "),                                "data.from is no sender"                   },
    {"{\"to\":\"+4915112345678\",\"from\":7}", "data.from must be a string"               },
    {"{\"to\":\"+4915112345678\"}",            "data.text is missing"                     },
    {TEXT("[]"),                               "data.text must be a string"               },
    {TEXT("\"\""),                             "the text is empty"                        },
    {TEXT("\" \\n\""),                         "the text is empty"                        },
    {TEXT("\"a\\u0000b\""),                    "data.text must not hold a NUL"            },
};

START_TEST(bad_data_is_refused_with_the_members_name)
{
    struct mr_message message;

    ck_assert_int_eq(read_message(refused[_i].data, &by_sms, &message), MR_EINVAL);
    ck_assert_msg(strstr(err.text, refused[_i].want) != NULL, "got: %s", err.text);
    ck_assert_ptr_null(strstr(err.text, "15112345678"));
}
END_TEST

START_TEST(without_a_sender_both_places_for_it_are_named)
{
    const struct mr_message_channel nobody = {.from_option = "sms.from"};
    const struct mr_message_channel wrong = {
        .numbers_only = true, .from = "Shop", .from_option = "sms.whatsapp_from"};
    struct mr_message message;

    ck_assert_int_eq(read_message(TO("+4915112345678"), &nobody, &message), MR_EINVAL);
    ck_assert_str_eq(err.text, "nobody to send it from: data.from is missing and sms.from is "
                               "not configured");
    ck_assert_int_eq(read_message(TO("+4915112345678"), &wrong, &message), MR_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "sms.whatsapp_from must begin with +"));
}
END_TEST

static const struct {
    const char *data;
    bool allowed;
} senders[] = {
    {FROM("Shop"),         true },
    {FROM("Other"),        false},
    {FROM("+15005550006"), true },
    {FROM("shop"),         false},
    {TO("+4915112345678"), true },
};

/* The channel's own sender is always one of them. */
START_TEST(only_listed_senders_may_be_named)
{
    json_t *list = json_pack("[s,s]", "Shop", "72345");
    struct mr_message_channel channel = by_sms;
    struct mr_message message;

    channel.senders = list;
    enum mr_code code = read_message(senders[_i].data, &channel, &message);
    ck_assert_int_eq(code, senders[_i].allowed ? MR_OK : MR_EINVAL);
    if (code == MR_OK)
        mr_message_fini(&message);
    else
        ck_assert_str_eq(err.text, "data.from is none of sms.senders");
    json_decref(list);
}
END_TEST

/* n times the piece, the caller's. */
static char *repeated(const char *piece, unsigned n, const char *end)
{
    struct mr_buf text = {0};

    for (unsigned i = 0; i < n; i++)
        mr_buf_text(&text, piece);
    mr_buf_text(&text, end);
    return mr_buf_steal(&text);
}

static enum mr_code read_text(const char *text, const struct mr_message_channel *channel)
{
    json_t *data = json_pack("{s:s}", "to", "+4915112345678");
    struct mr_message message;
    enum mr_code code = mr_message_read(data, text, channel, &message, &err);

    if (code == MR_OK)
        mr_message_fini(&message);
    json_decref(data);
    return code;
}

START_TEST(a_text_too_long_is_refused_naming_its_segments)
{
    char *fits = repeated("a", 306, ""), *longer = repeated("a", 307, "");
    char *other = repeated("a", 134, HORSE), *longest = repeated(UMLAUT, 1600, "");
    char *beyond = repeated(UMLAUT, 1601, "");

    ck_assert_int_eq(read_text(fits, &by_sms), MR_OK);
    ck_assert_int_eq(read_text(longer, &by_sms), MR_EINVAL);
    ck_assert_str_eq(err.text, "the text takes 3 segments of 160 characters; "
                               "sms.max_segments allows 2");
    ck_assert_int_eq(read_text(other, &by_sms), MR_EINVAL);
    ck_assert_str_eq(err.text, "the text takes 3 segments of 70 characters, since it has some "
                               "outside of the GSM alphabet; sms.max_segments allows 2");
    ck_assert_int_eq(read_text(longest, &by_whatsapp), MR_OK);
    ck_assert_int_eq(read_text(beyond, &by_whatsapp), MR_EINVAL);
    ck_assert_str_eq(err.text, "the text has 1601 characters; a message holds 1600");
    free(fits);
    free(longer);
    free(other);
    free(longest);
    free(beyond);
}
END_TEST

START_TEST(a_text_that_is_no_utf8_is_refused)
{
    ck_assert_int_eq(read_text("ab" NOT_A_CHARACTER, &by_sms), MR_EINVAL);
    ck_assert_str_eq(err.text, "the text is not valid UTF-8");
}
END_TEST

START_TEST(only_a_plain_uuid_can_be_a_key)
{
    char *longest = repeated("a", 200, ""), *longer = repeated("a", 201, "");

    ck_assert_int_eq(mr_message_check_uuid("0190-aB.c_d:1", &err), MR_OK);
    ck_assert_int_eq(mr_message_check_uuid("", &err), MR_OK);
    ck_assert_int_eq(mr_message_check_uuid(longest, &err), MR_OK);
    ck_assert_int_eq(mr_message_check_uuid(longer, &err), MR_EINVAL);
    ck_assert_int_eq(mr_message_check_uuid("a\r\nX: y", &err), MR_EINVAL);
    ck_assert_int_eq(mr_message_check_uuid("a b", &err), MR_EINVAL);
    ck_assert_int_eq(mr_message_check_uuid(UMLAUT, &err), MR_EINVAL);
    free(longest);
    free(longer);
}
END_TEST

/* ---- segments ---- */

/* A text: n times a piece, then an end. */
static const struct {
    const char *piece;
    unsigned n;
    const char *end;
    enum mr_alphabet alphabet;
    unsigned units, segments;
} lengths[] = {
    {"a",    0,   "",             MR_ALPHABET_GSM,  0,   0},
    {"a",    1,   "",             MR_ALPHABET_GSM,  1,   1},
    {"a",    160, "",             MR_ALPHABET_GSM,  160, 1},
    {"a",    161, "",             MR_ALPHABET_GSM,  161, 2},
    {"a",    306, "",             MR_ALPHABET_GSM,  306, 2},
    {"a",    307, "",             MR_ALPHABET_GSM,  307, 3},
    {UMLAUT, 160, "",             MR_ALPHABET_GSM,  160, 1},
    {EURO,   80,  "",             MR_ALPHABET_GSM,  160, 1},
    {EURO,   80,  "a",            MR_ALPHABET_GSM,  161, 2},
 /* 76 pairs fill 152 of 153: the 77th is not halved. */
    {EURO,   152, "",             MR_ALPHABET_GSM,  304, 2},
    {EURO,   152, "a",            MR_ALPHABET_GSM,  305, 2},
    {EURO,   153, "",             MR_ALPHABET_GSM,  306, 3},
    {"a",    152, EURO "aaaaaaa", MR_ALPHABET_GSM,  161, 2},
    {"a",    305, EURO,           MR_ALPHABET_GSM,  307, 3},
    {"a",    69,  CEDILLA,        MR_ALPHABET_UCS2, 70,  1},
    {"a",    70,  CEDILLA,        MR_ALPHABET_UCS2, 71,  2},
    {"a",    133, CEDILLA,        MR_ALPHABET_UCS2, 134, 2},
    {"a",    134, CEDILLA,        MR_ALPHABET_UCS2, 135, 3},
    {EURO,   69,  CEDILLA,        MR_ALPHABET_UCS2, 70,  1},
    {HORSE,  35,  "",             MR_ALPHABET_UCS2, 70,  1},
    {HORSE,  36,  "",             MR_ALPHABET_UCS2, 72,  2},
 /* 33 pairs fill 66 of 67: the 34th is not halved. */
    {HORSE,  66,  "",             MR_ALPHABET_UCS2, 132, 2},
    {HORSE,  66,  "a",            MR_ALPHABET_UCS2, 133, 2},
    {HORSE,  67,  "",             MR_ALPHABET_UCS2, 134, 3},
    {"a",    66,  HORSE "aaaa",   MR_ALPHABET_UCS2, 72,  2},
};

START_TEST(a_text_takes_the_segments_that_are_billed)
{
    char *text = repeated(lengths[_i].piece, lengths[_i].n, lengths[_i].end);
    struct mr_segments segments = mr_segments_count(text);

    ck_assert_int_eq(segments.alphabet, lengths[_i].alphabet);
    ck_assert_uint_eq(segments.units, lengths[_i].units);
    ck_assert_uint_eq(segments.n, lengths[_i].segments);
    free(text);
}
END_TEST

/* The default alphabet in the order of its codes (3GPP TS 23.038, 6.2.1), without the escape; then its extension. */
static const char gsm_alphabet[] =
    "@\xc2\xa3$\xc2\xa5\xc3\xa8\xc3\xa9\xc3\xb9\xc3\xac\xc3\xb2\xc3\x87\n\xc3\x98\xc3\xb8\r"
    "\xc3\x85\xc3\xa5\xce\x94_\xce\xa6\xce\x93\xce\x9b\xce\xa9\xce\xa0\xce\xa8\xce\xa3\xce\x98"
    "\xce\x9e\xc3\x86\xc3\xa6\xc3\x9f\xc3\x89 !\"#\xc2\xa4%&'()*+,-./0123456789:;<=>?"
    "\xc2\xa1"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ\xc3\x84\xc3\x96\xc3\x91\xc3\x9c\xc2\xa7\xc2\xbf"
    "abcdefghijklmnopqrstuvwxyz\xc3\xa4\xc3\xb6\xc3\xb1\xc3\xbc\xc3\xa0";
static const char gsm_extension[] = "\f^{}\\[~]|" EURO;

START_TEST(the_alphabet_is_the_standards_one)
{
    struct mr_segments basic = mr_segments_count(gsm_alphabet);
    struct mr_segments more = mr_segments_count(gsm_extension);
    unsigned ascii = 0;

    ck_assert_int_eq(basic.alphabet, MR_ALPHABET_GSM);
    ck_assert_uint_eq(basic.units, 127); /* of 128 codes one is the escape */
    ck_assert_int_eq(more.alphabet, MR_ALPHABET_GSM);
    ck_assert_uint_eq(more.units, 20);
    for (char c = 1; c > 0 && c < 0x7f; c++)
        ascii += mr_segments_count((const char[]){c, '\0'}).alphabet == MR_ALPHABET_GSM;
    /* 95 printable ones without the backtick, line feed, carriage return, form feed. */
    ck_assert_uint_eq(ascii, 97);
}
END_TEST

/* ---- replies ---- */

static const struct mr_message message = {
    .to = (char[]){"+4915112345678"},
    .from = (char[]){"+15005550007"},
    .text = (char[]){"your code is 4711"},
};

static const struct mr_reply_context context = {
    .section = "sms", .message = &message, .sender = "+15005550007"};

static struct mr_outcome judge(const struct mr_http_answer *answer,
                               const struct mr_reply_policy *policy)
{
    struct mr_reply reply;

    mr_reply_read(answer, &context, &reply);
    return mr_reply_outcome(&reply, policy);
}

/* A row: status and body, then what becomes of the job and words of the reason. */
static const struct {
    long status;
    const char *body;
    enum mr_outcome_kind outcome;
    const char *reason;
} replies[] = {
    {201, "{\"sid\":\"SM1\",\"status\":\"queued\"}",                                  MR_OUTCOME_DONE,    NULL                                                                     },
    {200, "{\"sid\":\"SM1\"}",                                                        MR_OUTCOME_DONE,    NULL                                                                     },
    {200, "<html>It works!</html>",                                                   MR_OUTCOME_RETRY,
     "nobody knows whether the message was sent: the provider answered 200, with a body that "
     "is "
     "no JSON; asked for again under the same key"                                                                                                                                 },
    {201, "{\"sid\":7}",                                                              MR_OUTCOME_RETRY,   "answered 201, without"                                                  },
    {204, "",                                                                         MR_OUTCOME_RETRY,   "answered 204, with a body"                                              },
    {301, "",                                                                         MR_OUTCOME_RETRY,
     "nothing sent: what answers at sms.url does not take messages for sms.account: 301"                                                                                           },
    {400, "{\"code\":21211,\"message\":\"The 'To' number +4915112345678 is wrong\"}",
     MR_OUTCOME_FAIL,                                                                                     "the provider refused it for good: 21211: The 'To' number (...) is wrong"},
    {400, "{\"code\":21606,\"message\":\"From whatsapp:+15005550007\"}",              MR_OUTCOME_FAIL,
     "this provider refused it for good: 21606: From whatsapp:(...)"                                                                                                               },
    {400, "{\"code\":30007,\"message\":\"No: your code is 4711\"}",                   MR_OUTCOME_FAIL,
     "30007: No: (...)"                                                                                                                                                            },
    {400, "<html>Bad gateway to heaven</html>",                                       MR_OUTCOME_RETRY,
     "with a body that is no JSON"                                                                                                                                                 },
    {400, "[]",                                                                       MR_OUTCOME_RETRY,   "with a body that is no JSON"                                            },
    {401, "{\"code\":20003,\"message\":\"Authenticate\"}",                            MR_OUTCOME_RETRY,
     "does not let us in (sms.account, sms.token): 401, 20003: Authenticate"                                                                                                       },
    {403, "",                                                                         MR_OUTCOME_RETRY,   "(sms.account, sms.token)"                                               },
    {404, "{\"code\":20404,\"message\":\"not found\"}",                               MR_OUTCOME_RETRY,   "at sms.url"                                                             },
    {408, "",                                                                         MR_OUTCOME_RETRY,   "nobody knows"                                                           },
    {409, "{\"code\":20409,\"message\":\"under way\"}",                               MR_OUTCOME_RETRY,   "nobody knows"                                                           },
    {429, "{\"code\":20429,\"message\":\"Too Many\"}",                                MR_OUTCOME_RELEASE,
     "429, 20429: Too Many"                                                                                                                                                        },
    {500, "{\"code\":20500,\"message\":\"Oops\"}",                                    MR_OUTCOME_RETRY,
     "nobody knows whether the message was sent: the provider answered 500, 20500: Oops"                                                                                           },
    {503, "",                                                                         MR_OUTCOME_RETRY,   "nobody knows"                                                           },
};

START_TEST(a_reply_decides_what_becomes_of_the_job)
{
    const struct mr_http_answer answer = {
        .end = MR_HTTP_ANSWERED,
        .status = replies[_i].status,
        .body = mr_bytes_of(replies[_i].body),
        .retry_after_ms = -1,
    };
    struct mr_outcome outcome = judge(&answer, &(struct mr_reply_policy){.named = true});

    ck_assert_int_eq(outcome.kind, replies[_i].outcome);
    if (replies[_i].reason)
        ck_assert_msg(strstr(outcome.reason, replies[_i].reason) != NULL, "got: %s",
                      outcome.reason);
    else
        ck_assert_ptr_null(outcome.reason);
    mr_outcome_fini(&outcome);
}
END_TEST

static const struct {
    enum mr_http_end end;
    bool named;
    const char *reason;
} silences[] = {
    {MR_HTTP_NOT_SENT, true,  "not sent: no connection"                          },
    {MR_HTTP_REFUSED,  true,  "not sent, sms.url has to be mended: no connection"},
    {MR_HTTP_UNKNOWN,  true,
     "nobody knows whether the message was sent: no connection; asked "
     "for again under the same key"                                              },
    {MR_HTTP_UNKNOWN,  false,
     "nobody knows whether the message was sent: no connection; the job has no uuid, so trying "
     "again may send it twice"                                                   },
};

START_TEST(without_a_reply_it_is_said_what_is_known)
{
    const struct mr_http_answer answer = {
        .end = silences[_i].end, .trouble = "no connection", .retry_after_ms = -1};
    struct mr_outcome outcome =
        judge(&answer, &(struct mr_reply_policy){.named = silences[_i].named});

    ck_assert_int_eq(outcome.kind, MR_OUTCOME_RETRY);
    ck_assert_str_eq(outcome.reason, silences[_i].reason);
    mr_outcome_fini(&outcome);
}
END_TEST

static const struct {
    long status;
    int64_t asked_ms, least_ms, most_ms;
} waits[] = {
    {429, -1,       5000,    6000   },
    {429, 0,        1000,    1200   },
    {429, 7000,     7000,    8400   },
    {503, 2000,     2000,    2400   },
    {429, 86400000, 3600000, 4320000},
};

START_TEST(a_busy_provider_is_left_alone_as_long_as_it_asks)
{
    const struct mr_http_answer answer = {.end = MR_HTTP_ANSWERED,
                                          .status = waits[_i].status,
                                          .body = mr_bytes_of("{}"),
                                          .retry_after_ms = waits[_i].asked_ms};
    struct mr_outcome least = judge(&answer, &(struct mr_reply_policy){.roll = 0});
    struct mr_outcome most = judge(&answer, &(struct mr_reply_policy){.roll = UINT32_MAX});

    ck_assert_int_eq(least.kind, MR_OUTCOME_RELEASE);
    ck_assert_int_eq(least.after_ms, waits[_i].least_ms);
    ck_assert_int_eq(most.after_ms, waits[_i].most_ms);
    mr_outcome_fini(&least);
    mr_outcome_fini(&most);
}
END_TEST

/* One row: a code of the provider's, and what it says of the message. */
static const struct {
    int code;
    enum mr_reply_end end;
} codes[] = {
    {21211, MR_REPLY_REFUSED },
    {21610, MR_REPLY_REFUSED },
    {21614, MR_REPLY_REFUSED },
    {63016, MR_REPLY_REFUSED },
    {21606, MR_REPLY_NOT_HERE},
    {21408, MR_REPLY_NOT_HERE},
    {21612, MR_REPLY_NOT_HERE},
    {63007, MR_REPLY_NOT_HERE},
    {21611, MR_REPLY_LATER   },
    {63018, MR_REPLY_LATER   },
    {30002, MR_REPLY_UNABLE  },
    {21609, MR_REPLY_UNABLE  },
    {99999, MR_REPLY_REFUSED }, /* one that nobody knows */
};

START_TEST(a_code_says_whether_another_provider_may_do_better)
{
    char body[100], code[20];
    struct mr_http_answer answer = {
        .end = MR_HTTP_ANSWERED, .status = 400, .retry_after_ms = -1};
    struct mr_reply reply;

    snprintf(code, sizeof(code), "%d", codes[_i].code);
    snprintf(body, sizeof(body), "{\"code\":%d,\"message\":\"No\"}", codes[_i].code);
    answer.body = mr_bytes_of(body);
    mr_reply_read(&answer, &context, &reply);
    ck_assert_int_eq(reply.end, codes[_i].end);
    ck_assert_str_eq(reply.code, code);
    ck_assert_int_eq(mr_reply_is_safe(&reply), codes[_i].end < MR_REPLY_REFUSED);
}
END_TEST

START_TEST(what_nobody_knows_can_be_left_to_a_person)
{
    const struct mr_http_answer answer = {
        .end = MR_HTTP_UNKNOWN, .trouble = "it broke", .retry_after_ms = -1};
    struct mr_outcome one = judge(&answer, &(struct mr_reply_policy){.hold = true});
    struct mr_outcome other =
        judge(&answer, &(struct mr_reply_policy){.hold = true, .recorded = true});

    ck_assert_int_eq(one.kind, MR_OUTCOME_HOLD);
    ck_assert_ptr_nonnull(strstr(one.reason, "held for a person: nobody knows whether"));
    ck_assert_ptr_nonnull(strstr(one.reason, "it broke"));
    ck_assert_int_eq(other.kind, MR_OUTCOME_HOLD);
    ck_assert_ptr_nonnull(strstr(other.reason, "set state in millrace_notifications"));
    mr_outcome_fini(&one);
    mr_outcome_fini(&other);
}
END_TEST

/* Any reason is text: what is cut is cut between characters. */
START_TEST(a_long_reply_is_cut_between_characters)
{
    char body[2000] = "{\"code\":1,\"message\":\"", *end = body + strlen(body);
    struct mr_http_answer answer = {
        .end = MR_HTTP_ANSWERED, .status = 400, .retry_after_ms = -1};
    struct mr_reply reply;

    for (int n = 0; n < 400; n++)
        end += sprintf(end, "%s", EURO);
    strcpy(end, "\"}");
    answer.body = mr_bytes_of(body);
    mr_reply_read(&answer, &context, &reply);
    ck_assert_int_eq(reply.end, MR_REPLY_REFUSED);
    json_t *text = json_string(reply.words);
    ck_assert_ptr_nonnull(text);
    json_decref(text);
}
END_TEST

/* ---- quotas ---- */

START_TEST(each_name_has_a_quota_of_its_own)
{
    const struct mr_rate rate = {.n = 2, .per_ms = 1000};
    struct mr_quota *quota = mr_quota_new(&rate);
    const uint64_t now = UINT64_C(5000000000);

    for (int n = 0; n < 2; n++) {
        ck_assert_uint_eq(mr_quota_wait_ns(quota, "+4915112345678", now), 0);
        mr_quota_take(quota, "+4915112345678", now);
    }
    ck_assert_uint_eq(mr_quota_wait_ns(quota, "+4915112345678", now), 500000000);
    ck_assert_uint_eq(mr_quota_wait_ns(quota, "+4915112345679", now), 0);
    ck_assert_uint_eq(mr_quota_wait_ns(quota, "+4915112345678", now + 500000000), 0);
    mr_quota_free(quota);
}
END_TEST

START_TEST(what_was_taken_can_be_given_back_but_no_more)
{
    const struct mr_rate rate = {.n = 1, .per_ms = 1000};
    struct mr_quota *quota = mr_quota_new(&rate);
    const uint64_t now = UINT64_C(5000000000);

    mr_quota_give(quota, "+4915112345678");
    mr_quota_take(quota, "+4915112345678", now);
    mr_quota_give(quota, "+4915112345679");
    ck_assert_uint_eq(mr_quota_wait_ns(quota, "+4915112345678", now), 1000000000);
    mr_quota_give(quota, "+4915112345678");
    mr_quota_give(quota, "+4915112345678");
    ck_assert_uint_eq(mr_quota_wait_ns(quota, "+4915112345678", now), 0);
    mr_quota_take(quota, "+4915112345678", now);
    ck_assert_uint_eq(mr_quota_wait_ns(quota, "+4915112345678", now), 1000000000);
    mr_quota_free(quota);
}
END_TEST

/* What is forgotten is what would be whole again soonest, so those that were busy last are still held. */
START_TEST(of_too_many_names_the_latest_are_remembered)
{
    const struct mr_rate rate = {.n = 1, .per_ms = 3600000};
    struct mr_quota *quota = mr_quota_new(&rate);
    unsigned held = 0;
    char name[20];

    for (unsigned n = 0; n < 100000; n++) {
        snprintf(name, sizeof(name), "+49%u", n);
        mr_quota_take(quota, name, 1000000 + n);
    }
    for (unsigned n = 95000; n < 100000; n++) {
        snprintf(name, sizeof(name), "+49%u", n);
        held += mr_quota_wait_ns(quota, name, 1200000) > 0;
    }
    ck_assert_uint_ge(held, 4900);
    mr_quota_free(quota);
}
END_TEST

/* ---- callbacks ---- */

/* The signatures are those of `printf %s UUID | openssl dgst -sha256 -hmac SECRET`. */
static const struct {
    const char *base, *uuid, *url;
} callbacks[] = {
    {"https://shop.example/sms",     "s-1",
     "https://shop.example/sms?uuid=s-1&signature="
     "90350a95287d8a2acf14cfbf6394f83f2b0993c4e68741b92f74af8f9e132d37"},
    {"https://shop.example/sms?a=b", "s:2",
     "https://shop.example/sms?a=b&uuid=s%3A2&signature="
     "fb998d7dbca5088943b65cc3e49de0115f237860f72a4a1c0bb399b7788de639"},
    {"https://shop.example/sms",     "",    NULL                       },
};

START_TEST(a_callback_names_the_message_and_is_signed)
{
    char *url = mr_callback_url(callbacks[_i].base, "key", callbacks[_i].uuid);

    if (callbacks[_i].url)
        ck_assert_str_eq(url, callbacks[_i].url);
    else
        ck_assert_ptr_null(url);
    free(url);
}
END_TEST

/* ---- forms ---- */

START_TEST(no_value_adds_a_parameter_to_a_form)
{
    struct mr_buf form = {0};

    mr_form_add(&form, "metadata[uuid]", "a&b=c\r\n%20+ ~" UMLAUT);
    mr_form_add_i64(&form, "amount", INT64_MIN);
    ck_assert_str_eq(form.at, "metadata%5Buuid%5D=a%26b%3Dc%0D%0A%2520%2B%20~%C3%BC&"
                              "amount=-9223372036854775808");
    mr_buf_fini(&form);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_message_is_read_as_it_was_asked_for,              MR_COUNT(messages) },
        {bad_data_is_refused_with_the_members_name,          MR_COUNT(refused)  },
        {without_a_sender_both_places_for_it_are_named,      0                  },
        {only_listed_senders_may_be_named,                   MR_COUNT(senders)  },
        {a_text_too_long_is_refused_naming_its_segments,     0                  },
        {a_text_that_is_no_utf8_is_refused,                  0                  },
        {only_a_plain_uuid_can_be_a_key,                     0                  },
        {a_text_takes_the_segments_that_are_billed,          MR_COUNT(lengths)  },
        {the_alphabet_is_the_standards_one,                  0                  },
        {a_reply_decides_what_becomes_of_the_job,            MR_COUNT(replies)  },
        {without_a_reply_it_is_said_what_is_known,           MR_COUNT(silences) },
        {a_busy_provider_is_left_alone_as_long_as_it_asks,   MR_COUNT(waits)    },
        {a_code_says_whether_another_provider_may_do_better, MR_COUNT(codes)    },
        {what_nobody_knows_can_be_left_to_a_person,          0                  },
        {a_long_reply_is_cut_between_characters,             0                  },
        {each_name_has_a_quota_of_its_own,                   0                  },
        {what_was_taken_can_be_given_back_but_no_more,       0                  },
        {of_too_many_names_the_latest_are_remembered,        0                  },
        {a_callback_names_the_message_and_is_signed,         MR_COUNT(callbacks)},
        {no_value_adds_a_parameter_to_a_form,                0                  },
    };

    return mr_suite_run("sms", tests);
}
