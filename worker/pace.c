#include "worker/pace.h"

/* An exponential average over about eight values, quick to follow and cheap to keep. */
static uint32_t average(uint32_t mean, uint64_t value)
{
    if (value > UINT32_MAX / 2)
        value = UINT32_MAX / 2;
    if (mean == 0)
        return value ? (uint32_t)value : 1;
    int64_t next = (int64_t)mean + ((int64_t)value - (int64_t)mean) / 8;
    return next > 0 ? (uint32_t)next : 1;
}

void mr_pace_ran(struct mr_pace *pace, uint64_t run_ns)
{
    pace->mean_ns = average(pace->mean_ns, run_ns);
}

void mr_pace_sized(struct mr_pace *pace, uint64_t bytes)
{
    pace->mean_bytes = average(pace->mean_bytes, bytes);
}

static unsigned bounded(uint64_t n, unsigned most)
{
    if (n < 1)
        return 1;
    return n > most ? most : (unsigned)n;
}

unsigned mr_pace_batch_max(const struct mr_pace *pace)
{
    return pace->mean_bytes ? bounded(MR_PACE_BYTES / pace->mean_bytes, MR_PACE_BATCH)
                            : MR_PACE_FIRST;
}

unsigned mr_pace_ahead(const struct mr_pace *pace, unsigned concurrency)
{
    if (pace->mean_ns == 0 || pace->mean_ns >= MR_PACE_AHEAD_US * 1000u)
        return 0;
    unsigned at_once = pace->on_loop ? 1 : concurrency;
    return bounded((uint64_t)MR_PACE_AHEAD_US * 1000u * at_once / pace->mean_ns,
                   MR_PACE_BATCHES * mr_pace_batch_max(pace));
}

unsigned mr_pace_read_step(const struct mr_pace *pace)
{
    return mr_pace_batch_max(pace);
}
