#include "tests/support/shelf.h"

#include "tests/support/scratch.h"
#include "tests/support/suite.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

void mr_shelf_open(struct mr_shelf *shelf)
{
    ck_assert_msg(mr_storage_open(shelf->section, &shelf->storage, &shelf->err) == MR_OK, "%s",
                  shelf->err.text);
}

void mr_shelf_start(struct mr_shelf *shelf)
{
    mr_scratch_folder(shelf->dir);
    snprintf(shelf->root, sizeof(shelf->root), "%s/files", shelf->dir);
    shelf->section = json_pack("{s:s}", "path", shelf->root);
    mr_shelf_open(shelf);
}

void mr_shelf_stop(struct mr_shelf *shelf)
{
    mr_storage_close(shelf->storage);
    json_decref(shelf->section);
    mr_scratch_remove(shelf->dir);
}

void mr_shelf_reopen(struct mr_shelf *shelf, const char *option, json_t *value)
{
    mr_storage_close(shelf->storage);
    json_object_set_new(shelf->section, option, value);
    mr_shelf_open(shelf);
}

bool mr_shelf_has(struct mr_shelf *shelf, const char *key)
{
    return mr_storage_find(shelf->storage, key, NULL, NULL, &shelf->err) == MR_OK;
}

const char *mr_shelf_path(const struct mr_shelf *shelf, const char *name)
{
    static char path[400];

    snprintf(path, sizeof(path), "%s/%s", shelf->root, name);
    return path;
}

static unsigned seen;

static int count_entry(const char *path, const struct stat *found, int kind, struct FTW *place)
{
    (void)path, (void)found, (void)place;
    seen += kind != FTW_D && kind != FTW_DP;
    return 0;
}

unsigned mr_shelf_entries(const struct mr_shelf *shelf)
{
    seen = 0;
    ck_assert_int_eq(nftw(shelf->root, count_entry, 16, FTW_PHYS), 0);
    return seen;
}

struct mr_storage_file *mr_shelf_create(struct mr_shelf *shelf, const char *key)
{
    struct mr_storage_file *file = NULL;

    ck_assert_msg(mr_storage_create(shelf->storage, key, NULL, &file, &shelf->err) == MR_OK,
                  "%s", shelf->err.text);
    return file;
}

void mr_shelf_write(struct mr_storage_file *file, const char *text)
{
    struct mr_err err;

    ck_assert_msg(mr_storage_write(file, text, strlen(text), &err) == MR_OK, "%s", err.text);
}

void mr_shelf_put(struct mr_shelf *shelf, const char *key, const char *text)
{
    struct mr_storage_file *file = mr_shelf_create(shelf, key);

    mr_shelf_write(file, text);
    ck_assert_msg(mr_storage_keep(file, NULL, &shelf->err) == MR_OK, "%s", shelf->err.text);
}

const char mr_shelf_zeros[200000];

enum mr_code mr_shelf_put_zeros(struct mr_shelf *shelf, const char *key, size_t size)
{
    struct mr_storage_file *file = mr_shelf_create(shelf, key);
    enum mr_code code = mr_storage_write(file, mr_shelf_zeros, size, &shelf->err);

    if (code == MR_OK)
        return mr_storage_keep(file, NULL, &shelf->err);
    ck_assert_int_eq(mr_storage_write(file, "x", 1, &shelf->err), MR_EIO);
    ck_assert_int_eq(mr_storage_keep(file, NULL, &shelf->err), MR_EIO);
    return code;
}

void mr_shelf_forbid_large_files(size_t bytes)
{
    const struct rlimit limit = {bytes, RLIM_INFINITY};

    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

void mr_shelf_expect(const char *path, const char *want)
{
    char got[64] = "";
    int fd = open(path, O_RDONLY);

    ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
    ck_assert_int_ge(read(fd, got, sizeof(got) - 1), 0);
    close(fd);
    ck_assert_str_eq(got, want);
}
