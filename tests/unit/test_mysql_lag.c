/* What a server's answer about its replication means. */
#include "jobs/services/mysql_lag.h"
#include "tests/support/suite.h"

#include <string.h>

enum { MAX_MS = 30000 };

/* One source's row: as servers since MariaDB 10 and MySQL 5 answer, and as MySQL 8 does. */
static const char *const old_names[] = {"Slave_IO_State",        "Slave_IO_Running",
                                        "Slave_SQL_Running",     "Last_IO_Errno",
                                        "Seconds_Behind_Master", "Last_SQL_Errno"};
static const char *const new_names[] = {"Replica_IO_State",      "Replica_IO_Running",
                                        "Replica_SQL_Running",   "Last_IO_Errno",
                                        "Seconds_Behind_Source", "Last_SQL_Errno"};

static const struct {
    const char *io, *sql, *io_error, *behind, *sql_error;
    enum mr_mysql_follows follows;
    bool over;
    const char *says;
} rows[] = {
    {"Yes",        "Yes", "0",    "0",  "0",    MR_MYSQL_FOLLOWS,         false, "0 s behind"  },
    {"Yes",        "Yes", "0",    "30", "0",    MR_MYSQL_FOLLOWS,         false, "30 s behind" },
    {"Yes",        "Yes", "0",    "31", "0",    MR_MYSQL_FOLLOWS,         true,  "31 s behind" },
    {"Yes",        "No",  "0",    NULL, "1062", MR_MYSQL_FOLLOWS_NO_MORE, true,  "1062 of what"},
    {"Connecting", "Yes", "2003", NULL, "0",    MR_MYSQL_FOLLOWS_NO_MORE, true,  "errno 2003"  },
    {"Connecting", "Yes", "2003", "0",  "0",    MR_MYSQL_FOLLOWS_NO_MORE, true,  "errno 2003"  },
    {"No",         "No",  "0",    NULL, "0",    MR_MYSQL_FOLLOWS_NO_MORE, true,  "does not run"},
    {"Yes",        "Yes", "0",    NULL, "0",    MR_MYSQL_FOLLOWS_NO_MORE, true,  "does not run"},
};

static void add(struct mr_mysql_lag *lag, int i, const char *const *names)
{
    const char *const values[] = {"Waiting",        rows[i].io,     rows[i].sql,
                                  rows[i].io_error, rows[i].behind, rows[i].sql_error};

    mr_mysql_lag_add(lag, MR_COUNT(values), names, values);
}

static void check(const char *const *names, int i)
{
    struct mr_mysql_lag lag = {.follows = MR_MYSQL_FOLLOWS_NOBODY};
    char words[200];

    add(&lag, i, names);
    ck_assert_int_eq(lag.follows, rows[i].follows);
    ck_assert_int_eq(mr_mysql_lag_is_over(&lag, MAX_MS), rows[i].over);
    ck_assert(mr_mysql_lag_is_known(&lag));
    mr_mysql_lag_words(&lag, words, sizeof(words));
    ck_assert_msg(strstr(words, rows[i].says) != NULL, "%s", words);
}

START_TEST(a_server_is_as_far_behind_as_it_says)
{
    check(old_names, _i);
    check(new_names, _i);
}
END_TEST

START_TEST(of_several_sources_the_worst_counts)
{
    struct mr_mysql_lag lag = {.follows = MR_MYSQL_FOLLOWS_NOBODY};

    add(&lag, 2, new_names);
    add(&lag, 0, new_names);
    ck_assert_uint_eq(lag.behind_s, 31);
    add(&lag, 3, new_names);
    add(&lag, 0, new_names);
    ck_assert_int_eq(lag.follows, MR_MYSQL_FOLLOWS_NO_MORE);
}
END_TEST

START_TEST(who_does_not_tell_is_neither_known_nor_over)
{
    static const struct {
        enum mr_mysql_follows follows;
        const char *says;
    } silent[] = {
        {MR_MYSQL_FOLLOWS_NOBODY, "not set up"              },
        {MR_MYSQL_FOLLOWS_UNSEEN, "grant it REPLICA MONITOR"},
    };
    char words[200];

    for (size_t i = 0; i < MR_COUNT(silent); i++) {
        const struct mr_mysql_lag lag = {.follows = silent[i].follows};

        ck_assert(!mr_mysql_lag_is_known(&lag));
        ck_assert(!mr_mysql_lag_is_over(&lag, 0));
        mr_mysql_lag_words(&lag, words, sizeof(words));
        ck_assert_msg(strstr(words, silent[i].says) != NULL, "%s", words);
    }
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_server_is_as_far_behind_as_it_says,        MR_COUNT(rows)},
        {of_several_sources_the_worst_counts,         0             },
        {who_does_not_tell_is_neither_known_nor_over, 0             },
    };

    return mr_suite_run("mysql_lag", tests);
}
