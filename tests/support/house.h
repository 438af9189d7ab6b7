/* A store on a loop of the test's own, against a real Redis; the test turns the loop until what it waits for is true. */
#ifndef MR_TESTS_HOUSE_H
#define MR_TESTS_HOUSE_H

#include "proto/base/clock.h"
#include "proto/store.h"
#include "tests/support/redis.h"

#include <stdint.h>
#include <uv.h>

#define MR_HOUSE_WAIT_MS 15000

struct mr_house {
    struct mr_redis redis;
    uv_loop_t loop;
    struct mr_store *store;
    unsigned readies; /* connections that became ready */
    void (*on_ready)(void *arg);
    void *arg; /* of on_ready; set by the test, may stay NULL */
    unsigned stopped;
};

/* Starts Redis (extra as mr_redis_start), connects, returns when the store is ready. */
void mr_house_open(struct mr_house *house, const char *const *extra);
/* Stops the store, asserts that no handle is left open on the loop, stops Redis. */
void mr_house_close(struct mr_house *house);
/* Counts into house->stopped: for the on_stopped of parts (arg is the house). */
void mr_house_on_stopped(void *house);
/* One turn of the loop, at most 5 ms; fails the test, naming what it waited for, when end_at_ms has passed. */
void mr_house_turn(struct mr_house *house, uint64_t end_at_ms, const char *what);

#define mr_house_until(house, condition)                                                       \
    for (uint64_t end_at_ms_ = mr_clock_ms() + MR_HOUSE_WAIT_MS; !(condition);)                \
    mr_house_turn(house, end_at_ms_, #condition)

/* Turns the loop for so long: only to show that something does not happen. */
void mr_house_let_pass(struct mr_house *house, uint64_t ms);

#endif
