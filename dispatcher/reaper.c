#include "dispatcher/reaper.h"

#include "dispatcher/blame.h"
#include "dispatcher/judge.h"
#include "dispatcher/process.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"
#include "proto/base/random.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KILL_POLL_MS = 5,
    KILL_WAIT_MS = 2000,
    ASK_AGAIN_MS = 500,
    LOOK_AGAIN_MS = (MR_WAIT_S + 1) * 1000,
    NAMES_A_CALL = 64
};

struct mr_reaper {
    uv_loop_t *loop;
    struct mr_store *store;
    struct mr_queues *queues;
    const struct mr_config *config;
    struct mr_random random;
    char host[UV_MAXHOSTNAMESIZE];
    struct mr_reaper_stats stats;
    struct mr_list reaps;
    struct reap *reading; /* the one that may hold a payload in memory */
    uv_timer_t again;     /* runs while a reap is stalled */
    bool stopped;
    void (*on_stopped)(void *arg);
    void *arg;
    unsigned holders; /* the open timer, each reap: the last one frees */
};

enum phase {
    KILLING,       /* what is left of the worker's session */
    FENCING,       /* the incarnation, in every queue */
    SETTLING,      /* finished jobs whose settlement may not have arrived */
    FINDING,       /* no page: how long is each lease? */
    WAITING,       /* for another reap to let go of its payload */
    PEEKING,       /* at one job that does not simply go back */
    MOVING,        /* that job, to where its verdict says */
    GIVING_BACK,   /* everything else, to the head, in order; the wake names closed */
    LINGERING,     /* the caller is answered; an old BLMOVE may still arrive */
    LOOKING_AGAIN, /* given back and closed once more */
    OVER,
    PHASES
};

struct call;

/* A question to Redis that may be asked twice. */
struct verb {
    enum mr_code (*send)(struct call *call);
    /* reply is NULL when what was named is no longer a lease. */
    void (*take)(struct call *call, const redisReply *reply);
};

/* One question of a phase. All of a phase leave in one turn; the phase ends when all are answered. */
struct call {
    struct reap *reap;
    const struct verb *verb;
    unsigned queue; /* of reap->queues */
    unsigned k, n;  /* a lease name, or n of them from k on */
    bool answered;
};

struct reap {
    struct mr_reaper *reaper;
    struct mr_list node;
    enum phase phase;
    char worker[MR_WORKER_MAX];
    unsigned n_names;       /* K lease names in each queue */
    struct mr_child *child; /* NULL: a stranger, or its owner has been answered */
    void (*done)(void *arg, struct mr_child *child);
    void *arg;
    struct mr_queue **queues;
    unsigned n_queues;
    bool has_page;
    char *seen;              /* the score a stranger was judged by */
    bool abandoned;          /* that score has moved: it lives */
    struct mr_blames blames; /* jobs that do not simply go back */
    unsigned blame;          /* the one in hand */
    struct mr_move move;     /* where the job in hand goes */
    struct call *calls;
    unsigned n_calls, owed;
    bool stalled, told; /* some call must be asked again; said so once */
    uint64_t began_at_ms;
    uint64_t n_settled, n_back;
    uv_timer_t timer;
    bool closed;
};

static void enter(struct reap *reap, enum phase phase);

/* ---- memory ---- */

static void let_go_of_reaper(struct mr_reaper *reaper)
{
    if (--reaper->holders == 0)
        free(reaper);
}

/* The timer and every answer still owed point at it. */
static void free_if_unused(struct reap *reap)
{
    struct mr_reaper *reaper = reap->reaper;

    if (!reap->closed || reap->owed > 0)
        return;
    mr_blames_fini(&reap->blames);
    mr_move_fini(&reap->move);
    free(reap->queues);
    free(reap->calls);
    free(reap->seen);
    free(reap);
    let_go_of_reaper(reaper);
}

static void on_reap_closed(uv_handle_t *handle)
{
    struct reap *reap = handle->data;

    reap->closed = true;
    free_if_unused(reap);
}

static void close_reap(struct reap *reap)
{
    mr_list_remove(&reap->node);
    if (reap->reaper->reading == reap)
        reap->reaper->reading = NULL;
    uv_close((uv_handle_t *)&reap->timer, on_reap_closed);
}

/* ---- the questions ---- */

static const struct mr_queue_keys *keys_of(const struct call *call)
{
    return &call->reap->queues[call->queue]->keys;
}

static void lease_name(const struct call *call, unsigned k, char name[MR_KEY_MAX])
{
    mr_key_lease(keys_of(call), call->reap->worker, k, name, MR_KEY_MAX);
}

static void on_answer(void *arg, enum mr_code code, const redisReply *reply);

static enum mr_code send_fence(struct call *call)
{
    struct reap *reap = call->reap;

    return mr_store_fence(reap->reaper->store, keys_of(call), reap->worker, reap->seen,
                          on_answer, call);
}

static void take_fence(struct call *call, const redisReply *reply)
{
    if (call->reap->seen && reply && reply->type == REDIS_REPLY_INTEGER && reply->integer == 0)
        call->reap->abandoned = true;
}

static const struct verb fence = {send_fence, take_fence};

static unsigned done_places(const struct call *call, unsigned places[MR_PAGE_BATCH])
{
    struct mr_page_lease *lease =
        mr_page_lease_of(&call->reap->child->page, call->queue, call->k);
    unsigned n = 0;

    for (unsigned i = 0; i < MR_PAGE_BATCH; i++)
        if ((atomic_load(&lease->done[i / 64]) >> (i % 64)) & 1)
            places[n++] = i;
    return n;
}

static enum mr_code send_done(struct call *call)
{
    unsigned places[MR_PAGE_BATCH];
    char name[MR_KEY_MAX];

    lease_name(call, call->k, name);
    return mr_store_done(call->reap->reaper->store, name, places, done_places(call, places),
                         on_answer, call);
}

static void take_done(struct call *call, const redisReply *reply)
{
    unsigned places[MR_PAGE_BATCH];

    if (reply && reply->type == REDIS_REPLY_INTEGER && reply->integer == 1)
        call->reap->n_settled += done_places(call, places);
}

static const struct verb done = {send_done, take_done};

static enum mr_code send_length(struct call *call)
{
    char name[MR_KEY_MAX];

    lease_name(call, call->k, name);
    return mr_store_command(call->reap->reaper->store, on_answer, call, 2,
                            (const char *const[]){"LLEN", name}, NULL);
}

/* Without a page every job found costs an attempt: nobody knows which of them had begun. */
static void take_length(struct call *call, const redisReply *reply)
{
    struct mr_blames *blames = &call->reap->blames;
    long long n = reply && reply->type == REDIS_REPLY_INTEGER ? reply->integer : 0;

    if (n <= 0)
        return;
    if (n > MR_PAGE_BATCH)
        n = MR_PAGE_BATCH;
    blames->items =
        mr_realloc(blames->items, (blames->n_items + (size_t)n) * sizeof(*blames->items));
    for (unsigned i = 0; i < n; i++)
        blames->items[blames->n_items++] = (struct mr_blame){
            .queue = call->queue, .k = call->k, .index = i, .outcome = MR_OUTCOME_LOST};
}

static const struct verb length = {send_length, take_length};

static const struct mr_blame *in_hand(const struct reap *reap)
{
    return &reap->blames.items[reap->blame];
}

static enum mr_code send_peek(struct call *call)
{
    char name[MR_KEY_MAX];

    lease_name(call, call->k, name);
    return mr_store_peek(call->reap->reaper->store, name, in_hand(call->reap)->index, on_answer,
                         call);
}

static void decide(struct reap *reap, const struct mr_queue *queue, struct mr_bytes raw);

/* Nil and '' say that this place was settled in time. */
static void take_peek(struct call *call, const redisReply *reply)
{
    call->reap->move.kind = MR_MOVE_NONE;
    if (reply && reply->type == REDIS_REPLY_STRING && reply->len > 0)
        decide(call->reap, call->reap->queues[call->queue],
               (struct mr_bytes){reply->str, (size_t)reply->len});
}

static const struct verb peek = {send_peek, take_peek};

static enum mr_code send_move(struct call *call)
{
    struct reap *reap = call->reap;
    const struct mr_move *move = &reap->move;
    struct mr_bytes bytes = {move->bytes.at, move->bytes.len};
    unsigned index = in_hand(reap)->index;
    char name[MR_KEY_MAX];

    lease_name(call, call->k, name);
    if (move->kind == MR_MOVE_DELAY)
        return mr_store_retry(reap->reaper->store, keys_of(call), name, index, move->due_s,
                              bytes, on_answer, call);
    const struct mr_dead_letter letter = {.id = move->id,
                                          .meta = bytes,
                                          .now_ms = move->now_ms,
                                          .max = reap->reaper->config->dead.max,
                                          .big = move->big};
    return mr_store_dead(reap->reaper->store, keys_of(call), name, index, &letter, on_answer,
                         call);
}

static void take_move(struct call *call, const redisReply *reply)
{
    struct mr_reaper_stats *stats = &call->reap->reaper->stats;

    (void)reply; /* "no longer ours": it was moved by an earlier, unanswered try */
    switch (in_hand(call->reap)->outcome) {
    case MR_OUTCOME_CRASHED:
        stats->crashes++;
        break;
    case MR_OUTCOME_SUSPECT:
        stats->suspects++;
        break;
    case MR_OUTCOME_TIMED_OUT:
        stats->timeouts++;
        break;
    default:
        stats->lost++;
    }
}

static const struct verb move_job = {send_move, take_move};

static void take_count(struct call *call, const redisReply *reply)
{
    if (reply && reply->type == REDIS_REPLY_INTEGER && reply->integer > 0)
        call->reap->n_back += (uint64_t)reply->integer;
}

static enum mr_code send_give_back(struct call *call)
{
    char keys[NAMES_A_CALL][MR_KEY_MAX];
    const char *names[NAMES_A_CALL];

    for (unsigned i = 0; i < call->n; i++) {
        lease_name(call, call->k + i, keys[i]);
        names[i] = keys[i];
    }
    return mr_store_reap_lists(call->reap->reaper->store, keys_of(call), names, call->n,
                               on_answer, call);
}

static const struct verb give_back = {send_give_back, take_count};

static enum mr_code send_close(struct call *call)
{
    char keys[MR_WAKES][MR_KEY_MAX];
    const char *names[MR_WAKES];

    for (unsigned j = 0; j < MR_WAKES; j++) {
        mr_key_wake(keys_of(call), call->reap->worker, j, keys[j], MR_KEY_MAX);
        names[j] = keys[j];
    }
    return mr_store_close(call->reap->reaper->store, keys_of(call), names, MR_WAKES, on_answer,
                          call);
}

static const struct verb close_wakes = {send_close, take_count};

/* ---- asking, and asking again ---- */

static void add_call(struct reap *reap, const struct verb *verb, unsigned queue, unsigned k,
                     unsigned n)
{
    reap->calls = mr_realloc(reap->calls, (reap->n_calls + 1) * sizeof(*reap->calls));
    reap->calls[reap->n_calls++] =
        (struct call){.reap = reap, .verb = verb, .queue = queue, .k = k, .n = n};
}

static void on_again(uv_timer_t *timer)
{
    mr_reaper_resume(timer->data);
}

static void stall(struct reap *reap, enum mr_code why)
{
    struct mr_reaper *reaper = reap->reaper;

    reap->stalled = true;
    if (!reap->told)
        mr_log_warn("reaper.waits", "worker=%s for=%s", reap->worker, mr_code_name(why));
    reap->told = true;
    if (!uv_is_active((uv_handle_t *)&reaper->again))
        uv_timer_start(&reaper->again, on_again, ASK_AGAIN_MS, ASK_AGAIN_MS);
}

static void advance(struct reap *reap);

static void end_turn(struct reap *reap, enum mr_code code)
{
    for (unsigned i = 0; i < reap->n_calls; i++)
        if (!reap->calls[i].answered) {
            stall(reap, code);
            return;
        }
    advance(reap);
}

static void on_answer(void *arg, enum mr_code code, const redisReply *reply)
{
    struct call *call = arg;
    struct reap *reap = call->reap;

    reap->owed--;
    if (reap->reaper->stopped) {
        free_if_unused(reap);
        return;
    }
    /* A wrong type under a lease's name is no lease: there is nothing to settle. */
    if (code == MR_OK || code == MR_EFENCED) {
        call->answered = true;
        call->verb->take(call, code == MR_OK ? reply : NULL);
    }
    if (reap->owed == 0)
        end_turn(reap, code);
}

/* Whatever of this phase has no answer yet, in one turn. */
static void ask(struct reap *reap)
{
    enum mr_code code = MR_OK;

    reap->stalled = false;
    for (unsigned i = 0; i < reap->n_calls; i++) {
        struct call *call = &reap->calls[i];

        if (call->answered)
            continue;
        enum mr_code sent = call->verb->send(call);
        if (sent == MR_OK)
            reap->owed++;
        else
            code = sent;
    }
    if (reap->owed == 0)
        end_turn(reap, code);
}

void mr_reaper_resume(struct mr_reaper *reaper)
{
    bool any = false;

    if (!mr_store_is_ready(reaper->store))
        return;
    mr_list_each_safe (node, &reaper->reaps) {
        struct reap *reap = mr_list_entry(node, struct reap, node);

        if (reap->stalled) {
            any = true;
            ask(reap);
        }
    }
    if (!any)
        uv_timer_stop(&reaper->again);
}

/* ---- one job: what becomes of it ---- */

static const struct mr_pool_config *pool_of(const struct reap *reap,
                                            const struct mr_queue *queue)
{
    const struct mr_config *config = reap->reaper->config;

    if (reap->child && mr_config_pool(config, reap->child->pool))
        return mr_config_pool(config, reap->child->pool);
    for (unsigned i = 0; i < config->n_pools; i++)
        for (unsigned j = 0; j < config->pools[i].n_queues; j++)
            if (strcmp(config->pools[i].queues[j], queue->keys.name) == 0)
                return &config->pools[i];
    return NULL;
}

static void decide(struct reap *reap, const struct mr_queue *queue, struct mr_bytes raw)
{
    struct mr_reaper *reaper = reap->reaper;
    struct mr_outcome outcome = mr_blame_outcome(&reap->blames, in_hand(reap));
    const struct mr_case its = {.config = reaper->config,
                                .pool = pool_of(reap, queue),
                                .queue = queue->keys.name,
                                .worker = reap->worker,
                                .host = reaper->host,
                                .now_ms = mr_clock_wall_ms(),
                                .roll = mr_random_u32(&reaper->random)};

    mr_judge(&its, raw, &outcome, &reap->move);
    mr_outcome_fini(&outcome);
}

/* ---- the phases ---- */

static void on_kill_poll(uv_timer_t *timer)
{
    struct reap *reap = timer->data;
    bool gone = mr_process_kill_session(reap->child->pid, !reap->child->orphan);

    if (!gone && mr_clock_ms() < reap->began_at_ms + KILL_WAIT_MS)
        return;
    if (!gone)
        mr_log_warn("reaper.session_remains", "worker=%s session=%d waited_ms=%d", reap->worker,
                    (int)reap->child->pid, KILL_WAIT_MS);
    uv_timer_stop(timer);
    enter(reap, FENCING);
}

static void enter_killing(struct reap *reap)
{
    if (reap->child && !mr_process_kill_session(reap->child->pid, !reap->child->orphan))
        uv_timer_start(&reap->timer, on_kill_poll, KILL_POLL_MS, KILL_POLL_MS);
    else
        enter(reap, FENCING);
}

static void enter_fencing(struct reap *reap)
{
    for (unsigned i = 0; i < reap->n_queues; i++)
        add_call(reap, &fence, i, 0, 0);
    ask(reap);
}

static bool has_done(const struct reap *reap, unsigned queue, unsigned k)
{
    struct mr_page_lease *lease = mr_page_lease_of(&reap->child->page, queue, k);

    return atomic_load(&lease->n) > 0 &&
           (atomic_load(&lease->done[0]) | atomic_load(&lease->done[1])) != 0;
}

static void enter_settling(struct reap *reap)
{
    const struct mr_death death = {.status = reap->child->status,
                                   .killed_by_us = reap->child->killed_by_us};
    const struct mr_page_shape *shape = &reap->child->page.header->shape;

    mr_blame_decide(&reap->child->page, &death, &reap->blames);
    for (unsigned i = 0; i < reap->n_queues; i++)
        for (unsigned k = 0; k < shape->n_names; k++)
            if (has_done(reap, i, k))
                add_call(reap, &done, i, k, 1);
    ask(reap);
}

static void enter_finding(struct reap *reap)
{
    for (unsigned i = 0; i < reap->n_queues; i++)
        for (unsigned k = 0; k < reap->n_names; k++)
            add_call(reap, &length, i, k, 1);
    ask(reap);
}

/* At most one payload of all reaps is in memory at a time, so they peek in turn. */
static void enter_waiting(struct reap *reap)
{
    if (reap->blame == reap->blames.n_items) {
        enter(reap, GIVING_BACK);
    } else if (!reap->reaper->reading) {
        reap->reaper->reading = reap;
        enter(reap, PEEKING);
    }
}

static void call_next_reader(struct reap *reap)
{
    struct mr_reaper *reaper = reap->reaper;

    if (reaper->reading != reap)
        return;
    reaper->reading = NULL;
    mr_move_fini(&reap->move);
    mr_list_each_safe (node, &reaper->reaps) {
        struct reap *next = mr_list_entry(node, struct reap, node);

        if (next->phase == WAITING && !reaper->reading)
            enter(next, WAITING);
    }
}

static void enter_peeking(struct reap *reap)
{
    const struct mr_blame *blame = in_hand(reap);

    add_call(reap, &peek, blame->queue, blame->k, 1);
    ask(reap);
}

static void enter_moving(struct reap *reap)
{
    const struct mr_blame *blame = in_hand(reap);

    add_call(reap, &move_job, blame->queue, blame->k, 1);
    ask(reap);
}

static void enter_giving_back(struct reap *reap)
{
    for (unsigned i = 0; i < reap->n_queues; i++) {
        for (unsigned k = 0; k < reap->n_names; k += NAMES_A_CALL) {
            unsigned n = reap->n_names - k;

            add_call(reap, &give_back, i, k, n < NAMES_A_CALL ? n : NAMES_A_CALL);
        }
        add_call(reap, &close_wakes, i, 0, 0);
    }
    call_next_reader(reap);
    ask(reap);
}

static void on_linger_over(uv_timer_t *timer)
{
    enter(timer->data, LOOKING_AGAIN);
}

static void count(struct reap *reap)
{
    struct mr_reaper_stats *stats = &reap->reaper->stats;

    stats->reaps++;
    stats->strangers += !reap->child;
    stats->jobs_settled += reap->n_settled;
    stats->jobs_back += reap->n_back;
    mr_log_info(
        "reaper.reaped",
        "worker=%s pool=%s cause=%s settled=%" PRIu64 " blamed=%u back=%" PRIu64 " ms=%" PRIu64,
        reap->worker, reap->child ? reap->child->pool : "",
        reap->blames.cause[0] ? reap->blames.cause : "its page is gone", reap->n_settled,
        reap->blames.n_items, reap->n_back, mr_clock_ms() - reap->began_at_ms);
    reap->n_back = 0;
}

/* The caller is answered last: it may free the child, or stop us. */
static void enter_lingering(struct reap *reap)
{
    struct mr_child *child = reap->child;

    count(reap);
    reap->child = NULL;
    uv_timer_start(&reap->timer, on_linger_over, LOOK_AGAIN_MS, 0);
    if (child)
        reap->done(reap->arg, child);
}

static void enter_over(struct reap *reap)
{
    if (reap->n_back > 0)
        mr_log_info("reaper.late", "worker=%s back=%" PRIu64, reap->worker, reap->n_back);
    reap->reaper->stats.jobs_back += reap->n_back;
    close_reap(reap);
}

static void (*const enter_phase[PHASES])(struct reap *) = {
    [KILLING] = enter_killing,     [FENCING] = enter_fencing,
    [SETTLING] = enter_settling,   [FINDING] = enter_finding,
    [WAITING] = enter_waiting,     [PEEKING] = enter_peeking,
    [MOVING] = enter_moving,       [GIVING_BACK] = enter_giving_back,
    [LINGERING] = enter_lingering, [LOOKING_AGAIN] = enter_giving_back,
    [OVER] = enter_over,
};

/* The only place that changes a phase. */
static void enter(struct reap *reap, enum phase phase)
{
    reap->phase = phase;
    reap->n_calls = 0;
    enter_phase[phase](reap);
}

static enum phase after_fencing(const struct reap *reap)
{
    if (reap->abandoned)
        return OVER;
    return reap->has_page ? SETTLING : FINDING;
}

static enum phase next_blame(struct reap *reap)
{
    return ++reap->blame < reap->blames.n_items ? PEEKING : GIVING_BACK;
}

/* Every call of this phase is answered. */
static void advance(struct reap *reap)
{
    switch (reap->phase) {
    case FENCING:
        enter(reap, after_fencing(reap));
        break;
    case SETTLING:
    case FINDING:
        enter(reap, WAITING);
        break;
    case PEEKING:
        enter(reap, reap->move.kind == MR_MOVE_NONE ? next_blame(reap) : MOVING);
        break;
    case MOVING:
        enter(reap, next_blame(reap));
        break;
    case GIVING_BACK:
        enter(reap, LINGERING);
        break;
    default:
        enter(reap, OVER);
    }
}

/* ---- who asks ---- */

static struct reap *begin(struct mr_reaper *reaper, const char *worker, unsigned n_queues)
{
    struct reap *reap = mr_zalloc(sizeof(*reap));

    *reap = (struct reap){
        .reaper = reaper, .n_names = mr_worker_names(worker), .began_at_ms = mr_clock_ms()};
    snprintf(reap->worker, sizeof(reap->worker), "%s", worker);
    reap->queues = mr_zalloc_array(n_queues + 1, sizeof(struct mr_queue *));
    uv_timer_init(reaper->loop, &reap->timer);
    reap->timer.data = reap;
    mr_list_push_back(&reaper->reaps, &reap->node);
    reaper->holders++;
    return reap;
}

/* A page that speaks of other queues or names than its worker has is as good as lost. */
static bool page_is_usable(const struct reap *reap)
{
    const struct mr_page_header *header = reap->child->page.header;

    return header && header->shape.n_queues == reap->n_queues &&
           header->shape.n_names <= reap->n_names;
}

void mr_reaper_child(struct mr_reaper *reaper, struct mr_child *child,
                     void (*on_done)(void *arg, struct mr_child *child), void *arg)
{
    struct reap *reap = begin(reaper, child->worker, child->n_queues);

    reap->child = child;
    reap->done = on_done;
    reap->arg = arg;
    for (unsigned i = 0; i < child->n_queues; i++) {
        struct mr_queue *queue = mr_queues_add(reaper->queues, child->queues[i], false);

        if (queue)
            reap->queues[reap->n_queues++] = queue;
    }
    reap->has_page = page_is_usable(reap);
    enter(reap, KILLING);
}

static bool is_under_way(const struct reap *reap)
{
    return reap->phase < LINGERING;
}

static bool reaps_queue(const struct reap *reap, const struct mr_queue *queue)
{
    for (unsigned i = 0; i < reap->n_queues; i++)
        if (reap->queues[i] == queue)
            return true;
    return false;
}

void mr_reaper_stranger(struct mr_reaper *reaper, struct mr_queue *queue, const char *worker,
                        const char *seen)
{
    mr_list_each (node, &reaper->reaps) {
        const struct reap *reap = mr_list_entry(node, struct reap, node);

        if (is_under_way(reap) && strcmp(reap->worker, worker) == 0 && reaps_queue(reap, queue))
            return;
    }
    struct reap *reap = begin(reaper, worker, 1);

    reap->queues[reap->n_queues++] = queue;
    reap->seen = mr_strdup(seen);
    enter(reap, FENCING);
}

bool mr_reaper_busy_with(const struct mr_reaper *reaper, const char *worker)
{
    mr_list_each (node, &reaper->reaps) {
        const struct reap *reap = mr_list_entry(node, struct reap, node);

        if (is_under_way(reap) && strcmp(reap->worker, worker) == 0)
            return true;
    }
    return false;
}

/* ---- life ---- */

enum mr_code mr_reaper_new(uv_loop_t *loop, struct mr_store *store, struct mr_queues *queues,
                           const struct mr_config *config, struct mr_reaper **out)
{
    struct mr_reaper *reaper = mr_zalloc(sizeof(*reaper));
    size_t size = sizeof(reaper->host);

    *reaper = (struct mr_reaper){
        .loop = loop, .store = store, .queues = queues, .config = config, .holders = 1};
    if (uv_os_gethostname(reaper->host, &size) != 0)
        snprintf(reaper->host, sizeof(reaper->host), "localhost");
    mr_random_seed(&reaper->random);
    mr_list_init(&reaper->reaps);
    uv_timer_init(loop, &reaper->again);
    reaper->again.data = reaper;
    *out = reaper;
    return MR_OK;
}

struct mr_reaper_stats mr_reaper_stats(const struct mr_reaper *reaper)
{
    return reaper->stats;
}

void mr_reaper_set_config(struct mr_reaper *reaper, const struct mr_config *config)
{
    reaper->config = config;
}

static void on_again_closed(uv_handle_t *handle)
{
    struct mr_reaper *reaper = handle->data;

    if (reaper->on_stopped)
        reaper->on_stopped(reaper->arg);
    let_go_of_reaper(reaper);
}

void mr_reaper_stop(struct mr_reaper *reaper, void (*on_stopped)(void *arg), void *arg)
{
    reaper->stopped = true;
    reaper->on_stopped = on_stopped;
    reaper->arg = arg;
    mr_list_each_safe (node, &reaper->reaps)
        close_reap(mr_list_entry(node, struct reap, node));
    uv_close((uv_handle_t *)&reaper->again, on_again_closed);
}
