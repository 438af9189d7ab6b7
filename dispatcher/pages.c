#include "dispatcher/pages.h"

#include "proto/base/log.h"
#include "proto/base/mem.h"
#include "proto/base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".page"

enum { SPARE_NAMES = 8 }; /* K = concurrency + 8 lease names for each queue */

/* mkdir -p. What exists already is not an error here: the check of the whole path says what is wrong with it. */
static void make_dirs(const char *dir)
{
    char *path = mr_strdup(dir);

    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0755);
        *slash = '/';
    }
    mkdir(path, 0700);
    free(path);
}

/* Others who could write here could hand us pages and take our socket's place. */
static enum mr_code check_dir(const char *dir, struct mr_err *err)
{
    struct stat is;

    if (stat(dir, &is) < 0)
        return mr_fail(err, MR_EIO, "runtime_dir %s: %s", dir, strerror(errno));
    if (!S_ISDIR(is.st_mode))
        return mr_fail(err, MR_EIO, "runtime_dir %s is not a directory", dir);
    if (is.st_uid != geteuid())
        return mr_fail(err, MR_EIO, "runtime_dir %s belongs to uid %u, we run as %u", dir,
                       (unsigned)is.st_uid, (unsigned)geteuid());
    if (is.st_mode & 022)
        return mr_fail(err, MR_EIO, "runtime_dir %s is writable by others: chmod 0700 %s", dir,
                       dir);
    return MR_OK;
}

/* The pid of the lock's holder is there for people alone. */
static enum mr_code refuse_second(int fd, const char *dir, struct mr_err *err)
{
    char pid[16] = "";
    ssize_t len = pread(fd, pid, sizeof(pid) - 1, 0);

    pid[len > 0 ? len : 0] = '\0';
    pid[strspn(pid, "0123456789")] = '\0';
    return mr_fail(
        err, MR_EBUSY,
        "runtime_dir %s: another dispatcher (pid %s) runs with it: stop that one, or "
        "set another runtime_dir",
        dir, pid);
}

enum mr_code mr_pages_claim(const char *dir, int *out_lock_fd, struct mr_err *err)
{
    make_dirs(dir);
    enum mr_code code = check_dir(dir, err);
    if (code != MR_OK)
        return code;

    char *path = mr_asprintf("%s/lock", dir);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        code = mr_fail(err, MR_EIO, "%s: %s", path, strerror(errno));
    else if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        code = errno == EWOULDBLOCK
                   ? refuse_second(fd, dir, err)
                   : mr_fail(err, MR_EIO, "%s: cannot lock: %s", path, strerror(errno));
    else if (ftruncate(fd, 0) < 0 || dprintf(fd, "%d\n", (int)getpid()) < 0)
        code = mr_fail(err, MR_EIO, "%s: cannot write: %s", path, strerror(errno));
    free(path);
    if (code == MR_OK)
        *out_lock_fd = fd;
    else if (fd >= 0)
        close(fd);
    return code;
}

static enum mr_code make_page(const char *dir, const struct mr_page_shape *shape,
                              struct mr_child *child, struct mr_err *err)
{
    mr_worker_make(child->worker, shape->n_names);
    char *path = mr_asprintf("%s/%s.%s" SUFFIX, dir, child->pool, child->worker);
    enum mr_code code =
        mr_page_create(path, shape, child->worker, child->pool,
                       (const char *const *)child->queues, &child->page, &child->page_fd, err);

    if (code != MR_OK) {
        free(path);
        return code;
    }
    child->page_path = path;
    return mr_page_lock(child->page_fd, err);
}

enum mr_code mr_pages_make(const char *dir, const struct mr_pool_config *pool,
                           struct mr_child **out, struct mr_err *err)
{
    const struct mr_page_shape shape = {.n_queues = pool->n_queues,
                                        .n_names = pool->concurrency + SPARE_NAMES,
                                        .n_places = pool->concurrency,
                                        .n_threads = pool->threads};
    struct mr_child *child =
        mr_child_new(pool->name, NULL, (const char *const *)pool->queues, pool->n_queues);
    enum mr_code code = make_page(dir, &shape, child, err);

    if (code == MR_OK) {
        *out = child;
    } else {
        mr_pages_drop(child);
        mr_child_free(child);
    }
    return code;
}

/* "<pool>.<worker>.page": the pool may hold dots, the worker does not. False: no page of ours. */
static bool parse_name(const char *name, char **out_pool, char **out_worker)
{
    size_t len = strlen(name);

    if (len <= strlen(SUFFIX) || strcmp(name + len - strlen(SUFFIX), SUFFIX) != 0)
        return false;
    char *pool = mr_strndup(name, len - strlen(SUFFIX));
    char *dot = strrchr(pool, '.');

    if (!dot || !mr_str_is_queue_name((struct mr_bytes){pool, (size_t)(dot - pool)}) ||
        strlen(dot + 1) >= MR_WORKER_MAX || mr_worker_names(dot + 1) == 0) {
        free(pool);
        return false;
    }
    *dot = '\0';
    *out_worker = mr_strdup(dot + 1);
    *out_pool = pool;
    return true;
}

/* Maps the child's page if it is what the file's name says; else it is lost. */
static void read_page(struct mr_child *child)
{
    struct mr_err err = {.text = "it is another worker's"};
    struct mr_page page;
    const char *queues[64];

    if (mr_page_map(child->page_fd, &page, &err) != MR_OK) {
        mr_log_warn("page.lost", "pool=%s worker=%s reason=%s", child->pool, child->worker,
                    err.text);
        return;
    }
    if (strcmp(page.header->worker, child->worker) != 0 ||
        page.shape.n_names != mr_worker_names(child->worker)) {
        mr_log_warn("page.lost", "pool=%s worker=%s reason=%s", child->pool, child->worker,
                    err.text);
        mr_page_unmap(&page);
        return;
    }
    for (uint32_t q = 0; q < page.shape.n_queues; q++)
        queues[q] = page.queue_names[q];
    mr_child_set_queues(child, queues, page.shape.n_queues);
    child->page = page;
    child->pid = (pid_t)page.header->pid;
}

/* NULL: not a page, or it cannot be opened. */
static struct mr_child *adopt_one(const char *dir, const char *name)
{
    char *pool, *worker;

    if (!parse_name(name, &pool, &worker))
        return NULL;
    struct mr_child *child = mr_child_new(pool, worker, NULL, 0);
    child->page_path = mr_asprintf("%s/%s", dir, name);
    child->page_fd = open(child->page_path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    free(pool);
    free(worker);
    if (child->page_fd < 0) {
        mr_log_warn("page.unreadable", "path=%s reason=%s", child->page_path, strerror(errno));
        mr_child_free(child);
        return NULL;
    }
    child->orphan = true;
    child->registered = true; /* as far as anybody knows */
    child->dead = mr_pages_is_free(child);
    read_page(child);
    return child;
}

enum mr_code mr_pages_adopt(const char *dir, void (*found)(void *arg, struct mr_child *child),
                            void *arg, struct mr_err *err)
{
    DIR *files = opendir(dir);
    struct dirent *file;

    if (!files)
        return mr_fail(err, MR_EIO, "runtime_dir %s: %s", dir, strerror(errno));
    while ((file = readdir(files))) {
        struct mr_child *child = adopt_one(dir, file->d_name);

        if (child)
            found(arg, child);
    }
    closedir(files);
    return MR_OK;
}

void mr_pages_reopen(struct mr_child *child)
{
    pid_t pid = child->pid;
    int fd = open(child->page_path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return; /* somebody removed the file: we go on with the one we hold */
    mr_page_unmap(&child->page);
    close(child->page_fd);
    child->page_fd = fd;
    read_page(child);
    child->pid = pid;
}

bool mr_pages_is_free(const struct mr_child *child)
{
    return mr_page_lock(child->page_fd, NULL) == MR_OK;
}

void mr_pages_drop(struct mr_child *child)
{
    if (child->page_path)
        unlink(child->page_path);
}
