/* Any words as a command, which hiredis reads back word for word; any text as an error of Redis. */
#include "proto/replies.h"
#include "proto/resp.h"
#include "tests/fuzz/must.h"

#include <string.h>

enum { WORDS_MAX = 64 };

/* The bytes, parted at each newline. */
static size_t part(const char *bytes, size_t len, struct mr_bytes words[WORDS_MAX])
{
    size_t n = 0;

    for (const char *at = bytes, *end = bytes + len; n < WORDS_MAX; n++) {
        const char *line = memchr(at, '\n', (size_t)(end - at));

        words[n] = (struct mr_bytes){at, (size_t)((line ? line : end) - at)};
        if (!line)
            return n + 1;
        at = line + 1;
    }
    return n;
}

/* In two reads, which meet anywhere. */
static redisReply *read_back(struct mr_buf *command, size_t cut)
{
    redisReader *reader = redisReaderCreate();
    void *reply = NULL;

    must(redisReaderFeed(reader, command->at, cut) == REDIS_OK);
    must(redisReaderGetReply(reader, &reply) == REDIS_OK && (!reply || cut == command->len));
    if (!reply) {
        must(redisReaderFeed(reader, command->at + cut, command->len - cut) == REDIS_OK);
        must(redisReaderGetReply(reader, &reply) == REDIS_OK && reply);
    }
    redisReaderFree(reader);
    return reply;
}

static void check_command(const struct mr_bytes *words, size_t n, size_t cut)
{
    struct mr_buf command = {0};

    mr_resp_begin(&command, n + 1);
    for (size_t i = 0; i < n; i++)
        mr_resp_word(&command, words[i].at, words[i].len);
    mr_resp_number(&command, (int64_t)(cut * UINT64_C(0x9e3779b97f4a7c15)));
    redisReply *reply = read_back(&command, cut % (command.len + 1));
    must(reply->type == REDIS_REPLY_ARRAY && reply->elements == n + 1);
    for (size_t i = 0; i < n; i++)
        must(mr_bytes_equal(words[i],
                            (struct mr_bytes){reply->element[i]->str, reply->element[i]->len}));
    must(strtoll(reply->element[n]->str, NULL, 10) ==
         (int64_t)(cut * UINT64_C(0x9e3779b97f4a7c15)));
    freeReplyObject(reply);
    mr_buf_fini(&command);
}

/* Only what surely did nothing may be sent again; inside of a script nobody knows. */
static void check_error(struct mr_bytes text)
{
    struct mr_buf copy = {0};

    mr_buf_add(&copy, text.at, text.len);
    redisReply reply = {
        .type = REDIS_REPLY_ERROR, .str = copy.at ? copy.at : (char[]){""}, .len = text.len};
    struct mr_redis_verdict verdict = mr_replies_classify(&reply);
    bool script = strstr(reply.str, " script: ") != NULL;

    must(verdict.action != MR_REDIS_OK && verdict.code != MR_OK);
    must((verdict.code == MR_EFENCED) == (verdict.action == MR_REDIS_FENCE));
    must(!script || verdict.code == MR_EUNKNOWN);
    must(!script || verdict.action == MR_REDIS_UNKNOWN || verdict.action == MR_REDIS_RERESOLVE);
    must(!verdict.oom || verdict.action == MR_REDIS_RETRY);
    reply.type = REDIS_REPLY_STRING;
    must(mr_replies_classify(&reply).action == MR_REDIS_OK);
    mr_buf_fini(&copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct mr_bytes words[WORDS_MAX];

    if (len < 1)
        return 0;
    size_t n = part((const char *)bytes + 1, len - 1, words);
    check_command(words, n, bytes[0]);
    for (size_t i = 0; i < n; i++)
        check_error(words[i]);
    return 0;
}
