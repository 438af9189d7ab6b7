/* A real redis-server of a test's own: a unix socket in a fresh folder, stopped and removed with the test. */
#ifndef MR_TESTS_REDIS_H
#define MR_TESTS_REDIS_H

#include <hiredis/hiredis.h>
#include <sys/types.h>

struct mr_redis {
    char dir[64]; /* /tmp/mr-XXXXXX */
    char socket[96];
    char url[128]; /* redis+unix://... for the product */
    pid_t pid;
    redisContext *sync; /* for the test to look and push; NULL while stopped */
};

/* Starts it and waits until it answers; extra: further arguments ("--appendonly", "yes"), NULL-ended, or NULL. Fails the test otherwise. */
void mr_redis_start(struct mr_redis *redis, const char *const *extra);
/* kill -9, or a polite stop; the folder stays for mr_redis_again. */
void mr_redis_kill(struct mr_redis *redis);
void mr_redis_again(struct mr_redis *redis, const char *const *extra);
void mr_redis_stop(struct mr_redis *redis); /* and remove the folder */

/* redisCommand that fails the test on a lost connection; the reply is the caller's. */
redisReply *mr_redis_ask(struct mr_redis *redis, const char *format, ...);
/* The same where the answer does not matter. */
void mr_redis_do(struct mr_redis *redis, const char *format, ...);
/* The same where an integer (or its string) is expected; nil gives -1. */
long long mr_redis_int(struct mr_redis *redis, const char *format, ...);

#endif
