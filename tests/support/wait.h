/* Waiting in a test: for the event, with a deadline, never for a while. */
#ifndef MR_TESTS_WAIT_H
#define MR_TESTS_WAIT_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>

/* Asks every 2 ms until it is true or deadline_ms have passed; the last answer. */
bool mr_wait_until(bool (*ask)(void *arg), void *arg, uint64_t deadline_ms);

/* Evaluates the condition until it holds; fails the test with the condition's own text when it does not within ms. */
#define mr_wait_for(condition, ms)                                                             \
    do {                                                                                       \
        bool mr_held = false;                                                                  \
        for (uint64_t mr_end = mr_wait_now_ms() + (ms);                                        \
             !mr_held && mr_wait_now_ms() < mr_end;) {                                         \
            mr_held = (condition);                                                             \
            if (!mr_held)                                                                      \
                mr_wait_a_moment();                                                            \
        }                                                                                      \
        ck_assert_msg(mr_held || (condition), "not within %d ms: %s", (int)(ms), #condition);  \
    } while (0)

uint64_t mr_wait_now_ms(void);
void mr_wait_a_moment(void);

#endif
