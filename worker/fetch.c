#include "worker/fetch.h"

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "worker/choose.h"
#include "worker/settle.h"
#include "worker/sync.h"
#include "worker/wake.h"
#include "worker/worker.h"

#include <string.h>

enum {
    PAUSE_MS = 500, /* how often a paused queue is asked whether it still is */
    WRONG_TYPE_MS = 5000,
    REFUSED_MS = 100,
    FAULT_MS = 5000,
    UNWATCHED_MS = 2,
    REPORT_EVERY_MS = 60000 /* a fault that stays is logged once a minute */
};

static void on_read(void *arg, enum mr_code code, const redisReply *reply);

static uint64_t jittered(struct mr_worker *worker, uint64_t ms)
{
    return uv_now(worker->loop) + ms + mr_random_below(&worker->random, ms / 2 + 1);
}

/* An empty payload is the mark of a settled place, so it cannot be told from one: counted, logged, dropped. */
static void drop_empty(struct mr_item *item)
{
    mr_log_warn("fetch.empty_payload", "queue=%s place=%u", item->lease->source->keys.name,
                mr_item_index(item));
    mr_item_set(item, MR_ITEM_DONE);
    mr_item_settled(item, true);
    mr_lease_pass_over(item->lease);
    mr_lease_touch(item->lease);
}

void mr_fetch_take(struct mr_lease *lease, unsigned i, struct mr_bytes payload)
{
    struct mr_item *item = &lease->items[i];

    if (lease->read <= i)
        lease->read = i + 1;
    if (item->state != MR_ITEM_UNREAD)
        return; /* given back or dropped meanwhile */
    item->payload = payload;
    if (payload.len == 0)
        drop_empty(item);
    else
        mr_item_set(item, MR_ITEM_FETCHED);
}

static void take_in(struct mr_lease *lease, unsigned from, const redisReply *reply)
{
    size_t total = 0;

    for (size_t i = 0; i < reply->elements; i++)
        total += reply->element[i]->len;
    char *room = mr_lease_alloc(lease, total);
    for (size_t i = 0; i < reply->elements && from + i < lease->n; i++) {
        const redisReply *bytes = reply->element[i];

        memcpy(room, bytes->str, bytes->len);
        mr_fetch_take(lease, from + (unsigned)i, (struct mr_bytes){room, bytes->len});
        room += bytes->len;
    }
    if (reply->elements > 0)
        mr_pace_sized(&lease->source->pace, total / reply->elements);
}

void mr_fetch_read(struct mr_lease *lease)
{
    struct mr_worker *worker = lease->source->worker;
    unsigned step = mr_pace_read_step(&lease->source->pace);
    char key[MR_KEY_MAX];

    mr_lease_key(lease, key);
    if (mr_store_read(worker->store, key, lease->read, lease->read + step - 1, on_read,
                      lease) != MR_OK)
        return; /* the connection went: SYNC looks at every lease */
    lease->owed++;
    lease->reading = true;
}

static void on_read(void *arg, enum mr_code code, const redisReply *reply)
{
    struct mr_lease *lease = arg;
    struct mr_worker *worker = lease->source->worker;

    lease->reading = false;
    mr_settle_answered(lease, reply);
    if (lease->state == MR_LEASE_HELD && code == MR_EFENCED) {
        mr_settle_lost(lease); /* its name holds something that is no list */
    } else if (lease->state == MR_LEASE_HELD && code == MR_OK) {
        if (reply->elements == 0 && lease->read < lease->n)
            mr_settle_lost(lease); /* it was there when it was counted */
        else
            take_in(lease, lease->read, reply);
        if (lease->read < lease->n && lease->state == MR_LEASE_HELD)
            mr_fetch_read(lease);
    } else if (lease->state == MR_LEASE_HELD && reply) {
        mr_settle_later(lease); /* BUSY and the like: then it is read again */
    }
    mr_settle_check(lease);
    mr_worker_wake(worker);
}

/* A name that holds something nobody here asked for: all of it goes back, and the name is not used again. */
static void return_stranger(struct mr_lease *lease)
{
    mr_log_warn("fetch.stranger", "queue=%s name=%u", lease->source->keys.name, lease->k);
    lease->tainted = true;
    lease->state = MR_LEASE_RETURNING;
    mr_lease_touch(lease);
}

static void nothing_came(struct mr_lease *lease)
{
    lease->state = MR_LEASE_LOST;
    mr_settle_check(lease);
}

static void ask_later(struct mr_source *source, uint64_t ms)
{
    source->not_before_ms = jittered(source->worker, ms);
    mr_worker_again(source->worker, source->not_before_ms - uv_now(source->worker->loop));
}

/* Something that was leased killed the workers before: until a delivery has ended here, one job comes at a time. */
static bool is_careful(const struct mr_worker *worker)
{
    return worker->one_by_one && worker->page.header->finished == 0;
}

/* Not by a waiter: what that is given is in no lease yet when its bytes arrive. */
static void poll_carefully(struct mr_source *source)
{
    source->came_short = false;
    ask_later(source, PAUSE_MS);
}

static void take_count(struct mr_lease *lease, long long count, unsigned n_wanted)
{
    struct mr_source *source = lease->source;

    source->gave = count > 0;
    source->came_short = count >= 0 && (unsigned)count < n_wanted;
    if (source->came_short && is_careful(source->worker))
        poll_carefully(source);
    if (count > 0) {
        mr_lease_hold(lease, (unsigned)count);
        if (!lease->owed)
            mr_fetch_read(lease);
        return;
    }
    if (count == -1) {
        return_stranger(lease);
        return;
    }
    if (count == -2)
        mr_worker_fenced(source->worker, "fetch");
    else if (count == -3)
        ask_later(source, PAUSE_MS);
    else if (count == -4) {
        mr_log_error("fetch.wrong_type", "key=%s advice=%s", source->keys.ready,
                     "one of the queue's keys is not of its type: rename or delete it");
        ask_later(source, WRONG_TYPE_MS);
    }
    nothing_came(lease);
}

static void take_counts(struct mr_fetch *fetch, const redisReply *reply)
{
    struct mr_worker *worker = fetch->worker;
    unsigned left = fetch->n_asked;
    bool some = false;

    for (unsigned i = 0; i < fetch->n_queues; i++) {
        long long count = i < reply->elements ? reply->element[i]->integer : 0;

        if (left > 0)
            fetch->leases[i]->source->asked_at_ms = uv_now(worker->loop);
        take_count(fetch->leases[i], count, left);
        if (count > 0) {
            left -= (unsigned)count < left ? (unsigned)count : left;
            worker->page.header->fetched += (uint64_t)count;
            some = true;
        }
    }
    if (!some)
        worker->page.header->empty_fetches++;
}

/* Redis refused, or an error came from inside the script: then the lists themselves say what was leased. */
static void take_failure(struct mr_fetch *fetch, enum mr_code code, const redisReply *reply)
{
    struct mr_worker *worker = fetch->worker;
    uint64_t now = uv_now(worker->loop);

    worker->fetch_not_before_ms = jittered(worker, code == MR_EFAULT ? FAULT_MS : REFUSED_MS);
    mr_worker_again(worker, code == MR_EFAULT ? FAULT_MS : REFUSED_MS);
    if (reply && now - worker->fault_reported_at_ms > REPORT_EVERY_MS) {
        worker->fault_reported_at_ms = now;
        mr_log_warn("fetch.refused", "code=%s redis=%s", mr_code_name(code), reply->str);
    }
    for (unsigned i = 0; i < fetch->n_queues; i++) {
        if (code == MR_EUNKNOWN && reply)
            mr_sync_lease(fetch->leases[i]);
        else if (reply)
            nothing_came(fetch->leases[i]);
    }
}

static void on_fetched(void *arg, enum mr_code code, const redisReply *reply)
{
    struct mr_fetch *fetch = arg;
    struct mr_worker *worker = fetch->worker;

    fetch->asked = false;
    for (unsigned i = 0; i < fetch->n_queues; i++)
        mr_settle_answered(fetch->leases[i], reply);
    if (code == MR_OK && reply->type == REDIS_REPLY_ARRAY)
        take_counts(fetch, reply);
    else if (reply && strncmp(reply->str ? reply->str : "", "NOSCRIPT", 8) == 0)
        for (unsigned i = 0; i < fetch->n_queues; i++)
            nothing_came(
                fetch->leases
                    [i]); /* nothing was done, and the script is loaded again: ask again */
    else
        take_failure(fetch, code, reply);
    mr_worker_wake(worker);
}

static bool may_ask(const struct mr_source *source)
{
    return source->not_before_ms <= uv_now(source->worker->loop) && source->names.n_free > 0;
}

/* Whether asking this queue now can bring something: one that came back short is its waiter's to watch. */
static bool is_worth_asking(const struct mr_source *source)
{
    return !source->came_short && may_ask(source);
}

/*
 * It came back short and has no waiter, because jobs that go before it, or that run, take all places. While
 * others are asked, it is asked along with them every now and then, or it would be forgotten for as long as they last.
 */
static bool is_unwatched(const struct mr_source *source)
{
    return source->came_short && may_ask(source) && !mr_wait_is_armed(source->wait) &&
           mr_worker_room_for(source) == 0 &&
           uv_now(source->worker->loop) - source->asked_at_ms >= UNWATCHED_MS;
}

/* A queue with a waiter on it is never starving: Redis itself hands over what comes. */
static struct mr_choice choice_of(const struct mr_source *source)
{
    const struct mr_worker *worker = source->worker;

    return (struct mr_choice){
        .weight = worker->pool->weights ? worker->pool->weights[source->index] : 1,
        .asked_at_ms =
            mr_wait_is_armed(source->wait) ? uv_now(worker->loop) : source->asked_at_ms,
    };
}

/* Jobs that fetches under way may bring. */
static unsigned n_asked_for(const struct mr_worker *worker)
{
    unsigned n = 0;

    for (unsigned i = 0; i < MR_FETCHES; i++)
        n += worker->fetches[i].asked ? worker->fetches[i].n_asked : 0;
    return n;
}

/*
 * Writes to out the queues to ask in order, and says how many of their jobs are worth having beyond the free
 * places. A queue whose pace allows less prefetch than the first one's is left for the time when the first
 * came back short: then only free places are asked for, and priority stays strict. No queue: nobody is worth asking.
 */
static unsigned choose_queues(struct mr_worker *worker, struct mr_source **out, unsigned *out_n)
{
    struct mr_choice choices[MR_CHOOSE_MAX];
    unsigned order[MR_CHOOSE_MAX], n = 0, ahead = 0;
    bool worth_it = false;

    for (unsigned i = 0; i < worker->n_sources; i++)
        choices[i] = choice_of(&worker->sources[i]);
    mr_choose(worker->pool->balance, worker->pool->max_wait_ms, choices, worker->n_sources,
              uv_now(worker->loop), &worker->random, order);
    for (unsigned i = 0; i < worker->n_sources; i++) {
        struct mr_source *source = &worker->sources[order[i]];
        unsigned mine = mr_pace_ahead(&source->pace, worker->pool->concurrency);

        if (!is_worth_asking(source) && !is_unwatched(source))
            continue;
        if (n == 0)
            ahead = mine;
        else if (mine < ahead)
            continue;
        worth_it = worth_it || is_worth_asking(source);
        out[n++] = source;
    }
    *out_n = worth_it ? n : 0;
    return ahead;
}

/* How many jobs to ask these queues for. A second fetch goes beside the first only where that one will be full. */
static unsigned how_many(const struct mr_worker *worker, const struct mr_source *first,
                         unsigned ahead)
{
    unsigned asked_for = n_asked_for(worker);
    unsigned waiting = mr_worker_waiting(worker) + asked_for;
    unsigned free_places = mr_runner_free_places(worker->runner);
    unsigned room = free_places > waiting ? free_places - waiting : 0;
    unsigned most = mr_pace_batch_max(&first->pace);

    if (is_careful(worker))
        return waiting == 0 && room > 0 ? 1 : 0;
    if (asked_for > 0 && (ahead == 0 || !first->gave))
        return 0;
    if (ahead > 0 && waiting >= ahead / 2 + 1)
        return 0; /* enough is here */
    if (most < room)
        most = room < MR_PACE_BATCH ? room : MR_PACE_BATCH;
    return room + ahead < most ? room + ahead : most;
}

static bool ask(struct mr_fetch *fetch, struct mr_source **sources, unsigned n_sources,
                unsigned n)
{
    struct mr_worker *worker = fetch->worker;
    struct mr_fetch_queue queues[MR_CHOOSE_MAX] = {0};
    char keys[MR_CHOOSE_MAX][MR_KEY_MAX];

    for (unsigned i = 0; i < n_sources; i++) {
        fetch->leases[i] = mr_lease_ask(sources[i], n);
        mr_lease_key(fetch->leases[i], keys[i]);
        queues[i] = (struct mr_fetch_queue){&sources[i]->keys, keys[i]};
    }
    fetch->n_queues = n_sources;
    fetch->n_asked = n;
    if (mr_store_fetch(worker->store, queues, n_sources, worker->incarnation, n, NULL,
                       on_fetched, fetch) != MR_OK) {
        for (unsigned i = 0; i < n_sources; i++)
            nothing_came(fetch->leases[i]);
        return false;
    }
    for (unsigned i = 0; i < n_sources; i++)
        fetch->leases[i]->owed++;
    fetch->asked = true;
    return true;
}

static struct mr_fetch *idle_fetch(struct mr_worker *worker)
{
    for (unsigned i = 0; i < MR_FETCHES; i++)
        if (!worker->fetches[i].asked)
            return &worker->fetches[i];
    return NULL;
}

void mr_fetch_if_wanted(struct mr_worker *worker)
{
    struct mr_fetch *fetch = idle_fetch(worker);
    struct mr_source *sources[MR_CHOOSE_MAX];
    unsigned n_sources;

    if (!fetch || worker->fate != MR_FATE_SERVE || !mr_worker_gate_open(worker) ||
        worker->fetch_not_before_ms > uv_now(worker->loop))
        return;
    unsigned ahead = choose_queues(worker, sources, &n_sources);
    unsigned n = n_sources > 0 ? how_many(worker, sources[0], ahead) : 0;
    /* A lease has room for n places; several queues together give n, so none gives more. */
    if (n == 0 || !ask(fetch, sources, n_sources, n))
        return;
    /* Where the last fetch found something, its payloads are asked for in the same write. */
    for (unsigned i = 0; i < n_sources; i++)
        if (sources[i]->gave || n_sources == 1)
            mr_fetch_read(fetch->leases[i]);
}
