#include "jobs/services/storage_own.h"

#include "proto/base/mem.h"
#include "proto/base/random.h"
#include "proto/base/str.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHA256_BYTES = 32 };

/* ---- keys ---- */

static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("_.-", c));
}

static enum mr_code check_key(const char *key, struct mr_err *err)
{
    size_t len = strlen(key);

    if (len == 0 || len > MR_STORAGE_KEY_MAX)
        return mr_fail(err, MR_EINVAL,
                       "storage key \"%.40s\": 1 to %d bytes are allowed, not %zu", key,
                       MR_STORAGE_KEY_MAX, len);
    for (const char *c = key; *c; c++) {
        bool begins = c == key || c[-1] == '/';

        if (begins && (*c == '/' || *c == '.'))
            return mr_fail(err, MR_EINVAL,
                           "storage key \"%s\": a name in it is empty or begins with a dot",
                           key);
        if (*c != '/' && !is_name_char(*c))
            return mr_fail(err, MR_EINVAL,
                           "storage key \"%s\": only letters, digits, '_', '.', '-' and, "
                           "between names, '/' are allowed",
                           key);
    }
    if (key[len - 1] == '/')
        return mr_fail(err, MR_EINVAL, "storage key \"%s\" ends with a slash", key);
    return MR_OK;
}

/* ---- the storage ---- */

enum mr_code mr_storage_open(const json_t *section, struct mr_storage **out, struct mr_err *err)
{
    const char *kind = json_string_value(json_object_get(section, "kind"));

    return kind && strcmp(kind, "s3") == 0 ? mr_storage_s3.open(section, out, err)
                                           : mr_storage_disk.open(section, out, err);
}

void mr_storage_close(struct mr_storage *storage)
{
    if (storage)
        storage->kind->close(storage);
}

const char *mr_storage_name(const struct mr_storage *storage)
{
    return storage->name;
}

enum mr_code mr_storage_cancelled(const struct mr_storage *storage, const struct mr_job *job,
                                  struct mr_err *err)
{
    if (job && storage->cancelled && storage->cancelled(job))
        return mr_fail(err, MR_ETIMEDOUT, "%s: the job was cancelled", storage->name);
    return MR_OK;
}

void mr_storage_count(const struct mr_storage *storage, const char *name, uint64_t n)
{
    if (storage->count && n > 0)
        storage->count(storage->host, name, n);
}

enum mr_code mr_storage_check_size(const struct mr_storage *storage, const char *key,
                                   uint64_t bytes, uint64_t max_bytes, struct mr_err *err)
{
    if (bytes <= max_bytes)
        return MR_OK;
    return mr_fail(err, MR_EINVAL,
                   "%s: %s has %" PRIu64 " bytes, and at most %" PRIu64 " are taken",
                   storage->name, key, bytes, max_bytes);
}

enum mr_code mr_storage_missing(const struct mr_storage *storage, const char *key,
                                struct mr_err *err)
{
    return mr_fail(err, MR_ENOTFOUND, "%s: there is no file %s", storage->name, key);
}

/* ---- one file ---- */

void mr_storage_file_init(struct mr_storage_file *file, struct mr_storage *storage,
                          const char *key, struct mr_job *job)
{
    file->storage = storage;
    file->job = job;
    snprintf(file->key, sizeof(file->key), "%s", key);
}

enum mr_code mr_storage_create(struct mr_storage *storage, const char *key, struct mr_job *job,
                               struct mr_storage_file **out, struct mr_err *err)
{
    struct mr_storage_file *file;
    enum mr_code code = check_key(key, err);

    if (code == MR_OK)
        code = storage->kind->create(storage, key, job, &file, err);
    if (code != MR_OK)
        return code;
    file->sha256 = EVP_MD_CTX_new();
    *out = file;
    if (file->sha256 && EVP_DigestInit_ex(file->sha256, EVP_sha256(), NULL) == 1)
        return MR_OK;
    mr_storage_drop(file);
    return mr_fail(err, MR_EIO, "OpenSSL has no SHA-256");
}

/* To the kind behind; what went wrong once is said again whatever is tried next. */
static enum mr_code pass_on(struct mr_storage_file *file, const char *bytes, size_t len)
{
    struct mr_err *trouble = &file->trouble;

    if (len == 0 || trouble->code != MR_OK)
        return trouble->code;
    if (EVP_DigestUpdate(file->sha256, bytes, len) != 1)
        return mr_fail(trouble, MR_EIO, "OpenSSL cannot sum %s", file->key);
    trouble->code = file->storage->kind->write(file, bytes, len, trouble);
    return trouble->code;
}

static enum mr_code flush(struct mr_storage_file *file)
{
    size_t held = file->held;

    file->held = 0;
    return pass_on(file, file->buffer, held);
}

static enum mr_code say_trouble(const struct mr_storage_file *file, struct mr_err *err)
{
    if (file->trouble.code != MR_OK && err)
        *err = file->trouble;
    return file->trouble.code;
}

enum mr_code mr_storage_write(struct mr_storage_file *file, const void *bytes, size_t len,
                              struct mr_err *err)
{
    if (len > sizeof(file->buffer) - file->held)
        flush(file);
    if (len >= sizeof(file->buffer)) {
        pass_on(file, bytes, len);
    } else if (len > 0) {
        memcpy(file->buffer + file->held, bytes, len);
        file->held += len;
    }
    if (file->trouble.code == MR_OK)
        file->written += len;
    return say_trouble(file, err);
}

uint64_t mr_storage_written(const struct mr_storage_file *file)
{
    return file->written;
}

static void describe(struct mr_storage_file *file, struct mr_storage_kept *out)
{
    unsigned char sum[SHA256_BYTES] = {0};

    EVP_DigestFinal_ex(file->sha256, sum, NULL);
    out->bytes = file->written;
    mr_str_print_hex(sum, sizeof(sum), out->sha256);
}

enum mr_code mr_storage_keep(struct mr_storage_file *file, struct mr_storage_kept *out,
                             struct mr_err *err)
{
    enum mr_code code =
        flush(file) == MR_OK ? file->storage->kind->keep(file, err) : say_trouble(file, err);

    if (code == MR_OK && out)
        describe(file, out);
    mr_storage_drop(file);
    return code;
}

void mr_storage_drop(struct mr_storage_file *file)
{
    if (!file)
        return;
    EVP_MD_CTX_free(file->sha256);
    file->storage->kind->drop(file);
}

/* ---- files that are there ---- */

enum mr_code mr_storage_find(struct mr_storage *storage, const char *key, struct mr_job *job,
                             uint64_t *out_bytes, struct mr_err *err)
{
    uint64_t bytes = 0;
    enum mr_code code = check_key(key, err);

    if (code == MR_OK)
        code = storage->kind->find(storage, key, job, &bytes, err);
    if (code == MR_OK && out_bytes)
        *out_bytes = bytes;
    return code;
}

enum mr_code mr_storage_read(struct mr_storage *storage, const char *key, struct mr_job *job,
                             uint64_t max_bytes, mr_storage_bytes_fn *on_bytes, void *arg,
                             struct mr_err *err)
{
    enum mr_code code = check_key(key, err);

    if (code != MR_OK)
        return code;
    return storage->kind->read(storage, key, job, max_bytes, on_bytes, arg, err);
}

enum mr_code mr_storage_remove(struct mr_storage *storage, const char *key, struct mr_job *job,
                               struct mr_err *err)
{
    enum mr_code code = check_key(key, err);

    return code == MR_OK ? storage->kind->remove(storage, key, job, err) : code;
}

enum mr_code mr_storage_link(struct mr_storage *storage, const char *key, unsigned seconds,
                             char **out, struct mr_err *err)
{
    enum mr_code code = check_key(key, err);

    if (code != MR_OK)
        return code;
    if (seconds == 0 || seconds > MR_STORAGE_LINK_MAX_S)
        return mr_fail(err, MR_EINVAL, "a link can be good for 1 second to 7 days, not %u s",
                       seconds);
    return storage->kind->link(storage, key, seconds, out, err);
}

unsigned mr_storage_sweep(struct mr_storage *storage, uint64_t min_age_ms)
{
    return storage->kind->sweep ? storage->kind->sweep(storage, min_age_ms) : 0;
}

/* ---- the probe ---- */

static const char probe_text[] = "millrace looks whether files can be kept here\n";

/* arg: how much of the text is still to come. */
static enum mr_code compare(void *arg, const void *bytes, size_t len, struct mr_err *err)
{
    struct mr_bytes *rest = arg;

    if (len > rest->len || memcmp(rest->at, bytes, len) != 0)
        return mr_fail(err, MR_EIO, "other bytes came back than were written");
    rest->at += len;
    rest->len -= len;
    return MR_OK;
}

static enum mr_code put_probe(struct mr_storage *storage, const char *key, struct mr_err *err)
{
    struct mr_storage_file *file;
    enum mr_code code = mr_storage_create(storage, key, NULL, &file, err);

    if (code != MR_OK)
        return code;
    mr_storage_write(file, probe_text, strlen(probe_text), NULL);
    return mr_storage_keep(file, NULL, err);
}

static enum mr_code read_probe(struct mr_storage *storage, const char *key, struct mr_err *err)
{
    struct mr_bytes rest = mr_bytes_of(probe_text);
    enum mr_code code =
        mr_storage_read(storage, key, NULL, sizeof(probe_text), compare, &rest, err);

    if (code == MR_OK && rest.len > 0)
        return mr_fail(err, MR_EIO, "%s: fewer bytes came back than were written",
                       storage->name);
    return code;
}

enum mr_code mr_storage_probe(struct mr_storage *storage, struct mr_err *err)
{
    uint32_t roll;
    char key[40];

    mr_random_bytes(&roll, sizeof(roll));
    snprintf(key, sizeof(key), "millrace-probe-%08x", roll);
    enum mr_code code = put_probe(storage, key, err);
    if (code == MR_OK)
        code = mr_storage_find(storage, key, NULL, NULL, err);
    if (code == MR_OK)
        code = read_probe(storage, key, err);
    enum mr_code removed = mr_storage_remove(storage, key, NULL, code == MR_OK ? err : NULL);
    return code == MR_OK ? removed : code;
}
