#include "jobs/services/s3_spool.h"

#include "proto/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SUM = 32 };

/* Where the file system has no O_TMPFILE its name is taken away at once. */
static int open_nameless(const char *folder)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd;
    char *path = mr_asprintf("%s/millrace-XXXXXX", folder);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    free(path);
    return fd;
}

static enum mr_code fail(const struct mr_s3_spool *spool, const char *what, struct mr_err *err)
{
    return mr_fail(err, MR_EIO, "storage.s3.spool: %s: cannot %s: %s", spool->place, what,
                   strerror(errno));
}

enum mr_code mr_s3_spool_init(struct mr_s3_spool *spool, const char *folder, const char *place,
                              struct mr_err *err)
{
    spool->place = place;
    spool->bytes = 0;
    spool->sha256 = EVP_MD_CTX_new();
    spool->fd = open_nameless(folder);
    if (spool->fd < 0)
        return mr_fail(err, MR_EIO, "storage.s3.spool %s: cannot make a file there: %s", folder,
                       strerror(errno));
    return mr_s3_spool_empty(spool, err);
}

void mr_s3_spool_fini(struct mr_s3_spool *spool)
{
    if (spool->fd >= 0)
        close(spool->fd);
    EVP_MD_CTX_free(spool->sha256);
}

enum mr_code mr_s3_spool_write(struct mr_s3_spool *spool, const char *bytes, size_t len,
                               struct mr_err *err)
{
    if (EVP_DigestUpdate(spool->sha256, bytes, len) != 1)
        return mr_fail(err, MR_EIO, "OpenSSL cannot sum %s", spool->place);
    while (len > 0) {
        ssize_t n = pwrite(spool->fd, bytes, len, (off_t)spool->bytes);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail(spool, "write", err);
        bytes += n;
        len -= (size_t)n;
        spool->bytes += (uint64_t)n;
    }
    return MR_OK;
}

void mr_s3_spool_sum(struct mr_s3_spool *spool, char out[MR_S3_HEX_ROOM])
{
    unsigned char sum[SUM] = {0};

    EVP_DigestFinal_ex(spool->sha256, sum, NULL);
    mr_str_print_hex(sum, sizeof(sum), out);
}

enum mr_code mr_s3_spool_empty(struct mr_s3_spool *spool, struct mr_err *err)
{
    spool->bytes = 0;
    if (ftruncate(spool->fd, 0) != 0)
        return fail(spool, "empty the file of a part", err);
    if (EVP_DigestInit_ex(spool->sha256, EVP_sha256(), NULL) != 1)
        return mr_fail(err, MR_EIO, "OpenSSL has no SHA-256");
    return MR_OK;
}
