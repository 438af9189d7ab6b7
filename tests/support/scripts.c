#include "tests/support/scripts.h"

#include "proto/base/str.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_WORDS = 64 };

void mr_scripts_load(struct mr_redis *redis)
{
    for (enum mr_script script = 0; script < MR_SCRIPTS; script++) {
        const struct mr_script_row *row = mr_script_row(script);
        redisReply *reply = mr_redis_ask(redis, "SCRIPT LOAD %s", row->source);

        ck_assert_msg(reply->type == REDIS_REPLY_STRING, "%s: %s", row->name, reply->str);
        ck_assert_str_eq(reply->str, row->sha1);
        freeReplyObject(reply);
    }
}

static redisReply *run(struct mr_redis *redis, enum mr_script script, unsigned n_keys,
                       va_list words)
{
    char count[16];
    const char *argv[MAX_WORDS] = {"EVALSHA", mr_script_row(script)->sha1, count};
    unsigned argc = 3;

    snprintf(count, sizeof(count), "%u", n_keys);
    while ((argv[argc] = va_arg(words, const char *)))
        ck_assert_uint_lt(++argc, MAX_WORDS);
    ck_assert(mr_script_takes(script, n_keys, argc - 3 - n_keys));
    redisReply *reply = redisCommandArgv(redis->sync, (int)argc, argv, NULL);
    ck_assert_ptr_nonnull(reply);
    return reply;
}

redisReply *mr_script_run(struct mr_redis *redis, enum mr_script script, unsigned n_keys, ...)
{
    va_list words;

    va_start(words, n_keys);
    redisReply *reply = run(redis, script, n_keys, words);
    va_end(words);
    return reply;
}

long long mr_script_run_int(struct mr_redis *redis, enum mr_script script, unsigned n_keys, ...)
{
    va_list words;

    va_start(words, n_keys);
    redisReply *reply = run(redis, script, n_keys, words);
    va_end(words);
    const redisReply *first = reply->type == REDIS_REPLY_ARRAY ? reply->element[0] : reply;
    ck_assert_msg(first->type == REDIS_REPLY_INTEGER, "%s: %s", mr_script_row(script)->name,
                  first->str ? first->str : "not an integer");
    long long number = first->integer;
    freeReplyObject(reply);
    return number;
}

static void word(struct mr_buf *out, const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_NIL)
        mr_buf_text(out, "(nil)");
    else if (reply->type == REDIS_REPLY_INTEGER)
        mr_buf_printf(out, "%lld", reply->integer);
    else
        mr_buf_add(out, reply->str, reply->len);
}

const char *mr_joined(const redisReply *reply)
{
    static char text[4096];
    struct mr_buf out = {0};

    if (reply->type != REDIS_REPLY_ARRAY)
        word(&out, reply);
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++) {
        if (i > 0)
            mr_buf_char(&out, ' ');
        word(&out, reply->element[i]);
    }
    snprintf(text, sizeof(text), "%s", out.at ? out.at : "");
    mr_buf_fini(&out);
    return text;
}

const char *mr_list_of(struct mr_redis *redis, const char *key)
{
    redisReply *reply = mr_redis_ask(redis, "LRANGE %s 0 -1", key);
    const char *text = mr_joined(reply);

    freeReplyObject(reply);
    return text;
}
