/* A link on a loop of its own with a Redis of its own, and what the link said. */
#ifndef MR_TESTS_LINK_SCENE_H
#define MR_TESTS_LINK_SCENE_H

#include "proto/base/clock.h"
#include "proto/link.h"
#include "tests/support/redis.h"

#include <check.h>
#include <uv.h>

enum { MR_SCENE_NOTES = 16384, MR_SCENE_DEADLINE_MS = 20000 };

/* What a callback does to the link it stands in. */
enum mr_scene_do { MR_DO_NOTHING, MR_DO_DROP, MR_DO_STOP, MR_DO_SEND };

struct mr_scene {
    struct mr_redis redis;
    uv_loop_t loop;
    uv_timer_t tick; /* so that a wait looks at its condition now and then */
    struct mr_link *link;
    struct mr_link_options options;
    unsigned ups, downs, answered, unknown, stopped;
    unsigned sent;
    unsigned owed_at_down; /* answers still missing when on_down came: there must be none */
    struct mr_err why;     /* of the last on_down */
    long long integers[MR_SCENE_NOTES]; /* as they came */
    char text[256];                     /* of the last reply, cut */
    size_t text_len;
    enum mr_scene_do in_reply, in_down, in_up;
};

/* Turns the loop until the condition holds; fails the test when it never does. */
#define mr_scene_until(scene, condition)                                                       \
    do {                                                                                       \
        uint64_t end_ms = mr_clock_ms() + MR_SCENE_DEADLINE_MS;                                \
        while (!(condition)) {                                                                 \
            ck_assert_msg(mr_clock_ms() < end_ms, "never happened: %s", #condition);           \
            uv_run(&(scene)->loop, UV_RUN_ONCE);                                               \
        }                                                                                      \
    } while (0)

void mr_scene_set(struct mr_scene *scene); /* without a Redis */
void mr_scene_set_with_redis(struct mr_scene *scene, const char *const *extra);
enum mr_code mr_scene_make(struct mr_scene *scene, struct mr_err *err); /* mr_link_new */
void mr_scene_start(struct mr_scene *scene);
void mr_scene_bring_up(struct mr_scene *scene); /* and wait for on_up */
/* Stops the link, if the test has not, and everything else; fails when the loop still holds something. */
void mr_scene_strike(struct mr_scene *scene);

/* A command of up to four words; its reply is counted and noted. */
void mr_scene_say(struct mr_scene *scene, const char *a, const char *b, const char *c,
                  const char *d);
void mr_scene_on_reply(void *scene, const redisReply *reply);

#endif
