/* How far a server is behind the one it follows, as it says itself; for the service and for workerctl. */
#ifndef MR_JOBS_SERVICES_MYSQL_LAG_H
#define MR_JOBS_SERVICES_MYSQL_LAG_H

#include "jobs/services/mysql_connect.h"

enum mr_mysql_follows {
    MR_MYSQL_FOLLOWS,
    MR_MYSQL_FOLLOWS_NO_MORE, /* it should, and has stopped or lost its connection: how far it is behind, nobody knows */
    MR_MYSQL_FOLLOWS_NOBODY, /* replication is not set up there */
    MR_MYSQL_FOLLOWS_UNSEEN  /* mysql.user may not ask */
};

/* A plain value. */
struct mr_mysql_lag {
    enum mr_mysql_follows follows;
    uint64_t behind_s; /* FOLLOWS: of several sources the worst */
    unsigned io_error,
        sql_error; /* FOLLOWS_NO_MORE: errno of what receives and of what applies; 0: none */
};

/* Asks; mysql is idle, and stays so. A refusal is an answer (UNSEEN). Failures as mr_mysql_ask has them. */
enum mr_code mr_mysql_lag_ask(MYSQL *mysql, const struct mr_mysql_server *server,
                              struct mr_mysql_lag *out, struct mr_err *err);
/* Adds one source's row of the answer to lag: names and values of n columns, NULL for SQL's NULL. Pure. */
void mr_mysql_lag_add(struct mr_mysql_lag *lag, unsigned n, const char *const *names,
                      const char *const *values);
/* Whether a server so far behind is too far for max_ms. Those that do not say are not: see mr_mysql_lag_is_known. Pure. */
bool mr_mysql_lag_is_over(const struct mr_mysql_lag *lag, uint64_t max_ms);
bool mr_mysql_lag_is_known(const struct mr_mysql_lag *lag);
/* In words, for people: "40 s behind", and what to do where mysql.user may not ask. */
void mr_mysql_lag_words(const struct mr_mysql_lag *lag, char *out, size_t size);

#endif
