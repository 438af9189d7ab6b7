/* Who is to blame for a worker's death, and what of its work was still on its way: read from its page. Pure. */
#ifndef MR_DISPATCHER_BLAME_H
#define MR_DISPATCHER_BLAME_H

#include "proto/outcome.h"
#include "proto/page.h"

#include <stdbool.h>
#include <stdint.h>

/* How it ended, as its parent knows it. */
struct mr_death {
    int status;        /* of waitpid; -1: nobody knows */
    bool killed_by_us; /* SIGKILL by a deadline of ours */
    bool one_by_one;   /* it fetched one job at a time until one had ended */
};

/* One job that does not simply go back to the head. */
struct mr_blame {
    uint32_t queue, k, index;     /* its address */
    enum mr_outcome_kind outcome; /* CRASHED, SUSPECT, TIMED_OUT or LOST */
    bool unread;                  /* CRASHED before it began: its coming was enough */
    bool
        in_doubt; /* a remote side may have done its work: it said so itself, or nobody knows */
};

struct mr_blames {
    struct mr_blame *items;
    unsigned n_items;
    char cause[96];   /* of the death, for people: "SIGSEGV", "exit status 3" */
    bool unexplained; /* its parent saw it die, and nothing names a job */
};

/*
 * Everything that runs and is not named here goes back untouched. What is in doubt is always named. The page is not trusted: an address out of bounds is
 * left out. out is the caller's to fini.
 */
void mr_blame_decide(const struct mr_page *page, const struct mr_death *death,
                     struct mr_blames *out);
void mr_blames_fini(struct mr_blames *blames);

/* The outcome with its reason in words, to be finished by the caller. */
struct mr_outcome mr_blame_outcome(const struct mr_blames *blames,
                                   const struct mr_blame *blame);

#endif
