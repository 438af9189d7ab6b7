#include "worker/lease.h"

#include "proto/base/mem.h"
#include "proto/keys.h"
#include "worker/recorder.h"
#include "worker/settlement.h"
#include "worker/worker.h"

#include <assert.h>
#include <stdlib.h>

void mr_names_init(struct mr_names *names, unsigned n_names)
{
    *names = (struct mr_names){.n_names = n_names};
    names->states = mr_zalloc(n_names);
    names->free_list = mr_zalloc_array(n_names, sizeof(*names->free_list));
    /* The stack gives small numbers first: they are easier to read in a MONITOR. */
    for (unsigned k = n_names; k-- > 0;)
        names->free_list[names->n_free++] = k;
}

void mr_names_fini(struct mr_names *names)
{
    free(names->states);
    free(names->free_list);
}

static void give_name_back(struct mr_names *names, unsigned k, bool retire)
{
    names->states[k] = retire ? MR_NAME_RETIRED : MR_NAME_FREE;
    if (retire)
        names->n_retired++;
    else
        names->free_list[names->n_free++] = k;
}

static struct mr_lease *new_lease(struct mr_source *source, unsigned k, unsigned room)
{
    struct mr_lease *lease = mr_zalloc(sizeof(*lease) + room * sizeof(lease->items[0]));

    lease->source = source;
    lease->k = k;
    lease->room = room;
    mr_list_init(&lease->dirty);
    mr_list_init(&lease->ready);
    mr_list_push_back(&source->leases, &lease->node);
    return lease;
}

struct mr_lease *mr_lease_ask(struct mr_source *source, unsigned room)
{
    struct mr_names *names = &source->names;

    if (names->n_free == 0)
        return NULL;
    unsigned k = names->free_list[--names->n_free];
    names->states[k] = MR_NAME_USED;
    return new_lease(source, k, room);
}

struct mr_lease *mr_lease_claim(struct mr_source *source, unsigned k)
{
    struct mr_names *names = &source->names;
    bool retired = names->states[k] == MR_NAME_RETIRED;

    assert(names->states[k] != MR_NAME_USED);
    if (retired)
        names->n_retired--;
    else
        for (unsigned i = 0; i < names->n_free; i++)
            if (names->free_list[i] == k)
                names->free_list[i] = names->free_list[--names->n_free];
    names->states[k] = MR_NAME_USED;
    struct mr_lease *lease = new_lease(source, k, 0);
    lease->state = MR_LEASE_RETURNING;
    lease->tainted = retired;
    return lease;
}

void mr_lease_hold(struct mr_lease *lease, unsigned n)
{
    assert(n <= lease->room);
    lease->state = MR_LEASE_HELD;
    lease->came_at_ms = uv_now(lease->source->worker->loop);
    lease->n = n;
    for (unsigned i = 0; i < n; i++)
        lease->items[i].lease = lease;
    lease->count[MR_ITEM_UNREAD] = n;
    lease->source->n_fetched += n;
    mr_list_push_back(&lease->source->ready, &lease->ready);
    mr_recorder_lease_held(&lease->source->worker->recorder, lease->source->index, lease->k, n);
}

static bool waits(unsigned state)
{
    return state == MR_ITEM_FETCHED || state == MR_ITEM_UNREAD;
}

void mr_lease_touch(struct mr_lease *lease)
{
    if (mr_list_empty(&lease->dirty))
        mr_list_push_back(&lease->source->worker->dirty, &lease->dirty);
}

void mr_lease_pass_over(struct mr_lease *lease)
{
    while (lease->next < lease->n && !waits(lease->items[lease->next].state))
        lease->next++;
    /* At the head of source->ready it would stand in the way of the leases behind it. */
    if (lease->next == lease->n)
        mr_list_remove(&lease->ready);
}

void mr_lease_drop_unstarted(struct mr_lease *lease)
{
    for (unsigned i = lease->next; i < lease->n; i++)
        if (waits(lease->items[i].state))
            mr_item_set(&lease->items[i], MR_ITEM_DROPPED);
    mr_lease_pass_over(lease);
}

void mr_lease_lose(struct mr_lease *lease)
{
    mr_lease_drop_unstarted(lease);
    lease->state = MR_LEASE_LOST;
}

bool mr_lease_try_free(struct mr_lease *lease)
{
    struct mr_source *source = lease->source;

    if (lease->owed > 0 || lease->count[MR_ITEM_RUNNING] > 0)
        return false;
    mr_recorder_lease_gone(&source->worker->recorder, source->index, lease->k);
    mr_list_remove(&lease->node);
    mr_list_remove(&lease->dirty);
    mr_list_remove(&lease->ready);
    source->n_fetched -= lease->count[MR_ITEM_FETCHED] + lease->count[MR_ITEM_UNREAD];
    for (unsigned i = 0; i < lease->room; i++)
        mr_settlement_free(lease->items[i].settlement);
    while (lease->chunks) {
        struct mr_chunk *chunk = lease->chunks;

        lease->chunks = chunk->next;
        free(chunk);
    }
    give_name_back(&source->names, lease->k, lease->tainted);
    free(lease);
    return true;
}

unsigned mr_lease_listed(const struct mr_lease *lease)
{
    return lease->n - (lease->back_done ? lease->count[MR_ITEM_BACK] : 0);
}

void mr_lease_key(const struct mr_lease *lease, char *out)
{
    mr_key_lease(&lease->source->keys, lease->source->worker->incarnation, lease->k, out,
                 MR_KEY_MAX);
}

char *mr_lease_alloc(struct mr_lease *lease, size_t bytes)
{
    struct mr_chunk *chunk = mr_realloc(NULL, sizeof(*chunk) + bytes);

    chunk->next = lease->chunks;
    lease->chunks = chunk;
    return chunk->bytes;
}

void mr_item_set(struct mr_item *item, enum mr_item_state state)
{
    struct mr_lease *lease = item->lease;

    if (waits(item->state) && !waits(state))
        lease->source->n_fetched--;
    else if (!waits(item->state) && waits(state))
        lease->source->n_fetched++;
    if (item->state == MR_ITEM_SCRIPT && !item->settled)
        lease->n_unsettled_scripts--;
    lease->count[item->state]--;
    lease->count[state]++;
    item->state = (uint8_t)state;
    if (state == MR_ITEM_SCRIPT)
        lease->n_unsettled_scripts++;
}

unsigned mr_item_index(const struct mr_item *item)
{
    return (unsigned)(item - item->lease->items);
}

void mr_item_settled(struct mr_item *item, bool settled)
{
    item->sent = false;
    if (item->settled == settled)
        return;
    item->settled = settled;
    if (item->state == MR_ITEM_SCRIPT)
        item->lease->n_unsettled_scripts += settled ? -1u : 1u;
}
