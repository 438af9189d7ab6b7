#include "dispatcher/renew.h"

#include "dispatcher/process.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TICKS_A_LEASE = 5, TRUST_PART = 3, STALE_LEASES = 2, ASK_AGAIN_MS = 200 };

struct mr_renew {
    uv_loop_t *loop;
    struct mr_store *store;
    struct mr_queues *queues;
    struct mr_list *children;
    uint64_t lease_ms;
    uv_timer_t tick;
    struct mr_list registrations;
    struct round *round;                        /* NULL: every answer of the last one is in */
    uint64_t trusted_since_ms, last_success_ms; /* monotonic; when that write was sent */
    bool complained;                            /* of a renewal that failed */
    bool stopped;                               /* answers still owed change nothing any more */
    void (*on_stopped)(void *arg);
    void *arg;
    unsigned holders; /* the open timer, a round, each registration: the last one frees */
};

static void let_go(struct mr_renew *renew)
{
    if (--renew->holders == 0)
        free(renew);
}

/* ---- renewal: a round is one RENEW per queue, all sent in the same turn ---- */

struct renewed {
    char worker[MR_WORKER_MAX];
    unsigned owed; /* queues that have not confirmed it yet */
};

struct round {
    struct mr_renew *renew;
    uint64_t sent_at_ms;
    struct renewed *workers;
    unsigned n_workers;
    unsigned owed;           /* answers */
    bool confirmed, refused; /* some write succeeded; writes do not work */
    bool failed;             /* some queue did not answer as it should */
};

/* One RENEW of a round: which of its workers it named. */
struct call {
    struct round *round;
    struct mr_queue *queue;
    unsigned *named; /* indexes into round->workers */
    unsigned n_named;
};

/* Its loop has not turned for so long that "alive" has no meaning left. */
static bool is_stale(const struct mr_renew *renew, const struct mr_child *child)
{
    uint64_t beat_ms = child->page.header ? atomic_load(&child->page.header->beat_ms) : 0;

    return beat_ms > 0 && mr_clock_ms() > beat_ms + STALE_LEASES * renew->lease_ms;
}

/* A stopped process is not living: nobody must keep its jobs for it. */
static bool is_renewed(const struct mr_renew *renew, const struct mr_child *child)
{
    if (!child->registered || child->dead || child->orphan || is_stale(renew, child))
        return false;
    return child->pid <= 0 || !mr_process_is_stopped(child->pid);
}

static bool serves(const struct mr_child *child, const char *queue)
{
    for (unsigned i = 0; i < child->n_queues; i++)
        if (strcmp(child->queues[i], queue) == 0)
            return true;
    return false;
}

static struct mr_child *find_child(const struct mr_renew *renew, const char *worker)
{
    mr_list_each (node, renew->children) {
        struct mr_child *child = mr_list_entry(node, struct mr_child, node);

        if (strcmp(child->worker, worker) == 0)
            return child;
    }
    return NULL;
}

static void fence(struct mr_renew *renew, const char *worker, const char *queue)
{
    struct mr_child *child = find_child(renew, worker);

    if (!child || !child->page.header || atomic_exchange(&child->page.header->fenced, 1) != 0)
        return;
    mr_log_warn("renew.fenced", "worker=%s pool=%s queue=%s pid=%d", worker, child->pool, queue,
                (int)child->pid);
}

static void stamp(struct mr_renew *renew, const char *worker, uint64_t sent_at_ms)
{
    struct mr_child *child = find_child(renew, worker);

    if (child && child->page.header)
        atomic_store(&child->page.header->renewed_at_ms, sent_at_ms);
}

static bool is_among(const char *worker, const redisReply *missing)
{
    for (size_t i = 0; i < missing->elements; i++)
        if (missing->element[i]->type == REDIS_REPLY_STRING &&
            strcmp(missing->element[i]->str, worker) == 0)
            return true;
    return false;
}

/* The stamp is the time of sending, and counts only once every queue of the worker has said yes. */
static void take_missing(struct call *call, const redisReply *missing)
{
    struct round *round = call->round;

    for (unsigned i = 0; i < call->n_named; i++) {
        struct renewed *renewed = &round->workers[call->named[i]];

        if (is_among(renewed->worker, missing))
            fence(round->renew, renewed->worker, call->queue->keys.name);
        else if (--renewed->owed == 0)
            stamp(round->renew, renewed->worker, round->sent_at_ms);
    }
}

/* An interval between two successful writes is trusted if it is short: no outage, no pause, no sleep of ours hides in it. */
static void extend_trust(struct mr_renew *renew, uint64_t sent_at_ms)
{
    if (sent_at_ms - renew->last_success_ms > renew->lease_ms / TRUST_PART)
        renew->trusted_since_ms = sent_at_ms;
    renew->last_success_ms = sent_at_ms;
}

static void end_round(struct round *round)
{
    struct mr_renew *renew = round->renew;

    if (renew->round == round)
        renew->round = NULL;
    if (!round->failed)
        renew->complained = false;
    if (round->confirmed && !round->refused)
        extend_trust(renew, round->sent_at_ms);
    free(round->workers);
    free(round);
    let_go(renew);
}

/* Once, until a round has gone well again. */
static void complain(struct mr_renew *renew, const struct mr_queue *queue, enum mr_code code)
{
    if (!renew->complained)
        mr_log_warn("renew.failed", "queue=%s code=%s", queue->keys.name, mr_code_name(code));
    renew->complained = true;
}

static void on_renewed(void *arg, enum mr_code code, const redisReply *reply)
{
    struct call *call = arg;
    struct round *round = call->round;

    if (round->renew->stopped) {
        round->refused = true;
    } else if (code == MR_OK && reply->type == REDIS_REPLY_ARRAY) {
        round->confirmed = true;
        take_missing(call, reply);
    } else {
        /* A key of a wrong type spoils its own queue; anything else says that writes do not work. */
        round->refused = round->refused || code != MR_EFAULT;
        round->failed = true;
        complain(round->renew, call->queue, code);
    }
    free(call->named);
    free(call);
    if (--round->owed == 0)
        end_round(round);
}

static void send_renewal(struct round *round, struct mr_queue *queue, const unsigned *named,
                         unsigned n_named)
{
    struct call *call = mr_zalloc(sizeof(*call));
    const char **workers = mr_zalloc_array(n_named + 1, sizeof(*workers));

    *call = (struct call){.round = round, .queue = queue, .n_named = n_named};
    call->named = mr_zalloc_array(n_named + 1, sizeof(*call->named));
    for (unsigned i = 0; i < n_named; i++) {
        call->named[i] = named[i];
        workers[i] = round->workers[named[i]].worker;
    }
    if (mr_store_renew(round->renew->store, &queue->keys, workers, n_named,
                       round->renew->lease_ms, on_renewed, call) == MR_OK) {
        round->owed++;
    } else {
        round->refused = true;
        free(call->named);
        free(call);
    }
    free(workers);
}

static void list_workers(struct round *round)
{
    struct mr_renew *renew = round->renew;

    mr_list_each (node, renew->children) {
        const struct mr_child *child = mr_list_entry(node, struct mr_child, node);

        if (!is_renewed(renew, child))
            continue;
        round->workers =
            mr_realloc(round->workers, (round->n_workers + 1) * sizeof(*round->workers));
        struct renewed *renewed = &round->workers[round->n_workers++];

        *renewed = (struct renewed){.owed = child->n_queues};
        snprintf(renewed->worker, sizeof(renewed->worker), "%s", child->worker);
    }
}

static unsigned name_workers(const struct round *round, const char *queue, unsigned *named)
{
    unsigned n_named = 0;

    for (unsigned i = 0; i < round->n_workers; i++) {
        const struct mr_child *child = find_child(round->renew, round->workers[i].worker);

        if (child && serves(child, queue))
            named[n_named++] = i;
    }
    return n_named;
}

static void send_renewals(struct round *round)
{
    const struct mr_queues *queues = round->renew->queues;
    unsigned *named = mr_zalloc_array(round->n_workers + 1, sizeof(*named));

    for (unsigned i = 0; i < queues->n_items; i++) {
        unsigned n_named = name_workers(round, queues->items[i]->keys.name, named);

        if (n_named > 0)
            send_renewal(round, queues->items[i], named, n_named);
    }
    /*
     * Nobody to renew: the same script with an empty list. It writes nothing, but Redis refuses a script that may write
     * wherever it refuses writes (replica, failed disk, too few replicas, paused, loading), so the answer still proves
     * that others' renewals could get through.
     */
    if (round->n_workers == 0 && queues->n_items > 0)
        send_renewal(round, queues->items[0], NULL, 0);
    free(named);
}

static void on_tick(uv_timer_t *timer)
{
    struct mr_renew *renew = timer->data;

    if (renew->round || !mr_store_is_ready(renew->store))
        return;
    struct round *round = mr_zalloc(sizeof(*round));

    *round = (struct round){.renew = renew, .sent_at_ms = mr_clock_ms(), .owed = 1};
    renew->round = round;
    renew->holders++;
    list_workers(round);
    send_renewals(round);
    if (--round->owed == 0)
        end_round(round);
}

uint64_t mr_renew_trusted_since_ms(const struct mr_renew *renew)
{
    if (renew->last_success_ms == 0 ||
        mr_clock_ms() - renew->last_success_ms > renew->lease_ms / TRUST_PART)
        return 0;
    return renew->trusted_since_ms;
}

/* ---- registration ---- */

struct registration {
    struct mr_renew *renew;
    struct mr_list node;
    struct mr_child *child;
    void (*done)(void *arg, enum mr_code code); /* NULL once the caller was answered */
    void *arg;
    uint64_t sent_at_ms; /* of the first attempt: the lease may run since then */
    bool *answered;      /* per queue of the child */
    unsigned n_queues;
    unsigned owed;      /* answers */
    enum mr_code worst; /* of this attempt */
    uv_timer_t again;
};

/* What one REGISTER answers for. */
struct entry {
    struct registration *registration;
    unsigned queue;
};

static void on_registration_closed(uv_handle_t *handle)
{
    struct registration *registration = handle->data;
    struct mr_renew *renew = registration->renew;

    free(registration->answered);
    free(registration);
    let_go(renew);
}

/* Answers owed keep it: the last of them closes it. */
static void close_registration(struct registration *registration)
{
    if (registration->owed == 0 && !uv_is_closing((uv_handle_t *)&registration->again))
        uv_close((uv_handle_t *)&registration->again, on_registration_closed);
}

/* The only place that answers the caller. */
static void finish(struct registration *registration, enum mr_code code)
{
    void (*done)(void *arg, enum mr_code code) = registration->done;

    registration->done = NULL;
    mr_list_remove(&registration->node);
    uv_timer_stop(&registration->again);
    close_registration(registration);
    if (done && code == MR_OK) {
        /* A registration is the first renewal: the worker may start jobs at once. */
        registration->child->page.header->renewed_at_ms = registration->sent_at_ms;
        registration->child->registered = true;
    }
    if (done)
        done(registration->arg, code);
}

static void register_queues(struct registration *registration);

static void on_again(uv_timer_t *timer)
{
    register_queues(timer->data);
}

static void end_attempt(struct registration *registration)
{
    if (!registration->done) {
        close_registration(registration);
        return;
    }
    if (registration->worst == MR_EREFUSED || registration->worst == MR_EUNKNOWN)
        uv_timer_start(&registration->again, on_again, ASK_AGAIN_MS, 0);
    else
        finish(registration, registration->worst);
}

static void on_registered(void *arg, enum mr_code code, const redisReply *reply)
{
    struct entry *entry = arg;
    struct registration *registration = entry->registration;

    if (code == MR_OK && reply->type == REDIS_REPLY_INTEGER && reply->integer == 0)
        code = MR_EFENCED; /* somebody reaped this incarnation */
    if (code == MR_OK)
        registration->answered[entry->queue] = true;
    else if (registration->worst != MR_EFENCED)
        registration->worst = code;
    free(entry);
    if (--registration->owed == 0)
        end_attempt(registration);
}

static void register_queue(struct registration *registration, unsigned i)
{
    struct mr_renew *renew = registration->renew;
    struct mr_queue *queue = mr_queues_add(renew->queues, registration->child->queues[i], true);
    struct entry *entry = mr_zalloc(sizeof(*entry));
    enum mr_code code = MR_EINVAL;

    *entry = (struct entry){.registration = registration, .queue = i};
    if (queue)
        code = mr_store_register(renew->store, &queue->keys, registration->child->worker,
                                 renew->lease_ms, on_registered, entry);
    if (code == MR_OK) {
        registration->owed++;
        return;
    }
    registration->worst = code;
    free(entry);
}

/* Every queue that has not said yes, in one turn. */
static void register_queues(struct registration *registration)
{
    registration->worst = MR_OK;
    registration->owed = 1;
    for (unsigned i = 0; i < registration->n_queues; i++)
        if (!registration->answered[i])
            register_queue(registration, i);
    if (--registration->owed == 0)
        end_attempt(registration);
}

/* Starts from the loop, so that done never runs inside the call that asked. */
void mr_renew_register(struct mr_renew *renew, struct mr_child *child,
                       void (*done)(void *arg, enum mr_code code), void *arg)
{
    struct registration *registration = mr_zalloc(sizeof(*registration));

    *registration = (struct registration){.renew = renew,
                                          .child = child,
                                          .done = done,
                                          .arg = arg,
                                          .sent_at_ms = mr_clock_ms(),
                                          .n_queues = child->n_queues};
    registration->answered =
        mr_zalloc_array(child->n_queues + 1, sizeof(*registration->answered));
    mr_list_push_back(&renew->registrations, &registration->node);
    renew->holders++;
    uv_timer_init(renew->loop, &registration->again);
    registration->again.data = registration;
    uv_timer_start(&registration->again, on_again, 0, 0);
}

void mr_renew_forget(struct mr_renew *renew, struct mr_child *child)
{
    mr_list_each_safe (node, &renew->registrations) {
        struct registration *registration = mr_list_entry(node, struct registration, node);

        if (registration->child == child)
            finish(registration, MR_EDOWN);
    }
}

/* ---- life ---- */

enum mr_code mr_renew_new(uv_loop_t *loop, struct mr_store *store, struct mr_queues *queues,
                          struct mr_list *children, uint64_t lease_ms, struct mr_renew **out)
{
    struct mr_renew *renew = mr_zalloc(sizeof(*renew));

    *renew = (struct mr_renew){.loop = loop,
                               .store = store,
                               .queues = queues,
                               .children = children,
                               .lease_ms = lease_ms,
                               .holders = 1};
    mr_list_init(&renew->registrations);
    uv_timer_init(loop, &renew->tick);
    renew->tick.data = renew;
    *out = renew;
    return MR_OK;
}

void mr_renew_start(struct mr_renew *renew)
{
    uv_timer_start(&renew->tick, on_tick, 0, renew->lease_ms / TICKS_A_LEASE);
}

void mr_renew_set_lease(struct mr_renew *renew, uint64_t lease_ms)
{
    renew->lease_ms = lease_ms;
    if (uv_is_active((uv_handle_t *)&renew->tick))
        mr_renew_start(renew);
}

static void on_tick_closed(uv_handle_t *handle)
{
    struct mr_renew *renew = handle->data;

    if (renew->on_stopped)
        renew->on_stopped(renew->arg);
    let_go(renew);
}

void mr_renew_stop(struct mr_renew *renew, void (*on_stopped)(void *arg), void *arg)
{
    mr_list_each_safe (node, &renew->registrations)
        finish(mr_list_entry(node, struct registration, node), MR_EDOWN);
    renew->stopped = true;
    renew->on_stopped = on_stopped;
    renew->arg = arg;
    uv_close((uv_handle_t *)&renew->tick, on_tick_closed);
}
