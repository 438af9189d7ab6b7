#include "jobs/report/pipe.h"

#include "jobs/services/storage.h"
#include "proto/base/duration.h"
#include "proto/base/mem.h"

#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

enum { PIECE_BYTES = 65536, GZIP_WRAP = 15 + 16, GZIP_MEMORY = 8 };

struct mr_pipe {
    struct mr_storage_file *file;
    enum mr_compress compress;
    uint64_t max_bytes;
    z_stream gzip;
    ZSTD_CCtx *zstd;
    unsigned char *piece; /* of what is compressed */
};

const char *mr_compress_suffix(enum mr_compress compress)
{
    return compress == MR_COMPRESS_GZIP ? ".gz" : compress == MR_COMPRESS_ZSTD ? ".zst" : "";
}

/* Both run out of memory or not at all. */
struct mr_pipe *mr_pipe_new(struct mr_storage_file *file, enum mr_compress compress,
                            uint64_t max_bytes)
{
    struct mr_pipe *pipe = mr_zalloc(sizeof(*pipe));

    pipe->file = file;
    pipe->compress = compress;
    pipe->max_bytes = max_bytes;
    if (compress != MR_COMPRESS_NONE)
        pipe->piece = mr_zalloc(PIECE_BYTES);
    if (compress == MR_COMPRESS_GZIP &&
        deflateInit2(&pipe->gzip, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WRAP, GZIP_MEMORY,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        abort();
    if (compress == MR_COMPRESS_ZSTD) {
        pipe->zstd = ZSTD_createCCtx();
        if (!pipe->zstd)
            abort();
        ZSTD_CCtx_setParameter(pipe->zstd, ZSTD_c_checksumFlag, 1);
    }
    return pipe;
}

void mr_pipe_free(struct mr_pipe *pipe)
{
    if (!pipe)
        return;
    if (pipe->compress == MR_COMPRESS_GZIP)
        deflateEnd(&pipe->gzip);
    ZSTD_freeCCtx(pipe->zstd);
    free(pipe->piece);
    free(pipe);
}

static enum mr_code put(struct mr_pipe *pipe, const void *bytes, size_t len, struct mr_err *err)
{
    char cap[32];

    if (mr_storage_written(pipe->file) + len > pipe->max_bytes) {
        mr_size_print(pipe->max_bytes, cap);
        return mr_fail(err, MR_EINVAL, "the file would be larger than %s (max_size)", cap);
    }
    return len > 0 ? mr_storage_write(pipe->file, bytes, len, err) : MR_OK;
}

static enum mr_code gzip(struct mr_pipe *pipe, const void *bytes, size_t len, bool last,
                         struct mr_err *err)
{
    z_stream *z = &pipe->gzip;
    enum mr_code code = MR_OK;

    z->next_in = (Bytef *)(uintptr_t)bytes;
    z->avail_in = (uInt)len;
    do {
        z->next_out = pipe->piece;
        z->avail_out = PIECE_BYTES;
        deflate(z, last ? Z_FINISH : Z_NO_FLUSH);
        code = put(pipe, pipe->piece, PIECE_BYTES - z->avail_out, err);
    } while (code == MR_OK && z->avail_out == 0);
    return code;
}

static enum mr_code zstd(struct mr_pipe *pipe, const void *bytes, size_t len, bool last,
                         struct mr_err *err)
{
    ZSTD_inBuffer in = {bytes, len, 0};
    enum mr_code code = MR_OK;
    size_t left;

    do {
        ZSTD_outBuffer out = {pipe->piece, PIECE_BYTES, 0};

        left = ZSTD_compressStream2(pipe->zstd, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
        if (ZSTD_isError(left))
            return mr_fail(err, MR_EFAULT, "zstd: %s", ZSTD_getErrorName(left));
        code = put(pipe, pipe->piece, out.pos, err);
    } while (code == MR_OK && (last ? left > 0 : in.pos < in.size));
    return code;
}

/* Pieces that zlib's counters hold. */
static enum mr_code squeeze(struct mr_pipe *pipe, const char *bytes, size_t len, bool last,
                            struct mr_err *err)
{
    enum { MOST = 1 << 30 };
    enum mr_code code = MR_OK;

    do {
        size_t n = len < MOST ? len : MOST;

        code = pipe->compress == MR_COMPRESS_GZIP ? gzip(pipe, bytes, n, last && n == len, err)
                                                  : zstd(pipe, bytes, n, last && n == len, err);
        bytes += n;
        len -= n;
    } while (code == MR_OK && len > 0);
    return code;
}

enum mr_code mr_pipe_write(struct mr_pipe *pipe, const void *bytes, size_t len,
                           struct mr_err *err)
{
    if (pipe->compress == MR_COMPRESS_NONE)
        return put(pipe, bytes, len, err);
    return len > 0 ? squeeze(pipe, bytes, len, false, err) : MR_OK;
}

enum mr_code mr_pipe_finish(struct mr_pipe *pipe, struct mr_err *err)
{
    return pipe->compress == MR_COMPRESS_NONE ? MR_OK : squeeze(pipe, "", 0, true, err);
}
