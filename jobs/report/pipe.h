/* The way of a report's bytes into its file: compressed if so wanted, and never more of them than allowed. */
#ifndef MR_JOBS_REPORT_PIPE_H
#define MR_JOBS_REPORT_PIPE_H

#include "proto/base/err.h"

#include <stddef.h>
#include <stdint.h>

struct mr_storage_file;
struct mr_pipe;

enum mr_compress { MR_COMPRESS_NONE, MR_COMPRESS_GZIP, MR_COMPRESS_ZSTD };
#define MR_COMPRESS_WORDS "none|gzip|zstd"

/* ".gz", ".zst" or "". */
const char *mr_compress_suffix(enum mr_compress compress);

/* file is borrowed until the pipe is freed; it takes at most max_bytes. Memory: some 100 kB, 3 MB with zstd. */
struct mr_pipe *mr_pipe_new(struct mr_storage_file *file, enum mr_compress compress,
                            uint64_t max_bytes);
void mr_pipe_free(struct mr_pipe *pipe); /* NULL is accepted */
/* MR_EINVAL: the file would be larger than allowed. Else as mr_storage_write. */
enum mr_code mr_pipe_write(struct mr_pipe *pipe, const void *bytes, size_t len,
                           struct mr_err *err);
/* What is still held, and the end of it; nothing is written afterwards. */
enum mr_code mr_pipe_finish(struct mr_pipe *pipe, struct mr_err *err);

#endif
