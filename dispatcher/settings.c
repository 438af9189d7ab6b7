#include "dispatcher/settings.h"

#include "dispatcher/dispatcher.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"

#include <stdio.h>
#include <string.h>

/* The value behind key in CONFIG GET's flat array; NULL when it is not there. */
static const char *find(const redisReply *reply, const char *key)
{
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        const redisReply *name = reply->element[i], *value = reply->element[i + 1];

        if (name->type == REDIS_REPLY_STRING && value->type == REDIS_REPLY_STRING &&
            strcmp(name->str, key) == 0)
            return value->str;
    }
    return NULL;
}

static void on_config(void *arg, enum mr_code code, const redisReply *reply)
{
    struct mr_dispatcher *dispatcher = arg;
    bool told = code == MR_OK && reply && reply->type == REDIS_REPLY_ARRAY;
    const char *policy = told ? find(reply, "maxmemory-policy") : NULL;
    char line[sizeof(dispatcher->promise)];

    if (!told && !dispatcher->redis_up)
        return; /* it went away instead of answering; the next ready asks again */
    dispatcher->durability =
        told ? mr_promise_judge(find(reply, "appendonly"), find(reply, "appendfsync"),
                                find(reply, "save"))
             : MR_DURABILITY_UNKNOWN;
    snprintf(dispatcher->maxmemory_policy, sizeof(dispatcher->maxmemory_policy), "%s",
             policy ? policy : "");
    mr_promise_say(dispatcher->durability, policy, line, sizeof(line));
    if (strcmp(line, dispatcher->promise) == 0)
        return;
    memcpy(dispatcher->promise, line, sizeof(line));
    mr_log(mr_promise_may_evict(policy) ? MR_LOG_WARN : MR_LOG_INFO, "dispatcher.promise",
           "text=%s redis_version=%s", line, dispatcher->redis_version);
}

static void on_info(void *arg, enum mr_code code, const redisReply *reply)
{
    static const char *const fields[] = {"\nvalkey_version:", "\nredis_version:"};
    struct mr_dispatcher *dispatcher = arg;

    if (code != MR_OK || !reply || reply->type != REDIS_REPLY_STRING)
        return;
    for (size_t f = 0; f < MR_COUNT(fields); f++) {
        const char *at = strstr(reply->str, fields[f]);

        if (!at)
            continue;
        at += strlen(fields[f]);
        snprintf(dispatcher->redis_version, sizeof(dispatcher->redis_version), "%.*s",
                 (int)strcspn(at, "\r\n"), at);
        return;
    }
}

void mr_settings_ask(struct mr_dispatcher *dispatcher)
{
    static const char *const info[] = {"INFO", "server"};
    static const char *const config[] = {"CONFIG",      "GET",  "appendonly",
                                         "appendfsync", "save", "maxmemory-policy"};

    mr_store_command(dispatcher->store, on_info, dispatcher, MR_COUNT(info), info, NULL);
    mr_store_command(dispatcher->store, on_config, dispatcher, MR_COUNT(config), config, NULL);
}
