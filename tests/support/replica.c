#include "tests/support/replica.h"

#include "tests/support/wait.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 16, DEADLINE_MS = 20000, FAR_S = 1000000 };

#define FOLLOWER "follower"
#define FOLLOWER_PASSWORD "close-behind"

/* own, then extra; NULL-ended. */
static void join(const char **out, const char *const *own, const char *const *extra)
{
    int n = 0;

    while (*own)
        out[n++] = *own++;
    while (extra && *extra) {
        ck_assert_int_lt(n, WORDS_MAX - 1);
        out[n++] = *extra++;
    }
    out[n] = NULL;
}

void mr_replica_primary_start(struct mr_mariadb *primary, const char *const *extra)
{
    static const char *const own[] = {"--server-id=1", "--log-bin=binlog",
                                      "--binlog-format=ROW", NULL};
    const char *words[WORDS_MAX];

    join(words, own, extra);
    mr_mariadb_start_tcp(primary, words);
    mr_mariadb_do(primary, "CREATE USER '%s'@'%%' IDENTIFIED BY '%s'", FOLLOWER,
                  FOLLOWER_PASSWORD);
    mr_mariadb_do(primary, "GRANT REPLICATION SLAVE ON *.* TO '%s'@'%%'", FOLLOWER);
}

static const char *const follows[] = {"--server-id=2", "--read-only", NULL};

void mr_replica_start(struct mr_mariadb *replica, struct mr_mariadb *primary,
                      const char *const *extra)
{
    const char *words[WORDS_MAX];

    join(words, follows, extra);
    mr_mariadb_start_bare(replica, words);
    mr_mariadb_do(replica,
                  "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = %d, "
                  "MASTER_USER = '%s', MASTER_PASSWORD = '%s', MASTER_CONNECT_RETRY = 1, "
                  "MASTER_USE_GTID = slave_pos",
                  primary->port, FOLLOWER, FOLLOWER_PASSWORD);
    mr_mariadb_do(replica, "START SLAVE");
    mr_replica_catch_up(replica, primary);
    mr_mariadb_do(replica, "USE %s", MR_MARIADB_DATABASE);
}

void mr_replica_again(struct mr_mariadb *replica, const char *const *extra)
{
    const char *words[WORDS_MAX];

    join(words, follows, extra);
    mr_mariadb_again(replica, words);
}

void mr_replica_catch_up(struct mr_mariadb *replica, struct mr_mariadb *primary)
{
    char *at = mr_mariadb_text(primary, "SELECT @@gtid_binlog_pos");

    ck_assert_msg(mr_mariadb_int(replica, "SELECT MASTER_GTID_WAIT('%s', %d)", at,
                                 DEADLINE_MS / 1000) == 0,
                  "the replica never came to %s", at);
    free(at);
}

void mr_replica_halt(struct mr_mariadb *replica)
{
    mr_mariadb_do(replica, "STOP SLAVE SQL_THREAD");
}

void mr_replica_resume(struct mr_mariadb *replica)
{
    mr_mariadb_do(replica, "START SLAVE SQL_THREAD");
}

static void delay(struct mr_mariadb *replica, unsigned seconds)
{
    mr_mariadb_do(replica, "STOP SLAVE");
    mr_mariadb_do(replica, "CHANGE MASTER TO MASTER_DELAY = %u", seconds);
    mr_mariadb_do(replica, "START SLAVE");
}

/* Column of SHOW SLAVE STATUS; -1: NULL. */
static long long status(struct mr_mariadb *replica, const char *column)
{
    long long value = -1;

    ck_assert_int_eq(mysql_query(replica->sync, "SHOW SLAVE STATUS"), 0);
    MYSQL_RES *result = mysql_store_result(replica->sync);
    MYSQL_ROW row = mysql_fetch_row(result);
    const MYSQL_FIELD *fields = mysql_fetch_fields(result);
    for (unsigned i = 0; i < mysql_num_fields(result); i++)
        if (strcmp(fields[i].name, column) == 0 && row[i])
            value = atoll(row[i]);
    mysql_free_result(result);
    return value;
}

void mr_replica_lag(struct mr_mariadb *replica, struct mr_mariadb *primary, unsigned behind_s)
{
    mr_replica_catch_up(replica, primary);
    delay(replica, FAR_S);
    /* Written so long ago, as the binary log has it; the delay counts from there. */
    mr_mariadb_do(primary, "SET timestamp = UNIX_TIMESTAMP() - %u", behind_s);
    mr_mariadb_do(primary, "CREATE OR REPLACE TABLE replica_lag (n INT)");
    mr_mariadb_do(primary, "SET timestamp = DEFAULT");
    mr_wait_for(status(replica, "Seconds_Behind_Master") >= behind_s, DEADLINE_MS);
}

void mr_replica_hurry(struct mr_mariadb *replica, struct mr_mariadb *primary)
{
    delay(replica, 0);
    mr_replica_catch_up(replica, primary);
}

void mr_replica_let_look(struct mr_mariadb *primary)
{
    mr_mariadb_do(primary, "GRANT REPLICA MONITOR ON *.* TO '%s'@'%%'", MR_MARIADB_USER);
}
