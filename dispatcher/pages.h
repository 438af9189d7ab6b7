/* The runtime directory: one dispatcher at a time, and in it the page file of each of its workers. */
#ifndef MR_DISPATCHER_PAGES_H
#define MR_DISPATCHER_PAGES_H

#include "dispatcher/child.h"
#include "proto/base/err.h"
#include "proto/config.h"

#include <stdbool.h>

/*
 * Makes dir (0700) where it is missing and locks it until out_lock_fd is closed. MR_EBUSY: another dispatcher runs with it.
 */
enum mr_code mr_pages_claim(const char *dir, int *out_lock_fd, struct mr_err *err);

/*
 * A child of this pool: draws its incarnation, makes its page `<pool>.<worker>.page` in dir and locks it on the worker's behalf.
 */
enum mr_code mr_pages_make(const char *dir, const struct mr_pool_config *pool,
                           struct mr_child **out, struct mr_err *err);

/*
 * Looks at every page that a dispatcher before us left in dir. found takes each as a child: dead (its lock was free), or orphan
 * (it lives). The page of one may be lost (header NULL); then n_queues is 0. Call once, before the first make.
 */
enum mr_code mr_pages_adopt(const char *dir, void (*found)(void *arg, struct mr_child *child),
                            void *arg, struct mr_err *err);

/*
 * Opens and maps the page anew. A child of ours shares its open file, and so its lock, with us; from now on the lock tells of it alone.
 */
void mr_pages_reopen(struct mr_child *child);

/* Whether an orphan has ended since: its lock is free. */
bool mr_pages_is_free(const struct mr_child *child);

/* Removes the file; the child stays. */
void mr_pages_drop(struct mr_child *child);

#endif
