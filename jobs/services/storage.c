#include "jobs/services/storage.h"

#include "proto/base/clock.h"
#include "proto/base/mem.h"
#include "proto/base/random.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    KEY_MAX = 200,         /* so that a half-written file's name stays below NAME_MAX */
    BUFFER_BYTES = 65536,  /* one write(2) */
    DICE_BYTES = 8,        /* in the name of a half-written file, as hexadecimal digits */
    LEFT_AGE_MS = 3600000, /* so old, a half-written file is a killed process' */
    FOLDER_OPEN = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
};

#define PART_END ".part"

struct mr_storage {
    char *path; /* for messages */
    int root;
    atomic_flag swept;
};

/* Its name while it is written is .NAME.<dice>.part, beside where it will be. */
struct mr_storage_file {
    struct mr_storage *storage;
    char key[KEY_MAX + 1];
    const char *name; /* the last of key */
    char part[KEY_MAX + 2 * DICE_BYTES + sizeof("..") + sizeof(PART_END)];
    int folder, fd;
    int failed; /* the errno after which nothing may follow; 0: none */
    uint64_t written;
    size_t held;
    char buffer[BUFFER_BYTES];
};

/* ---- keys ---- */

static bool is_name_char(char c)
{
    return isalnum((unsigned char)c) || (c && strchr("_.-", c));
}

static enum mr_code check_key(const char *key, struct mr_err *err)
{
    size_t len = strlen(key);

    if (len == 0 || len > KEY_MAX)
        return mr_fail(err, MR_EINVAL,
                       "storage key \"%.40s\": 1 to %d bytes are allowed, not %zu", key,
                       KEY_MAX, len);
    for (const char *c = key; *c; c++) {
        bool begins = c == key || c[-1] == '/';

        if (begins && (*c == '/' || *c == '.'))
            return mr_fail(err, MR_EINVAL,
                           "storage key \"%s\": a name in it is empty or begins with a dot",
                           key);
        if (*c != '/' && !is_name_char(*c))
            return mr_fail(err, MR_EINVAL,
                           "storage key \"%s\": only letters, digits, '_', '.', '-' and, "
                           "between names, '/' are allowed",
                           key);
    }
    if (key[len - 1] == '/')
        return mr_fail(err, MR_EINVAL, "storage key \"%s\" ends with a slash", key);
    return MR_OK;
}

static enum mr_code refuse(const struct mr_storage *storage, const char *key, const char *what,
                           int error, struct mr_err *err)
{
    const char *hint = "";

    if (error == ELOOP || error == ENOTDIR)
        hint = " (a symbolic link or a file stands where a folder should)";
    return mr_fail(err, MR_EIO, "storage.path %s: %s: cannot %s: %s%s", storage->path, key,
                   what, strerror(error), hint);
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
static int open_folder(const struct mr_storage *storage, const char *key, bool make,
                       const char **out_name)
{
    int at = fcntl(storage->root, F_DUPFD_CLOEXEC, 0);

    for (const char *slash; at >= 0 && (slash = strchr(key, '/')); key = slash + 1) {
        char name[KEY_MAX + 1];
        int below = -1;

        snprintf(name, sizeof(name), "%.*s", (int)(slash - key), key);
        if (!make || make_folder(at, name) == 0)
            below = openat(at, name, FOLDER_OPEN);
        int error = errno;
        close(at);
        errno = error;
        at = below;
    }
    *out_name = key;
    return at;
}

enum mr_code mr_storage_open(const char *path, struct mr_storage **out, struct mr_err *err)
{
    if (!path)
        return mr_fail(err, MR_EINVAL,
                       "storage.path is not configured: no folder to keep files in");
    if (mkdir(path, 0750) != 0 && errno != EEXIST)
        return mr_fail(err, MR_EIO, "storage.path %s: cannot make this folder: %s", path,
                       strerror(errno));
    /* The folder itself may be a link: that is the operator's own doing. */
    int root = open(path, FOLDER_OPEN & ~O_NOFOLLOW);

    if (root < 0)
        return mr_fail(err, MR_EIO, "storage.path %s: cannot open this folder: %s", path,
                       strerror(errno));
    if (faccessat(root, ".", W_OK | X_OK, AT_EACCESS) != 0) {
        int error = errno;

        close(root);
        return mr_fail(err, MR_EIO, "storage.path %s: cannot write here: %s", path,
                       strerror(error));
    }
    struct mr_storage *storage = mr_zalloc(sizeof(*storage));
    storage->path = mr_strdup(path);
    storage->root = root;
    atomic_flag_clear(&storage->swept);
    *out = storage;
    return MR_OK;
}

void mr_storage_close(struct mr_storage *storage)
{
    if (!storage)
        return;
    close(storage->root);
    free(storage->path);
    free(storage);
}

/* ---- one file ---- */

static void name_part(struct mr_storage_file *file)
{
    unsigned char dice[DICE_BYTES];
    size_t len = (size_t)snprintf(file->part, sizeof(file->part), ".%s.", file->name);

    mr_random_bytes(dice, sizeof(dice));
    for (size_t i = 0; i < sizeof(dice); i++, len += 2)
        snprintf(file->part + len, sizeof(file->part) - len, "%02x", dice[i]);
    snprintf(file->part + len, sizeof(file->part) - len, PART_END);
}

enum mr_code mr_storage_create(struct mr_storage *storage, const char *key,
                               struct mr_storage_file **out, struct mr_err *err)
{
    enum mr_code code = check_key(key, err);

    if (code != MR_OK)
        return code;
    if (!atomic_flag_test_and_set(&storage->swept))
        mr_storage_sweep(storage, LEFT_AGE_MS);
    struct mr_storage_file *file = mr_zalloc(sizeof(*file));
    file->storage = storage;
    file->fd = -1;
    snprintf(file->key, sizeof(file->key), "%s", key);
    file->folder = open_folder(storage, file->key, true, &file->name);
    if (file->folder < 0) {
        code = refuse(storage, key, "make its folder", errno, err);
        goto out;
    }
    name_part(file);
    file->fd = openat(file->folder, file->part,
                      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
    /* The lock says that somebody still writes; it ends with the process. Only a sweep can have it now, for a glance. */
    if (file->fd < 0 || flock(file->fd, LOCK_EX) != 0) {
        code = refuse(storage, key, "make it", errno, err);
        goto out;
    }
    *out = file;
    return MR_OK;

out:
    mr_storage_drop(file);
    return code;
}

static enum mr_code fail_file(struct mr_storage_file *file, const char *what, int error,
                              struct mr_err *err)
{
    file->failed = error;
    return refuse(file->storage, file->key, what, error, err);
}

static enum mr_code write_all(struct mr_storage_file *file, const char *bytes, size_t len,
                              struct mr_err *err)
{
    while (len > 0) {
        ssize_t n = write(file->fd, bytes, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return fail_file(file, "write it", n < 0 ? errno : EIO, err);
        bytes += n;
        len -= (size_t)n;
    }
    return MR_OK;
}

static enum mr_code flush(struct mr_storage_file *file, struct mr_err *err)
{
    size_t held = file->held;

    file->held = 0;
    return write_all(file, file->buffer, held, err);
}

enum mr_code mr_storage_write(struct mr_storage_file *file, const void *bytes, size_t len,
                              struct mr_err *err)
{
    enum mr_code code = MR_OK;

    if (file->failed)
        return fail_file(file, "write it", file->failed, err);
    if (len > sizeof(file->buffer) - file->held)
        code = flush(file, err);
    if (code == MR_OK && len >= sizeof(file->buffer)) {
        code = write_all(file, bytes, len, err);
    } else if (code == MR_OK && len > 0) {
        memcpy(file->buffer + file->held, bytes, len);
        file->held += len;
    }
    if (code == MR_OK)
        file->written += len;
    return code;
}

uint64_t mr_storage_written(const struct mr_storage_file *file)
{
    return file->written;
}

/* The entry of the folder goes to the disk last: it must never name a file whose bytes could still be lost. */
static enum mr_code put_in_place(struct mr_storage_file *file, struct mr_err *err)
{
    enum mr_code code =
        file->failed ? fail_file(file, "write it", file->failed, err) : flush(file, err);

    if (code != MR_OK)
        return code;
    if (fsync(file->fd) != 0)
        return fail_file(file, "bring it to the disk", errno, err);
    if (renameat(file->folder, file->part, file->folder, file->name) != 0)
        return fail_file(file, "give it its name", errno, err);
    file->part[0] = '\0';
    if (sync_folder(file->folder) != 0)
        return fail_file(file, "bring its folder to the disk", errno, err);
    return MR_OK;
}

enum mr_code mr_storage_keep(struct mr_storage_file *file, struct mr_err *err)
{
    enum mr_code code = put_in_place(file, err);

    mr_storage_drop(file);
    return code;
}

void mr_storage_drop(struct mr_storage_file *file)
{
    if (!file)
        return;
    if (file->fd >= 0) {
        if (file->part[0])
            unlinkat(file->folder, file->part, 0);
        close(file->fd);
    }
    if (file->folder >= 0)
        close(file->folder);
    free(file);
}

bool mr_storage_has(struct mr_storage *storage, const char *key, uint64_t *out_bytes)
{
    const char *name;
    struct stat found;

    if (check_key(key, NULL) != MR_OK)
        return false;
    int folder = open_folder(storage, key, false, &name);
    if (folder < 0)
        return false;
    bool has =
        fstatat(folder, name, &found, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(found.st_mode);
    close(folder);
    if (has && out_bytes)
        *out_bytes = (uint64_t)found.st_size;
    return has;
}

/* ---- what processes left that were killed while they wrote ---- */

static bool is_part(const char *name)
{
    size_t len = strlen(name), end = strlen(PART_END), tail = 1 + 2 * DICE_BYTES + end;

    if (name[0] != '.' || len < 2 + tail || name[len - tail] != '.')
        return false;
    return strspn(name + len - tail + 1, "0123456789abcdef") == 2 * DICE_BYTES &&
           strcmp(name + len - end, PART_END) == 0;
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

/* Takes folder. Not deeper than a key can reach. */
static unsigned sweep_folder(int folder, unsigned depth, uint64_t min_age_ms)
{
    DIR *dir = folder < 0 ? NULL : fdopendir(folder);
    unsigned n = 0;

    if (!dir) {
        if (folder >= 0)
            close(folder);
        return 0;
    }
    for (struct dirent *entry; (entry = readdir(dir));) {
        if (is_part(entry->d_name))
            n += remove_if_left(folder, entry->d_name, min_age_ms);
        else if (entry->d_name[0] != '.' && depth < KEY_MAX / 2 && entry->d_type != DT_REG)
            n +=
                sweep_folder(openat(folder, entry->d_name, FOLDER_OPEN), depth + 1, min_age_ms);
    }
    closedir(dir);
    return n;
}

unsigned mr_storage_sweep(struct mr_storage *storage, uint64_t min_age_ms)
{
    /* Not a duplicate: that would share its place in the listing with every other sweep. */
    return sweep_folder(openat(storage->root, ".", FOLDER_OPEN), 0, min_age_ms);
}
