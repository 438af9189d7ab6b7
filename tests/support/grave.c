#include "tests/support/grave.h"

#include <check.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

void mr_grave_on_done(void *arg, struct mr_child *child)
{
    struct mr_grave *grave = arg;

    ck_assert_ptr_eq(child, &grave->child);
    grave->done++;
}

void mr_grave_hire(struct mr_grave *grave)
{
    ck_assert_int_eq(mr_reaper_new(&grave->house.loop, grave->house.store, &grave->queues,
                                   &grave->config, &grave->reaper),
                     MR_OK);
}

void mr_grave_dismiss(struct mr_grave *grave)
{
    unsigned stopped = grave->house.stopped;

    mr_reaper_stop(grave->reaper, mr_house_on_stopped, &grave->house);
    mr_house_until(&grave->house, grave->house.stopped > stopped);
}

static void resume(void *arg)
{
    struct mr_grave *grave = arg;

    mr_reaper_resume(grave->reaper);
}

static char *queues[] = {(char[]){"mail"}};

void mr_grave_dig(struct mr_grave *grave)
{
    const struct mr_page_shape shape = {
        .n_queues = 1, .n_names = MR_GRAVE_NAMES, .n_places = MR_GRAVE_PLACES, .n_threads = 1};

    grave->child = (struct mr_child){.pool = queues[0],
                                     .queues = queues,
                                     .n_queues = 1,
                                     .registered = true,
                                     .dead = true,
                                     .status = EXIT_KILLED};
    mr_list_init(&grave->child.node);
    mr_worker_make(grave->child.worker, MR_GRAVE_NAMES);
    ck_assert_int_eq(mr_page_create_private(&shape, grave->child.worker, "mail",
                                            (const char *const *)queues, &grave->child.page,
                                            NULL),
                     MR_OK);
    atomic_store(&grave->child.page.header->state, MR_WORKER_SERVING);
    memcpy(grave->child.page.header->redis_run, mr_store_run(grave->house.store), MR_PAGE_RUN);
    mr_redis_int(&grave->house.redis, "ZADD " Q ":workers 1 %s", grave->child.worker);
}

const char *const mr_grave_durable[] = {"--appendonly", "yes", "--appendfsync", "always", NULL};

void mr_grave_open(struct mr_grave *grave)
{
    memset(grave, 0, sizeof(*grave));
    mr_house_open(&grave->house, mr_grave_durable);
    grave->house.on_ready = resume;
    grave->house.arg = grave;
    grave->config.lease_ms = 10000;
    grave->config.limits = (struct mr_limits){.payload_bytes = 1 << 20, .depth = 64};
    grave->config.dead.max = 1000;
    mr_queues_init(&grave->queues, "");
    mr_queues_add(&grave->queues, "mail", true);
    mr_grave_hire(grave);
    mr_grave_dig(grave);
}

void mr_grave_close(struct mr_grave *grave)
{
    mr_grave_dismiss(grave);
    mr_page_unmap(&grave->child.page);
    mr_queues_fini(&grave->queues);
    mr_house_close(&grave->house);
}

void mr_grave_reap(struct mr_grave *grave)
{
    unsigned done = grave->done;

    mr_reaper_child(grave->reaper, &grave->child, mr_grave_on_done, grave);
    mr_house_until(&grave->house, grave->done > done);
}

long long mr_grave_ask(struct mr_grave *grave, const char *command)
{
    return mr_redis_int(&grave->house.redis, command);
}

void mr_grave_lease(struct mr_grave *grave, unsigned k, int from, int n, unsigned place)
{
    for (int i = 0; i < n; i++) {
        char payload[128];

        snprintf(payload, sizeof(payload), NOISE, from + i);
        mr_redis_int(&grave->house.redis, "RPUSH " Q ":lease:%s:%u %s", grave->child.worker, k,
                     payload);
        grave->child.page.places[place + (unsigned)i].k = k;
        grave->child.page.places[place + (unsigned)i].index = (uint32_t)i;
        atomic_store(&grave->child.page.places[place + (unsigned)i].state, MR_PLACE_RUNNING);
    }
    atomic_store(&mr_page_lease_of(&grave->child.page, 0, k)->n, (uint32_t)n);
}

void mr_grave_assert_text(redisReply *reply, const char *want)
{
    ck_assert_int_eq(reply->type, REDIS_REPLY_STRING);
    ck_assert_str_eq(reply->str, want);
    freeReplyObject(reply);
}

void mr_grave_assert_ready(struct mr_grave *grave, size_t n, const int *numbers)
{
    ck_assert_int_eq(mr_grave_ask(grave, "LLEN " Q), (long long)n);
    for (size_t i = 0; i < n; i++) {
        char want[128];

        snprintf(want, sizeof(want), NOISE, numbers[i]);
        mr_grave_assert_text(mr_redis_ask(&grave->house.redis, "LINDEX " Q " %d", (int)i),
                             want);
    }
}

void mr_grave_assert_no_lease(struct mr_grave *grave)
{
    ck_assert_int_eq(mr_redis_int(&grave->house.redis, "EVAL %s 0",
                                  "local n = 0 for _, key in ipairs(redis.call('KEYS', "
                                  "'*:lease:*')) do if redis.call('TYPE', key).ok == 'list' "
                                  "then n = n + 1 end end return n"),
                     0);
}

json_int_t mr_grave_delayed_number(struct mr_grave *grave, const char *member)
{
    redisReply *reply = mr_redis_ask(&grave->house.redis, "ZRANGE " Q ":delayed 0 0");
    ck_assert_uint_eq(reply->elements, 1);
    json_t *job = json_loadb(reply->element[0]->str, (size_t)reply->element[0]->len, 0, NULL);
    json_int_t number = json_integer_value(json_object_get(job, member));

    json_decref(job);
    freeReplyObject(reply);
    return number;
}

json_t *mr_grave_dead_member(struct mr_grave *grave, const char *member)
{
    redisReply *ids = mr_redis_ask(&grave->house.redis, "ZRANGE " Q ":dead 0 -1");
    ck_assert_uint_eq(ids->elements, 1);
    redisReply *meta =
        mr_redis_ask(&grave->house.redis, "HGET " Q ":dead:jobs %s:meta", ids->element[0]->str);
    json_t *record = json_loadb(meta->str, (size_t)meta->len, JSON_ALLOW_NUL, NULL);
    json_t *value = json_incref(json_object_get(record, member));

    json_decref(record);
    freeReplyObject(meta);
    freeReplyObject(ids);
    return value;
}

void mr_grave_assert_dead(struct mr_grave *grave, const char *class, const char *reason)
{
    json_t *its_class = mr_grave_dead_member(grave, "class"),
           *its_reason = mr_grave_dead_member(grave, "reason");

    ck_assert_str_eq(json_string_value(its_class), class);
    ck_assert_msg(strstr(json_string_value(its_reason), reason) != NULL, "%s",
                  json_string_value(its_reason));
    json_decref(its_class);
    json_decref(its_reason);
}
