/* What a module reads of its section of the configuration, which start-up has checked already. */
#ifndef MR_JOBS_SERVICES_MEMBERS_H
#define MR_JOBS_SERVICES_MEMBERS_H

#include <jansson.h>
#include <stdint.h>

/* section may be NULL: it holds nothing then. A borrow of the configuration. */
const char *mr_members_text(const json_t *section, const char *name, const char *otherwise);
int64_t mr_members_number(const json_t *section, const char *name, int64_t otherwise);
/* base without the slashes at its end, and path behind it ("/v1"); the caller frees it. */
char *mr_members_url(const char *base, const char *path);

#endif
