#include "ops/workerctl/doctor_mysql.h"

#include "jobs/services/mysql_lag.h"
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
                        "the pools here may open %llu at %s, which takes %lld: lower "
                        "mysql.pool.max or raise max_connections",
                        wanted, database->server.name, allowed);
    else
        mr_findings_add(findings, "mysql connections", MR_GRADE_OK,
                        "the pools here may open %llu at %s, which takes %lld", wanted,
                        database->server.name, allowed);
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

static void check_writable(struct mr_findings *findings, struct mr_database *database)
{
    if (variable(database, "SELECT @@read_only OR @@innodb_read_only") == 1)
        mr_findings_add(findings, "mysql writable", MR_GRADE_FAIL,
                        "%s is read-only: what writes waits until it is not, or mysql.host "
                        "leads to another",
                        database->server.name);
    else
        mr_findings_add(findings, "mysql writable", MR_GRADE_OK, "%s takes writes",
                        database->server.name);
}

/* Sessions of jobs are READ COMMITTED, whose changes cannot be told to replicas as statements: InnoDB refuses them. */
static void check_binlog(struct mr_findings *findings, struct mr_database *database)
{
    if (variable(database, "SELECT @@log_bin AND @@binlog_format = 'STATEMENT'") == 1)
        mr_findings_add(
            findings, "mysql binlog", MR_GRADE_FAIL,
            "binlog_format is STATEMENT, and the server refuses what jobs write (in "
            "READ COMMITTED): set it to ROW or MIXED");
}

/* ---- the servers to read from ---- */

static void tell_lag(struct mr_findings *findings, const struct mr_config *config,
                     struct mr_database *database, const struct mr_mysql_lag *lag)
{
    const json_t *max =
        json_object_get(json_object_get(config->sections, "mysql"), "max_lag_ms");
    bool read_only = variable(database, "SELECT @@read_only") == 1;
    uint64_t max_ms = (uint64_t)json_integer_value(max);
    bool over = max_ms > 0 && mr_mysql_lag_is_over(lag, max_ms);
    char words[200];

    mr_mysql_lag_words(lag, words, sizeof(words));
    mr_findings_add(findings, "mysql read host",
                    !over && mr_mysql_lag_is_known(lag) ? MR_GRADE_OK : MR_GRADE_WARN,
                    "%s: %s%s; %s", database->server.name, words,
                    over ? ", and is passed over (mysql.max_lag)" : "",
                    read_only ? "read-only" : "not read-only");
}

static void check_read_host(struct mr_findings *findings, const struct mr_config *config,
                            const char *host)
{
    struct mr_database database;
    struct mr_mysql_lag lag;
    struct mr_err err;

    if (mr_database_open_read(config, host, &database, &err) != MR_OK) {
        mr_findings_add(findings, "mysql read host", MR_GRADE_WARN, "passed over: %s",
                        err.text);
        return;
    }
    if (mr_mysql_lag_ask(database.mysql, &database.server, &lag, &err) == MR_OK)
        tell_lag(findings, config, &database, &lag);
    else
        mr_findings_add(findings, "mysql read host", MR_GRADE_WARN, "passed over: %s",
                        err.text);
    check_connections(findings, config, &database);
    mr_database_close(&database);
}

static void check_read_hosts(struct mr_findings *findings, const struct mr_config *config)
{
    const json_t *hosts =
        json_object_get(json_object_get(config->sections, "mysql"), "read_hosts");

    for (size_t i = 0; i < json_array_size(hosts); i++)
        check_read_host(findings, config, json_string_value(json_array_get(hosts, i)));
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
        check_read_hosts(findings, config);
        return;
    }
    mr_findings_add(findings, "mysql", MR_GRADE_OK, "%s answers, version %s",
                    database.server.name, mysql_get_server_info(database.mysql));
    check_writable(findings, &database);
    check_connections(findings, config, &database);
    check_binlog(findings, &database);
    check_durability(findings, &database);
    check_migrations(findings, &database);
    mr_database_close(&database);
    check_read_hosts(findings, config);
}
