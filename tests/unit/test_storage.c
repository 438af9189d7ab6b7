/* A file of the disk's storage is there whole, or not at all: whoever dies, fills up or writes beside. */
#include "proto/base/mem.h"
#include "tests/support/scratch.h"
#include "tests/support/shelf.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct mr_shelf shelf;

/* ---- there whole, or not at all ---- */

static const size_t sizes[] = {0, 1, 4095, 65535, 65536, 65537, 131072, 300001};
static const size_t pieces[] = {1, 1000, 65536, 70001};

START_TEST(a_kept_file_has_every_byte)
{
    size_t size = sizes[(size_t)_i / MR_COUNT(pieces)],
           piece = pieces[(size_t)_i % MR_COUNT(pieces)];
    char *bytes = mr_zalloc(size + 1), *got = mr_zalloc(size + 1);
    uint64_t kept = 0;

    mr_shelf_start(&shelf);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 31 + i / 251);
    struct mr_storage_file *file = mr_shelf_create(&shelf, "reports/2026/a.bin");
    for (size_t at = 0; at < size; at += piece)
        ck_assert_int_eq(mr_storage_write(file, bytes + at,
                                          size - at < piece ? size - at : piece, &shelf.err),
                         MR_OK);
    ck_assert_uint_eq(mr_storage_written(file), size);
    ck_assert_msg(mr_storage_keep(file, NULL, &shelf.err) == MR_OK, "%s", shelf.err.text);
    ck_assert_int_eq(
        mr_storage_find(shelf.storage, "reports/2026/a.bin", NULL, &kept, &shelf.err), MR_OK);
    ck_assert_uint_eq(kept, size);
    int fd = open(mr_shelf_path(&shelf, "reports/2026/a.bin"), O_RDONLY);
    ck_assert_int_eq(read(fd, got, size + 1), (ssize_t)size);
    close(fd);
    ck_assert_int_eq(memcmp(bytes, got, size), 0);
    ck_assert_uint_eq(mr_shelf_entries(&shelf), 1);
    free(bytes);
    free(got);
    mr_shelf_stop(&shelf);
}
END_TEST

START_TEST(files_are_not_for_everybody)
{
    struct stat found;

    mr_shelf_start(&shelf);
    umask(0);
    mr_shelf_put(&shelf, "invoices/a.pdf", "x");
    ck_assert_int_eq(stat(mr_shelf_path(&shelf, "invoices/a.pdf"), &found), 0);
    ck_assert_uint_eq(found.st_mode & 07777, 0640);
    ck_assert_int_eq(stat(mr_shelf_path(&shelf, "invoices"), &found), 0);
    ck_assert_uint_eq(found.st_mode & 07777, 0750);
    mr_shelf_stop(&shelf);
}
END_TEST

START_TEST(nothing_is_seen_before_it_is_kept)
{
    mr_shelf_start(&shelf);
    struct mr_storage_file *file = mr_shelf_create(&shelf, "a.csv");
    mr_shelf_write(file, "half");
    ck_assert(!mr_shelf_has(&shelf, "a.csv"));
    ck_assert_int_ne(access(mr_shelf_path(&shelf, "a.csv"), F_OK), 0);
    ck_assert_int_eq(mr_storage_keep(file, NULL, &shelf.err), MR_OK);
    mr_shelf_expect(mr_shelf_path(&shelf, "a.csv"), "half");
    mr_shelf_stop(&shelf);
}
END_TEST

START_TEST(a_dropped_file_leaves_nothing_and_the_older_one_alone)
{
    mr_shelf_start(&shelf);
    mr_shelf_put(&shelf, "a.csv", "old");
    struct mr_storage_file *file = mr_shelf_create(&shelf, "a.csv");
    mr_shelf_write(file, "new");
    mr_storage_drop(file);
    mr_storage_drop(NULL);
    mr_shelf_expect(mr_shelf_path(&shelf, "a.csv"), "old");
    ck_assert_uint_eq(mr_shelf_entries(&shelf), 1);
    mr_shelf_stop(&shelf);
}
END_TEST

START_TEST(a_kept_file_replaces_the_older_one)
{
    mr_shelf_start(&shelf);
    mr_shelf_put(&shelf, "a.csv", "a longer old text");
    mr_shelf_put(&shelf, "a.csv", "new");
    mr_shelf_expect(mr_shelf_path(&shelf, "a.csv"), "new");
    ck_assert_uint_eq(mr_shelf_entries(&shelf), 1);
    mr_shelf_stop(&shelf);
}
END_TEST

START_TEST(a_folder_in_the_way_is_told_and_leaves_nothing)
{
    mr_shelf_start(&shelf);
    mr_shelf_put(&shelf, "a/b.csv", "x");
    struct mr_storage_file *file = mr_shelf_create(&shelf, "a");
    ck_assert_int_eq(mr_storage_keep(file, NULL, &shelf.err), MR_EIO);
    ck_assert_msg(strstr(shelf.err.text, ": a: cannot give it its name: Is a directory") !=
                      NULL,
                  "%s", shelf.err.text);
    ck_assert_int_eq(mr_storage_create(shelf.storage, "a/b.csv/c", NULL, &file, &shelf.err),
                     MR_EIO);
    ck_assert_msg(
        strstr(shelf.err.text, "a/b.csv/c: cannot make its folder: Not a directory") != NULL,
        "%s", shelf.err.text);
    ck_assert_uint_eq(mr_shelf_entries(&shelf), 1);
    mr_shelf_stop(&shelf);
}
END_TEST

/* ---- full disks ---- */

/* Beyond the buffer write fails, within it keep does. */
static const size_t too_large[] = {200000, 60000};

START_TEST(a_full_disk_leaves_nothing_behind)
{
    mr_shelf_start(&shelf);
    mr_storage_close(shelf.storage);
    if (!mr_scratch_small_disk(shelf.root, "64k")) {
        printf("# no mount here: a full disk is not tried\n");
        mr_shelf_open(&shelf);
        mr_shelf_stop(&shelf);
        return;
    }
    mr_shelf_open(&shelf);
    ck_assert_int_eq(mr_shelf_put_zeros(&shelf, "first.bin", 40000), MR_OK);
    ck_assert_int_eq(mr_shelf_put_zeros(&shelf, "a.bin", too_large[_i]), MR_EIO);
    ck_assert_msg(strstr(shelf.err.text, ": a.bin: cannot write it: No space left on device") !=
                      NULL,
                  "%s", shelf.err.text);
    ck_assert(!mr_shelf_has(&shelf, "a.bin"));
    ck_assert_uint_eq(mr_shelf_entries(&shelf), 1);
    ck_assert_int_eq(mr_shelf_put_zeros(&shelf, "small.bin", 8000), MR_OK);
    umount2(shelf.root, MNT_DETACH);
    mr_shelf_stop(&shelf);
}
END_TEST

START_TEST(a_file_larger_than_allowed_leaves_nothing_behind)
{
    mr_shelf_start(&shelf);
    mr_shelf_put(&shelf, "a.bin", "old");
    mr_shelf_forbid_large_files(10000);
    ck_assert_int_eq(mr_shelf_put_zeros(&shelf, "a.bin", too_large[_i]), MR_EIO);
    ck_assert_msg(strstr(shelf.err.text, ": a.bin: cannot write it: File too large") != NULL,
                  "%s", shelf.err.text);
    mr_shelf_expect(mr_shelf_path(&shelf, "a.bin"), "old");
    ck_assert_uint_eq(mr_shelf_entries(&shelf), 1);
    mr_shelf_stop(&shelf);
}
END_TEST

/* ---- deaths ---- */

/* A process that writes half a file and waits: its pid. */
static pid_t write_half(const char *key)
{
    int ready[2];
    char byte;

    ck_assert_int_eq(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct mr_storage_file *file = mr_shelf_create(&shelf, key);

        mr_storage_write(file, mr_shelf_zeros, sizeof(mr_shelf_zeros), NULL);
        if (write(ready[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return pid;
}

static void kill_writer(pid_t pid)
{
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

START_TEST(killed_in_mid_write_shows_nothing_and_is_swept)
{
    mr_shelf_start(&shelf);
    kill_writer(write_half("invoices/INV/a.pdf"));
    ck_assert(!mr_shelf_has(&shelf, "invoices/INV/a.pdf"));
    ck_assert_int_ne(access(mr_shelf_path(&shelf, "invoices/INV/a.pdf"), F_OK), 0);
    ck_assert_uint_eq(mr_shelf_entries(&shelf), 1);
    ck_assert_uint_eq(mr_storage_sweep(shelf.storage, 3600 * 1000), 0);
    ck_assert_uint_eq(mr_storage_sweep(shelf.storage, 0), 1);
    ck_assert_uint_eq(mr_shelf_entries(&shelf), 0);
    mr_shelf_stop(&shelf);
}
END_TEST

START_TEST(sweeping_spares_who_still_writes)
{
    mr_shelf_start(&shelf);
    pid_t writer = write_half("a.pdf");
    struct mr_storage_file *mine = mr_shelf_create(&shelf, "b.pdf");
    mr_shelf_write(mine, "mine");
    ck_assert_uint_eq(mr_storage_sweep(shelf.storage, 0), 0);
    ck_assert_int_eq(mr_storage_keep(mine, NULL, &shelf.err), MR_OK);
    kill_writer(writer);
    ck_assert_uint_eq(mr_storage_sweep(shelf.storage, 0), 1);
    mr_shelf_expect(mr_shelf_path(&shelf, "b.pdf"), "mine");
    mr_shelf_stop(&shelf);
}
END_TEST

static atomic_bool swept_enough;

static void *sweep_on(void *arg)
{
    while (!atomic_load(&swept_enough))
        mr_storage_sweep(shelf.storage, 3600 * 1000);
    return arg;
}

/* Other processes begin, and sweep, at any moment: also between a file's making and its lock. */
START_TEST(a_sweep_disturbs_nobody_who_begins_to_write)
{
    enum { FILES = 4000 };
    pthread_t sweeper;

    mr_shelf_start(&shelf);
    atomic_store(&swept_enough, false);
    ck_assert_int_eq(pthread_create(&sweeper, NULL, sweep_on, NULL), 0);
    for (int i = 0; i < FILES; i++)
        mr_storage_drop(mr_shelf_create(&shelf, "a.pdf"));
    atomic_store(&swept_enough, true);
    ck_assert_int_eq(pthread_join(sweeper, NULL), 0);
    mr_shelf_stop(&shelf);
}
END_TEST

static const char *const strangers[] = {
    "a.part",
    ".part",
    ".a.part",
    ".a.0123456789abcde.part",
    ".a.0123456789abcdeg.part",
    ".a.0123456789abcdef.parts",
    "a.0123456789abcdef.part",
    ".0123456789abcdef.part",
};

START_TEST(sweeping_spares_what_is_not_ours)
{
    mr_shelf_start(&shelf);
    int fd = open(mr_shelf_path(&shelf, strangers[_i]), O_WRONLY | O_CREAT, 0644);
    close(fd);
    ck_assert_uint_eq(mr_storage_sweep(shelf.storage, 0), 0);
    ck_assert_uint_eq(mr_shelf_entries(&shelf), 1);
    mr_shelf_stop(&shelf);
}
END_TEST

/* ---- together ---- */

enum { WRITERS = 4, ROUNDS = 25, SIZE = 100000 };

static void *write_rounds(void *arg)
{
    static char fills[WRITERS][SIZE];
    const int *number = arg;

    memset(fills[*number], 'a' + *number, SIZE);
    for (int i = 0; i < ROUNDS; i++) {
        struct mr_storage_file *file;

        if (mr_storage_create(shelf.storage, "shared/a.bin", NULL, &file, NULL) != MR_OK ||
            mr_storage_write(file, fills[*number], SIZE, NULL) != MR_OK ||
            mr_storage_keep(file, NULL, NULL) != MR_OK)
            return arg;
    }
    return NULL;
}

/* What is read under the key is one writer's file, from its first byte to its last. */
static void expect_one_writers(void)
{
    static char got[SIZE + 1];
    int fd = open(mr_shelf_path(&shelf, "shared/a.bin"), O_RDONLY);

    if (fd < 0)
        return;
    ck_assert_int_eq(read(fd, got, sizeof(got)), SIZE);
    close(fd);
    for (int i = 1; i < SIZE; i++)
        ck_assert_int_eq(got[i], got[0]);
}

START_TEST(writers_of_one_key_never_mix)
{
    pthread_t writers[WRITERS];
    int numbers[WRITERS];
    void *failed;

    mr_shelf_start(&shelf);
    for (int i = 0; i < WRITERS; i++) {
        numbers[i] = i;
        ck_assert_int_eq(pthread_create(&writers[i], NULL, write_rounds, &numbers[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        while (pthread_tryjoin_np(writers[i], &failed) == EBUSY)
            expect_one_writers();
        ck_assert_ptr_null(failed);
    }
    ck_assert(mr_shelf_has(&shelf, "shared/a.bin"));
    expect_one_writers();
    ck_assert_uint_eq(mr_shelf_entries(&shelf), 1);
    mr_shelf_stop(&shelf);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_kept_file_has_every_byte,                            MR_COUNT(sizes) * MR_COUNT(pieces)},
        {files_are_not_for_everybody,                           0                                 },
        {nothing_is_seen_before_it_is_kept,                     0                                 },
        {a_dropped_file_leaves_nothing_and_the_older_one_alone, 0                                 },
        {a_kept_file_replaces_the_older_one,                    0                                 },
        {a_folder_in_the_way_is_told_and_leaves_nothing,        0                                 },
        {a_full_disk_leaves_nothing_behind,                     MR_COUNT(too_large)               },
        {a_file_larger_than_allowed_leaves_nothing_behind,      MR_COUNT(too_large)               },
        {killed_in_mid_write_shows_nothing_and_is_swept,        0                                 },
        {sweeping_spares_who_still_writes,                      0                                 },
        {a_sweep_disturbs_nobody_who_begins_to_write,           0                                 },
        {sweeping_spares_what_is_not_ours,                      MR_COUNT(strangers)               },
        {writers_of_one_key_never_mix,                          0                                 },
    };

    return mr_suite_run("storage", tests);
}
