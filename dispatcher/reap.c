#include "dispatcher/reap.h"

#include "dispatcher/process.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    KILL_POLL_MS = 5,
    KILL_WAIT_MS = 2000,
    ASK_AGAIN_MS = 500,
    LOOK_AGAIN_MS = (MR_WAIT_S + 1) * 1000,
    FAULTS_MAX = 6 /* in a row, ASK_AGAIN_MS apart */
};

/* ---- memory ---- */

struct mr_reap *mr_reap_new(struct mr_reaper *reaper, const char *worker, unsigned n_queues)
{
    struct mr_reap *reap = mr_zalloc(sizeof(*reap));

    *reap = (struct mr_reap){
        .reaper = reaper, .n_names = mr_worker_names(worker), .began_at_ms = mr_clock_ms()};
    snprintf(reap->worker, sizeof(reap->worker), "%s", worker);
    reap->queues = mr_zalloc_array(n_queues + 1, sizeof(struct mr_queue *));
    uv_timer_init(reaper->loop, &reap->timer);
    reap->timer.data = reap;
    mr_list_push_back(&reaper->reaps, &reap->node);
    reaper->holders++;
    return reap;
}

/* The timer and every answer still owed point at it. */
static void free_if_unused(struct mr_reap *reap)
{
    struct mr_reaper *reaper = reap->reaper;

    if (!reap->closed || reap->owed > 0)
        return;
    mr_blames_fini(&reap->blames);
    mr_move_fini(&reap->move);
    free(reap->queues);
    free(reap->questions);
    free(reap->seen);
    free(reap);
    mr_reaper_let_go(reaper);
}

static void on_reap_closed(uv_handle_t *handle)
{
    struct mr_reap *reap = handle->data;

    reap->closed = true;
    free_if_unused(reap);
}

void mr_reap_close(struct mr_reap *reap)
{
    mr_list_remove(&reap->node);
    if (reap->reaper->reading == reap)
        reap->reaper->reading = NULL;
    uv_close((uv_handle_t *)&reap->timer, on_reap_closed);
}

const struct mr_blame *mr_reap_in_hand(const struct mr_reap *reap)
{
    return &reap->blames.items[reap->blame];
}

/* ---- asking, and asking again ---- */

static void add_question(struct mr_reap *reap, const struct mr_verb *verb, unsigned queue,
                         unsigned k, unsigned n)
{
    reap->questions =
        mr_realloc(reap->questions, (reap->n_questions + 1) * sizeof(*reap->questions));
    reap->questions[reap->n_questions++] =
        (struct mr_question){.reap = reap, .verb = verb, .queue = queue, .k = k, .n = n};
}

static void on_again(uv_timer_t *timer)
{
    mr_reaper_resume(timer->data);
}

static void stall(struct mr_reap *reap, enum mr_code why)
{
    struct mr_reaper *reaper = reap->reaper;

    reap->stalled = true;
    if (!reap->told)
        mr_log_warn("reaper.waits", "worker=%s for=%s", reap->worker, mr_code_name(why));
    reap->told = true;
    if (!uv_is_active((uv_handle_t *)&reaper->again))
        uv_timer_start(&reaper->again, on_again, ASK_AGAIN_MS, ASK_AGAIN_MS);
}

static void advance(struct mr_reap *reap);

static void end_turn(struct mr_reap *reap, enum mr_code code)
{
    for (unsigned i = 0; i < reap->n_questions; i++)
        if (!reap->questions[i].answered) {
            stall(reap, code);
            return;
        }
    advance(reap);
}

/*
 * One broken key must not keep the worker's other queues from getting their jobs back. What stays behind here the
 * audit finds, when a person has mended it.
 */
static void give_up(struct mr_question *question)
{
    const struct mr_reap *reap = question->reap;

    question->answered = true;
    mr_log_error("reaper.gave_up", "worker=%s queue=%s advice=%s", reap->worker,
                 reap->queues[question->queue]->keys.name,
                 "a key of this queue has a wrong type, or Redis refuses us: see its ACL");
}

void mr_reap_on_answer(void *arg, enum mr_code code, const redisReply *reply)
{
    struct mr_question *question = arg;
    struct mr_reap *reap = question->reap;

    reap->owed--;
    if (reap->reaper->stopped) {
        free_if_unused(reap);
        return;
    }
    /* A wrong type under a lease's name is no lease: there is nothing to settle. */
    if (code == MR_OK || code == MR_EFENCED) {
        question->answered = true;
        question->verb->take(question, code == MR_OK ? reply : NULL);
    }
    if (code == MR_EFAULT && ++question->faults == FAULTS_MAX)
        give_up(question);
    if (reap->owed == 0)
        end_turn(reap, code);
}

void mr_reap_ask(struct mr_reap *reap)
{
    enum mr_code code = MR_OK;

    reap->stalled = false;
    for (unsigned i = 0; i < reap->n_questions; i++) {
        struct mr_question *question = &reap->questions[i];

        if (question->answered)
            continue;
        enum mr_code sent = question->verb->send(question);
        if (sent == MR_OK)
            reap->owed++;
        else
            code = sent;
    }
    if (reap->owed == 0)
        end_turn(reap, code);
}

/* ---- the phases ---- */

static void on_kill_poll(uv_timer_t *timer)
{
    struct mr_reap *reap = timer->data;
    bool gone = mr_process_kill_session(reap->child->pid, !reap->child->orphan);

    if (!gone && mr_clock_ms() < reap->began_at_ms + KILL_WAIT_MS)
        return;
    if (!gone)
        mr_log_warn("reaper.session_remains", "worker=%s session=%d waited_ms=%d", reap->worker,
                    (int)reap->child->pid, KILL_WAIT_MS);
    uv_timer_stop(timer);
    mr_reap_enter(reap, MR_REAP_FENCING);
}

static void enter_killing(struct mr_reap *reap)
{
    if (reap->child && !mr_process_kill_session(reap->child->pid, !reap->child->orphan))
        uv_timer_start(&reap->timer, on_kill_poll, KILL_POLL_MS, KILL_POLL_MS);
    else
        mr_reap_enter(reap, MR_REAP_FENCING);
}

static void enter_fencing(struct mr_reap *reap)
{
    for (unsigned i = 0; i < reap->n_queues; i++)
        add_question(reap, &mr_verb_fence, i, 0, 0);
    mr_reap_ask(reap);
}

static bool has_done(const struct mr_reap *reap, unsigned queue, unsigned k)
{
    struct mr_page_lease *lease = mr_page_lease_of(&reap->child->page, queue, k);

    return atomic_load(&lease->n) > 0 &&
           (atomic_load(&lease->done[0]) | atomic_load(&lease->done[1])) != 0;
}

static void enter_settling(struct mr_reap *reap)
{
    const struct mr_death death = {.status = reap->child->status,
                                   .killed_by_us = reap->child->killed_by_us,
                                   .one_by_one = reap->child->one_by_one};
    const struct mr_page_shape *shape = &reap->child->page.shape;

    mr_blame_decide(&reap->child->page, &death, &reap->blames);
    for (unsigned i = 0; i < reap->n_queues; i++)
        for (unsigned k = 0; k < shape->n_names; k++)
            if (has_done(reap, i, k))
                add_question(reap, &mr_verb_done, i, k, 1);
    mr_reap_ask(reap);
}

static void enter_finding(struct mr_reap *reap)
{
    for (unsigned i = 0; i < reap->n_queues; i++)
        for (unsigned k = 0; k < reap->n_names; k++)
            add_question(reap, &mr_verb_length, i, k, 1);
    mr_reap_ask(reap);
}

/* At most one payload of all reaps is in memory at a time, so they peek in turn. */
static void enter_waiting(struct mr_reap *reap)
{
    if (reap->blame == reap->blames.n_items) {
        mr_reap_enter(reap, MR_REAP_GIVING_BACK);
    } else if (!reap->reaper->reading) {
        reap->reaper->reading = reap;
        mr_reap_enter(reap, MR_REAP_PEEKING);
    }
}

static void call_next_reader(struct mr_reap *reap)
{
    struct mr_reaper *reaper = reap->reaper;

    if (reaper->reading != reap)
        return;
    reaper->reading = NULL;
    mr_move_fini(&reap->move);
    mr_list_each_safe (node, &reaper->reaps) {
        struct mr_reap *next = mr_list_entry(node, struct mr_reap, node);

        if (next->phase == MR_REAP_WAITING && !reaper->reading)
            mr_reap_enter(next, MR_REAP_WAITING);
    }
}

static void enter_peeking(struct mr_reap *reap)
{
    const struct mr_blame *blame = mr_reap_in_hand(reap);

    add_question(reap, &mr_verb_peek, blame->queue, blame->k, 1);
    mr_reap_ask(reap);
}

static void enter_moving(struct mr_reap *reap)
{
    const struct mr_blame *blame = mr_reap_in_hand(reap);

    add_question(reap, &mr_verb_move, blame->queue, blame->k, 1);
    mr_reap_ask(reap);
}

static void enter_giving_back(struct mr_reap *reap)
{
    for (unsigned i = 0; i < reap->n_queues; i++) {
        for (unsigned k = 0; k < reap->n_names; k += MR_REAP_NAMES_A_CALL) {
            unsigned n = reap->n_names - k;

            add_question(reap, &mr_verb_give_back, i, k,
                         n < MR_REAP_NAMES_A_CALL ? n : MR_REAP_NAMES_A_CALL);
        }
        add_question(reap, &mr_verb_close, i, 0, 0);
    }
    call_next_reader(reap);
    mr_reap_ask(reap);
}

static void on_linger_over(uv_timer_t *timer)
{
    mr_reap_enter(timer->data, MR_REAP_LOOKING_AGAIN);
}

static void count(struct mr_reap *reap)
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
static void enter_lingering(struct mr_reap *reap)
{
    struct mr_child *child = reap->child;

    if (child) /* what a waiter was just given stands in no page, but it comes back too */
        child->unexplained = reap->blames.unexplained && reap->n_back > 0;
    count(reap);
    reap->child = NULL;
    uv_timer_start(&reap->timer, on_linger_over, LOOK_AGAIN_MS, 0);
    if (child)
        reap->done(reap->arg, child);
}

static void enter_over(struct mr_reap *reap)
{
    if (reap->n_back > 0)
        mr_log_info("reaper.late", "worker=%s back=%" PRIu64, reap->worker, reap->n_back);
    reap->reaper->stats.jobs_back += reap->n_back;
    mr_reap_close(reap);
}

static void (*const enter_phase[MR_REAP_PHASES])(struct mr_reap *) = {
    [MR_REAP_KILLING] = enter_killing,     [MR_REAP_FENCING] = enter_fencing,
    [MR_REAP_SETTLING] = enter_settling,   [MR_REAP_FINDING] = enter_finding,
    [MR_REAP_WAITING] = enter_waiting,     [MR_REAP_PEEKING] = enter_peeking,
    [MR_REAP_MOVING] = enter_moving,       [MR_REAP_GIVING_BACK] = enter_giving_back,
    [MR_REAP_LINGERING] = enter_lingering, [MR_REAP_LOOKING_AGAIN] = enter_giving_back,
    [MR_REAP_OVER] = enter_over,
};

void mr_reap_enter(struct mr_reap *reap, enum mr_reap_phase phase)
{
    reap->phase = phase;
    reap->n_questions = 0;
    enter_phase[phase](reap);
}

static enum mr_reap_phase after_fencing(const struct mr_reap *reap)
{
    if (reap->abandoned)
        return MR_REAP_OVER;
    return reap->has_page ? MR_REAP_SETTLING : MR_REAP_FINDING;
}

static enum mr_reap_phase next_blame(struct mr_reap *reap)
{
    return ++reap->blame < reap->blames.n_items ? MR_REAP_PEEKING : MR_REAP_GIVING_BACK;
}

/* Every question of this phase is answered. */
static void advance(struct mr_reap *reap)
{
    switch (reap->phase) {
    case MR_REAP_FENCING:
        mr_reap_enter(reap, after_fencing(reap));
        break;
    case MR_REAP_SETTLING:
    case MR_REAP_FINDING:
        mr_reap_enter(reap, MR_REAP_WAITING);
        break;
    case MR_REAP_PEEKING:
        mr_reap_enter(reap,
                      reap->move.kind == MR_MOVE_NONE ? next_blame(reap) : MR_REAP_MOVING);
        break;
    case MR_REAP_MOVING:
        mr_reap_enter(reap, next_blame(reap));
        break;
    case MR_REAP_GIVING_BACK:
        mr_reap_enter(reap, MR_REAP_LINGERING);
        break;
    default:
        mr_reap_enter(reap, MR_REAP_OVER);
    }
}
