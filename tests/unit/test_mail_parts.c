#include "jobs/email/base64.h"
#include "jobs/email/header.h"
#include "jobs/email/message.h"
#include "tests/support/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct mr_err err;
static const struct mr_mail_rules rules = {
    .from = "shop@example.org", .max_recipients = 3, .max_size = 1 << 20};

/* Reads a mail of these members beside the ones that it needs. */
static enum mr_code read_mail(const char *members, struct mr_mail *out)
{
    char *text = mr_asprintf("{\"to\":\"a@b.c\",\"subject\":\"s\",\"text\":\"t\",%s}", members);
    json_t *data = json_loads(text, JSON_ALLOW_NUL, NULL);

    ck_assert_msg(data != NULL, "the test's own JSON is wrong: %s", text);
    enum mr_code code = mr_mail_read(data, &rules, "u-1", 0, out, &err);
    json_decref(data);
    free(text);
    return code;
}

static bool has_line(const struct mr_mail *mail, const char *line)
{
    for (unsigned i = 0; i < mail->n_headers; i++)
        if (strcmp(mail->headers[i], line) == 0)
            return true;
    return false;
}

/* ---- refused ---- */

#define FILE_OF(members) "\"attachments\":[{" members "}]"
#define LONG_LABEL "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define X "\"base64\":\"eA==\""

static const struct {
    const char *members, *want;
} refused[] = {
    {"\"headers\":[]",                                                      "data.headers must be an object"               },
    {"\"headers\":{\"X-A\":1}",                                             "data.headers.X-A must be a string"            },
    {"\"headers\":{\"X-A\":\"1\\r\\nBcc: x@y\"}",                           "data.headers.X-A must not hold a line end"    },
    {"\"headers\":{\"X-A\":\"\\u0000\"}",                                   "data.headers.X-A must not hold"               },
    {"\"headers\":{\"X-A\":\"\\u0007\"}",                                   "data.headers.X-A must not hold a control"     },
    {"\"headers\":{\"X-A\\r\\nBcc\":\"x\"}",                                "is no header's name"                          },
    {"\"headers\":{\"X A\":\"x\"}",                                         "is no header's name"                          },
    {"\"headers\":{\"\":\"x\"}",                                            "is no header's name"                          },
    {"\"headers\":{\"bcc\":\"x@y\"}",                                       "bcc is written by data.bcc"                   },
    {"\"headers\":{\"SUBJECT\":\"x\"}",                                     "SUBJECT is written by data.subject"           },
    {"\"headers\":{\"Content-Type\":\"x\"}",                                "Content-Type is not a job's to set"           },
    {"\"headers\":{\"message-id\":\"<a@b>\"}",                              "message-id is not a job's to set"             },
    {"\"headers\":{\"ARC-Seal\":\"x\"}",                                    "ARC-Seal is not a job's to set"               },
    {"\"headers\":{\"Resent-To\":\"x\"}",                                   "Resent-To is not a job's to set"              },
    {"\"priority\":\"urgent\"",                                             "data.priority must be"                        },
    {"\"reply_to\":[\"a@b.c\",\"x\"]",                                      "data.reply_to: \"x\" is not an e-mail address"},
    {"\"reply_to\":[1,2,3,4,5,6,7,8,9,10,11]",                              "data.reply_to: more than 10 addresses"        },
    {"\"priority\":1",                                                      "data.priority must be"                        },
    {"\"list_unsubscribe\":\"https://x\"",                                  "data.list_unsubscribe must be an object"      },
    {"\"list_unsubscribe\":{}",                                             "data.list_unsubscribe needs a url or"         },
    {"\"list_unsubscribe\":{\"url\":\"http://x\"}",
     "list_unsubscribe.url must begin with https"                                                                          },
    {"\"list_unsubscribe\":{\"url\":\"https://x>, <https://y\"}",
     "list_unsubscribe.url must begin with https"                                                                          },
    {"\"list_unsubscribe\":{\"mailto\":\"x@y\"}",                           "list_unsubscribe.mailto must begin with"      },
    {"\"list_unsubscribe\":{\"mailto\":\"mailto:x@y\",\"one_click\":true}",
     "data.list_unsubscribe needs a url"                                                                                   },
    {"\"in_reply_to\":\"a@b\"",                                             "data.in_reply_to: \"a@b\" is no Message-ID"   },
    {"\"references\":[\"<a@b>\",\"<a b@c>\"]",                              "data.references: \"<a b@c>\""                 },
    {"\"references\":[7]",                                                  "data.references must be a string"             },
    {"\"cc\":[\"a@b.c\",\"a@b.c\",\"a@b.c\"]",                              "more than 3 recipients"                       },
    {"\"cc\":{\"name\":\"x\"}",                                             "data.cc.address must be a string"             },
    {"\"cc\":{\"name\":\"x\\ny\",\"address\":\"a@b.c\"}",
     "data.cc.name must not hold a line end"                                                                               },
    {"\"cc\":{\"name\":5,\"address\":\"a@b.c\"}",                           "data.cc.name must be a string"                },
    {"\"cc\":{\"address\":\"A <a@b.c>\"}",                                  "is not an e-mail address"                     },
    {"\"cc\":\"b\xc3\xb6@example.org\"",                                    "in front of the @ is not ASCII"               },
    {"\"cc\":\"a@\xc3\xb6" LONG_LABEL ".example\"",                         "cannot be a domain"                           },
    {"\"attachments\":{}",                                                  "data.attachments must be a list"              },
    {"\"attachments\":[7]",                                                 "data.attachments[0] must be an object"        },
    {FILE_OF(X),                                                            "data.attachments[0].name is missing"          },
    {FILE_OF("\"name\":\"x\""),                                             "needs either storage"                         },
    {FILE_OF(X ",\"name\":\"x\",\"storage\":\"k\""),                        "needs either storage"                         },
    {FILE_OF(X ",\"name\":\"a/b\""),                                        "without slashes"                              },
    {FILE_OF(X ",\"name\":\"a\\r\\nX: y\""),                                "attachments[0].name must not hold a line"     },
    {FILE_OF(X ",\"name\":\"x\",\"type\":\"image\""),                       "is no type of a file"                         },
    {FILE_OF(X ",\"name\":\"x\",\"type\":\"a/b; c=d\""),                    "is no type of a file"                         },
    {FILE_OF(X ",\"name\":\"x\",\"type\":\"multipart/mixed\""),             "is no type of a file"                         },
    {FILE_OF(X ",\"cid\":\"a>b\""),                                         "data.attachments[0].cid must be"              },
    {"\"html\":\"\"," FILE_OF(X ",\"cid\":\"a\"},{" X ",\"cid\":\"a\""),
     "is that of attachments[0] too"                                                                                       },
    {FILE_OF(X ",\"cid\":\"logo\""),                                        "data.html, which is missing"                  },
    {FILE_OF("\"name\":\"x\",\"base64\":7"),                                "attachments[0].base64 must be a string"       },
};

START_TEST(what_would_spoil_a_mail_is_refused_by_name)
{
    struct mr_mail mail;

    ck_assert_int_eq(read_mail(refused[_i].members, &mail), MR_EINVAL);
    ck_assert_msg(strstr(err.text, refused[_i].want) != NULL, "got: %s", err.text);
}
END_TEST

static const struct {
    const char *members, *line;
} written[] = {
    {"\"priority\":\"low\"",                                            "Priority: non-urgent"           },
    {"\"headers\":{\"X-A\":\"b\xc3\xb6\"}",                             "X-A: =?utf-8?B?YsO2?="          },
    {"\"cc\":{\"name\":\"Doe, A\",\"address\":\"a@b.c\"}",              "Cc: \"Doe, A\" <a@b.c>"         },
    {"\"cc\":{\"address\":\"a@b.c\"}",                                  "Cc: a@b.c"                      },
    {"\"cc\":\"A <a@b\xc3\xbc"
     "cher.example>\"",                                            "Cc: A <a@xn--bcher-kva.example>"},
    {"\"reply_to\":[\"a@b.c\",{\"name\":\"B\",\"address\":\"b@b.c\"}]",
     "Reply-To: a@b.c,\r\n B <b@b.c>"                                                                    },
    {"\"reply_to\":\"a@b.c\"",                                          "Reply-To: a@b.c"                },
    {"\"references\":\"<a=?utf-8?Q?b?=@c>\"",                           "References: <a=?utf-8?Q?b?=@c>" },
    {"\"list_unsubscribe\":{\"url\":\"https://b.c/?t=?\"}",
     "List-Unsubscribe: <https://b.c/?t=?>"                                                              },
    {"\"in_reply_to\":\"<a@b>\"",                                       "In-Reply-To: <a@b>"             },
    {"\"list_unsubscribe\":{\"mailto\":\"mailto:u@b.c?subject=stop\"}",
     "List-Unsubscribe: <mailto:u@b.c?subject=stop>"                                                     },
};

START_TEST(what_a_mail_asks_for_stands_in_its_headers)
{
    struct mr_mail mail;

    ck_assert_msg(read_mail(written[_i].members, &mail) == MR_OK, "%s", err.text);
    ck_assert_msg(has_line(&mail, written[_i].line), "no line %s", written[_i].line);
    mr_mail_fini(&mail);
}
END_TEST

/* Names and values of any length, on a line of 78 columns; one that holds an encoded word has 76 (RFC 2047, 2). */
static void check_lines(const struct mr_mail *mail)
{
    for (unsigned i = 0; i < mail->n_headers; i++)
        for (const char *at = mail->headers[i], *end; at; at = end ? end + 2 : NULL) {
            end = strstr(at, "\r\n");
            size_t len = end ? (size_t)(end - at) : strlen(at);

            ck_assert_msg(len <= 76, "%zu columns: %s", len, at);
            ck_assert_msg(strspn(at, " ") < len, "a line of blanks alone in %s",
                          mail->headers[i]);
        }
}

START_TEST(no_line_of_a_header_is_longer_than_it_should_be)
{
    const char *between = _i ? "\xc3\xb6" : " ";
    char members[600], half[61];
    struct mr_mail mail;

    for (size_t len = 1; len < sizeof(half); len++) {
        memset(half, 'x', len);
        half[len] = '\0';
        snprintf(members, sizeof(members),
                 "\"headers\":{\"%s\":\"%s%s%s\"},"
                 "\"reply_to\":{\"name\":\"%s%s%s\",\"address\":\"%s@example.org\"}",
                 half, half, between, half, half, between, half, half);
        ck_assert_msg(read_mail(members, &mail) == MR_OK, "%s", err.text);
        check_lines(&mail);
        mr_mail_fini(&mail);
    }
}
END_TEST

START_TEST(a_word_longer_than_a_line_may_be_is_cut)
{
    char word[2001];
    struct mr_buf line = {0};

    memset(word, 'x', sizeof(word) - 1);
    word[sizeof(word) - 1] = '\0';
    mr_header_add(&line, "X-Long", word);
    for (const char *at = line.at; at; at = strstr(at, "\r\n") ? strstr(at, "\r\n") + 2 : NULL)
        ck_assert_uint_le(strcspn(at, "\r"), 78);
    mr_buf_fini(&line);
}
END_TEST

/* ---- what is very long ---- */

enum { VERY_LONG = 10000 };

/* Appends the bytes of four digits of base64. */
static void add_group(struct mr_buf *out, const char *digits)
{
    static const char all[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned word = 0;

    for (int i = 0; i < 4; i++)
        word = word << 6 | (digits[i] == '=' ? 0 : (unsigned)(strchr(all, digits[i]) - all));
    for (int i = 0; i < 3 - (digits[2] == '=') - (digits[3] == '='); i++)
        mr_buf_char(out, (char)(word >> (16 - 8 * i)));
}

/* What the encoded words of line say; each must be whole UTF-8 by itself (RFC 2047, 5). */
static void add_decoded(struct mr_buf *out, const char *line)
{
    static const char opener[] = "=?utf-8?B?";

    for (const char *at = line; (at = strstr(at, opener));) {
        size_t from = out->len, n;

        for (at += strlen(opener); *at != '?'; at += 4)
            add_group(out, at);
        for (; from < out->len; from += n)
            ck_assert_uint_ne(n = mr_str_utf8(out->at + from, out->len - from), 0);
    }
}

/* 1 to 4 bytes each, so that every place of a cut is met. */
static const char *const letters[] = {"a", "\xc3\xb6", "\xe2\x82\xac", "\xf0\x9f\x90\x8e",
                                      "a\xc3\xb6\xe2\x82\xac\xf0\x9f\x90\x8e"};

START_TEST(what_is_very_long_is_cut_between_characters)
{
    struct mr_buf text = {0}, told = {0};
    struct mr_mail mail;

    while (text.len < VERY_LONG)
        mr_buf_text(&text, letters[_i]);
    json_t *data = json_pack("{s:{s:s,s:s},s:s,s:s}", "to", "name", text.at, "address", "a@b.c",
                             "subject", text.at, "text", "t");
    ck_assert_int_eq(mr_mail_read(data, &rules, "u", 0, &mail, &err), MR_OK);
    check_lines(&mail);
    for (unsigned i = 0; i < mail.n_headers; i++) {
        if (strncmp(mail.headers[i], "To: ", 4) && strncmp(mail.headers[i], "Subject: ", 9))
            continue;
        mr_buf_clear(&told);
        add_decoded(&told, mail.headers[i]);
        ck_assert_uint_eq(told.len, text.len);
        ck_assert(memcmp(told.at, text.at, text.len) == 0);
    }
    ck_assert_uint_gt(told.len, 0);
    mr_buf_fini(&text);
    mr_buf_fini(&told);
    mr_mail_fini(&mail);
    json_decref(data);
}
END_TEST

/* ---- parameters ---- */

static const struct {
    const char *value, *want;
} params[] = {
    {"a b.pdf",                                                         ";\r\n filename=\"a b.pdf\""        },
    {"a\"b\\.pdf",                                                      ";\r\n filename=\"a\\\"b\\\\.pdf\"" },
    {"",                                                                ";\r\n filename=\"\""               },
    {"\xe2\x82\xac",                                                    ";\r\n filename*0*=utf-8''%E2%82%AC"},
    {"0123456789012345678901234567890123456789012345678901234567890.x",
     ";\r\n filename*0*=utf-8''012345678901234567890123456789012345678901234567890123456789"
     ";\r\n filename*1*=0.x"                                                                                },
};

START_TEST(a_files_name_travels_in_the_pieces_of_rfc_2231)
{
    struct mr_buf out = {0};

    mr_header_param(&out, "filename", params[_i].value);
    ck_assert_str_eq(out.at, params[_i].want);
    mr_buf_fini(&out);
}
END_TEST

/* ---- base64 ---- */

static const struct {
    const char *text, *want; /* NULL: refused */
} given[] = {
    {"",            ""        },
    {"eA==",        "eA==\r\n"},
    {" e A\r\n= =", "eA==\r\n"},
    {"eHl6",        "eHl6\r\n"},
    {"eA=",         NULL      },
    {"eA",          NULL      },
    {"e===",        NULL      },
    {"====",        NULL      },
    {"eA==eA==",    NULL      },
    {"e$A=",        NULL      },
    {"e-_=",        NULL      },
};

START_TEST(given_base64_is_checked_and_laid_out)
{
    struct mr_buf out = {0};
    enum mr_code code = mr_base64_lines(&out, given[_i].text, strlen(given[_i].text), &err);

    ck_assert_int_eq(code, given[_i].want ? MR_OK : MR_EINVAL);
    if (given[_i].want)
        ck_assert_str_eq(out.at ? out.at : "", given[_i].want);
    mr_buf_fini(&out);
}
END_TEST

/* However the bytes are cut into pieces, the lines are the same, and as long as was said. */
START_TEST(pieces_make_the_same_lines)
{
    unsigned char bytes[200];
    struct mr_buf whole = {0};

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (unsigned char)(i * 37);
    mr_base64_add(&whole, bytes, sizeof(bytes));
    for (size_t step = 1; step <= sizeof(bytes); step++) {
        struct mr_base64 state = {0};
        struct mr_buf out = {0}, lines = {0};

        for (size_t i = 0; i < sizeof(bytes); i += step)
            mr_base64_piece(&state, &out, bytes + i,
                            sizeof(bytes) - i < step ? sizeof(bytes) - i : step);
        mr_base64_end(&state, &out);
        ck_assert_int_eq(mr_base64_lines(&lines, whole.at, whole.len, &err), MR_OK);
        ck_assert_str_eq(out.at, lines.at);
        ck_assert_uint_eq(out.len, mr_base64_size(sizeof(bytes)));
        mr_buf_fini(&out);
        mr_buf_fini(&lines);
    }
    mr_buf_fini(&whole);
}
END_TEST

/* ---- the message ---- */

static const struct {
    const char *text, *encoding;
} texts[] = {
    {"plain words",                                                  "quoted-printable"},
    {"Gr\xc3\xbc\xc3\x9f"
     "e aus den Bergen",                                        "quoted-printable"},
    {"\xe4\xbd\xa0\xe5\xa5\xbd\xef\xbc\x8c\xe4\xb8\x96\xe7\x95\x8c", "base64"          },
};

START_TEST(a_text_takes_the_encoding_that_suits_it)
{
    struct mr_mail mail;
    struct mr_buf out = {0};
    char members[200], want[100];

    snprintf(members, sizeof(members), "\"html\":\"%s\"", texts[_i].text);
    snprintf(want, sizeof(want),
             "text/html; charset=utf-8\r\nContent-Transfer-Encoding: %s\r\n",
             texts[_i].encoding);
    ck_assert_int_eq(read_mail(members, &mail), MR_OK);
    ck_assert_int_eq(mr_mail_message(&mail, NULL, NULL, rules.max_size, &out, &err), MR_OK);
    ck_assert_ptr_nonnull(strstr(out.at, want));
    mr_buf_fini(&out);
    mr_mail_fini(&mail);
}
END_TEST

START_TEST(a_lone_line_end_is_a_whole_one)
{
    struct mr_mail mail;

    ck_assert_int_eq(read_mail("\"html\":\"a\\r.\\rb\\n\\r\\n\\n\\rc\"", &mail), MR_OK);
    ck_assert_str_eq(mail.html, "a\r\n.\r\nb\r\n\r\n\r\n\r\nc");
    mr_mail_fini(&mail);
}
END_TEST

static enum mr_code give_bytes(void *arg, const char *key, uint64_t max_bytes,
                               enum mr_code (*on_bytes)(void *to, const void *bytes, size_t len,
                                                        struct mr_err *why),
                               void *to, struct mr_err *why)
{
    uint64_t *most = arg;

    *most = max_bytes;
    return strcmp(key, "gone") == 0 ? mr_fail(why, MR_ENOTFOUND, "no file gone")
                                    : on_bytes(to, "x", 1, why);
}

START_TEST(a_stored_file_is_asked_for_as_much_as_still_fits)
{
    struct mr_mail mail;
    struct mr_buf out = {0};
    uint64_t most = 0;

    ck_assert_int_eq(read_mail(FILE_OF("\"name\":\"x\",\"storage\":\"k\""), &mail), MR_OK);
    ck_assert_int_eq(mr_mail_message(&mail, give_bytes, &most, 10000, &out, &err), MR_OK);
    ck_assert_uint_gt(most, 6500);
    ck_assert_uint_le(mr_base64_size(most), 10000);
    mr_buf_clear(&out);
    ck_assert_int_eq(mr_mail_message(&mail, give_bytes, &most, 100, &out, &err), MR_EINVAL);
    ck_assert_uint_eq(most, 0);
    mr_buf_clear(&out);
    ck_assert_int_eq(mr_mail_message(&mail, NULL, NULL, 10000, &out, &err), MR_EFAULT);
    mr_mail_fini(&mail);
    ck_assert_int_eq(read_mail(FILE_OF("\"name\":\"x\",\"storage\":\"gone\""), &mail), MR_OK);
    mr_buf_clear(&out);
    ck_assert_int_eq(mr_mail_message(&mail, give_bytes, &most, 10000, &out, &err),
                     MR_ENOTFOUND);
    mr_buf_fini(&out);
    mr_mail_fini(&mail);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {what_would_spoil_a_mail_is_refused_by_name,       MR_COUNT(refused)},
        {what_a_mail_asks_for_stands_in_its_headers,       MR_COUNT(written)},
        {no_line_of_a_header_is_longer_than_it_should_be,  2                },
        {what_is_very_long_is_cut_between_characters,      MR_COUNT(letters)},
        {a_word_longer_than_a_line_may_be_is_cut,          0                },
        {a_files_name_travels_in_the_pieces_of_rfc_2231,   MR_COUNT(params) },
        {given_base64_is_checked_and_laid_out,             MR_COUNT(given)  },
        {pieces_make_the_same_lines,                       0                },
        {a_text_takes_the_encoding_that_suits_it,          MR_COUNT(texts)  },
        {a_lone_line_end_is_a_whole_one,                   0                },
        {a_stored_file_is_asked_for_as_much_as_still_fits, 0                },
    };

    return mr_suite_run("mail_parts", tests);
}
