#include "worker/delivery.h"

#include "proto/base/mem.h"
#include "worker/follow.h"

#include <limits.h>
#include <stdlib.h>

void mr_delivery_begin(struct mr_delivery *delivery, const struct mr_address *address,
                       void *owner)
{
    /* policy and envelope are filled by whoever reads the bytes: no need to clear 600 of them. */
    delivery->address = *address;
    delivery->attempt = (struct mr_attempt){0};
    delivery->owner = owner;
    delivery->handler = NULL;
    delivery->handler_state = NULL;
    delivery->job_name = NULL;
    delivery->job_row = 0;
    delivery->own = NULL;
    delivery->uuid = delivery->traceparent = NULL;
    delivery->data = NULL;
    delivery->follows = NULL;
    delivery->n_follows = 0;
    delivery->started_us = 0;
    delivery->deadline_at_ms = UINT64_MAX;
    delivery->heap_slot = 0;
    mr_list_init(&delivery->node);
    atomic_store_explicit(&delivery->cancelled, false, memory_order_relaxed);
    atomic_store_explicit(&delivery->marks, 0, memory_order_relaxed);
    delivery->stop = MR_STOP_NONE;
    delivery->cancel_called = delivery->finished = delivery->on_thread = false;
    delivery->alone = delivery->timed_out = delivery->starting = false;
}

void mr_delivery_end(struct mr_delivery *delivery)
{
    free(delivery->uuid);
    free(delivery->traceparent);
    json_decref(delivery->data);
    mr_follow_free(delivery->follows);
    mr_envelope_fini(&delivery->envelope);
    delivery->uuid = delivery->traceparent = NULL;
    delivery->data = NULL;
    delivery->follows = NULL;
    delivery->finished = true;
}

static const char *text_of(char **made, struct mr_bytes bytes)
{
    if (bytes.len == 0)
        return "";
    if (!*made)
        *made = mr_strndup(bytes.at, bytes.len);
    return *made;
}

const char *mr_delivery_uuid(struct mr_delivery *delivery)
{
    return text_of(&delivery->uuid, delivery->envelope.uuid);
}

const char *mr_delivery_traceparent(struct mr_delivery *delivery)
{
    return text_of(&delivery->traceparent, delivery->envelope.traceparent);
}

json_t *mr_delivery_data(struct mr_delivery *delivery, struct mr_err *err)
{
    if (!delivery->data)
        delivery->data = mr_envelope_data(&delivery->envelope, err);
    return delivery->data;
}

unsigned mr_delivery_attempt(const struct mr_delivery *delivery)
{
    int64_t before = delivery->attempt.attempts;

    return before < UINT_MAX ? (unsigned)before + 1 : UINT_MAX;
}
