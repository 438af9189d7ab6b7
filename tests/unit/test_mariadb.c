/* The tests' own database: it is there, it forgets nothing when killed, it has the product's tables. */
#include "tests/support/mariadb.h"
#include "tests/support/suite.h"

#include <stdlib.h>
#include <string.h>

START_TEST(starts_empty_and_takes_the_schema)
{
    struct mr_mariadb db;

    mr_mariadb_start(&db, NULL);
    ck_assert_int_eq(mr_mariadb_int(&db, "SELECT COUNT(*) FROM information_schema.tables WHERE "
                                         "table_schema = DATABASE()"),
                     0);
    mr_mariadb_schema(&db);
    mr_mariadb_schema(&db); /* the statements may run again */
    ck_assert_int_eq(mr_mariadb_int(&db, "SELECT COUNT(*) FROM billing_invoices"), 0);
    mr_mariadb_stop(&db);
}
END_TEST

START_TEST(killed_it_keeps_what_was_committed)
{
    struct mr_mariadb db;

    mr_mariadb_start(&db, NULL);
    mr_mariadb_do(&db, "CREATE TABLE grain (kind VARCHAR(10)) ENGINE = InnoDB");
    mr_mariadb_do(&db, "INSERT INTO grain VALUES ('%s')", "rye");
    mr_mariadb_kill(&db);
    mr_mariadb_again(&db, NULL);
    char *kind = mr_mariadb_text(&db, "SELECT kind FROM grain");
    ck_assert_str_eq(kind, "rye");
    free(kind);
    mr_mariadb_stop(&db);
}
END_TEST

START_TEST(listens_on_a_port_when_asked)
{
    struct mr_mariadb db;
    MYSQL *client;

    mr_mariadb_start_tcp(&db, NULL);
    client = mysql_init(NULL);
    ck_assert_ptr_nonnull(mysql_real_connect(client, "127.0.0.1", MR_MARIADB_USER,
                                             MR_MARIADB_PASSWORD, MR_MARIADB_DATABASE,
                                             (unsigned)db.port, NULL, 0));
    mysql_close(client);
    mr_mariadb_stop(&db);
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {starts_empty_and_takes_the_schema,  0},
        {killed_it_keeps_what_was_committed, 0},
        {listens_on_a_port_when_asked,       0},
    };

    return mr_suite_run("mariadb", tests);
}
