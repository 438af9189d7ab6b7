/* Which providers there are, what each is told, what its answer says, and what the record of a message says of the next step. */
#include "jobs/sms/provider.h"
#include "jobs/sms/record.h"
#include "proto/base/mem.h"
#include "tests/support/suite.h"

#include <stdlib.h>
#include <string.h>

#define TWILIO "\"url\":\"https://t.example/\",\"account\":\"AC/1\",\"token\":\"t\""
#define ACME                                                                                   \
    "\"kind\":\"http\",\"url\":\"https://a.example/"                                           \
    "{{to_digits}}?t={{text}}\",\"method\":\"POST\""

static struct mr_err err;
static json_t *sms;
static struct mr_providers providers;

static void read_all(const char *text, const char *channel)
{
    sms = json_loads(text, 0, NULL);
    ck_assert_msg(sms != NULL, "the test's own JSON is wrong: %s", text);
    ck_assert_msg(mr_providers_read(sms, channel, &providers, &err) == MR_OK, "%s", err.text);
}

static void forget(void)
{
    mr_providers_fini(&providers);
    json_decref(sms);
}

/* ---- which there are ---- */

static const struct {
    const char *sms, *channel, *names;
} orders[] = {
    {"{" TWILIO "}",                                                                  "sms",      "default"    },
    {"{" TWILIO ",\"providers\":{\"b\":{" ACME "},\"a\":{" ACME "}}}",                "sms",      "default b a"},
    {"{\"providers\":{\"b\":{" ACME "},\"a\":{" ACME "}}}",                           "sms",      "b a"        },
    {"{" TWILIO ",\"order\":[\"a\",\"default\"],\"providers\":{\"b\":{" ACME "},\"a\":{" ACME
     "}}}",                                                                      "sms",      "a default"  },
    {"{" TWILIO ",\"providers\":{\"a\":{" ACME "}}}",                                 "whatsapp", "default"    },
    {"{\"providers\":{\"b\":{" ACME ",\"channels\":\"whatsapp\"},\"a\":{" ACME "}}}",
     "whatsapp",                                                                                  "b"          },
    {"{\"providers\":{\"b\":{" ACME ",\"channels\":\"whatsapp\"},\"a\":{" ACME "}}}", "sms",
     "a"                                                                                                       },
};

START_TEST(those_that_carry_the_channel_are_asked_in_order)
{
    char names[100] = "";

    read_all(orders[_i].sms, orders[_i].channel);
    for (unsigned i = 0; i < providers.n; i++) {
        strcat(names, i ? " " : "");
        strcat(names, providers.at[i].name);
        ck_assert_uint_eq(mr_providers_find(&providers, providers.at[i].name), i);
    }
    ck_assert_str_eq(names, orders[_i].names);
    ck_assert_uint_eq(mr_providers_find(&providers, "nobody"), providers.n);
    forget();
}
END_TEST

START_TEST(a_provider_has_the_limits_of_sms_but_never_its_login)
{
    read_all("{" TWILIO
             ",\"from\":\"+15005550006\",\"timeout_ms\":900,\"rate\":\"5/s\",\"circuit\":{"
             "\"failures\":3,\"open_for_ms\":70},\"providers\":{\"a\":{" ACME
             ",\"connections\":2,\"circuit\":{\"failures\":9}}}}",
             "sms");
    const struct mr_provider *acme = &providers.at[1];
    ck_assert_ptr_null(acme->account);
    ck_assert_ptr_null(acme->token);
    ck_assert_ptr_null(acme->from);
    ck_assert_uint_eq(acme->timeout_ms, 900);
    ck_assert_uint_eq(acme->connections, 2);
    ck_assert_uint_eq(acme->limits.rate.n, 5);
    ck_assert_uint_eq(acme->limits.circuit.failures, 9);
    ck_assert_uint_eq(acme->limits.circuit.open_ms, 70);
    ck_assert_str_eq(acme->section, "sms.providers.a");
    ck_assert_str_eq(providers.at[0].token, "t");
    ck_assert_uint_eq(providers.at[0].limits.circuit.failures, 3);
    forget();
}
END_TEST

static const struct {
    const char *sms, *channel, *error;
} wrong[] = {
    {"{}",                                                             "sms",      "sms.url is not configured: no provider to send messages with"},
    {"{\"providers\":{\"a\":{" ACME "}}}",                             "whatsapp",
     "no provider of sms.providers carries whatsapp (channels)"                                                                                  },
    {"{\"providers\":{\"a\":{" ACME ",\"from\":\"My Big Shop\"}}}",    "sms",      NULL                                                          },
    {"{\"providers\":{\"a\":{" ACME ",\"from\":\"My Bigger Shop\"}}}", "sms",
     "sms.providers.a.from is no sender"                                                                                                         },
    {"{\"providers\":{\"a\":{" ACME ",\"body\":\"\\n{{#x}}\"}}}",      "sms",
     "sms.providers.a.body:2:1"                                                                                                                  },
    {"{\"providers\":{\"a\":{" ACME ",\"headers\":{\"X Y\":\"1\"}}}}", "sms",
     "sms.providers.a.headers: 'X Y' is no header's name"                                                                                        },
};

START_TEST(a_wrong_provider_is_named_with_its_option)
{
    sms = json_loads(wrong[_i].sms, 0, NULL);
    enum mr_code code = mr_providers_read(sms, wrong[_i].channel, &providers, &err);
    ck_assert_int_eq(code == MR_OK, wrong[_i].error == NULL);
    if (code == MR_OK)
        mr_providers_fini(&providers);
    else
        ck_assert_msg(strstr(err.text, wrong[_i].error) != NULL, "%s", err.text);
    json_decref(sms);
}
END_TEST

/* ---- what it is told ---- */

static const struct mr_message message = {
    .to = (char[]){"+4915112345678"},
    .from = (char[]){"+15005550007"},
    .text = (char[]){"a \"b\" & c\n"},
    .segments = 1,
};
static const struct mr_order order = {
    .message = &message, .channel = "sms", .uuid = "u-1", .callback = "https://s.example/?a=b"};

/* clang-format off */
static const struct {
    const char *options, *channel, *url, *body, *headers;
} postings[] = {
    {"\"x\":{" TWILIO "}",                                                                     "sms",
     "https://t.example/2010-04-01/Accounts/AC%2F1/Messages.json",
     "To=%2B4915112345678&From=%2B15005550007&Body=a%20%22b%22%20%26%20c%0A&"
     "StatusCallback=https%3A%2F%2Fs.example%2F%3Fa%3Db", "Content-Type: application/x-www-form-urlencoded|Idempotency-Key: u-1"},
    {"\"x\":{" TWILIO ",\"whatsapp_from\":\"+15005550010\"}",                                  "whatsapp",
     "https://t.example/2010-04-01/Accounts/AC%2F1/Messages.json",
     "To=whatsapp%3A%2B4915112345678&From=whatsapp%3A%2B15005550010&Body=a%20%22b%22%20%26%20c%0A&"
     "StatusCallback=https%3A%2F%2Fs.example%2F%3Fa%3Db", "Content-Type: application/x-www-form-urlencoded|Idempotency-Key: u-1"},
    {"\"x\":{" ACME ",\"body\":\"{\\\"t\\\":\\\"{{text}}\\\",\\\"n\\\":{{segments}}}\"}",      "sms",
     "https://a.example/4915112345678?t=a%20%22b%22%20%26%20c%0A",
     "{\"t\":\"a \\\"b\\\" & c\\n\",\"n\":1}", "Content-Type: application/json|Idempotency-Key: u-1"},
    {"\"x\":{" ACME ",\"format\":\"form\",\"body\":\"t={{text}}&f={{from}}\",\"from\":\"Shop\","
     "\"headers\":{\"Idempotency-Key\":\"k{{uuid}}\",\"content-type\":\"x/y\"}}",             "sms",
     "https://a.example/4915112345678?t=a%20%22b%22%20%26%20c%0A",
     "t=a%20%22b%22%20%26%20c%0A&f=Shop", "Idempotency-Key: ku-1|content-type: x/y"},
};
/* clang-format on */

START_TEST(a_provider_is_told_the_message_in_its_own_shape)
{
    char *text = mr_asprintf("{\"providers\":{%s}}", postings[_i].options), headers[300] = "";
    struct mr_posting posting;

    read_all(text, postings[_i].channel);
    ck_assert_msg(mr_provider_write(&providers.at[0], &order, &posting, &err) == MR_OK, "%s",
                  err.text);
    ck_assert_str_eq(posting.method, "POST");
    ck_assert_str_eq(posting.url, postings[_i].url);
    ck_assert_str_eq(posting.body.at, postings[_i].body);
    for (unsigned i = 0; i < posting.n_headers; i++) {
        strcat(headers, i ? "|" : "");
        strcat(headers, posting.headers[i]);
    }
    ck_assert_str_eq(headers, postings[_i].headers);
    ck_assert_ptr_null(posting.headers[posting.n_headers]);
    mr_posting_fini(&posting);
    forget();
    free(text);
}
END_TEST

static const char *const misfits[] = {
    "\"body\":\"{{txt}}\"",
    "\"body\":\"x\",\"headers\":{\"X-Text\":\"{{text}}\"}",
};

START_TEST(what_does_not_fit_into_a_template_is_not_sent)
{
    char *text = mr_asprintf("{\"providers\":{\"a\":{" ACME ",%s}}}", misfits[_i]);
    struct mr_posting posting;

    read_all(text, "sms");
    ck_assert_int_eq(mr_provider_write(&providers.at[0], &order, &posting, &err), MR_EINVAL);
    ck_assert_ptr_null(strstr(err.text, "15112345678"));
    mr_posting_fini(&posting);
    forget();
    free(text);
}
END_TEST

/* ---- what its answer says ---- */

#define RULES                                                                                  \
    "\"ok\":[200,202],\"ok_when\":[\"m.0.s=0\",\"done=true\"],\"refused\":[422],"              \
    "\"refused_when\":[\"m.0.s=4\",\"m.1=no\"],\"id\":\"m.0.id\",\"code\":\"m.0.e\""

static const struct {
    const char *rules;
    long status;
    const char *body;
    enum mr_reply_end end;
    const char *id, *code;
} answers[] = {
    {RULES,     200, "{\"m\":[{\"s\":\"0\",\"id\":\"x7\",\"e\":\"z\"}]}",    MR_REPLY_SENT,    "x7", ""    },
    {RULES,     202, "{\"m\":[{\"s\":0,\"id\":7}]}",                         MR_REPLY_SENT,    "7",  ""    },
    {RULES,     200, "{\"done\":true}",                                      MR_REPLY_SENT,    "",   ""    },
    {RULES,     201, "{\"done\":true}",                                      MR_REPLY_UNKNOWN, "",   ""    },
    {RULES,     200, "{\"m\":[{\"s\":\"4\",\"e\":\"bad +4915112345678\"}]}", MR_REPLY_REFUSED, "",
     "bad (...)"                                                                                           },
    {RULES,     200, "{\"m\":[{\"s\":\"4\",\"e\":\"4915112345678 left\"}]}", MR_REPLY_REFUSED, "",
     "(...) left"                                                                                          },
    {RULES,     200, "{\"m\":[{},\"no\"]}",                                  MR_REPLY_REFUSED, "",   ""    },
    {RULES,     422, "<html>",                                               MR_REPLY_REFUSED, "",   ""    },
    {RULES,     200, "{\"m\":[{\"s\":\"9\"}]}",                              MR_REPLY_UNKNOWN, "",   ""    },
    {RULES,     200, "{\"m\":{\"0\":{\"s\":\"0\"}}}",                        MR_REPLY_SENT,    "",   ""    },
    {RULES,     200, "{\"m\":[]}",                                           MR_REPLY_UNKNOWN, "",   ""    },
    {RULES,     200, "<html>",                                               MR_REPLY_UNKNOWN, "",   ""    },
    {RULES,     200, "\"0\"",                                                MR_REPLY_UNKNOWN, "",   ""    },
    {RULES,     400, "{\"m\":[{\"e\":\"what\"}]}",                           MR_REPLY_UNABLE,  "",   "what"},
    {RULES,     401, "",                                                     MR_REPLY_UNABLE,  "",   ""    },
    {RULES,     404, "",                                                     MR_REPLY_UNABLE,  "",   ""    },
    {RULES,     302, "",                                                     MR_REPLY_UNABLE,  "",   ""    },
    {RULES,     303, "",                                                     MR_REPLY_UNKNOWN, "",   ""    },
    {RULES,     409, "",                                                     MR_REPLY_UNKNOWN, "",   ""    },
    {RULES,     429, "",                                                     MR_REPLY_LATER,   "",   ""    },
    {RULES,     500, "{\"done\":true}",                                      MR_REPLY_UNKNOWN, "",   ""    },
    {RULES,     503, "",                                                     MR_REPLY_UNKNOWN, "",   ""    },
    {"\"x\":1", 204, "",                                                     MR_REPLY_SENT,    "",   ""    },
    {"\"x\":1", 200, "OK",                                                   MR_REPLY_SENT,    "",   ""    },
    {"\"x\":1", 400, "",                                                     MR_REPLY_UNABLE,  "",   ""    },
};

START_TEST(an_answer_is_read_by_the_providers_rules)
{
    char *text =
        mr_asprintf("{\"providers\":{\"a\":{" ACME ",\"body\":\"x\",%s}}}", answers[_i].rules);
    const struct mr_http_answer answer = {.end = MR_HTTP_ANSWERED,
                                          .status = answers[_i].status,
                                          .body = mr_bytes_of(answers[_i].body),
                                          .retry_after_ms = -1};
    struct mr_reply reply;

    read_all(text, "sms");
    mr_provider_read(&providers.at[0], &answer, &message, &reply);
    ck_assert_msg(reply.end == answers[_i].end, "end %d: %s", reply.end, reply.words);
    ck_assert_str_eq(reply.id, answers[_i].id);
    ck_assert_str_eq(reply.code, answers[_i].code);
    ck_assert_int_eq(*reply.words == '\0', reply.end == MR_REPLY_SENT);
    ck_assert_ptr_null(strstr(reply.words, "15112345678"));
    forget();
    free(text);
}
END_TEST

/* ---- the record ---- */

static const struct {
    const char *state;
    bool same;
    int64_t age_ms;
    bool hold;
    enum mr_record_step step;
} found[] = {
    {"ok",      true,  0,    false, MR_RECORD_DONE },
    {"ok",      true,  0,    true,  MR_RECORD_DONE },
    {"ok",      false, 0,    false, MR_RECORD_CLASH},
    {"refused", true,  0,    true,  MR_RECORD_ASK  },
    {"waiting", true,  0,    true,  MR_RECORD_ASK  },
    {"sending", true,  999,  false, MR_RECORD_WAIT },
    {"sending", true,  999,  true,  MR_RECORD_WAIT },
    {"sending", true,  1000, false, MR_RECORD_AGAIN},
    {"sending", true,  1000, true,  MR_RECORD_HOLD },
    {"unknown", true,  0,    false, MR_RECORD_AGAIN},
    {"unknown", true,  0,    true,  MR_RECORD_HOLD },
    {"",        true,  0,    false, MR_RECORD_AGAIN}, /* not one of ours: nothing is sure */
};

START_TEST(a_row_says_what_may_be_done_about_its_message)
{
    const struct mr_record_found row = {.state = mr_bytes_of(found[_i].state),
                                        .same = found[_i].same,
                                        .age_ms = found[_i].age_ms};
    const struct mr_record_policy policy = {.busy_ms = 1000, .hold = found[_i].hold};

    ck_assert_int_eq(mr_record_decide(&row, &policy), found[_i].step);
}
END_TEST

static const struct {
    const char *number, *masked;
} masks[] = {
    {"+12025550187",     "+1202*****87"    },
    {"+1234567",         "+1234*67"        },
    {"+123456789012345", "+1234*********45"},
};

START_TEST(a_number_is_masked)
{
    struct mr_record record = {0};

    mr_record_name_receiver(&record, masks[_i].number, "");
    ck_assert_str_eq(record.receiver, masks[_i].masked);
    ck_assert_uint_eq(strlen(record.receiver_hash), 64);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {those_that_carry_the_channel_are_asked_in_order,      MR_COUNT(orders)  },
        {a_provider_has_the_limits_of_sms_but_never_its_login, 0                 },
        {a_wrong_provider_is_named_with_its_option,            MR_COUNT(wrong)   },
        {a_provider_is_told_the_message_in_its_own_shape,      MR_COUNT(postings)},
        {what_does_not_fit_into_a_template_is_not_sent,        MR_COUNT(misfits) },
        {an_answer_is_read_by_the_providers_rules,             MR_COUNT(answers) },
        {a_row_says_what_may_be_done_about_its_message,        MR_COUNT(found)   },
        {a_number_is_masked,                                   MR_COUNT(masks)   },
    };

    return mr_suite_run("sms_provider", tests);
}
