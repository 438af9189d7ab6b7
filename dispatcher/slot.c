#include "dispatcher/slot.h"

#include "dispatcher/dispatcher.h"
#include "dispatcher/ending.h"
#include "dispatcher/orphans.h"
#include "dispatcher/pages.h"
#include "dispatcher/patience.h"
#include "dispatcher/pool.h"
#include "dispatcher/spawn.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"
#include "proto/base/random.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

enum {
    READY_WAIT_MS = 10000, /* from spawn to 'r' */
    STOP_SLACK_MS = 5000,  /* beyond grace, before SIGKILL */
    HURRY_MS = 1000,
    DIE_WAIT_MS = 10000, /* after SIGKILL; then it is left to itself */
    STUCK_LOOK_MS = 100, /* how often we look whether the neighbours are through */
    PROVEN_MS = 5000,    /* served so long: its end is no failure to start */
};

enum event {
    START,      /* the pool wants a worker here */
    REGISTERED, /* Redis knows the incarnation */
    REFUSED,    /* it does not, and we shall not wait for it */
    READY,      /* 'r' */
    LEAVING,    /* 'd': it drains by itself */
    STUCK,      /* 'h': one of its jobs ignores its deadline */
    EXITED,
    TIMER,
    DRAIN, /* told to stop */
    STALE, /* its loop stands still */
    EVENTS
};

struct mr_slot {
    struct mr_pool *pool;
    unsigned number, generation, failures;
    enum mr_slot_state state;
    uint64_t since_ms;
    bool retiring;
    struct mr_child *child;
    struct mr_spawn *process;
    uv_timer_t timer; /* what it means follows from the state */
    uint64_t born_at_ms;
    int status;  /* of the exit being handled */
    bool served; /* this worker said ready, */
    uint64_t served_at_ms;
    bool asked; /* was told to stop, */
    bool stuck; /* and is to be killed as soon as its neighbours are through */
    uint64_t kill_at_ms;
    uint64_t beat_ms, beat_seen_at_ms; /* of its loop, and when we saw it change */
};

typedef void slot_action(struct mr_slot *slot);

static void handle(struct mr_slot *slot, enum event event);

#define slot_log(level, slot, event, format, ...)                                              \
    mr_log(level, "slot." event, "pool=%s slot=%u worker=%s pid=%d " format,                   \
           (slot)->pool->name, (slot)->number, (slot)->child ? (slot)->child->worker : "-",    \
           (slot)->child ? (int)(slot)->child->pid : 0, __VA_ARGS__)

static struct mr_dispatcher *owner(const struct mr_slot *slot)
{
    return slot->pool->dispatcher;
}

/* The only place that changes the state. What was timed belonged to the old one. */
static void enter(struct mr_slot *slot, enum mr_slot_state state)
{
    slot_log(MR_LOG_DEBUG, slot, "state", "from=%s to=%s", mr_slot_state_name(slot->state),
             mr_slot_state_name(state));
    uv_timer_stop(&slot->timer);
    slot->state = state;
    slot->since_ms = mr_clock_ms();
}

static void on_timer(uv_timer_t *timer)
{
    handle(timer->data, TIMER);
}

static void arm(struct mr_slot *slot, uint64_t wait_ms)
{
    uv_timer_start(&slot->timer, on_timer, wait_ms, 0);
}

/* ---- beginning ---- */

static void back_off(struct mr_slot *slot, enum mr_ending ending)
{
    uint32_t roll = mr_random_u32(&slot->pool->random);

    slot->failures++;
    enter(slot, MR_SLOT_BACKING_OFF);
    arm(slot, mr_ending_wait_ms(ending, slot->failures, roll));
}

static void on_registered(void *arg, enum mr_code code)
{
    handle(arg, code == MR_OK ? REGISTERED : REFUSED);
}

static void begin(struct mr_slot *slot)
{
    struct mr_dispatcher *dispatcher = owner(slot);
    const struct mr_pool_config *pool = mr_config_pool(dispatcher->config, slot->pool->name);
    struct mr_err err = {.text = "the pool left the configuration"};

    slot->served = slot->asked = slot->stuck = false;
    slot->status = 0;
    slot->generation = slot->pool->generation;
    if (!pool || mr_pages_make(dispatcher->runtime_dir, pool, &slot->child, &err) != MR_OK) {
        slot_log(MR_LOG_ERROR, slot, "no_page", "reason=%s", err.text);
        back_off(slot, MR_ENDING_FAILED);
        return;
    }
    enter(slot, MR_SLOT_REGISTERING);
    mr_list_push_back(&dispatcher->children, &slot->child->node);
    mr_renew_register(dispatcher->renew, slot->child, on_registered, slot);
}

/* Redis is away, or was away before every queue knew of it; what one of them knows, the audit finds. The pool tries again when Redis is there. */
static void give_up(struct mr_slot *slot)
{
    mr_dispatcher_forget(owner(slot), slot->child);
    slot->child = NULL;
    enter(slot, MR_SLOT_EMPTY);
}

static void reap(struct mr_slot *slot, int status)
{
    struct mr_child *child = slot->child;

    slot->child = NULL;
    mr_spawn_free(slot->process);
    slot->process = NULL;
    child->status = status;
    mr_dispatcher_reap(owner(slot), child);
}

static void on_word(void *arg, char word)
{
    if (word == 'r')
        handle(arg, READY);
    else if (word == 'd')
        handle(arg, LEAVING);
    else if (word == 'h')
        handle(arg, STUCK);
}

static void on_process_exit(void *arg, int status)
{
    struct mr_slot *slot = arg;

    slot->status = status;
    handle(slot, EXITED);
}

static enum mr_code start_process(struct mr_slot *slot, struct mr_err *err)
{
    struct mr_dispatcher *dispatcher = owner(slot);
    const struct mr_pool_config *pool = mr_config_pool(dispatcher->config, slot->pool->name);
    struct mr_spawn_events events = {on_word, on_process_exit, slot};
    struct mr_buf config = {0};

    slot->child->one_by_one = mr_careful_is_on(&slot->pool->careful);
    mr_config_print(dispatcher->config, true, &config);
    struct mr_spawn_plan spawn = {
        .program = dispatcher->worker_program,
        .pool = slot->pool->name,
        .worker = slot->child->worker,
        .config = {config.at, config.len},
        .page_fd = slot->child->page_fd,
        .nice = pool ? pool->nice : 0,
        .one_by_one = slot->child->one_by_one,
    };
    enum mr_code code = mr_spawn_start(dispatcher->loop, &spawn, &events, &slot->process, err);
    if (config.len)
        explicit_bzero(config.at, config.len);
    mr_buf_fini(&config);
    return code;
}

static void spawn(struct mr_slot *slot)
{
    struct mr_err err;

    if (start_process(slot, &err) != MR_OK) {
        slot_log(MR_LOG_ERROR, slot, "spawn_failed", "reason=%s", err.text);
        slot->pool->exits_failed++;
        reap(slot, 0);
        back_off(slot, MR_ENDING_FAILED);
        return;
    }
    slot->child->pid = mr_spawn_pid(slot->process);
    slot->born_at_ms = mr_clock_ms();
    slot->pool->starts++;
    enter(slot, MR_SLOT_STARTING);
    slot_log(MR_LOG_INFO, slot, "started", "generation=%u", slot->generation);
    arm(slot, READY_WAIT_MS);
}

static void serve(struct mr_slot *slot)
{
    slot->served = true;
    slot->served_at_ms = slot->beat_seen_at_ms = mr_clock_ms();
    slot->beat_ms = 0;
    enter(slot, MR_SLOT_SERVING);
    slot_log(MR_LOG_INFO, slot, "serving", "generation=%u", slot->generation);
}

/* ---- stopping ---- */

static void ask_to_stop(struct mr_slot *slot)
{
    uint64_t wait_ms = owner(slot)->config->grace_ms + STOP_SLACK_MS;

    if (slot->asked)
        return;
    if (slot->state != MR_SLOT_DRAINING)
        enter(slot, MR_SLOT_DRAINING);
    slot->asked = true;
    slot->stuck = false; /* the neighbours have our grace, not their own deadlines, from now */
    slot->kill_at_ms = mr_clock_ms() + wait_ms;
    if (slot->process)
        mr_spawn_ask_to_stop(slot->process);
    arm(slot, wait_ms);
}

/* Registration is on its way: what Redis says decides whether there is anything to reap. */
static void stop_unborn(struct mr_slot *slot)
{
    enter(slot, MR_SLOT_DRAINING);
    slot->asked = true;
}

static void reap_unborn(struct mr_slot *slot)
{
    reap(slot, 0);
    enter(slot, MR_SLOT_EMPTY);
}

/* There is a process, and it has not been killed yet. */
static bool is_running(const struct mr_slot *slot)
{
    return slot->process && !slot->child->killed_by_us;
}

/* Whether it did something, or lived long enough: its end is then no failure to start. */
static bool is_proven(const struct mr_slot *slot)
{
    if (!slot->served || !slot->child)
        return false;
    return atomic_load(&slot->child->page.header->finished) > 0 ||
           mr_clock_ms() - slot->served_at_ms >= PROVEN_MS;
}

/* It ends by itself once its jobs are through; a replacement starts beside it unless that would spin. */
static void let_leave(struct mr_slot *slot)
{
    uint64_t slack_ms = owner(slot)->config->grace_ms + STOP_SLACK_MS;
    uint64_t now_ms = mr_clock_ms();

    slot->retiring = slot->retiring || is_proven(slot);
    enter(slot, MR_SLOT_DRAINING);
    slot->kill_at_ms = mr_patience_until_ms(&slot->child->page, now_ms) + slack_ms;
    arm(slot, slot->kill_at_ms - now_ms);
}

/* One job ignores its deadline: its neighbours may finish theirs, then the process is killed for it. */
static void wait_for_neighbours(struct mr_slot *slot)
{
    uint64_t now_ms = mr_clock_ms();

    slot->retiring = true;
    if (slot->asked) /* then the grace we gave counts for all */
        return;
    if (slot->state != MR_SLOT_DRAINING)
        enter(slot, MR_SLOT_DRAINING);
    slot->stuck = true;
    slot->kill_at_ms =
        mr_patience_until_ms(&slot->child->page, now_ms) + owner(slot)->config->grace_ms;
    slot_log(MR_LOG_WARN, slot, "stuck", "wait_ms=%llu",
             (unsigned long long)(slot->kill_at_ms - now_ms));
    arm(slot, STUCK_LOOK_MS);
}

static void kill_it(struct mr_slot *slot, const char *why)
{
    slot_log(MR_LOG_WARN, slot, "killed", "reason=%s", why);
    slot->child->killed_by_us = true;
    mr_child_kill(slot->child);
    arm(slot, DIE_WAIT_MS);
}

/* The worker is gone from the slot and had done nothing to speak of: what comes next. */
static void leave_empty_or_back_off(struct mr_slot *slot, enum mr_ending ending)
{
    if (slot->retiring)
        enter(slot, MR_SLOT_EMPTY);
    else
        back_off(slot, ending);
}

/* SIGKILL does not end it (a dead disk holds it): the orphans' watch has more patience than a slot. */
static void abandon(struct mr_slot *slot)
{
    slot_log(MR_LOG_ERROR, slot, "will_not_die", "waited_ms=%d", DIE_WAIT_MS);
    slot->pool->exits_killed++;
    mr_spawn_free(slot->process);
    slot->process = NULL;
    mr_orphans_add(owner(slot)->orphans, slot->child);
    slot->child = NULL;
    leave_empty_or_back_off(slot, MR_ENDING_KILLED);
}

static const char *why_overdue(const struct mr_slot *slot)
{
    if (slot->stuck)
        return "a job ignores its deadline";
    return slot->state == MR_SLOT_STARTING ? "not ready in time" : "did not stop in time";
}

static void overdue(struct mr_slot *slot)
{
    if (slot->child->killed_by_us)
        abandon(slot);
    else if (slot->stuck && mr_clock_ms() < slot->kill_at_ms &&
             mr_patience_is_needed(&slot->child->page))
        arm(slot, STUCK_LOOK_MS);
    else
        kill_it(slot, why_overdue(slot));
}

/* Its loop stands still: what the loop was in is the culprit, and has had a lease's time. */
static void kill_stale(struct mr_slot *slot)
{
    struct mr_page *page = &slot->child->page;
    uint32_t place = atomic_load(&page->current[0]);

    if (place < page->shape.n_places)
        page->places[place].timed_out = 1;
    slot->retiring = true;
    if (slot->state != MR_SLOT_DRAINING)
        enter(slot, MR_SLOT_DRAINING);
    kill_it(slot, "its loop stands still");
}

/* ---- the end ---- */

static const struct {
    enum mr_log_level level;
    size_t counter; /* offset in struct mr_pool */
} endings[MR_ENDINGS] = {
    [MR_ENDING_CLEAN] = {MR_LOG_INFO,  offsetof(struct mr_pool, exits_clean)   },
    [MR_ENDING_RECYCLED] = {MR_LOG_INFO,  offsetof(struct mr_pool, exits_recycled)},
    [MR_ENDING_FENCED] = {MR_LOG_WARN,  offsetof(struct mr_pool, exits_fenced)  },
    [MR_ENDING_CRASHED] = {MR_LOG_WARN,  offsetof(struct mr_pool, exits_crashed) },
    [MR_ENDING_KILLED] = {MR_LOG_WARN,  offsetof(struct mr_pool, exits_killed)  },
    [MR_ENDING_FAILED] = {MR_LOG_WARN,  offsetof(struct mr_pool, exits_failed)  },
    [MR_ENDING_CONFIG] = {MR_LOG_ERROR, offsetof(struct mr_pool, exits_config)  },
};

static void count_ending(const struct mr_slot *slot, enum mr_ending ending)
{
    int status = slot->status;

    ++*(uint64_t *)((char *)slot->pool + endings[ending].counter);
    slot_log(endings[ending].level, slot, "exited",
             "cause=%s status=%d signal=%d lived_ms=%llu", mr_ending_name(ending),
             WIFEXITED(status) ? WEXITSTATUS(status) : -1,
             WIFSIGNALED(status) ? WTERMSIG(status) : 0,
             (unsigned long long)(mr_clock_ms() - slot->born_at_ms));
}

static void end(struct mr_slot *slot)
{
    const struct mr_exit its = {.status = slot->status,
                                .served = slot->served,
                                .asked = slot->asked,
                                .killed_by_us = slot->child->killed_by_us};
    enum mr_ending ending = mr_ending_of(&its);
    bool again_at_once = !slot->retiring && ending != MR_ENDING_CONFIG && is_proven(slot);

    count_ending(slot, ending);
    mr_careful_look(&slot->pool->careful, slot->child); /* before the next one begins */
    reap(slot, slot->status);
    if (again_at_once) {
        slot->failures = 0;
        begin(slot);
    } else {
        leave_empty_or_back_off(slot, ending);
    }
}

static void stay_empty(struct mr_slot *slot)
{
    enter(slot, MR_SLOT_EMPTY);
}

static void none(struct mr_slot *slot)
{
    (void)slot;
}

/* clang-format off */
static slot_action *const actions[MR_SLOT_STATES][EVENTS] = {
    /*                        START  REGISTERED   REFUSED  READY  LEAVING    STUCK                EXITED TIMER    DRAIN        STALE */
    [MR_SLOT_EMPTY]       = { begin, none,        none,    none,  none,      none,                none,  none,    none,        none },
    [MR_SLOT_REGISTERING] = { none,  spawn,       give_up, none,  none,      none,                none,  none,    stop_unborn, none },
    [MR_SLOT_STARTING]    = { none,  none,        none,    serve, none,      none,                end,   overdue, ask_to_stop, none },
    [MR_SLOT_SERVING]     = { none,  none,        none,    none,  let_leave, wait_for_neighbours, end,   none,    ask_to_stop, kill_stale },
    [MR_SLOT_DRAINING]    = { none,  reap_unborn, give_up, none,  none,      wait_for_neighbours, end,   overdue, ask_to_stop, kill_stale },
    [MR_SLOT_BACKING_OFF] = { none,  none,        none,    none,  none,      none,                none,  begin,   stay_empty,  none },
};
/* clang-format on */

/* The pool looks last: it may free the slot (its memory stays until the loop turns). */
static void handle(struct mr_slot *slot, enum event event)
{
    actions[slot->state][event](slot);
    mr_pool_balance(slot->pool);
}

/* ---- outside ---- */

const char *mr_slot_state_name(enum mr_slot_state state)
{
    static const char *const names[MR_SLOT_STATES] = {"empty",   "registering", "starting",
                                                      "serving", "draining",    "backing_off"};

    return (unsigned)state < MR_SLOT_STATES ? names[state] : "state?";
}

enum mr_slot_state mr_slot_state(const struct mr_slot *slot)
{
    return slot->state;
}

const struct mr_child *mr_slot_child(const struct mr_slot *slot)
{
    return slot->child;
}

uint64_t mr_slot_since_ms(const struct mr_slot *slot)
{
    return slot->since_ms;
}

unsigned mr_slot_failures(const struct mr_slot *slot)
{
    return slot->failures;
}

unsigned mr_slot_number(const struct mr_slot *slot)
{
    return slot->number;
}

unsigned mr_slot_generation(const struct mr_slot *slot)
{
    return slot->generation;
}

bool mr_slot_is_retiring(const struct mr_slot *slot)
{
    return slot->retiring;
}

struct mr_slot *mr_slot_new(struct mr_pool *pool, unsigned number)
{
    struct mr_slot *slot = mr_zalloc(sizeof(*slot));

    slot->pool = pool;
    slot->number = number;
    slot->generation = pool->generation;
    slot->since_ms = mr_clock_ms();
    uv_timer_init(pool->dispatcher->loop, &slot->timer);
    slot->timer.data = slot;
    return slot;
}

void mr_slot_start(struct mr_slot *slot)
{
    if (!slot->retiring)
        handle(slot, START);
}

void mr_slot_retire(struct mr_slot *slot)
{
    slot->retiring = true;
    handle(slot, DRAIN);
}

bool mr_slot_cancel(struct mr_slot *slot, const char *uuid)
{
    return slot->process && mr_spawn_cancel(slot->process, uuid);
}

void mr_slot_hurry(struct mr_slot *slot)
{
    if (slot->state != MR_SLOT_DRAINING || !is_running(slot))
        return;
    slot->stuck = false;
    slot->kill_at_ms = mr_clock_ms() + HURRY_MS;
    arm(slot, HURRY_MS);
}

void mr_slot_look(struct mr_slot *slot, uint64_t now_ms, bool late)
{
    if ((slot->state != MR_SLOT_SERVING && slot->state != MR_SLOT_DRAINING) ||
        !is_running(slot))
        return;
    mr_careful_look(&slot->pool->careful, slot->child);
    if (slot->failures && is_proven(slot)) {
        slot->failures = 0;
        mr_pool_balance(slot->pool);
    }
    uint64_t beat_ms = atomic_load(&slot->child->page.header->beat_ms);
    if (late || beat_ms != slot->beat_ms) {
        slot->beat_ms = beat_ms;
        slot->beat_seen_at_ms = now_ms;
    } else if (now_ms - slot->beat_seen_at_ms >= owner(slot)->config->lease_ms) {
        handle(slot, STALE);
    }
}

static void on_closed(uv_handle_t *timer)
{
    free(timer->data);
}

void mr_slot_free(struct mr_slot *slot)
{
    uv_close((uv_handle_t *)&slot->timer, on_closed);
}
