/* Whether the books are right: what workerctl billing audit looks for, one statement a check. */
#ifndef MR_OPS_AUDIT_H
#define MR_OPS_AUDIT_H

#include "jobs/services/storage.h"
#include "ops/workerctl/database.h"

#include <jansson.h>

/*
 * Looks at everything in one snapshot, while jobs go on, and appends a {"check", "subject", "finding"} to findings for each thing that is wrong; of one
 * check at most MR_AUDIT_MOST, and one more that says so. storage: where the PDFs are; NULL: they are not looked for.
 */
#define MR_AUDIT_MOST 100
enum mr_code mr_audit_run(struct mr_database *database, struct mr_storage *storage,
                          json_t *findings, struct mr_err *err);
/* What it looked at: {"invoices": 7, "charges": 5, "ledger_rows": 31}, the caller's. Within the same snapshot, so after mr_audit_run. */
enum mr_code mr_audit_count(struct mr_database *database, json_t **out, struct mr_err *err);

#endif
