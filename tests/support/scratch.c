#include "tests/support/scratch.h"

#include <check.h>
#include <limits.h>
#include <stdio.h>

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
