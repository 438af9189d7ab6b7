/* One reap: a dead worker's leases on their way back. Shared by the files of the reaper, and by nobody else. */
#ifndef MR_DISPATCHER_REAP_H
#define MR_DISPATCHER_REAP_H

#include "dispatcher/blame.h"
#include "dispatcher/judge.h"
#include "dispatcher/reaper.h"
#include "proto/base/list.h"
#include "proto/base/random.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

enum mr_reap_phase {
    MR_REAP_KILLING,       /* what is left of the worker's session */
    MR_REAP_FENCING,       /* the incarnation, in every queue */
    MR_REAP_SETTLING,      /* finished jobs whose settlement may not have arrived */
    MR_REAP_FINDING,       /* no page: how long is each lease? */
    MR_REAP_WAITING,       /* for another reap to let go of its payload */
    MR_REAP_PEEKING,       /* at one job that does not simply go back */
    MR_REAP_MOVING,        /* that job, to where its verdict says */
    MR_REAP_GIVING_BACK,   /* everything else, to the head, in order; the wake names closed */
    MR_REAP_LINGERING,     /* the caller is answered; an old BLMOVE may still arrive */
    MR_REAP_LOOKING_AGAIN, /* given back and closed once more */
    MR_REAP_OVER,
    MR_REAP_PHASES
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
    struct mr_reap *reading; /* the one that may hold a payload in memory */
    uv_timer_t again;        /* runs while a reap is stalled */
    bool stopped;
    void (*on_stopped)(void *arg);
    void *arg;
    unsigned holders; /* the open timer, each reap: the last one frees */
};

struct mr_question;
struct mr_reap;

/* A question to Redis that may be asked twice. */
struct mr_verb {
    enum mr_code (*send)(struct mr_question *question);
    /* reply is NULL when what was named is no longer a lease. */
    void (*take)(struct mr_question *question, const redisReply *reply);
};

/* One question of a phase. All of a phase leave in one turn; the phase ends when all are answered. */
struct mr_question {
    struct mr_reap *reap;
    const struct mr_verb *verb;
    unsigned queue; /* of reap->queues */
    unsigned k, n;  /* a lease name, or n of them from k on */
    bool answered;
    unsigned faults; /* answers that a person must do something about */
};

struct mr_reap {
    struct mr_reaper *reaper;
    struct mr_list node;
    enum mr_reap_phase phase;
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
    struct mr_question *questions;
    unsigned n_questions, owed;
    bool stalled, told; /* some question must be asked again; said so once */
    uint64_t began_at_ms;
    uint64_t n_settled, n_back;
    uv_timer_t timer;
    bool closed;
};

/* ---- one reap ---- */

/* Its worker's name is known, its timer is open, it stands in the list; the caller adds what it knows and enters a phase. */
struct mr_reap *mr_reap_new(struct mr_reaper *reaper, const char *worker, unsigned n_queues);
/* The only place that changes a phase. */
void mr_reap_enter(struct mr_reap *reap, enum mr_reap_phase phase);
/* Asks whatever of this phase has no answer yet, in one turn. */
void mr_reap_ask(struct mr_reap *reap);
/* The job that is looked at or moved. */
const struct mr_blame *mr_reap_in_hand(const struct mr_reap *reap);
/* Takes it off the list; it is freed when its timer is closed and the last owed answer has come. */
void mr_reap_close(struct mr_reap *reap);
void mr_reaper_let_go(struct mr_reaper *reaper);

/* ---- the questions it asks ---- */

/* mr_answer_fn of every question; arg is the question. */
void mr_reap_on_answer(void *arg, enum mr_code code, const redisReply *reply);

extern const struct mr_verb mr_verb_fence, mr_verb_done, mr_verb_length, mr_verb_peek,
    mr_verb_move, mr_verb_give_back, mr_verb_close;

#define MR_REAP_NAMES_A_CALL 64 /* lease names in one REAPLIST */

#endif
