/*
 * Jobs that a handler pushes: kept with its delivery, put on their queues when its outcome is done, and before its place is
 * settled. So a crash in between runs the job again and pushes them again, under the same uuids; and none is ever lost.
 */
#ifndef MR_WORKER_FOLLOW_H
#define MR_WORKER_FOLLOW_H

#include "proto/base/err.h"
#include "proto/base/str.h"
#include "proto/envelope.h"

#include <stdbool.h>

struct mr_delivery;
struct mr_follow;
struct mr_item;
struct mr_push;

/* So many jobs may one job push: more of them go in steps, each job pushing the next. */
#define MR_FOLLOW_MAX 1000

/* Composes push at once and adds it to delivery's. MR_EINVAL as mr_job_push says. On the thread that works for the delivery. */
enum mr_code mr_follow_add(struct mr_delivery *delivery, const struct mr_push *push,
                           const char *prefix, const struct mr_limits *limits,
                           struct mr_err *err);
/* What it asked for, in that order; the caller's from here on. NULL when there is none. */
struct mr_follow *mr_follow_take(struct mr_delivery *delivery);
/* Frees a chain. NULL is accepted. */
void mr_follow_free(struct mr_follow *first);

/* Sends those of item's settlement that are not pushed yet. When the last was answered, the item is done like any other. */
void mr_follow_send(struct mr_item *item);
/* Redis may have lost them: they are pushed again, before the place is settled. */
void mr_follow_again(struct mr_item *item);

#endif
