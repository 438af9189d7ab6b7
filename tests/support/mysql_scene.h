/* The service mysql as a handler meets it: a worker's host, jobs with deadlines, and what statements gave. */
#ifndef MR_TESTS_MYSQL_SCENE_H
#define MR_TESTS_MYSQL_SCENE_H

#include "jobs/services/mysql.h"
#include "tests/support/mariadb.h"
#include "worker/delivery.h"
#include "worker/host.h"

struct mr_mysql_scene {
    struct mr_mariadb db;
    struct mr_host host;
    struct mr_config config;
    struct mr_pool_config pool;
    struct mr_page page;
    struct mr_mysql *mysql; /* NULL until opened */
};

/* A private MariaDB (args as mr_mariadb_start takes them), on TCP when asked, with the table grain(id, kind). */
void mr_mysql_scene_init(struct mr_mysql_scene *scene, bool tcp, const char *const *args);
/* The same around a primary that replicas can follow (tests/support/replica.h). */
void mr_mysql_scene_init_primary(struct mr_mysql_scene *scene);
/* Opens the service; options: what goes over its section, JSON, "{\"pool\": {\"max\": 2}}", or NULL. */
enum mr_code mr_mysql_scene_open(struct mr_mysql_scene *scene, const char *options,
                                 struct mr_err *err);
/* The same where it must succeed. */
void mr_mysql_scene_use(struct mr_mysql_scene *scene, const char *options);
void mr_mysql_scene_fini(struct mr_mysql_scene *scene);

/* A job whose deadline is so many ms away; 0: it has none. Plain memory. */
struct mr_job *mr_mysql_scene_job(struct mr_delivery *delivery, uint64_t ms);
/* What a handler's counter stands at; 0 when nobody counted. */
uint64_t mr_mysql_scene_count(struct mr_mysql_scene *scene, const char *counter);

/* Takes a connection for job; fails the test when there is none. */
struct mr_mysql_conn *mr_mysql_scene_take(struct mr_mysql_scene *scene, struct mr_job *job);
/* One statement without values, on any connection. */
enum mr_code mr_mysql_scene_run(struct mr_mysql_conn *conn, const char *sql,
                                struct mr_err *err);
/* The first value of the first row, owned; NULL: NULL, or no row. Fails the test on an error. */
char *mr_mysql_scene_text(struct mr_mysql_conn *conn, const char *sql,
                          const struct mr_sql_value *values, unsigned n);
/* A row function that does nothing. */
enum mr_code mr_mysql_scene_ignore(void *arg, const struct mr_sql_row *row, struct mr_err *err);

#endif
