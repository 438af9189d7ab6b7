/* How often each of many names may have something, as one process sees it: a bucket for each, in bounded memory. */
#ifndef MR_JOBS_SMS_QUOTA_H
#define MR_JOBS_SMS_QUOTA_H

#include "proto/base/rate.h"

struct mr_quota;

struct mr_quota *mr_quota_new(const struct mr_rate *rate);
void mr_quota_free(struct mr_quota *quota); /* NULL is accepted */

/* How long name has to wait; 0: it may have one now. Takes nothing. */
uint64_t mr_quota_wait_ns(const struct mr_quota *quota, const char *name, uint64_t now_ns);
/*
 * Takes one. Of more names than there is room for, those that would be whole again soonest are forgotten: they may then have a little more.
 */
void mr_quota_take(struct mr_quota *quota, const char *name, uint64_t now_ns);
/* Gives back what was taken for something that did not come about; nothing where the name is forgotten. */
void mr_quota_give(struct mr_quota *quota, const char *name);

#endif
