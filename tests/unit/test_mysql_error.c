/* What an error of MySQL means, by its number and by what was going on. */
#include "jobs/services/mysql_error.h"
#include "tests/support/suite.h"

enum {
    DEADLOCK = 1213,
    DUPLICATE = 1062,
    DENIED = 1045,
    SYNTAX = 1064,
    LOST = 2013,
    GONE = 2006,
    INTERRUPTED = 1317,
    OURS = 1105
};

static const struct {
    unsigned number;
    enum mr_mysql_moment moment;
    enum mr_mysql_fate fate;
    enum mr_code code;
} rows[] = {
  /* without its connection a transaction has not happened; what stands alone may have */
    {LOST,        MR_MYSQL_REACHING,   MR_MYSQL_LEFT_ALONE, MR_EDOWN    },
    {LOST,        MR_MYSQL_INSIDE,     MR_MYSQL_LEFT_ALONE, MR_EDOWN    },
    {LOST,        MR_MYSQL_ALONE,      MR_MYSQL_LEFT_ALONE, MR_EUNKNOWN },
    {LOST,        MR_MYSQL_COMMITTING, MR_MYSQL_LEFT_ALONE, MR_EUNKNOWN },
    {GONE,        MR_MYSQL_ALONE,      MR_MYSQL_LEFT_ALONE, MR_EUNKNOWN },
    {GONE,        MR_MYSQL_COMMITTING, MR_MYSQL_LEFT_ALONE, MR_EUNKNOWN },
    {1053,        MR_MYSQL_INSIDE,     MR_MYSQL_LEFT_ALONE, MR_EDOWN    },
    {1927,        MR_MYSQL_COMMITTING, MR_MYSQL_LEFT_ALONE, MR_EUNKNOWN },
    {2002,        MR_MYSQL_REACHING,   MR_MYSQL_LEFT_ALONE, MR_EDOWN    },
 /* cut by us: late, not lost; but nobody knows more of it than before */
    {LOST,        MR_MYSQL_INSIDE,     MR_MYSQL_CUT,        MR_ETIMEDOUT},
    {LOST,        MR_MYSQL_ALONE,      MR_MYSQL_CUT,        MR_EUNKNOWN },
    {LOST,        MR_MYSQL_COMMITTING, MR_MYSQL_CUT,        MR_EUNKNOWN },
 /* killed */
    {INTERRUPTED, MR_MYSQL_INSIDE,     MR_MYSQL_KILLED,     MR_ETIMEDOUT},
    {INTERRUPTED, MR_MYSQL_ALONE,      MR_MYSQL_KILLED,     MR_ETIMEDOUT},
    {INTERRUPTED, MR_MYSQL_COMMITTING, MR_MYSQL_LEFT_ALONE, MR_EUNKNOWN },
    {1969,        MR_MYSQL_ALONE,      MR_MYSQL_LEFT_ALONE, MR_ETIMEDOUT},
    {3024,        MR_MYSQL_ALONE,      MR_MYSQL_LEFT_ALONE, MR_ETIMEDOUT},
 /* what the server says plainly holds whatever was going on */
    {DEADLOCK,    MR_MYSQL_INSIDE,     MR_MYSQL_LEFT_ALONE, MR_EBUSY    },
    {DEADLOCK,    MR_MYSQL_COMMITTING, MR_MYSQL_LEFT_ALONE, MR_EBUSY    },
    {1205,        MR_MYSQL_ALONE,      MR_MYSQL_LEFT_ALONE, MR_EBUSY    },
    {1040,        MR_MYSQL_REACHING,   MR_MYSQL_LEFT_ALONE, MR_EBUSY    },
    {DUPLICATE,   MR_MYSQL_INSIDE,     MR_MYSQL_LEFT_ALONE, MR_EEXIST   },
    {DENIED,      MR_MYSQL_REACHING,   MR_MYSQL_LEFT_ALONE, MR_EFAULT   },
    {1049,        MR_MYSQL_REACHING,   MR_MYSQL_LEFT_ALONE, MR_EFAULT   },
    {1146,        MR_MYSQL_INSIDE,     MR_MYSQL_LEFT_ALONE, MR_EFAULT   },
    {1290,        MR_MYSQL_ALONE,      MR_MYSQL_LEFT_ALONE, MR_EFAULT   },
    {1792,        MR_MYSQL_INSIDE,     MR_MYSQL_LEFT_ALONE, MR_EREFUSED },
    {2026,        MR_MYSQL_REACHING,   MR_MYSQL_LEFT_ALONE, MR_EFAULT   },
    {SYNTAX,      MR_MYSQL_ALONE,      MR_MYSQL_LEFT_ALONE, MR_EREFUSED },
    {SYNTAX,      MR_MYSQL_INSIDE,     MR_MYSQL_KILLED,     MR_EREFUSED },
 /* what nobody has heard of */
    {OURS,        MR_MYSQL_INSIDE,     MR_MYSQL_LEFT_ALONE, MR_EREFUSED },
    {OURS,        MR_MYSQL_REACHING,   MR_MYSQL_LEFT_ALONE, MR_EFAULT   },
    {OURS,        MR_MYSQL_COMMITTING, MR_MYSQL_LEFT_ALONE, MR_EUNKNOWN },
};

START_TEST(error_means)
{
    enum mr_code code = mr_mysql_error_code(rows[_i].number, rows[_i].moment, rows[_i].fate);

    ck_assert_msg(code == rows[_i].code, "%u at %d after %d: %s", rows[_i].number,
                  (int)rows[_i].moment, (int)rows[_i].fate, mr_code_name(code));
}
END_TEST

START_TEST(read_only_is_told_from_other_options_in_the_way)
{
    static const char of_all[] = "The MariaDB server is running with the --read-only option so "
                                 "it cannot execute this statement";
    static const char of_files[] = "The MySQL server is running with the --secure-file-priv "
                                   "option so it cannot execute this statement";

    ck_assert(mr_mysql_error_is_read_only(1290, of_all));
    ck_assert(mr_mysql_error_is_read_only(1836, "Running in read-only mode"));
    ck_assert(!mr_mysql_error_is_read_only(1290, of_files));
    ck_assert(!mr_mysql_error_is_read_only(SYNTAX, of_all));
}
END_TEST

static const struct {
    const char *message, *want;
} words[] = {
    {"Duplicate entry 'ann@example.org' for key 'PRIMARY'",
     "Duplicate entry '...' for key 'PRIMARY'"                                                                                  },
    {"Duplicate entry 'it's' for key 'x' for key 'name'",
     "Duplicate entry '...' for key 'name'"                                                                                     },
    {"Incorrect string value: '\\xF0\\x9F' for column `mill`.`grain`.`kind` at row 1",
     "Incorrect string value: '...' for column `mill`.`grain`.`kind` at row 1"                                                  },
    {"Truncated incorrect DOUBLE value: 'secret'",                                     "Truncated incorrect DOUBLE value: '...'"},
    {"Incorrect datetime value: 'sec'ret' for column 'at' at row 1",
     "Incorrect datetime value: '...' for column 'at' at row 1"                                                                 },
    {"BIGINT value is out of range in '(`mill`.`g`.`n` + 77)'",
     "BIGINT value is out of range in '...'"                                                                                    },
    {"Duplicate entry 'cut off",                                                       "Duplicate entry '..."                   },
    {"Duplicate entry '",                                                              "Duplicate entry '..."                   },
    {"Unknown column 'rye' in 'field list'",                                           "Unknown column 'rye' in 'field list'"   },
    {"Table 'mill.grain' doesn't exist",                                               "Table 'mill.grain' doesn't exist"       },
    {"",                                                                               ""                                       },
};

START_TEST(words_hold_no_value)
{
    char out[200];

    mr_mysql_error_words(words[_i].message, out, sizeof(out));
    ck_assert_str_eq(out, words[_i].want);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {error_means,                                     MR_COUNT(rows) },
        {read_only_is_told_from_other_options_in_the_way, 0              },
        {words_hold_no_value,                             MR_COUNT(words)},
    };

    return mr_suite_run("mysql_error", tests);
}
