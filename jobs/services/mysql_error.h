/* What an error of MySQL means for whoever asked: errno, moment and what the watch did, to a code. Pure. */
#ifndef MR_JOBS_SERVICES_MYSQL_ERROR_H
#define MR_JOBS_SERVICES_MYSQL_ERROR_H

#include "proto/base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* What was going on when it failed: what a lost connection means depends on it. */
enum mr_mysql_moment {
    MR_MYSQL_REACHING, /* connecting, checking, BEGIN: nothing could have happened yet */
    MR_MYSQL_ALONE,    /* a statement outside of a transaction */
    MR_MYSQL_INSIDE, /* a statement between BEGIN and COMMIT: without its connection nothing of it remains */
    MR_MYSQL_COMMITTING /* COMMIT itself */
};

/* What the watch over deadlines did meanwhile. */
enum mr_mysql_fate {
    MR_MYSQL_LEFT_ALONE,
    MR_MYSQL_KILLED, /* KILL QUERY was sent */
    MR_MYSQL_CUT /* its connection was cut, since KILL QUERY could not be sent or did not help */
};

/* number: mysql_errno or mysql_stmt_errno, not 0. */
enum mr_code mr_mysql_error_code(unsigned number, enum mr_mysql_moment moment,
                                 enum mr_mysql_fate fate);
/* Whether the connection is of no use any more. */
bool mr_mysql_error_is_loss(unsigned number);
/* Whether the server is read-only, for all or for users like us; message: its words. Nothing of the statement happened, nor of a COMMIT. */
bool mr_mysql_error_is_read_only(unsigned number, const char *message);
/* The server's words (en_US) without the values that it quotes: what a producer sent stays out of logs. */
void mr_mysql_error_words(const char *message, char *out, size_t size);

#endif
