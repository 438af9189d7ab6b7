#include "jobs/services/mysql_error.h"

#include "proto/base/mem.h"

#include <stdio.h>
#include <string.h>

/* What the number says by itself. */
enum kind { REFUSED, LOST, KILLED, BUSY, CHANGED, EXISTS, FAULT };

/* By number. What is not here is REFUSED: the statement is wrong, or its data. */
/* clang-format off */
static const struct {
    unsigned number;
    enum kind kind;
} rows[] = {
    {1020, BUSY},   /* record changed since last read (innodb_snapshot_isolation) */
    {1021, FAULT},  /* disk full */
    {1022, EXISTS}, /* duplicate key in the table */
    {1030, FAULT},  /* error from the storage engine */
    {1036, FAULT},  /* table is read only */
    {1037, BUSY},   /* out of memory */
    {1038, BUSY},   /* out of sort memory */
    {1040, BUSY},   /* too many connections */
    {1041, BUSY},   /* out of resources */
    {1042, LOST},   /* cannot get our host name */
    {1043, LOST},   /* bad handshake */
    {1044, FAULT},  /* access denied to the database */
    {1045, FAULT},  /* access denied: wrong user or password */
    {1046, FAULT},  /* no database selected */
    {1047, BUSY},   /* not ready for use (a node of Galera that is not in its cluster) */
    {1049, FAULT},  /* unknown database */
    {1053, LOST},   /* the server shuts down */
    {1062, EXISTS}, /* duplicate entry for a key */
    {1077, LOST},   /* normal shutdown */
    {1079, LOST},   /* shutdown complete */
    {1080, LOST},   /* forcing close of the thread */
    {1114, FAULT},  /* the table is full */
    {1129, FAULT},  /* our host is blocked after many connection errors */
    {1130, FAULT},  /* our host is not allowed to connect */
    {1142, FAULT},  /* command denied for the table */
    {1143, FAULT},  /* command denied for the column */
    {1146, FAULT},  /* no such table: migrations are missing */
    {1152, LOST},   /* aborted connection */
    {1158, LOST},   /* error reading packets */
    {1159, LOST},   /* timeout reading packets */
    {1160, LOST},   /* error writing packets */
    {1161, LOST},   /* timeout writing packets */
    {1184, LOST},   /* aborted connection */
    {1203, BUSY},   /* max_user_connections */
    {1205, BUSY},   /* lock wait timeout */
    {1206, BUSY},   /* the lock table is full */
    {1213, BUSY},   /* deadlock */
    {1226, BUSY},   /* a limit of the user, per hour */
    {1227, FAULT},  /* a privilege is needed */
    {1251, FAULT},  /* authentication protocol not supported */
    {1290, FAULT},  /* an option is in the way; but see mr_mysql_error_is_read_only */
    {1317, KILLED}, /* query execution was interrupted */
    {1370, FAULT},  /* command denied for the routine */
    {1412, BUSY},   /* table definition has changed, retry the transaction */
    {1461, BUSY},   /* max_prepared_stmt_count */
    {1524, FAULT},  /* authentication plugin is not loaded */
    {1586, EXISTS}, /* duplicate entry for a named key */
    {1614, BUSY},   /* deadlock (XA) */
    {1615, BUSY},   /* the prepared statement needs to be prepared again */
    {1665, FAULT},  /* binlog_format is STATEMENT, which READ COMMITTED cannot write */
    {1698, FAULT},  /* access denied, without a password */
    {1820, FAULT},  /* the password must be changed first */
    {1836, FAULT},  /* running in read-only mode */
    {1862, FAULT},  /* the password has expired */
    {1927, LOST},   /* connection was killed */
    {1969, KILLED}, /* max_statement_time (MariaDB) */
    {2002, LOST},   /* cannot connect through the socket */
    {2003, LOST},   /* cannot connect to the host */
    {2005, LOST},   /* unknown host */
    {2006, LOST},   /* the server has gone away */
    {2012, LOST},   /* error in the server's handshake */
    {2013, LOST},   /* lost connection during a query */
    {2014, LOST},   /* commands out of sync: nobody knows what the next bytes mean */
    {2019, FAULT},  /* the client has no utf8mb4 */
    {2026, FAULT},  /* TLS */
    {2027, LOST},   /* malformed packet */
    {2054, FAULT},  /* character set unknown to the client */
    {2055, LOST},   /* lost connection, with the system's errno */
    {2057, CHANGED}, /* a table has other columns than when its statement was prepared; the result is on its way */
    {2058, FAULT},  /* authentication plugins */
    {2059, FAULT},
    {2060, FAULT},
    {2061, FAULT},
    {3024, KILLED}, /* max_execution_time (Oracle) */
    {3118, FAULT},  /* the account is locked */
    {3159, FAULT},  /* the server wants TLS (Oracle) */
    {3572, BUSY},   /* NOWAIT */
    {4031, LOST},   /* closed by the server after idling (Oracle) */
    {4151, FAULT},  /* the account is locked (MariaDB) */
    {5011, LOST},   /* MariaDB's client: a statement without its connection */
    {5014, LOST},   /* MariaDB's client: a stale statement */
};
/* clang-format on */

static enum kind kind_of(unsigned number)
{
    for (size_t i = 0; i < MR_COUNT(rows); i++)
        if (rows[i].number == number)
            return rows[i].kind;
    return REFUSED;
}

bool mr_mysql_error_is_loss(unsigned number)
{
    enum kind kind = kind_of(number);

    return kind == LOST || kind == CHANGED;
}

/* Without its connection a transaction has not happened; a single statement, or COMMIT, may have. */
static enum mr_code of_loss(enum mr_mysql_moment moment, enum mr_mysql_fate fate)
{
    if (moment == MR_MYSQL_ALONE || moment == MR_MYSQL_COMMITTING)
        return MR_EUNKNOWN;
    return fate == MR_MYSQL_LEFT_ALONE ? MR_EDOWN : MR_ETIMEDOUT;
}

/* Whatever a server says to COMMIT that we do not know does not tell whether it is in force. */
static enum mr_code of_refusal(enum mr_mysql_moment moment)
{
    if (moment == MR_MYSQL_COMMITTING)
        return MR_EUNKNOWN;
    return moment == MR_MYSQL_REACHING ? MR_EFAULT : MR_EREFUSED;
}

enum mr_code mr_mysql_error_code(unsigned number, enum mr_mysql_moment moment,
                                 enum mr_mysql_fate fate)
{
    switch (kind_of(number)) {
    case LOST:
        return of_loss(moment, fate);
    case KILLED:
        return moment == MR_MYSQL_COMMITTING ? MR_EUNKNOWN : MR_ETIMEDOUT;
    case BUSY:
    case CHANGED:
        return MR_EBUSY;
    case EXISTS:
        return MR_EEXIST;
    case FAULT:
        return MR_EFAULT;
    case REFUSED:
        break;
    }
    return of_refusal(moment);
}

/* 1290 names the option that is in the way, and there are many. */
bool mr_mysql_error_is_read_only(unsigned number, const char *message)
{
    return number == 1836 ||
           (number == 1290 && (strstr(message, "read-only") || strstr(message, "read_only")));
}

/* ---- words ---- */

/* Behind these words the server quotes a value; keys, tables and columns stand behind others. */
static const char *const before_value[] = {
    "Duplicate entry '",
    " value: '",
    " value '",
    "out of range in '",
};

/* The quote that opens a value, or NULL. */
static const char *find_value(const char *message)
{
    const char *first = NULL;

    for (size_t i = 0; i < MR_COUNT(before_value); i++) {
        const char *at = strstr(message, before_value[i]);

        if (at && (!first || at < first))
            first = at + strlen(before_value[i]) - 1;
    }
    return first;
}

/* A value may hold quotes: it ends with the last one, or with the last that " for key", " for column" follow. */
static const char *value_end(const char *open)
{
    const char *end = NULL;

    for (const char *at = strstr(open, "' for "); at; at = strstr(at + 1, "' for "))
        end = at;
    end = end ? end : strrchr(open, '\'');
    return end > open ? end : open + strlen(open);
}

void mr_mysql_error_words(const char *message, char *out, size_t size)
{
    const char *open = find_value(message);

    if (!open) {
        snprintf(out, size, "%s", message);
        return;
    }
    const char *end = value_end(open);
    snprintf(out, size, "%.*s'...%s", (int)(open - message), message, end);
}
