#include "dispatcher/pages.h"
#include "tests/support/suite.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char critical[] = "critical", high[] = "high", eu_high[] = "eu.high";
static char *queues[] = {critical, high};
static const struct mr_pool_config pool = {
    .name = eu_high, .queues = queues, .n_queues = 2, .concurrency = 4};

struct fixture {
    char dir[48];
    int lock_fd;
    struct mr_child *child, *found; /* found: what an adoption came upon */
    unsigned n_found;
    struct mr_err err;
};

static void set_up(struct fixture *f)
{
    memset(f, 0, sizeof(*f));
    strcpy(f->dir, "/tmp/mr-pages-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(f->dir));
    ck_assert_msg(mr_pages_claim(f->dir, &f->lock_fd, &f->err) == MR_OK, "%s", f->err.text);
    ck_assert_msg(mr_pages_make(f->dir, &pool, &f->child, &f->err) == MR_OK, "%s", f->err.text);
}

static void tear_down(struct fixture *f)
{
    char command[80];

    mr_child_free(f->child);
    mr_child_free(f->found);
    close(f->lock_fd);
    snprintf(command, sizeof(command), "rm -rf %s", f->dir);
    ck_assert_int_eq(system(command), 0);
}

static void on_found(void *arg, struct mr_child *child)
{
    struct fixture *f = arg;

    f->found = child;
    f->n_found++;
}

/* As if another dispatcher came: nothing of the first is open any more. */
static void adopt(struct fixture *f)
{
    mr_child_free(f->child);
    f->child = NULL;
    ck_assert_int_eq(mr_pages_adopt(f->dir, on_found, f, &f->err), MR_OK);
}

/* A process that holds what the dispatcher had open, as a worker does, until killed. */
static pid_t hold(void)
{
    pid_t pid = fork();

    if (pid == 0)
        for (;;)
            pause();
    return pid;
}

START_TEST(a_second_dispatcher_is_refused_and_told_whom_by)
{
    struct fixture f;
    char pid[32];
    int fd;

    set_up(&f);
    ck_assert_int_eq(mr_pages_claim(f.dir, &fd, &f.err), MR_EBUSY);
    snprintf(pid, sizeof(pid), "(pid %d)", (int)getpid());
    ck_assert_msg(strstr(f.err.text, pid) != NULL, "%s", f.err.text);
    tear_down(&f);
}
END_TEST

START_TEST(a_missing_directory_is_made_for_us_alone)
{
    struct fixture f;
    char dir[64];
    struct stat is;
    int fd;

    set_up(&f);
    snprintf(dir, sizeof(dir), "%s/a/b", f.dir);
    ck_assert_int_eq(mr_pages_claim(dir, &fd, &f.err), MR_OK);
    ck_assert_int_eq(stat(dir, &is), 0);
    ck_assert_uint_eq(is.st_mode & 0777, 0700);
    close(fd);
    tear_down(&f);
}
END_TEST

START_TEST(a_directory_open_to_others_is_refused)
{
    struct fixture f;
    char dir[64];
    int fd;

    set_up(&f);
    snprintf(dir, sizeof(dir), "%s/open", f.dir);
    ck_assert_int_eq(mkdir(dir, 0700), 0);
    ck_assert_int_eq(chmod(dir, 0777), 0);
    ck_assert_int_eq(mr_pages_claim(dir, &fd, &f.err), MR_EIO);
    ck_assert_ptr_nonnull(strstr(f.err.text, "writable by others"));
    tear_down(&f);
}
END_TEST

START_TEST(a_page_is_named_for_pool_and_worker)
{
    struct fixture f;
    char path[160];

    set_up(&f);
    ck_assert_uint_eq(mr_worker_names(f.child->worker), pool.concurrency + 8);
    snprintf(path, sizeof(path), "%s/eu.high.%s.page", f.dir, f.child->worker);
    ck_assert_str_eq(f.child->page_path, path);
    mr_pages_drop(f.child);
    ck_assert_int_ne(access(path, F_OK), 0);
    tear_down(&f);
}
END_TEST

START_TEST(a_page_whose_lock_is_free_is_a_dead_workers)
{
    struct fixture f;
    char worker[MR_WORKER_MAX];

    set_up(&f);
    strcpy(worker, f.child->worker);
    f.child->page.header->pid = 4242;
    adopt(&f);
    ck_assert_uint_eq(f.n_found, 1);
    ck_assert(f.found->dead && f.found->orphan && f.found->registered);
    ck_assert_str_eq(f.found->worker, worker);
    ck_assert_str_eq(f.found->pool, "eu.high");
    ck_assert_uint_eq(f.found->n_queues, 2);
    ck_assert_str_eq(f.found->queues[1], "high");
    ck_assert_int_eq(f.found->pid, 4242);
    ck_assert_int_eq(f.found->status, -1);
    tear_down(&f);
}
END_TEST

START_TEST(a_page_whose_lock_is_held_is_an_orphans_until_it_ends)
{
    struct fixture f;

    set_up(&f);
    pid_t worker = hold();
    adopt(&f);
    ck_assert_uint_eq(f.n_found, 1);
    ck_assert(!f.found->dead);
    ck_assert(!mr_pages_is_free(f.found));
    kill(worker, SIGKILL);
    ck_assert_int_eq(waitpid(worker, NULL, 0), worker);
    ck_assert(mr_pages_is_free(f.found));
    tear_down(&f);
}
END_TEST

START_TEST(a_reopened_page_tells_of_the_worker_and_not_of_us)
{
    struct fixture f;

    set_up(&f);
    pid_t worker = hold();
    ck_assert(mr_pages_is_free(f.child)); /* our own lock: it says nothing */
    mr_pages_reopen(f.child);
    ck_assert(!mr_pages_is_free(f.child));
    ck_assert_ptr_nonnull(f.child->page.header);
    kill(worker, SIGKILL);
    ck_assert_int_eq(waitpid(worker, NULL, 0), worker);
    ck_assert(mr_pages_is_free(f.child));
    tear_down(&f);
}
END_TEST

START_TEST(a_nonsense_page_still_names_its_worker)
{
    struct fixture f;
    char worker[MR_WORKER_MAX];

    set_up(&f);
    strcpy(worker, f.child->worker);
    char *path = strdup(f.child->page_path);
    if (_i == 1)
        f.child->page.header->worker[0] ^= 1; /* somebody else's page under this name */
    mr_child_free(f.child);
    f.child = NULL;
    if (_i == 0)
        ck_assert_int_eq(truncate(path, 10), 0);
    free(path);
    adopt(&f);
    ck_assert_uint_eq(f.n_found, 1);
    ck_assert_ptr_null(f.found->page.header);
    ck_assert_uint_eq(f.found->n_queues, 0);
    ck_assert_str_eq(f.found->worker, worker);
    ck_assert(f.found->dead);
    tear_down(&f);
}
END_TEST

START_TEST(other_files_are_left_alone)
{
    static const char *const names[] = {"control.sock", "x.page", "high.zz-12.page",
                                        "high.0123456789abcdef0123456789abcdef-12.page.old"};
    struct fixture f;
    char path[160];

    set_up(&f);
    mr_pages_drop(f.child);
    snprintf(path, sizeof(path), "%s/%s", f.dir, names[_i]);
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    adopt(&f);
    ck_assert_uint_eq(f.n_found, 0);
    ck_assert_int_eq(access(path, F_OK), 0);
    tear_down(&f);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_second_dispatcher_is_refused_and_told_whom_by,       0},
        {a_missing_directory_is_made_for_us_alone,              0},
        {a_directory_open_to_others_is_refused,                 0},
        {a_page_is_named_for_pool_and_worker,                   0},
        {a_page_whose_lock_is_free_is_a_dead_workers,           0},
        {a_page_whose_lock_is_held_is_an_orphans_until_it_ends, 0},
        {a_reopened_page_tells_of_the_worker_and_not_of_us,     0},
        {a_nonsense_page_still_names_its_worker,                2},
        {other_files_are_left_alone,                            4},
    };

    return mr_suite_run("pages", tests);
}
