/* What workerctl doctor asks the database of billing and reports. */
#ifndef MR_OPS_DOCTOR_MYSQL_H
#define MR_OPS_DOCTOR_MYSQL_H

#include "ops/workerctl/findings.h"
#include "proto/config.h"

/* Nothing where mysql.database is not configured. */
void mr_doctor_mysql(struct mr_findings *findings, const struct mr_config *config);

#endif
