#include "jobs/services/mysql_lag.h"

#include "proto/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DENIED = 1227, SYNTAX = 1064 };

/* The columns that count, as older and newer servers call them. */
enum column { BEHIND, IO_RUNS, SQL_RUNS, IO_ERROR, SQL_ERROR, COLUMNS };
static const char *const names_of[COLUMNS][2] = {
    [BEHIND] = {"Seconds_Behind_Master", "Seconds_Behind_Source"},
    [IO_RUNS] = {"Slave_IO_Running",      "Replica_IO_Running"   },
    [SQL_RUNS] = {"Slave_SQL_Running",     "Replica_SQL_Running"  },
    [IO_ERROR] = {"Last_IO_Errno",         "Last_IO_Errno"        },
    [SQL_ERROR] = {"Last_SQL_Errno",        "Last_SQL_Errno"       },
};

static const char *find(enum column column, unsigned n, const char *const *names,
                        const char *const *values)
{
    for (unsigned i = 0; i < n; i++)
        if (strcasecmp(names[i], names_of[column][0]) == 0 ||
            strcasecmp(names[i], names_of[column][1]) == 0)
            return values[i];
    return NULL;
}

static unsigned number(const char *text)
{
    return text ? (unsigned)strtoul(text, NULL, 10) : 0;
}

/* "Connecting" is no running: nobody knows what was written meanwhile. */
static bool is_yes(const char *text)
{
    return text && strcasecmp(text, "Yes") == 0;
}

void mr_mysql_lag_add(struct mr_mysql_lag *lag, unsigned n, const char *const *names,
                      const char *const *values)
{
    const char *behind = find(BEHIND, n, names, values);
    bool runs = behind && is_yes(find(IO_RUNS, n, names, values)) &&
                is_yes(find(SQL_RUNS, n, names, values));

    if (!runs) {
        lag->follows = MR_MYSQL_FOLLOWS_NO_MORE;
        lag->io_error = number(find(IO_ERROR, n, names, values));
        lag->sql_error = number(find(SQL_ERROR, n, names, values));
        return;
    }
    uint64_t behind_s = strtoull(behind, NULL, 10);

    if (lag->follows != MR_MYSQL_FOLLOWS_NO_MORE)
        lag->follows = MR_MYSQL_FOLLOWS;
    if (behind_s > lag->behind_s)
        lag->behind_s = behind_s;
}

static void add_rows(struct mr_mysql_lag *lag, MYSQL_RES *result)
{
    unsigned n = mysql_num_fields(result);
    const MYSQL_FIELD *fields = mysql_fetch_fields(result);
    const char **names = mr_zalloc_array(n, sizeof(*names));

    for (unsigned i = 0; i < n; i++)
        names[i] = fields[i].name;
    for (MYSQL_ROW row; (row = mysql_fetch_row(result));)
        mr_mysql_lag_add(lag, n, names, (const char *const *)row);
    free(names);
}

enum mr_code mr_mysql_lag_ask(MYSQL *mysql, const struct mr_mysql_server *server,
                              struct mr_mysql_lag *out, struct mr_err *err)
{
    /* The first is what MySQL 8.4 takes, the second what MariaDB 10.4 and MySQL 5.7 take. */
    static const char *const statements[] = {"SHOW REPLICA STATUS", "SHOW SLAVE STATUS"};
    struct mr_mysql_lag lag = {.follows = MR_MYSQL_FOLLOWS_NOBODY};
    MYSQL_RES *result = NULL;
    enum mr_code code = MR_OK;

    for (size_t i = 0; i < MR_COUNT(statements); i++) {
        code = mr_mysql_ask(mysql, server, mr_bytes_of(statements[i]), &result, err);
        if (code == MR_OK || mysql_errno(mysql) != SYNTAX)
            break;
    }
    if (code != MR_OK && mysql_errno(mysql) != DENIED)
        return code;
    if (code != MR_OK)
        lag.follows = MR_MYSQL_FOLLOWS_UNSEEN;
    if (result)
        add_rows(&lag, result);
    mysql_free_result(result);
    *out = lag;
    return MR_OK;
}

bool mr_mysql_lag_is_known(const struct mr_mysql_lag *lag)
{
    return lag->follows == MR_MYSQL_FOLLOWS || lag->follows == MR_MYSQL_FOLLOWS_NO_MORE;
}

bool mr_mysql_lag_is_over(const struct mr_mysql_lag *lag, uint64_t max_ms)
{
    return lag->follows == MR_MYSQL_FOLLOWS_NO_MORE ||
           (lag->follows == MR_MYSQL_FOLLOWS && lag->behind_s > max_ms / 1000);
}

void mr_mysql_lag_words(const struct mr_mysql_lag *lag, char *out, size_t size)
{
    switch (lag->follows) {
    case MR_MYSQL_FOLLOWS:
        snprintf(out, size, "%llu s behind", (unsigned long long)lag->behind_s);
        return;
    case MR_MYSQL_FOLLOWS_NO_MORE:
        snprintf(
            out, size,
            "replication does not run there (errno %u of what receives, %u of what applies)",
            lag->io_error, lag->sql_error);
        return;
    case MR_MYSQL_FOLLOWS_NOBODY:
        snprintf(out, size,
                 "replication is not set up there: how old its data is, nobody knows");
        return;
    case MR_MYSQL_FOLLOWS_UNSEEN:
        snprintf(out, size,
                 "mysql.user may not see how far it is behind: grant it REPLICA MONITOR "
                 "(MariaDB) or REPLICATION CLIENT (MySQL) there, or set mysql.max_lag to 0");
        return;
    }
}
