/* The tests' own replica: it follows, falls behind when told, and says so as a server does. */
#include "tests/support/replica.h"
#include "tests/support/suite.h"
#include "tests/support/wait.h"

#include <stdlib.h>

enum { DEADLINE_MS = 20000 };

static struct mr_mariadb primary, replica;

static void start(void)
{
    mr_replica_primary_start(&primary, NULL);
    mr_mariadb_do(&primary, "CREATE TABLE grain (kind VARCHAR(10)) ENGINE = InnoDB");
    mr_replica_start(&replica, &primary, NULL);
}

static void stop(void)
{
    mr_mariadb_stop(&replica);
    mr_mariadb_stop(&primary);
}

static void sow(const char *kind)
{
    mr_mariadb_do(&primary, "INSERT INTO grain VALUES ('%s')", kind);
}

static long long grains(void)
{
    return mr_mariadb_int(&replica, "SELECT COUNT(*) FROM grain");
}

/* The server itself waited for it, in vain. */
static void stays_behind(void)
{
    char *at = mr_mariadb_text(&primary, "SELECT @@gtid_binlog_pos");

    ck_assert_int_eq(mr_mariadb_int(&replica, "SELECT MASTER_GTID_WAIT('%s', 0.2)", at), -1);
    ck_assert_int_eq(grains(), 0);
    free(at);
}

START_TEST(a_row_written_to_the_primary_appears)
{
    start();
    sow("rye");
    mr_wait_for(grains() == 1, DEADLINE_MS);
    sow("oat");
    mr_replica_catch_up(&replica, &primary);
    ck_assert_int_eq(grains(), 2);
    stop();
}
END_TEST

START_TEST(it_takes_the_products_user_and_no_writes_of_his)
{
    start();
    MYSQL *user = mysql_init(NULL);
    ck_assert_ptr_nonnull(mysql_real_connect(user, NULL, MR_MARIADB_USER, MR_MARIADB_PASSWORD,
                                             MR_MARIADB_DATABASE, 0, replica.socket, 0));
    ck_assert_int_ne(mysql_query(user, "INSERT INTO grain VALUES ('oat')"), 0);
    ck_assert_uint_eq(mysql_errno(user), 1290);
    mysql_close(user);
    stop();
}
END_TEST

START_TEST(halted_it_keeps_what_it_has_and_resumed_it_catches_up)
{
    start();
    mr_replica_halt(&replica);
    sow("rye");
    stays_behind();
    mr_replica_resume(&replica);
    mr_replica_catch_up(&replica, &primary);
    ck_assert_int_eq(grains(), 1);
    stop();
}
END_TEST

START_TEST(it_lags_until_it_is_told_to_hurry)
{
    start();
    mr_replica_lag(&replica, &primary, 600);
    sow("rye");
    stays_behind();
    mr_replica_hurry(&replica, &primary);
    ck_assert_int_eq(grains(), 1);
    stop();
}
END_TEST

START_TEST(killed_it_follows_again)
{
    start();
    mr_mariadb_kill(&replica);
    sow("rye");
    mr_replica_again(&replica, NULL);
    mr_replica_catch_up(&replica, &primary);
    ck_assert_int_eq(grains(), 1);
    stop();
}
END_TEST

int main(void)
{
    const struct mr_test tests[] = {
        {a_row_written_to_the_primary_appears,                  0},
        {it_takes_the_products_user_and_no_writes_of_his,       0},
        {halted_it_keeps_what_it_has_and_resumed_it_catches_up, 0},
        {it_lags_until_it_is_told_to_hurry,                     0},
        {killed_it_follows_again,                               0},
    };

    return mr_suite_run("replica", tests);
}
