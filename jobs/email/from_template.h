/* The texts of a mail that its job does not bring along but names a template for. */
#ifndef MR_JOBS_EMAIL_FROM_TEMPLATE_H
#define MR_JOBS_EMAIL_FROM_TEMPLATE_H

#include "proto/base/err.h"

#include <jansson.h>

struct mr_template_store;

/*
 * data {.., template, vars?} as mr_mail_read takes it: a copy with subject, text and html made of the template's parts of these names; a subject that is given
 * goes before the template's, and of text and html one will do. data without a template is given back as it is. The caller's reference.
 *   MR_EINVAL                the job is wrong: a member, or a variable that is missing or does not fit
 *   MR_ENOTFOUND, MR_EFAULT  a template is missing or wrong: it can be mended while the job waits
 */
enum mr_code mr_mail_from_template(json_t *data, struct mr_template_store *store, json_t **out,
                                   struct mr_err *err);

#endif
