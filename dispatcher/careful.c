#include "dispatcher/careful.h"

#include "proto/base/log.h"

#include <stdatomic.h>

bool mr_careful_is_on(const struct mr_careful *careful)
{
    return careful->deaths >= MR_CAREFUL_DEATHS;
}

void mr_careful_look(struct mr_careful *careful, struct mr_child *child)
{
    if (!child->one_by_one || !child->page.header ||
        atomic_load(&child->page.header->finished) == 0)
        return;
    child->one_by_one = false;
    if (mr_careful_is_on(careful))
        mr_log_info("pool.careful_over", "pool=%s worker=%s", child->pool, child->worker);
    careful->deaths = 0;
}

void mr_careful_died(struct mr_careful *careful, struct mr_child *child)
{
    mr_careful_look(careful, child);
    if (!child->unexplained)
        return;
    careful->deaths++;
    if (careful->deaths == MR_CAREFUL_DEATHS)
        mr_log_warn("pool.careful", "pool=%s unexplained_deaths=%u hint=%s", child->pool,
                    careful->deaths,
                    "workers die before a job begins: the next fetch one job at a time");
}
