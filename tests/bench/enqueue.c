/*
 * How fast a producer gets rid of its jobs with libmillrace: one call a job, or --bulk B jobs a call.
 *
 *     bench-enqueue URL PREFIX QUEUE JOBS [BULK]
 */
#include "proto/millrace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* About what a mail needs; the envelope around it makes 400 bytes of it. */
static const char data[] =
    "{\"to\":\"ann@example.org\",\"subject\":\"Your order is on its way\",\"text\":\"It left "
    "our "
    "house this morning and will be with you on Thursday.\",\"lang\":\"en\"}";

static double now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static enum millrace_result push_one(struct millrace *queue, const char *name,
                                     const struct millrace_job *job)
{
    return millrace_push(queue, name, job, NULL);
}

static enum millrace_result push_bulk(struct millrace *queue, const char *name,
                                      const struct millrace_job *jobs, size_t n)
{
    return millrace_push_many(queue, name, jobs, n, NULL, NULL);
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 64;
    struct millrace_options options = {.url = argv[1], .prefix = argv[2]};
    size_t n_jobs = strtoull(argv[4], NULL, 10);
    size_t bulk = argc > 5 ? strtoull(argv[5], NULL, 10) : 1;
    struct millrace_job *jobs = calloc(bulk, sizeof(*jobs));
    struct millrace *queue = millrace_open(&options, NULL, 0);
    enum millrace_result result = MILLRACE_OK;
    double began_s = now_s();

    if (!jobs || !queue)
        return 70;
    for (size_t i = 0; i < bulk; i++)
        jobs[i] = (struct millrace_job){.job = "bench.noop", .data = data};
    for (size_t n = 0; n < n_jobs && result == MILLRACE_OK; n += bulk)
        result =
            bulk > 1 ? push_bulk(queue, argv[3], jobs, bulk) : push_one(queue, argv[3], jobs);
    if (result != MILLRACE_OK)
        fprintf(stderr, "bench-enqueue: %s\n", millrace_error(queue));
    printf("{\"jobs\":%zu,\"seconds\":%.6f}\n", n_jobs, now_s() - began_s);
    millrace_close(queue);
    free(jobs);
    return result == MILLRACE_OK ? 0 : 1;
}
