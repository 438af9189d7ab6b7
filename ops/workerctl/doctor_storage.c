#include "ops/workerctl/doctor_storage.h"

#include "jobs/services/storage.h"

#include <string.h>
#include <unistd.h>

/* A folder that root makes now, the workers could not write to later. */
static bool is_still_to_be_made(struct mr_findings *findings, const json_t *section)
{
    const char *path = json_string_value(json_object_get(section, "path"));

    if (strcmp(json_string_value(json_object_get(section, "kind")), "local") != 0)
        return false;
    if (!path)
        return true;
    if (access(path, F_OK) == 0)
        return false;
    mr_findings_add(findings, "storage", MR_GRADE_WARN,
                    "storage.path %s is not there: the first file makes it", path);
    return true;
}

void mr_doctor_storage(struct mr_findings *findings, const struct mr_config *config)
{
    const json_t *section = json_object_get(config->sections, "storage");
    struct mr_storage *storage = NULL;
    struct mr_err err;

    if (is_still_to_be_made(findings, section))
        return;
    enum mr_code code = mr_storage_open(section, &storage, &err);
    if (code == MR_OK)
        code = mr_storage_probe(storage, &err);
    if (code == MR_OK)
        mr_findings_add(findings, "storage", MR_GRADE_OK,
                        "%s: a file was put there, read and removed", mr_storage_name(storage));
    else
        mr_findings_add(findings, "storage", MR_GRADE_FAIL, "%s", err.text);
    mr_storage_close(storage);
}
