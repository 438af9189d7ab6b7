#include "proto/replies.h"
#include "tests/support/redis.h"
#include "tests/support/suite.h"

#include <string.h>

/* clang-format off */
static const struct {
    const char *text;
    enum mr_redis_action action;
    enum mr_code code;
    bool oom;
} table[] = {
    {"ERR no such key",                          MR_REDIS_FENCE,     MR_EFENCED,  false},
    {"ERR index out of range",                   MR_REDIS_FENCE,     MR_EFENCED,  false},
    {"WRONGTYPE Operation against a key",        MR_REDIS_FENCE,     MR_EFENCED,  false},
    {"NOSCRIPT No matching script. Please use EVAL.", MR_REDIS_LOAD,      MR_EREFUSED, false},
    {"OOM command not allowed when used",        MR_REDIS_RETRY,     MR_EREFUSED, true},
    {"OOM allow-oom flag is not set on",         MR_REDIS_RETRY,     MR_EREFUSED, true},
    {"LOADING Redis is loading the dataset",     MR_REDIS_RETRY,     MR_EREFUSED, false},
    {"BUSY Redis is busy running a script.",     MR_REDIS_RETRY,     MR_EREFUSED, false},
    {"TRYAGAIN Multiple keys request",           MR_REDIS_RETRY,     MR_EREFUSED, false},
    {"CLUSTERDOWN The cluster is down",          MR_REDIS_RETRY,     MR_EREFUSED, false},
    {"NOREPLICAS Not enough good replicas",      MR_REDIS_RETRY,     MR_EREFUSED, false},
    {"MISCONF Errors writing to the AOF",        MR_REDIS_RETRY,     MR_EREFUSED, false},
    {"ERR max number of clients reached",        MR_REDIS_RETRY,     MR_EREFUSED, false},
    {"READONLY You can't write",                 MR_REDIS_RERESOLVE, MR_EREFUSED, false},
    {"MASTERDOWN Link with MASTER is down",      MR_REDIS_RERESOLVE, MR_EREFUSED, false},
    {"MOVED 3999 127.0.0.1:6381",                MR_REDIS_RERESOLVE, MR_EREFUSED, false},
    {"ASK 3999 127.0.0.1:6381",                  MR_REDIS_RERESOLVE, MR_EREFUSED, false},
    {"UNBLOCKED force unblock",                  MR_REDIS_RERESOLVE, MR_EREFUSED, false},
    {"NOAUTH Authentication required.",          MR_REDIS_STOP,      MR_EFAULT,   false},
    {"WRONGPASS invalid username-password",      MR_REDIS_STOP,      MR_EFAULT,   false},
    {"NOPERM User worker has no permissions",    MR_REDIS_STOP,      MR_EFAULT,   false},
    {"CROSSSLOT Keys in request",                MR_REDIS_STOP,      MR_EFAULT,   false},
    {"DENIED Redis is running in protected",     MR_REDIS_STOP,      MR_EFAULT,   false},
    {"ERR unknown command 'LMOVE', with",        MR_REDIS_STOP,      MR_EFAULT,   false},
    {"MISTYPE queues:default holds a string",    MR_REDIS_STOP,      MR_EFAULT,   false},
    /* From inside a script nobody knows how far it got, whatever the first word says. */
    {"WRONGTYPE Operation script: 0f3a, on @u",  MR_REDIS_UNKNOWN,   MR_EUNKNOWN, false},
    {"OOM command not script: 0f3a, on @u",      MR_REDIS_UNKNOWN,   MR_EUNKNOWN, false},
    {"READONLY You can't script: 0f3a, on @u",   MR_REDIS_RERESOLVE, MR_EUNKNOWN, false},
    /* A word that merely begins like a known one is not that word. */
    {"BUSYKEY Target key name already exists.",  MR_REDIS_UNKNOWN,   MR_EUNKNOWN, false},
    {"ASKING what",                              MR_REDIS_UNKNOWN,   MR_EUNKNOWN, false},
    {"ERR something new",                        MR_REDIS_UNKNOWN,   MR_EUNKNOWN, false},
    {"",                                         MR_REDIS_UNKNOWN,   MR_EUNKNOWN, false},
};
/* clang-format on */

START_TEST(each_error_has_its_action)
{
    redisReply reply = {.type = REDIS_REPLY_ERROR, .str = (char *)table[_i].text};
    struct mr_redis_verdict verdict = mr_replies_classify(&reply);

    ck_assert_msg(verdict.action == table[_i].action, "%s: action %d", reply.str,
                  (int)verdict.action);
    ck_assert_msg(verdict.code == table[_i].code, "%s: %s", reply.str,
                  mr_code_name(verdict.code));
    ck_assert_msg(verdict.oom == table[_i].oom, "%s: oom", reply.str);
}
END_TEST

START_TEST(no_reply_is_unknown_and_no_error_is_ok)
{
    redisReply status = {.type = REDIS_REPLY_STATUS, .str = (char *)"LOADING is only a status"};

    ck_assert_int_eq(mr_replies_classify(NULL).action, MR_REDIS_UNKNOWN);
    ck_assert_int_eq(mr_replies_classify(NULL).code, MR_EUNKNOWN);
    ck_assert_int_eq(mr_replies_classify(&status).action, MR_REDIS_OK);
    ck_assert_int_eq(mr_replies_classify(&status).code, MR_OK);
}
END_TEST

/* What the table believes about this very server. */
static enum mr_redis_action really(struct mr_redis *redis, const char *command)
{
    redisReply *reply = mr_redis_ask(redis, command);
    enum mr_redis_action action = mr_replies_classify(reply).action;

    freeReplyObject(reply);
    return action;
}

START_TEST(a_real_server_speaks_as_the_table_says)
{
    struct mr_redis redis;

    mr_redis_start(&redis, NULL);
    mr_redis_int(&redis, "RPUSH list a b");
    ck_assert_int_eq(really(&redis, "LSET none 0 x"), MR_REDIS_FENCE);
    ck_assert_int_eq(really(&redis, "LSET list 9 x"), MR_REDIS_FENCE);
    ck_assert_int_eq(really(&redis, "ZADD list 1 x"), MR_REDIS_FENCE);
    ck_assert_int_eq(really(&redis, "EVALSHA ffffffffffffffffffffffffffffffffffffffff 0"),
                     MR_REDIS_LOAD);
    ck_assert_int_eq(really(&redis, "FLY away"), MR_REDIS_STOP);
    ck_assert_int_eq(really(&redis, "CLIENT FLY"), MR_REDIS_STOP);
    ck_assert_int_eq(really(&redis, "LSET list"), MR_REDIS_STOP);
    mr_redis_stop(&redis);
}
END_TEST

START_TEST(errors_from_inside_a_real_script_are_unknown)
{
    struct mr_redis redis;

    mr_redis_start(&redis, NULL);
    mr_redis_int(&redis, "RPUSH list a b");
    redisReply *reply =
        mr_redis_ask(&redis, "EVAL %s 0", "return redis.call('ZADD','list',1,'x')");
    ck_assert_ptr_nonnull(strstr(reply->str, "WRONGTYPE"));
    ck_assert_int_eq(mr_replies_classify(reply).action, MR_REDIS_UNKNOWN);
    freeReplyObject(reply);
    mr_redis_stop(&redis);
}
END_TEST

START_TEST(a_full_and_a_replica_server_speak_as_the_table_says)
{
    struct mr_redis redis;

    mr_redis_start(&redis, NULL);
    freeReplyObject(mr_redis_ask(&redis, "CONFIG SET maxmemory 1"));
    redisReply *reply = mr_redis_ask(&redis, "SET a b");
    ck_assert(mr_replies_classify(reply).oom);
    freeReplyObject(reply);
    reply = mr_redis_ask(&redis, "EVAL %s 1 a", "#!lua\nreturn redis.call('SET',KEYS[1],1)");
    ck_assert(mr_replies_classify(reply).oom);
    freeReplyObject(reply);
    freeReplyObject(mr_redis_ask(&redis, "REPLICAOF 127.0.0.1 1"));
    ck_assert_int_eq(really(&redis, "SET a b"), MR_REDIS_RERESOLVE);
    mr_redis_stop(&redis);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {each_error_has_its_action,                           MR_COUNT(table)},
        {no_reply_is_unknown_and_no_error_is_ok,              0              },
        {a_real_server_speaks_as_the_table_says,              0              },
        {errors_from_inside_a_real_script_are_unknown,        0              },
        {a_full_and_a_replica_server_speak_as_the_table_says, 0              },
    };

    return mr_suite_run("replies", tests);
}
