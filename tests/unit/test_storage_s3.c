/* Files in a bucket whose server checks every signature by a signer that is not ours. */
#include "jobs/services/s3_bucket.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"
#include "tests/support/s3.h"
#include "tests/support/scratch.h"
#include "tests/support/sink.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MIB = 1 << 20, PART = 5 * MIB, QUICK_MS = 3000 };

static struct mr_err err;
static char dir[64];
static struct mr_s3_peer s3;
static json_t *section; /* of the configuration */
static struct mr_storage *storage;

/* printf into one of some buffers that last a while. */
__attribute__((format(printf, 1, 2))) static const char *text_of(const char *format, ...)
{
    static char buffers[4][160];
    static unsigned turn;
    char *out = buffers[turn++ % MR_COUNT(buffers)];
    va_list args;

    va_start(args, format);
    vsnprintf(out, sizeof(buffers[0]), format, args);
    va_end(args);
    return out;
}

static json_t *options_of(const struct mr_s3_peer *peer)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b, s:i, s:i}", "bucket", MR_S3_BUCKET,
                     "key", "AKIAEXAMPLE", "secret", MR_S3_SECRET, "region", "eu-central-1",
                     "spool", peer->spool, "endpoint",
                     text_of("http://127.0.0.1:%d", peer->peer.port), "path_style", 1,
                     "part_size_bytes", PART, "timeout_ms", 1000);
}

static void open_storage(void)
{
    ck_assert_msg(mr_storage_open(section, &storage, &err) == MR_OK, "%s", err.text);
}

/* args: of the server, beside its usual ones. */
static void start_with(const char *const *args)
{
    mr_scratch_folder(dir);
    mr_s3_start(&s3, dir, args);
    section = json_pack("{s:s, s:o}", "kind", "s3", "s3", options_of(&s3));
    open_storage();
}

static void start(const char *fault)
{
    const char *const args[] = {fault ? "--fault" : NULL, fault, NULL};

    start_with(args);
}

static void stop(void)
{
    mr_storage_close(storage);
    json_decref(section);
    mr_s3_stop(&s3);
    mr_scratch_remove(dir);
}

/* Again, with another value, which it takes. */
static void reopen_with(const char *option, json_t *value)
{
    mr_storage_close(storage);
    json_object_set_new(json_object_get(section, "s3"), option, value);
    open_storage();
}

/* ---- bytes that tell where they belong ---- */

static void fill(char *out, uint64_t at, size_t len)
{
    for (size_t i = 0; i < len; i++, at++)
        out[i] = (char)(at * 31 + at / 251 + at / PART);
}

/* Writes and keeps size such bytes. */
static enum mr_code put(const char *key, uint64_t size, struct mr_storage_kept *kept)
{
    static char piece[70001];
    struct mr_storage_file *file = NULL;
    enum mr_code code = mr_storage_create(storage, key, NULL, &file, &err);

    for (uint64_t at = 0; code == MR_OK && at < size; at += sizeof(piece)) {
        size_t len = size - at < sizeof(piece) ? (size_t)(size - at) : sizeof(piece);

        fill(piece, at, len);
        code = mr_storage_write(file, piece, len, &err);
    }
    if (code == MR_OK)
        return mr_storage_keep(file, kept, &err);
    mr_storage_drop(file);
    return code;
}

static void must_put(const char *key, uint64_t size)
{
    ck_assert_msg(put(key, size, NULL) == MR_OK, "%s", err.text);
}

/* Compares what comes with what was written; arg counts. */
static enum mr_code compare(void *arg, const void *bytes, size_t len, struct mr_err *why)
{
    static char want[MIB];
    uint64_t *at = arg;

    ck_assert_uint_le(len, sizeof(want));
    fill(want, *at, len);
    *at += len;
    return memcmp(want, bytes, len) == 0 ? MR_OK : mr_fail(why, MR_EIO, "other bytes");
}

static void expect_whole(const char *key, uint64_t size)
{
    uint64_t found = 0, read = 0;

    ck_assert_msg(mr_storage_find(storage, key, NULL, &found, &err) == MR_OK, "%s", err.text);
    ck_assert_uint_eq(found, size);
    ck_assert_msg(mr_storage_read(storage, key, NULL, size, compare, &read, &err) == MR_OK,
                  "%s", err.text);
    ck_assert_uint_eq(read, size);
}

/* No object, and nothing of one. */
static void expect_nothing(void)
{
    ck_assert_uint_eq(mr_s3_objects(&s3), 0);
    ck_assert_uint_eq(mr_s3_parts(&s3), 0);
}

static void expect_error(const char *words)
{
    ck_assert_msg(strstr(err.text, words) != NULL, "%s", err.text);
    ck_assert_msg(strstr(err.text, MR_S3_SECRET) == NULL, "%s", err.text);
}

/* ---- writing ---- */

/* One row: a size, and how it travels. */
static const struct {
    uint64_t size;
    size_t puts, parts;
} journeys[] = {
    {0,            1, 0},
    {1,            1, 0},
    {65537,        1, 0},
    {PART,         1, 0},
    {PART + 1,     0, 2},
    {2 * PART,     0, 2},
    {2 * PART + 7, 0, 3},
};

START_TEST(a_kept_file_is_there_with_every_byte)
{
    struct mr_storage_kept kept;

    start(NULL);
    ck_assert_msg(put("reports/2026/a.csv", journeys[_i].size, &kept) == MR_OK, "%s", err.text);
    ck_assert_uint_eq(kept.bytes, journeys[_i].size);
    ck_assert_uint_eq(mr_s3_effects(&s3, "put"), journeys[_i].puts);
    ck_assert_uint_eq(mr_s3_effects(&s3, "part"), journeys[_i].parts);
    ck_assert_uint_eq(mr_s3_effects(&s3, "complete"), journeys[_i].parts > 0);
    ck_assert_uint_eq(mr_s3_refusals(&s3, NULL, "SignatureDoesNotMatch"), 0);
    expect_whole("reports/2026/a.csv", journeys[_i].size);
    ck_assert_uint_eq(mr_s3_parts(&s3), 0);
    stop();
}
END_TEST

static const char *const kinds[][2] = {
    {"a.pdf",    "application/pdf"         },
    {"a.csv",    "text/csv; charset=utf-8" },
    {"a.csv.gz", "application/gzip"        },
    {"a.what",   "application/octet-stream"},
    {"a",        "application/octet-stream"},
};

START_TEST(an_object_says_what_it_is)
{
    start(NULL);
    must_put(kinds[_i][0], 10);
    json_t *line = mr_s3_last(&s3, "put");
    ck_assert_str_eq(json_string_value(json_object_get(line, "type")), kinds[_i][1]);
    json_decref(line);
    stop();
}
END_TEST

START_TEST(nothing_is_seen_before_it_is_kept_and_a_dropped_file_leaves_nothing)
{
    static char part[2 * PART];
    struct mr_storage_file *file;

    start(NULL);
    ck_assert_int_eq(mr_storage_create(storage, "a", NULL, &file, &err), MR_OK);
    ck_assert_int_eq(mr_storage_write(file, part, sizeof(part), &err), MR_OK);
    ck_assert_uint_eq(mr_s3_effects(&s3, "part"), 1);
    ck_assert_int_eq(mr_storage_find(storage, "a", NULL, NULL, &err), MR_ENOTFOUND);
    expect_error(": there is no file a");
    mr_storage_drop(file);
    ck_assert_uint_eq(mr_s3_effects(&s3, "abort"), 1);
    expect_nothing();
    stop();
}
END_TEST

START_TEST(keys_stand_below_the_prefix)
{
    char path[256];

    start(NULL);
    reopen_with("prefix", json_string("shop/2026-"));
    must_put("a/b.pdf", 2 * PART);
    mr_s3_object(&s3, "shop/2026-a/b.pdf", path, sizeof(path));
    ck_assert_int_eq(access(path, F_OK), 0);
    expect_whole("a/b.pdf", 2 * PART);
    ck_assert_int_eq(mr_storage_remove(storage, "a/b.pdf", NULL, &err), MR_OK);
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert_int_eq(mr_storage_remove(storage, "a/b.pdf", NULL, &err), MR_OK);
    stop();
}
END_TEST

START_TEST(the_bucket_may_stand_before_the_host)
{
    const char *const args[] = {"--host-style", "localhost", NULL};

    start_with(args);
    json_object_set_new(json_object_get(section, "s3"), "path_style", json_false());
    reopen_with("endpoint", json_string(text_of("http://localhost:%d/", s3.peer.port)));
    ck_assert_str_eq(mr_storage_name(storage),
                     text_of("storage.s3 http://shop.localhost:%d", s3.peer.port));
    must_put("a/b.pdf", 2 * PART);
    expect_whole("a/b.pdf", 2 * PART);
    stop();
}
END_TEST

START_TEST(the_server_must_prove_who_it_is)
{
    char certificate[96], key[96];
    const char *const args[] = {"--cert", certificate, "--tls-key", key, NULL};

    mr_scratch_folder(dir);
    mr_sink_certify(dir, "server");
    mr_sink_certify(dir, "stranger");
    snprintf(certificate, sizeof(certificate), "%s/server.crt", dir);
    snprintf(key, sizeof(key), "%s/server.key", dir);
    mr_s3_start(&s3, dir, args);
    section = json_pack("{s:s, s:o}", "kind", "s3", "s3", options_of(&s3));
    open_storage();
    reopen_with("endpoint", json_string(text_of("https://127.0.0.1:%d", s3.peer.port)));
    reopen_with("ca_file", json_string(text_of("%s/stranger.crt", dir)));
    ck_assert_int_eq(put("a", 1, NULL), MR_EFAULT);
    expect_error("no trusted connection: ");
    expect_error("check storage.s3.endpoint and storage.s3.ca_file");
    ck_assert_uint_eq(mr_s3_count(&s3, NULL), 0);
    reopen_with("ca_file", json_string(certificate));
    must_put("a", 2 * PART);
    expect_whole("a", 2 * PART);
    stop();
}
END_TEST

START_TEST(a_session_token_goes_along)
{
    const char *const args[] = {"--token", "FwoGZXIvYXdzE/+=", NULL};

    start_with(args);
    ck_assert_int_eq(put("a", 1, NULL), MR_EFAULT);
    expect_error("400 InvalidToken: check storage.s3.token");
    reopen_with("token", json_string("FwoGZXIvYXdzE/+="));
    must_put("a", 1);
    stop();
}
END_TEST

START_TEST(a_probe_works_and_leaves_nothing)
{
    start(NULL);
    ck_assert_msg(mr_storage_probe(storage, &err) == MR_OK, "%s", err.text);
    expect_nothing();
    stop();
}
END_TEST

/* ---- odd names, held against the other signer ---- */

static const char *const odd_places[] = {
    "a b",  "a+b",        "a&b=c?d#e", "100%",        "\xc3\xbc/\xe2\x82\xac.csv",
    "a//b", "'()*!@:,;$", "~a.-_",     "\"<>\\^`{|}", " leading",
    "a/",   "%41",
};

START_TEST(odd_names_are_signed_as_amazons_signer_does)
{
    struct mr_s3_bucket *bucket;
    struct mr_s3_request request = {
        .method = "PUT", .place = odd_places[_i], .text = mr_bytes_of("x"), .fd = -1};
    struct mr_s3_answer answer = {0};

    start(NULL);
    ck_assert_int_eq(mr_s3_bucket_open(json_object_get(section, "s3"), storage, &bucket, &err),
                     MR_OK);
    ck_assert_msg(mr_s3_do(bucket, &request, &answer, &err) == MR_OK, "%s", err.text);
    json_t *line = mr_s3_last(&s3, "put");
    ck_assert_str_eq(json_string_value(json_object_get(line, "key")), odd_places[_i]);
    ck_assert_str_eq(json_string_value(json_object_get(line, "signed")), "header");
    json_decref(line);
    mr_s3_answer_fini(&answer);
    mr_s3_bucket_close(bucket);
    stop();
}
END_TEST

START_TEST(odd_queries_are_signed_as_amazons_signer_does)
{
    const struct mr_s3_pair query[] = {
        {"uploads",     ""                },
        {"prefix",      odd_places[_i]    },
        {"max-uploads", "10"              },
        {"Delimiter",   "/"               },
        {"empty",       ""                },
        {"\xc3\xa4 &",  "\xf0\x9f\x98\x80"}
    };
    struct mr_s3_bucket *bucket;
    struct mr_s3_request request = {
        .method = "GET", .query = query, .n_query = MR_COUNT(query), .fd = -1};
    struct mr_s3_answer answer = {0};

    start(NULL);
    ck_assert_int_eq(mr_s3_bucket_open(json_object_get(section, "s3"), storage, &bucket, &err),
                     MR_OK);
    ck_assert_msg(mr_s3_do(bucket, &request, &answer, &err) == MR_OK, "%s", err.text);
    mr_s3_answer_fini(&answer);
    mr_s3_bucket_close(bucket);
    stop();
}
END_TEST

/* ---- what does not go as it should ---- */

/* One row: faults after which the file is there whole all the same, and what had to be repeated. */
static const struct {
    const char *fault;
    uint64_t size;
    const char *op;
    size_t came;
} passing[] = {
    {"put=slowdown:2",         10,       "put",      3},
    {"put=fail:1",             10,       "put",      2},
    {"put=reset:2",            100000,   "put",      3},
    {"put=reset-after:1",      10,       "put",      2},
    {"put=hang:1",             10,       "put",      2},
    {"put=damage:1",           10,       "put",      2},
    {"part2=reset:2",          3 * PART, "part",     5},
    {"part1=fail:1",           3 * PART, "part",     4},
    {"part=slowdown:4",        3 * PART, "part",     7},
    {"part3=reset-after:1",    3 * PART, "part",     4},
    {"part1=damage:1",         3 * PART, "part",     4},
    {"initiate=slowdown:1",    2 * PART, "initiate", 2},
    {"complete=error200:2",    2 * PART, "complete", 3},
    {"complete=slowdown:1",    2 * PART, "complete", 2},
    {"complete=reset-after:1", 2 * PART, "complete", 2},
    {"list=denied",            2 * PART, "list",     1},
};

START_TEST(what_passes_is_repeated_until_the_file_is_there)
{
    start(passing[_i].fault);
    must_put("a", passing[_i].size);
    ck_assert_uint_eq(mr_s3_count(&s3, passing[_i].op), passing[_i].came);
    expect_whole("a", passing[_i].size);
    ck_assert_uint_eq(mr_s3_objects(&s3), 1);
    ck_assert_uint_eq(mr_s3_parts(&s3), 0);
    stop();
}
END_TEST

/* One row: a fault that stays, what it is for callers, and its words. */
static const struct {
    const char *fault;
    uint64_t size;
    enum mr_code code;
    const char *want;
} lasting[] = {
    {"put=slowdown",      10,       MR_EDOWN,    "PUT a: 503 SlowDown"                                  },
    {"put=fail",          10,       MR_EDOWN,    "PUT a: 500 InternalError"                             },
    {"put=denied",        10,       MR_EFAULT,   "PUT a: 403 AccessDenied: the key has no right"        },
    {"put=reset",         100000,   MR_EUNKNOWN, "PUT a: "                                              },
    {"put=damage",        10,       MR_EIO,      "400 XAmzContentSHA256Mismatch: the bytes were damaged"},
    {"part2=slowdown",    3 * PART, MR_EDOWN,    "PUT a: 503 SlowDown"                                  },
    {"part2=reset",       3 * PART, MR_EDOWN,    "PUT a: "                                              },
    {"part3=denied",      3 * PART, MR_EFAULT,   "PUT a: 403 AccessDenied"                              },
    {"part2=vanish",      3 * PART, MR_EDOWN,
     "PUT a: 404 NoSuchUpload: somebody else has ended this upload"                                     },
    {"initiate=denied",   2 * PART, MR_EFAULT,   "POST a: 403 AccessDenied"                             },
    {"complete=error200", 2 * PART, MR_EDOWN,    "POST a: 200 InternalError"                            },
    {"complete=denied",   2 * PART, MR_EFAULT,   "POST a: 403 AccessDenied"                             },
    {"complete=vanish",   2 * PART, MR_EUNKNOWN, "POST a: 404 NoSuchUpload"                             },
};

START_TEST(what_stays_is_told_and_leaves_nothing_in_the_bucket)
{
    start(lasting[_i].fault);
    ck_assert_int_eq(put("a", lasting[_i].size, NULL), lasting[_i].code);
    expect_error(lasting[_i].want);
    expect_nothing();
    stop();
}
END_TEST

/* One row: an option that is wrong, and what the server makes of it. */
static const struct {
    const char *option, *value, *want;
} mistakes[] = {
    {"secret", "another",   "403 SignatureDoesNotMatch: check storage.s3.secret"                },
    {"key",    "AKIAOTHER", "403 InvalidAccessKeyId: the server does not know the key"          },
    {"region", "us-west-2",
     "check storage.s3.region and storage.s3.endpoint; it says eu-central-1"                    },
    {"bucket", "other",     "404 NoSuchBucket: there is no such bucket: check storage.s3.bucket"},
};

/* The first attempt's answer is lost, the second is refused. */
static const struct {
    uint64_t size;
    const char *lost, *refused;
} doubtful[] = {
    {10,       "put=reset-after:1",      "put=denied"     },
    {PART + 1, "complete=reset-after:1", "complete=denied"},
    {PART + 1, "complete=reset-after:1", "head=denied"    },
};

START_TEST(what_may_be_there_is_not_called_refused)
{
    const char *const args[] = {"--fault", doubtful[_i].lost, "--fault", doubtful[_i].refused,
                                NULL};

    start_with(args);
    ck_assert_int_eq(put("a", doubtful[_i].size, NULL), MR_EUNKNOWN);
    ck_assert_ptr_nonnull(strstr(err.text, "403"));
    ck_assert_uint_eq(mr_s3_objects(&s3), 1);
    stop();
}
END_TEST

START_TEST(a_wrong_option_is_told_with_what_to_do)
{
    start(NULL);
    reopen_with(mistakes[_i].option, json_string(mistakes[_i].value));
    ck_assert_int_eq(put("a", 2 * PART, NULL), MR_EFAULT);
    expect_error(mistakes[_i].want);
    ck_assert_int_eq(mr_storage_probe(storage, &err), MR_EFAULT);
    expect_error(mistakes[_i].want);
    expect_nothing();
    stop();
}
END_TEST

START_TEST(a_server_that_is_away_is_told_after_some_attempts)
{
    start(NULL);
    mr_s3_stop(&s3);
    ck_assert_int_eq(put("a", 10, NULL), MR_EDOWN);
    expect_error("PUT a: ");
    ck_assert_int_eq(mr_storage_find(storage, "a", NULL, NULL, &err), MR_EDOWN);
    mr_s3_start(&s3, dir, NULL);
    stop();
}
END_TEST

/* A job that is cancelled as soon as anybody asks. */
static bool is_cancelled(const struct mr_job *job)
{
    (void)job;
    return true;
}

static const char *const waits[] = {"part=hang", "part=slowdown"};

START_TEST(a_cancelled_job_does_not_wait_and_leaves_nothing)
{
    static char bytes[2 * PART];
    struct mr_job *job = (struct mr_job *)&bytes; /* never looked into */
    struct mr_storage_file *file;

    start(waits[_i]);
    reopen_with("timeout_ms", json_integer(600000));
    ck_assert_int_eq(mr_storage_create(storage, "a", job, &file, &err), MR_OK);
    ck_assert_int_eq(mr_storage_write(file, bytes, PART, &err), MR_OK);
    storage->cancelled = is_cancelled;
    uint64_t from_ms = mr_clock_ms();
    ck_assert_int_eq(mr_storage_write(file, bytes, PART, &err), MR_ETIMEDOUT);
    expect_error("the job was cancelled");
    mr_storage_drop(file);
    ck_assert_uint_lt(mr_clock_ms() - from_ms, QUICK_MS);
    expect_nothing();
    stop();
}
END_TEST

/* Nor does it wait for a server that hangs when the upload is taken back. */
START_TEST(taking_an_upload_back_does_not_take_long)
{
    static char bytes[2 * PART];
    const char *const args[] = {"--fault", "part=denied", "--fault", "abort=hang", NULL};
    struct mr_storage_file *file;

    start_with(args);
    reopen_with("timeout_ms", json_integer(600000));
    ck_assert_int_eq(mr_storage_create(storage, "a", NULL, &file, &err), MR_OK);
    ck_assert_int_eq(mr_storage_write(file, bytes, sizeof(bytes), &err), MR_EFAULT);
    uint64_t from_ms = mr_clock_ms();
    mr_storage_drop(file);
    ck_assert_uint_lt(mr_clock_ms() - from_ms, 10000);
    ck_assert_uint_eq(mr_s3_count(&s3, "abort"), 1);
    stop();
}
END_TEST

/* An attempt that was killed with an upload under way: its parts stay, until the next attempt at this key. */
START_TEST(what_a_killed_attempt_left_goes_with_the_next_one)
{
    static char bytes[2 * PART];
    struct mr_storage_file *file;

    start(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        mr_storage_create(storage, "a", NULL, &file, NULL);
        mr_storage_write(file, bytes, sizeof(bytes), NULL);
        mr_storage_write(file, bytes, sizeof(bytes), NULL);
        raise(SIGKILL);
    }
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert_uint_eq(mr_s3_parts(&s3), 3);
    must_put("a.csv", 2 * PART); /* another key */
    ck_assert_uint_eq(mr_s3_parts(&s3), 3);
    must_put("a", 2 * PART);
    ck_assert_uint_eq(mr_s3_parts(&s3), 0);
    expect_whole("a", 2 * PART);
    stop();
}
END_TEST

START_TEST(a_spool_that_is_no_folder_is_told)
{
    start(NULL);
    reopen_with("spool", json_string("/nowhere/at/all"));
    ck_assert_int_eq(put("a", 1, NULL), MR_EIO);
    expect_error("storage.s3.spool /nowhere/at/all: cannot make a file there: No such file");
    stop();
}
END_TEST

/* ---- reading ---- */

START_TEST(a_reading_that_breaks_goes_on_where_it_stopped)
{
    start("get=half:2");
    must_put("a", 2 * PART + 3);
    expect_whole("a", 2 * PART + 3);
    json_t *line = mr_s3_last(&s3, "get");
    ck_assert_ptr_nonnull(json_string_value(json_object_get(line, "range")));
    json_decref(line);
    ck_assert_uint_eq(mr_s3_count(&s3, "get"), 3);
    stop();
}
END_TEST

/* Replaces the file as soon as a piece of it has come. */
static enum mr_code replace(void *arg, const void *bytes, size_t len, struct mr_err *why)
{
    bool *done = arg;

    (void)bytes, (void)len, (void)why;
    if (!*done)
        must_put("a", 2 * PART);
    *done = true;
    return MR_OK;
}

START_TEST(a_file_that_is_replaced_meanwhile_is_never_read_as_a_mixture)
{
    bool done = false;

    start("get=half:1");
    must_put("a", 2 * PART + 3);
    ck_assert_int_eq(mr_storage_read(storage, "a", NULL, UINT64_MAX, replace, &done, &err),
                     MR_EDOWN);
    expect_error("412 PreconditionFailed: the file was replaced while it was read");
    stop();
}
END_TEST

START_TEST(more_than_was_asked_for_is_not_read)
{
    uint64_t read = 0;

    start(NULL);
    must_put("a", 1000);
    ck_assert_int_eq(mr_storage_read(storage, "a", NULL, 999, compare, &read, &err), MR_EINVAL);
    expect_error("a has 1000 bytes, and at most 999 are taken");
    ck_assert_uint_eq(read, 0);
    ck_assert_int_eq(mr_storage_read(storage, "b", NULL, 999, compare, &read, &err),
                     MR_ENOTFOUND);
    expect_error(": there is no file b");
    stop();
}
END_TEST

/* ---- links ---- */

/* What curl gets by it: the status; the bytes are compared. */
static int fetch(const char *link, uint64_t size)
{
    char command[1200], *got = mr_zalloc((size_t)size + 1), *want = mr_zalloc((size_t)size + 1);
    int status = 0;

    snprintf(command, sizeof(command), "curl -s -o %s/got -w '%%{http_code}' '%s'", dir, link);
    FILE *pipe = popen(command, "re");
    ck_assert_int_eq(fscanf(pipe, "%d", &status), 1);
    ck_assert_int_eq(pclose(pipe), 0);
    if (status == 200) {
        FILE *file = fopen(text_of("%s/got", dir), "re");

        ck_assert_uint_eq(fread(got, 1, (size_t)size + 1, file), size);
        fill(want, 0, (size_t)size);
        ck_assert_int_eq(memcmp(got, want, (size_t)size), 0);
        fclose(file);
    }
    free(got);
    free(want);
    return status;
}

START_TEST(a_link_gives_the_file_until_its_time_is_over)
{
    char *link = NULL;

    start(NULL);
    must_put("invoices/INV/000001.pdf", 100000);
    ck_assert_int_eq(mr_storage_link(storage, "invoices/INV/000001.pdf", 2, &link, &err),
                     MR_OK);
    ck_assert_ptr_null(strstr(link, MR_S3_SECRET));
    ck_assert_int_eq(fetch(link, 100000), 200);
    mr_wait_for(fetch(link, 100000) == 403, 20000);
    free(link);
    ck_assert_int_eq(mr_storage_link(storage, "a", 604801, &link, &err), MR_EINVAL);
    stop();
}
END_TEST

START_TEST(a_link_that_was_changed_is_refused)
{
    char *link = NULL, other[1200];

    start(NULL);
    must_put("a", 10);
    must_put("b", 10);
    ck_assert_int_eq(mr_storage_link(storage, "a", 60, &link, &err), MR_OK);
    ck_assert_int_eq(fetch(link, 10), 200);
    snprintf(other, sizeof(other), "%s", link);
    *strstr(other, "/a?") = '/', strstr(other, "/a?")[1] = 'b';
    ck_assert_int_eq(fetch(other, 10), 403);
    free(link);
    stop();
}
END_TEST

START_TEST(links_with_odd_names_are_signed_as_amazons_signer_does)
{
    struct mr_s3_bucket *bucket;

    start(NULL);
    ck_assert_int_eq(mr_s3_bucket_open(json_object_get(section, "s3"), storage, &bucket, &err),
                     MR_OK);
    char *link = mr_s3_bucket_link(bucket, odd_places[_i], 60);
    ck_assert_int_eq(fetch(link, 0), 404); /* not 403: the link is good */
    free(link);
    mr_s3_bucket_close(bucket);
    stop();
}
END_TEST

/* ---- what it costs ---- */

/* The most that this process has had in memory, in KiB. */
static long peak_kib(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

START_TEST(a_large_file_is_never_whole_in_memory)
{
    const uint64_t size = 200 * (uint64_t)MIB;

    start(NULL);
    reopen_with("part_size_bytes", json_integer(64 * MIB));
    must_put("a", size);
    printf("# 200 MiB in parts of 64 MiB: at most %ld KiB resident\n", peak_kib());
#ifndef MR_SANITIZED
    ck_assert_int_lt(peak_kib(), 40 * 1024);
#endif
    ck_assert_uint_eq(mr_s3_effects(&s3, "part"), 4);
    expect_whole("a", size);
    stop();
}
END_TEST

START_TEST(requests_share_a_connection)
{
    start(NULL);
    must_put("a", 2 * PART);
    expect_whole("a", 2 * PART);
    json_t *first = mr_s3_last(&s3, "list"), *last = mr_s3_last(&s3, "get");
    ck_assert_int_eq(json_integer_value(json_object_get(first, "port")),
                     json_integer_value(json_object_get(last, "port")));
    json_decref(first);
    json_decref(last);
    stop();
}
END_TEST

/* ---- what is configured ---- */

/* One row: an option, a value (NULL: none), and what is said. */
static const struct {
    const char *option, *value, *want;
} refused[] = {
    {"bucket",   NULL,               "storage.s3.bucket is not configured: storage.kind is s3"},
    {"key",      NULL,               "storage.s3.key is not configured: storage.kind is s3"   },
    {"secret",   NULL,               "storage.s3.secret is not configured: storage.kind is s3"},
    {"bucket",   "No_Bucket",        "storage.s3.bucket must be 3 to 63 of a-z, 0-9"          },
    {"bucket",   "ab",               "storage.s3.bucket must be 3 to 63 of a-z, 0-9"          },
    {"endpoint", "http://host/path", "storage.s3.endpoint must be https://host"               },
    {"endpoint", "http://u:p@host",  "storage.s3.endpoint must be https://host"               },
    {"endpoint", "http://",          "storage.s3.endpoint must be https://host"               },
    {"prefix",   "/a",               "storage.s3.prefix must be at most 200"                  },
    {"prefix",   "a/../b",           "storage.s3.prefix must be at most 200"                  },
    {"prefix",   "a b",              "storage.s3.prefix must be at most 200"                  },
};

START_TEST(an_option_that_cannot_be_right_is_refused)
{
    struct mr_storage *none = NULL;

    start(NULL);
    json_t *options = json_object_get(section, "s3");
    if (refused[_i].value)
        json_object_set_new(options, refused[_i].option, json_string(refused[_i].value));
    else
        json_object_del(options, refused[_i].option);
    ck_assert_int_eq(mr_storage_open(section, &none, &err), MR_EINVAL);
    expect_error(refused[_i].want);
    ck_assert_ptr_null(none);
    stop();
}
END_TEST

/* One row: options, and where the bucket is. */
static const struct {
    const char *endpoint, *region;
    bool path_style;
    const char *want;
} places[] = {
    {NULL,                          "eu-west-1", false, "storage.s3 https://shop.s3.eu-west-1.amazonaws.com"},
    {NULL,                          "us-east-1", true,  "storage.s3 https://s3.us-east-1.amazonaws.com/shop"},
    {"https://s3.example.org",      "x",         false, "storage.s3 https://shop.s3.example.org"            },
    {"https://s3.example.org:443/", "x",         true,  "storage.s3 https://s3.example.org/shop"            },
    {"http://minio:9000",           "x",         true,  "storage.s3 http://minio:9000/shop"                 },
    {"http://[::1]:9000",           "x",         true,  "storage.s3 http://[::1]:9000/shop"                 },
};

START_TEST(the_bucket_is_where_the_options_say)
{
    start(NULL);
    json_t *options = json_object_get(section, "s3");
    if (places[_i].endpoint)
        json_object_set_new(options, "endpoint", json_string(places[_i].endpoint));
    else
        json_object_del(options, "endpoint");
    json_object_set_new(options, "path_style", json_boolean(places[_i].path_style));
    reopen_with("region", json_string(places[_i].region));
    ck_assert_str_eq(mr_storage_name(storage), places[_i].want);
    stop();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_kept_file_is_there_with_every_byte,                                MR_COUNT(journeys)  },
        {an_object_says_what_it_is,                                           MR_COUNT(kinds)     },
        {nothing_is_seen_before_it_is_kept_and_a_dropped_file_leaves_nothing, 0                   },
        {keys_stand_below_the_prefix,                                         0                   },
        {the_bucket_may_stand_before_the_host,                                0                   },
        {the_server_must_prove_who_it_is,                                     0                   },
        {a_session_token_goes_along,                                          0                   },
        {a_probe_works_and_leaves_nothing,                                    0                   },
        {odd_names_are_signed_as_amazons_signer_does,                         MR_COUNT(odd_places)},
        {odd_queries_are_signed_as_amazons_signer_does,                       MR_COUNT(odd_places)},
        {what_passes_is_repeated_until_the_file_is_there,                     MR_COUNT(passing)   },
        {what_stays_is_told_and_leaves_nothing_in_the_bucket,                 MR_COUNT(lasting)   },
        {what_may_be_there_is_not_called_refused,                             MR_COUNT(doubtful)  },
        {a_wrong_option_is_told_with_what_to_do,                              MR_COUNT(mistakes)  },
        {a_server_that_is_away_is_told_after_some_attempts,                   0                   },
        {a_cancelled_job_does_not_wait_and_leaves_nothing,                    MR_COUNT(waits)     },
        {taking_an_upload_back_does_not_take_long,                            0                   },
        {what_a_killed_attempt_left_goes_with_the_next_one,                   0                   },
        {a_spool_that_is_no_folder_is_told,                                   0                   },
        {a_reading_that_breaks_goes_on_where_it_stopped,                      0                   },
        {a_file_that_is_replaced_meanwhile_is_never_read_as_a_mixture,        0                   },
        {more_than_was_asked_for_is_not_read,                                 0                   },
        {a_link_gives_the_file_until_its_time_is_over,                        0                   },
        {a_link_that_was_changed_is_refused,                                  0                   },
        {links_with_odd_names_are_signed_as_amazons_signer_does,              MR_COUNT(odd_places)},
        {a_large_file_is_never_whole_in_memory,                               0                   },
        {requests_share_a_connection,                                         0                   },
        {an_option_that_cannot_be_right_is_refused,                           MR_COUNT(refused)   },
        {the_bucket_is_where_the_options_say,                                 MR_COUNT(places)    },
    };

    return mr_suite_run("storage_s3", tests);
}
