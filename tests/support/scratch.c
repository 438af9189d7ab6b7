#include "tests/support/scratch.h"

#include <check.h>
#include <ftw.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

void mr_scratch_folder(char *out)
{
    strcpy(out, "/tmp/mr-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(out));
}

static int remove_entry(const char *path, const struct stat *found, int kind, struct FTW *place)
{
    (void)found, (void)kind, (void)place;
    return remove(path);
}

void mr_scratch_remove(const char *dir)
{
    ck_assert_int_eq(nftw(dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}

void mr_scratch_put(const char *dir, const char *name, const char *text)
{
    char path[PATH_MAX], fresh[PATH_MAX + 1];

    ck_assert_int_lt(snprintf(path, sizeof(path), "%s/%s", dir, name), PATH_MAX);
    snprintf(fresh, sizeof(fresh), "%s~", path);
    FILE *file = fopen(fresh, "we");
    ck_assert_msg(file != NULL, "%s cannot be written", fresh);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(rename(fresh, path), 0);
}

bool mr_scratch_small_disk(const char *dir, const char *size)
{
    char options[40];

    snprintf(options, sizeof(options), "size=%s", size);
    if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
        return false;
    return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", dir, "tmpfs", 0, options) == 0;
}

enum mr_code mr_scratch_load(const char *yaml, const char *const *environment,
                             struct mr_config **out, struct mr_config_errors *errors)
{
    char path[] = "/tmp/test_config_XXXXXX";
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, yaml, strlen(yaml)), (ssize_t)strlen(yaml));
    close(fd);
    enum mr_code code = mr_config_load(path, environment, out, errors);
    unlink(path);
    return code;
}
