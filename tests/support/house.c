#include "tests/support/house.h"

#include <check.h>
#include <signal.h>
#include <string.h>

enum { TURN_MS = 5, CONNECT_MS = 2000, REPLY_MS = 3000 };

static void on_ready(void *arg)
{
    struct mr_house *house = arg;

    house->readies++;
    if (house->on_ready)
        house->on_ready(house->arg);
}

static void on_lost(void *arg, const struct mr_err *why)
{
    (void)arg;
    (void)why;
}

static void nothing(uv_timer_t *timer)
{
    (void)timer;
}

void mr_house_turn(struct mr_house *house, uint64_t end_at_ms, const char *what)
{
    uv_timer_t bound;

    ck_assert_msg(mr_clock_ms() < end_at_ms, "waited in vain for: %s", what);
    uv_timer_init(&house->loop, &bound);
    uv_timer_start(&bound, nothing, TURN_MS, 0);
    uv_run(&house->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&bound, NULL);
    uv_run(&house->loop, UV_RUN_NOWAIT);
}

void mr_house_let_pass(struct mr_house *house, uint64_t ms)
{
    uint64_t end_at_ms = mr_clock_ms() + ms;

    while (mr_clock_ms() < end_at_ms)
        mr_house_turn(house, UINT64_MAX, "time");
}

void mr_house_open(struct mr_house *house, const char *const *extra)
{
    struct mr_err err = {0};

    memset(house, 0, sizeof(*house));
    signal(SIGPIPE,
           SIG_IGN); /* as every program of ours does: a write to a dead Redis is an error */
    mr_redis_start(&house->redis, extra);
    ck_assert_int_eq(uv_loop_init(&house->loop), 0);
    const struct mr_store_options options = {
        .link = {.url = house->redis.url,
                 .name = "test",
                 .connect_timeout_ms = CONNECT_MS,
                 .reply_timeout_ms = REPLY_MS},
        .prefix = ""
    };
    const struct mr_store_events events = {
        .on_ready = on_ready, .on_lost = on_lost, .arg = house};
    ck_assert_msg(mr_store_new(&house->loop, &options, &events, &house->store, &err) == MR_OK,
                  "%s", err.text);
    mr_store_start(house->store);
    mr_house_until(house, house->readies > 0);
}

void mr_house_on_stopped(void *house)
{
    ((struct mr_house *)house)->stopped++;
}

void mr_house_close(struct mr_house *house)
{
    unsigned stopped = house->stopped;

    mr_store_stop(house->store, mr_house_on_stopped, house);
    mr_house_until(house, house->stopped > stopped);
    while (uv_run(&house->loop, UV_RUN_NOWAIT) != 0)
        ck_assert_msg(!uv_loop_alive(&house->loop) || uv_backend_timeout(&house->loop) <= 0,
                      "a handle stayed open");
    ck_assert_int_eq(uv_loop_close(&house->loop), 0);
    mr_redis_stop(&house->redis);
}
