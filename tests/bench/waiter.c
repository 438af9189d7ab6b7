/*
 * What the latency of a worker is measured beside: a bare client that waits for one job, notes when it came, deletes it, and waits again;
 * no registration, no fence, no envelope. Appends a stamp {pushed, started} a job to the file, as bench.stamp does. Ends with
 * its Redis.
 *
 *     bench-waiter SOCKET LIST OWN-LIST STAMPS
 */
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void note(int fd, const char *job, int64_t started_ns)
{
    const char *at = strstr(job, "\"at_ns\":");
    int64_t stamp[2] = {at ? strtoll(at + strlen("\"at_ns\":"), NULL, 10) : 0, started_ns};

    if (write(fd, stamp, sizeof(stamp)) != sizeof(stamp))
        abort(); /* without stamps the figure means nothing */
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 64;
    redisContext *redis = redisConnectUnix(argv[1]);
    int fd = open(argv[4], O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600);

    if (!redis || redis->err || fd < 0)
        return 70;
    for (;;) {
        redisReply *job = redisCommand(redis, "BLMOVE %s %s LEFT RIGHT 0", argv[2], argv[3]);
        int64_t started_ns = now_ns();

        if (!job || job->type != REDIS_REPLY_STRING)
            break;
        note(fd, job->str, started_ns);
        freeReplyObject(job);
        freeReplyObject(redisCommand(redis, "DEL %s", argv[3]));
    }
    redisFree(redis);
    return 0;
}
