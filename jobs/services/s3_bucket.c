#include "jobs/services/s3_bucket.h"

#include "jobs/services/members.h"
#include "jobs/services/s3_answer.h"
#include "jobs/services/s3_own.h"
#include "proto/backoff.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"
#include "proto/base/random.h"
#include "proto/bucket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ATTEMPTS = 5, LOOK_MS = 50 };

static const struct mr_backoff pauses = {.base_ms = 250, .cap_ms = 5000, .jitter_pct = 50};

/* ---- what is configured ---- */

static enum mr_code need(const json_t *section, const char *name, const char **out,
                         struct mr_err *err)
{
    *out = mr_members_text(section, name, NULL);
    return *out ? MR_OK
                : mr_fail(err, MR_EINVAL, "storage.s3.%s is not configured: storage.kind is s3",
                          name);
}

/* The configuration's check has said it already; these sections may come from elsewhere. */
static enum mr_code name_option(const char *option, enum mr_code code, struct mr_err *why,
                                struct mr_err *err)
{
    return code == MR_OK ? MR_OK : mr_fail(err, code, "storage.s3.%s %s", option, why->text);
}

/* A port that is the scheme's own is not in the header, whatever the url says. */
static char *host_header(const struct mr_bucket_endpoint *at)
{
    const char *own = at->scheme_len == strlen("https") ? ":443" : ":80";
    size_t len = at->host_len, own_len = strlen(own);

    if (len > own_len && memcmp(at->host + len - own_len, own, own_len) == 0)
        len -= own_len;
    return mr_strndup(at->host, len);
}

static enum mr_code place_bucket(struct mr_s3_bucket *bucket, const json_t *section,
                                 struct mr_err *err)
{
    const char *name = NULL, *endpoint = mr_members_text(section, "endpoint", NULL);
    bool path_style = json_is_true(json_object_get(section, "path_style"));
    struct mr_bucket_endpoint at = {0};
    char *own = NULL;
    struct mr_err why;
    enum mr_code code = need(section, "bucket", &name, err);

    if (code == MR_OK)
        code = name_option("bucket", mr_bucket_check_name(name, &why), &why, err);
    if (code != MR_OK)
        return code;
    if (!endpoint)
        endpoint = own = mr_asprintf("https://s3.%s.amazonaws.com", bucket->who.region);
    code = name_option("endpoint", mr_bucket_read_endpoint(endpoint, &at, &why), &why, err);
    if (code == MR_OK) {
        char *host = host_header(&at);

        bucket->host = path_style ? mr_strdup(host) : mr_asprintf("%s.%s", name, host);
        bucket->folder = path_style ? mr_asprintf("/%s", name) : mr_strdup("");
        bucket->origin = mr_asprintf("%.*s://%s", (int)at.scheme_len, endpoint, bucket->host);
        bucket->name = mr_asprintf("storage.s3 %s%s", bucket->origin, bucket->folder);
        free(host);
    }
    free(own);
    return code;
}

static enum mr_code read_section(struct mr_s3_bucket *bucket, const json_t *section,
                                 struct mr_err *err)
{
    struct mr_err why;
    enum mr_code code = need(section, "key", &bucket->who.key, err);

    if (code == MR_OK)
        code = need(section, "secret", &bucket->who.secret, err);
    if (code == MR_OK)
        code = need(section, "region", &bucket->who.region, err);
    bucket->who.token = mr_members_text(section, "token", NULL);
    bucket->prefix = mr_members_text(section, "prefix", NULL)
                         ? mr_members_text(section, "prefix", NULL)
                         : "";
    bucket->ca_file = mr_members_text(section, "ca_file", NULL);
    bucket->timeout_ms = (uint64_t)json_integer_value(json_object_get(section, "timeout_ms"));
    if (code == MR_OK)
        code = name_option("prefix", mr_bucket_check_prefix(bucket->prefix, &why), &why, err);
    return code == MR_OK ? place_bucket(bucket, section, err) : code;
}

enum mr_code mr_s3_bucket_open(const json_t *section, const struct mr_storage *storage,
                               struct mr_s3_bucket **out, struct mr_err *err)
{
    struct mr_s3_bucket *bucket = mr_zalloc(sizeof(*bucket));
    enum mr_code code = read_section(bucket, section, err);

    bucket->storage = storage;
    if (code == MR_OK)
        code = mr_curl_pool_new(&bucket->curls, err);
    if (code == MR_OK)
        *out = bucket;
    else
        mr_s3_bucket_close(bucket);
    return code;
}

void mr_s3_bucket_close(struct mr_s3_bucket *bucket)
{
    if (!bucket)
        return;
    mr_curl_pool_free(bucket->curls);
    free(bucket->name);
    free(bucket->origin);
    free(bucket->host);
    free(bucket->folder);
    free(bucket);
}

const char *mr_s3_bucket_name(const struct mr_s3_bucket *bucket)
{
    return bucket->name;
}

char *mr_s3_bucket_place(const struct mr_s3_bucket *bucket, const char *key)
{
    return mr_asprintf("%s%s", bucket->prefix, key);
}

char *mr_s3_path(const struct mr_s3_bucket *bucket, const char *place)
{
    return mr_asprintf("%s/%s", bucket->folder, place ? place : "");
}

struct mr_s3_ask mr_s3_ask_of(const struct mr_s3_bucket *bucket,
                              const struct mr_s3_request *request, const char *path)
{
    return (struct mr_s3_ask){
        .method = request->method,
        .host = bucket->host,
        .path = path,
        .query = request->query,
        .n_query = request->n_query,
    };
}

char *mr_s3_bucket_link(const struct mr_s3_bucket *bucket, const char *place, unsigned seconds)
{
    const struct mr_s3_request request = {.method = "GET", .place = place};
    char date[MR_S3_DATE_ROOM], *path = mr_s3_path(bucket, place);
    struct mr_s3_ask ask = mr_s3_ask_of(bucket, &request, path);
    struct mr_buf url = {0};

    ask.sha256 = MR_S3_UNSIGNED;
    mr_s3_date((time_t)(mr_clock_wall_ms() / 1000), date);
    mr_buf_text(&url, bucket->origin);
    mr_s3_presign(&bucket->who, &ask, date, seconds, &url);
    free(path);
    return mr_buf_steal(&url);
}

/* ---- a request ---- */

/* Sleeps before the next attempt, unless the job is cancelled. */
static enum mr_code pause_before(const struct mr_s3_bucket *bucket, struct mr_job *job,
                                 uint32_t attempt, struct mr_err *err)
{
    const struct timespec look = {.tv_nsec = LOOK_MS * 1000000L};
    enum mr_code code = MR_OK;
    uint32_t roll;

    mr_random_bytes(&roll, sizeof(roll));
    uint64_t until_ms = mr_clock_ms() + mr_backoff_delay_ms(&pauses, attempt, roll);
    while (code == MR_OK && mr_clock_ms() < until_ms) {
        nanosleep(&look, NULL);
        code = mr_storage_cancelled(bucket->storage, job, err);
    }
    return code;
}

/* What S3 said, in its own code and ours. */
static struct mr_s3_judgement read_verdict(const struct mr_s3_bucket *bucket,
                                           const struct mr_s3_request *request,
                                           struct mr_s3_answer *answer, struct mr_err *err)
{
    const struct mr_bytes xml = {answer->body.at, answer->body.len};
    struct mr_bytes rest = xml;
    struct mr_bytes error = mr_s3_xml_next(&rest, "Error");

    char region[64];

    mr_s3_xml_text(error, "Code", answer->error, sizeof(answer->error));
    bool other = mr_s3_xml_text(error, "Region", region, sizeof(region));
    struct mr_s3_judgement means = mr_s3_judge(answer->status, answer->error);
    if (means.verdict != MR_S3_GOOD)
        mr_fail(err, means.code, "%s: %s %s: %ld%s%s%s%s%s%s", bucket->name, request->method,
                request->place ? request->place : "", answer->status, *answer->error ? " " : "",
                answer->error, means.advice ? ": " : "", means.advice ? means.advice : "",
                other ? "; it says " : "", region);
    return means;
}

/* One attempt. *out_again: another one may do better, and harms nobody. */
static enum mr_code attempt(struct mr_s3_bucket *bucket, const struct mr_s3_request *request,
                            uint64_t *given, struct mr_s3_answer *answer, bool *out_again,
                            struct mr_err *err)
{
    enum mr_s3_end end = mr_s3_transfer(bucket, request, given, answer, err);

    *out_again = end == MR_S3_NOT_SENT || end == MR_S3_LOST;
    if (end == MR_S3_ANSWERED) {
        struct mr_s3_judgement means = read_verdict(bucket, request, answer, err);

        *out_again = means.verdict == MR_S3_AGAIN;
        return means.code;
    }
    if (end == MR_S3_LOST)
        answer->may_have_acted = true;
    return err->code;
}

/* How a request ended for who asked; that he gave up is nobody's news. */
static void count(const struct mr_s3_bucket *bucket, enum mr_code code, uint32_t attempts)
{
    const char *name = "storage_refused";

    if (code == MR_OK || code == MR_ENOTFOUND)
        name = "storage_ok";
    else if (code == MR_EDOWN)
        name = "storage_down";
    else if (code == MR_EUNKNOWN)
        name = "storage_unknown";
    mr_storage_count(bucket->storage, "storage_retries", attempts - 1);
    if (code != MR_ETIMEDOUT)
        mr_storage_count(bucket->storage, name, 1);
}

enum mr_code mr_s3_do(struct mr_s3_bucket *bucket, const struct mr_s3_request *request,
                      struct mr_s3_answer *answer, struct mr_err *err)
{
    struct mr_err why = {0};
    uint64_t given = 0;
    bool again = false;
    enum mr_code code;
    uint32_t n = 1;

    for (;; n++) {
        code = attempt(bucket, request, &given, answer, &again, &why);
        if (!again || request->once || n == ATTEMPTS)
            break;
        code = pause_before(bucket, request->job, n, &why);
        if (code != MR_OK)
            break;
    }
    if (code == MR_EDOWN && answer->may_have_acted)
        code = MR_EUNKNOWN;
    count(bucket, code, n);
    return code == MR_OK ? MR_OK : mr_fail(err, code, "%s", why.text);
}

void mr_s3_answer_fini(struct mr_s3_answer *answer)
{
    mr_buf_fini(&answer->body);
    *answer = (struct mr_s3_answer){0};
}
