/* Mails that carry files, through a worker to a real SMTP server, and as another mail library reads them. */
#include "proto/base/str.h"
#include "tests/support/mill.h"
#include "tests/support/scratch.h"
#include "tests/support/sink.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* sha256 of "%PDF-1.7 a booking\n" and of the bytes 0 to 4, as coreutils' sha256sum gives them. */
#define SHA_PDF "bfb22c4e174632af769bb0d7802a9e891f2cf0553b435f1b078ef77b0cb5de06"

static struct mr_mill mill;
static struct mr_peer sink;
static char files[32], yaml[1024];

static void start(const char *more)
{
    mr_mill_start(&mill, yaml, NULL);
    mr_sink_start(&sink, mill.redis.dir, NULL);
    mr_scratch_folder(files);
    snprintf(yaml, sizeof(yaml),
             "pools: { main: { queues: [main], backoff: 50ms..100ms } }\n"
             "storage: { path: \"%s\" }\n"
             "email: { url: \"smtp://127.0.0.1:%d\", from: \"Shop <shop@example.org>\", "
             "tls: off%s }\n",
             files, sink.port, more);
    mr_mill_dispatch(&mill, 0, 1);
}

static void stop(void)
{
    mr_mill_stop(&mill);
    mr_peer_stop(&sink);
    mr_scratch_remove(files);
}

static void send_mail(const char *members)
{
    char payload[4000];
    int len = snprintf(payload, sizeof(payload),
                       "{\"uuid\":\"m-1\",\"job\":\"email.send\",\"data\":{\"to\":"
                       "\"ann@example.org\",\"subject\":\"s\",%s}}",
                       members);

    mr_mill_push_raw(&mill, "main", payload, (size_t)len);
}

static void has(const json_t *mail, const char *member, const char *want)
{
    char *got = json_dumps(json_object_get(mail, member),
                           JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);

    ck_assert_str_eq(got, want);
    free(got);
}

/* The only mail, once it is there, and nothing in it that its reader had to forgive; the caller's. */
static json_t *received(void)
{
    mr_wait_for(mr_sink_count(&sink) == 1 && mr_mill_is_empty(&mill, "main"), 15000);
    json_t *mails = mr_peer_lines(&sink);
    json_t *mail = json_incref(json_array_get(mails, 0));

    json_decref(mails);
    has(mail, "defects", "[]");
    return mail;
}

/* The values of one member of all files, in order. */
static void files_have(const json_t *mail, const char *member, const char *want)
{
    json_t *values = json_array(), *file;
    size_t i;

    json_array_foreach(json_object_get(mail, "files"), i, file)
        json_array_append(values, json_object_get(file, member));
    json_t *all = json_pack("{s:o}", "all", values);
    has(all, "all", want);
    json_decref(all);
}

START_TEST(a_mail_carries_stored_files_and_given_ones)
{
    start("");
    mr_scratch_put(files, "booking.pdf", "%PDF-1.7 a booking\n");
    send_mail(
        "\"text\":\"See the file.\",\"attachments\":["
        "{\"name\":\"Rechnung Mai.pdf\",\"storage\":\"booking.pdf\"},"
        "{\"name\":\"Gr\xc3\xbc\xc3\x9f"
        "e an alle, die mit uns im Sommer in den Bergen waren.bin\",\"base64\":\"AAECAwQ=\"}]");
    json_t *mail = received();
    has(mail, "tree",
        "[\"multipart/mixed\",\"text/plain\",\"application/pdf\",\"application/"
        "octet-stream\"]");
    has(mail, "parts", "[[\"text/plain\",\"See the file.\"]]");
    files_have(mail, "name",
               "[\"Rechnung Mai.pdf\",\"Gr\xc3\xbc\xc3\x9f"
               "e an alle, die mit uns im Sommer in den Bergen waren.bin\"]");
    files_have(mail, "bytes", "[19,5]");
    files_have(mail, "sha256",
               "[\"" SHA_PDF
               "\",\"08bb5e5d6eaac1049ede0893d30ed022b1a4d9b5b48db414871f51c9cb35283d\"]");
    files_have(mail, "disposition", "[\"attachment\",\"attachment\"]");
    json_decref(mail);
    stop();
}
END_TEST

START_TEST(a_picture_is_shown_within_the_html)
{
    start("");
    send_mail("\"text\":\"t\",\"html\":\"<img src=\\\"cid:logo\\\">\",\"attachments\":["
              "{\"cid\":\"logo\",\"type\":\"image/png\",\"base64\":\"iVBORw0KGgo=\"},"
              "{\"name\":\"a.txt\",\"base64\":\"eA==\"}]");
    json_t *mail = received();
    has(mail, "tree",
        "[\"multipart/mixed\",[\"multipart/alternative\",\"text/plain\",[\"multipart/related\","
        "\"text/html\",\"image/png\"]],\"text/plain\"]");
    files_have(mail, "cid", "[\"<logo>\",null]");
    files_have(mail, "disposition", "[\"inline\",\"attachment\"]");
    files_have(mail, "bytes", "[8,1]");
    json_decref(mail);
    stop();
}
END_TEST

START_TEST(a_large_file_arrives_whole)
{
    enum { LINES = 100000 };
    struct mr_buf text = {0};

    start("");
    for (int i = 0; i < LINES; i++)
        mr_buf_printf(&text, "%08d,some words of a row,%d\r\n", i, i * 7);
    mr_scratch_put(files, "rows.csv", text.at);
    send_mail(
        "\"text\":\"t\",\"attachments\":[{\"name\":\"rows.csv\",\"storage\":\"rows.csv\"}]");
    json_t *mail = received();
    char want[32];
    snprintf(want, sizeof(want), "[%zu]", text.len);
    files_have(mail, "bytes", want);
    files_have(mail, "type", "[\"text/csv\"]");
    json_decref(mail);
    mr_buf_fini(&text);
    stop();
}
END_TEST

/* ---- how much memory a mail takes ---- */

enum { FILE_MIB = 20, MIB = 1 << 20 };

/* A mail with a file of FILE_MIB of zeros: from the storage, or as base64 in the job; its memory in files of that size, at most. */
static const struct {
    bool stored;
    size_t files;
} sizes[] = {
    {true,  2},
    {false, 6},
};

/* "A" is the base64 of zeros. */
static void push_large(bool stored)
{
    struct mr_buf payload = {0};
    size_t len = (size_t)FILE_MIB * MIB / 3 * 4;

    mr_buf_text(&payload, "{\"uuid\":\"m-2\",\"job\":\"email.send\",\"data\":{\"to\":"
                          "\"ann@example.org\",\"subject\":\"s\",\"text\":\"t\","
                          "\"attachments\":[{\"name\":\"a.bin\",");
    if (stored)
        mr_buf_text(&payload, "\"storage\":\"a.bin\"");
    else
        mr_buf_text(&payload, "\"base64\":\"");
    mr_buf_reserve(&payload, len);
    for (size_t i = 0; !stored && i < len; i++)
        mr_buf_char(&payload, 'A');
    mr_buf_text(&payload, stored ? "}]}}" : "\"}]}}");
    mr_mill_push_raw(&mill, "main", payload.at, payload.len);
    mr_buf_fini(&payload);
}

START_TEST(a_large_file_takes_a_small_multiple_of_its_size)
{
    pid_t workers[MR_PROC_LIST];
    char path[64];

    start(", max_size: 60MiB }\nlimits: { payload: 64MiB");
    snprintf(path, sizeof(path), "%s/a.bin", files);
    mr_scratch_put(files, "a.bin", "");
    ck_assert_int_eq(truncate(path, FILE_MIB * MIB), 0);
    send_mail("\"text\":\"t\""); /* so that all is loaded */
    mr_wait_for(mr_sink_count(&sink) == 1, 15000);
    ck_assert_int_eq(mr_mill_workers(&mill, 0, workers), 1);
    size_t before = mr_proc_peak_bytes(workers[0]);
    push_large(sizes[_i].stored);
    mr_wait_for(mr_sink_count(&sink) == 2 && mr_mill_is_empty(&mill, "main"), 30000);
    size_t more = mr_proc_peak_bytes(workers[0]) - before;
    printf("# %zu MiB for a file of %d\n", more / MIB, FILE_MIB);
#ifndef MR_SANITIZED
    ck_assert_uint_lt(more, sizes[_i].files * FILE_MIB * MIB);
#endif
    stop();
}
END_TEST

static const struct {
    const char *more, *members; /* NULL: a long text */
    const char *class, *reason;
} lost[] = {
    {"",                    "\"text\":\"t\",\"attachments\":[{\"name\":\"a\",\"storage\":\"no/such.pdf\"}]",
     "exhausted",                                                                                                        "no/such.pdf"               },
    {"",                    "\"text\":\"t\",\"attachments\":[{\"name\":\"a\",\"storage\":\"../etc/passwd\"}]",
     "failed",                                                                                                           "../etc/passwd"             },
    {", max_size: 1KiB",
     "\"text\":\"t\",\"attachments\":[{\"name\":\"a\",\"storage\":\"big.txt\"}]",                              "failed",
     "big.txt"                                                                                                                                       },
    {", max_size: 1KiB",    NULL,                                                                              "failed", "email.max_size allows 1024"},
    {", max_recipients: 1", "\"text\":\"t\",\"cc\":\"bob@example.org\"",                                       "failed",
     "email.max_recipients"                                                                                                                          },
};

START_TEST(a_mail_that_cannot_be_made_is_not_sent)
{
    char big[2000], long_text[2100];

    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = '\0';
    start(lost[_i].more);
    mr_scratch_put(files, "big.txt", big);
    snprintf(long_text, sizeof(long_text), "\"text\":\"%s\"", big);
    send_mail(lost[_i].members ? lost[_i].members : long_text);
    mr_mill_await_letter(&mill, "main", lost[_i].class, lost[_i].reason);
    ck_assert_uint_eq(mr_sink_count(&sink), 0);
    stop();
}
END_TEST

START_TEST(headers_of_the_jobs_own_arrive)
{
    start("");
    send_mail(
        "\"text\":\"t\",\"cc\":{\"name\":\"B\xc3\xb6\",\"address\":\"bo@b\xc3\xbc"
        "cher.example\"},\"priority\":\"high\",\"headers\":{\"X-Booking\":\"42 \xe2\x9c\x93\"},"
        "\"list_unsubscribe\":{\"url\":\"https://example.org/"
        "u?x=1\",\"mailto\":\"mailto:u@example.org\",\"one_click\":true},"
        "\"in_reply_to\":\"<a@b>\",\"references\":[\"<a@b>\",\"<c@d>\"]");
    json_t *mail = received();
    json_t *headers = json_object(), *header;
    size_t i;

    json_array_foreach(json_object_get(mail, "headers"), i, header) json_object_set(
        headers, json_string_value(json_array_get(header, 0)), json_array_get(header, 1));
    has(headers, "Cc", "\"B\xc3\xb6 <bo@xn--bcher-kva.example>\"");
    has(headers, "X-Priority", "\"1\"");
    has(headers, "Importance", "\"high\"");
    has(headers, "X-Booking", "\"42 \xe2\x9c\x93\"");
    has(headers, "List-Unsubscribe", "\"<https://example.org/u?x=1>, <mailto:u@example.org>\"");
    has(headers, "List-Unsubscribe-Post", "\"List-Unsubscribe=One-Click\"");
    has(headers, "In-Reply-To", "\"<a@b>\"");
    has(headers, "References", "\"<a@b> <c@d>\"");
    has(mail, "to", "[\"ann@example.org\",\"bo@xn--bcher-kva.example\"]");
    json_decref(headers);
    json_decref(mail);
    stop();
}
END_TEST

#define HORSES "\xf0\x9f\x90\x8e \xf0\x9f\x90\x8e\xf0\x9f\x90\x8e"
#define GREETING                                                                               \
    "Gr\xc3\xbc\xc3\x9f"                                                                       \
    "e von der See"
#define WORDS GREETING ", wo im Sommer alle gern waren, und aus den Bergen " HORSES
#define FILE_NAME HORSES " \\\"1\\\"; x=y.png"

/* As many headers as were written, each with the value that was given, however it had to be encoded. */
START_TEST(what_another_library_reads_is_what_was_given)
{
    start("");
    send_mail("\"html\":\"" HORSES "\\r.\\r\\n.\\n..\\n=3D \","
              "\"from\":{\"name\":\"Doe, \\\"A\\\" <x@y.z>\",\"address\":\"shop@example.org\"},"
              "\"reply_to\":[\"a@example.org\",\"" GREETING " <b@example.org>\"],"
              "\"headers\":{\"X-Long\":\"" WORDS "\",\"X-Forged\":\"=?utf-8?Q?a?=\"},"
              "\"attachments\":[{\"cid\":\"h@1\",\"name\":\"" FILE_NAME
              "\",\"base64\":\"eA==\"}]");
    json_t *mail = received();
    json_array_remove(json_object_get(mail, "headers"), 8); /* Date */
    has(mail, "headers",
        "[[\"From\",\"\\\"Doe, \\\\\\\"A\\\\\\\" <x@y.z>\\\" <shop@example.org>\"],"
        "[\"To\",\"ann@example.org\"],"
        "[\"Reply-To\",\"a@example.org, " GREETING " <b@example.org>\"],"
        "[\"Subject\",\"s\"],"
        "[\"X-Long\",\"" WORDS "\"],"
        "[\"X-Forged\",\"=?utf-8?Q?a?=\"],"
        "[\"Message-ID\",\"<m-1@example.org>\"],"
        "[\"X-Millrace-Uuid\",\"m-1\"],"
        "[\"MIME-Version\",\"1.0\"],"
        "[\"Content-Type\",\"multipart/related; type=\\\"text/html\\\"; "
        "boundary=\\\"=_millrace-related\\\"\"]]");
    has(mail, "parts", "[[\"text/html\",\"" HORSES "\\r\\n.\\r\\n.\\r\\n..\\r\\n=3D \"]]");
    files_have(mail, "name", "[\"" FILE_NAME "\"]");
    json_decref(mail);
    stop();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_mail_carries_stored_files_and_given_ones,      0              },
        {a_picture_is_shown_within_the_html,              0              },
        {a_large_file_arrives_whole,                      0              },
        {a_large_file_takes_a_small_multiple_of_its_size, MR_COUNT(sizes)},
        {a_mail_that_cannot_be_made_is_not_sent,          MR_COUNT(lost) },
        {what_another_library_reads_is_what_was_given,    0              },
        {headers_of_the_jobs_own_arrive,                  0              },
    };

    return mr_suite_run_slow("attachments", tests, 60);
}
