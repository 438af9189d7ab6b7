/* The storage of reports and invoices, as workerctl looks into it. */
#ifndef MR_OPS_FILES_H
#define MR_OPS_FILES_H

#include "jobs/services/storage.h"
#include "proto/config.h"

/*
 * *out is NULL where none is configured; config must outlive it. MR_ENOTFOUND: its folder is still to be made, which is left to the workers: what root
 * makes, they could not write to. Else as mr_storage_open.
 */
enum mr_code mr_files_open(const struct mr_config *config, struct mr_storage **out,
                           struct mr_err *err);

#endif
