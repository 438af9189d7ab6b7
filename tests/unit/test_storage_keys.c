/* What may be a key of the disk's storage, and what links do to it. */
#include "tests/support/shelf.h"
#include "tests/support/suite.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct mr_shelf shelf;

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

    mr_shelf_start(&shelf);
    ck_assert_int_eq(
        mr_storage_create(shelf.storage, bad_keys[_i].key, NULL, &file, &shelf.err), MR_EINVAL);
    ck_assert_msg(strstr(shelf.err.text, bad_keys[_i].want) != NULL, "%s", shelf.err.text);
    ck_assert_ptr_null(file);
    ck_assert(!mr_shelf_has(&shelf, bad_keys[_i].key));
    ck_assert_uint_eq(mr_shelf_entries(&shelf), 0);
    mr_shelf_stop(&shelf);
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
    mr_shelf_start(&shelf);
    mr_shelf_put(&shelf, good_keys[_i], "x");
    ck_assert(mr_shelf_has(&shelf, good_keys[_i]));
    mr_shelf_expect(mr_shelf_path(&shelf, good_keys[_i]), "x");
    mr_shelf_stop(&shelf);
}
END_TEST

/* ---- links ---- */

/* dir/outside/secret beside the shelf.root; link, below the shelf.root, leads to target. */
static void plant(const char *link, const char *target)
{
    char path[200];

    snprintf(path, sizeof(path), "%s/outside", shelf.dir);
    mkdir(path, 0755);
    snprintf(path, sizeof(path), "%s/outside/secret", shelf.dir);
    int fd = open(path, O_WRONLY | O_CREAT, 0644);
    ck_assert_int_eq(write(fd, "secret", 6), 6);
    close(fd);
    ck_assert_int_eq(symlink(target, mr_shelf_path(&shelf, link)), 0);
}

static void expect_secret_untouched(void)
{
    char path[200];

    snprintf(path, sizeof(path), "%s/outside/secret", shelf.dir);
    mr_shelf_expect(path, "secret");
    snprintf(path, sizeof(path), "%s/outside/new", shelf.dir);
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

    mr_shelf_start(&shelf);
    plant(linked_folders[_i].link, linked_folders[_i].target);
    ck_assert_int_eq(
        mr_storage_create(shelf.storage, linked_folders[_i].key, NULL, &file, &shelf.err),
        MR_EIO);
    ck_assert_msg(strstr(shelf.err.text,
                         "a symbolic link or a file stands where a folder should") != NULL,
                  "%s", shelf.err.text);
    ck_assert(!mr_shelf_has(&shelf, linked_folders[_i].key));
    ck_assert_uint_eq(mr_storage_sweep(shelf.storage, 0), 0);
    expect_secret_untouched();
    mr_shelf_stop(&shelf);
}
END_TEST

START_TEST(a_link_in_the_files_place_is_replaced_not_followed)
{
    struct stat found;

    mr_shelf_start(&shelf);
    plant("a", "../outside/secret");
    ck_assert(!mr_shelf_has(&shelf, "a"));
    mr_shelf_put(&shelf, "a", "mine");
    ck_assert_int_eq(lstat(mr_shelf_path(&shelf, "a"), &found), 0);
    ck_assert(S_ISREG(found.st_mode));
    mr_shelf_expect(mr_shelf_path(&shelf, "a"), "mine");
    expect_secret_untouched();
    mr_shelf_stop(&shelf);
}
END_TEST

START_TEST(a_folder_exchanged_for_a_link_meanwhile_changes_nothing)
{
    char moved[400];

    mr_shelf_start(&shelf);
    struct mr_storage_file *file = mr_shelf_create(&shelf, "a/new");
    mr_shelf_write(file, "mine");
    snprintf(moved, sizeof(moved), "%s", mr_shelf_path(&shelf, "moved"));
    ck_assert_int_eq(rename(mr_shelf_path(&shelf, "a"), moved), 0);
    plant("a", "../outside");
    ck_assert_int_eq(mr_storage_keep(file, NULL, &shelf.err), MR_OK);
    mr_shelf_expect(mr_shelf_path(&shelf, "moved/new"), "mine");
    expect_secret_untouched();
    mr_shelf_stop(&shelf);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_bad_key_is_refused_and_makes_nothing,                  MR_COUNT(bad_keys)      },
        {a_good_key_is_kept_and_found,                            MR_COUNT(good_keys)     },
        {a_link_is_no_folder,                                     MR_COUNT(linked_folders)},
        {a_link_in_the_files_place_is_replaced_not_followed,      0                       },
        {a_folder_exchanged_for_a_link_meanwhile_changes_nothing, 0                       },
    };

    return mr_suite_run("storage_keys", tests);
}
