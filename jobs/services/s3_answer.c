#include "jobs/services/s3_answer.h"

#include "proto/base/mem.h"

#include <stdio.h>
#include <string.h>

/* ---- XML ---- */

static const struct {
    const char *spelled;
    char means;
} entities[] = {
    {"&amp;",  '&' },
    {"&lt;",   '<' },
    {"&gt;",   '>' },
    {"&quot;", '"' },
    {"&#34;",  '"' },
    {"&apos;", '\''},
};

static const char *find(struct mr_bytes where, const char *what)
{
    return where.at ? memmem(where.at, where.len, what, strlen(what)) : NULL;
}

static struct mr_bytes behind(struct mr_bytes whole, const char *at)
{
    return (struct mr_bytes){at, whole.len - (size_t)(at - whole.at)};
}

struct mr_bytes mr_s3_xml_next(struct mr_bytes *rest, const char *name)
{
    char open[64], close[64];

    snprintf(open, sizeof(open), "<%s>", name);
    snprintf(close, sizeof(close), "</%s>", name);
    const char *from = find(*rest, open);
    if (!from)
        return (struct mr_bytes){0};
    struct mr_bytes inside = behind(*rest, from + strlen(open));
    const char *end = find(inside, close);
    if (!end)
        return (struct mr_bytes){0};
    *rest = behind(*rest, end + strlen(close));
    inside.len = (size_t)(end - inside.at);
    return inside;
}

/* The entity that text begins with; its length, 0 when there is none. */
static size_t resolve(struct mr_bytes text, char *out)
{
    for (size_t i = 0; i < MR_COUNT(entities); i++) {
        size_t len = strlen(entities[i].spelled);

        if (text.len >= len && memcmp(text.at, entities[i].spelled, len) == 0)
            return *out = entities[i].means, len;
    }
    return 0;
}

bool mr_s3_xml_text(struct mr_bytes xml, const char *name, char *out, size_t room)
{
    struct mr_bytes inside = mr_s3_xml_next(&xml, name);
    size_t len = 0;

    for (size_t i = 0; i < inside.len && len + 1 < room; len++) {
        size_t used = resolve(behind(inside, inside.at + i), &out[len]);

        if (used == 0)
            out[len] = inside.at[i];
        i += used ? used : 1;
    }
    out[len] = '\0';
    return inside.at != NULL;
}

void mr_s3_xml_add(struct mr_buf *out, const char *text)
{
    for (; *text; text++) {
        const char *spelled = NULL;

        for (size_t i = 0; i < MR_COUNT(entities) && !spelled; i++)
            if (entities[i].means == *text)
                spelled = entities[i].spelled;
        if (spelled)
            mr_buf_text(out, spelled);
        else
            mr_buf_char(out, *text);
    }
}

/* ---- what it means ---- */

#define BUSY MR_S3_AGAIN, MR_EDOWN, NULL
#define ELSEWHERE                                                                              \
    MR_S3_STOP, MR_EFAULT,                                                                     \
        "the bucket is in another region: check storage.s3.region and storage.s3.endpoint"

/* clang-format off */
static const struct {
    const char *error;
    struct mr_s3_judgement means;
} known[] = {
    {"AccessDenied",          {MR_S3_STOP, MR_EFAULT, "the key has no right to do that in this bucket: check its policy"}},
    {"AccountProblem",        {MR_S3_STOP, MR_EFAULT, "the account is not in order"}},
    {"AuthorizationHeaderMalformed", {ELSEWHERE}},
    {"BadDigest",             {MR_S3_AGAIN, MR_EIO, "the bytes were damaged on their way"}},
    {"EntityTooLarge",        {MR_S3_STOP, MR_EINVAL, "the file is larger than S3 takes"}},
    {"ExpiredToken",          {MR_S3_STOP, MR_EFAULT, "renew storage.s3.key, secret and token"}},
    {"IncompleteBody",        {BUSY}},
    {"InternalError",         {BUSY}},
    {"InvalidAccessKeyId",    {MR_S3_STOP, MR_EFAULT, "the server does not know the key: check storage.s3.key"}},
    {"InvalidBucketName",     {MR_S3_STOP, MR_EFAULT, "check storage.s3.bucket"}},
    {"InvalidToken",          {MR_S3_STOP, MR_EFAULT, "check storage.s3.token"}},
    {"NoSuchBucket",          {MR_S3_STOP, MR_EFAULT, "there is no such bucket: check storage.s3.bucket and storage.s3.region"}},
    {"NoSuchKey",             {MR_S3_STOP, MR_ENOTFOUND, NULL}},
    {"NoSuchUpload",          {MR_S3_STOP, MR_ENOTFOUND, "somebody else has ended this upload"}},
    {"NotImplemented",        {MR_S3_STOP, MR_EFAULT, "this server cannot do that"}},
    {"OperationAborted",      {BUSY}},
    {"PermanentRedirect",     {ELSEWHERE}},
    {"PreconditionFailed",    {MR_S3_STOP, MR_EDOWN, "the file was replaced while it was read"}},
    {"RequestTimeTooSkewed",  {MR_S3_STOP, MR_EFAULT, "the clock of this machine and the server's differ too much: set it right"}},
    {"RequestTimeout",        {BUSY}},
    {"ServiceUnavailable",    {BUSY}},
    {"SignatureDoesNotMatch", {MR_S3_STOP, MR_EFAULT, "check storage.s3.secret, and storage.s3.path_style"}},
    {"SlowDown",              {BUSY}},
    {"TemporaryRedirect",     {ELSEWHERE}},
    {"XAmzContentSHA256Mismatch", {MR_S3_AGAIN, MR_EIO, "the bytes were damaged on their way"}},
};
/* clang-format on */

/* Without a code that is known: HEAD has none, and other servers have codes of their own. */
static struct mr_s3_judgement judge_status(long status, const char *error)
{
    if (status >= 200 && status < 300 && !*error)
        return (struct mr_s3_judgement){MR_S3_GOOD, MR_OK, NULL};
    if (status >= 300 && status < 400)
        return (struct mr_s3_judgement){ELSEWHERE};
    if (status == 404 && !*error)
        return (struct mr_s3_judgement){MR_S3_STOP, MR_ENOTFOUND, NULL};
    if (status == 412)
        return mr_s3_judge(status, "PreconditionFailed");
    if (status == 501)
        return mr_s3_judge(status, "NotImplemented");
    if (status >= 500 || status == 429 || status == 408 || status < 300)
        return (struct mr_s3_judgement){BUSY};
    return (struct mr_s3_judgement){
        MR_S3_STOP, MR_EFAULT,
        status == 403 ? "check storage.s3.key, its secret and its rights in this bucket"
                      : "check the options of storage.s3"};
}

struct mr_s3_judgement mr_s3_judge(long status, const char *error)
{
    for (size_t i = 0; i < MR_COUNT(known); i++)
        if (strcmp(known[i].error, error) == 0)
            return known[i].means;
    return judge_status(status, error);
}
