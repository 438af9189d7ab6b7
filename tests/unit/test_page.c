#include "proto/page.h"
#include "tests/support/suite.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORKER "0123456789abcdef0123456789abcdef-12"

static const struct mr_page_shape shape = {
    .n_queues = 2, .n_names = 12, .n_places = 4, .n_threads = 3};
static const char *const queues[] = {"critical", "{eu}.high"};

/* A page on disk in a folder of the test's own. */
struct fixture {
    char dir[32], path[64];
    struct mr_page page;
    int fd;
    struct mr_err err;
};

static void set_up(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    strcpy(f->dir, "/tmp/mr-page-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(f->dir));
    snprintf(f->path, sizeof(f->path), "%s/p", f->dir);
    ck_assert_msg(mr_page_create(f->path, &shape, WORKER, "high", queues, &f->page, &f->fd,
                                 &f->err) == MR_OK,
                  "%s", f->err.text);
}

static void tear_down(struct fixture *f)
{
    mr_page_unmap(&f->page);
    close(f->fd);
    unlink(f->path);
    rmdir(f->dir);
}

START_TEST(a_page_reads_back_what_it_was_made_with)
{
    struct fixture f;
    struct mr_page again;
    struct stat file;

    set_up(&f);
    ck_assert_int_eq(mr_page_map(f.fd, &again, &f.err), MR_OK);
    ck_assert_str_eq(again.header->worker, WORKER);
    ck_assert_str_eq(again.header->pool, "high");
    ck_assert_str_eq(again.queue_names[1], "{eu}.high");
    ck_assert_mem_eq(&again.shape, &shape, sizeof(shape));
    ck_assert_uint_eq(again.header->crash_place, MR_PAGE_NOBODY);
    for (unsigned t = 0; t <= shape.n_threads; t++)
        ck_assert_uint_eq(again.current[t], MR_PAGE_NOBODY);
    ck_assert_int_eq(fstat(f.fd, &file), 0);
    ck_assert_uint_eq(file.st_mode & 0777, 0600);
    ck_assert_uint_eq(file.st_size, again.size);
    ck_assert_int_ne(fcntl(f.fd, F_GETFD) & FD_CLOEXEC, 0);
    mr_page_unmap(&again);
    tear_down(&f);
}
END_TEST

START_TEST(what_one_mapping_writes_the_other_reads)
{
    struct fixture f;
    struct mr_page other;

    set_up(&f);
    ck_assert_int_eq(mr_page_map(f.fd, &other, &f.err), MR_OK);
    f.page.places[3].k = 7;
    mr_page_lease_of(&f.page, 1, 11)->done[1] = 42;
    *mr_page_verdict_of(&f.page, 1, MR_PAGE_JOBS - 1, MR_PAGE_DEAD) = 9;
    f.page.waits[1].buckets[MR_HISTOGRAM_BUCKETS - 1] = 5;
    ck_assert_uint_eq(other.places[3].k, 7);
    ck_assert_uint_eq(mr_page_lease_of(&other, 1, 11)->done[1], 42);
    ck_assert_uint_eq(*mr_page_verdict_of(&other, 1, MR_PAGE_JOBS - 1, MR_PAGE_DEAD), 9);
    ck_assert_uint_eq(other.waits[1].buckets[MR_HISTOGRAM_BUCKETS - 1], 5);
    ck_assert_str_eq(other.queue_names[0], "critical"); /* no array runs into the next */
    mr_page_unmap(&other);
    tear_down(&f);
}
END_TEST

START_TEST(an_existing_file_is_never_overwritten)
{
    struct fixture f;
    struct mr_page other;
    int fd;

    set_up(&f);
    ck_assert_int_eq(
        mr_page_create(f.path, &shape, WORKER, "high", queues, &other, &fd, &f.err), MR_EEXIST);
    tear_down(&f);
}
END_TEST

static const struct mr_page_shape odd_shapes[] = {
    {0,  12,    4,     3         },
    {65, 12,    4,     3         },
    {2,  0,     4,     3         },
    {2,  65537, 4,     3         },
    {2,  12,    0,     3         },
    {2,  12,    65537, 3         },
    {2,  12,    4,     UINT32_MAX},
};

START_TEST(a_shape_out_of_bounds_is_refused)
{
    struct mr_page page;
    struct mr_err err;

    ck_assert_uint_eq(mr_page_size(&odd_shapes[_i]), 0);
    ck_assert_int_eq(
        mr_page_create_private(&odd_shapes[_i], WORKER, "high", queues, &page, &err),
        MR_EINVAL);
}
END_TEST

/* Bytes that a crash, a stranger or another version may have left in the file. */
static const struct {
    size_t at, len;
    const char *bytes;
} damage[] = {
    {offsetof(struct mr_page_header, magic),          1, "\0"              },
    {offsetof(struct mr_page_header, version),        1, "\x7f"            },
    {offsetof(struct mr_page_header, size),           2, "\1\1"            },
    {offsetof(struct mr_page_header, shape.n_names),  4, "\xff\xff\xff\xff"},
    {offsetof(struct mr_page_header, shape.n_places), 1, "\0"              },
    {offsetof(struct mr_page_header, worker),         1, "/"               },
    {offsetof(struct mr_page_header, pool),           1, "\0"              },
};

START_TEST(a_damaged_page_is_nonsense)
{
    struct fixture f;
    struct mr_page page;

    set_up(&f);
    ck_assert_int_eq(pwrite(f.fd, damage[_i].bytes, damage[_i].len, (off_t)damage[_i].at),
                     (ssize_t)damage[_i].len);
    ck_assert_int_eq(mr_page_map(f.fd, &page, &f.err), MR_EINVAL);
    tear_down(&f);
}
END_TEST

START_TEST(a_name_that_does_not_end_is_nonsense)
{
    struct fixture f;
    struct mr_page page;

    set_up(&f);
    memset(f.page.queue_names[1], 'x', sizeof(f.page.queue_names[1]));
    ck_assert_int_eq(mr_page_map(f.fd, &page, &f.err), MR_EINVAL);
    tear_down(&f);
}
END_TEST

START_TEST(a_file_of_another_size_is_nonsense)
{
    static const long deltas[] = {-1, 1, -100000000};
    struct fixture f;
    struct mr_page page;
    long size;

    set_up(&f);
    size = (long)f.page.size + deltas[_i];
    mr_page_unmap(&f.page);
    ck_assert_int_eq(ftruncate(f.fd, size < 0 ? 0 : size), 0);
    ck_assert_int_eq(mr_page_map(f.fd, &page, &f.err), MR_EINVAL);
    tear_down(&f);
}
END_TEST

START_TEST(the_lock_outlives_the_dispatcher_and_not_the_worker)
{
    struct fixture f;
    int begin[2];
    char go;

    set_up(&f);
    ck_assert_int_eq(pipe(begin), 0);
    ck_assert_int_eq(mr_page_lock(f.fd, &f.err), MR_OK);
    pid_t worker = fork();
    if (worker == 0) { /* holds the inherited fd until told to die */
        close(begin[1]);
        _exit(read(begin[0], &go, 1) != 0);
    }
    close(begin[0]);
    mr_page_unmap(
        &f.page); /* the dispatcher dies: a mapping holds the open file as an fd does */
    close(f.fd);

    f.fd = open(f.path, O_RDWR | O_CLOEXEC); /* a new one comes */
    ck_assert_int_eq(mr_page_lock(f.fd, &f.err), MR_EBUSY);
    close(begin[1]);
    ck_assert_int_eq(waitpid(worker, NULL, 0), worker);
    ck_assert_int_eq(mr_page_lock(f.fd, &f.err), MR_OK);
    tear_down(&f);
}
END_TEST

START_TEST(addresses_out_of_bounds_are_nobody)
{
    struct mr_page page;
    struct mr_err err;

    ck_assert_int_eq(mr_page_create_private(&shape, WORKER, "high", queues, &page, &err),
                     MR_OK);
    ck_assert_ptr_null(mr_page_lease_of(&page, 2, 0));
    ck_assert_ptr_null(mr_page_lease_of(&page, 0, 12));
    ck_assert_ptr_null(mr_page_verdict_of(&page, 0, MR_PAGE_JOBS, MR_PAGE_DONE));
    mr_page_unmap(&page);
}
END_TEST

START_TEST(job_names_get_rows_until_there_is_no_room)
{
    struct mr_page page;
    struct mr_err err;
    char name[MR_PAGE_NAME + 8], read[MR_PAGE_NAME];

    ck_assert_int_eq(mr_page_create_private(&shape, WORKER, "high", queues, &page, &err),
                     MR_OK);
    for (unsigned row = 1; row < MR_PAGE_JOBS; row++) {
        snprintf(name, sizeof(name), "job.%u", row);
        ck_assert_uint_eq(mr_page_job(&page, name), row);
        ck_assert_uint_eq(mr_page_job(&page, name), row);
    }
    ck_assert_uint_eq(mr_page_job(&page, "one.too.many"), 0);
    ck_assert_uint_eq(mr_page_n_jobs(&page), MR_PAGE_JOBS);
    mr_page_job_name(&page, 0, read);
    ck_assert_str_eq(read, "other");
    mr_page_unmap(&page);
}
END_TEST

START_TEST(a_name_too_long_for_its_row_counts_as_other)
{
    struct mr_page page;
    struct mr_err err;
    char name[MR_PAGE_NAME + 1];

    ck_assert_int_eq(mr_page_create_private(&shape, WORKER, "high", queues, &page, &err),
                     MR_OK);
    memset(name, 'n', MR_PAGE_NAME);
    name[MR_PAGE_NAME] = '\0';
    ck_assert_uint_eq(mr_page_job(&page, name), 0);
    ck_assert_uint_eq(mr_page_n_jobs(&page), 1);
    mr_page_unmap(&page);
}
END_TEST

START_TEST(a_reader_bounds_what_a_broken_worker_wrote)
{
    struct mr_page page;
    struct mr_err err;
    char read[MR_PAGE_NAME];

    ck_assert_int_eq(mr_page_create_private(&shape, WORKER, "high", queues, &page, &err),
                     MR_OK);
    page.header->n_jobs = UINT32_MAX;
    memset(page.header->job_names, 'x', sizeof(page.header->job_names));
    ck_assert_uint_eq(mr_page_n_jobs(&page), MR_PAGE_JOBS);
    mr_page_job_name(&page, MR_PAGE_JOBS - 1, read);
    ck_assert_uint_eq(strlen(read), MR_PAGE_NAME - 1);
    mr_page_job_name(&page, MR_PAGE_JOBS, read);
    ck_assert_str_eq(read, "");
    mr_page_unmap(&page);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_page_reads_back_what_it_was_made_with,             0                   },
        {what_one_mapping_writes_the_other_reads,             0                   },
        {an_existing_file_is_never_overwritten,               0                   },
        {a_shape_out_of_bounds_is_refused,                    MR_COUNT(odd_shapes)},
        {a_damaged_page_is_nonsense,                          MR_COUNT(damage)    },
        {a_name_that_does_not_end_is_nonsense,                0                   },
        {a_file_of_another_size_is_nonsense,                  3                   },
        {the_lock_outlives_the_dispatcher_and_not_the_worker, 0                   },
        {addresses_out_of_bounds_are_nobody,                  0                   },
        {job_names_get_rows_until_there_is_no_room,           0                   },
        {a_name_too_long_for_its_row_counts_as_other,         0                   },
        {a_reader_bounds_what_a_broken_worker_wrote,          0                   },
    };

    return mr_suite_run("page", tests);
}
