#include "tests/support/store.h"

#include "tests/support/scripts.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

enum { WAIT_MS = 10000 };

struct mr_bed bed;

static void on_deadline(uv_timer_t *timer)
{
    (void)timer;
    ck_abort_msg("nothing happened for %d ms", WAIT_MS);
}

void mr_until(const bool *event)
{
    uv_timer_start(&bed.deadline, on_deadline, WAIT_MS, 0);
    while (!*event)
        uv_run(&bed.loop, UV_RUN_ONCE);
    uv_timer_stop(&bed.deadline);
}

void mr_until_count(const unsigned *count, unsigned n)
{
    uv_timer_start(&bed.deadline, on_deadline, WAIT_MS, 0);
    while (*count < n)
        uv_run(&bed.loop, UV_RUN_ONCE);
    uv_timer_stop(&bed.deadline);
}

static void on_ready(void *arg)
{
    (void)arg;
    bed.ready++;
}

static void on_lost(void *arg, const struct mr_err *why)
{
    (void)arg;
    bed.downs++;
    snprintf(bed.why, sizeof(bed.why), "%s", why->text);
}

static void on_stopped(void *arg)
{
    *(bool *)arg = true;
}

struct mr_store *mr_bed_store(void)
{
    const struct mr_store_options options = {
        .link = {.url = bed.redis.url,
                 .connect_timeout_ms = 5000,
                 .reply_timeout_ms = 20000,
                 .want_client_id = true},
    };
    const struct mr_store_events events = {on_ready, on_lost, NULL};
    struct mr_store *store;
    struct mr_err err = {0};

    ck_assert_msg(mr_store_new(&bed.loop, &options, &events, &store, &err) == MR_OK, "%s",
                  err.text);
    mr_store_start(store);
    return store;
}

void mr_bed_open_redis(void)
{
    mr_redis_start(&bed.redis, NULL);
    uv_loop_init(&bed.loop);
    uv_timer_init(&bed.loop, &bed.deadline);
    mr_queue_keys_init(&bed.mail, "", "mail");
    mr_queue_keys_init(&bed.low, "", "low");
}

void mr_bed_open(void)
{
    mr_bed_open_redis();
    bed.store = mr_bed_store();
    mr_until_count(&bed.ready, 1);
}

void mr_bed_stop(struct mr_store *store)
{
    bool stopped = false;

    mr_store_stop(store, on_stopped, &stopped);
    mr_until(&stopped);
}

void mr_bed_close(void)
{
    mr_bed_stop(bed.store);
    uv_close((uv_handle_t *)&bed.deadline, NULL);
    uv_run(&bed.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&bed.loop), 0);
    mr_queue_keys_fini(&bed.mail);
    mr_queue_keys_fini(&bed.low);
    mr_redis_stop(&bed.redis);
}

void mr_note(struct mr_answer *answer, enum mr_code code, const redisReply *reply)
{
    answer->came = true;
    answer->lost = !reply;
    answer->code = code;
    snprintf(answer->text, sizeof(answer->text), "%s", reply ? mr_joined(reply) : "");
}

void mr_on_answer(void *arg, enum mr_code code, const redisReply *reply)
{
    mr_note(arg, code, reply);
}

const char *mr_answered(enum mr_code code)
{
    ck_assert_int_eq(code, MR_OK);
    bed.answer.came = false;
    mr_until(&bed.answer.came);
    return bed.answer.text;
}

void mr_assert_ok(enum mr_code sent, const char *text)
{
    mr_answered(sent);
    ck_assert_str_eq(mr_code_name(bed.answer.code), mr_code_name(MR_OK));
    ck_assert_str_eq(bed.answer.text, text);
}

void mr_assert_code(enum mr_code sent, enum mr_code code)
{
    mr_answered(sent);
    ck_assert_msg(bed.answer.code == code, "%s: %s", mr_code_name(bed.answer.code),
                  bed.answer.text);
}

void mr_bed_do(const char *command)
{
    redisReply *reply = mr_redis_ask(&bed.redis, command);

    ck_assert_msg(reply->type != REDIS_REPLY_ERROR, "%s", reply->str);
    freeReplyObject(reply);
}
