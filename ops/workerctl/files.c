#include "ops/workerctl/files.h"

#include <string.h>
#include <unistd.h>

enum mr_code mr_files_open(const struct mr_config *config, struct mr_storage **out,
                           struct mr_err *err)
{
    const json_t *section = json_object_get(config->sections, "storage");
    const char *kind = json_string_value(json_object_get(section, "kind"));
    const char *path = json_string_value(json_object_get(section, "path"));
    bool local = strcmp(kind, "local") == 0;

    if (local && !path)
        return *out = NULL, MR_OK;
    if (local && access(path, F_OK) != 0)
        return mr_fail(err, MR_ENOTFOUND,
                       "storage.path %s is not there: the first file makes it", path);
    return mr_storage_open(section, out, err);
}
