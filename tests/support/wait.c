#include "tests/support/wait.h"

#include "proto/base/clock.h"

#include <unistd.h>

uint64_t mr_wait_now_ms(void)
{
    return mr_clock_ms();
}

void mr_wait_a_moment(void)
{
    usleep(2000);
}

bool mr_wait_until(bool (*ask)(void *arg), void *arg, uint64_t deadline_ms)
{
    uint64_t end_ms = mr_clock_ms() + deadline_ms;

    while (!ask(arg)) {
        if (mr_clock_ms() >= end_ms)
            return false;
        mr_wait_a_moment();
    }
    return true;
}
