#include "jobs/report/catalog.h"

#include "proto/base/mem.h"
#include "proto/yaml.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".yaml"

enum { NAME_MAX_BYTES = 64, SUGGESTED_FROM_MAX = 1000, FILE_MAX = MR_YAML_BYTES_MAX };

bool mr_catalog_is_name(struct mr_bytes name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789_-";

    for (size_t i = 0; i < name.len; i++)
        if (!memchr(letters, name.at[i], sizeof(letters) - 1))
            return false;
    return name.len >= 1 && name.len <= NAME_MAX_BYTES;
}

/* ---- which there are ---- */

static size_t list_names(DIR *folder, char *names[SUGGESTED_FROM_MAX])
{
    const struct dirent *entry;
    size_t n = 0;

    while (n < SUGGESTED_FROM_MAX && (entry = readdir(folder))) {
        size_t len = strlen(entry->d_name), end = strlen(SUFFIX);

        if (len > end && strcmp(entry->d_name + len - end, SUFFIX) == 0)
            names[n++] = mr_strndup(entry->d_name, len - end);
    }
    return n;
}

static enum mr_code not_found(const char *dir, const char *name, struct mr_err *err)
{
    DIR *folder = opendir(dir);
    char *names[SUGGESTED_FROM_MAX];

    if (!folder)
        return mr_fail(err, MR_EFAULT, "reports.dir %s cannot be read: %s", dir,
                       strerror(errno));
    size_t n = list_names(folder, names);
    closedir(folder);
    const char *meant = mr_str_nearest(name, (const char *const *)names, n);
    mr_fail(err, MR_ENOTFOUND, "data.report: there is no %s" SUFFIX " in %s%s%s%s", name, dir,
            meant ? ": did you mean " : "", meant ? meant : "", meant ? "?" : "");
    while (n > 0)
        free(names[--n]);
    return MR_ENOTFOUND;
}

/* ---- one of them ---- */

/* All of a file; true unless errno says why not. A definition is a plain file: a pipe would hold us for ever. */
static bool read_all(int fd, struct mr_buf *out)
{
    struct stat st;
    ssize_t got;

    if (fstat(fd, &st) != 0)
        return false;
    if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX) {
        errno = S_ISREG(st.st_mode) ? EFBIG : EINVAL;
        return false;
    }
    do {
        mr_buf_reserve(out, 4096);
        got = read(fd, out->at + out->len, 4096);
        if (got > 0)
            out->len += (size_t)got;
    } while (got > 0 && out->len <= FILE_MAX);
    return got >= 0;
}

static enum mr_code read_file(const char *dir, const char *name, const char *path,
                              struct mr_buf *out, struct mr_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 && errno == ENOENT)
        return not_found(dir, name, err);
    bool good = fd >= 0 && read_all(fd, out);
    int error = errno;
    if (fd >= 0)
        close(fd);
    return good ? MR_OK
                : mr_fail(err, MR_EFAULT, "%s cannot be read: %s", path, strerror(error));
}

static enum mr_code parse(const struct mr_buf *bytes, const char *path, struct mr_report *out,
                          struct mr_err *err)
{
    struct mr_config_errors errors = {0};
    struct mr_buf lines = {0};
    enum mr_code code =
        mr_report_parse(bytes->at ? bytes->at : "", bytes->len, path, out, &errors);

    for (unsigned i = 0; i < errors.n_lines; i++)
        mr_buf_printf(&lines, "%s%s", i ? "; " : "", errors.lines[i]);
    if (code != MR_OK)
        mr_fail(err, code, "%s", lines.at);
    mr_buf_fini(&lines);
    mr_config_errors_fini(&errors);
    return code;
}

enum mr_code mr_catalog_read(const char *dir, const char *name, struct mr_report *out,
                             struct mr_err *err)
{
    struct mr_buf bytes = {0};

    char *path = mr_asprintf("%s/%s" SUFFIX, dir, name);
    enum mr_code code = read_file(dir, name, path, &bytes, err);
    if (code == MR_OK)
        code = parse(&bytes, path, out, err);
    free(path);
    mr_buf_fini(&bytes);
    return code;
}
