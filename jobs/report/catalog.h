/* The folder of definitions: a report's name becomes its definition, or words for a person. */
#ifndef MR_JOBS_REPORT_CATALOG_H
#define MR_JOBS_REPORT_CATALOG_H

#include "jobs/report/definition.h"

/* [A-Za-z0-9_-]{1,64}: no dot and no slash, so that a name never leaves its folder. */
bool mr_catalog_is_name(struct mr_bytes name);

/*
 * Reads dir/<name>.yaml anew, so that a mended file counts at once; name is one. MR_EINVAL: the definition is wrong, err has as many of
 * its errors as find room. MR_ENOTFOUND: there is none; err says what was probably meant. MR_EFAULT: the folder or the file cannot be read.
 */
enum mr_code mr_catalog_read(const char *dir, const char *name, struct mr_report *out,
                             struct mr_err *err);

#endif
