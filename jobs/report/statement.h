/* A report's SQL, written with :names, as the server takes it, with `?` in their places. Pure. */
#ifndef MR_JOBS_REPORT_STATEMENT_H
#define MR_JOBS_REPORT_STATEMENT_H

#include "proto/base/err.h"

enum { MR_STATEMENT_PLACES_MAX = 1000 };

/* One `?`. A name that stands twice has two. */
struct mr_statement_place {
    char *name;
    unsigned line; /* within the statement, from 1 */
};

struct mr_statement {
    char *sql;
    struct mr_statement_place *places; /* in the order of the `?` */
    unsigned n_places;
};

/*
 * Reads one statement that only reads: it begins with SELECT or WITH and nothing follows it. Names in text, in quoted identifiers
 * and in comments are none. Refused (MR_EINVAL, "line 3: what"), since they are no part of any report: a second statement, a bare `?`, INTO,
 * comments that the server would run. The server's own rights are the wall; this says early, and in words, what cannot be meant.
 */
enum mr_code mr_statement_parse(const char *text, struct mr_statement *out, struct mr_err *err);
void mr_statement_fini(struct mr_statement *statement);

#endif
