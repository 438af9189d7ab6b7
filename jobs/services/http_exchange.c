/* The client for threads: each leaves its wish in the loop's inbox and sleeps until the loop has fulfilled it. */
#include "jobs/services/http_own.h"
#include "worker/handler.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How often a thread that waits looks whether its job was cancelled: nobody tells it. */
enum { LOOK_MS = 50 };

/* On the stack of the thread that waits, which leaves only when done is set: so the loop may always touch it. */
struct wish {
    struct mr_list
        node; /* under lock: in the inbox, when the loop has something to do about it */
    struct mr_http_inbox *inbox;
    const struct mr_http_request *request;
    struct mr_http_answer *answer; /* the loop's until done */
    struct mr_http_call *call;     /* the loop's */
    pthread_cond_t fulfilled;
    bool cancelled, done; /* under lock */
};

struct mr_http_inbox {
    struct mr_http_client *client;
    uv_async_t some_left;
    pthread_mutex_t lock;
    struct mr_list wishes; /* under lock */
};

/* ---- on the loop ---- */

static void on_done(void *arg, const struct mr_http_answer *answer)
{
    struct wish *wish = arg;
    struct mr_http_inbox *inbox = wish->inbox;
    struct mr_http_answer *out = wish->answer;

    *out = *answer;
    out->headers = (struct mr_buf){0};
    mr_buf_add(&out->headers, answer->headers.at, answer->headers.len);
    if (answer->body.at)
        out->body.at = mr_strndup(answer->body.at, answer->body.len);
    pthread_mutex_lock(&inbox->lock);
    mr_list_remove(&wish->node); /* a cancel that came too late */
    wish->done = true;
    pthread_cond_signal(&wish->fulfilled);
    pthread_mutex_unlock(&inbox->lock);
}

static struct wish *next(struct mr_http_inbox *inbox, bool *out_cancelled)
{
    struct wish *wish = NULL;

    pthread_mutex_lock(&inbox->lock);
    if (!mr_list_empty(&inbox->wishes)) {
        wish = mr_list_entry(inbox->wishes.next, struct wish, node);
        mr_list_remove(&wish->node);
        *out_cancelled = wish->cancelled;
    }
    pthread_mutex_unlock(&inbox->lock);
    return wish;
}

static void on_some_left(uv_async_t *async)
{
    struct mr_http_inbox *inbox = async->data;
    struct wish *wish;
    bool cancelled;

    while ((wish = next(inbox, &cancelled))) {
        if (!wish->call)
            wish->call = mr_http_send(inbox->client, wish->request, on_done, wish);
        if (cancelled)
            mr_http_cancel(wish->call);
    }
}

struct mr_http_inbox *mr_http_inbox_new(uv_loop_t *loop, struct mr_http_client *client)
{
    struct mr_http_inbox *inbox = mr_zalloc(sizeof(*inbox));

    inbox->client = client;
    pthread_mutex_init(&inbox->lock, NULL);
    mr_list_init(&inbox->wishes);
    uv_async_init(loop, &inbox->some_left, on_some_left);
    inbox->some_left.data = inbox;
    return inbox;
}

static void on_closed(uv_handle_t *async)
{
    struct mr_http_inbox *inbox = async->data;

    pthread_mutex_destroy(&inbox->lock);
    free(inbox);
}

void mr_http_inbox_close(struct mr_http_inbox *inbox)
{
    uv_close((uv_handle_t *)&inbox->some_left, on_closed);
}

/* ---- on a thread ---- */

/* With the lock held. */
static void leave(struct wish *wish)
{
    mr_list_push_back(&wish->inbox->wishes, &wish->node);
    uv_async_send(&wish->inbox->some_left);
}

static void wait_a_moment(struct wish *wish)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += LOOK_MS * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    pthread_cond_timedwait(&wish->fulfilled, &wish->inbox->lock, &until);
}

static void wish_init(struct wish *wish)
{
    pthread_condattr_t attributes;

    mr_list_init(&wish->node);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&wish->fulfilled, &attributes);
    pthread_condattr_destroy(&attributes);
}

/* The loop runs on until no job does, so it always answers: at the exchange's deadline at the latest. */
void mr_http_exchange(struct mr_http_client *client, const struct mr_http_request *request,
                      struct mr_job *job, struct mr_http_answer *out)
{
    struct mr_http_inbox *inbox = client->inbox;
    struct wish wish = {.inbox = inbox, .request = request, .answer = out};

    wish_init(&wish);
    pthread_mutex_lock(&inbox->lock);
    leave(&wish);
    while (!wish.done) {
        wait_a_moment(&wish);
        if (!wish.done && !wish.cancelled && job && mr_job_cancelled(job)) {
            wish.cancelled = true;
            if (mr_list_empty(&wish.node))
                leave(&wish);
        }
    }
    pthread_mutex_unlock(&inbox->lock);
    pthread_cond_destroy(&wish.fulfilled);
}
