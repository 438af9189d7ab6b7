/* The mail that brings a report: whether one is wanted, to whom, and with the file or with a link to it. */
#ifndef MR_JOBS_REPORT_MAILING_H
#define MR_JOBS_REPORT_MAILING_H

#include "jobs/report/definition.h"

#include <jansson.h>

struct mr_job;
struct mr_storage;

/* What definition and job say together; texts are borrows of both. */
struct mr_report_mailing {
    json_t *to; /* owned; NULL: no mail is wanted */
    const char *subject, *template, *queue;
    enum mr_report_mail_as as;
    uint64_t expires_ms; /* of a link */
};

/* What the mail tells of the file. */
struct mr_report_news {
    const char *report, *title, *place, *format, *sha256;
    uint64_t rows, bytes;
};

/* data.mail wins over the definition's, member by member; false: no mail. MR_EINVAL names the member. */
enum mr_code mr_report_mailing_read(const struct mr_report *report, const json_t *mail,
                                    struct mr_report_mailing *out, struct mr_err *err);
void mr_report_mailing_fini(struct mr_report_mailing *mailing);

/* Whether the storage can give a link, where one is wanted: before anything is made for it. MR_EFAULT: err says what to configure. */
enum mr_code mr_report_mailing_check(const struct mr_report_mailing *mailing,
                                     struct mr_storage *storage, const char *place,
                                     struct mr_err *err);
/* Pushes an email.send job, once this job is done; its uuid is this job's with ".mail" behind it. Without a mail wanted, nothing. */
enum mr_code mr_report_mailing_push(const struct mr_report_mailing *mailing, struct mr_job *job,
                                    struct mr_storage *storage,
                                    const struct mr_report_news *news, struct mr_err *err);

#endif
