#include "ops/workerctl/doctor_storage.h"

#include "ops/workerctl/files.h"

void mr_doctor_storage(struct mr_findings *findings, const struct mr_config *config)
{
    struct mr_storage *storage = NULL;
    struct mr_err err;
    enum mr_code code = mr_files_open(config, &storage, &err);

    if (code == MR_OK && storage)
        code = mr_storage_probe(storage, &err);
    if (code != MR_OK)
        mr_findings_add(findings, "storage",
                        code == MR_ENOTFOUND ? MR_GRADE_WARN : MR_GRADE_FAIL, "%s", err.text);
    else if (storage)
        mr_findings_add(findings, "storage", MR_GRADE_OK,
                        "%s: a file was put there, read and removed", mr_storage_name(storage));
    mr_storage_close(storage);
}
