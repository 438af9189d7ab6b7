#include "jobs/email/header.h"
#include "jobs/email/mail.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mr_err err;
static const struct mr_mail_rules rules = {
    .from = "Shop <shop@example.org>", .max_recipients = 100, .max_size = 1 << 20};

static enum mr_code read_mail(const char *text, struct mr_mail *out)
{
    json_t *data = json_loads(text, JSON_ALLOW_NUL, NULL);

    ck_assert_msg(data != NULL, "the test's own JSON is wrong: %s", text);
    enum mr_code code = mr_mail_read(data, &rules, "0190-abc", 1767225600000u, out, &err);
    json_decref(data);
    return code;
}

static const char *header_of(const struct mr_mail *mail, const char *name)
{
    size_t len = strlen(name);

    for (unsigned i = 0; i < mail->n_headers; i++)
        if (strncmp(mail->headers[i], name, len) == 0 && mail->headers[i][len] == ':')
            return mail->headers[i] + len + 2;
    return NULL;
}

START_TEST(a_mail_has_the_headers_a_server_wants)
{
    struct mr_mail mail;

    ck_assert_int_eq(
        read_mail("{\"to\":\"ann@example.org\",\"subject\":\"Hello\",\"text\":\"x\"}", &mail),
        MR_OK);
    ck_assert_str_eq(mail.sender, "shop@example.org");
    ck_assert_uint_eq(mail.n_recipients, 1);
    ck_assert_str_eq(header_of(&mail, "From"), "Shop <shop@example.org>");
    ck_assert_str_eq(header_of(&mail, "To"), "ann@example.org");
    ck_assert_str_eq(header_of(&mail, "Subject"), "Hello");
    ck_assert_str_eq(header_of(&mail, "Message-ID"), "<0190-abc@example.org>");
    ck_assert_str_eq(header_of(&mail, "X-Millrace-Uuid"), "0190-abc");
    ck_assert_str_eq(header_of(&mail, "Date"), "Thu, 01 Jan 2026 00:00:00 +0000");
    mr_mail_fini(&mail);
}
END_TEST

START_TEST(blind_copies_are_delivered_and_not_told)
{
    struct mr_mail mail;

    ck_assert_int_eq(
        read_mail(
            "{\"to\":[\"a@example.org\",\"Bob <b@example.org>\"],\"cc\":\"c@example.org\","
            "\"bcc\":\"d@example.org\",\"subject\":\"s\",\"html\":\"<p>\"}",
            &mail),
        MR_OK);
    ck_assert_uint_eq(mail.n_recipients, 4);
    ck_assert_str_eq(mail.recipients[1], "b@example.org");
    ck_assert_str_eq(mail.recipients[3], "d@example.org");
    ck_assert_str_eq(header_of(&mail, "To"), "a@example.org,\r\n Bob <b@example.org>");
    ck_assert_ptr_null(header_of(&mail, "Bcc"));
    mr_mail_fini(&mail);
}
END_TEST

/* One row: to, cc, bcc, and who is given in RCPT. */
static const struct {
    const char *members, *recipients;
} repeated[] = {
    {"\"to\":[\"a@b.c\",\"A <a@b.c>\",\"a@B.C\"]",                      "a@b.c"             },
    {"\"to\":\"a@b.c\",\"cc\":[\"x@b.c\",\"a@b.c\"],\"bcc\":\"x@b.c\"", "a@b.c x@b.c"       },
    {"\"to\":[\"a@b.c\",\"A@b.c\",\"aa@b.c\"]",                         "a@b.c A@b.c aa@b.c"},
    {"\"to\":[\"a@b\u00fccher.de\",\"a@xn--bcher-kva.de\"]",            "a@xn--bcher-kva.de"},
};

START_TEST(who_is_named_twice_gets_one_mail)
{
    char data[300];
    struct mr_buf to = {0};
    struct mr_mail mail;

    snprintf(data, sizeof(data), "{%s,\"subject\":\"s\",\"text\":\"t\"}", repeated[_i].members);
    ck_assert_msg(read_mail(data, &mail) == MR_OK, "%s", err.text);
    for (unsigned i = 0; i < mail.n_recipients; i++)
        mr_buf_printf(&to, "%s%s", i ? " " : "", mail.recipients[i]);
    ck_assert_str_eq(to.at, repeated[_i].recipients);
    mr_buf_fini(&to);
    mr_mail_fini(&mail);
}
END_TEST

static const char *const nobody[] = {"", "\"to\":null,", "\"to\":[],\"cc\":[],"};

START_TEST(a_mail_to_blind_copies_alone_says_so)
{
    char data[200];
    struct mr_mail mail;

    snprintf(data, sizeof(data), "{%s\"bcc\":\"d@b.c\",\"subject\":\"s\",\"text\":\"t\"}",
             nobody[_i]);
    ck_assert_msg(read_mail(data, &mail) == MR_OK, "%s", err.text);
    ck_assert_str_eq(header_of(&mail, "To"), "undisclosed-recipients:;");
    ck_assert_uint_eq(mail.n_recipients, 1);
    mr_mail_fini(&mail);
}
END_TEST

START_TEST(a_uuid_that_no_header_can_hold_is_refused)
{
    char uuid[1002];
    struct mr_mail mail;
    json_t *data = json_pack("{s:s,s:s,s:s}", "to", "a@b.c", "subject", "s", "text", "t");

    memset(uuid, 'u', sizeof(uuid) - 1);
    uuid[sizeof(uuid) - 1] = '\0';
    ck_assert_int_eq(mr_mail_read(data, &rules, uuid, 0, &mail, &err), MR_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "uuid: more than 200 bytes"));
    json_decref(data);
}
END_TEST

static const struct {
    const char *data, *want;
} refused[] = {
    {"[]",                                                                      "data must be an object"       },
    {"{\"subject\":\"s\",\"text\":\"t\"}",                                      "data.to is missing"           },
    {"{\"to\":5,\"subject\":\"s\",\"text\":\"t\"}",                             "data.to must be a string"     },
    {"{\"to\":\"nobody\",\"subject\":\"s\",\"text\":\"t\"}",
     "\"nobody\" is not an e-mail address"                                                                     },
    {"{\"to\":\"\\\"ann b\\\"@c.d\",\"subject\":\"s\",\"text\":\"t\"}",
     "in front of the @ is in quotes, which few mail servers deliver"                                          },
    {"{\"to\":\"B <\\\"a@b\\\"@c.d>\",\"subject\":\"s\",\"text\":\"t\"}",
     "in front of the @ is in quotes"                                                                          },
    {"{\"to\":\"gr\u00fc\u00df@c.d\",\"subject\":\"s\",\"text\":\"t\"}",
     "in front of the @ is not ASCII"                                                                          },
    {"{\"to\":\"a@b@c\",\"subject\":\"s\",\"text\":\"t\"}",                     "is not an e-mail address"     },
    {"{\"to\":\"a b@c\",\"subject\":\"s\",\"text\":\"t\"}",                     "is not an e-mail address"     },
    {"{\"to\":\"a@b.c>,<d@e.f\",\"subject\":\"s\",\"text\":\"t\"}",             "is not an e-mail address"     },
    {"{\"to\":\"a@b.c\\r\\nRCPT TO:<x@y>\",\"subject\":\"s\",\"text\":\"t\"}",
     "data.to must not hold a line end"                                                                        },
    {"{\"to\":\"a@b.c\\u0000\",\"subject\":\"s\",\"text\":\"t\"}",
     "data.to must not hold a line end or a NUL"                                                               },
    {"{\"to\":\"a@b.c\",\"subject\":\"s\\nBcc: x@y.z\",\"text\":\"t\"}",
     "data.subject must not hold a line end"                                                                   },
    {"{\"to\":\"a@b.c\",\"from\":\"x\\r@y\",\"subject\":\"s\",\"text\":\"t\"}",
     "data.from must not hold"                                                                                 },
    {"{\"to\":\"a@b.c\",\"reply_to\":\"x\",\"subject\":\"s\",\"text\":\"t\"}",  "data.reply_to"                },
    {"{\"to\":\"a@b.c\",\"text\":\"t\"}",                                       "data.subject must be a string"},
    {"{\"to\":\"a@b.c\",\"subject\":\"s\"}",                                    "the mail has no body"         },
    {"{\"to\":\"a@b.c\",\"subject\":\"s\",\"text\":7}",                         "data.text must be a string"   },
    {"{\"to\":\"a@b.c\",\"subject\":\"s\",\"html\":\"\\u0000\"}",
     "data.html must be a string without NUL"                                                                  },
};

static const struct {
    const char *from, *want;
} names[] = {
    {"Ann <a@b.c>",                           "Ann <a@b.c>"                     },
    {"<a@b.c>",                               "<a@b.c>"                         },
    {"Doe, Ann <a@b.c>",                      "\"Doe, Ann\" <a@b.c>"            },
    {"\\\"Doe, Ann\\\" <a@b.c>",              "\"Doe, Ann\" <a@b.c>"            },
    {"\\\"The \\\\\\\"A\\\\\\\"\\\" <a@b.c>", "\"The \\\"A\\\"\" <a@b.c>"       },
    {"x@y.z, Ann <a@b.c>",                    "\"x@y.z, Ann\" <a@b.c>"          },
    {"Gr\xc3\xbc\xc3\x9f"
     "e <a@b.c>",                        "=?utf-8?B?R3LDvMOfZQ==?= <a@b.c>"},
    {"\\\"Gr\xc3\xbc\xc3\x9f"
     "e\\\" <a@b.c>",                    "=?utf-8?B?R3LDvMOfZQ==?= <a@b.c>"},
};

START_TEST(a_name_never_becomes_an_address)
{
    struct mr_mail mail;
    char data[300];

    snprintf(data, sizeof(data),
             "{\"to\":\"x@y.z\",\"from\":\"%s\",\"subject\":\"s\",\"text\":\"t\"}",
             names[_i].from);
    ck_assert_msg(read_mail(data, &mail) == MR_OK, "%s", err.text);
    ck_assert_str_eq(header_of(&mail, "From"), names[_i].want);
    ck_assert_str_eq(mail.sender, "a@b.c");
    mr_mail_fini(&mail);
}
END_TEST

START_TEST(lines_of_the_body_end_as_mail_wants)
{
    struct mr_mail mail;

    ck_assert_int_eq(read_mail("{\"to\":\"x@y.z\",\"subject\":\"s\",\"html\":\"\","
                               "\"text\":\"\\none\\ntwo\\r\\nthree\\n\"}",
                               &mail),
                     MR_OK);
    ck_assert_str_eq(mail.text, "\r\none\r\ntwo\r\nthree\r\n");
    ck_assert_str_eq(mail.html, "");
    mr_mail_fini(&mail);
}
END_TEST

START_TEST(bad_data_is_refused_with_the_members_name)
{
    struct mr_mail mail;

    ck_assert_int_eq(read_mail(refused[_i].data, &mail), MR_EINVAL);
    ck_assert_msg(strstr(err.text, refused[_i].want) != NULL, "got: %s", err.text);
}
END_TEST

static const struct {
    const char *value, *want;
} encoded[] = {
    {"two  blanks   and three",                                                               "Subject: two  blanks   and three"             },
    {"plain words",                                                                           "Subject: plain words"                         },
    {"Gr\xc3\xbc\xc3\x9f"
     "e",                                                                                "Subject: =?utf-8?B?R3LDvMOfZQ==?="            },
    {"=?utf-8?B?forged?=",                                                                    "Subject: =?utf-8?B?PT91dGYtOD9CP2ZvcmdlZD89?="},
    {"\xf0\x9f\x90\x8e\xf0\x9f\x90\x8e\xf0\x9f\x90\x8e\xf0\x9f\x90\x8e\xf0\x9f\x90\x8e\xf0\x9f"
     "\x90\x8e"
     "\xf0\x9f\x90\x8e\xf0\x9f\x90\x8e\xf0\x9f\x90\x8e\xf0\x9f\x90\x8e\xf0\x9f\x90\x8e", "Subject: =?utf-8?B?8J+QjvCfkI7wn5CO8J+QjvCfkI7wn5CO8J+QjvCfkI7wn5CO?=\r\n "
     "=?utf-8?B?8J+QjvCfkI4=?="                 },
};

START_TEST(headers_are_encoded_and_cut_between_characters)
{
    struct mr_buf line = {0};

    mr_header_add(&line, "Subject", encoded[_i].value);
    ck_assert_str_eq(line.at, encoded[_i].want);
    mr_buf_fini(&line);
}
END_TEST

START_TEST(long_headers_are_folded_at_blanks)
{
    struct mr_buf line = {0};
    char value[600];

    for (size_t i = 0; i < sizeof(value) - 1; i++)
        value[i] = i % 10 == 9 ? ' ' : 'x';
    value[sizeof(value) - 1] = '\0';
    mr_header_add(&line, "Subject", value);
    for (char *at = line.at, *end; at; at = end ? end + 2 : NULL) {
        end = strstr(at, "\r\n");
        ck_assert_uint_le(end ? (size_t)(end - at) : strlen(at), 78);
        if (end)
            ck_assert_int_eq(end[2], ' ');
    }
    mr_buf_fini(&line);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_mail_has_the_headers_a_server_wants,          0                 },
        {blind_copies_are_delivered_and_not_told,        0                 },
        {who_is_named_twice_gets_one_mail,               MR_COUNT(repeated)},
        {a_mail_to_blind_copies_alone_says_so,           MR_COUNT(nobody)  },
        {a_uuid_that_no_header_can_hold_is_refused,      0                 },
        {a_name_never_becomes_an_address,                MR_COUNT(names)   },
        {lines_of_the_body_end_as_mail_wants,            0                 },
        {bad_data_is_refused_with_the_members_name,      MR_COUNT(refused) },
        {headers_are_encoded_and_cut_between_characters, MR_COUNT(encoded) },
        {long_headers_are_folded_at_blanks,              0                 },
    };

    return mr_suite_run("mail", tests);
}
