#include "jobs/services/storage.h"
#include "proto/base/mem.h"
#include "proto/base/str.h"
#include "tests/support/scratch.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct mr_err err;
static char dir[64], root[80];
static json_t *section; /* of the configuration */
static struct mr_storage *storage;

static void open_storage(void)
{
    ck_assert_msg(mr_storage_open(section, &storage, &err) == MR_OK, "%s", err.text);
}

static void start(void)
{
    mr_scratch_folder(dir);
    snprintf(root, sizeof(root), "%s/files", dir);
    section = json_pack("{s:s}", "path", root);
    open_storage();
}

static void stop(void)
{
    mr_storage_close(storage);
    json_decref(section);
    mr_scratch_remove(dir);
}

/* Again, as it would be with another value in its section, which it takes. */
static void reopen_with(const char *option, json_t *value)
{
    mr_storage_close(storage);
    json_object_set_new(section, option, value);
    open_storage();
}

static bool has(const char *key)
{
    return mr_storage_find(storage, key, NULL, NULL, &err) == MR_OK;
}

static const char *inside(const char *name)
{
    static char path[400];

    snprintf(path, sizeof(path), "%s/%s", root, name);
    return path;
}

static unsigned seen;

static int count_entry(const char *path, const struct stat *found, int kind, struct FTW *place)
{
    (void)path, (void)found, (void)place;
    seen += kind != FTW_D && kind != FTW_DP;
    return 0;
}

/* All that is no folder: files, half-written ones, links. */
static unsigned entries(void)
{
    seen = 0;
    ck_assert_int_eq(nftw(root, count_entry, 16, FTW_PHYS), 0);
    return seen;
}

static struct mr_storage_file *create(const char *key)
{
    struct mr_storage_file *file = NULL;

    ck_assert_msg(mr_storage_create(storage, key, NULL, &file, &err) == MR_OK, "%s", err.text);
    return file;
}

static void write_text(struct mr_storage_file *file, const char *text)
{
    ck_assert_msg(mr_storage_write(file, text, strlen(text), &err) == MR_OK, "%s", err.text);
}

static void put(const char *key, const char *text)
{
    struct mr_storage_file *file = create(key);

    write_text(file, text);
    ck_assert_msg(mr_storage_keep(file, NULL, &err) == MR_OK, "%s", err.text);
}

static void expect_text(const char *path, const char *want)
{
    char got[64] = "";
    int fd = open(path, O_RDONLY);

    ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
    ck_assert_int_ge(read(fd, got, sizeof(got) - 1), 0);
    close(fd);
    ck_assert_str_eq(got, want);
}

/* ---- there whole, or not at all ---- */

static const size_t sizes[] = {0, 1, 4095, 65535, 65536, 65537, 131072, 300001};
static const size_t pieces[] = {1, 1000, 65536, 70001};

START_TEST(a_kept_file_has_every_byte)
{
    size_t size = sizes[(size_t)_i / MR_COUNT(pieces)],
           piece = pieces[(size_t)_i % MR_COUNT(pieces)];
    char *bytes = mr_zalloc(size + 1), *got = mr_zalloc(size + 1);
    uint64_t kept = 0;

    start();
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * 31 + i / 251);
    struct mr_storage_file *file = create("reports/2026/a.bin");
    for (size_t at = 0; at < size; at += piece)
        ck_assert_int_eq(
            mr_storage_write(file, bytes + at, size - at < piece ? size - at : piece, &err),
            MR_OK);
    ck_assert_uint_eq(mr_storage_written(file), size);
    ck_assert_msg(mr_storage_keep(file, NULL, &err) == MR_OK, "%s", err.text);
    ck_assert_int_eq(mr_storage_find(storage, "reports/2026/a.bin", NULL, &kept, &err), MR_OK);
    ck_assert_uint_eq(kept, size);
    int fd = open(inside("reports/2026/a.bin"), O_RDONLY);
    ck_assert_int_eq(read(fd, got, size + 1), (ssize_t)size);
    close(fd);
    ck_assert_int_eq(memcmp(bytes, got, size), 0);
    ck_assert_uint_eq(entries(), 1);
    free(bytes);
    free(got);
    stop();
}
END_TEST

START_TEST(files_are_not_for_everybody)
{
    struct stat found;

    start();
    umask(0);
    put("invoices/a.pdf", "x");
    ck_assert_int_eq(stat(inside("invoices/a.pdf"), &found), 0);
    ck_assert_uint_eq(found.st_mode & 07777, 0640);
    ck_assert_int_eq(stat(inside("invoices"), &found), 0);
    ck_assert_uint_eq(found.st_mode & 07777, 0750);
    stop();
}
END_TEST

START_TEST(nothing_is_seen_before_it_is_kept)
{
    start();
    struct mr_storage_file *file = create("a.csv");
    write_text(file, "half");
    ck_assert(!has("a.csv"));
    ck_assert_int_ne(access(inside("a.csv"), F_OK), 0);
    ck_assert_int_eq(mr_storage_keep(file, NULL, &err), MR_OK);
    expect_text(inside("a.csv"), "half");
    stop();
}
END_TEST

START_TEST(a_dropped_file_leaves_nothing_and_the_older_one_alone)
{
    start();
    put("a.csv", "old");
    struct mr_storage_file *file = create("a.csv");
    write_text(file, "new");
    mr_storage_drop(file);
    mr_storage_drop(NULL);
    expect_text(inside("a.csv"), "old");
    ck_assert_uint_eq(entries(), 1);
    stop();
}
END_TEST

START_TEST(a_kept_file_replaces_the_older_one)
{
    start();
    put("a.csv", "a longer old text");
    put("a.csv", "new");
    expect_text(inside("a.csv"), "new");
    ck_assert_uint_eq(entries(), 1);
    stop();
}
END_TEST

START_TEST(a_folder_in_the_way_is_told_and_leaves_nothing)
{
    start();
    put("a/b.csv", "x");
    struct mr_storage_file *file = create("a");
    ck_assert_int_eq(mr_storage_keep(file, NULL, &err), MR_EIO);
    ck_assert_msg(strstr(err.text, ": a: cannot give it its name: Is a directory") != NULL,
                  "%s", err.text);
    ck_assert_int_eq(mr_storage_create(storage, "a/b.csv/c", NULL, &file, &err), MR_EIO);
    ck_assert_msg(strstr(err.text, "a/b.csv/c: cannot make its folder: Not a directory") !=
                      NULL,
                  "%s", err.text);
    ck_assert_uint_eq(entries(), 1);
    stop();
}
END_TEST

/* ---- keys ---- */

#define FIFTY "12345678901234567890123456789012345678901234567890"

static const struct {
    const char *key, *want;
} bad_keys[] = {
    {"",                          "1 to 200 bytes are allowed, not 0"  },
    {FIFTY FIFTY FIFTY FIFTY "1", "1 to 200 bytes are allowed, not 201"},
    {"/etc/passwd",               "is empty or begins with a dot"      },
    {"a//b",                      "is empty or begins with a dot"      },
    {"a/",                        "ends with a slash"                  },
    {"/",                         "is empty or begins with a dot"      },
    {".",                         "is empty or begins with a dot"      },
    {"..",                        "is empty or begins with a dot"      },
    {"../a",                      "is empty or begins with a dot"      },
    {"a/../b",                    "is empty or begins with a dot"      },
    {"a/..",                      "is empty or begins with a dot"      },
    {"a/./b",                     "is empty or begins with a dot"      },
    {".a.part",                   "is empty or begins with a dot"      },
    {"a b",                       "only letters"                       },
    {"a\\..\\b",                  "only letters"                       },
    {"a\nb",                      "only letters"                       },
    {"a%2fb",                     "only letters"                       },
    {"gr\xc3\xbcn",               "only letters"                       },
    {"a:b",                       "only letters"                       },
    {"~",                         "only letters"                       },
};

START_TEST(a_bad_key_is_refused_and_makes_nothing)
{
    struct mr_storage_file *file = NULL;

    start();
    ck_assert_int_eq(mr_storage_create(storage, bad_keys[_i].key, NULL, &file, &err),
                     MR_EINVAL);
    ck_assert_msg(strstr(err.text, bad_keys[_i].want) != NULL, "%s", err.text);
    ck_assert_ptr_null(file);
    ck_assert(!has(bad_keys[_i].key));
    ck_assert_uint_eq(entries(), 0);
    stop();
}
END_TEST

static const char *const good_keys[] = {
    "a",
    "a..b",
    "a.",
    "-",
    "_/-/0",
    "invoices/INV/000001.pdf",
    FIFTY FIFTY FIFTY FIFTY,
    "a/b/c/d/e/f/g/h/i/j",
};

START_TEST(a_good_key_is_kept_and_found)
{
    start();
    put(good_keys[_i], "x");
    ck_assert(has(good_keys[_i]));
    expect_text(inside(good_keys[_i]), "x");
    stop();
}
END_TEST

/* ---- links ---- */

/* dir/outside/secret beside the root; link, below the root, leads to target. */
static void plant(const char *link, const char *target)
{
    char path[200];

    snprintf(path, sizeof(path), "%s/outside", dir);
    mkdir(path, 0755);
    snprintf(path, sizeof(path), "%s/outside/secret", dir);
    int fd = open(path, O_WRONLY | O_CREAT, 0644);
    ck_assert_int_eq(write(fd, "secret", 6), 6);
    close(fd);
    ck_assert_int_eq(symlink(target, inside(link)), 0);
}

static void expect_secret_untouched(void)
{
    char path[200];

    snprintf(path, sizeof(path), "%s/outside/secret", dir);
    expect_text(path, "secret");
    snprintf(path, sizeof(path), "%s/outside/new", dir);
    ck_assert_int_ne(access(path, F_OK), 0);
}

static const struct {
    const char *link, *target, *key;
} linked_folders[] = {
    {"a", "../outside",         "a/secret"},
    {"a", "../outside",         "a/new"   },
    {"a", "../outside",         "a/new/x" },
    {"a", "../outside/missing", "a/x"     },
    {"a", "/",                  "a/tmp/x" },
    {"a", ".",                  "a/x"     },
};

START_TEST(a_link_is_no_folder)
{
    struct mr_storage_file *file = NULL;

    start();
    plant(linked_folders[_i].link, linked_folders[_i].target);
    ck_assert_int_eq(mr_storage_create(storage, linked_folders[_i].key, NULL, &file, &err),
                     MR_EIO);
    ck_assert_msg(strstr(err.text, "a symbolic link or a file stands where a folder should") !=
                      NULL,
                  "%s", err.text);
    ck_assert(!has(linked_folders[_i].key));
    ck_assert_uint_eq(mr_storage_sweep(storage, 0), 0);
    expect_secret_untouched();
    stop();
}
END_TEST

START_TEST(a_link_in_the_files_place_is_replaced_not_followed)
{
    struct stat found;

    start();
    plant("a", "../outside/secret");
    ck_assert(!has("a"));
    put("a", "mine");
    ck_assert_int_eq(lstat(inside("a"), &found), 0);
    ck_assert(S_ISREG(found.st_mode));
    expect_text(inside("a"), "mine");
    expect_secret_untouched();
    stop();
}
END_TEST

START_TEST(a_folder_exchanged_for_a_link_meanwhile_changes_nothing)
{
    char moved[400];

    start();
    struct mr_storage_file *file = create("a/new");
    write_text(file, "mine");
    snprintf(moved, sizeof(moved), "%s", inside("moved"));
    ck_assert_int_eq(rename(inside("a"), moved), 0);
    plant("a", "../outside");
    ck_assert_int_eq(mr_storage_keep(file, NULL, &err), MR_OK);
    expect_text(inside("moved/new"), "mine");
    expect_secret_untouched();
    stop();
}
END_TEST

/* ---- full disks ---- */

static void forbid_large_files(rlim_t bytes)
{
    const struct rlimit limit = {bytes, RLIM_INFINITY};

    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static const char zeros[200000];

/* Writes size bytes, then keeps them; one of the two fails. */
static enum mr_code put_zeros(const char *key, size_t size)
{
    struct mr_storage_file *file = create(key);
    enum mr_code code = mr_storage_write(file, zeros, size, &err);

    if (code == MR_OK)
        return mr_storage_keep(file, NULL, &err);
    ck_assert_int_eq(mr_storage_write(file, "x", 1, &err), MR_EIO);
    ck_assert_int_eq(mr_storage_keep(file, NULL, &err), MR_EIO);
    return code;
}

/* Beyond the buffer write fails, within it keep does. */
static const size_t too_large[] = {200000, 60000};

START_TEST(a_full_disk_leaves_nothing_behind)
{
    start();
    mr_storage_close(storage);
    if (!mr_scratch_small_disk(root, "64k")) {
        printf("# no mount here: a full disk is not tried\n");
        open_storage();
        stop();
        return;
    }
    open_storage();
    ck_assert_int_eq(put_zeros("first.bin", 40000), MR_OK);
    ck_assert_int_eq(put_zeros("a.bin", too_large[_i]), MR_EIO);
    ck_assert_msg(strstr(err.text, ": a.bin: cannot write it: No space left on device") != NULL,
                  "%s", err.text);
    ck_assert(!has("a.bin"));
    ck_assert_uint_eq(entries(), 1);
    ck_assert_int_eq(put_zeros("small.bin", 8000), MR_OK);
    umount2(root, MNT_DETACH);
    stop();
}
END_TEST

START_TEST(a_file_larger_than_allowed_leaves_nothing_behind)
{
    start();
    put("a.bin", "old");
    forbid_large_files(10000);
    ck_assert_int_eq(put_zeros("a.bin", too_large[_i]), MR_EIO);
    ck_assert_msg(strstr(err.text, ": a.bin: cannot write it: File too large") != NULL, "%s",
                  err.text);
    expect_text(inside("a.bin"), "old");
    ck_assert_uint_eq(entries(), 1);
    stop();
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
        struct mr_storage_file *file = create(key);

        mr_storage_write(file, zeros, sizeof(zeros), NULL);
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
    start();
    kill_writer(write_half("invoices/INV/a.pdf"));
    ck_assert(!has("invoices/INV/a.pdf"));
    ck_assert_int_ne(access(inside("invoices/INV/a.pdf"), F_OK), 0);
    ck_assert_uint_eq(entries(), 1);
    ck_assert_uint_eq(mr_storage_sweep(storage, 3600 * 1000), 0);
    ck_assert_uint_eq(mr_storage_sweep(storage, 0), 1);
    ck_assert_uint_eq(entries(), 0);
    stop();
}
END_TEST

START_TEST(sweeping_spares_who_still_writes)
{
    start();
    pid_t writer = write_half("a.pdf");
    struct mr_storage_file *mine = create("b.pdf");
    write_text(mine, "mine");
    ck_assert_uint_eq(mr_storage_sweep(storage, 0), 0);
    ck_assert_int_eq(mr_storage_keep(mine, NULL, &err), MR_OK);
    kill_writer(writer);
    ck_assert_uint_eq(mr_storage_sweep(storage, 0), 1);
    expect_text(inside("b.pdf"), "mine");
    stop();
}
END_TEST

static atomic_bool swept_enough;

static void *sweep_on(void *arg)
{
    while (!atomic_load(&swept_enough))
        mr_storage_sweep(storage, 3600 * 1000);
    return arg;
}

/* Other processes begin, and sweep, at any moment: also between a file's making and its lock. */
START_TEST(a_sweep_disturbs_nobody_who_begins_to_write)
{
    enum { FILES = 4000 };
    pthread_t sweeper;

    start();
    atomic_store(&swept_enough, false);
    ck_assert_int_eq(pthread_create(&sweeper, NULL, sweep_on, NULL), 0);
    for (int i = 0; i < FILES; i++)
        mr_storage_drop(create("a.pdf"));
    atomic_store(&swept_enough, true);
    ck_assert_int_eq(pthread_join(sweeper, NULL), 0);
    stop();
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
    start();
    int fd = open(inside(strangers[_i]), O_WRONLY | O_CREAT, 0644);
    close(fd);
    ck_assert_uint_eq(mr_storage_sweep(storage, 0), 0);
    ck_assert_uint_eq(entries(), 1);
    stop();
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

        if (mr_storage_create(storage, "shared/a.bin", NULL, &file, NULL) != MR_OK ||
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
    int fd = open(inside("shared/a.bin"), O_RDONLY);

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

    start();
    for (int i = 0; i < WRITERS; i++) {
        numbers[i] = i;
        ck_assert_int_eq(pthread_create(&writers[i], NULL, write_rounds, &numbers[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        while (pthread_tryjoin_np(writers[i], &failed) == EBUSY)
            expect_one_writers();
        ck_assert_ptr_null(failed);
    }
    ck_assert(has("shared/a.bin"));
    expect_one_writers();
    ck_assert_uint_eq(entries(), 1);
    stop();
}
END_TEST

/* ---- what callers learn of a file, and get of it ---- */

/* One row: bytes, and what sha256sum says of them. */
static const struct {
    const char *text, *sha256;
} sums[] = {
    {"",    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
};

START_TEST(a_kept_file_is_known_by_size_and_sum)
{
    struct mr_storage_kept kept;

    start();
    struct mr_storage_file *file = create("a");
    write_text(file, sums[_i].text);
    ck_assert_int_eq(mr_storage_keep(file, &kept, &err), MR_OK);
    ck_assert_uint_eq(kept.bytes, strlen(sums[_i].text));
    ck_assert_str_eq(kept.sha256, sums[_i].sha256);
    stop();
}
END_TEST

START_TEST(the_sum_does_not_depend_on_how_a_file_is_written)
{
    static const char million[1000000] = {'a'};
    struct mr_storage_kept whole, pieces_of;

    start();
    struct mr_storage_file *file = create("a");
    mr_storage_write(file, million, sizeof(million), NULL);
    ck_assert_int_eq(mr_storage_keep(file, &whole, &err), MR_OK);
    file = create("b");
    for (size_t at = 0, len; at < sizeof(million); at += len) {
        len = sizeof(million) - at < 7777 ? sizeof(million) - at : 7777;
        mr_storage_write(file, million + at, len, NULL);
    }
    ck_assert_int_eq(mr_storage_keep(file, &pieces_of, &err), MR_OK);
    ck_assert_str_eq(whole.sha256, pieces_of.sha256);
    stop();
}
END_TEST

static enum mr_code collect(void *arg, const void *bytes, size_t len, struct mr_err *why)
{
    struct mr_buf *got = arg;

    mr_buf_add(got, bytes, len);
    return got->len > 200000 ? mr_fail(why, MR_EREFUSED, "enough") : MR_OK;
}

static const size_t read_sizes[] = {0, 1, 65536, 200000};

START_TEST(a_file_is_read_back_whole)
{
    char *bytes = mr_zalloc(200000);
    struct mr_buf got = {0};

    start();
    for (size_t i = 0; i < read_sizes[_i]; i++)
        bytes[i] = (char)(i * 7 + i / 255);
    struct mr_storage_file *file = create("a/b");
    ck_assert_int_eq(mr_storage_write(file, bytes, read_sizes[_i], &err), MR_OK);
    ck_assert_int_eq(mr_storage_keep(file, NULL, &err), MR_OK);
    ck_assert_int_eq(mr_storage_read(storage, "a/b", NULL, read_sizes[_i], collect, &got, &err),
                     MR_OK);
    ck_assert_uint_eq(got.len, read_sizes[_i]);
    ck_assert(got.len == 0 || memcmp(got.at, bytes, got.len) == 0);
    mr_buf_fini(&got);
    free(bytes);
    stop();
}
END_TEST

START_TEST(more_than_was_asked_for_is_not_read)
{
    struct mr_buf got = {0};

    start();
    put("a", "four");
    ck_assert_int_eq(mr_storage_read(storage, "a", NULL, 3, collect, &got, &err), MR_EINVAL);
    ck_assert_msg(strstr(err.text, ": a has 4 bytes, and at most 3 are taken") != NULL, "%s",
                  err.text);
    ck_assert_uint_eq(got.len, 0);
    stop();
}
END_TEST

START_TEST(a_reader_who_had_enough_is_left_alone)
{
    struct mr_buf got = {0};

    start();
    struct mr_storage_file *file = create("a");
    mr_storage_write(file, zeros, sizeof(zeros), NULL);
    mr_storage_write(file, zeros, sizeof(zeros), NULL);
    ck_assert_int_eq(mr_storage_keep(file, NULL, &err), MR_OK);
    ck_assert_int_eq(mr_storage_read(storage, "a", NULL, UINT64_MAX, collect, &got, &err),
                     MR_EREFUSED);
    ck_assert_str_eq(err.text, "enough");
    ck_assert_uint_lt(got.len, 400000);
    mr_buf_fini(&got);
    stop();
}
END_TEST

/* One row: what stands under a key, and what asking for it says. */
static const struct {
    const char *folder, *link, *key, *want;
    enum mr_code code;
} not_files[] = {
    {NULL, NULL,          "a",        ": there is no file a",   MR_ENOTFOUND},
    {NULL, NULL,          "a/b",      ": there is no file a/b", MR_ENOTFOUND},
    {"a",  NULL,          "a",        ": there is no file a",   MR_ENOTFOUND},
    {NULL, "/etc/passwd", "a",        ": there is no file a",   MR_ENOTFOUND},
    {NULL, "/etc",        "a/passwd",
     ": cannot open it: Not a directory (a symbolic link or a file stands where a folder "
     "should)",                                                 MR_EIO      },
};

START_TEST(what_is_no_file_is_neither_found_nor_read_and_removing_it_harms_nobody)
{
    struct mr_buf got = {0};

    start();
    if (not_files[_i].folder)
        ck_assert_int_eq(mkdir(inside(not_files[_i].folder), 0755), 0);
    if (not_files[_i].link)
        ck_assert_int_eq(symlink(not_files[_i].link, inside("a")), 0);
    ck_assert_int_eq(mr_storage_find(storage, not_files[_i].key, NULL, NULL, &err),
                     not_files[_i].code);
    ck_assert_msg(strstr(err.text, not_files[_i].want) != NULL, "%s", err.text);
    ck_assert_int_eq(
        mr_storage_read(storage, not_files[_i].key, NULL, 1 << 20, collect, &got, &err),
        not_files[_i].code);
    ck_assert_uint_eq(got.len, 0);
    mr_storage_remove(storage, not_files[_i].key, NULL, &err);
    ck_assert_int_eq(access("/etc/passwd", F_OK), 0);
    stop();
}
END_TEST

START_TEST(a_removed_file_is_gone)
{
    start();
    put("a/b", "x");
    ck_assert_int_eq(mr_storage_remove(storage, "a/b", NULL, &err), MR_OK);
    ck_assert(!has("a/b"));
    ck_assert_int_eq(mr_storage_remove(storage, "a/b", NULL, &err), MR_OK);
    ck_assert_int_eq(mr_storage_remove(storage, "../b", NULL, &err), MR_EINVAL);
    stop();
}
END_TEST

static const char *const bases[] = {"https://files.example.org/shop",
                                    "https://files.example.org/shop/"};

START_TEST(links_of_a_disk_stand_below_the_configured_url)
{
    char *link = NULL;

    start();
    ck_assert_int_eq(mr_storage_link(storage, "a/b.pdf", 60, &link, &err), MR_EFAULT);
    ck_assert_msg(strstr(err.text, "configure storage.url") != NULL, "%s", err.text);
    reopen_with("url", json_string(bases[_i]));
    ck_assert_int_eq(mr_storage_link(storage, "a/b.pdf", 60, &link, &err), MR_OK);
    ck_assert_str_eq(link, "https://files.example.org/shop/a/b.pdf");
    free(link);
    ck_assert_int_eq(mr_storage_link(storage, "a/b.pdf", 0, &link, &err), MR_EINVAL);
    ck_assert_int_eq(mr_storage_link(storage, "a/b.pdf", 604801, &link, &err), MR_EINVAL);
    ck_assert_msg(strstr(err.text, "1 second to 7 days, not 604801 s") != NULL, "%s", err.text);
    stop();
}
END_TEST

START_TEST(a_probe_works_and_leaves_nothing)
{
    start();
    ck_assert_msg(mr_storage_probe(storage, &err) == MR_OK, "%s", err.text);
    ck_assert_uint_eq(entries(), 0);
    stop();
}
END_TEST

START_TEST(a_probe_says_what_does_not_work)
{
    start();
    forbid_large_files(10);
    ck_assert_int_eq(mr_storage_probe(storage, &err), MR_EIO);
    ck_assert_msg(strstr(err.text, "cannot write it: File too large") != NULL, "%s", err.text);
    ck_assert_uint_eq(entries(), 0);
    stop();
}
END_TEST

/* ---- the quota ---- */

START_TEST(a_file_beyond_the_quota_is_refused_and_leaves_nothing)
{
    start();
    put_zeros("before.bin", 60000);
    reopen_with("quota_bytes", json_integer(100000));
    ck_assert_int_eq(put_zeros("a/b.bin", 40001), MR_EIO);
    ck_assert_msg(strstr(err.text, "/files: a/b.bin: no room: the files there would exceed "
                                   "storage.quota, 100kB: remove old ones or raise it") != NULL,
                  "%s", err.text);
    ck_assert(!has("a/b.bin"));
    ck_assert_uint_eq(entries(), 1);
    ck_assert_int_eq(put_zeros("a/b.bin", 40000), MR_OK);
    ck_assert_int_eq(put_zeros("c.bin", 1), MR_EIO);
    stop();
}
END_TEST

START_TEST(what_is_dropped_gives_its_room_back)
{
    start();
    reopen_with("quota_bytes", json_integer(100000));
    for (int i = 0; i < 5; i++) {
        struct mr_storage_file *file = create("a");

        ck_assert_int_eq(mr_storage_write(file, zeros, 90000, &err), MR_OK);
        mr_storage_drop(file);
    }
    stop();
}
END_TEST

START_TEST(room_that_somebody_made_is_noticed)
{
    start();
    put_zeros("a", 60000);
    put_zeros("b", 40000);
    reopen_with("quota_bytes", json_integer(100000));
    ck_assert_int_eq(put_zeros("c", 10), MR_EIO);
    ck_assert_int_eq(unlink(inside("a")), 0);
    mr_wait_for(put_zeros("c", 60000) == MR_OK, 10000);
    stop();
}
END_TEST

/* ---- the folder itself ---- */

START_TEST(without_a_usable_folder_there_is_no_storage)
{
    struct mr_storage *none = NULL;
    char path[120];

    start();
    ck_assert_int_eq(mr_storage_open(NULL, &none, &err), MR_EINVAL);
    ck_assert_msg(strstr(err.text, "storage.path is not configured") != NULL, "%s", err.text);
    snprintf(path, sizeof(path), "%s/missing/files", dir);
    json_object_set_new(section, "path", json_string(path));
    ck_assert_int_eq(mr_storage_open(section, &none, &err), MR_EIO);
    ck_assert_msg(strstr(err.text, "missing/files: cannot make this folder: No such file") !=
                      NULL,
                  "%s", err.text);
    put("a", "x");
    json_object_set_new(section, "path", json_string(inside("a")));
    ck_assert_int_eq(mr_storage_open(section, &none, &err), MR_EIO);
    ck_assert_msg(strstr(err.text, "files/a: cannot open this folder: Not a directory") != NULL,
                  "%s", err.text);
    ck_assert_ptr_null(none);
    mr_storage_close(NULL);
    stop();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_kept_file_has_every_byte,                                             MR_COUNT(sizes) * MR_COUNT(pieces)},
        {files_are_not_for_everybody,                                            0                                 },
        {nothing_is_seen_before_it_is_kept,                                      0                                 },
        {a_dropped_file_leaves_nothing_and_the_older_one_alone,                  0                                 },
        {a_kept_file_replaces_the_older_one,                                     0                                 },
        {a_folder_in_the_way_is_told_and_leaves_nothing,                         0                                 },
        {a_bad_key_is_refused_and_makes_nothing,                                 MR_COUNT(bad_keys)                },
        {a_good_key_is_kept_and_found,                                           MR_COUNT(good_keys)               },
        {a_link_is_no_folder,                                                    MR_COUNT(linked_folders)          },
        {a_link_in_the_files_place_is_replaced_not_followed,                     0                                 },
        {a_folder_exchanged_for_a_link_meanwhile_changes_nothing,                0                                 },
        {a_full_disk_leaves_nothing_behind,                                      MR_COUNT(too_large)               },
        {a_file_larger_than_allowed_leaves_nothing_behind,                       MR_COUNT(too_large)               },
        {killed_in_mid_write_shows_nothing_and_is_swept,                         0                                 },
        {sweeping_spares_who_still_writes,                                       0                                 },
        {a_sweep_disturbs_nobody_who_begins_to_write,                            0                                 },
        {sweeping_spares_what_is_not_ours,                                       MR_COUNT(strangers)               },
        {writers_of_one_key_never_mix,                                           0                                 },
        {a_kept_file_is_known_by_size_and_sum,                                   MR_COUNT(sums)                    },
        {the_sum_does_not_depend_on_how_a_file_is_written,                       0                                 },
        {a_file_is_read_back_whole,                                              MR_COUNT(read_sizes)              },
        {more_than_was_asked_for_is_not_read,                                    0                                 },
        {a_reader_who_had_enough_is_left_alone,                                  0                                 },
        {what_is_no_file_is_neither_found_nor_read_and_removing_it_harms_nobody,
         MR_COUNT(not_files)                                                                                       },
        {a_removed_file_is_gone,                                                 0                                 },
        {links_of_a_disk_stand_below_the_configured_url,                         MR_COUNT(bases)                   },
        {a_probe_works_and_leaves_nothing,                                       0                                 },
        {a_probe_says_what_does_not_work,                                        0                                 },
        {a_file_beyond_the_quota_is_refused_and_leaves_nothing,                  0                                 },
        {what_is_dropped_gives_its_room_back,                                    0                                 },
        {room_that_somebody_made_is_noticed,                                     0                                 },
        {without_a_usable_folder_there_is_no_storage,                            0                                 },
    };

    return mr_suite_run("storage", tests);
}
