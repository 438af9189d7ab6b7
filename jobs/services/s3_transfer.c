#include "jobs/services/s3_own.h"

#include "proto/base/clock.h"
#include "proto/base/duration.h"
#include "proto/base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum {
    BODY_MAX = 1 << 20,
    SLOWEST_BYTES_S = 1,
    CONNECT_MAX_MS = 10000,
    ONCE_MAX_MS = 5000,
    HEADERS_ROOM = 4
};

/* One attempt on its way. */
struct transfer {
    struct mr_s3_bucket *bucket;
    const struct mr_s3_request *request;
    struct mr_s3_answer *answer;
    CURL *easy;
    uint64_t *given;
    bool resumes;  /* an earlier attempt has given some */
    uint64_t sent; /* bytes of the body that curl has taken */
    struct curl_slist *headers;
    struct mr_buf url;
    struct mr_err *err; /* of what broke here */
    enum mr_code broke;
    char sha256[MR_S3_HEX_ROOM]; /* of the body */
    char trouble[CURL_ERROR_SIZE];
};

/* ---- the body ---- */

static uint64_t body_bytes(const struct mr_s3_request *request)
{
    if (request->text.at)
        return request->text.len;
    return request->fd >= 0 ? request->fd_bytes : 0;
}

static size_t read_file(struct transfer *t, char *out, size_t room)
{
    ssize_t n;

    do
        n = pread(t->request->fd, out, room, (off_t)t->sent);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        return (size_t)n;
    t->broke = mr_fail(t->err, MR_EIO, "storage.s3.spool: cannot read a file of ours: %s",
                       n < 0 ? strerror(errno) : "it is too short");
    return CURL_READFUNC_ABORT;
}

static size_t on_read(char *out, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    uint64_t left = body_bytes(t->request) - t->sent;
    size_t room = size * n < left ? size * n : (size_t)left;

    if (room == 0)
        return 0;
    if (t->request->text.at)
        memcpy(out, t->request->text.at + t->sent, room);
    else
        room = read_file(t, out, room);
    if (room != CURL_READFUNC_ABORT)
        t->sent += room;
    return room;
}

/* A connection that was kept may turn out to be closed when the body has begun: curl takes a new one and begins anew. */
static int on_seek(void *arg, curl_off_t offset, int origin)
{
    struct transfer *t = arg;

    if (origin != SEEK_SET)
        return CURL_SEEKFUNC_CANTSEEK;
    t->sent = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

/* ---- the answer ---- */

/* The value of this header line when it is of that name. */
static bool header_value(const char *line, size_t len, const char *name, char *out, size_t room)
{
    size_t at = strlen(name);

    if (len <= at || strncasecmp(line, name, at) != 0 || line[at] != ':')
        return false;
    at += 1 + strspn(line + at + 1, " \t");
    while (len > at && strchr("\r\n \t", line[len - 1]))
        len--;
    snprintf(out, room, "%.*s", (int)(len - at), line + at);
    return true;
}

/* Of a part the length of the whole is told elsewhere, and known by then. */
static void read_length(struct transfer *t, const char *value)
{
    if (!t->resumes)
        t->answer->bytes = strtoull(value, NULL, 10);
}

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    char value[130];

    if (header_value(line, size * n, "etag", value, sizeof(value)))
        snprintf(t->answer->etag, sizeof(t->answer->etag), "%s", value);
    else if (header_value(line, size * n, "content-length", value, sizeof(value)))
        read_length(t, value);
    return size * n;
}

/* The bytes that were asked for. A server that sends all again has not understood the range. */
static enum mr_code give(struct transfer *t, const char *bytes, size_t len)
{
    const struct mr_s3_request *request = t->request;
    uint64_t size = *t->given + len > t->answer->bytes ? *t->given + len : t->answer->bytes;
    enum mr_code code = MR_OK;

    if (t->resumes && t->answer->status != 206)
        return mr_fail(t->err, MR_EIO, "%s: %s: the server cannot go on where it stopped",
                       t->bucket->name, request->place);
    code = mr_storage_check_size(t->bucket->storage, request->place, size, request->max_bytes,
                                 t->err);
    if (code == MR_OK)
        code = request->on_bytes(request->arg, bytes, len, t->err);
    if (code == MR_OK)
        *t->given += len;
    return code;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    size_t len = size * n;

    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &t->answer->status);
    if (t->request->on_bytes && (t->answer->status == 200 || t->answer->status == 206)) {
        t->broke = give(t, bytes, len);
        return t->broke == MR_OK ? len : 0;
    }
    size_t room = BODY_MAX - t->answer->body.len;
    mr_buf_add(&t->answer->body, bytes, len < room ? len : room);
    return len;
}

static int on_progress(void *arg, curl_off_t to_get, curl_off_t got, curl_off_t to_put,
                       curl_off_t put)
{
    struct transfer *t = arg;

    (void)to_get, (void)got, (void)to_put, (void)put;
    if (t->broke == MR_OK)
        t->broke = mr_storage_cancelled(t->bucket->storage, t->request->job, t->err);
    return t->broke != MR_OK;
}

/* ---- what is sent ---- */

static void add_header(struct transfer *t, const char *name, const char *value)
{
    char *line = mr_asprintf("%s: %s", name, value);

    t->headers = curl_slist_append(t->headers, line);
    free(line);
}

/* The sum is of the bytes that were meant: what was damaged since is refused by the server. */
static const char *sum_body(struct transfer *t)
{
    const struct mr_s3_request *request = t->request;

    if (!request->text.at && request->fd >= 0)
        return request->sha256;
    mr_s3_sha256(request->text.at ? request->text.at : "", body_bytes(request), t->sha256);
    return t->sha256;
}

static void sign(struct transfer *t)
{
    const struct mr_s3_request *request = t->request;
    struct mr_s3_pair headers[HEADERS_ROOM];
    char date[MR_S3_DATE_ROOM], range[40];
    char *path = mr_s3_path(t->bucket, request->place);
    struct mr_s3_ask ask = mr_s3_ask_of(t->bucket, request, path);
    struct mr_buf authorization = {0};

    ask.headers = headers;
    ask.sha256 = sum_body(t);
    if (request->content_type)
        headers[ask.n_headers++] = (struct mr_s3_pair){"content-type", request->content_type};
    if (t->resumes) {
        snprintf(range, sizeof(range), "bytes=%" PRIu64 "-", *t->given);
        headers[ask.n_headers++] = (struct mr_s3_pair){"range", range};
        headers[ask.n_headers++] = (struct mr_s3_pair){"if-match", t->answer->etag};
    }
    mr_s3_date((time_t)(mr_clock_wall_ms() / 1000), date);
    mr_s3_sign(&t->bucket->who, &ask, date, &authorization);
    for (size_t i = 0; i < ask.n_headers; i++)
        add_header(t, headers[i].name, headers[i].value);
    add_header(t, "x-amz-content-sha256", ask.sha256);
    add_header(t, "x-amz-date", date);
    if (t->bucket->who.token)
        add_header(t, "x-amz-security-token", t->bucket->who.token);
    add_header(t, "Authorization", authorization.at);
    mr_buf_text(&t->url, t->bucket->origin);
    mr_s3_target(&ask, &t->url);
    mr_buf_fini(&authorization);
    free(path);
}

static void write_method(struct transfer *t)
{
    const struct mr_s3_request *request = t->request;

    if (strcmp(request->method, "HEAD") == 0) {
        curl_easy_setopt(t->easy, CURLOPT_NOBODY, 1L);
    } else if (strcmp(request->method, "PUT") == 0 || strcmp(request->method, "POST") == 0) {
        curl_easy_setopt(t->easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(t->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)body_bytes(request));
        curl_easy_setopt(t->easy, CURLOPT_READFUNCTION, on_read);
        curl_easy_setopt(t->easy, CURLOPT_READDATA, t);
        curl_easy_setopt(t->easy, CURLOPT_SEEKFUNCTION, on_seek);
        curl_easy_setopt(t->easy, CURLOPT_SEEKDATA, t);
        curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, request->method);
    } else if (strcmp(request->method, "GET") != 0) {
        curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, request->method);
    }
}

/*
 * A large file may take its time as long as it moves, and S3 sends a blank now and then while it joins many parts: silence is what is bounded. Who
 * dribbles on purpose is stopped by the job's deadline.
 */
static void write_limits(struct transfer *t)
{
    uint64_t silence_ms = t->bucket->timeout_ms;
    if (t->request->once && silence_ms > ONCE_MAX_MS)
        silence_ms = ONCE_MAX_MS;
    uint64_t connect_ms = silence_ms < CONNECT_MAX_MS ? silence_ms : CONNECT_MAX_MS;

    curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    curl_easy_setopt(t->easy, CURLOPT_LOW_SPEED_LIMIT, (long)SLOWEST_BYTES_S);
    curl_easy_setopt(t->easy, CURLOPT_LOW_SPEED_TIME, (long)((silence_ms + 999) / 1000));
}

static void write_options(struct transfer *t)
{
    CURL *easy = t->easy;

    curl_easy_setopt(easy, CURLOPT_URL, t->url.at);
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, t->headers);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2); /* at least */
    if (t->bucket->ca_file)
        curl_easy_setopt(easy, CURLOPT_CAINFO, t->bucket->ca_file);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, t);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->trouble);
    write_method(t);
    write_limits(t);
}

/* ---- how it ended ---- */

static enum mr_s3_end fail(struct transfer *t, enum mr_s3_end end, enum mr_code code,
                           const char *what)
{
    const struct mr_s3_request *request = t->request;

    mr_fail(t->err, code, "%s: %s %s: %s", t->bucket->name, request->method,
            request->place ? request->place : "", what);
    return end;
}

static enum mr_s3_end judge(struct transfer *t, CURLcode result)
{
    const char *says = *t->trouble ? t->trouble : curl_easy_strerror(result);
    char silence[64], span[32];

    if (t->broke != MR_OK) {
        t->err->code = t->broke; /* also of a callback that gave no reason */
        return MR_S3_BROKEN;
    }
    switch (result) {
    case CURLE_OK:
        return MR_S3_ANSWERED;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
        return fail(t, MR_S3_NOT_SENT, MR_EDOWN, says);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        mr_fail(t->err, MR_EFAULT,
                "%s: no trusted connection: %s: check storage.s3.endpoint and "
                "storage.s3.ca_file",
                t->bucket->name, says);
        return MR_S3_BROKEN;
    case CURLE_OPERATION_TIMEDOUT:
        mr_duration_print(t->bucket->timeout_ms, span);
        snprintf(silence, sizeof(silence), "silent for %s (storage.s3.timeout)", span);
        return fail(t, MR_S3_LOST, MR_EDOWN, silence);
    default:
        return fail(t, MR_S3_LOST, MR_EDOWN, says);
    }
}

enum mr_s3_end mr_s3_transfer(struct mr_s3_bucket *bucket, const struct mr_s3_request *request,
                              uint64_t *given, struct mr_s3_answer *answer, struct mr_err *err)
{
    struct transfer t = {.bucket = bucket,
                         .request = request,
                         .answer = answer,
                         .given = given,
                         .resumes = *given > 0,
                         .err = err};

    t.easy = mr_curl_pool_take(bucket->curls);
    if (!t.easy)
        return fail(&t, MR_S3_BROKEN, MR_EIO, "libcurl gives no handle");
    answer->status = 0;
    mr_buf_clear(&answer->body);
    sign(&t);
    write_options(&t);
    CURLcode result = curl_easy_perform(t.easy);
    curl_easy_getinfo(t.easy, CURLINFO_RESPONSE_CODE, &answer->status);
    enum mr_s3_end end = judge(&t, result);
    mr_curl_pool_give(bucket->curls, t.easy);
    curl_slist_free_all(t.headers);
    mr_buf_fini(&t.url);
    return end;
}
