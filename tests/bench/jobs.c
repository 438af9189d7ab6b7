/*
 * The handlers that are measured: "bench.noop" counts, "bench.data" reads its data as well, "bench.stamp" notes when it
 * began, "bench.spin" works for some microseconds. Each says in the log at the end of its process how many jobs it ran and
 * the sum of their numbers, so that a bench can tell that every job was run once.
 */
#include "worker/handler.h"

#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct bench {
    struct mr_host *host;
    unsigned long long jobs, sum; /* sum: of the n in the data of those that read it */
    int fd;                       /* where stamps go; -1 */
};

/* One line of the file named by MILLRACE_BENCH_STAMPS, in binary: many processes share it. */
struct stamp {
    int64_t pushed_ns, started_ns;
};

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static enum mr_code open_bench(struct mr_host *host, void **out, struct mr_err *err)
{
    const char *path = getenv("MILLRACE_BENCH_STAMPS");
    struct bench *bench = malloc(sizeof(*bench));

    if (!bench)
        return mr_fail(err, MR_EIO, "no memory");
    *bench = (struct bench){.host = host, .fd = -1};
    if (path)
        bench->fd = open(path, O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600);
    *out = bench;
    return MR_OK;
}

static void close_bench(void *state)
{
    struct bench *bench = state;

    mr_host_log(bench->host, 2, "bench.ended", "jobs=%llu sum=%llu", bench->jobs, bench->sum);
    if (bench->fd >= 0)
        close(bench->fd);
    free(bench);
}

static int64_t number(struct mr_job *job, const char *name)
{
    return json_integer_value(json_object_get(mr_job_data(job, NULL), name));
}

static void start_noop(void *state, struct mr_job *job)
{
    struct bench *bench = state;

    bench->jobs++;
    mr_job_finish(job, mr_outcome_done());
}

static void start_data(void *state, struct mr_job *job)
{
    struct bench *bench = state;

    bench->jobs++;
    bench->sum += (unsigned long long)number(job, "n");
    mr_job_finish(job, mr_outcome_done());
}

static void start_stamp(void *state, struct mr_job *job)
{
    struct bench *bench = state;
    struct stamp stamp = {.started_ns = now_ns()};

    bench->jobs++;
    stamp.pushed_ns = number(job, "at_ns");
    if (write(bench->fd, &stamp, sizeof(stamp)) != sizeof(stamp))
        abort(); /* without stamps the figure means nothing */
    mr_job_finish(job, mr_outcome_done());
}

static void start_spin(void *state, struct mr_job *job)
{
    struct bench *bench = state;
    int64_t until_ns = now_ns() + 1000 * number(job, "us");

    bench->jobs++;
    while (now_ns() < until_ns)
        ;
    mr_job_finish(job, mr_outcome_done());
}

#define BENCH_JOB                                                                              \
    .abi = MR_HANDLER_ABI, .size = sizeof(struct mr_handler), .open = open_bench,              \
    .close = close_bench

static const struct mr_handler noop = {BENCH_JOB, .name = "bench.noop", .start = start_noop};
static const struct mr_handler data = {BENCH_JOB, .name = "bench.data", .start = start_data};
static const struct mr_handler stamps = {BENCH_JOB, .name = "bench.stamp",
                                         .start = start_stamp};
static const struct mr_handler spins = {BENCH_JOB, .name = "bench.spin", .start = start_spin};

const struct mr_handler *const mr_handlers[] = {&noop, &data, &stamps, &spins, NULL};
