/* The questions a reap asks Redis: how each is put, and what its answer changes. */
#include "dispatcher/reap.h"

#include "proto/base/clock.h"
#include "proto/base/mem.h"

#include <stdatomic.h>
#include <string.h>

static const struct mr_queue_keys *keys_of(const struct mr_question *question)
{
    return &question->reap->queues[question->queue]->keys;
}

static void lease_name(const struct mr_question *question, unsigned k, char name[MR_KEY_MAX])
{
    mr_key_lease(keys_of(question), question->reap->worker, k, name, MR_KEY_MAX);
}

static enum mr_code send_fence(struct mr_question *question)
{
    struct mr_reap *reap = question->reap;

    return mr_store_fence(reap->reaper->store, keys_of(question), reap->worker, reap->seen,
                          mr_reap_on_answer, question);
}

static void take_fence(struct mr_question *question, const redisReply *reply)
{
    if (question->reap->seen && reply && reply->type == REDIS_REPLY_INTEGER &&
        reply->integer == 0)
        question->reap->abandoned = true;
}

const struct mr_verb mr_verb_fence = {send_fence, take_fence};

/*
 * The page names finished jobs by their addresses alone. Of a Redis that was started anew since, and may have gone back in time,
 * an address may hold another job: then they are not settled but run again.
 */
static bool page_is_of_this_run(const struct mr_reap *reap)
{
    const char *ours = mr_store_run(reap->reaper->store);
    const char *its = reap->child->page.header->redis_run;

    return ours[0] && strncmp(ours, its, MR_PAGE_RUN) == 0;
}

static unsigned done_places(const struct mr_question *question, unsigned places[MR_PAGE_BATCH])
{
    struct mr_page_lease *lease =
        mr_page_lease_of(&question->reap->child->page, question->queue, question->k);
    unsigned n = 0;

    if (!page_is_of_this_run(question->reap))
        return 0;
    for (unsigned i = 0; i < MR_PAGE_BATCH; i++)
        if ((atomic_load(&lease->done[i / 64]) >> (i % 64)) & 1)
            places[n++] = i;
    return n;
}

static enum mr_code send_done(struct mr_question *question)
{
    unsigned places[MR_PAGE_BATCH];
    char name[MR_KEY_MAX];

    lease_name(question, question->k, name);
    return mr_store_done(question->reap->reaper->store, name, places,
                         done_places(question, places), mr_reap_on_answer, question);
}

static void take_done(struct mr_question *question, const redisReply *reply)
{
    unsigned places[MR_PAGE_BATCH];

    if (reply && reply->type == REDIS_REPLY_INTEGER && reply->integer == 1)
        question->reap->n_settled += done_places(question, places);
}

const struct mr_verb mr_verb_done = {send_done, take_done};

static enum mr_code send_length(struct mr_question *question)
{
    char name[MR_KEY_MAX];

    lease_name(question, question->k, name);
    return mr_store_command(question->reap->reaper->store, mr_reap_on_answer, question, 2,
                            (const char *const[]){"LLEN", name}, NULL);
}

/* Without a page every job found costs an attempt: nobody knows which of them had begun. */
static void take_length(struct mr_question *question, const redisReply *reply)
{
    struct mr_blames *blames = &question->reap->blames;
    long long n = reply && reply->type == REDIS_REPLY_INTEGER ? reply->integer : 0;

    if (n <= 0)
        return;
    if (n > MR_PAGE_BATCH)
        n = MR_PAGE_BATCH;
    blames->items =
        mr_realloc(blames->items, (blames->n_items + (size_t)n) * sizeof(*blames->items));
    for (unsigned i = 0; i < n; i++)
        blames->items[blames->n_items++] = (struct mr_blame){.queue = question->queue,
                                                             .k = question->k,
                                                             .index = i,
                                                             .outcome = MR_OUTCOME_LOST,
                                                             .in_doubt = true};
}

const struct mr_verb mr_verb_length = {send_length, take_length};

static enum mr_code send_peek(struct mr_question *question)
{
    char name[MR_KEY_MAX];

    lease_name(question, question->k, name);
    return mr_store_peek(question->reap->reaper->store, name,
                         mr_reap_in_hand(question->reap)->index, mr_reap_on_answer, question);
}

static const struct mr_pool_config *pool_of(const struct mr_reap *reap,
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

static void decide(struct mr_reap *reap, const struct mr_queue *queue, struct mr_bytes raw)
{
    struct mr_reaper *reaper = reap->reaper;
    struct mr_outcome outcome = mr_blame_outcome(&reap->blames, mr_reap_in_hand(reap));
    const struct mr_case its = {.config = reaper->config,
                                .pool = pool_of(reap, queue),
                                .queue = queue->keys.name,
                                .worker = reap->worker,
                                .host = reaper->host,
                                .now_ms = mr_clock_wall_ms(),
                                .roll = mr_random_u32(&reaper->random),
                                .in_doubt = mr_reap_in_hand(reap)->in_doubt};

    mr_judge(&its, raw, &outcome, &reap->move);
    mr_outcome_fini(&outcome);
}

/* Nil and '' say that this place was settled in time. */
static void take_peek(struct mr_question *question, const redisReply *reply)
{
    question->reap->move.kind = MR_MOVE_NONE;
    if (reply && reply->type == REDIS_REPLY_STRING && reply->len > 0)
        decide(question->reap, question->reap->queues[question->queue],
               (struct mr_bytes){reply->str, (size_t)reply->len});
}

const struct mr_verb mr_verb_peek = {send_peek, take_peek};

static enum mr_code send_move(struct mr_question *question)
{
    struct mr_reap *reap = question->reap;
    const struct mr_move *move = &reap->move;
    struct mr_bytes bytes = {move->bytes.at, move->bytes.len};
    unsigned index = mr_reap_in_hand(reap)->index;
    char name[MR_KEY_MAX];

    lease_name(question, question->k, name);
    if (move->kind == MR_MOVE_DELAY)
        return mr_store_retry(reap->reaper->store, keys_of(question), name, index, move->due_s,
                              bytes, mr_reap_on_answer, question);
    const struct mr_dead_letter letter = {.id = move->id,
                                          .meta = bytes,
                                          .now_ms = move->now_ms,
                                          .max = reap->reaper->config->dead.max,
                                          .big = move->big};
    return mr_store_dead(reap->reaper->store, keys_of(question), name, index, &letter,
                         mr_reap_on_answer, question);
}

static void take_move(struct mr_question *question, const redisReply *reply)
{
    struct mr_reaper_stats *stats = &question->reap->reaper->stats;

    (void)reply; /* "no longer ours": it was moved by an earlier, unanswered try */
    switch (mr_reap_in_hand(question->reap)->outcome) {
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

const struct mr_verb mr_verb_move = {send_move, take_move};

static void take_count(struct mr_question *question, const redisReply *reply)
{
    if (reply && reply->type == REDIS_REPLY_INTEGER && reply->integer > 0)
        question->reap->n_back += (uint64_t)reply->integer;
}

static enum mr_code send_give_back(struct mr_question *question)
{
    char keys[MR_REAP_NAMES_A_CALL][MR_KEY_MAX];
    const char *names[MR_REAP_NAMES_A_CALL];

    for (unsigned i = 0; i < question->n; i++) {
        lease_name(question, question->k + i, keys[i]);
        names[i] = keys[i];
    }
    return mr_store_reap_lists(question->reap->reaper->store, keys_of(question), names,
                               question->n, mr_reap_on_answer, question);
}

const struct mr_verb mr_verb_give_back = {send_give_back, take_count};

static enum mr_code send_close(struct mr_question *question)
{
    char keys[MR_WAKES][MR_KEY_MAX];
    const char *names[MR_WAKES];

    for (unsigned j = 0; j < MR_WAKES; j++) {
        mr_key_wake(keys_of(question), question->reap->worker, j, keys[j], MR_KEY_MAX);
        names[j] = keys[j];
    }
    return mr_store_close(question->reap->reaper->store, keys_of(question), names, MR_WAKES,
                          mr_reap_on_answer, question);
}

const struct mr_verb mr_verb_close = {send_close, take_count};
