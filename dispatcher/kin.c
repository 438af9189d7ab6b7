#include "dispatcher/kin.h"

#include "dispatcher/child.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A name that was free in its worker's page and a list in Redis. */
struct stranger {
    char key[MR_KEY_MAX];
};

struct mr_kin {
    struct mr_store *store;
    struct mr_queues *queues;
    struct mr_list *children;
    struct stranger *now, *before; /* of this look, of the one before */
    unsigned n_now, n_before;
    uint64_t found;
    bool stopped;
    unsigned holders; /* its owner, answers owed: the last one frees */
};

/* What is asked about one worker in one queue. */
struct question {
    struct mr_kin *kin;
    struct mr_queue *queue;
    char worker[MR_WORKER_MAX];
    unsigned k; /* where one name is asked for */
};

static void let_go(struct mr_kin *kin)
{
    if (--kin->holders > 0)
        return;
    free(kin->now);
    free(kin->before);
    free(kin);
}

static struct question *new_question(struct mr_kin *kin, struct mr_queue *queue,
                                     const char *worker)
{
    struct question *question = mr_zalloc(sizeof(*question));

    *question = (struct question){.kin = kin, .queue = queue};
    snprintf(question->worker, sizeof(question->worker), "%s", worker);
    kin->holders++;
    return question;
}

static void drop(struct question *question)
{
    let_go(question->kin);
    free(question);
}

/* ---- the page's side ---- */

/* Only one that fetches: it has its signal handler by then. */
static bool is_fetching(const struct mr_child *child)
{
    return child->page.header && !child->dead && child->pid > 0 &&
           child->page.shape.n_queues == child->n_queues &&
           atomic_load(&child->page.header->state) == MR_WORKER_SERVING;
}

static const struct mr_child *find_child(const struct mr_kin *kin, const char *worker)
{
    mr_list_each (node, kin->children) {
        const struct mr_child *child = mr_list_entry(node, struct mr_child, node);

        if (strcmp(child->worker, worker) == 0)
            return is_fetching(child) ? child : NULL;
    }
    return NULL;
}

/* The child's number for the queue; n_queues when it does not serve it. */
static unsigned number_of(const struct mr_child *child, const struct mr_queue *queue)
{
    unsigned i = 0;

    while (i < child->n_queues && strcmp(child->queues[i], queue->keys.name) != 0)
        i++;
    return i;
}

/* The names of one of its queues that the page calls free, as k; returns how many. free(*out_k). */
static unsigned list_free(const struct mr_child *child, const struct mr_queue *queue,
                          unsigned **out_k)
{
    uint32_t n_names = child->page.shape.n_names, number = number_of(child, queue);
    unsigned n = 0;

    *out_k = mr_zalloc_array(n_names + 1, sizeof(**out_k));
    for (uint32_t k = 0; k < n_names && number < child->n_queues; k++)
        if (atomic_load(&mr_page_lease_of(&child->page, number, k)->n) == 0)
            (*out_k)[n++] = k;
    return n;
}

/* ---- Redis' side ---- */

static bool was_seen(const struct mr_kin *kin, const char *key)
{
    for (unsigned i = 0; i < kin->n_before; i++)
        if (strcmp(kin->before[i].key, key) == 0)
            return true;
    return false;
}

static void remember(struct mr_kin *kin, const char *key)
{
    kin->now = mr_realloc(kin->now, (kin->n_now + 1) * sizeof(*kin->now));
    snprintf(kin->now[kin->n_now++].key, MR_KEY_MAX, "%s", key);
}

static bool exist_some(const struct question *question, enum mr_code code,
                       const redisReply *reply)
{
    return !question->kin->stopped && code == MR_OK && reply->type == REDIS_REPLY_INTEGER &&
           reply->integer > 0;
}

/* Seen once it may be a fetch that is just being answered; seen twice, the worker does not know it. */
static void take_stranger(const struct question *question, const struct mr_child *child)
{
    struct mr_kin *kin = question->kin;
    char key[MR_KEY_MAX];

    mr_key_lease(&question->queue->keys, question->worker, question->k, key, sizeof(key));
    if (!was_seen(kin, key)) {
        remember(kin, key);
        return;
    }
    kin->found++;
    mr_log_warn("audit.stranger", "worker=%s queue=%s k=%u pid=%d", question->worker,
                question->queue->keys.name, question->k, (int)child->pid);
    kill(child->pid, SIGUSR1); /* look at your leases, now */
}

static void on_one_name(void *arg, enum mr_code code, const redisReply *reply)
{
    struct question *question = arg;
    const struct mr_child *child = find_child(question->kin, question->worker);

    if (exist_some(question, code, reply) && child)
        take_stranger(question, child);
    drop(question);
}

static void ask_one_name(struct mr_kin *kin, struct mr_queue *queue, const char *worker,
                         unsigned k)
{
    struct question *question = new_question(kin, queue, worker);
    char key[MR_KEY_MAX];

    question->k = k;
    mr_key_lease(&queue->keys, worker, k, key, sizeof(key));
    if (mr_store_exists(kin->store, (const char *const[]){key}, 1, on_one_name, question) !=
        MR_OK)
        drop(question);
}

/* Some name that was free when we asked holds a list: which, and is it free still? */
static void on_all_names(void *arg, enum mr_code code, const redisReply *reply)
{
    struct question *question = arg;
    const struct mr_child *child = find_child(question->kin, question->worker);
    unsigned *free_k = NULL;

    if (exist_some(question, code, reply) && child) {
        unsigned n = list_free(child, question->queue, &free_k);

        for (unsigned i = 0; i < n; i++)
            ask_one_name(question->kin, question->queue, question->worker, free_k[i]);
    }
    free(free_k);
    drop(question);
}

/* One EXISTS over all free names: as a rule it answers 0, and nothing more is asked. */
static void ask_all_names(struct mr_kin *kin, const struct mr_child *child,
                          struct mr_queue *queue)
{
    unsigned *free_k, n = list_free(child, queue, &free_k);
    const char **names = mr_zalloc_array(n + 1, sizeof(*names));
    char(*keys)[MR_KEY_MAX] = mr_zalloc_array(n + 1, sizeof(*keys));
    struct question *question = new_question(kin, queue, child->worker);

    for (unsigned i = 0; i < n; i++) {
        mr_key_lease(&queue->keys, child->worker, free_k[i], keys[i], MR_KEY_MAX);
        names[i] = keys[i];
    }
    if (n == 0 || mr_store_exists(kin->store, names, n, on_all_names, question) != MR_OK)
        drop(question);
    free(keys);
    free(names);
    free(free_k);
}

static void look_at(struct mr_kin *kin, const struct mr_child *child)
{
    for (unsigned i = 0; i < child->n_queues; i++) {
        struct mr_queue *queue = mr_queues_find(kin->queues, child->queues[i]);

        if (queue)
            ask_all_names(kin, child, queue);
    }
}

/* ---- life ---- */

struct mr_kin *mr_kin_new(struct mr_store *store, struct mr_queues *queues,
                          struct mr_list *children)
{
    struct mr_kin *kin = mr_zalloc(sizeof(*kin));

    *kin =
        (struct mr_kin){.store = store, .queues = queues, .children = children, .holders = 1};
    return kin;
}

void mr_kin_look(struct mr_kin *kin)
{
    free(kin->before);
    kin->before = kin->now;
    kin->n_before = kin->n_now;
    kin->now = NULL;
    kin->n_now = 0;
    mr_list_each (node, kin->children) {
        const struct mr_child *child = mr_list_entry(node, struct mr_child, node);

        if (is_fetching(child))
            look_at(kin, child);
    }
}

uint64_t mr_kin_found(const struct mr_kin *kin)
{
    return kin->found;
}

void mr_kin_stop(struct mr_kin *kin)
{
    kin->stopped = true;
    let_go(kin);
}
