/* A walk through the folders of a storage on disk: what killed processes left half-written goes, what is there is summed. */
#ifndef MR_JOBS_SERVICES_STORAGE_TREE_H
#define MR_JOBS_SERVICES_STORAGE_TREE_H

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* A file that is being written is called .NAME.<dice>.part, beside where it will be. */
#define MR_TREE_PART_END ".part"
enum {
    MR_TREE_DICE_BYTES = 8, /* as hexadecimal digits */
    MR_TREE_DEPTH_MAX = 100,
    MR_TREE_LEFT_AGE_MS = 3600000, /* so old, a half-written file is a killed process' */
    MR_TREE_FOLDER_OPEN = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
};

/* Removes the half-written files older than min_age_ms that nobody writes any more; returns how many. out_bytes (may be NULL): of all that is left. */
unsigned mr_tree_sweep(int root, uint64_t min_age_ms, uint64_t *out_bytes);

/* How much may be in the tree. Other processes fill it too: it is measured anew now and then. Any thread. */
struct mr_tree_quota {
    uint64_t max_bytes; /* 0: no bound */
    pthread_mutex_t lock;
    uint64_t used_bytes, measured_at_ms; /* under lock; monotonic clock, 0: not yet */
};

void mr_tree_quota_init(struct mr_tree_quota *quota, uint64_t max_bytes);
void mr_tree_quota_fini(struct mr_tree_quota *quota);
/* Room for so many bytes more; false when there is none, which has been measured just now. */
bool mr_tree_quota_take(struct mr_tree_quota *quota, int root, uint64_t bytes);
void mr_tree_quota_give(struct mr_tree_quota *quota, uint64_t bytes);

#endif
