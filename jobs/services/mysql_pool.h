/* The connections to one server: opened lazily, at most max, lent in the order of asking; those above min closed when long idle. */
#ifndef MR_JOBS_SERVICES_MYSQL_POOL_H
#define MR_JOBS_SERVICES_MYSQL_POOL_H

#include "jobs/services/mysql_conn.h"

struct mr_mysql_pool;

/* Takes what server holds; house is borrowed. */
struct mr_mysql_pool *mr_mysql_pool_new(const struct mr_mysql_house *house,
                                        struct mr_mysql_server *server, unsigned min,
                                        unsigned max);
/* Every connection has been given back. */
void mr_mysql_pool_free(struct mr_mysql_pool *pool);
const struct mr_mysql_server *mr_mysql_pool_server(const struct mr_mysql_pool *pool);

/* As mr_mysql_take: waits for its turn until the job's deadline or cancel. */
enum mr_code mr_mysql_pool_take(struct mr_mysql_pool *pool, struct mr_job *job,
                                struct mr_mysql_conn **out, struct mr_err *err);
void mr_mysql_pool_give(struct mr_mysql_conn *conn);
/* Closes what idled for long, above min. */
void mr_mysql_pool_tend(struct mr_mysql_pool *pool);

#endif
