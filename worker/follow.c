#include "worker/follow.h"

#include "proto/base/clock.h"
#include "proto/base/mem.h"
#include "proto/base/uuid.h"
#include "proto/compose.h"
#include "worker/handler.h"
#include "worker/settle.h"
#include "worker/settlement.h"
#include "worker/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PUSH_UUID_MAX = 512, /* room to say what is too long */
    OWN_MAX = 40,        /* so much is kept of a name that is none */
};

struct mr_follow {
    struct mr_follow *next;
    struct mr_item *item; /* while it is being pushed */
    struct mr_queue_keys keys;
    struct mr_buf payload;
    double due_s; /* unix; 0: at once */
    bool sent, pushed;
};

/* ---- asked for ---- */

static const char *queue_of(const struct mr_delivery *delivery, const struct mr_push *push)
{
    return push->queue ? push->queue : mr_job_queue((const struct mr_job *)delivery);
}

/* FNV-1a: the same text has the same number at every worker. */
static uint64_t number_of(const char *text)
{
    uint64_t number = UINT64_C(14695981039346656037);

    for (; *text; text++)
        number = (number ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return number;
}

/*
 * Who pushes past libmillrace calls his job what he likes ("order:17", or a whole sentence). A job of its own gets as much of that
 * as may be in a uuid, and a number that tells it from others: the same again whenever it is pushed again.
 */
static void name_legally(const char *own, const char *name, char *out)
{
    int len = snprintf(out, PUSH_UUID_MAX, "%.*s", OWN_MAX, own);

    for (int i = 0; i < len; i++)
        if (!strchr(MR_UUID_LETTERS, out[i]))
            out[i] = '_';
    snprintf(out + len, (size_t)(PUSH_UUID_MAX - len), "-%016llx.%s",
             (unsigned long long)number_of(own), name);
}

/* The new job's lasting name, or NULL where it gets one by chance. */
static const char *uuid_of(struct mr_delivery *delivery, const struct mr_push *push, char *out)
{
    const char *own = mr_delivery_uuid(delivery);

    if (push->uuid || !push->name || own[0] == '\0')
        return push->uuid;
    snprintf(out, PUSH_UUID_MAX, "%s.%s", own, push->name);
    if (!mr_compose_is_uuid(out))
        name_legally(own, push->name, out);
    return out;
}

static enum mr_code compose(struct mr_delivery *delivery, const struct mr_push *push,
                            const struct mr_limits *limits, struct mr_buf *out,
                            struct mr_err *err)
{
    char room[PUSH_UUID_MAX];
    struct mr_compose job = mr_compose_of(push->job, push->data);

    job.uuid = uuid_of(delivery, push, room);
    job.limits = *limits;
    if (push->tries > 0)
        job.tries = push->tries;
    if (push->timeout_s > 0)
        job.timeout_s = push->timeout_s;
    if (delivery->envelope.traceparent.len > 0)
        job.traceparent = mr_delivery_traceparent(delivery);
    return mr_compose_envelope(&job, out, NULL, err);
}

static enum mr_code check(const struct mr_delivery *delivery, const struct mr_push *push,
                          struct mr_err *err)
{
    const char *queue = queue_of(delivery, push);

    if (delivery->n_follows == MR_FOLLOW_MAX)
        return mr_fail(err, MR_EINVAL, "one job may push %d others, not more", MR_FOLLOW_MAX);
    if (!mr_str_is_queue_name(mr_bytes_of(queue)))
        return mr_fail(err, MR_EINVAL,
                       "queue \"%.100s\": a name is 1 to 100 of A-Z a-z 0-9 _ . { } -", queue);
    return MR_OK;
}

enum mr_code mr_follow_add(struct mr_delivery *delivery, const struct mr_push *push,
                           const char *prefix, const struct mr_limits *limits,
                           struct mr_err *err)
{
    struct mr_buf payload = {0};
    enum mr_code code = check(delivery, push, err);

    if (code == MR_OK)
        code = compose(delivery, push, limits, &payload, err);
    if (code != MR_OK) {
        mr_buf_fini(&payload);
        return code;
    }
    struct mr_follow *follow = mr_zalloc(sizeof(*follow));
    follow->payload = payload;
    if (push->delay_ms > 0)
        follow->due_s = (double)(mr_clock_wall_ms() + push->delay_ms) / 1000.0;
    mr_queue_keys_init(&follow->keys, prefix, queue_of(delivery, push));
    follow->next = delivery->follows;
    delivery->follows = follow;
    delivery->n_follows++;
    return MR_OK;
}

struct mr_follow *mr_follow_take(struct mr_delivery *delivery)
{
    struct mr_follow *first = NULL, *newest = delivery->follows;

    while (newest) {
        struct mr_follow *older = newest->next;

        newest->next = first;
        first = newest;
        newest = older;
    }
    delivery->follows = NULL;
    delivery->n_follows = 0;
    return first;
}

void mr_follow_free(struct mr_follow *first)
{
    while (first) {
        struct mr_follow *follow = first;

        first = follow->next;
        mr_queue_keys_fini(&follow->keys);
        mr_buf_fini(&follow->payload);
        free(follow);
    }
}

/* ---- pushed ---- */

static bool all_pushed(const struct mr_item *item)
{
    for (const struct mr_follow *f = item->settlement->follows; f; f = f->next)
        if (!f->pushed)
            return false;
    return true;
}

/* From here on the job is done like any other, and a crash repeats nothing. */
static void be_done(struct mr_item *item)
{
    struct mr_lease *lease = item->lease;
    struct mr_source *source = lease->source;

    mr_item_set(item, MR_ITEM_DONE);
    mr_recorder_lease_done(&source->worker->recorder, source->index, lease->k,
                           mr_item_index(item));
}

static void on_pushed(void *arg, enum mr_code code, const redisReply *reply)
{
    struct mr_follow *follow = arg;
    struct mr_item *item = follow->item;
    struct mr_lease *lease = item->lease;
    struct mr_worker *worker = lease->source->worker;

    lease->owed--; /* it does not name the lease: lost with its connection, it taints no name */
    follow->sent = false;
    follow->pushed = code == MR_OK;
    if (lease->state == MR_LEASE_LOST || item->settled) {
        mr_settle_check(lease); /* whoever has the job now will push them */
    } else if (follow->pushed) {
        if (item->state == MR_ITEM_SCRIPT && all_pushed(item))
            be_done(item);
        mr_lease_touch(lease);
    } else if (reply) {
        mr_settle_later(lease);
    }
    mr_worker_wake(worker);
}

void mr_follow_send(struct mr_item *item)
{
    struct mr_lease *lease = item->lease;
    struct mr_store *store = lease->source->worker->store;

    for (struct mr_follow *f = item->settlement->follows; f; f = f->next) {
        struct mr_bytes payload = {f->payload.at, f->payload.len};

        if (f->sent || f->pushed)
            continue;
        f->item = item;
        f->sent = mr_store_push(store, &f->keys, &payload, 1, f->due_s, on_pushed, f) == MR_OK;
        if (!f->sent)
            return;    /* the connection is gone, and SYNC will look */
        lease->owed++; /* the lease's memory stays until the answer */
    }
}

void mr_follow_again(struct mr_item *item)
{
    if (!item->settlement || item->settlement->kind != MR_SETTLE_PUSH)
        return;
    for (struct mr_follow *f = item->settlement->follows; f; f = f->next)
        f->pushed = false;
    if (item->state == MR_ITEM_DONE)
        mr_item_set(item, MR_ITEM_SCRIPT);
}
