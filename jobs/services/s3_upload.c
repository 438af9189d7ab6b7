#include "jobs/services/s3_upload.h"

#include "jobs/services/s3_answer.h"
#include "jobs/services/s3_spool.h"
#include "proto/base/duration.h"
#include "proto/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS_MAX = 10000, MD5 = 16, ID_ROOM = 1024, ETAG_ROOM = 48 };

struct mr_s3_upload {
    struct mr_s3_bucket *bucket;
    const char *place;
    struct mr_job *job;
    uint64_t part_bytes;
    struct mr_s3_spool spool; /* what is not yet in the bucket */
    EVP_MD_CTX *md5;  /* of the parts' sums, as S3 sums an object; NULL: OpenSSL has none */
    char id[ID_ROOM]; /* of the upload in parts; "" while there is none */
    unsigned n_parts;
    uint64_t sent;
    struct mr_buf list; /* of the parts, as completing wants it */
};

/* ---- requests ---- */

/* What links show; a browser shows what it knows. */
static const char *content_type(const char *place)
{
    static const struct {
        const char *end, *type;
    } types[] = {
        {".gz",    "application/gzip"                                                 },
        {".zst",   "application/zstd"                                                 },
        {".jsonl", "application/x-ndjson"                                             },
        {".csv",   "text/csv; charset=utf-8"                                          },
        {".html",  "text/html; charset=utf-8"                                         },
        {".json",  "application/json"                                                 },
        {".pdf",   "application/pdf"                                                  },
        {".txt",   "text/plain; charset=utf-8"                                        },
        {".xlsx",  "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
    };
    const char *end = strrchr(place, '.');

    for (size_t i = 0; end && i < MR_COUNT(types); i++)
        if (strcmp(end, types[i].end) == 0)
            return types[i].type;
    return "application/octet-stream";
}

static struct mr_s3_request request_of(const struct mr_s3_upload *upload, const char *method,
                                       const struct mr_s3_pair *query, size_t n_query)
{
    return (struct mr_s3_request){.method = method,
                                  .place = upload->place,
                                  .query = query,
                                  .n_query = n_query,
                                  .fd = -1,
                                  .job = upload->job};
}

/* Not the job's affair any more: also when that is cancelled. What it does not reach, the next upload to the same place takes away. */
static void abort_upload(const struct mr_s3_upload *upload, const char *id)
{
    const struct mr_s3_pair query[] = {
        {"uploadId", id}
    };
    struct mr_s3_request request = request_of(upload, "DELETE", query, 1);
    struct mr_s3_answer answer = {0};

    request.job = NULL;
    request.once = true;
    mr_s3_do(upload->bucket, &request, &answer, NULL);
    mr_s3_answer_fini(&answer);
}

/* The ones of this place in a list of uploads. */
static void abort_listed(const struct mr_s3_upload *upload, struct mr_bytes xml)
{
    struct mr_bytes one;
    char place[2 * MR_STORAGE_KEY_MAX + 1], id[ID_ROOM];

    while ((one = mr_s3_xml_next(&xml, "Upload")).at)
        if (mr_s3_xml_text(one, "Key", place, sizeof(place)) &&
            strcmp(place, upload->place) == 0 &&
            mr_s3_xml_text(one, "UploadId", id, sizeof(id)))
            abort_upload(upload, id);
}

/*
 * Parts of an upload that was not ended are paid for, and seen by nobody. What a killed attempt left at this place goes; an attempt that lost its lease and still
 * sends finds its upload gone, which is right. Where the key may not list, they stay.
 */
static void abort_older(const struct mr_s3_upload *upload)
{
    const struct mr_s3_pair query[] = {
        {"uploads", ""           },
        {"prefix",  upload->place}
    };
    struct mr_s3_request request = request_of(upload, "GET", query, MR_COUNT(query));
    struct mr_s3_answer answer = {0};

    request.place = NULL;
    request.once = true;
    if (mr_s3_do(upload->bucket, &request, &answer, NULL) == MR_OK)
        abort_listed(upload, (struct mr_bytes){answer.body.at, answer.body.len});
    mr_s3_answer_fini(&answer);
}

static enum mr_code initiate(struct mr_s3_upload *upload, struct mr_err *err)
{
    const struct mr_s3_pair query[] = {
        {"uploads", ""}
    };
    struct mr_s3_request request = request_of(upload, "POST", query, 1);
    struct mr_s3_answer answer = {0};

    abort_older(upload);
    request.content_type = content_type(upload->place);
    enum mr_code code = mr_s3_do(upload->bucket, &request, &answer, err);
    if (code == MR_OK && !mr_s3_xml_text((struct mr_bytes){answer.body.at, answer.body.len},
                                         "UploadId", upload->id, sizeof(upload->id)))
        code = mr_fail(err, MR_EFAULT, "%s: the server began an upload and gave it no UploadId",
                       mr_s3_bucket_name(upload->bucket));
    mr_s3_answer_fini(&answer);
    return code;
}

/* The sum of a part, as its etag usually is. Where it is another thing, the object's cannot be told in advance. */
static void add_part_sum(struct mr_s3_upload *upload, const char *etag)
{
    unsigned char sum[MD5];
    size_t n = 0;

    etag += *etag == '"';
    for (; n < sizeof(sum) && mr_str_hex(etag[2 * n]) >= 0 && mr_str_hex(etag[2 * n + 1]) >= 0;
         n++)
        sum[n] = (unsigned char)(mr_str_hex(etag[2 * n]) << 4 | mr_str_hex(etag[2 * n + 1]));
    if (upload->md5 &&
        (n < sizeof(sum) || EVP_DigestUpdate(upload->md5, sum, sizeof(sum)) != 1)) {
        EVP_MD_CTX_free(upload->md5);
        upload->md5 = NULL;
    }
}

static void note_part(struct mr_s3_upload *upload, const char *etag)
{
    mr_buf_printf(&upload->list, "<Part><PartNumber>%u</PartNumber><ETag>", upload->n_parts);
    mr_s3_xml_add(&upload->list, etag);
    mr_buf_text(&upload->list, "</ETag></Part>");
    add_part_sum(upload, etag);
}

/* An earlier attempt went out and may have put the object there, whatever was said to a later one. */
static enum mr_code doubt(enum mr_code code, const struct mr_s3_answer *answer)
{
    return code != MR_OK && answer->may_have_acted ? MR_EUNKNOWN : code;
}

/* The spool as one request. A part that may or may not have arrived is sent again: the later one counts. */
static enum mr_code put_spool(struct mr_s3_upload *upload, const struct mr_s3_pair *query,
                              size_t n_query, char *out_etag, struct mr_err *err)
{
    struct mr_s3_request request = request_of(upload, "PUT", query, n_query);
    struct mr_s3_answer answer = {0};
    char sha256[MR_S3_HEX_ROOM];

    mr_s3_spool_sum(&upload->spool, sha256);
    request.fd = upload->spool.fd;
    request.fd_bytes = upload->spool.bytes;
    request.sha256 = sha256;
    if (n_query == 0)
        request.content_type = content_type(upload->place);
    enum mr_code code = mr_s3_do(upload->bucket, &request, &answer, err);
    if (code == MR_OK && out_etag)
        snprintf(out_etag, sizeof(answer.etag), "%s", answer.etag);
    if (n_query == 0)
        code = doubt(code, &answer);
    mr_s3_answer_fini(&answer);
    return code;
}

static enum mr_code send_part(struct mr_s3_upload *upload, struct mr_err *err)
{
    char number[16], etag[sizeof(((struct mr_s3_answer *)0)->etag)], size[32];
    const struct mr_s3_pair query[] = {
        {"partNumber", number    },
        {"uploadId",   upload->id}
    };

    if (upload->n_parts == PARTS_MAX) {
        mr_size_print(upload->part_bytes, size);
        return mr_fail(
            err, MR_EFAULT,
            "%s: the file needs more than %d parts of %s: raise storage.s3.part_size",
            upload->place, PARTS_MAX, size);
    }
    enum mr_code code = upload->n_parts == 0 ? initiate(upload, err) : MR_OK;
    if (code != MR_OK)
        return code == MR_EUNKNOWN ? MR_EDOWN : code;
    snprintf(number, sizeof(number), "%u", ++upload->n_parts);
    code = put_spool(upload, query, MR_COUNT(query), etag, err);
    if (code !=
        MR_OK) /* a part is seen by nobody; one whose upload somebody has ended is to be made again too */
        return code == MR_EUNKNOWN || code == MR_ENOTFOUND ? MR_EDOWN : code;
    note_part(upload, etag);
    upload->sent += upload->spool.bytes;
    return mr_s3_spool_empty(&upload->spool, err);
}

/* ---- completing ---- */

/* What the etag of the whole object will be: the sum of its parts' sums and their number. "" where that cannot be told. */
static void expect_etag(struct mr_s3_upload *upload, char out[ETAG_ROOM])
{
    unsigned char sum[MD5];
    char hex[2 * MD5 + 1];

    out[0] = '\0';
    if (!upload->md5 || EVP_DigestFinal_ex(upload->md5, sum, NULL) != 1)
        return;
    mr_str_print_hex(sum, sizeof(sum), hex);
    snprintf(out, ETAG_ROOM, "\"%s-%u\"", hex, upload->n_parts);
}

/* An answer was lost, and the upload is gone: whether it is what stands there now. */
static enum mr_code look_again(struct mr_s3_upload *upload, struct mr_err *err)
{
    struct mr_s3_request request = request_of(upload, "HEAD", NULL, 0);
    struct mr_s3_answer answer = {0};
    char etag[ETAG_ROOM];

    expect_etag(upload, etag);
    enum mr_code code = mr_s3_do(upload->bucket, &request, &answer, err);
    if (code == MR_OK && (answer.bytes != upload->sent || strcmp(answer.etag, etag) != 0))
        code = MR_ENOTFOUND;
    mr_s3_answer_fini(&answer);
    if (code != MR_ENOTFOUND)
        return code;
    return mr_fail(err, MR_EUNKNOWN,
                   "%s: the answer to completing %s was lost, and what stands there is not it",
                   mr_s3_bucket_name(upload->bucket), upload->place);
}

static enum mr_code complete(struct mr_s3_upload *upload, struct mr_err *err)
{
    const struct mr_s3_pair query[] = {
        {"uploadId", upload->id}
    };
    struct mr_s3_request request = request_of(upload, "POST", query, 1);
    struct mr_s3_answer answer = {0};
    struct mr_buf body = {0};

    mr_buf_printf(
        &body,
        "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">%s"
        "</CompleteMultipartUpload>",
        upload->list.at);
    request.text = (struct mr_bytes){body.at, body.len};
    request.content_type = "application/xml";
    enum mr_code code = mr_s3_do(upload->bucket, &request, &answer, err);
    if (code == MR_ENOTFOUND && answer.may_have_acted)
        code = look_again(upload, err);
    else if (code == MR_ENOTFOUND)
        code = MR_EUNKNOWN; /* somebody ended it: the file must be made again */
    code = doubt(code, &answer);
    mr_s3_answer_fini(&answer);
    mr_buf_fini(&body);
    return code;
}

/* ---- the public side ---- */

enum mr_code mr_s3_upload_begin(struct mr_s3_bucket *bucket, const char *place,
                                const char *spool, uint64_t part_bytes, struct mr_job *job,
                                struct mr_s3_upload **out, struct mr_err *err)
{
    struct mr_s3_upload *upload = mr_zalloc(sizeof(*upload));

    upload->bucket = bucket;
    upload->place = place;
    upload->job = job;
    upload->part_bytes = part_bytes;
    upload->md5 = EVP_MD_CTX_new();
    if (EVP_DigestInit_ex(upload->md5, EVP_md5(), NULL) != 1) {
        EVP_MD_CTX_free(upload->md5);
        upload->md5 = NULL;
    }
    enum mr_code code = mr_s3_spool_init(&upload->spool, spool, place, err);
    if (code == MR_OK)
        *out = upload;
    else
        mr_s3_upload_end(upload);
    return code;
}

/* A part is sent when there is more than it holds, so that the last one is never empty and a file of one part is none of parts. */
enum mr_code mr_s3_upload_write(struct mr_s3_upload *upload, const char *bytes, size_t len,
                                struct mr_err *err)
{
    enum mr_code code = MR_OK;

    while (len > 0 && code == MR_OK) {
        if (upload->spool.bytes == upload->part_bytes)
            code = send_part(upload, err);
        uint64_t room = upload->part_bytes - upload->spool.bytes;
        size_t piece = len < room ? len : (size_t)room;
        if (code == MR_OK)
            code = mr_s3_spool_write(&upload->spool, bytes, piece, err);
        bytes += piece;
        len -= piece;
    }
    return code;
}

enum mr_code mr_s3_upload_keep(struct mr_s3_upload *upload, struct mr_err *err)
{
    if (upload->n_parts == 0)
        return put_spool(upload, NULL, 0, NULL, err);
    enum mr_code code = send_part(upload, err);
    if (code == MR_OK)
        code = complete(upload, err);
    if (code == MR_OK)
        upload->id[0] = '\0';
    return code;
}

void mr_s3_upload_end(struct mr_s3_upload *upload)
{
    if (!upload)
        return;
    if (*upload->id)
        abort_upload(upload, upload->id);
    mr_s3_spool_fini(&upload->spool);
    EVP_MD_CTX_free(upload->md5);
    mr_buf_fini(&upload->list);
    free(upload);
}
