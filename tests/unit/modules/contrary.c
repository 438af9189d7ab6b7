/* Modules that the worker must refuse, or try again; CONTRARY says which. */
#include "worker/handler.h"

#define FIRST_FAILS 1
#define OTHER_ABI 2
#define BOTH_WAYS 3
#define BAD_NAME 4
#define SHORT 5
#define NO_TABLE 6
#define FRAGILE 7

/* The first time it cannot open. */
static enum mr_code open_late(struct mr_host *host, void **out_state, struct mr_err *err)
{
    static int n_opened;

    (void)host;
    (void)out_state;
    return n_opened++ ? MR_OK : mr_fail(err, MR_EIO, "the well is dry");
}

static void start(void *state, struct mr_job *job)
{
    (void)state;
    mr_job_finish(job, mr_outcome_done());
}

#if CONTRARY == BOTH_WAYS
static struct mr_outcome run(void *state, struct mr_job *job)
{
    (void)state;
    (void)job;
    return mr_outcome_done();
}
#endif

static const struct mr_handler handler = {
    .abi = CONTRARY == OTHER_ABI ? MR_HANDLER_ABI + 1 : MR_HANDLER_ABI,
    .flags = CONTRARY == FRAGILE ? MR_CRASH_PRONE : 0,
    .size = CONTRARY == SHORT ? sizeof(unsigned) : sizeof(struct mr_handler),
    .name = CONTRARY == BAD_NAME ? "not a name" : "contrary.job",
    .open = CONTRARY == FIRST_FAILS ? open_late : NULL,
    .start = start,
#if CONTRARY == BOTH_WAYS
    .run = run,
#endif
};

#if CONTRARY == NO_TABLE
extern const struct mr_handler *const my_handlers[];
const struct mr_handler *const my_handlers[] = {&handler, NULL};
#else
const struct mr_handler *const mr_handlers[] = {&handler, NULL};
#endif
