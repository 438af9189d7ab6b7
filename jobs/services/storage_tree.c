#include "jobs/services/storage_tree.h"

#include "proto/base/clock.h"

#include <dirent.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MEASURE_EVERY_MS = 60000, MEASURE_PAUSE_MS = 1000 };

/* One walk: what it wants, and what it found. */
struct walk {
    uint64_t min_age_ms;
    bool measures;
    unsigned n_removed;
    uint64_t bytes;
};

static bool is_part(const char *name)
{
    const size_t len = strlen(name), end = strlen(MR_TREE_PART_END);
    const size_t dice = 2 * MR_TREE_DICE_BYTES, tail = 1 + dice + end;

    if (name[0] != '.' || len < 2 + tail || name[len - tail] != '.')
        return false;
    return strspn(name + len - tail + 1, "0123456789abcdef") == dice &&
           strcmp(name + len - end, MR_TREE_PART_END) == 0;
}

/* Old, and nobody has it open for writing: a slow writer is not robbed of its file. */
static bool remove_if_left(int folder, const char *name, uint64_t min_age_ms)
{
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    struct stat found;
    bool left = false;

    if (fd < 0)
        return false;
    if (fstat(fd, &found) == 0 && S_ISREG(found.st_mode) && flock(fd, LOCK_EX | LOCK_NB) == 0) {
        uint64_t changed_ms =
            (uint64_t)found.st_mtim.tv_sec * 1000 + (uint64_t)found.st_mtim.tv_nsec / 1000000;

        left = changed_ms + min_age_ms <= mr_clock_wall_ms() && unlinkat(folder, name, 0) == 0;
    }
    close(fd);
    return left;
}

static void measure(struct walk *walk, int folder, const char *name)
{
    struct stat found;

    if (fstatat(folder, name, &found, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(found.st_mode))
        walk->bytes += (uint64_t)found.st_size;
}

static void visit_folder(struct walk *walk, int folder, unsigned depth);

static void visit(struct walk *walk, int folder, const struct dirent *entry, unsigned depth)
{
    const char *name = entry->d_name;

    if (is_part(name) && remove_if_left(folder, name, walk->min_age_ms)) {
        walk->n_removed++;
        return;
    }
    if (name[0] != '.' && depth < MR_TREE_DEPTH_MAX && entry->d_type != DT_REG)
        visit_folder(walk, openat(folder, name, MR_TREE_FOLDER_OPEN), depth + 1);
    if (walk->measures && entry->d_type != DT_DIR)
        measure(walk, folder, name);
}

/* Takes folder. Not deeper than a key can reach. */
static void visit_folder(struct walk *walk, int folder, unsigned depth)
{
    DIR *dir = folder < 0 ? NULL : fdopendir(folder);

    if (!dir) {
        if (folder >= 0)
            close(folder);
        return;
    }
    for (struct dirent *entry; (entry = readdir(dir));)
        visit(walk, folder, entry, depth);
    closedir(dir);
}

unsigned mr_tree_sweep(int root, uint64_t min_age_ms, uint64_t *out_bytes)
{
    struct walk walk = {.min_age_ms = min_age_ms, .measures = out_bytes != NULL};

    /* Not a duplicate: that would share its place in the listing with every other walk. */
    visit_folder(&walk, openat(root, ".", MR_TREE_FOLDER_OPEN), 0);
    if (out_bytes)
        *out_bytes = walk.bytes;
    return walk.n_removed;
}

/* ---- the quota ---- */

void mr_tree_quota_init(struct mr_tree_quota *quota, uint64_t max_bytes)
{
    *quota = (struct mr_tree_quota){.max_bytes = max_bytes};
    pthread_mutex_init(&quota->lock, NULL);
}

void mr_tree_quota_fini(struct mr_tree_quota *quota)
{
    pthread_mutex_destroy(&quota->lock);
}

/* With the lock held. What is under way in this process is on the disk, and so in the sum. */
static void measure_anew(struct mr_tree_quota *quota, int root)
{
    mr_tree_sweep(root, MR_TREE_LEFT_AGE_MS, &quota->used_bytes);
    quota->measured_at_ms = mr_clock_ms();
}

static bool is_older(const struct mr_tree_quota *quota, uint64_t span_ms)
{
    return quota->measured_at_ms == 0 || mr_clock_ms() - quota->measured_at_ms >= span_ms;
}

bool mr_tree_quota_take(struct mr_tree_quota *quota, int root, uint64_t bytes)
{
    if (quota->max_bytes == 0)
        return true;
    pthread_mutex_lock(&quota->lock);
    if (is_older(quota, MEASURE_EVERY_MS))
        measure_anew(quota, root);
    bool fits = quota->used_bytes + bytes <= quota->max_bytes;
    /* Somebody may have made room. Many that are refused must not walk the tree one after the other. */
    if (!fits && is_older(quota, MEASURE_PAUSE_MS)) {
        measure_anew(quota, root);
        fits = quota->used_bytes + bytes <= quota->max_bytes;
    }
    if (fits)
        quota->used_bytes += bytes;
    pthread_mutex_unlock(&quota->lock);
    return fits;
}

void mr_tree_quota_give(struct mr_tree_quota *quota, uint64_t bytes)
{
    if (quota->max_bytes == 0)
        return;
    pthread_mutex_lock(&quota->lock);
    quota->used_bytes -= bytes < quota->used_bytes ? bytes : quota->used_bytes;
    pthread_mutex_unlock(&quota->lock);
}
