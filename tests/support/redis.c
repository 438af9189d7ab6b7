#include "tests/support/redis.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_ARGS = 32, START_WAIT_MS = 10000 };

/* Debian's redis-tools carries the server inside redis-check-rdb: one binary that looks at its own name. */
static void exec_server(struct mr_redis *redis, const char *const *extra)
{
    const char *argv[MAX_ARGS] = {"redis-server",
                                  "--port",
                                  "0",
                                  "--unixsocket",
                                  redis->socket,
                                  "--dir",
                                  redis->dir,
                                  "--save",
                                  "",
                                  "--logfile",
                                  "redis.log",
                                  "--daemonize",
                                  "no"};
    int n = 13;

    while (extra && *extra && n < MAX_ARGS - 1)
        argv[n++] = *extra++;
    argv[n] = NULL;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execvp("redis-server", (char *const *)argv);
    execv("/usr/bin/redis-check-rdb", (char *const *)argv);
    _exit(127);
}

static void launch(struct mr_redis *redis, const char *const *extra)
{
    redis->pid = fork();
    ck_assert_int_ge(redis->pid, 0);
    if (redis->pid == 0)
        exec_server(redis, extra);
    for (int waited_ms = 0; waited_ms < START_WAIT_MS; waited_ms += 5) {
        redis->sync = redisConnectUnix(redis->socket);
        if (redis->sync && !redis->sync->err) {
            redisReply *pong = redisCommand(redis->sync, "PING");
            bool up = pong && pong->type == REDIS_REPLY_STATUS;

            if (pong)
                freeReplyObject(pong);
            if (up)
                return;
        }
        redisFree(redis->sync);
        redis->sync = NULL;
        usleep(5000);
    }
    ck_abort_msg("redis-server did not answer at %s", redis->socket);
}

void mr_redis_start(struct mr_redis *redis, const char *const *extra)
{
    memset(redis, 0, sizeof(*redis));
    snprintf(redis->dir, sizeof(redis->dir), "/tmp/mr-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(redis->dir));
    snprintf(redis->socket, sizeof(redis->socket), "%s/redis.sock", redis->dir);
    snprintf(redis->url, sizeof(redis->url), "redis+unix://%s", redis->socket);
    launch(redis, extra);
}

static void let_go(struct mr_redis *redis, int signal)
{
    if (redis->sync)
        redisFree(redis->sync);
    redis->sync = NULL;
    if (redis->pid > 0) {
        kill(redis->pid, SIGCONT);
        kill(redis->pid, signal);
        while (waitpid(redis->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    redis->pid = 0;
}

void mr_redis_kill(struct mr_redis *redis)
{
    let_go(redis, SIGKILL);
}

void mr_redis_again(struct mr_redis *redis, const char *const *extra)
{
    launch(redis, extra);
}

void mr_redis_stop(struct mr_redis *redis)
{
    char command[96];

    let_go(redis, SIGKILL);
    snprintf(command, sizeof(command), "rm -rf %s", redis->dir);
    ck_assert_int_eq(system(command), 0);
}

static redisReply *ask(struct mr_redis *redis, const char *format, va_list args)
{
    ck_assert_ptr_nonnull(redis->sync);
    redisReply *reply = redisvCommand(redis->sync, format, args);

    ck_assert_msg(reply != NULL, "redis went away: %s", redis->sync->errstr);
    return reply;
}

redisReply *mr_redis_ask(struct mr_redis *redis, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    redisReply *reply = ask(redis, format, args);
    va_end(args);
    return reply;
}

void mr_redis_do(struct mr_redis *redis, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    freeReplyObject(ask(redis, format, args));
    va_end(args);
}

long long mr_redis_int(struct mr_redis *redis, const char *format, ...)
{
    va_list args;
    long long number = -1;

    va_start(args, format);
    redisReply *reply = ask(redis, format, args);
    va_end(args);
    ck_assert_msg(reply->type != REDIS_REPLY_ERROR, "redis said: %s", reply->str);
    if (reply->type == REDIS_REPLY_INTEGER)
        number = reply->integer;
    else if (reply->type == REDIS_REPLY_STRING)
        number = atoll(reply->str);
    freeReplyObject(reply);
    return number;
}
