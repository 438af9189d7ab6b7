/*
 * The templates that an operator keeps in templates.dir: <name>.<part>.mustache, compiled when first asked for, and again when the file has
 * changed. Any thread. (A file is best replaced by renaming: one that is written in place may be read half.)
 */
#ifndef MR_JOBS_SERVICES_TEMPLATE_STORE_H
#define MR_JOBS_SERVICES_TEMPLATE_STORE_H

#include "jobs/services/template.h"

struct mr_template_store;

/* Opens nothing yet. dir (templates.dir) is copied; NULL: none is configured, and whoever asks for a template is told so. */
struct mr_template_store *mr_template_store_new(const char *dir);
void mr_template_store_free(struct mr_template_store *store);

/*
 * What a job's data {template, vars?} asks for, borrowed; out_name NULL: no template, out_vars NULL: no variables. MR_EINVAL: one of them has the
 * wrong type.
 */
enum mr_code mr_template_store_asked(json_t *data, const char **out_name, json_t **out_vars,
                                     struct mr_err *err);

/*
 * Appends part ("subject", "text", "html") of the template name ("booking-confirmed", "mails/welcome": words of [A-Za-z0-9_-] parted by '/' or '.', at most 200
 * bytes) with vars (an object, or NULL) to out, strictly: what is missing is an error. Partials are files of the same part; their names count from
 * templates.dir too. out is untouched on failure:
 *   MR_EINVAL     the name is none, or vars do not suffice or do not fit: the job is wrong
 *   MR_ENOTFOUND  there is no such template, or it has no such part; err tells which, and names the nearest
 *   MR_EFAULT     templates.dir is not configured or cannot be read, or the template itself is wrong (file:line:column): an operator must act
 */
enum mr_code mr_template_store_render(struct mr_template_store *store, const char *name,
                                      const char *part, enum mr_template_target target,
                                      json_t *vars, struct mr_buf *out, struct mr_err *err);

#endif
