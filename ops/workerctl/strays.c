#include "ops/workerctl/strays.h"

#include "proto/base/mem.h"
#include "proto/base/str.h"
#include "proto/base/uuid.h"
#include "proto/keys.h"
#include "proto/resp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCAN_COUNT "1000"
#define LEASE ":lease:"

/* The prefix is taken literally: what means something to MATCH is escaped. */
static void pattern(const char *prefix, struct mr_buf *out)
{
    for (; *prefix; prefix++) {
        if (strchr("*?[]\\", *prefix))
            mr_buf_char(out, '\\');
        mr_buf_char(out, *prefix);
    }
    mr_buf_text(out, "queues:*" LEASE "*");
}

/* Takes a lease's key apart: queue and worker are owned by the caller; false when it is none of ours. */
static bool read_key(const char *key, const char *prefix, char **out_queue, char **out_worker)
{
    const char *queue = key + strlen(prefix) + strlen("queues:");
    const char *lease = strstr(queue, LEASE);
    const char *worker = lease ? lease + strlen(LEASE) : NULL;
    const char *end = worker ? strchr(worker, ':') : NULL;

    if (!end)
        return false;
    *out_worker = mr_strndup(worker, (size_t)(end - worker));
    *out_queue = mr_strndup(queue, (size_t)(lease - queue));
    if (mr_worker_names(*out_worker) > 0 && mr_str_is_queue_name(mr_bytes_of(*out_queue)))
        return true;
    free(*out_worker);
    free(*out_queue);
    return false;
}

static void add_score(struct mr_buf *request, const char *zset, const char *worker)
{
    mr_resp_begin(request, 3);
    mr_resp_text(request, "ZSCORE");
    mr_resp_text(request, zset);
    mr_resp_text(request, worker);
}

static bool is_nil(const redisReply *reply)
{
    return reply && reply->type == REDIS_REPLY_NIL;
}

/*
 * A string at a wake name is its closing mark, no lease; a list that is gone by now was settled or given back while
 * we looked.
 */
static enum mr_code is_stray(struct mr_sync_link *link, const char *prefix, const char *key,
                             bool *out, struct mr_err *err)
{
    char *queue = NULL, *worker = NULL;
    struct mr_queue_keys keys;
    struct mr_buf request = {0};
    redisReply *answers[3] = {0};

    *out = false;
    if (!read_key(key, prefix, &queue, &worker))
        return MR_OK;
    mr_queue_keys_init(&keys, prefix, queue);
    add_score(&request, keys.workers, worker);
    add_score(&request, keys.reaped, worker);
    mr_resp_begin(&request, 2);
    mr_resp_text(&request, "TYPE");
    mr_resp_text(&request, key);
    enum mr_code code = mr_sync_link_ask(link, &request, 3, answers, err);
    if (code == MR_OK)
        *out = is_nil(answers[0]) && is_nil(answers[1]) && answers[2]->str &&
               strcmp(answers[2]->str, "list") == 0;
    for (unsigned i = 0; i < 3 && code == MR_OK; i++)
        freeReplyObject(answers[i]);
    mr_buf_fini(&request);
    mr_queue_keys_fini(&keys);
    free(queue);
    free(worker);
    return code;
}

static enum mr_code scan(struct mr_sync_link *link, const char *cursor, const char *match,
                         redisReply **out, struct mr_err *err)
{
    struct mr_buf request = {0};

    mr_resp_begin(&request, 6);
    mr_resp_text(&request, "SCAN");
    mr_resp_text(&request, cursor);
    mr_resp_text(&request, "MATCH");
    mr_resp_text(&request, match);
    mr_resp_text(&request, "COUNT");
    mr_resp_text(&request, SCAN_COUNT);
    enum mr_code code = mr_sync_link_ask(link, &request, 1, out, err);
    mr_buf_fini(&request);
    if (code == MR_OK && ((*out)->type != REDIS_REPLY_ARRAY || (*out)->elements != 2)) {
        code = mr_fail(err, MR_EFAULT, "SCAN: %s", (*out)->str ? (*out)->str : "odd answer");
        freeReplyObject(*out);
    }
    return code;
}

/* Counts the strays of one answer of SCAN; cursor (32 bytes) becomes the next, "0" at the end. */
static enum mr_code look(struct mr_sync_link *link, const char *prefix, char *cursor,
                         const char *match, unsigned long *leases, struct mr_err *err)
{
    redisReply *page = NULL;
    enum mr_code code = scan(link, cursor, match, &page, err);

    if (code != MR_OK)
        return code;
    const redisReply *found = page->element[1];
    snprintf(cursor, 32, "%s", page->element[0]->str);
    for (size_t i = 0; i < found->elements && code == MR_OK; i++) {
        bool stray = false;

        code = is_stray(link, prefix, found->element[i]->str, &stray, err);
        *leases += stray;
    }
    freeReplyObject(page);
    return code;
}

enum mr_code mr_strays_count(struct mr_sync_link *link, const char *prefix,
                             unsigned long *out_leases, struct mr_err *err)
{
    struct mr_buf match = {0};
    char cursor[32] = "0";
    unsigned long leases = 0;
    enum mr_code code;

    pattern(prefix, &match);
    do
        code = look(link, prefix, cursor, match.at, &leases, err);
    while (code == MR_OK && strcmp(cursor, "0") != 0);
    mr_buf_fini(&match);
    if (code == MR_OK)
        *out_leases = leases;
    return code;
}
