/* A worker that is dead already, its page, its registration, what it had leased; and a reaper to find it. */
#ifndef MR_TESTS_GRAVE_H
#define MR_TESTS_GRAVE_H

#include "dispatcher/reaper.h"
#include "tests/support/house.h"

#include <jansson.h>
#include <signal.h>

#define MR_GRAVE_NAMES 12
#define MR_GRAVE_PLACES 10

/* Of its only queue. */
#define Q "queues:mail"
/* The payload of a job that does nothing, by number. */
#define NOISE "{\"uuid\":\"u%d\",\"job\":\"debug.noop\"}"
/* The payload of a job that takes its worker down; %s: more members. */
#define POISON "{\"uuid\":\"poison\",\"job\":\"debug.crash\"%s}"
/* What waitpid says of it. */
enum { EXIT_CRASH = SIGSEGV, EXIT_KILLED = SIGKILL };

struct mr_grave {
    struct mr_house house;
    struct mr_config config;
    struct mr_queues queues;
    struct mr_reaper *reaper;
    struct mr_child child; /* killed from outside, unless the test says otherwise */
    unsigned done;         /* reaps of the child that have ended */
};

extern const char *const mr_grave_durable[]; /* arguments of its Redis: no write is forgotten */

void mr_grave_open(struct mr_grave *grave);
void mr_grave_close(struct mr_grave *grave);
/* One more dead worker in place of the last, whose page the caller has unmapped. */
void mr_grave_dig(struct mr_grave *grave);
/* The reaper comes and goes. */
void mr_grave_hire(struct mr_grave *grave);
void mr_grave_dismiss(struct mr_grave *grave);
/* Reaps the child; returns when it is done. on_done is what the reaper is told, with the grave as arg. */
void mr_grave_reap(struct mr_grave *grave);
void mr_grave_on_done(void *grave, struct mr_child *child);
long long mr_grave_ask(struct mr_grave *grave, const char *command);
/* Puts n noisy jobs into lease k, numbered from `from`, as running places of the page from `place` on. */
void mr_grave_lease(struct mr_grave *grave, unsigned k, int from, int n, unsigned place);

/* ready holds the noisy jobs with these numbers, byte for byte, in this order. */
void mr_grave_assert_ready(struct mr_grave *grave, size_t n, const int *numbers);
void mr_grave_assert_text(redisReply *reply, const char *want); /* frees reply */
void mr_grave_assert_no_lease(struct mr_grave *grave);
/* What a member of the first delayed job says. */
json_int_t mr_grave_delayed_number(struct mr_grave *grave, const char *member);
/* A member of the only dead letter's record, as a new reference. */
json_t *mr_grave_dead_member(struct mr_grave *grave, const char *member);
void mr_grave_assert_dead(struct mr_grave *grave, const char *class, const char *reason);

#endif
