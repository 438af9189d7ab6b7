#include "ops/workerctl/doctor_mysql.h"

#include "ops/workerctl/database.h"

#include <stdlib.h>
#include <string.h>

/* A variable of the server as a number; -1 when it does not tell. */
static long long variable(struct mr_database *database, const char *sql)
{
    char *value = NULL;
    long long number = -1;

    if (mr_database_value(database, sql, &value, NULL) == MR_OK && value)
        number = atoll(value);
    free(value);
    return number;
}

/* A process opens a connection for each thread that wants one, up to mysql.pool.max. */
static unsigned long long connections_at_most(const struct mr_config *config)
{
    const json_t *pool = json_object_get(json_object_get(config->sections, "mysql"), "pool");
    unsigned long long max =
        (unsigned long long)json_integer_value(json_object_get(pool, "max"));
    unsigned long long sum = 0;

    for (unsigned i = 0; i < config->n_pools; i++) {
        unsigned threads = config->pools[i].threads;

        sum += config->pools[i].processes * (threads < max ? threads : max);
    }
    return sum;
}

static void check_connections(struct mr_findings *findings, const struct mr_config *config,
                              struct mr_database *database)
{
    unsigned long long wanted = connections_at_most(config);
    long long allowed = variable(database, "SELECT @@max_connections");

    if (allowed >= 0 && wanted > (unsigned long long)allowed)
        mr_findings_add(findings, "mysql connections", MR_GRADE_WARN,
                        "the pools here may open %llu, the server takes %lld: lower "
                        "mysql.pool.max or raise max_connections",
                        wanted, allowed);
    else
        mr_findings_add(findings, "mysql connections", MR_GRADE_OK,
                        "the pools here may open %llu, the server takes %lld", wanted, allowed);
}

static void check_durability(struct mr_findings *findings, struct mr_database *database)
{
    long long flush = variable(database, "SELECT @@innodb_flush_log_at_trx_commit");
    long long binlog = variable(database, "SELECT @@log_bin");
    long long sync = variable(database, "SELECT @@sync_binlog");

    if (flush == 1 && (binlog != 1 || sync == 1))
        mr_findings_add(findings, "mysql durability", MR_GRADE_OK,
                        "what was committed is on the disk");
    else
        mr_findings_add(findings, "mysql durability", MR_GRADE_WARN,
                        "what was committed may be lost when the machine falls: "
                        "innodb_flush_log_at_trx_commit is %lld, sync_binlog %lld; both should "
                        "be 1",
                        flush, sync);
}

static void check_migrations(struct mr_findings *findings, struct mr_database *database)
{
    struct mr_err err;

    if (mr_database_look(database, &err) != MR_OK) {
        mr_findings_add(findings, "mysql migrations", MR_GRADE_WARN, "%s", err.text);
        return;
    }
    unsigned pending = mr_database_count(database, MR_MIGRATION_PENDING);
    unsigned changed = mr_database_count(database, MR_MIGRATION_CHANGED);

    if (pending > 0)
        mr_findings_add(findings, "mysql migrations", MR_GRADE_FAIL,
                        "%u not applied: run workerctl db migrate", pending);
    else if (changed > 0)
        mr_findings_add(findings, "mysql migrations", MR_GRADE_WARN,
                        "%u changed since applied: see workerctl db status", changed);
    else
        mr_findings_add(findings, "mysql migrations", MR_GRADE_OK, "all applied");
}

void mr_doctor_mysql(struct mr_findings *findings, const struct mr_config *config)
{
    const json_t *section = json_object_get(config->sections, "mysql");
    struct mr_database database;
    struct mr_err err;

    if (!json_object_get(section, "database"))
        return;
    if (mr_database_open(config, &database, &err) != MR_OK) {
        mr_findings_add(findings, "mysql", MR_GRADE_FAIL, "%s", err.text);
        return;
    }
    mr_findings_add(findings, "mysql", MR_GRADE_OK, "%s answers, version %s",
                    database.server.name, mysql_get_server_info(database.mysql));
    check_connections(findings, config, &database);
    check_durability(findings, &database);
    check_migrations(findings, &database);
    mr_database_close(&database);
}
