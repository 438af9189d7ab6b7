/* What workerctl doctor tries with the storage of reports and invoices. */
#ifndef MR_OPS_DOCTOR_STORAGE_H
#define MR_OPS_DOCTOR_STORAGE_H

#include "ops/workerctl/findings.h"
#include "proto/config.h"

/* Puts a small file there, reads and removes it. Nothing where no storage is configured, or its folder is still to be made. */
void mr_doctor_storage(struct mr_findings *findings, const struct mr_config *config);

#endif
