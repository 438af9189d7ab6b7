/* Migrations as data: statements of a file, and what is to be done to a database. */
#include "ops/workerctl/migrate.h"
#include "tests/support/suite.h"

#include <string.h>

/* ---- statements ---- */

static const struct {
    const char *text;
    const char *statements; /* line:text, parted by | */
} files[] = {
    {"",                                      ""                                        },
    {" \n;;\n-- nothing\n",                   ""                                        },
    {"SELECT 1",                              "1:SELECT 1"                              },
    {"SELECT 1;",                             "1:SELECT 1"                              },
    {"SELECT 1;\n\nSELECT 2 ;",               "1:SELECT 1|3:SELECT 2"                   },
    {"-- what it is for; and why\nSELECT 1;", "2:SELECT 1"                              },
    {"# the same; in another way\nSELECT 1;", "2:SELECT 1"                              },
    {"/* over\ntwo; lines */ SELECT 1;",      "2:SELECT 1"                              },
    {"SELECT 1 -- not; here\n, 2;",           "1:SELECT 1 -- not; here\n, 2"            },
    {"SELECT 1--1;",                          "1:SELECT 1--1"                           },
    {"SELECT 1/2;",                           "1:SELECT 1/2"                            },
    {"/*!50000 SET a = 1; */;SELECT 1",       "1:/*!50000 SET a = 1; */|1:SELECT 1"     },
    {"SELECT 'a;b';SELECT 2",                 "1:SELECT 'a;b'|1:SELECT 2"               },
    {"SELECT 'it''s; so';SELECT 2",           "1:SELECT 'it''s; so'|1:SELECT 2"         },
    {"SELECT 'it\\'s; so';SELECT 2",          "1:SELECT 'it\\'s; so'|1:SELECT 2"        },
    {"SELECT '\\\\';SELECT 2",                "1:SELECT '\\\\'|1:SELECT 2"              },
    {"SELECT \"-- no;\", '/* no;';SELECT 2",  "1:SELECT \"-- no;\", '/* no;'|1:SELECT 2"},
    {"SELECT `a;\\`;SELECT 2",                "1:SELECT `a;\\`|1:SELECT 2"              },
    {"SELECT '\n;\n';\nSELECT 2",             "1:SELECT '\n;\n'|4:SELECT 2"             },
    {"SELECT '\xc3\xa4;';",                   "1:SELECT '\xc3\xa4;'"                    },
};

START_TEST(file_falls_into_statements)
{
    struct mr_migration_reader reader = {files[_i].text, 1};
    struct mr_migration_statement statement;
    struct mr_err err = {0};
    struct mr_buf found = {0};
    unsigned n = 0;
    enum mr_code code;

    mr_buf_text(&found, "");
    while ((code = mr_migrate_next(&reader, &statement, &err)) == MR_OK) {
        mr_buf_printf(&found, "%s%u:%.*s", n++ ? "|" : "", statement.line,
                      (int)statement.text.len, statement.text.at);
    }
    ck_assert_msg(code == MR_ENOTFOUND, "%s", err.text);
    ck_assert_str_eq(found.at, files[_i].statements);
    ck_assert_uint_eq(mr_migrate_count(files[_i].text), n);
    mr_buf_fini(&found);
}
END_TEST

static const struct {
    const char *text, *says;
} broken[] = {
    {"SELECT 1;\nSELECT 'a;\nb", "line 2"},
    {"SELECT 1,\n\n`a",          "line 3"},
    {"\n/* for ever",            "line 2"},
    {"SELECT 'a\\",              "line 1"},
};

START_TEST(what_does_not_end_is_refused_with_its_line)
{
    struct mr_migration_reader reader = {broken[_i].text, 1};
    struct mr_migration_statement statement;
    struct mr_err err = {0};
    enum mr_code code;

    while ((code = mr_migrate_next(&reader, &statement, &err)) == MR_OK)
        continue;
    ck_assert_int_eq(code, MR_EINVAL);
    ck_assert_msg(strncmp(err.text, broken[_i].says, strlen(broken[_i].says)) == 0, "%s",
                  err.text);
    ck_assert_uint_eq(mr_migrate_count(broken[_i].text), 0);
}
END_TEST

/* ---- comparing ---- */

static const struct mr_migration ours[] = {
    {1, "core",  "0001_core.sql",  "aa", ""},
    {2, "more",  "0002_more.sql",  "bb", ""},
    {4, "later", "0004_later.sql", "dd", ""},
};

/* A database knows these numbers with these checksums. */
static const struct {
    struct mr_applied applied[4];
    size_t n;
    const char *states; /* number and the first letter of its state */
} databases[] = {
    {{{0}},                                                                                  0, "1p 2p 4p "      },
    {{{1, NULL, (char *)(uintptr_t) "aa", NULL}},                                            1, "1a 2p 4p "      },
    {{{1, NULL, (char *)(uintptr_t) "xx", NULL}},                                            1, "1c 2p 4p "      },
    {{{2, NULL, (char *)(uintptr_t) "bb", NULL}},                                            1, "1p 2a 4p "      },
    {{{3, NULL, (char *)(uintptr_t) "cc", NULL}, {5, NULL, (char *)(uintptr_t) "ee", NULL}},
     2,                                                                                         "1p 2p 3u 4p 5u "},
    {{{1, NULL, (char *)(uintptr_t) "aa", NULL},
      {2, NULL, (char *)(uintptr_t) "bb", NULL},
      {4, NULL, (char *)(uintptr_t) "dd", NULL}},
     3,                                                                                         "1a 2a 4a "      },
};

START_TEST(database_is_compared_with_the_files)
{
    struct mr_migration_row rows[7];
    size_t n =
        mr_migrate_compare(ours, MR_COUNT(ours), databases[_i].applied, databases[_i].n, rows);
    struct mr_buf found = {0};

    for (size_t i = 0; i < n; i++)
        mr_buf_printf(&found, "%u%c ",
                      rows[i].migration ? rows[i].migration->number : rows[i].applied->number,
                      "pacu"[rows[i].state]);
    ck_assert_str_eq(found.at, databases[_i].states);
    mr_buf_fini(&found);
}
END_TEST

/* ---- the files of this build ---- */

/* A statement that looks first, or that comes to the same when it is done again; the server has the last word, in the stories of the database. */
static bool may_run_twice(struct mr_bytes sql)
{
    static const char *const signs[] = {
        "IF NOT EXISTS", "IF EXISTS", "IF((SELECT COUNT(*) FROM information_schema",
        "PREPARE ",      "EXECUTE ",  "MODIFY COLUMN ",
        "IS NULL"};

    for (size_t i = 0; i < MR_COUNT(signs); i++)
        if (memmem(sql.at, sql.len, signs[i], strlen(signs[i])))
            return true;
    return false;
}

START_TEST(every_file_can_be_read_and_run_again)
{
    ck_assert_uint_ge(mr_n_migrations, 1);
    for (unsigned i = 0; i < mr_n_migrations; i++) {
        struct mr_migration_reader reader = {mr_migrations[i].text, 1};
        struct mr_migration_statement statement;
        enum mr_code code;

        ck_assert_uint_eq(strlen(mr_migrations[i].checksum), 64);
        ck_assert(i == 0 || mr_migrations[i].number > mr_migrations[i - 1].number);
        ck_assert_uint_gt(mr_migrate_count(mr_migrations[i].text), 0);
        while ((code = mr_migrate_next(&reader, &statement, NULL)) == MR_OK)
            ck_assert_msg(may_run_twice(statement.text), "%s:%u cannot run twice",
                          mr_migrations[i].file, statement.line);
    }
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {file_falls_into_statements,                 MR_COUNT(files)    },
        {what_does_not_end_is_refused_with_its_line, MR_COUNT(broken)   },
        {database_is_compared_with_the_files,        MR_COUNT(databases)},
        {every_file_can_be_read_and_run_again,       0                  },
    };

    return mr_suite_run("migrate", tests);
}
