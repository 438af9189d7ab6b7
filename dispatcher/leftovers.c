#include "dispatcher/leftovers.h"

#include "proto/base/log.h"
#include "proto/base/mem.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    NEWEST = 32, /* looked under at every look; older ones in turn, as many again */
    NAMES_A_CALL = 512
};

struct mr_leftovers {
    struct mr_store *store;
    struct mr_queues *queues;
    struct mr_reaper *reaper;
    unsigned *next; /* per queue: where the look under older names goes on */
    unsigned n_next;
    uint64_t found;
    bool stopped;
    unsigned holders; /* its owner, answers owed: the last one frees */
};

/* What is asked about a queue, and about a worker of it where there is one. */
struct question {
    struct mr_leftovers *leftovers;
    unsigned queue;
    char worker[MR_WORKER_MAX];
};

static void let_go(struct mr_leftovers *its)
{
    if (--its->holders > 0)
        return;
    free(its->next);
    free(its);
}

static struct question *new_question(struct mr_leftovers *its, unsigned queue,
                                     const char *worker)
{
    struct question *question = mr_zalloc(sizeof(*question));

    *question = (struct question){.leftovers = its, .queue = queue};
    snprintf(question->worker, sizeof(question->worker), "%s", worker);
    its->holders++;
    return question;
}

static void drop(struct question *question)
{
    let_go(question->leftovers);
    free(question);
}

static struct mr_queue *queue_of(const struct question *question)
{
    return question->leftovers->queues->items[question->queue];
}

static bool is_count(const struct question *question, enum mr_code code,
                     const redisReply *reply)
{
    return !question->leftovers->stopped && code == MR_OK && reply->type == REDIS_REPLY_INTEGER;
}

static void on_reaped_leases(void *arg, enum mr_code code, const redisReply *reply)
{
    struct question *question = arg;
    struct mr_leftovers *its = question->leftovers;

    if (is_count(question, code, reply) && reply->integer > 0) {
        its->found += (uint64_t)reply->integer;
        mr_log_warn("audit.leases", "worker=%s queue=%s lists=%lld", question->worker,
                    queue_of(question)->keys.name, reply->integer);
        mr_reaper_stranger(its->reaper, queue_of(question), question->worker, NULL);
    }
    drop(question);
}

/* What a wake name held had not begun: it has gone back already, and costs nobody an attempt. */
static void on_reaped_wakes(void *arg, enum mr_code code, const redisReply *reply)
{
    struct question *question = arg;

    if (is_count(question, code, reply) && reply->integer > 0) {
        question->leftovers->found++;
        mr_log_warn("audit.wakes", "worker=%s queue=%s back=%lld", question->worker,
                    queue_of(question)->keys.name, reply->integer);
    }
    drop(question);
}

typedef size_t name_key_fn(const struct mr_queue_keys *keys, const char *worker, unsigned k,
                           char *out, size_t size);

/* Names k..k+n-1 of one worker as keys; free with free(). */
static const char **spell_names(const struct question *question, name_key_fn *spell, unsigned k,
                                unsigned n)
{
    char *memory = mr_zalloc(n * (sizeof(char *) + MR_KEY_MAX));
    const char **names = (const char **)(void *)memory;
    char *text = memory + n * sizeof(char *);

    for (unsigned i = 0; i < n; i++, text += MR_KEY_MAX) {
        spell(&queue_of(question)->keys, question->worker, k + i, text, MR_KEY_MAX);
        names[i] = text;
    }
    return names;
}

static void ask_leases(struct mr_leftovers *its, unsigned queue, const char *worker, unsigned k,
                       unsigned n)
{
    struct question *question = new_question(its, queue, worker);
    const char **names = spell_names(question, mr_key_lease, k, n);

    if (mr_store_exists(its->store, names, n, on_reaped_leases, question) != MR_OK)
        drop(question);
    free(names);
}

/* Closed wake names are strings, which EXISTS counts too; REAPLIST moves lists only and writes nothing where there is none. */
static void ask_wakes(struct mr_leftovers *its, unsigned queue, const char *worker)
{
    struct question *question = new_question(its, queue, worker);
    const char **names = spell_names(question, mr_key_wake, 0, MR_WAKES);

    if (mr_store_reap_lists(its->store, &queue_of(question)->keys, names, MR_WAKES,
                            on_reaped_wakes, question) != MR_OK)
        drop(question);
    free(names);
}

static void look_under(struct mr_leftovers *its, unsigned queue, const char *worker)
{
    unsigned n_names = mr_worker_names(worker);

    if (n_names == 0 || mr_reaper_busy_with(its->reaper, worker))
        return;
    for (unsigned k = 0; k < n_names; k += NAMES_A_CALL)
        ask_leases(its, queue, worker, k,
                   n_names - k < NAMES_A_CALL ? n_names - k : NAMES_A_CALL);
    ask_wakes(its, queue, worker);
}

/* The answer is sorted by time: the newest at every look, the rest in turn, so that a day of replaced workers costs no more. */
static void look_under_all(struct mr_leftovers *its, unsigned queue, const redisReply *reply)
{
    unsigned *next = &its->next[queue];
    unsigned n = (unsigned)(reply->elements / 2);
    unsigned n_old = n > NEWEST ? n - NEWEST : 0;

    for (unsigned i = n_old; i < n; i++)
        look_under(its, queue, reply->element[2 * (size_t)i]->str);
    for (unsigned i = 0; i < NEWEST && i < n_old; i++)
        look_under(its, queue, reply->element[2 * (size_t)((*next)++ % n_old)]->str);
}

static void on_reaped(void *arg, enum mr_code code, const redisReply *reply)
{
    struct question *question = arg;

    if (!question->leftovers->stopped && code == MR_OK && reply->type == REDIS_REPLY_ARRAY)
        look_under_all(question->leftovers, question->queue, reply);
    drop(question);
}

/* The table of queues only grows, so that a number stays its queue's. */
static void know_queues(struct mr_leftovers *its)
{
    unsigned n = its->queues->n_items;

    if (n == its->n_next)
        return;
    its->next = mr_realloc(its->next, n * sizeof(*its->next));
    while (its->n_next < n)
        its->next[its->n_next++] = 0;
}

void mr_leftovers_look(struct mr_leftovers *its)
{
    know_queues(its);
    for (unsigned i = 0; i < its->n_next; i++) {
        struct question *question = new_question(its, i, "");

        if (mr_store_reaped(its->store, &its->queues->items[i]->keys, on_reaped, question) !=
            MR_OK)
            drop(question);
    }
}

struct mr_leftovers *mr_leftovers_new(struct mr_store *store, struct mr_queues *queues,
                                      struct mr_reaper *reaper)
{
    struct mr_leftovers *its = mr_zalloc(sizeof(*its));

    *its =
        (struct mr_leftovers){.store = store, .queues = queues, .reaper = reaper, .holders = 1};
    return its;
}

uint64_t mr_leftovers_found(const struct mr_leftovers *its)
{
    return its->found;
}

void mr_leftovers_stop(struct mr_leftovers *its)
{
    its->stopped = true;
    let_go(its);
}
