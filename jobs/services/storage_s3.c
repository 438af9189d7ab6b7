/* Files in a bucket of S3, or of a server that speaks its API: an object is there whole, or not at all. */
#include "jobs/services/s3_upload.h"
#include "jobs/services/storage_own.h"
#include "proto/base/mem.h"

#include <stdlib.h>

struct s3 {
    struct mr_storage base;
    struct mr_s3_bucket *bucket;
    const char *spool; /* a borrow */
    uint64_t part_bytes;
};

struct s3_file {
    struct mr_storage_file base;
    char *place;
    struct mr_s3_upload *upload;
};

static struct s3 *s3_of(struct mr_storage *storage)
{
    return MR_CONTAINER(storage, struct s3, base);
}

static struct s3_file *s3_file_of(struct mr_storage_file *file)
{
    return MR_CONTAINER(file, struct s3_file, base);
}

static void close_s3(struct mr_storage *storage)
{
    struct s3 *s3 = s3_of(storage);

    mr_s3_bucket_close(s3->bucket);
    free(s3->base.name);
    free(s3);
}

static enum mr_code open_s3(const json_t *section, struct mr_storage **out, struct mr_err *err)
{
    const json_t *options = json_object_get(section, "s3");
    struct s3 *s3 = mr_zalloc(sizeof(*s3));

    s3->base.kind = &mr_storage_s3;
    s3->spool = json_string_value(json_object_get(options, "spool"));
    s3->part_bytes = (uint64_t)json_integer_value(json_object_get(options, "part_size_bytes"));
    enum mr_code code = mr_s3_bucket_open(options, &s3->base, &s3->bucket, err);
    if (code != MR_OK) {
        free(s3);
        return code;
    }
    s3->base.name = mr_strdup(mr_s3_bucket_name(s3->bucket));
    *out = &s3->base;
    return MR_OK;
}

/* ---- writing ---- */

static void drop_file(struct mr_storage_file *base)
{
    struct s3_file *file = s3_file_of(base);

    mr_s3_upload_end(file->upload);
    free(file->place);
    free(file);
}

static enum mr_code create_file(struct mr_storage *storage, const char *key, struct mr_job *job,
                                struct mr_storage_file **out, struct mr_err *err)
{
    struct s3 *s3 = s3_of(storage);
    struct s3_file *file = mr_zalloc(sizeof(*file));

    mr_storage_file_init(&file->base, storage, key, job);
    file->place = mr_s3_bucket_place(s3->bucket, key);
    enum mr_code code = mr_s3_upload_begin(s3->bucket, file->place, s3->spool, s3->part_bytes,
                                           job, &file->upload, err);
    if (code == MR_OK)
        *out = &file->base;
    else
        drop_file(&file->base);
    return code;
}

static enum mr_code write_file(struct mr_storage_file *base, const char *bytes, size_t len,
                               struct mr_err *err)
{
    return mr_s3_upload_write(s3_file_of(base)->upload, bytes, len, err);
}

static enum mr_code keep_file(struct mr_storage_file *base, struct mr_err *err)
{
    return mr_s3_upload_keep(s3_file_of(base)->upload, err);
}

/* ---- files that are there ---- */

/* One request about the object of key. Nothing is lost by asking twice, so an answer that was lost is only one that did not come. */
static enum mr_code ask(struct mr_storage *storage, const char *key,
                        struct mr_s3_request *request, uint64_t *out_bytes, struct mr_err *err)
{
    struct s3 *s3 = s3_of(storage);
    struct mr_s3_answer answer = {0};
    struct mr_err why = {0};
    char *place = mr_s3_bucket_place(s3->bucket, key);

    request->place = place;
    request->fd = -1;
    enum mr_code code = mr_s3_do(s3->bucket, request, &answer, &why);
    if (code == MR_OK && out_bytes)
        *out_bytes = answer.bytes;
    mr_s3_answer_fini(&answer);
    free(place);
    if (code == MR_ENOTFOUND)
        return mr_storage_missing(storage, key, err);
    if (code == MR_EUNKNOWN)
        code = MR_EDOWN;
    return code == MR_OK ? MR_OK : mr_fail(err, code, "%s", why.text);
}

static enum mr_code find_file(struct mr_storage *storage, const char *key, struct mr_job *job,
                              uint64_t *out_bytes, struct mr_err *err)
{
    struct mr_s3_request request = {.method = "HEAD", .job = job};

    return ask(storage, key, &request, out_bytes, err);
}

static enum mr_code read_file(struct mr_storage *storage, const char *key, struct mr_job *job,
                              uint64_t max_bytes, mr_storage_bytes_fn *on_bytes, void *arg,
                              struct mr_err *err)
{
    struct mr_s3_request request = {
        .method = "GET", .job = job, .on_bytes = on_bytes, .arg = arg, .max_bytes = max_bytes};

    return ask(storage, key, &request, NULL, err);
}

static enum mr_code remove_file(struct mr_storage *storage, const char *key, struct mr_job *job,
                                struct mr_err *err)
{
    struct mr_s3_request request = {.method = "DELETE", .job = job};
    enum mr_code code = ask(storage, key, &request, NULL, err);

    return code == MR_ENOTFOUND ? MR_OK : code;
}

static enum mr_code link_file(struct mr_storage *storage, const char *key, unsigned seconds,
                              char **out, struct mr_err *err)
{
    struct s3 *s3 = s3_of(storage);
    char *place = mr_s3_bucket_place(s3->bucket, key);

    (void)err;
    *out = mr_s3_bucket_link(s3->bucket, place, seconds);
    free(place);
    return MR_OK;
}

const struct mr_storage_kind mr_storage_s3 = {
    .open = open_s3,
    .close = close_s3,
    .create = create_file,
    .write = write_file,
    .keep = keep_file,
    .drop = drop_file,
    .find = find_file,
    .read = read_file,
    .remove = remove_file,
    .link = link_file,
};
