/* Parameters as a web form sends them: application/x-www-form-urlencoded, in a body or behind a url's question mark. */
#ifndef MR_JOBS_SERVICES_FORM_H
#define MR_JOBS_SERVICES_FORM_H

#include "proto/base/str.h"

#define MR_FORM_TYPE "Content-Type: application/x-www-form-urlencoded"

/* Appends "name=value", after an "&" where something stands already; both are escaped, so that neither adds a parameter. */
void mr_form_add(struct mr_buf *form, const char *name, const char *value);
void mr_form_add_i64(struct mr_buf *form, const char *name, int64_t value);
/* Appends the text with all but letters, digits and "-._~" as %XX: right in a query and in one step of a path. */
void mr_form_escape(struct mr_buf *out, const char *text);

#endif
