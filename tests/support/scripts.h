/* Runs one Lua script against a test's Redis, and looks at what is left there. */
#ifndef MR_TESTS_SCRIPTS_H
#define MR_TESTS_SCRIPTS_H

#include "proto/scripts.h"
#include "tests/support/redis.h"

#include <stdbool.h>

/* SCRIPT LOAD of all; fails the test when Redis' SHA1 is not the generator's. */
void mr_scripts_load(struct mr_redis *redis);

/*
 * EVALSHA with n_keys keys; the words (keys, then arguments) are NUL-ended and end with NULL. The count of
 * words is checked against the script's row. run: the reply is the caller's; run_int: the reply's integer, or
 * that of its first element.
 */
redisReply *mr_script_run(struct mr_redis *redis, enum mr_script script, unsigned n_keys, ...)
    __attribute__((sentinel));
long long mr_script_run_int(struct mr_redis *redis, enum mr_script script, unsigned n_keys, ...)
    __attribute__((sentinel));

/* The elements of a reply or of a list joined by blanks: "a b c"; nil is "(nil)". In a static buffer. */
const char *mr_joined(const redisReply *reply);
const char *mr_list_of(struct mr_redis *redis, const char *key);

#endif
