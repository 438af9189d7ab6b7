#include "proto/page.h"

#include "proto/base/mem.h"
#include "proto/base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    QUEUES_MAX = 64,
    NAMES_MAX = 65536,
    PLACES_MAX = 65536,
    THREADS_MAX = 4096,
    CACHE_LINE = 64
};

/* Where each array begins, in the order it lies in the file. */
struct layout {
    size_t places, leases, current, verdicts, waits, queue_names, size;
};

/* Every array begins on a cache line of its own, so that the loop and the threads do not share one. */
static size_t lay(size_t *end, size_t n, size_t size)
{
    size_t at = (*end + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;

    *end = at + n * size;
    return at;
}

static bool shape_is_sane(const struct mr_page_shape *shape)
{
    return shape->n_queues >= 1 && shape->n_queues <= QUEUES_MAX && shape->n_names >= 1 &&
           shape->n_names <= NAMES_MAX && shape->n_places >= 1 &&
           shape->n_places <= PLACES_MAX && shape->n_threads <= THREADS_MAX;
}

static struct layout lay_out(const struct mr_page_shape *shape)
{
    const struct mr_page page = {0}; /* for sizeof alone */
    struct layout at;
    size_t end = sizeof(struct mr_page_header);

    at.places = lay(&end, shape->n_places, sizeof(*page.places));
    at.leases = lay(&end, (size_t)shape->n_queues * shape->n_names, sizeof(*page.leases));
    at.current = lay(&end, 1 + (size_t)shape->n_threads, sizeof(*page.current));
    at.verdicts = lay(&end, (size_t)shape->n_queues * MR_PAGE_JOBS * MR_PAGE_VERDICTS,
                      sizeof(*page.verdicts));
    at.waits = lay(&end, shape->n_queues, sizeof(*page.waits));
    at.queue_names = lay(&end, shape->n_queues, sizeof(*page.queue_names));
    at.size = end;
    return at;
}

size_t mr_page_size(const struct mr_page_shape *shape)
{
    return shape_is_sane(shape) ? lay_out(shape).size : 0;
}

static struct mr_page view(void *memory, const struct mr_page_shape *shape)
{
    struct layout at = lay_out(shape);
    char *base = memory;

    return (struct mr_page){
        .header = memory,
        .shape = *shape,
        .places = (void *)(base + at.places),
        .leases = (void *)(base + at.leases),
        .current = (void *)(base + at.current),
        .verdicts = (void *)(base + at.verdicts),
        .waits = (void *)(base + at.waits),
        .queue_names = (void *)(base + at.queue_names),
        .size = at.size,
    };
}

/* What is longer than its field would be another name: our callers check names, so it is our own mistake. */
static enum mr_code copy_name(char *out, size_t room, const char *name, struct mr_err *err)
{
    size_t len = strlen(name);

    if (len == 0 || len >= room)
        return mr_fail(err, MR_EINVAL, "page: the name '%.100s' has %zu bytes, 1 to %zu fit",
                       name, len, room - 1);
    memcpy(out, name, len + 1);
    return MR_OK;
}

/* Fills a page of zeroes. The magic comes last: a page half made is nonsense. */
static enum mr_code fill(struct mr_page *page, const char *worker, const char *pool,
                         const char *const *queues, struct mr_err *err)
{
    struct mr_page_header *header = page->header;

    if (copy_name(header->worker, sizeof(header->worker), worker, err) != MR_OK ||
        copy_name(header->pool, sizeof(header->pool), pool, err) != MR_OK)
        return MR_EINVAL;
    for (uint32_t q = 0; q < page->shape.n_queues; q++)
        if (copy_name(page->queue_names[q], sizeof(*page->queue_names), queues[q], err) !=
            MR_OK)
            return MR_EINVAL;

    header->version = MR_PAGE_VERSION;
    header->size = page->size;
    header->shape = page->shape;
    header->crash_place = MR_PAGE_NOBODY;
    memcpy(header->job_names[0], "other", sizeof("other"));
    header->n_jobs = 1;
    for (uint32_t t = 0; t <= page->shape.n_threads; t++)
        page->current[t] = MR_PAGE_NOBODY;
    header->magic = MR_PAGE_MAGIC;
    return MR_OK;
}

/* Maps size bytes of fd (-1: anonymous memory) and fills them. */
static enum mr_code map_and_fill(int fd, const struct mr_page_shape *shape, const char *worker,
                                 const char *pool, const char *const *queues,
                                 struct mr_page *out, struct mr_err *err)
{
    int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    size_t size = mr_page_size(shape);
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

    if (memory == MAP_FAILED)
        return mr_fail(err, MR_EIO, "page: cannot map %zu bytes: %s", size, strerror(errno));
    struct mr_page page = view(memory, shape);
    enum mr_code code = fill(&page, worker, pool, queues, err);
    if (code != MR_OK)
        munmap(memory, size);
    else
        *out = page;
    return code;
}

static enum mr_code check_shape(const struct mr_page_shape *shape, struct mr_err *err)
{
    if (shape_is_sane(shape))
        return MR_OK;
    return mr_fail(err, MR_EINVAL,
                   "page: %u queues, %u lease names, %u places, %u threads: out of bounds "
                   "(%d, %d, %d, %d)",
                   shape->n_queues, shape->n_names, shape->n_places, shape->n_threads,
                   QUEUES_MAX, NAMES_MAX, PLACES_MAX, THREADS_MAX);
}

enum mr_code mr_page_create(const char *path, const struct mr_page_shape *shape,
                            const char *worker, const char *pool, const char *const *queues,
                            struct mr_page *out, int *out_fd, struct mr_err *err)
{
    enum mr_code code = check_shape(shape, err);

    if (code != MR_OK)
        return code;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return mr_fail(err, errno == EEXIST ? MR_EEXIST : MR_EIO, "%s: cannot create: %s", path,
                       strerror(errno));
    /* Claimed now: on a full tmpfs a hole would kill the worker by SIGBUS at some later store. */
    int failed = posix_fallocate(fd, 0, (off_t)mr_page_size(shape));
    if (failed)
        code = mr_fail(err, MR_EIO, "%s: cannot take %zu bytes: %s", path, mr_page_size(shape),
                       strerror(failed));
    else
        code = map_and_fill(fd, shape, worker, pool, queues, out, err);
    if (code != MR_OK) {
        unlink(path);
        close(fd);
        return code;
    }
    *out_fd = fd;
    return MR_OK;
}

enum mr_code mr_page_create_private(const struct mr_page_shape *shape, const char *worker,
                                    const char *pool, const char *const *queues,
                                    struct mr_page *out, struct mr_err *err)
{
    enum mr_code code = check_shape(shape, err);

    return code == MR_OK ? map_and_fill(-1, shape, worker, pool, queues, out, err) : code;
}

static bool is_name(const char *at, size_t room)
{
    size_t len = strnlen(at, room);

    return len < room && mr_str_is_queue_name((struct mr_bytes){at, len});
}

static const char *nonsense_in(const struct mr_page *page)
{
    const struct mr_page_header *header = page->header;

    if (!is_name(header->worker, sizeof(header->worker)))
        return "its worker's name is none";
    if (!is_name(header->pool, sizeof(header->pool)))
        return "its pool's name is none";
    for (uint32_t q = 0; q < page->shape.n_queues; q++)
        if (!is_name(page->queue_names[q], sizeof(*page->queue_names)))
            return "a queue's name is none";
    return NULL;
}

/* The header's bounds, from a copy: whoever maps the page too may write it meanwhile. */
static const char *nonsense_of_size(const struct mr_page_header *header, off_t size)
{
    if (header->magic != MR_PAGE_MAGIC)
        return "it does not begin as one";
    if (header->version != MR_PAGE_VERSION)
        return "it is of another version";
    if (mr_page_size(&header->shape) == 0 || header->size != mr_page_size(&header->shape) ||
        (off_t)header->size != size)
        return "its sizes do not fit together";
    return NULL;
}

enum mr_code mr_page_map(int fd, struct mr_page *out, struct mr_err *err)
{
    struct stat file;
    struct mr_page_header *head = mr_zalloc(sizeof(*head));
    enum mr_code code = MR_OK;
    const char *nonsense = NULL;

    if (fstat(fd, &file) < 0) {
        code = mr_fail(err, MR_EIO, "page: cannot stat: %s", strerror(errno));
        goto out;
    }
    if (pread(fd, head, sizeof(*head), 0) != (ssize_t)sizeof(*head))
        nonsense = "it is too short";
    else
        nonsense = nonsense_of_size(head, file.st_size);
    if (nonsense) {
        code = mr_fail(err, MR_EINVAL, "not a worker's page: %s", nonsense);
        goto out;
    }

    void *memory = mmap(NULL, head->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        code = mr_fail(err, MR_EIO, "page: cannot map %ju bytes: %s", (uintmax_t)head->size,
                       strerror(errno));
        goto out;
    }
    struct mr_page page = view(memory, &head->shape);
    nonsense = nonsense_in(&page);
    if (nonsense) {
        munmap(memory, page.size);
        code = mr_fail(err, MR_EINVAL, "not a worker's page: %s", nonsense);
        goto out;
    }
    *out = page;
out:
    free(head);
    return code;
}

void mr_page_unmap(struct mr_page *page)
{
    if (!page || !page->header)
        return;
    munmap(page->header, page->size);
    *page = (struct mr_page){0};
}

enum mr_code mr_page_lock(int fd, struct mr_err *err)
{
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return MR_OK;
    if (errno == EWOULDBLOCK)
        return mr_fail(err, MR_EBUSY, "page: its worker lives");
    return mr_fail(err, MR_EIO, "page: cannot lock: %s", strerror(errno));
}

struct mr_page_lease *mr_page_lease_of(const struct mr_page *page, uint32_t queue, uint32_t k)
{
    if (queue >= page->shape.n_queues || k >= page->shape.n_names)
        return NULL;
    return &page->leases[(size_t)queue * page->shape.n_names + k];
}

_Atomic uint64_t *mr_page_verdict_of(const struct mr_page *page, uint32_t queue, uint32_t job,
                                     enum mr_page_verdict verdict)
{
    if (queue >= page->shape.n_queues || job >= MR_PAGE_JOBS || verdict >= MR_PAGE_VERDICTS)
        return NULL;
    return &page->verdicts[((size_t)queue * MR_PAGE_JOBS + job) * MR_PAGE_VERDICTS + verdict];
}

uint32_t mr_page_job(struct mr_page *page, const char *name)
{
    struct mr_page_header *header = page->header;
    uint32_t n = mr_page_n_jobs(page);
    size_t len = strlen(name);

    for (uint32_t row = 0; row < n; row++)
        if (strncmp(header->job_names[row], name, MR_PAGE_NAME) == 0)
            return row;
    /* A name cut short could be another job's: what does not fit is "other". */
    if (n == MR_PAGE_JOBS || len >= MR_PAGE_NAME)
        return 0;
    memcpy(header->job_names[n], name, len + 1);
    atomic_store_explicit(&header->n_jobs, n + 1, memory_order_release);
    return n;
}

uint32_t mr_page_n_jobs(const struct mr_page *page)
{
    uint32_t n = atomic_load_explicit(&page->header->n_jobs, memory_order_acquire);

    return n <= MR_PAGE_JOBS ? n : MR_PAGE_JOBS;
}

void mr_page_job_name(const struct mr_page *page, uint32_t row, char out[MR_PAGE_NAME])
{
    const char *name = row < MR_PAGE_JOBS ? page->header->job_names[row] : "";
    size_t len = strnlen(name, MR_PAGE_NAME - 1);

    memcpy(out, name, len);
    out[len] = '\0';
}
