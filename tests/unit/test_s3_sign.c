/* Held against the examples of Amazon's documentation of Signature Version 4 for S3. */
#include "jobs/services/s3_sign.h"
#include "proto/base/mem.h"
#include "tests/support/suite.h"

#include <stdlib.h>
#include <string.h>

static const struct mr_s3_identity example = {
    .key = "AKIAIOSFODNN7EXAMPLE",
    .secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    .region = "us-east-1",
};

#define EXAMPLE_DATE "20130524T000000Z"
#define EXAMPLE_HOST "examplebucket.s3.amazonaws.com"

static const struct mr_s3_pair range[] = {
    {"range", "bytes=0-9"}
};
static const struct mr_s3_pair storage_class[] = {
    {"x-amz-storage-class", "REDUCED_REDUNDANCY"           },
    {"date",                "Fri, 24 May 2013 00:00:00 GMT"}
};
static const struct mr_s3_pair lifecycle[] = {
    {"lifecycle", ""}
};
static const struct mr_s3_pair listing[] = {
    {"prefix",   "J"},
    {"max-keys", "2"}
};

/* One row: an example, its signed headers and its signature. */
static const struct {
    struct mr_s3_ask ask;
    const char *headers, *signature;
} examples[] = {
    {{.method = "GET",
      .host = EXAMPLE_HOST,
      .path = "/test.txt",
      .headers = range,
      .n_headers = 1,
      .sha256 = MR_S3_EMPTY_SHA256},
     "host;range;x-amz-content-sha256;x-amz-date",                    "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
    {{.method = "PUT",
      .host = EXAMPLE_HOST,
      .path = "/test$file.text",
      .headers = storage_class,
      .n_headers = 2,
      .sha256 = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"},
     "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class", "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
    {{.method = "GET",
      .host = EXAMPLE_HOST,
      .path = "/",
      .query = lifecycle,
      .n_query = 1,
      .sha256 = MR_S3_EMPTY_SHA256},
     "host;x-amz-content-sha256;x-amz-date",                          "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
    {{.method = "GET",
      .host = EXAMPLE_HOST,
      .path = "/",
      .query = listing,
      .n_query = 2,
      .sha256 = MR_S3_EMPTY_SHA256},
     "host;x-amz-content-sha256;x-amz-date",                          "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
};

START_TEST(requests_are_signed_as_documented)
{
    struct mr_buf got = {0};
    char *want = mr_asprintf("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/"
                             "us-east-1/s3/aws4_request,SignedHeaders=%s,Signature=%s",
                             examples[_i].headers, examples[_i].signature);

    mr_s3_sign(&example, &examples[_i].ask, EXAMPLE_DATE, &got);
    ck_assert_str_eq(got.at, want);
    mr_buf_fini(&got);
    free(want);
}
END_TEST

START_TEST(links_are_signed_as_documented)
{
    const struct mr_s3_ask ask = {
        .method = "GET", .host = EXAMPLE_HOST, .path = "/test.txt", .sha256 = MR_S3_UNSIGNED};
    struct mr_buf got = {0};

    mr_s3_presign(&example, &ask, EXAMPLE_DATE, 86400, &got);
    ck_assert_str_eq(
        got.at, "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential="
                "AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date="
                "20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature="
                "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
    mr_buf_fini(&got);
}
END_TEST

START_TEST(a_session_token_is_signed_and_stands_in_links)
{
    struct mr_s3_identity temporary = example;
    const struct mr_s3_ask ask = {
        .method = "GET", .host = EXAMPLE_HOST, .path = "/a", .sha256 = MR_S3_UNSIGNED};
    struct mr_buf header = {0}, link = {0};

    temporary.token = "to/ken=";
    mr_s3_sign(&temporary, &ask, EXAMPLE_DATE, &header);
    mr_s3_presign(&temporary, &ask, EXAMPLE_DATE, 60, &link);
    ck_assert_ptr_nonnull(strstr(
        header.at, "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,"));
    ck_assert_ptr_nonnull(strstr(link.at, "&X-Amz-Security-Token=to%2Fken%3D&"));
    mr_buf_fini(&header);
    mr_buf_fini(&link);
}
END_TEST

/* One row: path and query as they are meant, and as they are sent and signed. */
static const struct {
    const char *path;
    struct mr_s3_pair query[4];
    size_t n_query;
    const char *want;
} targets[] = {
    {"/a/b.csv",                   {{0}},                                             0, "/a/b.csv"                                                     },
    {"/",                          {{"uploads", ""}},                                 1, "/?uploads="                                                   },
    {"/a b+c&d=e?f#g%h",           {{0}},                                             0, "/a%20b%2Bc%26d%3De%3Ff%23g%25h"                               },
    {"/\xc3\xbc/\xe2\x82\xac",     {{0}},                                             0, "/%C3%BC/%E2%82%AC"                                            },
    {"/-._~09AZaz",                {{0}},                                             0, "/-._~09AZaz"                                                  },
    {"/a//b/../c",                 {{0}},                                             0, "/a//b/../c"                                                   },
    {"/'()*!@:,;$\"<>\\^`{|}\x7f",
     {{0}},
     0,                                                                                  "/%27%28%29%2A%21%40%3A%2C%3B%24%22%3C%3E%5C%5E%60%7B%7C%7D%7F"},
    {"/k",
     {{"uploadId", "x/y+z="}, {"partNumber", "1"}},
     2,                                                                                  "/k?partNumber=1&uploadId=x%2Fy%2Bz%3D"                        },
    {"/k",                         {{"b", "2"}, {"a", "9"}, {"a", "10"}, {"B", "1"}}, 4, "/k?B=1&a=10&a=9&b=2"                                          },
    {"/k",
     {{"a~", "1"}, {"a", "2"}, {"a\xc3\xbc", "3"}, {"a-", "4"}},
     4,                                                                                  "/k?a=2&a%C3%BC=3&a-=4&a~=1"                                   },
    {"/k",                         {{"prefix", "a b/\xc3\xa4"}},                      1, "/k?prefix=a%20b%2F%C3%A4"                                     },
};

START_TEST(targets_are_spelled_in_one_way)
{
    const struct mr_s3_ask ask = {
        .path = targets[_i].path, .query = targets[_i].query, .n_query = targets[_i].n_query};
    struct mr_buf got = {0};

    mr_s3_target(&ask, &got);
    ck_assert_str_eq(got.at, targets[_i].want);
    mr_buf_fini(&got);
}
END_TEST

START_TEST(blanks_in_a_header_do_not_change_its_signature)
{
    const struct mr_s3_pair tidy[] = {
        {"x-amz-meta-a", "b c"}
    };
    const struct mr_s3_pair loose[] = {
        {"x-amz-meta-a", " \t b   c  "}
    };
    struct mr_s3_ask ask = {.method = "PUT",
                            .host = EXAMPLE_HOST,
                            .path = "/a",
                            .headers = tidy,
                            .n_headers = 1,
                            .sha256 = MR_S3_EMPTY_SHA256};
    struct mr_buf a = {0}, b = {0};

    mr_s3_sign(&example, &ask, EXAMPLE_DATE, &a);
    ask.headers = loose;
    mr_s3_sign(&example, &ask, EXAMPLE_DATE, &b);
    ck_assert_str_eq(a.at, b.at);
    mr_buf_fini(&a);
    mr_buf_fini(&b);
}
END_TEST

START_TEST(dates_and_sums_are_printed_as_s3_wants_them)
{
    char date[MR_S3_DATE_ROOM], sum[MR_S3_HEX_ROOM];

    mr_s3_date(1369353600, date);
    ck_assert_str_eq(date, EXAMPLE_DATE);
    mr_s3_sha256("", 0, sum);
    ck_assert_str_eq(sum, MR_S3_EMPTY_SHA256);
    mr_s3_sha256("Welcome to Amazon S3.", 21, sum);
    ck_assert_str_eq(sum, examples[1].ask.sha256);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {requests_are_signed_as_documented,              MR_COUNT(examples)},
        {links_are_signed_as_documented,                 0                 },
        {a_session_token_is_signed_and_stands_in_links,  0                 },
        {targets_are_spelled_in_one_way,                 MR_COUNT(targets) },
        {blanks_in_a_header_do_not_change_its_signature, 0                 },
        {dates_and_sums_are_printed_as_s3_wants_them,    0                 },
    };

    return mr_suite_run("s3_sign", tests);
}
