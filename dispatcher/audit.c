#include "dispatcher/audit.h"

#include "dispatcher/census.h"
#include "dispatcher/kin.h"
#include "dispatcher/leftovers.h"
#include "dispatcher/scan.h"
#include "dispatcher/watch.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    TICK_MS = 1000,
    NAMES_EVERY = 10, /* ticks between two looks under reaped names and at our children */
    TIDY_EVERY = 60,  /* ticks between two looks at what is old, and at the lock of the scan */
    DEAD_A_CALL = 100,
    SCAN_LOCK_S = 3600
};

#define REAPED_KEEP_MS (24 * 3600 * 1000ull) /* as long as a closed wake name */

struct mr_audit {
    uv_loop_t *loop;
    struct mr_store *store;
    struct mr_queues *queues;
    struct mr_renew *renew;
    struct mr_reaper *reaper;
    const struct mr_config *config;
    struct mr_audit_stats stats;
    struct mr_watch *watches; /* one a queue; the table of queues only grows */
    unsigned n_watches;
    uv_timer_t tick;
    uint64_t ticks;
    unsigned scores_owed; /* answers of the round of scores under way */
    uint64_t scores_asked_at_ms;
    struct mr_kin *kin;
    struct mr_leftovers *leftovers;
    struct mr_scan *scan;
    bool stopped;
    void (*on_stopped)(void *arg);
    void *arg;
    unsigned holders; /* the open timer, answers owed, a scan: the last one frees */
};

static void let_go(struct mr_audit *audit)
{
    if (--audit->holders > 0)
        return;
    for (unsigned i = 0; i < audit->n_watches; i++)
        mr_watch_fini(&audit->watches[i]);
    free(audit->watches);
    free(audit);
}

static void know_queues(struct mr_audit *audit)
{
    unsigned n = audit->queues->n_items;

    if (n == audit->n_watches)
        return;
    audit->watches = mr_realloc(audit->watches, n * sizeof(*audit->watches));
    while (audit->n_watches < n)
        audit->watches[audit->n_watches++] = (struct mr_watch){0};
}

/* One question, about one queue where there is one. */
struct question {
    struct mr_audit *audit;
    unsigned queue;
};

static struct question *new_question(struct mr_audit *audit, unsigned queue)
{
    struct question *question = mr_zalloc(sizeof(*question));

    *question = (struct question){.audit = audit, .queue = queue};
    audit->holders++;
    return question;
}

static void drop(struct question *question)
{
    let_go(question->audit);
    free(question);
}

static struct mr_queue *queue_of(const struct question *question)
{
    return question->audit->queues->items[question->queue];
}

static bool is_count(const struct question *question, enum mr_code code,
                     const redisReply *reply)
{
    return !question->audit->stopped && code == MR_OK && reply->type == REDIS_REPLY_INTEGER;
}

/* ---- scores: who has not been renewed for a full lease of our own clock ---- */

static uint64_t still_ms(const struct mr_audit *audit, const struct mr_sighting *sighting)
{
    return mr_watch_still_ms(sighting, audit->scores_asked_at_ms,
                             mr_renew_trusted_since_ms(audit->renew));
}

/* When most of the fleet looks dead at once, it is more likely that we see badly: one more lease then. */
static uint64_t patience_ms(const struct mr_audit *audit)
{
    unsigned workers = 0, stale = 0;

    for (unsigned i = 0; i < audit->n_watches; i++)
        for (unsigned j = 0; j < audit->watches[i].n_items; j++) {
            workers++;
            stale += still_ms(audit, &audit->watches[i].items[j]) >= audit->config->lease_ms;
        }
    return 2 * stale > workers ? 2 * audit->config->lease_ms : audit->config->lease_ms;
}

static void judge_scores(struct mr_audit *audit)
{
    uint64_t patience = patience_ms(audit);

    audit->stats.rounds++;
    for (unsigned i = 0; i < audit->n_watches; i++)
        for (unsigned j = 0; j < audit->watches[i].n_items; j++) {
            const struct mr_sighting *sighting = &audit->watches[i].items[j];
            uint64_t still = still_ms(audit, sighting);

            if (still < patience || mr_reaper_busy_with(audit->reaper, sighting->worker))
                continue;
            audit->stats.stale_found++;
            mr_log_warn("audit.stale", "worker=%s queue=%s still_ms=%" PRIu64, sighting->worker,
                        audit->queues->items[i]->keys.name, still);
            mr_reaper_stranger(audit->reaper, audit->queues->items[i], sighting->worker,
                               sighting->score);
        }
}

static void on_scores(void *arg, enum mr_code code, const redisReply *reply)
{
    struct question *question = arg;
    struct mr_audit *audit = question->audit;

    audit->scores_owed--;
    if (!audit->stopped && code == MR_OK && reply->type == REDIS_REPLY_ARRAY)
        mr_watch_update(&audit->watches[question->queue], reply, mr_clock_ms());
    else if (!audit->stopped)
        mr_watch_fini(&audit->watches[question->queue]); /* not seen is not standing still */
    if (!audit->stopped && audit->scores_owed == 0)
        judge_scores(audit);
    drop(question);
}

/* All queues in one turn, so that the fleet is judged as a whole. */
static void look_at_scores(struct mr_audit *audit)
{
    if (audit->scores_owed > 0)
        return;
    audit->scores_asked_at_ms = mr_clock_ms();
    for (unsigned i = 0; i < audit->n_watches; i++) {
        struct question *question = new_question(audit, i);

        if (mr_store_workers(audit->store, &audit->queues->items[i]->keys, on_scores,
                             question) == MR_OK)
            audit->scores_owed++;
        else
            drop(question);
    }
}

/* ---- what is old ---- */

static void expire_dead(struct mr_audit *audit, unsigned queue);

static void on_expired(void *arg, enum mr_code code, const redisReply *reply)
{
    struct question *question = arg;

    if (is_count(question, code, reply) && reply->integer > 0) {
        question->audit->stats.dead_expired += (uint64_t)reply->integer;
        mr_log_info("audit.dead_expired", "queue=%s letters=%lld",
                    queue_of(question)->keys.name, reply->integer);
        if (reply->integer >= DEAD_A_CALL)
            expire_dead(question->audit, question->queue);
    }
    drop(question);
}

static void expire_dead(struct mr_audit *audit, unsigned queue)
{
    uint64_t keep_ms = audit->config->dead.keep_ms, now_ms = mr_clock_wall_ms();
    struct question *question = new_question(audit, queue);

    if (keep_ms == 0 || keep_ms >= now_ms ||
        mr_store_dead_expire(audit->store, &queue_of(question)->keys, now_ms - keep_ms,
                             DEAD_A_CALL, on_expired, question) != MR_OK)
        drop(question);
}

void mr_audit_tidy(struct mr_audit *audit)
{
    know_queues(audit);
    for (unsigned i = 0; i < audit->n_watches; i++) {
        expire_dead(audit, i);
        mr_store_forget_reaped(audit->store, &audit->queues->items[i]->keys, REAPED_KEEP_MS,
                               NULL, NULL);
    }
}

/* ---- the great scan ---- */

static void on_scanned(void *arg, bool complete, uint64_t found)
{
    struct mr_audit *audit = arg;

    audit->scan = NULL;
    audit->stats.strangers_found += found;
    if (found > 0)
        mr_log_warn("audit.scanned", "unknown_workers=%" PRIu64 " complete=%d", found,
                    complete);
    let_go(audit);
}

void mr_audit_scan(struct mr_audit *audit)
{
    if (audit->scan || audit->stopped)
        return;
    audit->holders++;
    audit->scan = mr_scan_start(audit->loop, audit->store, audit->queues, on_scanned, audit);
}

static void on_lock(void *arg, enum mr_code code, const redisReply *reply)
{
    struct question *question = arg;

    if (!question->audit->stopped && code == MR_OK && reply->type == REDIS_REPLY_STATUS)
        mr_audit_scan(question->audit);
    drop(question);
}

/* One dispatcher of the fleet an hour: the lock is never let go, it runs out. */
static void try_scan(struct mr_audit *audit)
{
    struct question *question = new_question(audit, 0);
    char key[MR_KEY_MAX], seconds[16];

    mr_key_fleet(mr_store_prefix(audit->store), "scan", key, sizeof(key));
    snprintf(seconds, sizeof(seconds), "%d", SCAN_LOCK_S);
    const char *const words[] = {"SET", key, "1", "NX", "EX", seconds};
    if (mr_store_command(audit->store, on_lock, question, (int)MR_COUNT(words), words, NULL) !=
        MR_OK)
        drop(question);
}

/* ---- life ---- */

void mr_audit_look(struct mr_audit *audit)
{
    know_queues(audit);
    mr_leftovers_look(audit->leftovers);
    mr_kin_look(audit->kin);
}

static void on_tick(uv_timer_t *timer)
{
    struct mr_audit *audit = timer->data;

    if (!mr_store_is_ready(audit->store))
        return;
    know_queues(audit);
    look_at_scores(audit);
    audit->ticks++;
    if (audit->ticks % NAMES_EVERY == 0)
        mr_audit_look(audit);
    if (audit->ticks % TIDY_EVERY == 0) {
        mr_audit_tidy(audit);
        try_scan(audit);
    }
}

enum mr_code mr_audit_new(uv_loop_t *loop, struct mr_store *store, struct mr_queues *queues,
                          struct mr_list *children, struct mr_renew *renew,
                          struct mr_reaper *reaper, const struct mr_config *config,
                          struct mr_audit **out)
{
    struct mr_audit *audit = mr_zalloc(sizeof(*audit));

    *audit = (struct mr_audit){.loop = loop,
                               .store = store,
                               .queues = queues,
                               .kin = mr_kin_new(store, queues, children),
                               .leftovers = mr_leftovers_new(store, queues, reaper),
                               .renew = renew,
                               .reaper = reaper,
                               .config = config,
                               .holders = 1};
    uv_timer_init(loop, &audit->tick);
    audit->tick.data = audit;
    *out = audit;
    return MR_OK;
}

void mr_audit_start(struct mr_audit *audit)
{
    uv_timer_start(&audit->tick, on_tick, TICK_MS, TICK_MS);
}

void mr_audit_set_config(struct mr_audit *audit, const struct mr_config *config)
{
    audit->config = config;
}

struct mr_audit_stats mr_audit_stats(const struct mr_audit *audit)
{
    struct mr_audit_stats stats = audit->stats;

    stats.lists_found += mr_leftovers_found(audit->leftovers);
    stats.strangers_found += mr_kin_found(audit->kin);
    return stats;
}

void mr_audit_refresh_sizes(struct mr_audit *audit, void (*done)(void *arg), void *arg)
{
    mr_census_take(audit->loop, audit->store, audit->queues, done, arg);
}

static void on_tick_closed(uv_handle_t *handle)
{
    struct mr_audit *audit = handle->data;

    if (audit->on_stopped)
        audit->on_stopped(audit->arg);
    let_go(audit);
}

void mr_audit_stop(struct mr_audit *audit, void (*on_stopped)(void *arg), void *arg)
{
    audit->stopped = true;
    audit->on_stopped = on_stopped;
    audit->arg = arg;
    if (audit->scan)
        mr_scan_stop(audit->scan);
    mr_leftovers_stop(audit->leftovers);
    mr_kin_stop(audit->kin);
    uv_close((uv_handle_t *)&audit->tick, on_tick_closed);
}
