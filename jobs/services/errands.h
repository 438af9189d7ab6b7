/* Blocking work of start handlers, on a few threads of its own: libuv's are too few, and Redis is found by them. */
#ifndef MR_JOBS_SERVICES_ERRANDS_H
#define MR_JOBS_SERVICES_ERRANDS_H

#include <uv.h>

struct mr_errands;

typedef void mr_errand_fn(void *arg);

/* At most max_threads, started when there is work. */
struct mr_errands *mr_errands_new(uv_loop_t *loop, unsigned max_threads);
/* No errand may be under way. Waits for the threads; its handle closes in the loop's next turn. NULL is accepted. */
void mr_errands_close(struct mr_errands *errands);

/* run(arg) on a thread, in the order sent as far as there are threads; then done(arg) on the loop. On the loop's thread. */
void mr_errands_send(struct mr_errands *errands, mr_errand_fn *run, mr_errand_fn *done,
                     void *arg);

#endif
