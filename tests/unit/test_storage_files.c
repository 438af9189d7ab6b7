/* What callers learn of the files of the disk's storage, and how much of it there may be. */
#include "proto/base/mem.h"
#include "proto/base/str.h"
#include "tests/support/shelf.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct mr_shelf shelf;

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

    mr_shelf_start(&shelf);
    struct mr_storage_file *file = mr_shelf_create(&shelf, "a");
    mr_shelf_write(file, sums[_i].text);
    ck_assert_int_eq(mr_storage_keep(file, &kept, &shelf.err), MR_OK);
    ck_assert_uint_eq(kept.bytes, strlen(sums[_i].text));
    ck_assert_str_eq(kept.sha256, sums[_i].sha256);
    mr_shelf_stop(&shelf);
}
END_TEST

START_TEST(the_sum_does_not_depend_on_how_a_file_is_written)
{
    static const char million[1000000] = {'a'};
    struct mr_storage_kept whole, pieces_of;

    mr_shelf_start(&shelf);
    struct mr_storage_file *file = mr_shelf_create(&shelf, "a");
    mr_storage_write(file, million, sizeof(million), NULL);
    ck_assert_int_eq(mr_storage_keep(file, &whole, &shelf.err), MR_OK);
    file = mr_shelf_create(&shelf, "b");
    for (size_t at = 0, len; at < sizeof(million); at += len) {
        len = sizeof(million) - at < 7777 ? sizeof(million) - at : 7777;
        mr_storage_write(file, million + at, len, NULL);
    }
    ck_assert_int_eq(mr_storage_keep(file, &pieces_of, &shelf.err), MR_OK);
    ck_assert_str_eq(whole.sha256, pieces_of.sha256);
    mr_shelf_stop(&shelf);
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

    mr_shelf_start(&shelf);
    for (size_t i = 0; i < read_sizes[_i]; i++)
        bytes[i] = (char)(i * 7 + i / 255);
    struct mr_storage_file *file = mr_shelf_create(&shelf, "a/b");
    ck_assert_int_eq(mr_storage_write(file, bytes, read_sizes[_i], &shelf.err), MR_OK);
    ck_assert_int_eq(mr_storage_keep(file, NULL, &shelf.err), MR_OK);
    ck_assert_int_eq(
        mr_storage_read(shelf.storage, "a/b", NULL, read_sizes[_i], collect, &got, &shelf.err),
        MR_OK);
    ck_assert_uint_eq(got.len, read_sizes[_i]);
    ck_assert(got.len == 0 || memcmp(got.at, bytes, got.len) == 0);
    mr_buf_fini(&got);
    free(bytes);
    mr_shelf_stop(&shelf);
}
END_TEST

START_TEST(more_than_was_asked_for_is_not_read)
{
    struct mr_buf got = {0};

    mr_shelf_start(&shelf);
    mr_shelf_put(&shelf, "a", "four");
    ck_assert_int_eq(mr_storage_read(shelf.storage, "a", NULL, 3, collect, &got, &shelf.err),
                     MR_EINVAL);
    ck_assert_msg(strstr(shelf.err.text, ": a has 4 bytes, and at most 3 are taken") != NULL,
                  "%s", shelf.err.text);
    ck_assert_uint_eq(got.len, 0);
    mr_shelf_stop(&shelf);
}
END_TEST

START_TEST(a_reader_who_had_enough_is_left_alone)
{
    struct mr_buf got = {0};

    mr_shelf_start(&shelf);
    struct mr_storage_file *file = mr_shelf_create(&shelf, "a");
    mr_storage_write(file, mr_shelf_zeros, sizeof(mr_shelf_zeros), NULL);
    mr_storage_write(file, mr_shelf_zeros, sizeof(mr_shelf_zeros), NULL);
    ck_assert_int_eq(mr_storage_keep(file, NULL, &shelf.err), MR_OK);
    ck_assert_int_eq(
        mr_storage_read(shelf.storage, "a", NULL, UINT64_MAX, collect, &got, &shelf.err),
        MR_EREFUSED);
    ck_assert_str_eq(shelf.err.text, "enough");
    ck_assert_uint_lt(got.len, 400000);
    mr_buf_fini(&got);
    mr_shelf_stop(&shelf);
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

    mr_shelf_start(&shelf);
    if (not_files[_i].folder)
        ck_assert_int_eq(mkdir(mr_shelf_path(&shelf, not_files[_i].folder), 0755), 0);
    if (not_files[_i].link)
        ck_assert_int_eq(symlink(not_files[_i].link, mr_shelf_path(&shelf, "a")), 0);
    ck_assert_int_eq(mr_storage_find(shelf.storage, not_files[_i].key, NULL, NULL, &shelf.err),
                     not_files[_i].code);
    ck_assert_msg(strstr(shelf.err.text, not_files[_i].want) != NULL, "%s", shelf.err.text);
    ck_assert_int_eq(mr_storage_read(shelf.storage, not_files[_i].key, NULL, 1 << 20, collect,
                                     &got, &shelf.err),
                     not_files[_i].code);
    ck_assert_uint_eq(got.len, 0);
    mr_storage_remove(shelf.storage, not_files[_i].key, NULL, &shelf.err);
    ck_assert_int_eq(access("/etc/passwd", F_OK), 0);
    mr_shelf_stop(&shelf);
}
END_TEST

START_TEST(a_removed_file_is_gone)
{
    mr_shelf_start(&shelf);
    mr_shelf_put(&shelf, "a/b", "x");
    ck_assert_int_eq(mr_storage_remove(shelf.storage, "a/b", NULL, &shelf.err), MR_OK);
    ck_assert(!mr_shelf_has(&shelf, "a/b"));
    ck_assert_int_eq(mr_storage_remove(shelf.storage, "a/b", NULL, &shelf.err), MR_OK);
    ck_assert_int_eq(mr_storage_remove(shelf.storage, "../b", NULL, &shelf.err), MR_EINVAL);
    mr_shelf_stop(&shelf);
}
END_TEST

static const char *const bases[] = {"https://files.example.org/shop",
                                    "https://files.example.org/shop/"};

START_TEST(links_of_a_disk_stand_below_the_configured_url)
{
    char *link = NULL;

    mr_shelf_start(&shelf);
    ck_assert_int_eq(mr_storage_link(shelf.storage, "a/b.pdf", 60, &link, &shelf.err),
                     MR_EFAULT);
    ck_assert_msg(strstr(shelf.err.text, "configure storage.url") != NULL, "%s",
                  shelf.err.text);
    mr_shelf_reopen(&shelf, "url", json_string(bases[_i]));
    ck_assert_int_eq(mr_storage_link(shelf.storage, "a/b.pdf", 60, &link, &shelf.err), MR_OK);
    ck_assert_str_eq(link, "https://files.example.org/shop/a/b.pdf");
    free(link);
    ck_assert_int_eq(mr_storage_link(shelf.storage, "a/b.pdf", 0, &link, &shelf.err),
                     MR_EINVAL);
    ck_assert_int_eq(mr_storage_link(shelf.storage, "a/b.pdf", 604801, &link, &shelf.err),
                     MR_EINVAL);
    ck_assert_msg(strstr(shelf.err.text, "1 second to 7 days, not 604801 s") != NULL, "%s",
                  shelf.err.text);
    mr_shelf_stop(&shelf);
}
END_TEST

START_TEST(a_probe_works_and_leaves_nothing)
{
    mr_shelf_start(&shelf);
    ck_assert_msg(mr_storage_probe(shelf.storage, &shelf.err) == MR_OK, "%s", shelf.err.text);
    ck_assert_uint_eq(mr_shelf_entries(&shelf), 0);
    mr_shelf_stop(&shelf);
}
END_TEST

START_TEST(a_probe_says_what_does_not_work)
{
    mr_shelf_start(&shelf);
    mr_shelf_forbid_large_files(10);
    ck_assert_int_eq(mr_storage_probe(shelf.storage, &shelf.err), MR_EIO);
    ck_assert_msg(strstr(shelf.err.text, "cannot write it: File too large") != NULL, "%s",
                  shelf.err.text);
    ck_assert_uint_eq(mr_shelf_entries(&shelf), 0);
    mr_shelf_stop(&shelf);
}
END_TEST

/* ---- the quota ---- */

START_TEST(a_file_beyond_the_quota_is_refused_and_leaves_nothing)
{
    mr_shelf_start(&shelf);
    mr_shelf_put_zeros(&shelf, "before.bin", 60000);
    mr_shelf_reopen(&shelf, "quota_bytes", json_integer(100000));
    ck_assert_int_eq(mr_shelf_put_zeros(&shelf, "a/b.bin", 40001), MR_EIO);
    ck_assert_msg(strstr(shelf.err.text,
                         "/files: a/b.bin: no room: the files there would exceed "
                         "storage.quota, 100kB: remove old ones or raise it") != NULL,
                  "%s", shelf.err.text);
    ck_assert(!mr_shelf_has(&shelf, "a/b.bin"));
    ck_assert_uint_eq(mr_shelf_entries(&shelf), 1);
    ck_assert_int_eq(mr_shelf_put_zeros(&shelf, "a/b.bin", 40000), MR_OK);
    ck_assert_int_eq(mr_shelf_put_zeros(&shelf, "c.bin", 1), MR_EIO);
    mr_shelf_stop(&shelf);
}
END_TEST

START_TEST(what_is_dropped_gives_its_room_back)
{
    mr_shelf_start(&shelf);
    mr_shelf_reopen(&shelf, "quota_bytes", json_integer(100000));
    for (int i = 0; i < 5; i++) {
        struct mr_storage_file *file = mr_shelf_create(&shelf, "a");

        ck_assert_int_eq(mr_storage_write(file, mr_shelf_zeros, 90000, &shelf.err), MR_OK);
        mr_storage_drop(file);
    }
    mr_shelf_stop(&shelf);
}
END_TEST

START_TEST(room_that_somebody_made_is_noticed)
{
    mr_shelf_start(&shelf);
    mr_shelf_put_zeros(&shelf, "a", 60000);
    mr_shelf_put_zeros(&shelf, "b", 40000);
    mr_shelf_reopen(&shelf, "quota_bytes", json_integer(100000));
    ck_assert_int_eq(mr_shelf_put_zeros(&shelf, "c", 10), MR_EIO);
    ck_assert_int_eq(unlink(mr_shelf_path(&shelf, "a")), 0);
    mr_wait_for(mr_shelf_put_zeros(&shelf, "c", 60000) == MR_OK, 10000);
    mr_shelf_stop(&shelf);
}
END_TEST

/* ---- the folder itself ---- */

START_TEST(without_a_usable_folder_there_is_no_storage)
{
    struct mr_storage *none = NULL;
    char path[120];

    mr_shelf_start(&shelf);
    ck_assert_int_eq(mr_storage_open(NULL, &none, &shelf.err), MR_EINVAL);
    ck_assert_msg(strstr(shelf.err.text, "storage.path is not configured") != NULL, "%s",
                  shelf.err.text);
    snprintf(path, sizeof(path), "%s/missing/files", shelf.dir);
    json_object_set_new(shelf.section, "path", json_string(path));
    ck_assert_int_eq(mr_storage_open(shelf.section, &none, &shelf.err), MR_EIO);
    ck_assert_msg(
        strstr(shelf.err.text, "missing/files: cannot make this folder: No such file") != NULL,
        "%s", shelf.err.text);
    mr_shelf_put(&shelf, "a", "x");
    json_object_set_new(shelf.section, "path", json_string(mr_shelf_path(&shelf, "a")));
    ck_assert_int_eq(mr_storage_open(shelf.section, &none, &shelf.err), MR_EIO);
    ck_assert_msg(strstr(shelf.err.text, "files/a: cannot open this folder: Not a directory") !=
                      NULL,
                  "%s", shelf.err.text);
    ck_assert_ptr_null(none);
    mr_storage_close(NULL);
    mr_shelf_stop(&shelf);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_kept_file_is_known_by_size_and_sum,                                   MR_COUNT(sums)      },
        {the_sum_does_not_depend_on_how_a_file_is_written,                       0                   },
        {a_file_is_read_back_whole,                                              MR_COUNT(read_sizes)},
        {more_than_was_asked_for_is_not_read,                                    0                   },
        {a_reader_who_had_enough_is_left_alone,                                  0                   },
        {what_is_no_file_is_neither_found_nor_read_and_removing_it_harms_nobody,
         MR_COUNT(not_files)                                                                         },
        {a_removed_file_is_gone,                                                 0                   },
        {links_of_a_disk_stand_below_the_configured_url,                         MR_COUNT(bases)     },
        {a_probe_works_and_leaves_nothing,                                       0                   },
        {a_probe_says_what_does_not_work,                                        0                   },
        {a_file_beyond_the_quota_is_refused_and_leaves_nothing,                  0                   },
        {what_is_dropped_gives_its_room_back,                                    0                   },
        {room_that_somebody_made_is_noticed,                                     0                   },
        {without_a_usable_folder_there_is_no_storage,                            0                   },
    };

    return mr_suite_run("storage_files", tests);
}
