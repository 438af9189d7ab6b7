/* A store on a Redis of a test's own, the loop it turns on, and what its last answer said. */
#ifndef MR_TESTS_STORE_H
#define MR_TESTS_STORE_H

#include "proto/store.h"
#include "tests/support/redis.h"

#include <stdbool.h>

/* An answer as text: "1", "a b c", "(nil)", "ERR ...". */
struct mr_answer {
    bool came, lost; /* lost: without a reply */
    enum mr_code code;
    char text[8192];
};

/* Each test is a process of its own, so that one is enough. */
struct mr_bed {
    struct mr_redis redis;
    uv_loop_t loop;
    uv_timer_t deadline;
    struct mr_store *store;
    struct mr_queue_keys mail, low;
    unsigned ready, downs; /* how often, of all stores */
    char why[1024];        /* of the last loss */
    struct mr_answer answer;
};
extern struct mr_bed bed;

void mr_bed_open(void);       /* and waits until the store is ready */
void mr_bed_open_redis(void); /* all but the store */
void mr_bed_close(void);      /* fails the test when a handle is left open */

struct mr_store *mr_bed_store(void); /* one more, started */
void mr_bed_stop(struct mr_store *store);

/* Turns the loop; fails the test after ten seconds. */
void mr_until(const bool *event);
void mr_until_count(const unsigned *count, unsigned n);

void mr_note(struct mr_answer *answer, enum mr_code code, const redisReply *reply);
/* An mr_answer_fn; arg is a struct mr_answer. */
void mr_on_answer(void *arg, enum mr_code code, const redisReply *reply);
/* The last arguments of every step. */
#define TELL mr_on_answer, &bed.answer

/* sent is what a step with TELL returned. They wait for its answer: MR_OK with this text, or this code. */
void mr_assert_ok(enum mr_code sent, const char *text);
void mr_assert_code(enum mr_code sent, enum mr_code code);
const char *mr_answered(enum mr_code sent);

void mr_bed_do(const char *command); /* on the test's own connection; must succeed */

#endif
