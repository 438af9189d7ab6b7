#include "dispatcher/pool.h"

#include "dispatcher/dispatcher.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* ---- counting: a retiring slot is on its way out and belongs to nobody's plan ---- */

static unsigned count_active(const struct mr_pool *pool)
{
    unsigned n = 0;

    for (unsigned s = 0; s < pool->n_slots; s++)
        n += !mr_slot_is_retiring(pool->slots[s]);
    return n;
}

static bool is_old(const struct mr_pool *pool, const struct mr_slot *slot)
{
    return !mr_slot_is_retiring(slot) && mr_slot_child(slot) &&
           mr_slot_generation(slot) != pool->generation;
}

static struct mr_slot *find_old(const struct mr_pool *pool)
{
    for (unsigned s = 0; s < pool->n_slots; s++)
        if (is_old(pool, pool->slots[s]))
            return pool->slots[s];
    return NULL;
}

static bool all_active_serve(const struct mr_pool *pool)
{
    for (unsigned s = 0; s < pool->n_slots; s++)
        if (!mr_slot_is_retiring(pool->slots[s]) &&
            mr_slot_state(pool->slots[s]) != MR_SLOT_SERVING)
            return false;
    return true;
}

static unsigned target(const struct mr_pool *pool)
{
    if (pool->draining || pool->removed)
        return 0;
    /* While workers of an older generation serve, one more is there: the replacement of the next. */
    return pool->wanted + (pool->wanted > 0 && find_old(pool) ? 1 : 0);
}

/* ---- adding and removing ---- */

static unsigned free_number(const struct mr_pool *pool)
{
    for (unsigned number = 0;; number++) {
        bool taken = false;

        for (unsigned s = 0; s < pool->n_slots; s++)
            taken = taken || mr_slot_number(pool->slots[s]) == number;
        if (!taken)
            return number;
    }
}

/* Another version's data may stand in this Redis: the fleet finds out first. */
static bool may_start(const struct mr_pool *pool)
{
    return pool->dispatcher->cleared && mr_store_is_ready(pool->dispatcher->store);
}

static void add(struct mr_pool *pool)
{
    struct mr_slot *slot = mr_slot_new(pool, free_number(pool));

    pool->slots = mr_realloc(pool->slots, (pool->n_slots + 1) * sizeof(*pool->slots));
    pool->slots[pool->n_slots++] = slot;
    if (may_start(pool))
        mr_slot_start(slot);
}

/* How little is lost when this one goes: those without a worker first, then the youngest worker. */
static int worth(const struct mr_pool *pool, const struct mr_slot *slot)
{
    static const int by_state[MR_SLOT_STATES] = {
        [MR_SLOT_EMPTY] = 0,    [MR_SLOT_BACKING_OFF] = 1, [MR_SLOT_REGISTERING] = 2,
        [MR_SLOT_STARTING] = 3, [MR_SLOT_DRAINING] = 4,    [MR_SLOT_SERVING] = 6};
    int value = by_state[mr_slot_state(slot)];

    return is_old(pool, slot) ? value - 1 : value;
}

static struct mr_slot *least_worth(const struct mr_pool *pool)
{
    struct mr_slot *least = NULL;

    for (unsigned s = 0; s < pool->n_slots; s++) {
        struct mr_slot *slot = pool->slots[s];

        if (!mr_slot_is_retiring(slot) && (!least || worth(pool, slot) <= worth(pool, least)))
            least = slot;
    }
    return least;
}

static void sweep(struct mr_pool *pool)
{
    unsigned kept = 0;

    for (unsigned s = 0; s < pool->n_slots; s++) {
        struct mr_slot *slot = pool->slots[s];

        if (mr_slot_is_retiring(slot) && mr_slot_state(slot) == MR_SLOT_EMPTY)
            mr_slot_free(slot);
        else
            pool->slots[kept++] = slot;
    }
    pool->n_slots = kept;
}

static void flag(struct mr_pool *pool)
{
    unsigned worst = 0;

    if (pool->draining)
        return;
    for (unsigned s = 0; s < pool->n_slots; s++)
        if (mr_slot_failures(pool->slots[s]) > worst)
            worst = mr_slot_failures(pool->slots[s]);
    bool failing = worst >= MR_SLOT_FAILING;
    if (failing && !pool->failing)
        mr_log_error("pool.failing", "pool=%s deaths_in_a_row=%u hint=%s", pool->name, worst,
                     "the worker's own lines above say why");
    if (!failing && pool->failing)
        mr_log_info("pool.recovered", "pool=%s", pool->name);
    pool->failing = failing;
}

static void balance_once(struct mr_pool *pool)
{
    sweep(pool);
    unsigned active = count_active(pool), want = target(pool);

    for (; active < want; active++)
        add(pool);
    for (; active > want; active--)
        mr_slot_retire(least_worth(pool));
    struct mr_slot *old = find_old(pool);
    if (old && active > pool->wanted && all_active_serve(pool))
        mr_slot_retire(old); /* its replacement serves */
}

/* Slots answer what is done to them by calling back: the outermost call goes round until nothing changes. */
void mr_pool_balance(struct mr_pool *pool)
{
    pool->balance_again = true;
    if (pool->balancing)
        return;
    pool->balancing = true;
    while (pool->balance_again) {
        pool->balance_again = false;
        balance_once(pool);
    }
    pool->balancing = false;
    flag(pool);
    mr_dispatcher_on_pool(pool->dispatcher);
}

/* ---- outside ---- */

struct mr_pool *mr_pool_new(struct mr_dispatcher *dispatcher, const char *name, unsigned wanted)
{
    struct mr_pool *pool = mr_zalloc(sizeof(*pool));

    pool->dispatcher = dispatcher;
    pool->name = mr_strdup(name);
    pool->wanted = wanted;
    mr_random_seed(&pool->random);
    return pool;
}

void mr_pool_set_wanted(struct mr_pool *pool, unsigned wanted)
{
    if (pool->wanted == wanted)
        return;
    mr_log_info("pool.scaled", "pool=%s from=%u to=%u", pool->name, pool->wanted, wanted);
    pool->wanted = wanted;
    mr_pool_balance(pool);
}

void mr_pool_drain(struct mr_pool *pool)
{
    pool->draining = true;
    pool->balancing = true; /* nobody leaves the table while we walk along it */
    /* Those that leave by themselves are told too: from now our grace counts. */
    for (unsigned s = 0; s < pool->n_slots; s++)
        mr_slot_retire(pool->slots[s]);
    pool->balancing = false;
    mr_pool_balance(pool);
}

void mr_pool_hurry(struct mr_pool *pool)
{
    for (unsigned s = 0; s < pool->n_slots; s++)
        mr_slot_hurry(pool->slots[s]);
}

void mr_pool_restart(struct mr_pool *pool)
{
    pool->generation++;
    mr_log_info("pool.rolling", "pool=%s generation=%u", pool->name, pool->generation);
    mr_pool_balance(pool);
}

bool mr_pool_is_empty(const struct mr_pool *pool)
{
    for (unsigned s = 0; s < pool->n_slots; s++)
        if (mr_slot_child(pool->slots[s]))
            return false;
    return true;
}

void mr_pool_count(const struct mr_pool *pool, unsigned out_by_state[MR_SLOT_STATES])
{
    memset(out_by_state, 0, MR_SLOT_STATES * sizeof(*out_by_state));
    for (unsigned s = 0; s < pool->n_slots; s++)
        out_by_state[mr_slot_state(pool->slots[s])]++;
}

void mr_pool_look(struct mr_pool *pool, uint64_t now_ms, bool late)
{
    pool->balancing = true; /* nobody leaves the table while we walk along it */
    for (unsigned s = 0; s < pool->n_slots; s++) {
        mr_slot_look(pool->slots[s], now_ms, late);
        if (may_start(pool))
            mr_slot_start(pool->slots[s]);
    }
    pool->balancing = false;
    mr_pool_balance(pool);
}

void mr_pool_free(struct mr_pool *pool)
{
    if (!pool)
        return;
    for (unsigned s = 0; s < pool->n_slots; s++)
        mr_slot_free(pool->slots[s]);
    free(pool->slots);
    free(pool->name);
    free(pool);
}
