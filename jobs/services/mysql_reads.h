/*
 * The servers to read from, in turn. One that cannot be reached, or is too far behind, is passed over: nobody waits for it but the one who looks
 * again, now and then, whether it is back.
 */
#ifndef MR_JOBS_SERVICES_MYSQL_READS_H
#define MR_JOBS_SERVICES_MYSQL_READS_H

#include "jobs/services/mysql_pool.h"

struct mr_mysql_reads;

struct mr_mysql_read_rules {
    uint64_t max_lag_ms; /* further behind is too far; 0: nobody asks */
    bool avoid_unknown;  /* one that does not tell how far it is behind counts as too far */
    uint64_t away_ms;    /* one that could not be reached is tried again after so long */
    uint64_t ask_ms; /* how far it is behind is asked so often at most, while it is read from */
};

struct mr_mysql_reads *mr_mysql_reads_new(const struct mr_mysql_house *house,
                                          const struct mr_mysql_read_rules *rules);
/* Every connection has been given back. NULL is accepted. */
void mr_mysql_reads_free(struct mr_mysql_reads *reads);
/* Takes pool. Before the first take. */
void mr_mysql_reads_add(struct mr_mysql_reads *reads, struct mr_mysql_pool *pool);
void mr_mysql_reads_tend(struct mr_mysql_reads *reads);
bool mr_mysql_reads_is_empty(const struct mr_mysql_reads *reads);

/*
 * A connection to the next one that is fit. MR_ENOTFOUND: none is, read from the server that is written to; MR_EBUSY: those that are
 * fit have no connection left. Others as mr_mysql_take.
 */
enum mr_code mr_mysql_reads_take(struct mr_mysql_reads *reads, struct mr_job *job,
                                 struct mr_mysql_conn **out, struct mr_err *err);

#endif
