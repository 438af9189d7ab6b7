/* Files on a local disk: written beside their place under another name, brought to the disk, then given theirs. */
#include "jobs/services/storage_own.h"
#include "jobs/services/storage_tree.h"
#include "proto/base/duration.h"
#include "proto/base/mem.h"
#include "proto/base/random.h"
#include "proto/base/str.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 65536 };

struct disk {
    struct mr_storage base;
    const char *url; /* what links begin with; NULL: there are none. A borrow */
    int root;
    atomic_flag swept;
    struct mr_tree_quota quota;
};

struct disk_file {
    struct mr_storage_file base;
    struct disk *disk;
    const char *name; /* the last of the key */
    char part[MR_STORAGE_KEY_MAX + 2 * MR_TREE_DICE_BYTES + sizeof("..") +
              sizeof(MR_TREE_PART_END)];
    int folder, fd;
    uint64_t taken; /* of the quota, until kept */
};

static struct disk *disk_of(struct mr_storage *storage)
{
    return MR_CONTAINER(storage, struct disk, base);
}

static struct disk_file *disk_file_of(struct mr_storage_file *file)
{
    return MR_CONTAINER(file, struct disk_file, base);
}

static enum mr_code refuse(const struct disk *disk, const char *key, const char *what,
                           int error, struct mr_err *err)
{
    const char *hint = "";

    if (error == ELOOP || error == ENOTDIR)
        hint = " (a symbolic link or a file stands where a folder should)";
    return mr_fail(err, MR_EIO, "%s: %s: cannot %s: %s%s", disk->base.name, key, what,
                   strerror(error), hint);
}

/* ---- folders ---- */

/* Where the file system has no fsync for folders, their entries are as durable as it makes them. */
static int sync_folder(int folder)
{
    return fsync(folder) == 0 || errno == EINVAL ? 0 : -1;
}

/* The entry of a folder that another writer made just now must be on the disk as well before something is kept in it. */
static int make_folder(int above, const char *name)
{
    if (mkdirat(above, name, 0750) != 0 && errno != EEXIST)
        return -1;
    return sync_folder(above);
}

/*
 * The folder in which key's file is, and in *out_name the file's own name, a borrow of key. -1 and errno when there is no such folder, or it
 * would lead through a link.
 */
static int open_folder(const struct disk *disk, const char *key, bool make,
                       const char **out_name)
{
    int at = fcntl(disk->root, F_DUPFD_CLOEXEC, 0);

    for (const char *slash; at >= 0 && (slash = strchr(key, '/')); key = slash + 1) {
        char name[MR_STORAGE_KEY_MAX + 1];
        int below = -1;

        snprintf(name, sizeof(name), "%.*s", (int)(slash - key), key);
        if (!make || make_folder(at, name) == 0)
            below = openat(at, name, MR_TREE_FOLDER_OPEN);
        int error = errno;
        close(at);
        errno = error;
        at = below;
    }
    *out_name = key;
    return at;
}

static enum mr_code open_root(const char *path, int *out, struct mr_err *err)
{
    if (mkdir(path, 0750) != 0 && errno != EEXIST)
        return mr_fail(err, MR_EIO, "storage.path %s: cannot make this folder: %s", path,
                       strerror(errno));
    /* The folder itself may be a link: that is the operator's own doing. */
    int root = open(path, MR_TREE_FOLDER_OPEN & ~O_NOFOLLOW);

    if (root < 0)
        return mr_fail(err, MR_EIO, "storage.path %s: cannot open this folder: %s", path,
                       strerror(errno));
    if (faccessat(root, ".", W_OK | X_OK, AT_EACCESS) != 0) {
        int error = errno;

        close(root);
        return mr_fail(err, MR_EIO, "storage.path %s: cannot write here: %s", path,
                       strerror(error));
    }
    *out = root;
    return MR_OK;
}

static enum mr_code open_disk(const json_t *section, struct mr_storage **out,
                              struct mr_err *err)
{
    const char *path = json_string_value(json_object_get(section, "path"));
    int root = -1;

    if (!path)
        return mr_fail(err, MR_EINVAL,
                       "storage.path is not configured: no folder to keep files in");
    enum mr_code code = open_root(path, &root, err);
    if (code != MR_OK)
        return code;
    struct disk *disk = mr_zalloc(sizeof(*disk));
    disk->base.kind = &mr_storage_disk;
    disk->base.name = mr_asprintf("storage.path %s", path);
    disk->url = json_string_value(json_object_get(section, "url"));
    disk->root = root;
    atomic_flag_clear(&disk->swept);
    mr_tree_quota_init(&disk->quota,
                       (uint64_t)json_integer_value(json_object_get(section, "quota_bytes")));
    *out = &disk->base;
    return MR_OK;
}

static void close_disk(struct mr_storage *storage)
{
    struct disk *disk = disk_of(storage);

    mr_tree_quota_fini(&disk->quota);
    close(disk->root);
    free(disk->base.name);
    free(disk);
}

static unsigned sweep_disk(struct mr_storage *storage, uint64_t min_age_ms)
{
    return mr_tree_sweep(disk_of(storage)->root, min_age_ms, NULL);
}

/* ---- writing ---- */

static void name_part(struct disk_file *file)
{
    unsigned char dice[MR_TREE_DICE_BYTES];
    char hex[2 * sizeof(dice) + 1];

    mr_random_bytes(dice, sizeof(dice));
    mr_str_print_hex(dice, sizeof(dice), hex);
    snprintf(file->part, sizeof(file->part), ".%s.%s" MR_TREE_PART_END, file->name, hex);
}

static void drop_file(struct mr_storage_file *base)
{
    struct disk_file *file = disk_file_of(base);

    if (file->fd >= 0) {
        if (file->part[0])
            unlinkat(file->folder, file->part, 0);
        close(file->fd);
    }
    if (file->folder >= 0)
        close(file->folder);
    mr_tree_quota_give(&file->disk->quota, file->taken);
    free(file);
}

static enum mr_code create_file(struct mr_storage *storage, const char *key, struct mr_job *job,
                                struct mr_storage_file **out, struct mr_err *err)
{
    struct disk *disk = disk_of(storage);
    enum mr_code code;

    if (!atomic_flag_test_and_set(&disk->swept))
        sweep_disk(storage, MR_TREE_LEFT_AGE_MS);
    struct disk_file *file = mr_zalloc(sizeof(*file));
    mr_storage_file_init(&file->base, storage, key, job);
    file->disk = disk;
    file->fd = -1;
    file->folder = open_folder(disk, file->base.key, true, &file->name);
    if (file->folder < 0) {
        code = refuse(disk, key, "make its folder", errno, err);
        goto out;
    }
    name_part(file);
    file->fd = openat(file->folder, file->part,
                      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
    /* The lock says that somebody still writes; it ends with the process. Only a sweep can have it now, for a glance. */
    if (file->fd < 0 || flock(file->fd, LOCK_EX) != 0) {
        code = refuse(disk, key, "make it", errno, err);
        goto out;
    }
    *out = &file->base;
    return MR_OK;

out:
    drop_file(&file->base);
    return code;
}

static enum mr_code take_room(struct disk_file *file, size_t bytes, struct mr_err *err)
{
    char quota[32];

    if (mr_tree_quota_take(&file->disk->quota, file->disk->root, bytes)) {
        file->taken += bytes;
        return MR_OK;
    }
    mr_size_print(file->disk->quota.max_bytes, quota);
    return mr_fail(err, MR_EIO,
                   "%s: %s: no room: the files there would exceed storage.quota, %s: remove "
                   "old ones or raise it",
                   file->disk->base.name, file->base.key, quota);
}

static enum mr_code write_file(struct mr_storage_file *base, const char *bytes, size_t len,
                               struct mr_err *err)
{
    struct disk_file *file = disk_file_of(base);

    if (mr_storage_cancelled(base->storage, base->job, err) != MR_OK)
        return MR_ETIMEDOUT;
    if (take_room(file, len, err) != MR_OK)
        return MR_EIO;
    while (len > 0) {
        ssize_t n = write(file->fd, bytes, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return refuse(file->disk, file->base.key, "write it", n < 0 ? errno : EIO, err);
        bytes += n;
        len -= (size_t)n;
    }
    return MR_OK;
}

/* The entry of the folder goes to the disk last: it must never name a file whose bytes could still be lost. */
static enum mr_code keep_file(struct mr_storage_file *base, struct mr_err *err)
{
    struct disk_file *file = disk_file_of(base);

    if (fsync(file->fd) != 0)
        return refuse(file->disk, file->base.key, "bring it to the disk", errno, err);
    if (renameat(file->folder, file->part, file->folder, file->name) != 0)
        return refuse(file->disk, file->base.key, "give it its name", errno, err);
    file->part[0] = '\0';
    file->taken = 0;
    if (sync_folder(file->folder) != 0)
        return refuse(file->disk, file->base.key, "bring its folder to the disk", errno, err);
    return MR_OK;
}

/* ---- files that are there ---- */

/* A regular file, opened; MR_ENOTFOUND when there is none. */
static enum mr_code open_file(struct disk *disk, const char *key, int *out_fd,
                              struct stat *out_found, struct mr_err *err)
{
    const char *name;
    int folder = open_folder(disk, key, false, &name), fd = -1, error = errno;

    if (folder >= 0) {
        fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        error = fd < 0 && errno == ELOOP ? ENOENT : errno; /* a link is no file of ours */
        close(folder);
    }
    if (fd < 0 && error == ENOENT)
        return mr_storage_missing(&disk->base, key, err);
    if (fd < 0)
        return refuse(disk, key, "open it", error, err);
    if (fstat(fd, out_found) != 0 || !S_ISREG(out_found->st_mode)) {
        close(fd);
        return mr_storage_missing(&disk->base, key, err);
    }
    *out_fd = fd;
    return MR_OK;
}

static enum mr_code find_file(struct mr_storage *storage, const char *key, struct mr_job *job,
                              uint64_t *out_bytes, struct mr_err *err)
{
    struct stat found;
    int fd = -1;
    enum mr_code code = open_file(disk_of(storage), key, &fd, &found, err);

    (void)job;
    if (code != MR_OK)
        return code;
    close(fd);
    *out_bytes = (uint64_t)found.st_size;
    return MR_OK;
}

static enum mr_code give_bytes(struct disk *disk, int fd, const char *key, struct mr_job *job,
                               mr_storage_bytes_fn *on_bytes, void *arg, struct mr_err *err)
{
    char *piece = mr_zalloc(READ_BYTES);
    enum mr_code code = MR_OK;

    while (code == MR_OK) {
        ssize_t n = read(fd, piece, READ_BYTES);

        if (n == 0)
            break;
        if (n < 0 && errno == EINTR)
            continue;
        code = n < 0 ? refuse(disk, key, "read it", errno, err)
                     : mr_storage_cancelled(&disk->base, job, err);
        if (code == MR_OK)
            code = on_bytes(arg, piece, (size_t)n, err);
    }
    free(piece);
    return code;
}

/* What is under a key never changes: another file takes its place. So its size, once seen, holds. */
static enum mr_code read_file(struct mr_storage *storage, const char *key, struct mr_job *job,
                              uint64_t max_bytes, mr_storage_bytes_fn *on_bytes, void *arg,
                              struct mr_err *err)
{
    struct disk *disk = disk_of(storage);
    struct stat found;
    int fd = -1;
    enum mr_code code = open_file(disk, key, &fd, &found, err);

    if (code != MR_OK)
        return code;
    code = mr_storage_check_size(storage, key, (uint64_t)found.st_size, max_bytes, err);
    if (code == MR_OK)
        code = give_bytes(disk, fd, key, job, on_bytes, arg, err);
    close(fd);
    return code;
}

static enum mr_code remove_file(struct mr_storage *storage, const char *key, struct mr_job *job,
                                struct mr_err *err)
{
    struct disk *disk = disk_of(storage);
    const char *name;
    int folder = open_folder(disk, key, false, &name);

    (void)job;
    int error = folder < 0 || unlinkat(folder, name, 0) != 0 ? errno : 0;
    if (folder >= 0)
        close(folder);
    return error == 0 || error == ENOENT ? MR_OK : refuse(disk, key, "remove it", error, err);
}

/* Keys are made of characters that a url takes as they are. */
static enum mr_code link_file(struct mr_storage *storage, const char *key, unsigned seconds,
                              char **out, struct mr_err *err)
{
    const char *url = disk_of(storage)->url;

    (void)seconds;
    if (!url)
        return mr_fail(
            err, MR_EFAULT,
            "files on a local disk have no links: configure storage.url, under which "
            "a web server shows %s, or storage.kind: s3",
            storage->name);
    bool ends = url[strlen(url) - 1] == '/';
    *out = mr_asprintf("%s%s%s", url, ends ? "" : "/", key);
    return MR_OK;
}

const struct mr_storage_kind mr_storage_disk = {
    .open = open_disk,
    .close = close_disk,
    .create = create_file,
    .write = write_file,
    .keep = keep_file,
    .drop = drop_file,
    .find = find_file,
    .read = read_file,
    .remove = remove_file,
    .link = link_file,
    .sweep = sweep_disk,
};
