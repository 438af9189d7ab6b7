/* The two tables of an archive: whether rows can be moved from one to the other without harm, and the statements that do it. */
#ifndef MR_JOBS_REPORT_ARCHIVE_TABLE_H
#define MR_JOBS_REPORT_ARCHIVE_TABLE_H

#include "jobs/report/definition.h"

struct mr_mysql_conn;

/* Texts owned; places for values in their order. */
struct mr_archive_sql {
    char *count;        /* cutoff */
    char *first, *next; /* the last key of a batch: cutoff; cutoff, the key it begins behind */
    char *insert_first, *insert_next; /* cutoff, last key; cutoff, first, last */
    char *delete_first, *delete_next;
    bool number; /* the key is one */
};

/*
 * Looks at both tables, and makes the second one where that is wanted. MR_EFAULT: err says what a person must mend: a table that is missing, of
 * another engine than InnoDB, or with other columns than its partner; a column that cannot be the key or tell an age; a foreign key that would delete
 * more than what is moved.
 */
enum mr_code mr_archive_look(const struct mr_report_archive *archive,
                             struct mr_mysql_conn *conn, struct mr_archive_sql *out,
                             struct mr_err *err);
void mr_archive_sql_fini(struct mr_archive_sql *sql);

#endif
