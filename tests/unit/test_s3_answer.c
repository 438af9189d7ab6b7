#include "jobs/services/s3_answer.h"
#include "proto/base/mem.h"
#include "tests/support/suite.h"

#include <string.h>

/* One row: an answer, an element, and its text. */
static const struct {
    const char *xml, *name, *want;
    bool found;
} texts[] = {
    {"<Error><Code>NoSuchKey</Code></Error>",                                   "Code", "NoSuchKey",         true },
    {"<?xml version=\"1.0\"?>\n<Error>\n <Code>A</Code><Code>B</Code></Error>", "Code", "A",
     true                                                                                                         },
    {"<Key>a&amp;b&lt;c&gt;&quot;d&apos;&#34;&amp;amp;</Key>",                  "Key",  "a&b<c>\"d'\"&amp;",
     true                                                                                                         },
    {"<Code></Code>",                                                           "Code", "",                  true },
    {"<Code>unended",                                                           "Code", "",                  false},
    {"</Code>x<Code>",                                                          "Code", "",                  false},
    {"<Codex>a</Codex>",                                                        "Code", "",                  false},
    {"",                                                                        "Code", "",                  false},
    {"<A>0123456789abcdef</A>",                                                 "A",    "0123456789abcde",   true },
};

START_TEST(an_elements_text_is_read)
{
    char got[16];

    ck_assert_int_eq(
        mr_s3_xml_text(mr_bytes_of(texts[_i].xml), texts[_i].name, got, sizeof(got)),
        texts[_i].found);
    ck_assert_str_eq(got, texts[_i].want);
}
END_TEST

START_TEST(elements_are_read_one_after_the_other)
{
    struct mr_bytes rest = mr_bytes_of("<U><K>a</K></U><X/><U><K>b</K></U><U><K>c");
    char got[8];

    ck_assert(mr_s3_xml_text(mr_s3_xml_next(&rest, "U"), "K", got, sizeof(got)));
    ck_assert_str_eq(got, "a");
    ck_assert(mr_s3_xml_text(mr_s3_xml_next(&rest, "U"), "K", got, sizeof(got)));
    ck_assert_str_eq(got, "b");
    ck_assert_ptr_null(mr_s3_xml_next(&rest, "U").at);
}
END_TEST

START_TEST(what_is_written_is_read_back)
{
    static const char odd[] = "\"a&b<c>'d;&amp;\"";
    struct mr_buf xml = {0};
    char got[64];

    mr_buf_text(&xml, "<E>");
    mr_s3_xml_add(&xml, odd);
    mr_buf_text(&xml, "</E>");
    ck_assert(mr_s3_xml_text((struct mr_bytes){xml.at, xml.len}, "E", got, sizeof(got)));
    ck_assert_str_eq(got, odd);
    mr_buf_fini(&xml);
}
END_TEST

/* One row: what came, and what it means. */
static const struct {
    long status;
    const char *error;
    enum mr_s3_verdict verdict;
    enum mr_code code;
    const char *advice;
} verdicts[] = {
    {200, "",                          MR_S3_GOOD,  MR_OK,        NULL                        },
    {204, "",                          MR_S3_GOOD,  MR_OK,        NULL                        },
    {206, "",                          MR_S3_GOOD,  MR_OK,        NULL                        },
    {200, "InternalError",             MR_S3_AGAIN, MR_EDOWN,     NULL                        },
    {200, "SlowDown",                  MR_S3_AGAIN, MR_EDOWN,     NULL                        },
    {200, "WhoKnows",                  MR_S3_AGAIN, MR_EDOWN,     NULL                        },
    {200, "NoSuchUpload",              MR_S3_STOP,  MR_ENOTFOUND, "somebody else"             },
    {500, "",                          MR_S3_AGAIN, MR_EDOWN,     NULL                        },
    {503, "SlowDown",                  MR_S3_AGAIN, MR_EDOWN,     NULL                        },
    {503, "XMinioServerNotReady",      MR_S3_AGAIN, MR_EDOWN,     NULL                        },
    {429, "",                          MR_S3_AGAIN, MR_EDOWN,     NULL                        },
    {400, "RequestTimeout",            MR_S3_AGAIN, MR_EDOWN,     NULL                        },
    {400, "XAmzContentSHA256Mismatch", MR_S3_AGAIN, MR_EIO,       "damaged"                   },
    {501, "",                          MR_S3_STOP,  MR_EFAULT,    "cannot do that"            },
    {404, "",                          MR_S3_STOP,  MR_ENOTFOUND, NULL                        },
    {404, "NoSuchKey",                 MR_S3_STOP,  MR_ENOTFOUND, NULL                        },
    {404, "NoSuchBucket",              MR_S3_STOP,  MR_EFAULT,    "storage.s3.bucket"         },
    {404, "Other",                     MR_S3_STOP,  MR_EFAULT,    "the options of storage.s3" },
    {403, "",                          MR_S3_STOP,  MR_EFAULT,    "storage.s3.key"            },
    {403, "AccessDenied",              MR_S3_STOP,  MR_EFAULT,    "no right"                  },
    {403, "InvalidAccessKeyId",        MR_S3_STOP,  MR_EFAULT,    "storage.s3.key"            },
    {403, "SignatureDoesNotMatch",     MR_S3_STOP,  MR_EFAULT,    "storage.s3.secret"         },
    {403, "RequestTimeTooSkewed",      MR_S3_STOP,  MR_EFAULT,    "clock"                     },
    {400, "ExpiredToken",              MR_S3_STOP,  MR_EFAULT,    "renew"                     },
    {301, "PermanentRedirect",         MR_S3_STOP,  MR_EFAULT,    "storage.s3.region"         },
    {307, "",                          MR_S3_STOP,  MR_EFAULT,    "storage.s3.region"         },
    {412, "",                          MR_S3_STOP,  MR_EDOWN,     "replaced while it was read"},
    {400, "EntityTooLarge",            MR_S3_STOP,  MR_EINVAL,    "larger than S3 takes"      },
    {418, "Teapot",                    MR_S3_STOP,  MR_EFAULT,    "the options of storage.s3" },
};

START_TEST(each_answer_has_its_meaning)
{
    struct mr_s3_judgement got = mr_s3_judge(verdicts[_i].status, verdicts[_i].error);

    ck_assert_int_eq(got.verdict, verdicts[_i].verdict);
    ck_assert_int_eq(got.code, verdicts[_i].code);
    ck_assert_int_eq(got.advice != NULL, verdicts[_i].advice != NULL);
    if (got.advice)
        ck_assert_msg(strstr(got.advice, verdicts[_i].advice) != NULL, "%s", got.advice);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {an_elements_text_is_read,              MR_COUNT(texts)   },
        {elements_are_read_one_after_the_other, 0                 },
        {what_is_written_is_read_back,          0                 },
        {each_answer_has_its_meaning,           MR_COUNT(verdicts)},
    };

    return mr_suite_run("s3_answer", tests);
}
